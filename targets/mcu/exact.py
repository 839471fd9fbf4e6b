"""Prepares lowered TensorIR for TVM's C code generator, which is careless in two places.

It prints floats with seven digits and reinterprets bits through pointer casts. Both are replaced by
calls of functions that the text pass (`c_text`) or `em_core.h` knows.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np
import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Expr

from edgemoe.errors import UnsupportedOpError

LITERAL = "EM_LITERAL_"
"""`EM_LITERAL_3()` in the generated text stands for literal number 3."""

_BITS = {
    ("float32", "int32"): "em_int32_of_float32", ("int32", "float32"): "em_float32_of_int32",
    ("float32", "uint32"): "em_uint32_of_float32", ("uint32", "float32"): "em_float32_of_uint32",
    ("float64", "int64"): "em_int64_of_float64", ("int64", "float64"): "em_float64_of_int64",
}  # fmt: skip
"""Functions of `em_core.h` by (from, to)."""


@dataclass
class Literals:
    """The float constants of a module as C text, by number."""

    texts: list[str] = field(default_factory=list)

    def call(self, value: tirx.FloatImm) -> Expr:
        """An expression that the generator prints as a place holder."""
        dtype = str(value.ty)
        self.texts.append(float_literal(float(value.value), dtype))
        return tirx.call_pure_extern(dtype, f"{LITERAL}{len(self.texts) - 1}")

    def restore(self, text: str) -> str:
        """`text` with the literals in their places."""
        return re.sub(rf"{LITERAL}(\d+)\(\)", lambda m: self.texts[int(m[1])], text)


def float_literal(value: float, dtype: str = "float32") -> str:
    """The shortest C99 text that gives back the very float."""
    suffix = "f" if dtype == "float32" else ""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    text = str(np.float32(value)) if suffix else repr(value)
    if "." not in text and "e" not in text:
        text += ".0"
    text += suffix
    return f"({text})" if text.startswith("-") else text


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
