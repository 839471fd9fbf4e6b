"""From TensorIR functions to one object file of plain C functions per instruction set.

TVM's own pipeline ends in `MakePackedAPI`, which ties every kernel to its runtime. This one ends
in functions with pointer and integer parameters, so that the object needs nothing but libc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tvm
from tvm import s_tir, tirx
from tvm.ir import PointerType, PrimType
from tvm.tirx.buffer import BufferType
from tvm.tirx.build import codegen_build

from edgemoe.targets.kernels.tile import Built
from edgemoe.targets.spec import Isa

MAX_STACK_BYTES = 4096
"""Largest stack array in a kernel; bigger temporaries are placed by the memory plan."""

_LOWER_BLOCKS = [
    s_tir.transform.CanonicalizeLoop(),
    s_tir.transform.LowerInitBlock(),
    s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
    s_tir.transform.ConvertBlocksToOpaque(),
    s_tir.transform.CompactBufferAllocation(),
    s_tir.transform.LowerMatchBuffer(),
    s_tir.transform.StmtSimplify(),
    s_tir.transform.LowerOpaqueBlock(),
]
_LOWER_LOOPS_ONLY = [s_tir.transform.CanonicalizeLoop(), s_tir.transform.StmtSimplify()]
"""Those of `_LOWER_BLOCKS` that do something where there are no blocks."""

# Of CPUs and GPUs. No StorageRewrite: it lets arrays share memory, also a tile's sums with the
# array that is handed to its epilogue. LLVM cannot keep such sums in registers; apart, it promotes
# them.
LOWER_LOOPS = [
    tirx.transform.FlattenBuffer(),
    tirx.transform.BF16ComputeLegalize(),
    tirx.transform.NarrowDataType(32),
    tirx.transform.VectorizeLoop(True),
    tirx.transform.UnrollLoop(),
    tirx.transform.StmtSimplify(),
    tirx.transform.RemoveNoOp(),
    s_tir.transform.RewriteUnsafeSelect(),
    tirx.transform.CommonSubexprElim(),
]
_FINISH = [tirx.transform.BF16StorageLegalize(), tirx.transform.LowerIntrin()]


def target_of(isa: Isa) -> tvm.target.Target:
    """The TVM target that generates code for `isa`."""
    return tvm.target.Target(
        {"kind": "llvm", "mtriple": isa.triple, "mcpu": isa.cpu, "mattr": list(isa.features)}
    )


def compile_kernels(kernels: Mapping[str, Built], isa: Isa, folder: Path) -> list[Path]:
    """Write object files with one C function `name__isa` per kernel; returns their paths."""
    main = {name: built.main for name, built in kernels.items()}
    stores = {name: f for built in kernels.values() for name, f in built.stores.items()}
    tiles = {name: f for built in kernels.values() for name, f in built.tiles.items()}
    paths = []
    for part, functions in (("kernels", main), ("tiles", tiles), ("stores", stores)):
        if functions:
            paths.append(folder / f"{part}_{isa.name}.o")
            compile_functions(functions, isa, paths[-1])
    return paths


def compile_functions(functions: Mapping[str, tirx.PrimFunc], isa: Isa, out: Path) -> None:
    """Write the object file `out` with one C function `name__isa` per entry of `functions`.

    Buffer parameters become pointers. A file that ends in `.s` gets assembly.
    """
    target = target_of(isa)
    named = {isa.symbol(name): function for name, function in functions.items()}
    built = codegen_build(lowered(named, target), target)
    built.write_to_file(str(out), out.suffix.removeprefix("."))


def lowered(functions: Mapping[str, tirx.PrimFunc], target: tvm.target.Target) -> tvm.IRModule:
    """Functions by symbol, ready for the code generator of `target`."""
    module = tvm.IRModule(
        {name: function.with_attr("global_symbol", name) for name, function in functions.items()}
    )
    module = tirx.transform.BindTarget(target.with_host(target))(module)
    module = without_blocks(module)
    module = tvm.IRModule(
        {var: _with_pointers(function) for var, function in module.functions_items()}
    )
    module = tvm.ir.transform.Sequential(LOWER_LOOPS)(module)
    # A target without a host marks the functions as lowered: no packed entry is made for them.
    module = tvm.IRModule(
        {var: function.with_attr("target", target) for var, function in module.functions_items()}
    )
    module = tvm.ir.transform.Sequential(_FINISH)(module)
    check_stack(module)
    return module


def without_blocks(module: tvm.IRModule) -> tvm.IRModule:
    """Lower the blocks of TVM's own functions.

    Kernels that are written as loops have none. The passes that look for blocks would change
    nothing in them, and take most of the time of a compilation.
    """
    made = tvm.IRModule({})
    for has_blocks in (True, False):
        own = {v: f for v, f in module.functions_items() if _has_blocks(f) == has_blocks}
        passes = _LOWER_BLOCKS if has_blocks else _LOWER_LOOPS_ONLY
        if own:
            made.update(tvm.ir.transform.Sequential(passes)(tvm.IRModule(own)))
    return made


def _has_blocks(function: tirx.PrimFunc) -> bool:
    import tvm_ffi

    found: list[s_tir.SBlock] = []
    tvm_ffi.structural_walk(function.body, [(s_tir.SBlock, found.append)], order="pre")
    return bool(found)


def _with_pointers(function: tirx.PrimFunc) -> tirx.PrimFunc:
    parameters, declarations = [], []
    for parameter in function.params:
        if isinstance(parameter.ty, BufferType):
            element = PointerType(PrimType(str(parameter.dtype)), "global")
            pointer = tirx.Var(f"{parameter.name}_pointer", element)
            parameters.append(pointer)
            declarations.append(tirx.DeclBuffer(parameter, data=pointer))
        else:
            parameters.append(parameter)
    if not declarations:
        return function
    body = tirx.SeqStmt([*declarations, function.body])
    return tirx.PrimFunc(parameters, body, function.ret_type, function.attrs)


def check_stack(module: tvm.IRModule) -> None:
    """Refuse kernels whose temporaries do not fit `MAX_STACK_BYTES` each: a compiler fault."""
    for var, function in module.functions_items():
        for name, nbytes in stack_arrays(function):
            if nbytes > MAX_STACK_BYTES:
                raise AssertionError(
                    f"kernel {var.name_hint}: temporary {name} takes {nbytes} B of stack, "
                    f"the limit is {MAX_STACK_BYTES} B; pass it as a scratch parameter"
                )


def stack_arrays(function: tirx.PrimFunc) -> Sequence[tuple[str, int]]:
    """Name and bytes of every array that `function` allocates (static sizes only)."""
    import tvm_ffi

    found: list[tuple[str, int]] = []

    def visit(node: tirx.AllocBuffer) -> None:
        nbytes = (tvm.DataType(str(node.buffer.dtype)).bits + 7) // 8
        for extent in node.buffer.shape:
            nbytes *= int(extent)
        found.append((str(node.buffer.name), nbytes))

    tvm_ffi.structural_walk(function.body, [(tirx.AllocBuffer, visit)], order="pre")
    return found
