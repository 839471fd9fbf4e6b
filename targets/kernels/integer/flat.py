"""How two operands of an elementwise operator lie against the result."""

from __future__ import annotations

from typing import Literal

from tvm.ir import Expr

from edgemoe.errors import UnsupportedOpError
from edgemoe.targets.site import size_of

Lie = Literal["full", "column", "row", "scalar"]
"""At [row, column], [column], [row] or [0] of a result [rows, width]."""


def lies(
    shape: tuple[int, ...], operands: list[tuple[int, ...]], name: str
) -> tuple[int, int, list[Lie]]:
    """Rows and width of a result, and how each operand lies against it.

    The width is the last axis where that is possible, so that rows can be computed apart.

    Raises:
        UnsupportedOpError: an operand repeats along an axis in the middle.
    """
    last = max(len(shape) - 1, 0)
    for axis in (last, *(n for n in range(len(shape) + 1) if n != last)):
        rows, width = size_of(shape[:axis]), size_of(shape[axis:])
        found = [_lie(shape, operand, axis) for operand in operands]
        if all(lie is not None for lie in found):
            return rows, width, [lie for lie in found if lie is not None]
    raise UnsupportedOpError(
        f"node {name}: operands of shapes {operands} are broadcast to {list(shape)} along an axis "
        "in the middle\n  next: expand the operand with Expand"
    )


def _lie(shape: tuple[int, ...], operand: tuple[int, ...], axis: int) -> Lie | None:
    padded = (1,) * (len(shape) - len(operand)) + operand
    if size_of(operand) == 1:
        return "scalar"
    rows, columns = padded[:axis] == shape[:axis], padded[axis:] == shape[axis:]
    if rows and columns:
        return "full"
    if columns and size_of(padded[:axis]) == 1:
        return "column"
    if rows and size_of(padded[axis:]) == 1:
        return "row"
    return None


def place(lie: Lie, row: Expr, column: Expr, width: Expr) -> Expr:
    """Where an operand is read."""
    return {"full": row * width + column, "column": column, "row": row, "scalar": row * 0}[lie]
