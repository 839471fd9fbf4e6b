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
    """Where a thread is: its work-group, its number in it, and the buffers by name."""

    buffers: Mapping[str, tirx.Var]
    group: Expr
    thread: Expr


def kernel(
    pointers: Mapping[str, str], groups: int, threads: int, body: Callable[[Grid], None]
) -> tirx.PrimFunc:
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
            body(Grid(buffers, group, thread))
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


def reduce(values: tirx.Var, thread: Expr, threads: int, combine: Combine) -> None:
    """Combine `values` [threads] of the work-group into element 0, pair by pair.

    `values` must have been written by every thread; a barrier stands before and after.
    """
    barrier()
    half = threads // 2
    while half:
        with when(thread < half):
            T.buffer_store(values, combine(values[thread], values[thread + half]), [thread])
        barrier()
        half //= 2


def larger(a: Expr, b: Expr) -> Expr:
    """The larger of two numbers."""
    return tirx.Select(a < b, b, a)
