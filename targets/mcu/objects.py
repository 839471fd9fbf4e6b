"""`--objects`: the kernels as LLVM object files for the core, in the place of C source.

LLVM vectorises loops for Helium, which compilers of C do less often. What kernels call of
`em_core.h` becomes instructions of the core here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T
from tvm.tirx.build import codegen_build

from edgemoe.errors import UnsupportedOpError
from edgemoe.targets.codegen import lowered
from edgemoe.targets.kernels.tile import Built
from edgemoe.targets.spec import TargetSpec

DSP = ("smlad", "mve")
"""Values of a target's `dot` whose cores have the instructions on two int16."""


def write_objects(
    kernels: Mapping[str, Built], prefix: str, spec: TargetSpec, folder: Path
) -> list[str]:
    """Write `NAME_kernels.o`, and objects for the parts of kernels; returns the file names.

    Raises:
        UnsupportedOpError: a kernel calls a function that has no form here.
    """
    (isa,) = spec.isas
    given: dict[str, object] = {
        "kind": "llvm", "mtriple": isa.triple, "mcpu": isa.cpu, "mattr": list(isa.features),
        "vector-width": 128,  # TVM warns that it knows none
    }  # fmt: skip
    if isa.triple.endswith("eabihf"):
        given["mfloat-abi"] = "hard"
    target = tvm.target.Target(given)
    parts = {
        "kernels": {name: built.main for name, built in kernels.items()},
        "tiles": {k: f for built in kernels.values() for k, f in built.tiles.items()},
        "stores": {k: f for built in kernels.values() for k, f in built.stores.items()},
    }
    names = []
    for part, functions in parts.items():
        if not functions:
            continue
        named = {
            f"{prefix}_{name}": with_instructions(function, isa.dot in DSP)
            for name, function in functions.items()
        }
        names.append(f"{prefix}_{part}.o")
        codegen_build(lowered(named, target), target).write_to_file(str(folder / names[-1]), "o")
    return names


def with_instructions(function: tirx.PrimFunc, dsp: bool) -> tirx.PrimFunc:
    """Replace calls of `em_core.h` by expressions that LLVM knows.

    Raises:
        UnsupportedOpError: a function has none: those of the products of integer programs.
    """
    missing: list[str] = []

    def replace(call: tvm.ir.Call) -> Expr:
        if str(getattr(call.op, "name", "")) not in ("tirx.call_extern", "tirx.call_pure_extern"):
            return call
        name = str(call.args[0].value)
        if not name.startswith("em_"):
            return call
        if name not in _FORMS:  # an error does not keep its type on the way through TVM
            missing.append(name)
            return call
        return _FORMS[name](dsp, *call.args[1:])

    body = tvm_ffi.structural_map(function.body, (tvm.ir.Call, replace), order="post")
    if missing:
        raise UnsupportedOpError(
            f"--objects: a kernel calls {missing[0]}, which has no form as an LLVM object\n"
            "  next: compile without --objects; the products of integer programs are C only"
        )
    return tirx.PrimFunc(function.params, body, function.ret_type, function.attrs)


def _const(value: int) -> Expr:
    return tirx.const(value, "int32")


def _low(dsp: bool, word: Expr) -> Expr:
    del dsp
    return tirx.shift_right(tirx.shift_left(word, _const(16)), _const(16))


def _high(dsp: bool, word: Expr) -> Expr:
    del dsp
    return tirx.shift_right(word, _const(16))


def _pack(dsp: bool, low: Expr, high: Expr) -> Expr:
    del dsp
    return (low & _const(0xFFFF)) | tirx.shift_left(high, _const(16))


def _smlad(dsp: bool, a: Expr, b: Expr, acc: Expr) -> Expr:
    if dsp:
        return T.call_llvm_pure_intrin("int32", "llvm.arm.smlad", a, b, acc)
    return acc + _low(dsp, a) * _low(dsp, b) + _high(dsp, a) * _high(dsp, b)


def _byte(word: Expr, number: int) -> Expr:
    return tirx.shift_right(tirx.shift_left(word, _const(24 - 8 * number)), _const(24))


def _sxtb16(dsp: bool, word: Expr) -> Expr:
    if dsp:
        return T.call_llvm_pure_intrin("int32", "llvm.arm.sxtb16", word)
    return _pack(dsp, _byte(word, 0), _byte(word, 2))


def _sxtb16_ror8(dsp: bool, word: Expr) -> Expr:
    if dsp:
        turned = T.call_llvm_pure_intrin("int32", "llvm.fshr.i32", word, word, _const(8))
        return _sxtb16(dsp, turned)
    return _pack(dsp, _byte(word, 1), _byte(word, 3))


def _smmul(dsp: bool, a: Expr, b: Expr) -> Expr:
    del dsp
    wide = tirx.Cast("int64", a) * tirx.Cast("int64", b)
    return tirx.Cast("int32", tirx.shift_right(wide, tirx.const(32, "int64")))


def _load(count: int) -> Callable[[bool, Expr], Expr]:
    def load(dsp: bool, address: Expr) -> Expr:
        del dsp
        (element,) = address.args
        start = element.indices[0]
        values = element.buffer[T.ramp(start, 1, count)]
        return tirx.reinterpret("int32", values)

    return load


_FORMS: dict[str, Callable[..., Expr]] = {
    "em_low16": _low,
    "em_high16": _high,
    "em_pack16": _pack,
    "em_smlad": _smlad,
    "em_sxtb16": _sxtb16,
    "em_sxtb16_ror8": _sxtb16_ror8,
    "em_smmul": _smmul,
    "em_load4": _load(4),
    "em_load2": _load(2),
}
"""What to put for a function of `em_core.h`, by its name."""
