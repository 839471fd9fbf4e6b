"""`Combine` of an integer program: the weighted sum of what a token's experts give.

Rows of weight 0 are not read, so that nobody needs to have written them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.finish import SCALING, limited, rescale
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.norm import cell
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, number_of, scaling_of, taken
from edgemoe.targets.site import Site, shape_of

HANDLES = ("edgemoe.integer.Combine",)

BLOCK = 8
"""Columns that are added up together, so that a row of weight 0 is skipped once for all of them."""


UNROLLED = 8
"""As many experts of a token are written out, their weights in registers."""


@dataclass(frozen=True)
class Combine(IntegerKernel):
    """The kernel; one task per token. `chosen` is 0 where the experts of a token are a loop."""

    z: str
    weights: str
    out: str
    chosen: int = 0

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"z": self.z, "weights": self.weights, "out": self.out}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("chosen", "width", "zero_z", "zero_w", "multiplier", *SCALING)

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per token."""
        with T.serial(n["begin"], n["end"]) as token:
            first, width = local(token * n["chosen"]), n["width"]
            if self.chosen:
                self._written_out(buffers, n, token, first)
            else:
                whole = local(tirx.truncdiv(width, BLOCK))
                with T.serial(0, whole) as number:
                    self._columns(buffers, n, token, first, local(number * BLOCK), BLOCK)
                with T.serial(0, width - whole * BLOCK) as j:
                    self._columns(buffers, n, token, first, local(whole * BLOCK + j), 1)

    def _written_out(self, buffers: Buffers, n: Numbers, token: Expr, first: Expr) -> None:
        """Emit the sums of a few experts, their weights in registers."""
        width = n["width"]
        weights = [
            local(tirx.Cast("int32", buffers["weights"][first + k]) - n["zero_w"])
            for k in range(self.chosen)
        ]
        begins = [local((first + k) * width) for k in range(self.chosen)]
        with T.serial(0, width) as j:
            total = cell(0)
            for known, begin in zip(weights, begins, strict=True):
                z = tirx.Cast("int32", buffers["z"][begin + j])
                T.buffer_store(total, total[0] + known * (z - n["zero_z"]), [0])
            value = rescale(total[0], n["multiplier"], n["left"], n["right"])
            result = limited(value + n["zero"], n["low"], n["high"], self.out)
            T.buffer_store(buffers["out"], result, [token * width + j])

    def _columns(
        self, buffers: Buffers, n: Numbers, token: Expr, first: Expr,
        column: Expr, count: int,
    ) -> None:  # fmt: skip
        """Emit the sums of some columns."""
        width = n["width"]
        totals = [cell(0) for _ in range(count)]
        with T.serial(0, n["chosen"]) as k:
            weight = local(tirx.Cast("int32", buffers["weights"][first + k]) - n["zero_w"])
            with T.If(weight != 0), T.Then():
                start = local((first + k) * width + column)
                for i, total in enumerate(totals):
                    z = tirx.Cast("int32", buffers["z"][start + i]) - n["zero_z"]
                    T.buffer_store(total, total[0] + weight * z, [0])
        for i, total in enumerate(totals):
            value = rescale(total[0], n["multiplier"], n["left"], n["right"])
            result = limited(value + n["zero"], n["low"], n["high"], self.out)
            T.buffer_store(buffers["out"], result, [token * width + column + i])


def lower(site: Site) -> None:
    """Append the sum."""
    node = site.node
    z, weights, multiplier = taken(node, 3)
    tokens, chosen = shape_of(weights)
    width = shape_of(z)[-1]
    unrolled = chosen if chosen <= UNROLLED else 0
    spec = Combine(dtype_of(z), dtype_of(weights), dtype_of(node.outputs[0]), unrolled)
    site.step(
        spec, "combine",
        [*site.pointers([z, weights]), Pointer(site.outputs[0]), chosen, width,
         integer(node, "zero_z"), integer(node, "zero_w"),
         number_of(multiplier), *scaling_of(node)],
        tasks=tokens, label=f"weighted sum of {chosen} of {tokens} tokens",
        macs=tokens * chosen * width, nbytes=tokens * (chosen + 1) * width,
        reason="integer sum of experts",
    )  # fmt: skip
