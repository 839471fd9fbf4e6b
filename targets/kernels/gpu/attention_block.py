"""What one thread of the attention kernel does, one method per part: see `attention`.

Barriers stand where all threads of a work-group come by, whatever mask and position are.
"""

from __future__ import annotations

from typing import Protocol

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import mask_range
from edgemoe.targets.kernels.attention_kernel import STRIDES, Attention
from edgemoe.targets.kernels.gpu import cache_words, grid
from edgemoe.targets.kernels.gpu.attention_join import MORE
from edgemoe.targets.kernels.gpu.attention_keys import KeyProducts
from edgemoe.targets.kernels.mask_range import FIELDS
from edgemoe.targets.kernels.vector_math import register

HIDDEN = -1.0e38
"""The score of a key that a row does not see: its exponential is 0 beside any other."""

_LOWEST = -3.0e38
_ZERO = tirx.const(0.0, "float32")


class AttentionKernel(Protocol):
    """What is to be computed, see `attention.GpuAttention`."""

    @property
    def spec(self) -> Attention:
        """The attention."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Heads, group, queries, keys, widths, strides."""

    @property
    def rows(self) -> int:
        """Rows of a work-group."""

    @property
    def threads(self) -> int:
        """Threads of a work-group."""

    @property
    def splits(self) -> int:
        """Work-groups that share the keys of the same rows."""


class BlockEmitter:
    """Emits one thread: one method per part."""

    def __init__(self, kernel: AttentionKernel, at: grid.Grid) -> None:
        self.kernel, self.at, self.spec = kernel, at, kernel.spec
        names = ("heads", "group", "queries", "keys", "size", "value_size", *STRIDES)
        self.number = dict(zip(names, kernel.sizes, strict=True))
        self.rows, self.threads = kernel.rows, kernel.threads
        self.lanes = self.threads // self.rows
        self.each = -(-self.number["value_size"] // self.threads)  # result columns of a thread
        self.thread = at.thread

    def emit(self) -> None:
        """Emit the thread."""
        number, rows, threads = self.number, self.rows, self.threads
        flat = number["queries"] * number["group"]
        blocks, pairs = -(-flat // rows), number["heads"] // number["group"]
        splits = self.kernel.splits
        self.block = self.at.group
        if splits > 1:
            self.block = register(tirx.truncdiv(self.at.group, splits))
        first_row = register(tirx.truncmod(self.block, blocks) * rows)
        rest = register(tirx.truncdiv(self.block, blocks))
        self.key_head = register(tirx.truncmod(rest, pairs))
        self.batch = register(tirx.truncdiv(rest, pairs))
        self.first_row, self.flat = first_row, flat
        self.q = grid.shared(rows * number["size"])
        keys = KeyProducts(number, self.spec.k, rows, threads, self.thread)
        self.scores = grid.shared(max(rows * threads, keys.room_beside_scores))
        self.sums = grid.registers(rows)
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
        keys.bind(self.at.buffers["k"], self.k_at, self.q, self.sums, self.scores)
        self.v_at = register(self.batch * number["v_batch"] + self.key_head * number["v_head"])
        every = -(-number["keys"] // threads)
        begin, count = tirx.const(0, "int32"), tirx.const(every, "int32")
        if splits > 1:
            # Blocks that some row sees, shared out evenly: the loop has as many turns as any
            # work-group may need, so that all threads reach all barriers whatever the mask.
            begin = tirx.truncdiv(low, threads)
            total = tirx.truncdiv(high + (threads - 1), threads) - begin
            count = register(tirx.truncdiv(total + (splits - 1), splits))
            begin = register(begin + tirx.truncmod(self.at.group, splits) * count)
        with T.serial(0, -(-every // splits)) as turn:
            base = register((begin + turn) * threads)
            seen = tirx.all(turn < count, base < high, base + threads > low)
            keys.emit(base, seen)
            with grid.when(seen):
                self._scores(base)
            grid.barrier()
            with grid.when(seen):
                self._peaks()
            grid.barrier()
            with grid.when(seen):
                self._weights(base)
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
        number, keys, sums = self.number, self.number["keys"], self.sums
        key = register(base + self.thread)
        if self.spec.k == "int8":
            with grid.when(key < keys):
                at = self.k_at + key * number["k_row"]
                scale = register(self.at.buffers["k_scales"][tirx.truncdiv(at, number["size"])])
                for row in range(self.rows):
                    T.buffer_store(sums, sums[row] * scale, [row])
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

    def _weights(self, base: Expr) -> None:
        """Exponentials in the place of scores, and by what older sums shrink.

        The scales of values of int8 are multiplied here: once per key and row.
        """
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
            T.buffer_store(self.total, self.total[0] + weight, [0])
            if self.spec.v == "int8":
                number = self.number
                key = tirx.min(base + (i * self.lanes + lane), number["keys"] - 1)
                place = tirx.truncdiv(self.v_at + key * number["v_row"], number["value_size"])
                weight = register(weight * self.at.buffers["v_scales"][place])
            T.buffer_store(self.scores, weight, [at])
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
                    value = register(cache_words.load(self.at.buffers["v"], at, self.spec.v))
                    for row in range(self.rows):
                        more = sums[row] + value * self.scores[row * self.threads + j]
                        T.buffer_store(sums, more, [row])
                for row in range(self.rows):
                    T.buffer_store(self.result, sums[row], [part * self.rows + row])

    def _finish(self) -> None:
        """Divide by the sums of the weights and write the rows, or write this share of them."""
        number = self.number
        if self.kernel.splits > 1:
            self._hand_over()
            return
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

    def _hand_over(self) -> None:
        """Write the sums of the rows, their largest scores and the sums of their weights."""
        size, out = self.number["value_size"], self.at.buffers["out"]
        row, lane = self._mine()
        T.buffer_store(self.partial, self.total[0], [self.thread])
        grid.barrier()
        width, first = size + MORE, register(self.at.group * (self.rows * (size + MORE)))
        with grid.when(tirx.EQ(lane, 0)):
            total = grid.registers(1)
            T.buffer_store(total, _ZERO, [0])
            with T.serial(0, self.lanes) as i:
                T.buffer_store(total, total[0] + self.partial[row * self.lanes + i], [0])
            T.buffer_store(out, self.peak[0], [first + row * width + size])
            T.buffer_store(out, total[0], [first + row * width + (size + 1)])
        for i in range(self.rows):
            for part in range(self.each):
                column = register(self.thread + part * self.threads)
                with grid.when(column < size):
                    value = self.result[part * self.rows + i]
                    T.buffer_store(out, value, [first + i * width + column])
