"""`dequantised_product` for cores without vectors: loops over four columns, one word at a time.

The sums, and the order in which they are added up, are those of a vector of one lane. Codes of 3
bits are not read: their words written out take more flash than they save.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer_tile import blocks_of, groups_of, words_of
from edgemoe.targets.kernels.panel_scales import HIGH_HALF
from edgemoe.targets.kernels.panels import PANEL, block_inputs, scale_words
from edgemoe.targets.kernels.vector_math import register
from edgemoe.weight_format import WeightFormat

COLUMNS = 4
"""Columns whose sums are in registers; with `ROWS` of them, and four weights."""

ROWS = 2
"""Rows of the tallest tile: what a weight costs to convert is shared."""


def emit(
    given: WeightFormat, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], depth: Expr,
    panel: Expr,
) -> Expr:  # fmt: skip
    """Emit the products of rows with a panel; the address of float32 [rows, PANEL]."""
    groups = tiles.local(groups_of(depth, given))
    words = tiles.local(words_of(depth, given))
    block = tiles.local(words * PANEL + scale_words(given))
    panel_start = tiles.local(panel * groups * block)
    starts = [tiles.local(row * depth) for row in rows]
    inputs = tiles.local(blocks_of(depth, given) * block_inputs(given))
    values = T.alloc_buffer((len(rows) * PANEL,), "float32")
    with T.serial(0, len(rows) * PANEL) as cell:
        T.buffer_store(values, tirx.const(0.0, "float32"), [cell])
    with T.serial(0, groups) as g:
        start = tiles.local(panel_start + g * block)
        own = [tiles.local(s + g * inputs) for s in starts]
        here = tiles.local(tirx.min(depth - g * inputs, inputs))
        with T.serial(0, PANEL // COLUMNS) as number:
            first = tiles.local(number * COLUMNS)
            facts = [
                _scale(buffers["weights"], start + words * PANEL, first + j, given)
                for j in range(COLUMNS)
            ]
            sums = _group(given, buffers, own, start + first, here, [z for _, z in facts])
            for i in range(len(rows)):
                for j, (scale, _) in enumerate(facts):
                    at = i * PANEL + first + j
                    T.buffer_store(values, values[at] + sums[i * COLUMNS + j] * scale, [at])
    return T.address_of(values[0])


def _scale(words: tirx.Var, start: Expr, column: Expr, given: WeightFormat) -> tuple[Expr, Expr]:
    """Scale and zero point of a column, see `panels`; float32."""
    usual = tirx.const(float(given.zero) if given.bits < 8 else 0.0, "float32")
    if not given.group:
        return register(tirx.reinterpret("float32", words[start + column])), usual
    if given.zero_points:
        raw = register(words[start + column])
        zero = tirx.Cast("float32", tirx.shift_right(tirx.shift_left(raw, _int(16)), _int(16)))
        scale = tirx.reinterpret("float32", tirx.bitwise_and(raw, _int(HIGH_HALF)))
        return register(scale), register(zero)
    half = tiles.local(tirx.truncdiv(column, PANEL // 2))
    raw = words[start + column - half * (PANEL // 2)]
    bits = tirx.bitwise_and(tirx.shift_left(raw, 16 - half * 16), _int(HIGH_HALF))
    return register(tirx.reinterpret("float32", bits)), usual


def _group(
    given: WeightFormat, buffers: Mapping[str, tirx.Var], rows: Sequence[Expr], start: Expr,
    inputs: Expr, zeros: Sequence[Expr],
) -> tirx.Var:  # fmt: skip
    """The sums of a group, float32 [rows, COLUMNS]; inputs beyond its end have no row to read."""
    each = block_inputs(given)
    sums = T.alloc_buffer((len(rows) * COLUMNS,), "float32")
    for cell in range(len(rows) * COLUMNS):
        T.buffer_store(sums, tirx.const(0.0, "float32"), [cell])

    def one(k: Expr, codes: Sequence[Expr]) -> None:
        inside = [register(buffers["a"][row + k]) for row in rows]
        for j, code in enumerate(codes):
            weight = tirx.Cast("float32", code)
            weight = register(weight - zeros[j] if given.bits < 8 or given.zero_points else weight)
            for i, value in enumerate(inside):
                at = i * COLUMNS + j
                T.buffer_store(sums, sums[at] + value * weight, [at])

    def raw(number: Expr) -> list[Expr]:
        at = tiles.local(start + number * PANEL)
        return [register(buffers["weights"][at + j]) for j in range(COLUMNS)]

    whole = tiles.local(tirx.truncdiv(inputs, each))
    with T.serial(0, whole) as number:
        columns = raw(number)
        for place in range(each):
            low = _int(place % 4 * 8 + place // 4 * given.bits)
            one(number * each + place, [_at(given, column, low) for column in columns])
    left = tiles.local(inputs - whole * each)
    with T.serial(0, left) as place:
        low = tiles.local(place % 4 * 8 + tirx.truncdiv(place, 4) * given.bits)
        one(whole * each + place, [_at(given, column, low) for column in raw(whole)])
    return sums


def _at(given: WeightFormat, word: Expr, low: Expr) -> Expr:
    """The code of input 4p + i, at bit `low` = 8i + p * bits of a word; 8 bits are signed."""
    if given.bits == 8:
        return tirx.shift_right(tirx.shift_left(word, _int(24) - low), _int(24))
    return tirx.bitwise_and(tirx.shift_right(word, low), _int((1 << given.bits) - 1))


def _int(value: int) -> Expr:
    return tirx.const(value, "int32")
