"""`Add`, `Mul` and `ChangeScale` of an integer program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer, Rows
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.finish import SCALING, limited, rescale, round_shift
from edgemoe.targets.kernels.integer.flat import Lie, lies, place
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import (
    dtype_of,
    integer,
    number_of,
    row_bytes,
    scaling_of,
    taken,
)
from edgemoe.targets.site import Site, shape_of

HANDLES = ("edgemoe.integer.Add", "edgemoe.integer.Mul", "edgemoe.integer.ChangeScale")

Operation = Literal["Add", "Mul", "ChangeScale"]

INTEGERS: dict[Operation, tuple[str, ...]] = {
    "Add": ("zero_a", "zero_b", "factor_a", "factor_b", "right", "zero", "low", "high"),
    "Mul": ("zero_a", "zero_b", "multiplier", *SCALING),
    "ChangeScale": ("zero_x", "multiplier", *SCALING),
}


@dataclass(frozen=True)
class Elementwise(IntegerKernel):
    """The kernel for one operation; one task per row."""

    operation: Operation
    dtypes: tuple[str, ...]  # of the operands
    lies: tuple[Lie, ...]
    out: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        operands = {f"x{i}": dtype for i, dtype in enumerate(self.dtypes)}
        return {**operands, "out": self.out}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("width", *INTEGERS[self.operation])

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        width = n["width"]
        with T.serial(n["begin"], n["end"]) as row, T.serial(0, width) as column:
            values = [
                local(tirx.Cast("int32", buffers[f"x{i}"][place(lie, row, column, width)]))
                for i, lie in enumerate(self.lies)
            ]
            result = limited(self._result(values, n), n["low"], n["high"], self.out)
            T.buffer_store(buffers["out"], result, [row * width + column])

    def _result(self, values: list[Expr], n: dict[str, Expr]) -> Expr:
        if self.operation == "Add":
            a, b = values
            total = local((a - n["zero_a"]) * n["factor_a"] + (b - n["zero_b"]) * n["factor_b"])
            return round_shift(total, n["right"]) + n["zero"]
        if self.operation == "Mul":
            a, b = values
            value = local((a - n["zero_a"]) * (b - n["zero_b"]))
        else:
            value = local(values[0] - n["zero_x"])
        return rescale(value, n["multiplier"], n["left"], n["right"]) + n["zero"]


def lower(site: Site) -> None:
    """Append the operation."""
    node = site.node
    operation: Operation = node.op_type  # type: ignore[assignment]
    count = 1 if operation == "ChangeScale" else 2
    operands = taken(node, count)
    shape = shape_of(node.outputs[0])
    rows, width, found = lies(shape, [shape_of(v) for v in operands], str(node.name))
    out = dtype_of(node.outputs[0])
    spec = Elementwise(operation, tuple(dtype_of(v) for v in operands), tuple(found), out)
    integers = []
    for name in INTEGERS[operation]:
        if name == "multiplier":
            integers.append(number_of(taken(node, count + 1)[count]))
        elif name == "left":
            integers.append(scaling_of(node)[0])
        else:
            integers.append(integer(node, name))
    pointers = site.pointers(operands)
    per_row = {"full": width, "row": 1, "column": 0, "scalar": 0}
    tensors = [(d, per_row[lie]) for d, lie in zip(spec.dtypes, found, strict=True)]
    moves = (*row_bytes(*tensors, (out, width)), *(0 for _ in range(1 + len(integers))))
    full = [
        (site.outputs[0], p.buffer)
        for p, lie, dtype in zip(pointers, found, spec.dtypes, strict=True)
        if lie == "full" and dtype == out
    ]
    site.step(
        spec, operation.lower(), [*pointers, Pointer(site.outputs[0]), width, *integers],
        in_place=full, tasks=rows, rows=Rows(rows, moves),
        label=f"{operation.lower()} of {list(shape)}",
        nbytes=3 * rows * width, reason="integer elementwise",
    )  # fmt: skip
