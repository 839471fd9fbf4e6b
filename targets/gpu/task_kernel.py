"""A kernel that was written as independent tasks, with one task per thread of a GPU.

Kernels of `targets/kernels` run tasks [begin, end) on one CPU thread. Where a kernel is a single
function, the same function computes one task per GPU thread: its integers become constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Var

from edgemoe.targets.gpu.narrow import stored
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernel_table import KernelSpec
from edgemoe.targets.kernels.vector_math import native_functions
from edgemoe.targets.spec import Isa

SCALAR = Isa("scalar", "", "", (), 1, 16)
"""An instruction set with one lane: kernels for it have no vectors."""


class NotOneFunction(Exception):
    """The kernel calls other C functions: it has to be written for GPUs."""


@dataclass(frozen=True)
class TaskKernel:
    """`spec` with its integer arguments, `tasks` of them, `threads` in a work-group."""

    spec: KernelSpec
    integers: tuple[int, ...]
    tasks: int
    threads: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the pointers."""
        return tuple(_stored_type(c) for c in self.spec.parameters if c.endswith("*"))

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return -(-self.tasks // self.threads)

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The function with its thread bindings."""
        del device
        with native_functions():
            built = self.spec.build("kernel", SCALAR)
        if built.stores or built.tiles or _calls_c(built.main):
            raise NotOneFunction(type(self.spec).__name__)
        return as_threads(built.main, self.integers, self.tasks, self.threads)


def _stored_type(c_type: str) -> str:
    names = {"float*": "float*", "int32_t*": "int32_t*", "uint32_t*": "uint32_t*"}
    if c_type in names:
        return c_type
    element = {"double*": "float64", "int8_t*": "int8"}.get(c_type, c_type.removesuffix("_t*"))
    return f"{stored(element)}_t*"


def _calls_c(function: tirx.PrimFunc) -> bool:
    found: list[Any] = []

    def visit(node: tvm.ir.Call) -> None:
        name = str(getattr(node.op, "name", ""))
        if name.endswith(("call_extern", "call_llvm_intrin", "call_llvm_pure_intrin")):
            found.append(node)

    tvm_ffi.structural_walk(function.body, [(tvm.ir.Call, visit)], order="pre")
    return bool(found)


def as_threads(
    function: tirx.PrimFunc, integers: tuple[int, ...], tasks: int, threads: int
) -> tirx.PrimFunc:
    """`function` (pointers, integers, begin, end) with task number = global thread number."""
    count = len(function.params) - len(integers) - 2
    pointers, numbers = function.params[:count], function.params[count:]
    groups = -(-tasks // threads)
    block, thread = (
        tirx.IterVar(tvm.ir.Range(0, extent), Var(tag, "int32"), tirx.IterVar.ThreadIndex, tag)
        for tag, extent in (("blockIdx.x", groups), ("threadIdx.x", threads))
    )
    task = block.var * threads + thread.var
    values: Mapping[Var, tvm.ir.Expr] = {
        **{p: tirx.const(v, "int32") for p, v in zip(numbers[:-2], integers, strict=True)},
        numbers[-2]: task, numbers[-1]: task + 1,
    }  # fmt: skip
    body = tvm_ffi.structural_map(function.body, (Var, lambda v: values.get(v, v)), order="post")
    if tasks % threads:
        body = tirx.IfThenElse(task < tasks, body, None)
    body = tirx.AttrStmt(thread, "thread_extent", threads, body)
    body = tirx.AttrStmt(block, "thread_extent", groups, body)
    return tirx.PrimFunc(pointers, body, function.ret_type, function.attrs)
