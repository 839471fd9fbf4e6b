"""Read quantised weights as files store them: packed bits, blocks with their own scale.

A weight of b bits counts from the low end of each byte; dequantised = (code - zero point) * scale.
"""

from __future__ import annotations

import numpy as np


def unpack(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Turn bytes uint8 [..., n] into codes [..., count], low bits first."""
    if bits == 8:
        return packed[..., :count]
    per_byte = 8 // bits
    shifts = (np.arange(per_byte) * bits).astype(np.uint8)
    codes = (packed[..., None] >> shifts) & np.uint8((1 << bits) - 1)
    return codes.reshape(*packed.shape[:-1], -1)[..., :count]


def dequantise_linear(
    codes: np.ndarray, scale: np.ndarray, zero: np.ndarray | None, axis: int, block: int
) -> np.ndarray:
    """Compute the ONNX operator DequantizeLinear: per tensor, per axis or per block of an axis."""
    wide = codes.astype(np.float32)
    axis = axis % codes.ndim if codes.ndim else 0

    def spread(parameter: np.ndarray) -> np.ndarray:
        if block:
            rows = np.repeat(parameter, block, axis=axis)
            return np.take(rows, np.arange(codes.shape[axis]), axis=axis)
        if parameter.size == 1:
            return parameter.reshape(())
        shape = [1] * codes.ndim
        shape[axis] = -1
        return parameter.reshape(shape)

    if zero is not None:
        wide = wide - spread(zero).astype(np.float32)
    return (wide * spread(scale).astype(np.float32)).astype(scale.dtype)


def dequantise_blocks(
    packed: np.ndarray,
    scale: np.ndarray,
    zero: np.ndarray | None,
    bits: int,
    block: int,
    count: int,
) -> np.ndarray:
    """Turn rows of packed codes into float rows [..., count].

    Args:
        packed: uint8 [..., bytes]: a row is one bit stream, blocks follow each other.
        scale: [..., blocks].
        zero: packed uint8 [..., bytes], or [..., blocks] of the scale's type, or None for 2^(b-1).
        bits: 2, 4 or 8.
        block: elements that share a scale.
        count: elements of a row.
    """
    codes = unpack(packed, bits, count).astype(np.float32)
    blocks = scale.shape[-1]
    if zero is None:
        middle = np.full(scale.shape, float(1 << (bits - 1)), np.float32)
    elif zero.dtype == np.uint8:
        middle = unpack(zero, bits, blocks).astype(np.float32)
    else:
        middle = zero.astype(np.float32)
    each = np.repeat(np.arange(blocks), block)[:count]
    return ((codes - middle[..., each]) * scale.astype(np.float32)[..., each]).astype(np.float32)
