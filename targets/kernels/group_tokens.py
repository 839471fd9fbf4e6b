"""`group_tokens`: a counting sort of (token, expert) slots by expert.

Slot s = token * K + j. For `indexed` routing, ids[s] is its expert; for `scored` routing K is the
number of experts and slot s exists where scores[s] is not exactly zero. The result is

    order[r]    slot of sorted row r; rows of one expert are neighbours, in the order of slots
    offsets[e]  first sorted row of expert e; offsets[E] is the number of rows
    active      [number of experts that have rows, their numbers...]

so that later steps touch neither the weights nor the rows of an expert that nobody chose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class GroupTokens:
    """The kernel for one kind of routing; one task."""

    routing: Literal["int64", "int32", "scored"]

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (routes, order, offsets, active, cursor, slots, experts)."""
        routes = {"int64": "int64_t*", "int32": "int32_t*", "scored": "float*"}[self.routing]
        return (routes, *["int32_t*"] * 4, "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            dtype = "float32" if self.routing == "scored" else self.routing
            buffers, (slots, experts, begin, end) = tiles.parameters(
                {"routes": dtype, "order": "int32", "offsets": "int32", "active": "int32",
                 "cursor": "int32"},
                ("slots", "experts"),
            )  # fmt: skip
            offsets, cursor, active = buffers["offsets"], buffers["cursor"], buffers["active"]
            with T.serial(begin, end):
                with T.serial(0, experts) as e:
                    T.buffer_store(cursor, 0, [e])
                with T.serial(0, slots) as s, self._each(buffers["routes"], s, experts) as expert:
                    T.buffer_store(cursor, cursor[expert] + 1, [expert])
                T.buffer_store(offsets, 0, [0])
                T.buffer_store(active, 0, [0])
                with T.serial(0, experts) as e:
                    T.buffer_store(offsets, offsets[e] + cursor[e], [e + 1])
                    with T.If(cursor[e] > 0), T.Then():
                        T.buffer_store(active, active[0] + 1, [0])
                        T.buffer_store(active, e, [active[0]])
                    T.buffer_store(cursor, offsets[e], [e])
                with T.serial(0, slots) as s, self._each(buffers["routes"], s, experts) as expert:
                    T.buffer_store(buffers["order"], s, [cursor[expert]])
                    T.buffer_store(cursor, cursor[expert] + 1, [expert])
        return tiles.Built(builder.get())

    def _each(self, routes: tirx.Var, slot: Expr, experts: Expr) -> _Guard:
        if self.routing == "scored":
            expert = tirx.truncmod(slot, experts)
            return _Guard(tirx.const(0, "float32") != routes[slot], expert)
        expert = routes[slot]
        # An id that names no expert contributes nothing; it must not reach memory. Compared before
        # it is narrowed: the low half of a large number may look like an expert.
        inside = tirx.all(
            expert >= tirx.const(0, self.routing), expert < tirx.Cast(self.routing, experts)
        )
        return _Guard(inside, tirx.Cast("int32", expert))


@dataclass
class _Guard:
    """`with` a condition: the body runs where it holds; gives the expert."""

    condition: Expr
    expert: Expr

    def __enter__(self) -> Expr:
        self.frames = (T.If(self.condition), T.Then())
        for frame in self.frames:
            frame.__enter__()
        return tiles.local(self.expert)

    def __exit__(self, *error: object) -> None:
        for frame in reversed(self.frames):
            frame.__exit__(*error)
