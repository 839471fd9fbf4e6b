"""Products of queries with a block of keys, one key per thread: the first part of attention.

Keys come to local memory by chunks, neighbouring threads reading neighbouring words: a thread that
read a key of its own would share no line with the next. Barriers stand where all threads of a
work-group come by.
"""

from __future__ import annotations

from collections.abc import Mapping

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels.gpu import cache_words, grid
from edgemoe.targets.kernels.vector_math import register

CHUNK = 8
"""Words of every key of a block that lie in local memory at a time: a sector of 32 bytes."""

PITCH = CHUNK + 1
"""Words from a key to the next there: keys that are read at once have banks of their own."""

_ZERO = tirx.const(0.0, "float32")


class KeyProducts:
    """Emits the products of `rows` queries with the keys of a block, one per thread.

    Args:
        number: sizes and strides of the attention by name.
        stored: the dtype in which keys lie in memory.
        rows: queries of the work-group.
        threads: threads of it, and keys of a block.
        thread: the thread.
    """

    def __init__(
        self, number: Mapping[str, int], stored: str, rows: int, threads: int, thread: Expr
    ) -> None:
        self.number, self.stored, self.rows = number, stored, rows
        self.threads, self.thread = threads, thread
        together = cache_words.IN_WORD[stored]
        strides = [number["size"], *(number[f"k_{axis}"] for axis in ("batch", "head", "row"))]
        whole = all(n % together == 0 for n in strides)
        self.words = number["size"] // together if whole else 0  # of a key; 0: not whole ones
        self.together = together

    @property
    def room_beside_scores(self) -> int:
        """Words of local memory that keys take where their scores lie afterwards."""
        return self.threads * PITCH if self.words and self.stored == "float32" else 0

    def bind(self, k: tirx.Var, k_at: Expr, q: tirx.Var, sums: tirx.Var, scores: tirx.Var) -> None:
        """Say where keys begin, what they meet, which registers have the sums, and where to read.

        Words of narrow caches have memory of their own: they are no bits of float32.
        """
        self.k, self.k_at, self.q, self.sums = k, k_at, q, sums
        self.held = scores
        if self.words and self.stored != "float32":
            self.held = grid.shared(self.threads * PITCH, "uint32")

    def emit(self, base: Expr, seen: Expr) -> None:
        """Emit the sums of the keys from `base` on, which are zeros where nothing is `seen`."""
        for row in range(self.rows):
            T.buffer_store(self.sums, _ZERO, [row])
        if not self.words:
            with grid.when(tirx.all(seen, base + self.thread < self.number["keys"])):
                self._dot(register(self.k_at + (base + self.thread) * self.number["k_row"]))
            return
        with T.serial(0, -(-self.words // CHUNK)) as chunk:
            with grid.when(seen):
                self._fetch(base, chunk * CHUNK)
            grid.barrier()
            with grid.when(seen):
                self._multiply(chunk * CHUNK)
            grid.barrier()

    def _fetch(self, base: Expr, first: Expr) -> None:
        """Words `first`.. of the block's keys, as they are in memory."""
        row = self.number["k_row"] // self.together
        start = register(tirx.truncdiv(self.k_at, self.together) + first)

        def copy(i: Expr) -> None:
            key = register(base + tirx.truncdiv(i, CHUNK))
            word = register(tirx.truncmod(i, CHUNK))
            inside = key < self.number["keys"]
            if self.words % CHUNK:
                inside = tirx.all(inside, first + word < self.words)
            with grid.when(inside):
                to = (key - base) * PITCH + word
                T.buffer_store(self.held, self.k[start + key * row + word], [to])

        grid.strided(self.thread, self.threads * CHUNK, self.threads, copy)

    def _multiply(self, first: Expr) -> None:
        """Add the products of the words in local memory with all rows."""

        def add(i: Expr) -> None:
            word = register(self.held[self.thread * PITCH + i])
            for n, value in enumerate(cache_words.elements(word, self.stored)):
                self._add(value, (first + i) * self.together + n)

        with T.serial(0, CHUNK) as i:
            if self.words % CHUNK:
                with grid.when(first + i < self.words):
                    add(i)
            else:
                add(i)

    def _add(self, value: Expr, d: Expr) -> None:
        value = register(value)
        for row in range(self.rows):
            more = self.sums[row] + value * self.q[row * self.number["size"] + d]
            T.buffer_store(self.sums, more, [row])

    def _dot(self, at: Expr) -> None:
        """Add the products of the key at element `at`, which may lie inside of a word."""
        with T.serial(0, self.number["size"]) as d:
            self._add(cache_words.load(self.k, at + d, self.stored), d)
