"""Prepares lowered TensorIR for TVM's C code generator, which is careless in two places.

It prints floats with seven digits and reinterprets bits through pointer casts. Both are replaced by
calls of functions that the text pass (`c_text`) or `em_core.h` knows.
"""

from __future__ import annotations

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Expr

from edgemoe.errors import UnsupportedOpError
from edgemoe.targets.literals import Literals

_BITS = {
    ("float32", "int32"): "em_int32_of_float32", ("int32", "float32"): "em_float32_of_int32",
    ("float32", "uint32"): "em_uint32_of_float32", ("uint32", "float32"): "em_float32_of_uint32",
    ("float64", "int64"): "em_int64_of_float64", ("int64", "float64"): "em_float64_of_int64",
}  # fmt: skip
"""Functions of `em_core.h` by (from, to)."""


def prepare(module: tvm.IRModule) -> tuple[tvm.IRModule, Literals]:
    """Replace float constants and reinterpretations in every function."""
    literals = Literals()

    def call(node: tvm.ir.Call) -> Expr:
        if str(getattr(node.op, "name", "")) != "tirx.reinterpret":
            return node
        (value,) = node.args
        pair = (str(value.ty), str(node.ty))
        if pair[0] == pair[1]:
            return value
        if pair not in _BITS:
            raise UnsupportedOpError(
                f"the C code generator cannot take the bits of {pair[0]} as {pair[1]}"
            )
        return tirx.call_pure_extern(pair[1], _BITS[pair], value)

    functions = {}
    for var, function in module.functions_items():
        body = tvm_ffi.structural_map(
            function.body, [(tirx.FloatImm, literals.call), (tvm.ir.Call, call)], order="post"
        )
        functions[var] = tirx.PrimFunc(function.params, body, function.ret_type, function.attrs)
    return tvm.IRModule(functions), literals
