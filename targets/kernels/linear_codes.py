"""`linear` whose result is int8 codes of a static scale: the next product reads them as they are.

    out[m, n] = code(epilogue(sum_k a[m, k] * w[n, k], operands at (m, n)))

See `static_codes` for `code`. A byte is written where `linear` writes four.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import columns as wide
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.linear import Linear
from edgemoe.targets.kernels.product import c_types, product_of
from edgemoe.targets.kernels.static_codes import Coder
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class LinearCodes(Linear):
    """As `Linear`; the facts of the result's scale follow the result."""

    @property
    def uses(self) -> tuple[str, ...]:
        """The dot products that it depends on, and that of the product which reads it."""
        return tuple(dict.fromkeys((*super().uses, "dot")))

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (rows..., weights, codes, facts, operands..., rows, depth, columns)."""
        operands = ["float*"] * len(self.operands)
        return (*c_types(self.given), "int32_t*", "float*", *operands, *["int32_t"] * 3)

    @property
    def _pointers(self) -> dict[str, str]:
        operands = {f"operand{o.index}": "float32" for o in self.operands}
        return {
            **product_of(self.given).pointers, "out": "int8", "out_facts": "float32", **operands,
        }  # fmt: skip

    def _store(self, isa: Isa) -> tirx.PrimFunc:
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"values": "float32", "out": "int8", "out_facts": "float32"}
            names.update({f"operand{o.index}": "float32" for o in self.operands})
            buffers, (row, panel, columns, begin, end) = tiles.parameters(
                names, ("row", "panel", "columns")
            )
            coder = Coder(isa, buffers["out_facts"])
            nbytes = tiles.local(coder.row_bytes(columns))
            width = tiles.local(tirx.min(columns - panel * tiles.PANEL, tiles.PANEL))
            with T.serial(begin, end) as i:
                to = tiles.local((row + i) * nbytes)

                def vector(j: Expr, lanes: int) -> None:
                    index, value = self._value(buffers, row, i, panel, columns, j, lanes)
                    coder.store(buffers["out"], to, index["column"], value, lanes)

                wide.for_panel(width, tiles.PANEL, isa.lanes, vector)
        return builder.get()
