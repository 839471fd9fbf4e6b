"""The format of `weights.bin`, for those who write or check it from Python.

The C side is `runtime/c/weights.c`: the same header, the same checksum.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgemoe.runtime.errors import ArtifactError

MAGIC = b"EDGEMOEW"
VERSION = 1
ALIGNMENT = 64
HEADER = struct.Struct("<8sII16sQQ16x")

_PLACE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_CHUNK_WORDS = 1 << 18


class Checksum:
    """The 64-bit checksum of a stream of little-endian words.

    The sum over all words w_i, i from 1, of a bijective mix of w_i + i * PLACE: one changed word
    always changes the sum, and so does an exchange of two different words.
    """

    def __init__(self) -> None:
        self.value = 0
        self._words = 0

    def update(self, data: bytes | memoryview) -> None:
        """Add whole words: the length must be a multiple of 8."""
        words = np.frombuffer(data, dtype="<u8")
        for start in range(0, len(words), _CHUNK_WORDS):
            part = words[start : start + _CHUNK_WORDS]
            first = self._words + 1
            numbers = np.arange(first, first + len(part), dtype=np.uint64)
            mixed = part + numbers * _PLACE
            mixed = (mixed ^ (mixed >> np.uint64(32))) * _MIX
            mixed ^= mixed >> np.uint64(29)
            self.value = (self.value + int(mixed.sum(dtype=np.uint64))) & 0xFFFFFFFFFFFFFFFF
            self._words += len(part)


@dataclass(frozen=True)
class WeightHeader:
    """The first 64 bytes of `weights.bin`."""

    version: int
    build_id: bytes
    payload_bytes: int
    checksum: int


def read_header(path: Path) -> WeightHeader:
    """Read and check the header; raises ArtifactError when it is none."""
    try:
        with path.open("rb") as file:
            data = file.read(HEADER.size)
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error
    if len(data) < HEADER.size or data[:8] != MAGIC:
        raise ArtifactError(f"{path} is not a weight file of edgemoe; compile the model again")
    _, version, _, build_id, payload_bytes, checksum = HEADER.unpack(data)
    return WeightHeader(version, build_id, payload_bytes, checksum)
