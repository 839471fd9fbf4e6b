"""The default CPU schedule for functions that TVM made: everything without a kernel of ours.

A function is split into its loop nests, one kernel each, after producers without reductions have
been inlined; what lies between the nests becomes a buffer that the memory plan places. The tasks
of a kernel are the iterations of its outer spatial loops; the innermost loop is left to LLVM's
vectoriser.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tvm
import tvm_ffi
from tvm import s_tir, tirx
from tvm.ir import Expr

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels import vector_math as vm
from edgemoe.targets.spec import Isa

CHUNK = 1024
"""Iterations of one task where a kernel has a single loop."""


@dataclass(frozen=True)
class Nest:
    """One loop nest of a function as a kernel of its own; one per distinct text."""

    text: str
    function: tirx.PrimFunc
    tasks: int
    parameters: tuple[str, ...]

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nest) and self.text == other.text

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        del name, isa
        return tiles.Built(with_own_math(self.function))


@dataclass(frozen=True)
class NestCall:
    """A nest with what it works on.

    `buffers` are numbers: those below the parameter count of the function are its parameters, the
    others index `Split.temporaries`. `written` are the positions of results; `in_place` are the
    positions of inputs of which each element is read only where it is written.
    """

    nest: Nest
    buffers: tuple[int, ...]
    written: tuple[int, ...]
    in_place: tuple[int, ...]
    macs: int


@dataclass(frozen=True)
class Split:
    """A function as a list of nests; `temporaries` are (shape, dtype) of what lies between."""

    calls: tuple[NestCall, ...]
    temporaries: tuple[tuple[tuple[int, ...], str], ...]


def split(function: tirx.PrimFunc, *, elements: bool = False) -> Split:
    """Schedule `function` (static shapes) and cut it into nests.

    With `elements` every element of a result is a task of its own, as a GPU wants it.
    """
    schedule = s_tir.Schedule(tvm.IRModule({"main": function}))
    _inline(schedule)
    function = schedule.mod["main"]
    root = function.body.block
    nests = list(root.body.seq) if isinstance(root.body, tirx.SeqStmt) else [root.body]
    numbers = {buffer: i for i, buffer in enumerate(function.params)}
    temporaries = []
    for buffer in root.alloc_buffers:
        numbers[buffer] = len(numbers)
        temporaries.append((tuple(int(d) for d in buffer.shape), str(buffer.dtype)))
    return Split(tuple(_nest(nest, numbers, elements) for nest in nests), tuple(temporaries))


def _inline(schedule: s_tir.Schedule) -> None:
    """Compute producers without reductions where their results are used."""
    done = False
    while not done:
        done = True
        for block in schedule.get_child_blocks(schedule.get_sblock("root")):
            for inline in (schedule.compute_inline, schedule.reverse_compute_inline):
                try:
                    inline(block)
                except s_tir.ScheduleError:
                    continue
                done = False
                break
            if not done:
                break


def _nest(nest: tirx.Stmt, numbers: dict[tirx.Var, int], elements: bool) -> NestCall:
    blocks = _find(nest, s_tir.SBlock)
    reads = {region.source for block in blocks for region in block.reads}
    writes = {region.source for block in blocks for region in block.writes}
    order = sorted(reads | writes, key=lambda b: numbers[b])
    function = tirx.PrimFunc(order, _root(nest)).with_attr("s_tir", True)
    function = function.with_attr("tirx.noalias", True)
    schedule = s_tir.Schedule(tvm.IRModule({"main": function}))
    tasks = _schedule(schedule, elements)
    kernel = _with_task_range(schedule.mod["main"], tasks)
    block = blocks[0]
    return NestCall(
        Nest(
            str(kernel.script(show_meta=False)), kernel, tasks or 1,
            tuple(c_pointer(str(buffer.dtype)) for buffer in order),
        ),
        tuple(numbers[b] for b in order),
        tuple(order.index(b) for b in writes),
        tuple(order.index(b) for b in _in_place(block)) if len(blocks) == 1 else (),
        _macs(nest, block),
    )  # fmt: skip


def _root(nest: tirx.Stmt) -> s_tir.SBlockRealize:
    return s_tir.SBlockRealize([], True, s_tir.SBlock([], [], [], "root", nest))


def _find(stmt: tirx.Stmt, kind: type) -> list[tvm.ir.Node]:
    found: list[tvm.ir.Node] = []
    tvm_ffi.structural_walk(stmt, [(kind, found.append)], order="pre")
    return found


def _in_place(block: s_tir.SBlock) -> list[tirx.Var]:
    """Inputs of which each element is read exactly where the result is written."""
    if len(block.writes) != 1:  # ArgMax: a value and its place
        return []
    (write,) = block.writes
    if any(v.iter_type != tirx.IterVar.DataPar for v in block.iter_vars):
        return []
    return [
        read.source
        for read in block.reads
        if read.source.dtype == write.source.dtype
        and tvm_ffi.structural_equal(read.source.shape, write.source.shape)
        and tvm_ffi.structural_equal(read.region, write.region)
    ]


def _macs(nest: tirx.Stmt, block: s_tir.SBlock) -> int:
    """Iterations of a reduction that multiplies; 0 for all else."""
    if block.init is None or not _find(block.body, tirx.Mul):
        return 0
    count = 1
    for loop in _find(nest, tirx.For):
        count *= int(loop.extent)
    return count


def _schedule(schedule: s_tir.Schedule, elements: bool) -> int:
    """Order and fuse the loops of the one nest; returns the tasks, 0 if it must run as one."""
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    if len(blocks) != 1:
        return 0
    loops = schedule.get_loops(blocks[0])
    block = schedule.get(blocks[0])
    realize = _find(schedule.mod["main"].body.block.body, s_tir.SBlockRealize)[0]
    if len(loops) != len(block.iter_vars) or len(block.writes) != 1:
        return 0
    variables = [schedule.get(loop).loop_var for loop in loops]
    spatial: list[s_tir.schedule.LoopRV] = []
    reduction: list[s_tir.schedule.LoopRV] = []
    for iter_var, value in zip(block.iter_vars, realize.iter_values, strict=True):
        matches = [i for i, v in enumerate(variables) if v.same_as(value)]
        if not matches:
            return 0
        kind = spatial if iter_var.iter_type == tirx.IterVar.DataPar else reduction
        kind.append(loops[matches[0]])
    if not spatial:
        return 0
    if elements:
        schedule.reorder(*spatial, *reduction)
        first = schedule.fuse(*spatial)
        if reduction:
            schedule.decompose_reduction(blocks[0], reduction[0])
        return int(schedule.get(first).extent)
    if reduction:
        vectorised = len(spatial) > 1 and _contiguous_in(block, len(spatial) - 1)
        inner = spatial[-1:] if vectorised else []
        outer = spatial[: len(spatial) - len(inner)]
        schedule.reorder(*outer, *reduction, *inner)
        first = schedule.fuse(*outer)
        schedule.decompose_reduction(blocks[0], reduction[0])
        return int(schedule.get(first).extent)
    if len(spatial) > 1:
        first = schedule.fuse(*spatial[:-1])
        if int(schedule.get(first).extent) > 1:
            return int(schedule.get(first).extent)
        first = schedule.fuse(first, spatial[-1])
    else:
        first = spatial[0]
    extent = int(schedule.get(first).extent)
    chunk = next(c for c in range(min(CHUNK, extent), 0, -1) if extent % c == 0)
    if chunk < 64:
        return extent
    outer_loop, _ = schedule.split(first, [extent // chunk, chunk])
    return int(schedule.get(outer_loop).extent)


def _contiguous_in(block: s_tir.SBlock, axis: int) -> bool:
    """Tell whether some input is read along its last axis by spatial axis `axis`."""
    spatial = [v.var for v in block.iter_vars if v.iter_type == tirx.IterVar.DataPar]
    return any(
        len(read.region) > 0 and read.region[-1].min.same_as(spatial[axis]) for read in block.reads
    )


def _with_task_range(function: tirx.PrimFunc, tasks: int) -> tirx.PrimFunc:
    """Let the outer loop run over [begin, end), two new parameters."""
    begin, end = (tirx.Var(name, "int32") for name in ("begin", "end"))
    body = function.body.block.body
    if tasks and isinstance(body, tirx.For):
        dtype = str(body.loop_var.ty)
        start = tirx.Cast(dtype, begin) if dtype != "int32" else begin
        stop = tirx.Cast(dtype, end) if dtype != "int32" else end
        body = tirx.For(body.loop_var, start, stop - start, tirx.ForKind.SERIAL, body.body)
    else:
        task = tirx.Var("task", "int32")
        body = tirx.For(task, begin, end - begin, tirx.ForKind.SERIAL, body)
    return tirx.PrimFunc(
        [*function.params, begin, end], _root(body), function.ret_type, function.attrs
    )


def c_pointer(dtype: str) -> str:
    """C type of a pointer to elements of `dtype`."""
    names = {"float32": "float", "float64": "double", "bool": "int8_t", "bfloat16": "uint16_t",
             "float16": "uint16_t"}  # fmt: skip
    return f"{names.get(dtype, dtype + '_t')}*"


MATH: dict[str, Callable[[Expr], Expr]] = {
    "exp": vm.exp,
    "tanh": vm.tanh,
    "erf": vm.erf,
    "sigmoid": vm.sigmoid,
}
"""Functions that replace those of libm, by the name of TVM's operator."""


def with_own_math(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """Replace float32 calls of libm, which do not vectorise, by polynomials."""

    def replace(call: tvm.ir.Call) -> Expr:
        name = str(getattr(call.op, "name", "")).removeprefix("tirx.")
        if name in MATH and str(call.ty) == "float32":
            return MATH[name](*call.args)
        return call

    body = tvm_ffi.structural_map(function.body, (tvm.ir.Call, replace), order="post")
    function = tirx.PrimFunc(function.params, body, function.ret_type, function.attrs)
    # A call that stood in two places left one `Let` in both; every variable must be bound once.
    return tirx.transform.ConvertSSA()(tvm.IRModule({"main": function}))["main"]
