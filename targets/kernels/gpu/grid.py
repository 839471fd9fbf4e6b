"""The frame of a GPU kernel: its pointers, its work-groups, what its threads share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels.vector_math import native_functions, register

Element = Callable[[Expr], Expr]
"""A value for a number."""

Visit = Callable[[Expr], None]

Combine = Callable[[Expr, Expr], Expr]

UNBOUNDED = 1 << 30
"""Extent of buffers: their sizes are those of what is bound."""


@dataclass(frozen=True)
class Grid:
    """Where a thread is: its work-group, its number in it, and the buffers by name.

    `lanes` neighbouring threads are a subgroup, which exchanges registers; 0 where none is known.
    """

    buffers: Mapping[str, tirx.Var]
    group: Expr
    thread: Expr
    lanes: int = 0


def kernel(
    pointers: Mapping[str, str], groups: int, threads: int, body: Callable[[Grid], None],
    lanes: int = 0,
) -> tirx.PrimFunc:  # fmt: skip
    """A kernel with `pointers` (dtypes by name) as its parameters; `body` emits one thread."""
    with native_functions(), IRBuilder() as builder, T.prim_func(s_tir=True):
        handles = {name: T.arg(name, T.handle(dtype)) for name, dtype in pointers.items()}
        T.func_attr({"tirx.noalias": True})
        with (
            T.launch_thread("blockIdx.x", groups) as group,
            T.launch_thread("threadIdx.x", threads) as thread,
        ):
            buffers = {
                name: T.decl_buffer((UNBOUNDED,), dtype, data=handles[name])
                for name, dtype in pointers.items()
            }
            body(Grid(buffers, group, thread, lanes))
    return builder.get()


def shared(count: int, dtype: str = "float32") -> tirx.Var:
    """An array of the work-group."""
    return T.alloc_buffer((count,), dtype, scope="shared")


def registers(count: int, dtype: str = "float32") -> tirx.Var:
    """An array of the thread; indices must be constants for it to stay in registers."""
    return T.alloc_buffer((count,), dtype, scope="local")


def barrier() -> None:
    """Every thread of the work-group comes here before one goes on; all of them must."""
    T.evaluate(T.tvm_storage_sync("shared"))


@contextmanager
def when(condition: Expr) -> Iterator[None]:
    """Emit what follows under a condition."""
    with T.If(condition), T.Then():
        yield


def strided(thread: Expr, count: int, threads: int, body: Callable[[Expr], None]) -> None:
    """Emit `body(i)` for 0 <= i < count, shared out among the threads of a work-group."""
    whole, rest = divmod(count, threads)
    if whole == 1:
        body(thread)
    elif whole:
        with T.serial(0, whole) as turn:
            body(register(turn * threads + thread))
    if rest:
        with when(thread < rest):
            body(register(thread + whole * threads))


def reduce(at: Grid, values: tirx.Var, threads: int, combine: Combine) -> None:
    """Combine `values` [threads] of the work-group into element 0.

    `values` must have been written by every thread; a barrier stands before and after. Threads of a
    subgroup combine without one, all others pair by pair.
    """
    count = threads
    if 1 < at.lanes <= threads:
        mine = registers(1)
        T.buffer_store(mine, values[at.thread], [0])
        distance = at.lanes // 2
        while distance:
            everyone = tirx.const(0xFFFFFFFF, "uint32")
            other = tirx.call_intrin(
                "float32", "tirx.tvm_warp_shuffle_down", everyone, mine[0], distance, at.lanes,
                at.lanes,
            )  # fmt: skip
            T.buffer_store(mine, combine(mine[0], register(other)), [0])
            distance //= 2
        barrier()
        with when(tirx.EQ(tirx.truncmod(at.thread, at.lanes), 0)):
            T.buffer_store(values, mine[0], [tirx.truncdiv(at.thread, at.lanes)])
        count = threads // at.lanes
    barrier()
    half = count // 2
    while half:
        with when(at.thread < half):
            T.buffer_store(
                values, combine(values[at.thread], values[at.thread + half]), [at.thread]
            )
        barrier()
        half //= 2


def larger(a: Expr, b: Expr) -> Expr:
    """The larger of two numbers."""
    return tirx.Select(a < b, b, a)
