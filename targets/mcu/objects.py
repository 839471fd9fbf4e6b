"""`--objects`: the kernels as LLVM object files for the core, in the place of C source.

LLVM vectorises loops for Helium, which compilers of C do less often. What kernels call of
`em_core.h` becomes instructions of the core here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Call, Expr
from tvm.tirx.build import codegen_build

from edgemoe.errors import UnsupportedOpError
from edgemoe.targets.codegen import lowered
from edgemoe.targets.kernels.tile import Built
from edgemoe.targets.mcu.object_forms import CALLS, EXPRESSIONS, STORED, name_of
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
    """Replace calls of `em_core.h` by what LLVM knows.

    Raises:
        UnsupportedOpError: a function has no form here.
    """
    missing: list[str] = []

    def expression(call: Call) -> Expr:
        name = name_of(call)
        if not name or name in CALLS or name in STORED:
            return call
        if name not in EXPRESSIONS:  # an error does not keep its type on the way through TVM
            missing.append(name)
            return call
        return EXPRESSIONS[name](dsp, *call.args[1:])

    def statement(node: tirx.Evaluate) -> tirx.Stmt:
        name = name_of(node.value)
        return CALLS[name](*node.value.args[1:]) if name in CALLS else node

    def store(node: tirx.BufferStore) -> tirx.Stmt:
        name = name_of(node.value)
        return STORED[name](node) if name in STORED else node

    body = tvm_ffi.structural_map(
        function.body,
        [(Call, expression), (tirx.Evaluate, statement), (tirx.BufferStore, store)],
        order="post",
    )  # fmt: skip
    if missing:
        raise UnsupportedOpError(
            f"--objects: a kernel calls {missing[0]}, which has no form as an LLVM object\n"
            "  next: compile without --objects"
        )
    return tirx.PrimFunc(function.params, body, function.ret_type, function.attrs)
