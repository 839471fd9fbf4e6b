"""`ExpertLinear` of an integer program: expert by expert, so that each is read once per call.

Rows of experts outside the range are filled with the zero point first.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.group_tokens import GroupTokens
from edgemoe.targets.kernels.integer import linear
from edgemoe.targets.kernels.integer.site import C_TYPES, dtype_of, integer
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("edgemoe.integer.ExpertLinear",)


@dataclass(frozen=True)
class FillRows:
    """Fills rows with one number; one task per row."""

    dtype: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (out, width, value)."""
        return (C_TYPES[self.dtype], "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (width, value, begin, end) = tiles.parameters(
                {"out": self.dtype}, ("width", "value")
            )
            with T.serial(begin * width, end * width) as i:
                T.buffer_store(buffers["out"], tirx.Cast(self.dtype, value), [i])
        return tiles.Built(builder.get())


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """All that an integer graph holds."""
    del node, function
    return True


def lower(site: Site) -> None:
    """Append the queues of the experts, unless another product has made them, and the product."""
    node, program = site.node, site.program
    x, ids, w = node.inputs[:3]
    assert x is not None and ids is not None and w is not None
    experts, columns, depth = shape_of(w)
    slots = size_of(shape_of(ids))
    rows = size_of(shape_of(x)[:-1])
    order, offsets, active = queues(site, site.buffer(ids), dtype_of(ids), slots, experts)
    out = dtype_of(node.outputs[0])
    program.step(
        FillRows(out), "fill_rows", [Pointer(site.outputs[0]), columns, integer(node, "zero")],
        tasks=slots, label=f"zeros in {slots} rows of {columns}", origin=site.origin,
        nbytes=slots * columns, reason="rows that no expert computes",
    )  # fmt: skip
    routed = [Pointer(order), Pointer(offsets), Pointer(active)]
    linear.append(
        site, program, rows, slots, columns, depth, experts=experts, routed=routed,
        shared=integer(node, "shared") or 1, active=active,
    )  # fmt: skip


def queues(site: Site, ids: int, dtype: str, slots: int, experts: int) -> tuple[int, int, int]:
    """Buffers (order, offsets, active) of the rows of every expert; see `group_tokens`."""
    program = site.program
    key = ("queues", ids, experts)
    if key not in program.quantised:
        sizes = {"order": slots, "offsets": experts + 1, "active": experts + 1, "cursor": experts}
        made = {
            name: program.buffer(f"{site.node.name}.{name}", "int32", (size,))
            for name, size in sizes.items()
        }
        program.step(
            GroupTokens("int64" if dtype == "int64" else "int32"), "group_tokens",
            [Pointer(ids), *(Pointer(b) for b in made.values()), slots, experts],
            label=f"queues of {experts} experts", origin=site.origin, nbytes=slots * 12,
            reason="experts run one after another",
        )  # fmt: skip
        program.quantised[key] = (made["order"], made["offsets"], made["active"])
    found: tuple[int, int, int] = program.quantised[key]
    return found
