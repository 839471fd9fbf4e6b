"""What a small core multiplies with: how weights are packed for it, and the loop over inputs.

A panel is four output columns. Codes of 4 and 2 bits are stored with an offset, so that unpacking
is a mask and a shift; whoever calls subtracts offset times the sum of the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles

Array = NDArray[Any]

COLUMNS = 4
"""Output columns of a panel."""

OFFSET = {8: 0, 4: 8, 2: 1}
"""What is added to codes before they are stored, by their bits."""


class Core(Protocol):
    """One kind of multiplier."""

    @property
    def name(self) -> str:
        """What a target's TOML calls it."""

    @property
    def paired(self) -> bool:
        """Whether inputs are read as words of two int16, else as they lie in memory."""

    @property
    def tallest(self) -> int:
        """Rows of the tallest tile."""

    def step(self, bits: int) -> int:
        """Inputs are padded with zero weights to a multiple of it."""

    def word(self, bits: int) -> str:
        """The dtype that packed weights are read as."""

    def pack(self, codes: Array, bits: int) -> Array:
        """Codes int8 [N, K] as int8 bytes, panel by panel; N and K are padded."""

    def accumulate(
        self, bits: int, x_dtype: str, x: tirx.Var, rows: Sequence[Expr],
        weights: tirx.Var, panel: Expr, first: Expr, last: Expr,
    ) -> tirx.Var:  # fmt: skip
        """Emit the sums over the inputs first <= k < last of some rows.

        `rows` are where the rows begin in x, `panel` where the panel begins in `weights`, both in
        elements. `first` is a multiple of 64, `last` too or the number of inputs. Gives int32
        [rows x COLUMNS].
        """


def padded(count: int, step: int) -> int:
    """Round up to a multiple."""
    return -(-count // step) * step


def panels_of(codes: Array, bits: int, step: int) -> Array:
    """Codes with their offset as uint8 [panels, COLUMNS, K]; what is padded stands for zero."""
    n, k = codes.shape
    stored = np.zeros((padded(n, COLUMNS), padded(k, step)), np.int64)
    stored[:n, :k] = codes
    stored += OFFSET[bits]
    if bits < 8 and (stored.min() < 0 or stored.max() >= 1 << bits):
        raise AssertionError(f"codes outside {bits} bits")
    return stored.astype(np.uint8).reshape(-1, COLUMNS, stored.shape[1])


def panel_bytes(core: Core, depth: int, bits: int) -> int:
    """Bytes of one packed panel."""
    return padded(depth, core.step(bits)) * COLUMNS * bits // 8


def zeros(count: int) -> tirx.Var:
    """An int32 array of zeros."""
    sums = T.alloc_buffer((count,), "int32")
    for n in range(count):
        T.buffer_store(sums, tirx.const(0, "int32"), [n])
    return sums


def extern(name: str, *arguments: Expr) -> Expr:
    """A call of an inline function of `em_core.h`."""
    return T.call_extern("int32", name, *arguments)


def pointer(buffer: tirx.Var, at: Expr) -> Expr:
    """The address of an element."""
    return T.address_of(buffer[at])


def core_of(name: str) -> Core:
    """The core that a target names.

    Raises:
        AssertionError: there is none of this name.
    """
    from edgemoe.targets.kernels.integer import mve, plain, smlad

    cores: tuple[Core, ...] = (plain.CORE, smlad.CORE, mve.CORE)
    for core in cores:
        if core.name == name:
            return core
    raise AssertionError(f"no core '{name}'")


local = tiles.local
