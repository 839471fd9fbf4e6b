"""Cores without an instruction for several products: one multiplication at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels.integer.cores import COLUMNS, Array, local, panels_of, zeros


@dataclass(frozen=True)
class Plain:
    """Weights lie as [panel][input][column]; a byte may hold two or four columns."""

    name: str = "plain"
    paired: bool = False
    tallest: int = 2

    def step(self, bits: int) -> int:
        """No padding."""
        del bits
        return 1

    def word(self, bits: int) -> str:
        """Signed bytes, or unsigned ones with an offset."""
        return "int8" if bits == 8 else "uint8"

    def pack(self, codes: Array, bits: int) -> Array:
        """See `Core`."""
        stored = panels_of(codes, bits, self.step(bits)).transpose(0, 2, 1)  # [panel, K, column]
        each = 8 // bits
        parts = stored.reshape(*stored.shape[:2], COLUMNS // each, each).astype(np.uint32)
        shifts = np.arange(each, dtype=np.uint32) * bits
        packed: Array = (parts << shifts).sum(-1).astype(np.uint8)
        return packed.view(np.int8).reshape(-1)

    def accumulate(
        self, bits: int, x_dtype: str, x: tirx.Var, rows: Sequence[Expr],
        weights: tirx.Var, panel: Expr, first: Expr, last: Expr,
    ) -> tirx.Var:  # fmt: skip
        """See `Core`."""
        del x_dtype
        sums = zeros(len(rows) * COLUMNS)
        each, each_bytes = 8 // bits, COLUMNS * bits // 8
        with T.serial(0, last - first) as n:
            k = local(first + n)
            start = local(panel + k * each_bytes)
            values = [local(tirx.Cast("int32", x[row + k])) for row in rows]
            for byte in range(each_bytes):
                stored = local(tirx.Cast("int32", weights[start + byte]))
                for part in range(each):
                    code = stored
                    if bits < 8:
                        code = local((stored >> (part * bits)) & ((1 << bits) - 1))
                    for row, value in enumerate(values):
                        at = row * COLUMNS + byte * each + part
                        T.buffer_store(sums, sums[at] + value * code, [at])
        return sums


CORE = Plain()
