"""Rewrites a function to the types that every GPU has: float32, float16, int32, uint32.

Shading languages have no 64-bit integers, and their booleans and bytes cannot lie in memory. So
int64 becomes int32 (the session checks the range of what it uploads), and what lies in memory as a
boolean or a small integer becomes int32 there.
"""

from __future__ import annotations

import math
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Expr, PointerType, PrimType, Var
from tvm.tirx.buffer import BufferType

from edgemoe.errors import UnsupportedOpError

STORED = {
    "int64": "int32", "uint64": "uint32", "bool": "int32", "int8": "int32", "uint8": "int32",
    "int16": "int32", "uint16": "int32",
}  # fmt: skip
"""dtypes in memory that are replaced, by what replaces them."""

VALUES = {name: given for name, given in STORED.items() if name != "bool"}
"""The same for values, which may be booleans."""

SUPPORTED = frozenset({"float32", "float16", "int32", "uint32"})

LARGEST = 3.4028234663852886e38
"""Stands for infinity: WGSL has no such literal."""

_BINARY = (
    tirx.Add, tirx.Sub, tirx.Mul, tirx.Div, tirx.Mod, tirx.FloorDiv, tirx.FloorMod, tirx.Min,
    tirx.Max, tirx.EQ, tirx.NE, tirx.LT, tirx.LE, tirx.GT, tirx.GE,
)  # fmt: skip


def stored(dtype: str) -> str:
    """The dtype that stands for `dtype` in the memory of a GPU.

    Raises:
        UnsupportedOpError: there is none.
    """
    found = STORED.get(dtype, dtype)
    if found not in SUPPORTED:
        raise UnsupportedOpError(
            f"a tensor of dtype {dtype} cannot be stored on a GPU; it has "
            f"{', '.join(sorted(SUPPORTED))}\n  next: cast it to float32 in the model"
        )
    return found


def narrowed(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """`function` with its parameters and values in the types of `STORED`.

    What a function allocates without naming a place for it is a register of each thread.
    """
    return _Narrow(function).function


class _Narrow:
    def __init__(self, function: tirx.PrimFunc) -> None:
        self.known: dict[Var, Var] = {}
        self.booleans: set[Var] = set()  # new buffers whose elements stand for booleans
        self.allocated: set[Var] = set()
        tvm_ffi.structural_walk(
            function.body, [(tirx.AllocBuffer, lambda n: self.allocated.add(n.buffer))], order="pre"
        )
        parameters = [self._variable(p) for p in function.params]
        # Variables first: a rule for what their types are made of would give them new ones.
        body = tvm_ffi.structural_map(function.body, (Var, self._variable), order="post")
        body = tvm_ffi.structural_map(
            body,
            [
                (tirx.IntImm, _integer),
                (tirx.FloatImm, _float),
                (tirx.Cast, _cast_node),
                (tvm.ir.TensorLoad, self._load),
                (tirx.BufferStore, self._store),
                (
                    tirx.Select,
                    lambda n: tirx.Select(n.condition, *_same(n.true_value, n.false_value)),
                ),
                (tvm.ir.Call, _call),
                *((kind, _rebuild) for kind in _BINARY),
            ],
            order="post",
        )
        self.function = tirx.PrimFunc(parameters, body, function.ret_type, function.attrs)

    def _variable(self, var: Var) -> Var:
        if var not in self.known:
            new = self._new(var)
            self.known[var] = new
            self.known[new] = new
        return self.known[var]

    def _new(self, var: Var) -> Var:
        if isinstance(var.ty, BufferType):
            dtype, scope = str(var.dtype), str(var.scope())
            if scope == "global" and var in self.allocated:
                scope = "local"
            elif dtype not in STORED:
                return var
            shape = [tirx.const(int(d), "int32") for d in var.shape]
            new = tirx.decl_buffer(shape, STORED.get(dtype, dtype), var.name, scope=scope)
            if dtype == "bool":
                self.booleans.add(new)
            return new
        if isinstance(var.ty, PointerType):
            element = str(var.ty.element_type)
            if element not in STORED:
                return var
            return Var(var.name, PointerType(PrimType(STORED[element]), var.ty.storage_scope))
        dtype = str(var.ty)
        return Var(var.name, PrimType(VALUES[dtype])) if dtype in VALUES else var

    def _load(self, node: tvm.ir.TensorLoad) -> Expr:
        loaded = tirx.BufferLoad(node.source, node.indices)
        if node.source in self.booleans:
            return tirx.NE(loaded, tirx.const(0, "int32"))
        return loaded

    def _store(self, node: tirx.BufferStore) -> tirx.Stmt:
        value, wanted = node.value, str(node.buffer.dtype)
        if str(value.ty) != wanted and "x" not in str(value.ty):
            value = tirx.Cast(wanted, value)
        return tirx.BufferStore(node.buffer, value, node.indices)


def _value(node: Any) -> str:
    return VALUES.get(str(node.ty), str(node.ty))


def _integer(node: tirx.IntImm) -> Expr:
    wanted = _value(node)
    return node if wanted == str(node.ty) else tirx.const(int(node.value), wanted)


def _float(node: tirx.FloatImm) -> Expr:
    value = float(node.value)
    if not math.isinf(value):
        return node
    return tirx.const(math.copysign(LARGEST, value), str(node.ty))


def _rebuild(node: Any) -> Expr:
    return type(node)(*_same(node.a, node.b))


def _same(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """Both in one type: where one was narrowed and the other was made narrow before."""
    one, other = str(a.ty), str(b.ty)
    if one == other:
        return a, b
    wanted = "int32" if "bool" in (one, other) else one
    return _as(a, wanted), _as(b, wanted)


def _as(value: Expr, dtype: str) -> Expr:
    return value if str(value.ty) == dtype else tirx.Cast(dtype, value)


def _cast_node(node: tirx.Cast) -> Expr:
    value, asked = node.value, str(node.ty)
    if asked not in ("int8", "uint8", "int16", "uint16"):
        return _as(value, VALUES.get(asked, asked))
    wide = _as(value, "int32")
    if asked.startswith("u"):
        return tirx.bitwise_and(wide, tirx.const((1 << int(asked[4:])) - 1, "int32"))
    bits = tirx.const(32 - int(asked[3:]), "int32")
    return tirx.shift_right(tirx.shift_left(wide, bits), bits)


def _call(node: tvm.ir.Call) -> Expr:
    dtype = str(node.ty)
    if dtype not in VALUES:
        return node
    return tvm.ir.Call(node.op, node.args, node.attrs, ret_ty=PrimType(VALUES[dtype]))
