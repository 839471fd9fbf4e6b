"""Armv7E-M and Armv8-M with the DSP extension: two products of int16 at a time (SMLAD).

Inputs are words of two int16 in order. A word of weights holds the codes of four (eight, sixteen)
inputs of one column, arranged so that `SXTB16` (or a mask and a shift, which the second operand of
AND does for free) gives the codes of two neighbours in the halves of a register.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import COLUMNS, Array, extern, local, panels_of, zeros

_PLACES = {
    8: [(0, 16), (8, 24)],
    4: [(0, 16), (4, 20), (8, 24), (12, 28)],
    2: [(2 * i, 16 + 2 * i) for i in range(8)],
}
"""Where the codes of pairs of inputs lie in a word, in bits."""


UNROLLED = 4
"""Words of 8 bit weights per column in one turn of the loop."""


@dataclass(frozen=True)
class Smlad:
    """Weights lie as [panel][word of inputs][column]."""

    name: str = "smlad"
    paired: bool = True
    tallest: int = 2

    def step(self, bits: int) -> int:
        """Inputs of a word."""
        return 32 // bits

    def word(self, bits: int) -> str:
        """Words of codes."""
        del bits
        return "int32"

    def pack(self, codes: Array, bits: int) -> Array:
        """See `Core`."""
        stored = panels_of(codes, bits, self.step(bits))  # [panel, column, K]
        panels, columns, depth = stored.shape
        inputs = 32 // bits
        groups = stored.reshape(panels, columns, depth // inputs, inputs).astype(np.uint32)
        shifts = np.array(_PLACES[bits], np.uint32).reshape(-1)
        words = (groups << shifts).sum(-1, dtype=np.uint32)  # [panel, column, word]
        return np.ascontiguousarray(words.transpose(0, 2, 1)).view(np.int8).reshape(-1)

    def accumulate(
        self, bits: int, x_dtype: str, x: tirx.Var, rows: Sequence[Expr],
        weights: tirx.Var, panel: Expr, first: Expr, last: Expr,
    ) -> tirx.Var:  # fmt: skip
        """See `Core`; two rows take two columns at a time, for the sake of registers."""
        del x_dtype
        sums = zeros(len(rows) * COLUMNS)
        inputs = 32 // bits
        at_once = COLUMNS if len(rows) == 1 else 2
        words = local(tirx.truncdiv(last - first + (inputs - 1), inputs))
        starts = [local(row + tirx.truncdiv(first, 2)) for row in rows]
        begun = local(panel + tirx.truncdiv(first, inputs) * COLUMNS)
        for begin in range(0, COLUMNS, at_once):
            own = zeros(len(rows) * at_once)

            def word(n: Expr, own: tirx.Var = own, begin: int = begin) -> None:
                self._word(
                    bits, x, [start + n * (inputs // 2) for start in starts], weights,
                    begun + n * COLUMNS + begin, own, at_once,
                )  # fmt: skip

            tiles.for_unrolled(words, max(UNROLLED * bits // 8, 1), word)
            for row in range(len(rows)):
                for column in range(at_once):
                    T.buffer_store(
                        sums, own[row * at_once + column], [row * COLUMNS + begin + column]
                    )
        return sums

    def _word(
        self, bits: int, x: tirx.Var, rows: Sequence[Expr], weights: tirx.Var, start: Expr,
        sums: tirx.Var, columns: int,
    ) -> None:  # fmt: skip
        words = [local(weights[start + column]) for column in range(columns)]
        for pair in range(16 // bits):
            values = [local(x[row + pair]) for row in rows]
            for column, word in enumerate(words):
                codes = local(_codes(word, pair, bits))
                for row, value in enumerate(values):
                    at = row * columns + column
                    T.buffer_store(sums, extern("em_smlad", value, codes, sums[at]), [at])


def _codes(word: Expr, pair: int, bits: int) -> Expr:
    """The codes of a pair of inputs as two int16."""
    if bits == 8:
        return extern("em_sxtb16_ror8" if pair else "em_sxtb16", word)
    return extern(f"em_codes{bits}_{pair}", word)


CORE = Smlad()
