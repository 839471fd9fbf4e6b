"""`norm` whose result is int8 codes of a static scale: products read them as they are.

See `norm` and `static_codes` for the formulas. What fills the last word of a row is not written: it
meets weights that are zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.norm import Norm, Store
from edgemoe.targets.kernels.static_codes import Coder
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class NormCodes(Norm):
    """As `Norm`; the facts of the result's scale follow the result."""

    uses = ("dot",)
    """Its results lie as the dot product wants them."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, codes, facts, scale?, shift?, width)."""
        rest = ("float*",) * (1 + self.scale + self.shift)
        return ("float*", "int32_t*", *rest, "int32_t")

    @property
    def _results(self) -> dict[str, str]:
        return {"out": "int8", "facts": "float32"}

    def _storer(self, isa: Isa, buffers: dict[str, tirx.Var], width: Expr) -> Store:
        coder = Coder(isa, buffers["facts"])
        nbytes = tiles.local(coder.row_bytes(width))

        def store(row: Expr, start: Expr, j: Expr, value: Expr, lanes: int) -> None:
            del start
            coder.store(buffers["out"], row * nbytes, j, value, lanes)

        return store
