"""The places of the best k of some elements that the threads of a work-group share.

An element's place is the number of better ones: nothing waits from one choice to the next. Where a
thread has several elements, the threads compare their best ones first. All k lie with the k threads
whose best elements are best: what another thread has is worse than its own best, which is worse
than those k. So only their elements are compared with each other.

Elements are compared by their keys (`kernels/selection`), then by their numbers: the order of CPUs.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.vector_math import register

MOST_THREADS = 64
"""Threads that pay: a work-group of one or two warps, in which barriers cost little."""

_ZERO, _ONE = tirx.const(0, "int32"), tirx.const(1, "int32")


@dataclass(frozen=True)
class Places:
    """The best `chosen` of `count` elements; number n is turn n // threads of thread n % threads.

    A thread without an element in the last turn has a key there that is below all others.
    """

    count: int
    chosen: int
    threads: int

    @property
    def turns(self) -> int:
        """Elements of a thread."""
        return -(-self.count // self.threads)

    @property
    def heads(self) -> int:
        """Threads that have an element."""
        return min(self.threads, self.count)

    @property
    def finalists(self) -> int:
        """Elements of the threads whose best ones are best."""
        return min(self.chosen, self.heads) * self.turns

    @property
    def words(self) -> int:
        """Words of local memory, without those that `emit` is given."""
        return self.heads + 2 * self.finalists if self.turns > 1 else 0

    def emit(self, at: grid.Grid, keys: tirx.Var, shared: tirx.Var) -> tirx.Var:
        """Places [turns] of a thread's elements, `chosen` or more for those that are not chosen.

        `keys` [turns] are the thread's, `shared` at least `heads` words that nobody reads any more.
        """
        places = grid.registers(self.turns, "int32")
        if self.turns == 1:
            with grid.when(at.thread < self.heads):
                T.buffer_store(shared, keys[0], [at.thread])
            grid.barrier()
            T.buffer_store(places, _ZERO, [0])
            with T.serial(0, self.heads) as other:
                self._count(places, keys, at, 0, register(shared[other]), other)
            return places
        place = self._place_of_head(at, keys, shared)
        final_keys = grid.shared(self.finalists, "int32")
        final_numbers = grid.shared(self.finalists, "int32")
        is_final = place < min(self.chosen, self.heads)
        with grid.when(is_final):
            for turn in range(self.turns):
                to = register(place * self.turns + turn)
                T.buffer_store(final_keys, keys[turn], [to])
                T.buffer_store(final_numbers, at.thread + turn * self.threads, [to])
        grid.barrier()
        for turn in range(self.turns):
            start = tirx.Select(is_final, _ZERO, tirx.const(self.chosen, "int32"))
            T.buffer_store(places, start, [turn])
        with grid.when(is_final), T.serial(0, self.finalists) as other:
            key, number = register(final_keys[other]), register(final_numbers[other])
            for turn in range(self.turns):
                self._count(places, keys, at, turn, key, number)
        return places

    def _place_of_head(self, at: grid.Grid, keys: tirx.Var, shared: tirx.Var) -> Expr:
        """The place of a thread's best element among those of all threads."""
        best, number, place = (grid.registers(1, "int32") for _ in range(3))
        owned = grid.shared(self.heads, "int32")
        T.buffer_store(best, keys[0], [0])
        T.buffer_store(number, at.thread, [0])
        for turn in range(1, self.turns):
            with grid.when(keys[turn] > best[0]):
                T.buffer_store(best, keys[turn], [0])
                T.buffer_store(number, at.thread + turn * self.threads, [0])
        T.buffer_store(shared, best[0], [at.thread])
        T.buffer_store(owned, number[0], [at.thread])
        grid.barrier()
        T.buffer_store(place, _ZERO, [0])
        with T.serial(0, self.heads) as other:
            key, others = register(shared[other]), register(owned[other])
            better = is_better(key, others, best[0], number[0])
            T.buffer_store(place, place[0] + tirx.Select(better, _ONE, _ZERO), [0])
        return place[0]

    def _count(
        self, places: tirx.Var, keys: tirx.Var, at: grid.Grid, turn: int, key: Expr, number: Expr
    ) -> None:
        better = is_better(key, number, keys[turn], at.thread + turn * self.threads)
        T.buffer_store(places, places[turn] + tirx.Select(better, _ONE, _ZERO), [turn])


def is_better(key: Expr, number: Expr, than: Expr, its_number: Expr) -> Expr:
    """Tell whether an element with a key and a number comes before another."""
    return tirx.any(key > than, tirx.all(tirx.EQ(key, than), number < its_number))
