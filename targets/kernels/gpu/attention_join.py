"""Joins what work-groups found that shared the keys of an attention.

Per row, each left its sum of weighted values, its largest score and its sum of weights:

    out = (sum_s exp(peak_s - peak) values_s) / (sum_s exp(peak_s - peak) total_s)

with peak = max_s peak_s (Flash-Decoding, Dao et al., 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels import mask_range
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.mask_range import FIELDS
from edgemoe.targets.kernels.vector_math import register

MORE = 2
"""Numbers that follow the values of a row: its largest score and the sum of its weights."""

_ZERO = tirx.const(0.0, "float32")


@dataclass(frozen=True)
class AttentionJoin:
    """One thread per element of the result.

    `flat` rows of each of `pairs` key heads lie in blocks of `rows`; row r is query r // group of
    head r % group. `out` and `ranges` are element strides of batch, head and query.
    """

    splits: int
    batch: int
    pairs: int
    group: int
    flat: int
    rows: int
    value_size: int
    out: tuple[int, ...]
    ranges: tuple[int, ...] | None
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (parts, out, ranges?)."""
        return ("float*", "float*", *(() if self.ranges is None else ("int32_t*",)))

    @property
    def _elements(self) -> int:
        return self.batch * self.pairs * self.flat * self.value_size

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return -(-self._elements // self.threads)

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        names = {"parts": "float32", "out": "float32"}
        if self.ranges is not None:
            names["ranges"] = "int32"
        return grid.kernel(names, self.groups, self.threads, self._emit)

    def _emit(self, at: grid.Grid) -> None:
        number = register(at.group * self.threads + at.thread)
        with grid.when(number < self._elements):
            column = register(tirx.truncmod(number, self.value_size))
            rest = register(tirx.truncdiv(number, self.value_size))
            row = register(tirx.truncmod(rest, self.flat))
            pair = register(tirx.truncdiv(rest, self.flat))
            batch = register(tirx.truncdiv(pair, self.pairs))
            query = register(tirx.truncdiv(row, self.group))
            head = register(
                tirx.truncmod(pair, self.pairs) * self.group + tirx.truncmod(row, self.group)
            )
            place = (batch, head, query)
            blocks, width = -(-self.flat // self.rows), self.value_size + MORE
            block = pair * blocks + tirx.truncdiv(row, self.rows)
            inside = tirx.truncmod(row, self.rows)
            first = register((block * self.splits * self.rows + inside) * width)
            value = self._joined(at.buffers["parts"], first, self.rows * width, column)
            if self.ranges is not None:
                kind = at.buffers["ranges"][_at(place, self.ranges) + (FIELDS - 1)]
                value = tirx.Select(tirx.EQ(kind, mask_range.ZERO), _ZERO, value)
            T.buffer_store(at.buffers["out"], value, [_at(place, self.out) + column])

    def _joined(self, parts: tirx.Var, first: Expr, step: int, column: Expr) -> Expr:
        peak, total, value = (grid.registers(1) for _ in range(3))
        T.buffer_store(peak, parts[first + self.value_size], [0])
        T.buffer_store(total, _ZERO, [0])
        T.buffer_store(value, _ZERO, [0])
        with T.serial(1, self.splits) as split:
            other = parts[first + split * step + self.value_size]
            T.buffer_store(peak, tirx.max(peak[0], other), [0])
        with T.serial(0, self.splits) as split:
            start = register(first + split * step)
            factor = register(tirx.exp(parts[start + self.value_size] - peak[0]))
            more = parts[start + (self.value_size + 1)] * factor
            T.buffer_store(total, total[0] + more, [0])
            T.buffer_store(value, value[0] + parts[start + column] * factor, [0])
        return register(value[0] / total[0])


def _at(place: tuple[Expr, ...], strides: tuple[int, ...]) -> Expr:
    found: Expr = tirx.const(0, "int32")
    for number, stride in zip(place, strides, strict=True):
        found = found + number * stride
    return found
