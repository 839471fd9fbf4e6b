"""From one TensorIR function with thread bindings to the source of one kernel.

TVM writes OpenCL C and WGSL. Its host side is not used: sizes are constants, so a kernel has
pointers only, in the order of its parameters, and a step is one number of work-groups.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import PointerType, PrimType, Var
from tvm.tirx.buffer import BufferType
from tvm.tirx.build import codegen_build

from edgemoe.targets.codegen import LOWER_LOOPS, without_blocks
from edgemoe.targets.gpu.narrow import narrowed
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels.gpu.integer_tile import DOT
from edgemoe.targets.kernels.gpu.weights import HALVES
from edgemoe.targets.literals import Literals

# No ThreadSync: kernels say themselves where threads wait. It would add barriers in places that
# not all threads reach.
_SPLIT = [tirx.transform.AnnotateEntryFunc(), tirx.transform.SplitHostDevice()]

MOST_GROUPS = 65535
"""Work-groups along one axis in WebGPU; more are folded into the third."""


def source_of(
    name: str, function: tirx.PrimFunc, device: Graphics, read_only: Sequence[int]
) -> str:
    """The source text of kernel `name`; `read_only` are positions of parameters, see `Kernel`."""
    kind = {"opencl": "opencl", "wgsl": "webgpu"}[device.language]
    target = tvm.target.Target(kind, host="llvm")
    function = _numbered(narrowed(function)).with_attr("global_symbol", name)
    module = tirx.transform.BindTarget(target)(tvm.IRModule({name: function}))
    module = tvm.ir.transform.Sequential(LOWER_LOOPS)(without_blocks(module))
    module = tvm.ir.transform.Sequential(_SPLIT)(module)
    (kernel,) = (
        var
        for var, part in module.functions_items()
        if part.attrs.get("tirx.is_global_func", False) and part.attrs["target"].host is None
    )
    module = tirx.transform.LowerIntrin()(tvm.IRModule({kernel: module[kernel]}))
    literals = Literals()
    groups = _groups_of(module[kernel])
    module = tvm.IRModule({kernel: _exact(module[kernel], literals)})
    text = str(codegen_build(module, tvm.target.Target(kind)).inspect_source(""))
    text = literals.restore(text.replace(kernel.name_hint, name))
    # The shortest decimal of the largest float is larger than it, which WGSL does not accept.
    text = text.replace("3.4028235e+38", "3.4028234e+38")
    text = _with_own(text, device.language)
    assert all(f"p{i:02}" in text for i in range(len(function.params))), f"{name} lost a parameter"
    if device.language == "opencl":
        return _opencl(text, name, read_only)
    return _wgsl(text, groups, read_only)


_OPENCL_DOT = f"""\
#ifdef cl_khr_integer_dot_product
#pragma OPENCL EXTENSION cl_khr_integer_dot_product : enable
#define {DOT}(a, b) dot_4x8packed_ss_int(a, b)
#else
inline int {DOT}(uint a, uint b)
{{
  char4 x = as_char4(a), y = as_char4(b);
  return x.s0 * y.s0 + x.s1 * y.s1 + x.s2 * y.s2 + x.s3 * y.s3;
}}
#endif
"""


# Of OpenCL C itself: cl_khr_fp16 is for arithmetic alone.
_OPENCL_HALVES = f"inline float2 {HALVES}(uint a) {{ return vload_half2(0, (const half *)&a); }}\n"

_OWN: dict[str, tuple[str, str]] = {
    DOT: (_OPENCL_DOT, "dot4I8Packed"), HALVES: (_OPENCL_HALVES, "unpack2x16float"),
}  # fmt: skip
"""Of functions that kernels call: their text in OpenCL C, their name in WGSL."""


def _with_own(text: str, language: str) -> str:
    """`text` with the language's own product of four int8, and its own halves of a word."""
    for name, (source, wgsl) in _OWN.items():
        if f"{name}(" in text:
            text = source + text if language == "opencl" else text.replace(name, wgsl)
    return text


def _groups_of(function: tirx.PrimFunc) -> int:
    """Work-groups of a launch."""
    found: list[int] = []

    def visit(node: tirx.AttrStmt) -> None:
        if node.attr_key == "thread_extent" and node.node.thread_tag == "blockIdx.x":
            found.append(int(node.value))

    tvm_ffi.structural_walk(function.body, [(tirx.AttrStmt, visit)], order="pre")
    return found[0] if found else 1


def _numbered(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The same with pointers, named so that alphabetical order is theirs: TVM sorts them."""
    renamed: dict[Var, Var] = {}
    parameters, declared = [], []
    for number, parameter in enumerate(function.params):
        given = parameter.ty
        if isinstance(given, BufferType):
            given = PointerType(PrimType(str(parameter.dtype)), "global")
        pointer = Var(f"p{number:02}", given)
        parameters.append(pointer)
        if isinstance(parameter.ty, BufferType):
            declared.append(tirx.DeclBuffer(parameter, data=pointer))
        else:
            renamed[parameter] = pointer
    body = tvm_ffi.structural_map(function.body, (Var, lambda v: renamed.get(v, v)), order="post")
    body = _declare(body, declared) if declared else body
    return tirx.PrimFunc(parameters, body, function.ret_type, function.attrs)


def _declare(body: tirx.Stmt, buffers: Sequence[tirx.Stmt]) -> tirx.Stmt:
    """Declare buffers inside of the launch: outside, they would become parameters themselves."""
    if isinstance(body, tirx.AttrStmt) and body.attr_key == "thread_extent":
        inner = _declare(body.body, buffers)
        return tirx.AttrStmt(body.node, body.attr_key, body.value, inner)
    return tirx.SeqStmt([*buffers, body])


def _exact(function: tirx.PrimFunc, literals: Literals) -> tirx.PrimFunc:
    """Constants as place holders, where TVM would write another number or what is not valid."""

    def number(node: tirx.FloatImm) -> Any:
        return literals.call(node) if str(node.ty) == "float32" else node

    def integer(node: tirx.IntImm) -> Any:
        # WGSL reads the sign as an operator on a literal that is too large.
        if str(node.ty) == "int32" and int(node.value) == -(1 << 31):
            return tirx.reinterpret("int32", tirx.const(1 << 31, "uint32"))
        return node

    body = tvm_ffi.structural_map(
        function.body, [(tirx.FloatImm, number), (tirx.IntImm, integer)], order="post"
    )
    return tirx.PrimFunc(function.params, body, function.ret_type, function.attrs)


def _opencl(text: str, name: str, read_only: Sequence[int]) -> str:
    prototype = re.compile(rf"__kernel void {name}\(.*\);$")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("//"))
    text = "\n".join(line for line in lines if not prototype.match(line)) + "\n"
    # Bits in another type, without a pointer that would keep the value in memory.
    text = re.sub(r"\(\*\((float|int|uint) \*\)\(&\((\w+)\)\)\)", r"as_\1(\2)", text)
    for position in read_only:
        pattern = rf"__global (\w+)\* restrict (p{position:02})\b"
        text = re.sub(pattern, r"__global const \1* restrict \2", text)
    return text


_PODS = re.compile(
    r"struct PODArgs \{\s*packGridDimX: u32\s*\}\n@group\(0\) @binding\(\d+\) "
    r"var<uniform> podArgs : PODArgs;\n"
)


def _wgsl(text: str, groups: int, read_only: Sequence[int]) -> str:
    text, count = _PODS.subn("", text)
    assert count == 1, "TVM passes more to a kernel than its buffers"
    flat = "blockIdx.z * gridDim.x + blockIdx.x"
    if groups <= MOST_GROUPS:
        text = text.replace(f"  if ({flat} > podArgs.packGridDimX) {{ return; }}\n", "")
        text = text.replace(f"({flat})", "(blockIdx.x)")
    text = text.replace("podArgs.packGridDimX", f"{groups - 1}u")

    def access(match: re.Match[str]) -> str:
        given = "read" if int(match[2]) in read_only else "read_write"
        return f"{match[1]}var<storage, {given}> p{match[2]}"

    text = re.sub(r"(@group\(0\) @binding\(\d+\) )var<storage, \w+> p(\d\d)", access, text)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("//")]
    if "subgroupShuffle" in text:
        lines.insert(0, "enable subgroups;")
    return "\n".join(lines) + "\n"
