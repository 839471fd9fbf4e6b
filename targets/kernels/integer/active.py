"""`ActiveIds` of an integer program: the experts whose score is not zero."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, taken
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.ActiveIds",)


@dataclass(frozen=True)
class ActiveIds(IntegerKernel):
    """The kernel; one task per row."""

    x: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"x": self.x, "ids": "int32"}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("width", "zero_x")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        width, zero_x, begin, end = n.values()
        with T.serial(begin, end) as row, T.serial(0, width) as j:
            at = local(row * width + j)
            is_zero = tirx.Cast("int32", buffers["x"][at]) == zero_x
            number = tirx.Select(is_zero, tirx.const(-1, "int32"), tirx.Cast("int32", j))
            T.buffer_store(buffers["ids"], number, [at])


def lower(site: Site) -> None:
    """Append the comparison."""
    node = site.node
    (x,) = taken(node, 1)
    shape = shape_of(x)
    rows = size_of(shape[:-1])
    site.step(
        ActiveIds(dtype_of(x)), "active_ids",
        [*site.pointers([x]), Pointer(site.outputs[0]), shape[-1], integer(node, "zero_x")],
        tasks=rows, label=f"active of {shape[-1]} experts, {rows} tokens",
        nbytes=5 * size_of(shape), reason="a score of zero is no choice",
    )  # fmt: skip
