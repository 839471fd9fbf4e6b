"""`attention` on a GPU: softmax attention in one kernel, block after block of keys.

A work-group computes some rows, query heads that share keys, for one key head. Of every block of
keys it keeps the largest score and the sum of exponentials, and corrects what it has summed up when
the largest changes (Milakov and Gimelshein, 2018, algorithm 3; FlashAttention, Dao et al., 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels import mask_range
from edgemoe.targets.kernels.attention_kernel import ROWS as CPU_ROWS
from edgemoe.targets.kernels.attention_kernel import STRIDES, Attention
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.mask_range import FIELDS
from edgemoe.targets.kernels.vector_math import register

STANDS_FOR = (Attention,)

ROWS = 4
"""Rows of a work-group."""

HIDDEN = -1.0e38
"""The score of a key that a row does not see: its exponential is 0 beside any other."""

_LOWEST = -3.0e38
_ZERO = tirx.const(0.0, "float32")


@dataclass(frozen=True)
class GpuAttention:
    """`sizes` are the integers of `Attention`: heads, group, queries, keys, widths, strides."""

    spec: Attention
    sizes: tuple[int, ...]
    batch: int
    rows: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (q, k, v, out, ranges?, mask?)."""
        mask = {"none": (), "float": ("float*",)}.get(self.spec.mask, ("int32_t*",))
        return ("float*",) * 4 + ("int32_t*",) * self.spec.ranged + mask

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        heads, group, queries = self.sizes[:3]
        return self.batch * (heads // group) * -(-queries * group // self.rows)

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        pointers = dict.fromkeys(("q", "k", "v", "out"), "float32")
        if self.spec.ranged:
            pointers["ranges"] = "int32"
        if self.spec.mask != "none":
            pointers["mask"] = "float32" if self.spec.mask == "float" else "int32"
        return grid.kernel(
            pointers, self.groups, self.threads, lambda at: _Emitter(self, at).emit()
        )


class _Emitter:
    """Emits one thread: one method per part."""

    def __init__(self, kernel: GpuAttention, at: grid.Grid) -> None:
        self.kernel, self.at, self.spec = kernel, at, kernel.spec
        names = ("heads", "group", "queries", "keys", "size", "value_size", *STRIDES)
        self.number = dict(zip(names, kernel.sizes, strict=True))
        self.rows, self.threads = kernel.rows, kernel.threads
        self.lanes = self.threads // self.rows
        self.each = -(-self.number["value_size"] // self.threads)  # result columns of a thread
        self.thread = at.thread

    def emit(self) -> None:
        number, rows, threads = self.number, self.rows, self.threads
        flat = number["queries"] * number["group"]
        blocks, pairs = -(-flat // rows), number["heads"] // number["group"]
        first_row = register(tirx.truncmod(self.at.group, blocks) * rows)
        rest = register(tirx.truncdiv(self.at.group, blocks))
        self.key_head = register(tirx.truncmod(rest, pairs))
        self.batch = register(tirx.truncdiv(rest, pairs))
        self.first_row, self.flat = first_row, flat
        self.q = grid.shared(rows * number["size"])
        self.scores = grid.shared(rows * threads)
        self.partial = grid.shared(threads)
        self.shrink = grid.shared(rows)
        self.facts = grid.shared(rows * FIELDS, "int32")
        self.result = grid.registers(rows * self.each)
        self.peak, self.total = grid.registers(1), grid.registers(1)
        for i in range(rows * self.each):
            T.buffer_store(self.result, _ZERO, [i])
        T.buffer_store(self.peak, tirx.const(_LOWEST, "float32"), [0])
        T.buffer_store(self.total, _ZERO, [0])
        self._start()
        grid.barrier()
        low, high = self._span()
        self.k_at = register(self.batch * number["k_batch"] + self.key_head * number["k_head"])
        self.v_at = register(self.batch * number["v_batch"] + self.key_head * number["v_head"])
        with T.serial(0, -(-number["keys"] // threads)) as block:
            base = register(block * threads)
            seen = tirx.all(base < high, base + threads > low)
            with grid.when(seen):
                self._scores(base)
            grid.barrier()
            with grid.when(seen):
                self._peaks()
            grid.barrier()
            with grid.when(seen):
                self._weights()
            grid.barrier()
            with grid.when(seen):
                self._values(base)
            grid.barrier()
        self._finish()

    def _row(self, row: Expr | int) -> Expr:
        """Row number of a row of the work-group; the last ones of the last group may be none."""
        return tirx.min(self.first_row + row, self.flat - 1)

    def _place(self, tensor: str, row: Expr) -> Expr:
        """Where a row of a tensor begins."""
        number, given = self.number, self._row(row)
        query = tirx.truncdiv(given, number["group"])
        head = self.key_head * number["group"] + tirx.truncmod(given, number["group"])
        return (
            self.batch * number[f"{tensor}_batch"] + head * number[f"{tensor}_head"]
            + query * number[f"{tensor}_row"]
        )  # fmt: skip

    def _start(self) -> None:
        """The rows of the queries, and what each row sees."""
        size = self.number["size"]

        def query(i: Expr) -> None:
            at = self._place("q", tirx.truncdiv(i, size)) + tirx.truncmod(i, size)
            T.buffer_store(self.q, self.at.buffers["q"][at], [i])

        grid.strided(self.thread, self.rows * size, self.threads, query)

        def fact(i: Expr) -> None:
            if self.spec.ranged:
                at = self._place("r", tirx.truncdiv(i, FIELDS)) + tirx.truncmod(i, FIELDS)
                T.buffer_store(self.facts, self.at.buffers["ranges"][at], [i])
                return
            which = tirx.truncmod(i, FIELDS)
            clean = tirx.Select(tirx.EQ(which, 1), tirx.const(self.number["keys"]),
                                tirx.const(mask_range.CLEAN))  # fmt: skip
            T.buffer_store(self.facts, tirx.Select(tirx.EQ(which, 0), tirx.const(0), clean), [i])

        grid.strided(self.thread, self.rows * FIELDS, self.threads, fact)

    def _span(self) -> tuple[Expr, Expr]:
        """The first key that any row sees, and the one after the last."""
        low, high = self.facts[0], self.facts[1]
        for row in range(1, self.rows):
            low = tirx.min(low, self.facts[row * FIELDS])
            high = tirx.max(high, self.facts[row * FIELDS + 1])
        return register(low), register(high)

    def _scores(self, base: Expr) -> None:
        """The scores of this thread's key with all rows."""
        number, keys = self.number, self.number["keys"]
        key = register(base + self.thread)
        sums = grid.registers(self.rows)
        for row in range(self.rows):
            T.buffer_store(sums, _ZERO, [row])
        with grid.when(key < keys):
            at = register(self.k_at + key * number["k_row"])
            with T.serial(0, number["size"]) as d:
                value = register(self.at.buffers["k"][at + d])
                for row in range(self.rows):
                    more = sums[row] + value * self.q[row * number["size"] + d]
                    T.buffer_store(sums, more, [row])
        for row in range(self.rows):
            first, last, kind = (register(self.facts[row * FIELDS + i]) for i in range(FIELDS))
            score = register(sums[row] * tirx.const(self.spec.scale, "float32"))
            cell = grid.registers(1)
            T.buffer_store(cell, score, [0])
            inside = tirx.all(key >= first, key < last)
            if self.spec.mask != "none":
                with grid.when(tirx.all(tirx.EQ(kind, mask_range.MIXED), key < keys)):
                    self._mask(cell, register(self._place("m", tirx.const(row)) + key))
            # Where a row sees nothing, all keys count the same.
            with grid.when(kind >= mask_range.MEAN):
                T.buffer_store(cell, _ZERO, [0])
            hidden = tirx.const(HIDDEN, "float32")
            T.buffer_store(
                self.scores,
                tirx.Select(inside, cell[0], hidden),
                [row * self.threads + self.thread],
            )

    def _mask(self, cell: tirx.Var, at: Expr) -> None:
        """Add the mask's element to a score, or hide it."""
        given, hidden = self.at.buffers["mask"][at], tirx.const(HIDDEN, "float32")
        if self.spec.mask == "float":
            T.buffer_store(cell, tirx.max(cell[0] + given, hidden), [0])
            return
        hides = given != 0 if self.spec.mask == "hidden" else tirx.EQ(given, 0)
        T.buffer_store(cell, tirx.Select(hides, hidden, cell[0]), [0])

    def _mine(self) -> tuple[Expr, Expr]:
        """The row that this thread works on between scores and values, and its place in it."""
        return tirx.truncdiv(self.thread, self.lanes), tirx.truncmod(self.thread, self.lanes)

    def _peaks(self) -> None:
        """The largest of this thread's share of the scores of its row."""
        row, lane = self._mine()
        best = grid.registers(1)
        T.buffer_store(best, tirx.const(_LOWEST, "float32"), [0])
        for i in range(self.rows):
            score = self.scores[row * self.threads + i * self.lanes + lane]
            T.buffer_store(best, tirx.max(best[0], score), [0])
        T.buffer_store(self.partial, best[0], [self.thread])

    def _weights(self) -> None:
        """Exponentials in the place of scores, and by what older sums shrink."""
        row, lane = self._mine()
        peak = grid.registers(1)
        T.buffer_store(peak, self.peak[0], [0])
        with T.serial(0, self.lanes) as i:
            other = self.partial[row * self.lanes + i]
            T.buffer_store(peak, tirx.max(peak[0], other), [0])
        shrink = register(tirx.exp(self.peak[0] - peak[0]))
        T.buffer_store(self.total, self.total[0] * shrink, [0])
        for i in range(self.rows):
            at = register(row * self.threads + i * self.lanes + lane)
            weight = register(tirx.exp(self.scores[at] - peak[0]))
            T.buffer_store(self.scores, weight, [at])
            T.buffer_store(self.total, self.total[0] + weight, [0])
        T.buffer_store(self.peak, peak[0], [0])
        with grid.when(tirx.EQ(lane, 0)):
            T.buffer_store(self.shrink, shrink, [row])

    def _values(self, base: Expr) -> None:
        """Add the block's weighted values to the columns of this thread."""
        number = self.number
        count = register(tirx.min(number["keys"] - base, self.threads))
        for part in range(self.each):
            column = register(self.thread + part * self.threads)
            with grid.when(column < number["value_size"]):
                sums = grid.registers(self.rows)
                for row in range(self.rows):
                    old = self.result[part * self.rows + row]
                    T.buffer_store(sums, old * self.shrink[row], [row])
                with T.serial(0, count) as j:
                    at = self.v_at + (base + j) * number["v_row"] + column
                    value = register(self.at.buffers["v"][at])
                    for row in range(self.rows):
                        more = sums[row] + value * self.scores[row * self.threads + j]
                        T.buffer_store(sums, more, [row])
                for row in range(self.rows):
                    T.buffer_store(self.result, sums[row], [part * self.rows + row])

    def _finish(self) -> None:
        """Divide by the sums of the weights and write the rows."""
        number = self.number
        T.buffer_store(self.partial, self.total[0], [self.thread])
        grid.barrier()
        for row in range(self.rows):
            total = grid.registers(1)
            T.buffer_store(total, _ZERO, [0])
            with T.serial(0, self.lanes) as i:
                T.buffer_store(total, total[0] + self.partial[row * self.lanes + i], [0])
            zero = tirx.EQ(self.facts[row * FIELDS + 2], mask_range.ZERO)
            factor = register(tirx.Select(zero, _ZERO, tirx.const(1.0, "float32") / total[0]))
            out = register(self._place("o", tirx.const(row)))
            for part in range(self.each):
                column = register(self.thread + part * self.threads)
                inside = column < number["value_size"]
                with grid.when(tirx.all(inside, self.first_row + row < self.flat)):
                    value = self.result[part * self.rows + row] * factor
                    T.buffer_store(self.at.buffers["out"], value, [out + column])


def stand_in(call: Call) -> GpuAttention:
    """As many rows in a work-group as share a key head, four at most."""
    heads, group, queries = call.integers[:3]
    flat, rows = queries * group, ROWS
    while rows // 2 >= flat:
        rows //= 2
    # Tasks of the CPU kernel are blocks of rows, of all key heads, of all of the batch.
    batch = call.tasks // (heads // group * -(-flat // CPU_ROWS))
    return GpuAttention(call.spec, call.integers, batch, rows, call.device.threads)
