"""Reads scales and zero points of a panel of integer codes (see `panels` for where they lie)."""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.panels import PANEL
from edgemoe.targets.kernels.vector_math import register, typed
from edgemoe.weight_format import WeightFormat

HIGH_HALF = -0x10000
"""A bfloat16 in the high half of a word is a float32 once the low half is 0."""


def load_scale(
    words: tirx.Var, start: Expr, column: int, lanes: int, given: WeightFormat
) -> tuple[Expr, Expr | None]:
    """Scales of `lanes` columns from `column` on, and their zero points where the format has some.

    `start` is where the scales of the panel's group begin; both results are float32.
    """
    floats = typed("float32", lanes)

    def word(value: int) -> Expr:
        return tirx.Broadcast(tirx.const(value, "int32"), lanes)

    if not given.group:
        return register(tirx.reinterpret(floats, tiles.load(words, start + column, lanes))), None
    if given.zero_points:
        raw = register(tiles.load(words, start + column, lanes))
        scale = tirx.reinterpret(floats, tirx.bitwise_and(raw, word(HIGH_HALF)))
        zero = tirx.Cast(floats, tirx.shift_right(tirx.shift_left(raw, word(16)), word(16)))
        return register(scale), register(zero)
    raw = tiles.load(words, start + column % (PANEL // 2), lanes)
    if column < PANEL // 2:
        bits = tirx.shift_left(raw, word(16))
    else:
        bits = tirx.bitwise_and(raw, word(HIGH_HALF))
    return register(tirx.reinterpret(floats, bits)), None
