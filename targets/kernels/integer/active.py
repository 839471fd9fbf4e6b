"""`ActiveIds` of an integer program: the experts whose score is not zero."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.site import C_TYPES, dtype_of, integer
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("edgemoe.integer.ActiveIds",)


@dataclass(frozen=True)
class ActiveIds:
    """The kernel; one task per row."""

    x: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, ids, width, zero_x)."""
        return (C_TYPES[self.x], "int32_t*", "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (width, zero_x, begin, end) = tiles.parameters(
                {"x": self.x, "ids": "int32"}, ("width", "zero_x")
            )
            with T.serial(begin, end) as row, T.serial(0, width) as j:
                at = local(row * width + j)
                is_zero = tirx.Cast("int32", buffers["x"][at]) == zero_x
                number = tirx.Select(is_zero, tirx.const(-1, "int32"), tirx.Cast("int32", j))
                T.buffer_store(buffers["ids"], number, [at])
        return tiles.Built(builder.get())


def lower(site: Site) -> None:
    """Append the comparison."""
    node = site.node
    x = node.inputs[0]
    assert x is not None
    shape = shape_of(x)
    rows = size_of(shape[:-1])
    site.program.step(
        ActiveIds(dtype_of(x)), "active_ids",
        [*site.pointers([x]), Pointer(site.outputs[0]), shape[-1], integer(node, "zero_x")],
        tasks=rows, label=f"active of {shape[-1]} experts, {rows} tokens", origin=site.origin,
        nodes=site.nodes, nbytes=5 * size_of(shape), reason="a score of zero is no choice",
    )  # fmt: skip
