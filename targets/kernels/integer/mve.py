"""Armv8.1-M with the M-profile vector extension (Helium): sixteen products of int8 at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import (
    COLUMNS,
    Array,
    extern,
    local,
    panels_of,
    pointer,
    zeros,
)

LANES = 16
"""Bytes of a vector."""


@dataclass(frozen=True)
class Mve:
    """Weights lie as [panel][vector of inputs][column].

    A vector of 4 (2) bits holds the codes of 32 (64) inputs, neighbours in neighbouring bytes.
    """

    name: str = "mve"
    paired: bool = False
    tallest: int = 2

    def step(self, bits: int) -> int:
        """Inputs of a vector of bytes."""
        return LANES * 8 // bits

    def word(self, bits: int) -> str:
        """Signed bytes, or unsigned ones with an offset."""
        return "int8" if bits == 8 else "uint8"

    def pack(self, codes: Array, bits: int) -> Array:
        """See `Core`."""
        each = 8 // bits
        stored = panels_of(codes, bits, self.step(bits))  # [panel, column, K]
        panels, columns = stored.shape[:2]
        parts = stored.reshape(panels, columns, -1, each, LANES).astype(np.uint32)
        shifts = (np.arange(each, dtype=np.uint32) * bits)[:, None]
        packed = (parts << shifts).sum(3).astype(np.uint8)  # [panel, column, vector, LANES]
        return np.ascontiguousarray(packed.transpose(0, 2, 1, 3)).view(np.int8).reshape(-1)

    def accumulate(
        self, bits: int, x_dtype: str, x: tirx.Var, rows: Sequence[Expr],
        weights: tirx.Var, panel: Expr, first: Expr, last: Expr,
    ) -> tirx.Var:  # fmt: skip
        """See `Core`; the last vector may be part of one."""
        sums = zeros(len(rows) * COLUMNS)
        each, kind = 8 // bits, "s8" if x_dtype == "int8" else "s16"
        block = LANES * each
        starts = [local(row + first) for row in rows]
        begun = local(panel + tirx.truncdiv(first, each) * COLUMNS)
        count = local(last - first)

        def vectors(n: Expr, parts: int, valid: Expr | int) -> None:
            """Some vectors of inputs against one of bytes per column; `valid` in the last."""
            for part in range(parts):
                lanes = valid if part == parts - 1 else LANES
                for column in range(COLUMNS):
                    for row, start in enumerate(starts):
                        at = row * COLUMNS + column
                        value = extern(
                            f"em_mve_{kind}_w{bits}_{part}", sums[at],
                            pointer(x, start + n * block + part * LANES),
                            pointer(weights, begun + (n * COLUMNS + column) * LANES), lanes,
                        )  # fmt: skip
                        T.buffer_store(sums, value, [at])

        whole = local(tirx.truncdiv(count, block))
        tiles.for_unrolled(whole, 2, lambda n: vectors(n, each, LANES))
        left = local(count - whole * block)
        for parts in range(1, each + 1):
            valid = local(left - (parts - 1) * LANES)
            with T.If(tirx.all(valid > 0, valid <= LANES)), T.Then():
                vectors(whole, parts, valid)
        return sums


CORE = Mve()
