"""Codes of activations whose scale is known when the model is compiled.

    code = clamp(round(x / scale) + zero, LEAST, 127)

What lies beyond saturates; a NaN gets the lowest code. Codes lie as those of `quantise_rows` do, in
words of four, moved up by what the dot product wants (`static_dots`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.integer.quantised import Quantised
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.dots import INPUTS
from edgemoe.targets.kernels.panels import block_inputs, group_inputs
from edgemoe.targets.kernels.static_dots import static_dot_of
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import I8

LEAST = -127
"""The lowest code: where weights are the rows, `vpsignb` takes its negative."""

ROUNDER = 12582912.0
"""1.5 * 2^23, see `quantise_rows`."""

SCALE, ZERO, INVERSE, LOW, HIGH = range(5)
"""Places of the numbers of `facts_of`."""


def facts_of(given: Quantised) -> NDArray[np.float32]:
    """What kernels need of a scale: float32 [5], limits before the zero point is added."""
    zero = given.zero_point
    return np.array([given.scale, zero, 1 / given.scale, LEAST - zero, 127 - zero], np.float32)


def encode(x: NDArray[Any], given: Quantised) -> NDArray[np.int8]:
    """The definition that kernels are tested against: float32 to codes of the same shape."""
    _, zero, inverse, low, high = facts_of(given)
    scaled = np.fmin(np.fmax(x.astype(np.float32) * inverse, low), high)
    codes: NDArray[np.int8] = (np.rint(scaled) + zero).astype(np.int8)
    return codes


def words_per_row(depth: int) -> int:
    """32-bit words of a row's codes, with room for what some instruction sets add."""
    return 2 * group_inputs(depth, I8) // INPUTS


class Coder:
    """Emits codes of one tensor for one instruction set; made at the start of a kernel.

    `moves`: codes are moved up by what the product of static rows wants.
    """

    def __init__(self, isa: Isa, facts: tirx.Var, *, moves: bool = True) -> None:
        dot = static_dot_of(isa)
        self.copies = 1 + dot.magnitudes(I8)
        self.inverse, self.low, self.high = (
            register(facts[place]) for place in (INVERSE, LOW, HIGH)
        )
        bias = dot.activation_bias if moves else 0
        self.zero = tiles.local(tirx.Cast("int32", facts[ZERO]) + bias)

    def row_bytes(self, depth: Expr) -> Expr:
        """Bytes from one row to the next."""
        each = block_inputs(I8)
        return tirx.truncdiv(depth + each - 1, each) * (each * self.copies)

    def code(self, value: Expr, n: int) -> Expr:
        """Codes of `n` float32 values, as int32."""

        def all_lanes(one: Expr) -> Expr:
            return tiles.splat(one, n)

        # A NaN compares false, and becomes the second operand.
        scaled = register(tirx.max(value * all_lanes(self.inverse), all_lanes(self.low)))
        scaled = register(tirx.min(scaled, all_lanes(self.high)))
        moved = register(scaled + all_lanes(tirx.const(ROUNDER, "float32")))
        bits = tirx.reinterpret(typed("int32", n), moved)
        return register(bits - all_lanes(tirx.const(0x4B400000, "int32")) + all_lanes(self.zero))

    def store(self, codes: tirx.Var, start: Expr, k: Expr, value: Expr, n: int) -> None:
        """Emit the codes of inputs k..k+n of the row that begins at byte `start`."""
        kept = [register(tirx.Cast(typed("int8", n), self.code(value, n)))]
        if self.copies == 1:
            tiles.store(codes, start + k, kept[0], n)
            return
        nothing = tiles.splat(tirx.const(0, "int8"), n)
        kept.append(register(tirx.Select(kept[0] < nothing, nothing - kept[0], kept[0])))
        if n == 1:
            word = tirx.truncdiv(k, INPUTS) * (INPUTS * 2) + tirx.truncmod(k, INPUTS)
            for copy, part in enumerate(kept):
                T.buffer_store(codes, part, [start + word + INPUTS * copy])
            return
        words = n // INPUTS
        parts = [register(tirx.reinterpret(typed("int32", words), part)) for part in kept]
        order = [copy * words + word for word in range(words) for copy in range(2)]
        joined = register(tirx.Shuffle(parts, order))
        whole = tirx.reinterpret(typed("int8", 2 * n), joined)
        tiles.store(codes, start + 2 * k, whole, 2 * n)

    def pad(self, codes: tirx.Var, start: Expr, k: Expr) -> None:
        """Emit zeros for input `k`, which fills the last word of the row."""
        at = start + tirx.truncdiv(k, INPUTS) * (INPUTS * self.copies) + tirx.truncmod(k, INPUTS)
        for copy in range(self.copies):
            T.buffer_store(codes, tirx.const(0, "int8"), [at + INPUTS * copy])
