"""`route` on a GPU: a work-group per token, whose threads share the experts.

What is compared are the integers of `kernels/selection`, then expert numbers: the choice is that of
CPUs, also for ties and NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.gpu.task_kernel import TaskKernel
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels import selection
from edgemoe.targets.kernels import vector_math as vm
from edgemoe.targets.kernels.gpu import grid
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.gpu.norm import row_sum, row_value
from edgemoe.targets.kernels.gpu.places import MOST_THREADS, Places, is_better
from edgemoe.targets.kernels.route import F32_LOWEST, Route
from edgemoe.targets.kernels.vector_math import register

STANDS_FOR = (Route,)

Weight = Callable[[Expr], Expr]
"""The weight of a chosen expert for its score."""

_ZERO, _ONE = tirx.const(0, "int32"), tirx.const(1, "int32")
_NOTHING = tirx.const(0.0, "float32")


@dataclass(frozen=True)
class RouteToken:
    """A router of `experts` experts, `chosen` of them for each of `tokens` tokens."""

    spec: Route
    tokens: int
    experts: int
    chosen: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (logits, bias?, expert_scale?, ids, weights)."""
        given = ("float*",) * (self.spec.bias + self.spec.expert_scale)
        return ("float*", *given, "int32_t*", "float*")

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return self.tokens

    @property
    def local_bytes(self) -> int:
        """Local memory: keys, scores of the chosen, parts of sums, marks of groups."""
        sums = self.threads if self.spec.score == "softmax" else 0
        marks = self.spec.groups if self.spec.groups > 1 else 0
        return 4 * (self._shared_keys + self._places.words + self.chosen + sums + marks)

    @property
    def _places(self) -> Places:
        return Places(self.experts, self.chosen, self.threads)

    @property
    def _shared_keys(self) -> int:
        return self.experts if self.spec.groups > 1 else self._places.heads

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        given = [n for n in ("bias", "expert_scale") if getattr(self.spec, n)]
        names = dict.fromkeys(["logits", *given], "float32")
        names |= {"ids": "int32", "weights": "float32"}
        return grid.kernel(names, self.groups, self.threads, self._emit, device.subgroups)

    def _emit(self, at: grid.Grid) -> None:
        scores = grid.registers(self._places.turns)
        picked, shared = grid.shared(self.chosen), grid.shared(self._shared_keys, "int32")
        self._scores(at, scores)
        places = self._places.emit(at, self._keys(at, scores, shared), shared)

        def keep(turn: int, expert: Expr) -> None:
            del expert
            with grid.when(places[turn] < self.chosen):
                T.buffer_store(picked, scores[turn], [places[turn]])

        self._each(at, keep)
        grid.barrier()
        weight = self._weight(picked)

        def write(turn: int, expert: Expr) -> None:
            with grid.when(places[turn] < self.chosen):
                to = register(at.group * self.chosen + places[turn])
                self._write(at, to, expert, weight(scores[turn]))

        self._each(at, write)

    def _each(self, at: grid.Grid, body: Callable[[int, Expr], None]) -> None:
        """Emit `body(turn, expert)` for the experts of a thread: every so-many-th one."""
        for turn in range(self._places.turns):
            expert = register(at.thread + turn * self.threads)
            if (turn + 1) * self.threads > self.experts:
                with grid.when(expert < self.experts):
                    body(turn, expert)
            else:
                body(turn, expert)

    def _scores(self, at: grid.Grid, scores: tirx.Var) -> None:
        """Scores of the thread's experts."""
        logits, first = at.buffers["logits"], register(at.group * self.experts)
        if self.spec.score == "softmax":
            values = grid.shared(self.threads)
            lowest = tirx.const(F32_LOWEST, "float32")
            peak = row_value(
                at, values, self.experts, self.threads, lambda j: logits[first + j], lowest,
                grid.larger,
            )  # fmt: skip
            total = row_sum(
                at, values, self.experts, self.threads,
                lambda j: tirx.exp(logits[first + j] - peak),
            )  # fmt: skip

        def score(turn: int, expert: Expr) -> None:
            value = register(logits[first + expert])
            if self.spec.score == "softmax":
                value = tirx.exp(value - peak) / total
            elif self.spec.score == "sigmoid":
                value = vm.sigmoid(value)
            T.buffer_store(scores, value, [turn])

        self._each(at, score)

    def _keys(self, at: grid.Grid, scores: tirx.Var, shared: tirx.Var) -> tirx.Var:
        """Keys of the thread's experts: larger where the expert is better."""
        spec, turns = self.spec, self._places.turns
        ranks, keys = grid.registers(turns), grid.registers(turns, "int32")
        largest = spec.largest or spec.groups > 1

        def rank(turn: int, expert: Expr) -> None:
            value = scores[turn]
            if spec.bias:
                value = value + at.buffers["bias"][expert]
            T.buffer_store(ranks, value if largest == spec.largest else _NOTHING - value, [turn])

        def store(turn: int, expert: Expr) -> None:
            del expert
            order = selection.key(register(ranks[turn]), largest=largest)
            T.buffer_store(keys, order, [turn])

        self._each(at, rank)
        if spec.groups > 1:
            self._drop_groups(at, ranks, shared)
        T.buffer_store(keys, tirx.const(selection.NEVER, "int32"), [turns - 1])
        self._each(at, store)
        return keys

    def _drop_groups(self, at: grid.Grid, ranks: tirx.Var, words: tirx.Var) -> None:
        """The lowest rank for experts outside the `top_groups` best groups, as on CPUs.

        The ranks of all experts lie in `words` meanwhile.
        """
        spec, size = self.spec, self.experts // self.spec.groups
        lowest = tirx.const(F32_LOWEST, "float32")
        marks = grid.shared(spec.groups)

        def share(turn: int, expert: Expr) -> None:
            T.buffer_store(words, tirx.reinterpret("int32", ranks[turn]), [expert])

        def mark(group: Expr) -> None:
            first, second = grid.registers(1), grid.registers(1)
            T.buffer_store(first, lowest, [0])
            T.buffer_store(second, lowest, [0])
            with T.serial(0, size) as i:
                value = register(tirx.reinterpret("float32", words[group * size + i]))
                with T.If(value > first[0]):
                    with T.Then():
                        T.buffer_store(second, first[0], [0])
                        T.buffer_store(first, value, [0])
                    with T.Else(), grid.when(value > second[0]):
                        T.buffer_store(second, value, [0])
            best = first[0] + second[0] if spec.group_score == "sum2" else first[0]
            T.buffer_store(marks, best, [group])

        def drop(turn: int, expert: Expr) -> None:
            group = register(tirx.truncdiv(expert, size))
            mine, place = register(marks[group]), grid.registers(1, "int32")
            T.buffer_store(place, _ZERO, [0])
            with T.serial(0, spec.groups) as other:
                value = register(marks[other])  # never NaN: only what is larger becomes a mark
                better = is_better(value, other, mine, group)
                T.buffer_store(place, place[0] + tirx.Select(better, _ONE, _ZERO), [0])
            with grid.when(place[0] >= spec.top_groups):
                T.buffer_store(ranks, lowest, [turn])

        self._each(at, share)
        grid.barrier()
        grid.strided(at.thread, spec.groups, self.threads, mark)
        grid.barrier()
        self._each(at, drop)

    def _weight(self, picked: tirx.Var) -> Weight:
        """Emit what depends on all of the chosen, in their order as on CPUs."""
        spec = self.spec

        def total_of(size: Weight) -> Expr:
            total = grid.registers(1)
            T.buffer_store(total, _NOTHING, [0])
            with T.serial(0, self.chosen) as j:
                T.buffer_store(total, total[0] + size(register(picked[j])), [0])
            return total[0]

        def identity(score: Expr) -> Expr:
            return score

        weight: Weight = identity
        if spec.softmax_after:
            peak = grid.registers(1)
            T.buffer_store(peak, picked[0], [0])
            with T.serial(0, self.chosen) as j:
                T.buffer_store(peak, grid.larger(peak[0], picked[j]), [0])
            weight = _exponential(peak[0])
            weight = _divided(weight, total_of(weight))
        if spec.sigmoid_after:
            weight = _sigmoid(weight)
        if spec.renormalise:
            eps, total = tirx.const(spec.eps, "float32"), total_of(weight)
            add = spec.eps_mode == "add"
            total = register(total + eps if add else grid.larger(eps, total))
            weight = _divided(weight, total)
        if spec.norm:
            squares = spec.norm == 2.0
            total = total_of(_size(weight, squares))
            weight = _divided(weight, register(tirx.sqrt(total)) if squares else total)
        return weight

    def _write(self, at: grid.Grid, to: Expr, expert: Expr, weight: Expr) -> None:
        spec = self.spec
        if spec.scale != 1.0:
            weight = weight * tirx.const(spec.scale, "float32")
        if spec.expert_scale:
            weight = weight * at.buffers["expert_scale"][expert]
        if spec.skip_from:
            real = expert < spec.skip_from
            weight = tirx.Select(real, weight, _NOTHING)
            expert = tirx.Select(real, expert, tirx.const(-1, "int32"))
        T.buffer_store(at.buffers["ids"], expert, [to])
        T.buffer_store(at.buffers["weights"], weight, [to])


def _exponential(peak: Expr) -> Weight:
    return lambda score: tirx.exp(score - peak)


def _divided(weight: Weight, total: Expr) -> Weight:
    return lambda score: weight(score) / total


def _sigmoid(weight: Weight) -> Weight:
    return lambda score: vm.sigmoid(register(weight(score)))


def _size(weight: Weight, squares: bool) -> Weight:
    def size(score: Expr) -> Expr:
        value = register(weight(score))
        return value * value if squares else tirx.abs(value)

    return size


def stand_in(call: Call) -> RouteToken | TaskKernel:
    """A work-group per token; where its local memory does not do, a thread per token."""
    experts, chosen = call.integers
    spec: Route = call.spec
    threads = call.threads(min(experts, MOST_THREADS))
    made = RouteToken(spec, call.tasks, experts, chosen, threads)
    if made.local_bytes <= call.device.local_bytes:
        return made
    # Private arrays of a thread are slow: no more room than the experts need.
    known = replace(spec, known_experts=experts)
    return TaskKernel(known, call.integers, call.tasks, call.threads(call.tasks))
