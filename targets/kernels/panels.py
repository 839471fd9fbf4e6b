"""Packing: weights as the products read them, one contiguous stream per panel of columns.

Floats lie as [panel][half][k][LINE]: a tile that takes half a panel reads one stream. Where rows
are bfloat16, too, weights lie as words [panel][half][k / 2][LINE] of two inputs, the first in the
low half; inputs are filled up to a multiple of four, as `bfmmla` takes them. Integer codes lie as
32-bit words of one column, one word per column and block of inputs, so that a vector of words is a
vector of columns:

    8 bits: word = codes of k, k+1, k+2, k+3, lowest byte first, each minus 128 (signed)
    4 bits: word = 8 inputs; the low nibbles of its bytes are k..k+3, the high ones k+4..k+7
    2 bits: word = 16 inputs, four per pair of bits, likewise
    3 bits: three words = 32 inputs, see `three_bits`

A panel is one group after another: its words [words of the group][PANEL], then its scales. Without
groups there is one group, of the whole depth, and its scales are float32 [PANEL]. With groups a
scale is bfloat16: word i holds those of columns i (low half) and i + PANEL/2 (high half); with zero
points, word i holds the scale of column i in its high half and the zero point in its low half
(int16; of 8-bit codes likewise minus 128).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.bfloat16 import to_bfloat16
from edgemoe.quantise import Codes, Rounder, quantise
from edgemoe.targets.kernels import three_bits
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

PANEL = 32
"""Output columns per weight panel, over all ports."""

LINE = 16
"""Columns of float weights that lie together: a cache line of float32."""


def block_words(given: WeightFormat) -> int:
    """32-bit words of one column that are read at a time: three with codes of 3 bits, or one."""
    return 3 if given.bits == 3 else 1


def block_inputs(given: WeightFormat) -> int:
    """Inputs whose codes are in those words."""
    return 32 * block_words(given) // given.bits


def group_count(depth: int, given: WeightFormat) -> int:
    """Scales of one column."""
    return -(-depth // given.group) if given.group else 1


def group_blocks(depth: int, given: WeightFormat) -> int:
    """Blocks of words of one column in one group."""
    return -(-(given.group or depth) // block_inputs(given))


def group_words(depth: int, given: WeightFormat) -> int:
    """32-bit words of the codes of one column in one group."""
    return group_blocks(depth, given) * block_words(given)


def group_inputs(depth: int, given: WeightFormat) -> int:
    """Inputs of one group, with what fills its last word."""
    return group_blocks(depth, given) * block_inputs(given)


def scale_words(given: WeightFormat) -> int:
    """32-bit words of the scales of one group of a panel."""
    return PANEL // 2 if given.group and not given.zero_points else PANEL


def input_pairs(depth: int) -> int:
    """Pairs of inputs of one column, where both factors are bfloat16: an even number."""
    return -(-depth // 4) * 2


def panel_bytes(depth: int, given: WeightFormat) -> int:
    """Bytes of one panel."""
    if given.pairs_inputs:
        return input_pairs(depth) * PANEL * 4
    if not given.is_integer:
        return depth * PANEL * given.bits // 8
    words = group_words(depth, given) * PANEL + scale_words(given)
    return 4 * words * group_count(depth, given)


def pack(weights: Array, given: WeightFormat, rounder: Rounder = quantise) -> Array:
    """Weights [columns, depth] -> panels, padded with zeros; uint8 [panels, panel bytes]."""
    return pack_ports([weights], given, [rounder])


def pack_ports(
    ports: Sequence[Array], given: WeightFormat, rounders: Sequence[Rounder] = ()
) -> Array:
    """Matrices [columns, depth] of equal shapes -> panels with equal shares of columns of each.

    Panel p holds columns p*w to (p+1)*w of every port, w = PANEL / ports, one port after another.
    Integer codes come from `rounders`, one per port, which see the port as float32 without any
    padding; without rounders, from `quantise`.
    """
    columns, depth = ports[0].shape
    each = PANEL // len(ports)
    panels = -(-columns // each)
    floats = [np.ascontiguousarray(port, np.float32) for port in ports]
    if given.is_integer:
        chosen = rounders or [quantise] * len(ports)
        nothing = quantise(np.zeros((panels * each - columns, depth), np.float32), given)
        coded = [
            round_rows(port, given) for port, round_rows in zip(floats, chosen, strict=True)
        ]  # fmt: skip

        def joined(part: str) -> Array:
            return _side_by_side(
                [np.concatenate([getattr(c, part), getattr(nothing, part)]) for c in coded], each
            )

        return pack_codes(Codes(joined("codes"), joined("scales"), joined("zeros")), depth, given)
    padded = [np.pad(port, ((0, panels * each - columns), (0, 0))) for port in floats]
    return pack_lines(_side_by_side(padded, each), given).reshape(panels, -1)


def _side_by_side(ports: Sequence[Array], each: int) -> Array:
    """Rows of the ports [n * each, ...], `each` of every port in turn."""
    blocks = [port.reshape(-1, 1, each, port.shape[-1]) for port in ports]
    return np.concatenate(blocks, 1).reshape(-1, ports[0].shape[-1])


def pack_lines(weights: Array, given: WeightFormat) -> Array:
    """Float weights of a multiple of LINE columns, [columns, depth] -> uint8 [.., k, LINE]."""
    columns, depth = weights.shape
    if given.pairs_inputs:
        filled = np.pad(weights, ((0, 0), (0, 2 * input_pairs(depth) - depth)))
        pairs = to_bfloat16(filled).reshape(columns // LINE, LINE, -1, 2).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(pairs).reshape(columns // LINE, -1).view(np.uint8)
    lines = weights.reshape(columns // LINE, LINE, depth).transpose(0, 2, 1)
    floats = np.ascontiguousarray(lines, np.float32)
    if given.kind == "bfloat16":
        floats = to_bfloat16(floats)
    elif given.kind == "float16":
        floats = floats.astype(np.float16)
    return floats.reshape(columns // LINE, -1).view(np.uint8)


def pack_codes(coded: Codes, depth: int, given: WeightFormat) -> Array:
    """Codes of a multiple of PANEL columns -> uint8 [panels, panel bytes]."""
    panels = len(coded.codes) // PANEL
    words = join_codes(coded, depth, given)
    groups = words.shape[1]
    by_word = words.reshape(panels, PANEL, groups, -1).transpose(0, 2, 3, 1)
    stream = by_word.reshape(panels, groups, -1)
    scales = coded.scales.reshape(panels, PANEL, groups).transpose(0, 2, 1)
    zeros = coded.zeros.reshape(panels, PANEL, groups).transpose(0, 2, 1)
    whole = np.concatenate([stream, _scale_words(scales, zeros, given)], -1)
    return np.ascontiguousarray(whole).view(np.uint8).reshape(panels, -1)


def join_codes(coded: Codes, depth: int, given: WeightFormat) -> Array:
    """Codes -> words uint32 [columns, groups, words of a group], padded with the code of 0."""
    columns = len(coded.codes)
    groups, blocks = group_count(depth, given), group_blocks(depth, given)
    padded = np.empty((columns, groups, group_inputs(depth, given)), np.uint8)
    padded[...] = coded.zeros.reshape(columns, groups, 1)
    codes = coded.codes.reshape(columns, groups, -1)
    padded[..., : codes.shape[-1]] = codes
    joined = _joined(padded.reshape(columns, groups, blocks, -1, 4), given)
    return np.ascontiguousarray(joined).view(np.uint32).reshape(columns, groups, -1)


def _joined(parts: Array, given: WeightFormat) -> Array:
    """Codes [..., inputs of a block / 4, 4] -> the bytes of its words, [..., words, 4]."""
    if given.bits == 3:
        return three_bits.join(parts)
    shifts = given.bits * np.arange(8 // given.bits, dtype=np.uint8)
    joined = np.bitwise_or.reduce(parts << shifts[:, None], axis=-2, keepdims=True)
    return joined ^ np.uint8(0x80) if given.bits == 8 else joined


def _scale_words(scales: Array, zeros: Array, given: WeightFormat) -> Array:
    if not given.group:
        return np.ascontiguousarray(scales, np.float32).view(np.uint32)
    bits = to_bfloat16(scales).astype(np.uint32)
    if given.zero_points:
        moved = zeros.astype(np.int16) - (128 if given.bits == 8 else 0)
        return bits << 16 | moved.view(np.uint16)
    return bits[..., : PANEL // 2] | bits[..., PANEL // 2 :] << 16
