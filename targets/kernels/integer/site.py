"""What the kernels of integer programs read from a node."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.targets.kernels.integer.finish import SCALING
from edgemoe.targets.site import reader


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """All that an integer graph holds."""
    del node, function
    return True


def dtype_of(value: ir.Value | None) -> str:
    """NumPy's name of the dtype of a tensor."""
    assert value is not None and value.dtype is not None
    return str(value.dtype.numpy().name)


def taken(node: ir.Node, count: int) -> list[ir.Value]:
    """The first inputs of a node, none of which may be left out."""
    found = [value for value in node.inputs[:count] if value is not None]
    assert len(found) == count, node.name
    return found


def number_of(value: ir.Value) -> int:
    """What a constant of one element holds."""
    return int(reader(value)().reshape(-1)[0])


def integer(node: ir.Node, name: str) -> int:
    """An attribute."""
    return int(graph_facts.attribute(node, name, 0))


BYTES = {"int8": 1, "uint8": 1, "int16": 2, "int32": 4, "int64": 8}
"""Bytes of an element, by dtype."""


def row_bytes(*tensors: tuple[str, int]) -> tuple[int, ...]:
    """Bytes from one row to the next, of (dtype, elements per row)."""
    return tuple(BYTES[dtype] * elements for dtype, elements in tensors)


def scaling_of(node: ir.Node) -> list[int]:
    """The arguments for `SCALING`: 2^left, right, zero, low, high."""
    values = [integer(node, name) for name in SCALING]
    return [1 << values[0], *values[1:]]
