"""A kernel whose float32 tensors lie in memory as float16: widened when read, rounded when written.

Nothing else of it changes: products, sums, norms and exponentials stay float32. What moves words
(int32) moves the same numbers: a word that stands for a float32 is that float32's bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Expr, PointerType, PrimType, Var
from tvm.tirx.buffer import BufferType

from edgemoe.targets.graphics import Graphics, Language

if TYPE_CHECKING:
    from edgemoe.targets.gpu.program import GpuKernel

HALF = "float16"


@dataclass(frozen=True)
class Halved:
    """`kernel` with the parameters at `positions` in float16."""

    kernel: GpuKernel
    positions: tuple[int, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the pointers."""
        return tuple(
            "half*" if i in self.positions else given
            for i, given in enumerate(self.kernel.parameters)
        )

    @property
    def threads(self) -> int:
        """Threads of a work-group."""
        return self.kernel.threads

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return self.kernel.groups

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The function with its thread bindings."""
        return halved(self.kernel.function(device), self.positions, device.language)


def halved(function: tirx.PrimFunc, positions: Sequence[int], language: Language) -> tirx.PrimFunc:
    """`function` with the parameters at `positions` as float16."""
    return _Halve(function, positions, language).function


def accumulators(function: tirx.PrimFunc) -> tuple[int, ...]:
    """Positions of the parameters that `function` both reads and writes: sums, running maxima.

    In float16 every term would be rounded, and the first value of a maximum has no float16.
    """
    owner = {p: i for i, p in enumerate(function.params) if isinstance(p.ty, BufferType)}

    def declared(node: tirx.DeclBuffer) -> None:
        for position, parameter in enumerate(function.params):
            if node.data.same_as(parameter):
                owner[node.buffer] = position

    read: set[Var] = set()
    written: set[Var] = set()
    tvm_ffi.structural_walk(function.body, [(tirx.DeclBuffer, declared)], order="pre")
    tvm_ffi.structural_walk(
        function.body,
        [
            (tvm.ir.TensorLoad, lambda node: read.add(node.source)),
            (tirx.BufferStore, lambda node: written.add(node.buffer)),
        ],
        order="pre",
    )
    return tuple(sorted(owner[var] for var in read & written if var in owner))


class _Halve:
    def __init__(
        self, function: tirx.PrimFunc, positions: Sequence[int], language: Language
    ) -> None:
        self.language = language
        self.known: dict[Var, Var] = {}
        self.was: dict[Var, str] = {}  # new buffers, by the dtype that they had
        chosen = [function.params[i] for i in positions]
        for parameter in chosen:
            if isinstance(parameter.ty, BufferType):
                self._buffer(parameter)
            else:
                given = PointerType(PrimType(HALF), parameter.ty.storage_scope)
                self.known[parameter] = Var(parameter.name, given)

        def declared(node: tirx.DeclBuffer) -> None:
            if any(node.data.same_as(parameter) for parameter in chosen):
                self._buffer(node.buffer)

        tvm_ffi.structural_walk(function.body, [(tirx.DeclBuffer, declared)], order="pre")
        # Variables first: a rule for what their types are made of would give them new ones.
        body = tvm_ffi.structural_map(
            function.body, (Var, lambda var: self.known.get(var, var)), order="post"
        )
        body = tvm_ffi.structural_map(
            body,
            [(tvm.ir.TensorLoad, self._load), (tirx.BufferStore, self._store)],
            order="post",
        )
        parameters = [self.known.get(p, p) for p in function.params]
        self.function = tirx.PrimFunc(parameters, body, function.ret_type, function.attrs)

    def _buffer(self, var: Var) -> None:
        new = tirx.decl_buffer(list(var.shape), HALF, var.name, scope=str(var.scope()))
        self.known[var] = new
        self.was[new] = str(var.dtype)

    def _load(self, node: tvm.ir.TensorLoad) -> Expr:
        if node.source not in self.was:
            return node
        wide = tirx.Cast("float32", tirx.BufferLoad(node.source, node.indices))
        was = self.was[node.source]
        return wide if was == "float32" else self._bits(was, wide)

    def _store(self, node: tirx.BufferStore) -> tirx.Stmt:
        if node.buffer not in self.was:
            return node
        value = node.value
        if str(value.ty) != "float32":
            value = self._bits("float32", value)
        return tirx.BufferStore(node.buffer, tirx.Cast(HALF, value), node.indices)

    def _bits(self, dtype: str, value: Expr) -> Expr:
        """The bits of a value in another type; OpenCL's `reinterpret` of TVM needs a variable."""
        if self.language == "wgsl":
            return tirx.reinterpret(dtype, value)
        name = {"float32": "as_float", "int32": "as_int", "uint32": "as_uint"}[dtype]
        return tirx.call_pure_extern(dtype, name, value)
