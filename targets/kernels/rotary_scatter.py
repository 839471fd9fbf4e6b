"""`rotary_scatter`: new keys of a float32 cache, turned by their angles into their places.

    cache[places[t], h, :] = turned(x[t, h, :])

`rotary` and `scatter` in one pass. Rows for the same place are written in their order, by one task:
the last one wins. A place outside the cache is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.generic import c_pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels import turned_rows
from edgemoe.targets.kernels.rotary import Rotary
from edgemoe.targets.kernels.scatter_places import inside, wrapped
from edgemoe.targets.kernels.turned_rows import INTEGERS, TENSORS, TurnedRows
from edgemoe.targets.site import Site, shape_of
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class RotaryScatter:
    """What distinguishes one kernel from another; one task per head, for all rows."""

    kernel: Rotary
    index: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (cache, places, x, cos, sin, capacity, rows, heads, width, `INTEGERS`)."""
        pointers, integers = turned_rows.parameters(self.kernel)
        return ("float*", c_pointer(self.index), *pointers, *["int32_t"] * 4, *integers)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"cache": "float32", "places": self.index}
            names |= dict.fromkeys(TENSORS, "float32")
            integers = ("capacity", "rows", "heads", "width", *INTEGERS)
            buffers, numbers = tiles.parameters(names, integers)
            number = dict(zip(integers, numbers, strict=False))
            begin, end = numbers[-2:]
            with T.serial(begin, end) as head, T.serial(0, number["rows"]) as row:
                place = wrapped(buffers["places"][row], number["capacity"], self.index)
                with T.If(inside(place, number["capacity"], self.index)), T.Then():
                    line = tirx.Cast("int32", place) * number["heads"] + head
                    turned_rows.turn(
                        self.kernel, isa, buffers, number, (tirx.const(0, "int32"), row, head),
                        (buffers["cache"], line * number["width"]), number["width"],
                    )  # fmt: skip
        return tiles.Built(builder.get())


def append(site: Site, left: TurnedRows, out: int, places: Pointer, index: str) -> None:
    """Append the step; `out` already holds the rows that stay."""
    rows, heads, width = left.shape
    site.step(
        RotaryScatter(left.kernel, index), "rotary_scatter",
        [Pointer(out), places, *left.pointers, shape_of(site.node.inputs[0])[0], rows, heads, width,
         *left.arguments([None, 0, 1])],
        tasks=heads, label=f"rotary embedding of {rows * heads} rows of {width} into the cache",
        nbytes=8 * rows * heads * width,
        reason=f"turns by {left.kernel.partner}, places that are data",
    )  # fmt: skip
