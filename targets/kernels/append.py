"""`append`: new rows of a KV cache, rounded to how it is stored, into their places.

A row is the last axis of the cache. Rows that are not written stay as they are: where the state is
updated in place, nothing of them is touched. Rows for the same place are written in their order,
by one task; a row outside the cache is skipped. `edgemoe.kv_cache` is the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.cache_rewrite import AXIS, ORDER, WRITER
from edgemoe.plan import Argument, Pointer
from edgemoe.targets.generic import c_pointer
from edgemoe.targets.kernels import columns, turned_rows
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.copy import Copy
from edgemoe.targets.kernels.narrowing import narrowed
from edgemoe.targets.kernels.quantise_rows import TOGETHER, code_of, store_scale
from edgemoe.targets.kernels.rotary import Rotary
from edgemoe.targets.kernels.scatter_places import inside, wrapped
from edgemoe.targets.kernels.shift import Shift
from edgemoe.targets.kernels.vector_math import typed
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("Append",)


@dataclass(frozen=True)
class Append:
    """The kernel for caches of one dtype.

    Row r of `new` goes to the sum of `depth` places (index times stride), read from the indices
    at r / index_rows * index_step, and of `axes` coordinates (r / divisor % extent, times stride).
    Task (outer, within) has the rows (outer * count + i) * inner + within, i < count. With `turns`,
    a row of `new` is written first, turned by its angles.
    """

    dtype: str
    index: str
    depth: int
    axes: int
    turns: Rotary | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (new, cache, scales?, indices, turned?, then integers as in `build`)."""
        scales = ("float*",) if self.dtype == "int8" else ()
        integers = ("int32_t",) * (5 + 2 * self.depth + 3 * self.axes)
        given, more = turned_rows.parameters(self.turns)
        lead = ("int32_t",) * (0 if self.turns is None else 2)
        stored = (c_pointer(self.dtype), *scales)
        return ("float*", *stored, c_pointer(self.index), *given, *integers, *lead, *more)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        stored = {"int8": "int8"}.get(self.dtype, "uint16")
        names = {"new": "float32", "cache": stored}
        if self.dtype == "int8":
            names["scales"] = "float32"
        names["indices"] = self.index
        turning: tuple[str, ...] = ()
        if self.turns is not None:
            names |= dict.fromkeys(turned_rows.TENSORS, "float32")
            turning = ("turn_heads", "turn_rows", *turned_rows.INTEGERS)
        pairs = [f"{what}{i}" for i in range(self.depth) for what in ("size", "stride")]
        triples = [f"{what}{i}" for i in range(self.axes) for what in ("divisor", "extent", "step")]
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            plain = ("width", "count", "inner", "index_rows", "index_step", *pairs, *triples)
            buffers, (*numbers, begin, end) = tiles.parameters(names, (*plain, *turning))
            width, count, inner, index_rows, index_step = numbers[:5]
            sizes = numbers[5 : 5 + 2 * self.depth]
            axes = numbers[5 + 2 * self.depth : len(plain)]
            turned = dict(zip(turning, numbers[len(plain) :], strict=True))
            with T.serial(begin, end) as task:
                outer = tiles.local(tirx.truncdiv(task, inner))
                within = tiles.local(task - outer * inner)
                with T.serial(0, count) as number:
                    row = tiles.local((outer * count + number) * inner + within)
                    first = tiles.local(tirx.truncdiv(row, index_rows) * index_step)
                    places = [
                        wrapped(buffers["indices"][first + i], sizes[2 * i], self.index)
                        for i in range(self.depth)
                    ]
                    valid = [
                        inside(place, size, self.index)
                        for place, size in zip(places, sizes[::2], strict=True)
                    ]
                    with T.If(tirx.all(*valid) if len(valid) > 1 else valid[0]), T.Then():
                        target = tiles.local(0)
                        for place, stride in zip(places, sizes[1::2], strict=True):
                            target = tiles.local(target + tirx.Cast("int32", place) * stride)
                        for i in range(self.axes):
                            divisor, extent, step = axes[3 * i : 3 * i + 3]
                            at = tirx.truncmod(tirx.truncdiv(row, divisor), extent)
                            target = tiles.local(target + at * step)
                        self._turn(isa, buffers, turned, row, width)
                        self._row(isa, buffers, tiles.local(row * width), target, width)
        return tiles.Built(builder.get())

    def _turn(
        self, isa: Isa, buffers: dict[str, tirx.Var], number: dict[str, Expr], row: Expr,
        width: Expr,
    ) -> None:  # fmt: skip
        """Emit row number `row` of `new` where it is left to this kernel."""
        if self.turns is None:
            return
        rest = tiles.local(tirx.truncdiv(row, number["turn_rows"]))
        place = (
            tiles.local(tirx.truncdiv(rest, number["turn_heads"])),
            tiles.local(tirx.truncmod(rest, number["turn_heads"])),
            tiles.local(row - rest * number["turn_rows"]),
        )
        turned_rows.turn(
            self.turns, isa, buffers, number, place, (buffers["new"], row * width), width
        )

    def _row(
        self, isa: Isa, buffers: dict[str, tirx.Var], source: Expr, target: Expr, width: Expr
    ) -> None:
        """Round one row of `width` elements to row number `target` of the cache."""
        new, cache = buffers["new"], buffers["cache"]
        to = tiles.local(target * width)
        if self.dtype != "int8":
            tiles.for_columns(
                width, isa.lanes,
                lambda j, n: tiles.store(
                    cache, to + j, narrowed(tiles.load(new, source + j, n), n, self.dtype), n
                ),
            )  # fmt: skip
            return
        inverse = store_scale(isa, new, source, width, buffers["scales"], target)

        def codes(j: Expr, n: int) -> None:
            code = code_of(new, source + j, n, inverse)
            tiles.store(cache, to + j, tirx.Cast(typed("int8", n), code), n)

        columns.for_columns(width, isa.lanes, codes, TOGETHER)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Every `Append` that `edgemoe.cache_rewrite` makes is one of the kernel's."""
    del node
    return function is not None and len(function.outputs) in (1, 2)


def lower(site: Site) -> None:
    """Append the steps that keep old rows, and the one that writes new ones."""
    node = site.node
    form = node.metadata_props[WRITER]
    order = [int(axis) for axis in node.metadata_props[ORDER].split(",")]
    axis = int(node.metadata_props[AXIS])
    quantised = len(node.outputs) == 2
    cache, new = node.inputs[0], node.inputs[2 if quantised else 1]
    assert cache is not None and new is not None and cache.dtype is not None
    shape, rows = shape_of(cache), shape_of(new)
    indices = None if form == "Concat" else node.inputs[-1]
    olds = site.pointers([value for value in node.inputs[: 1 + quantised] if value is not None])
    for old, out, value in zip(olds, site.outputs, node.outputs, strict=True):
        assert value.dtype is not None
        itemsize = int(value.dtype.itemsize)
        if indices is None:
            # Windows move along the axis that the writer sees as `axis`.
            Shift.append(site.program, old.buffer, out, shape_of(value), order[axis],
                         rows[axis], itemsize, origin=site.origin, nodes=site.nodes)  # fmt: skip
        else:
            Copy.append(site.program, old.buffer, out, size_of(shape_of(value)) * itemsize,
                        origin=site.origin, nodes=site.nodes)  # fmt: skip
    strides = [size_of(shape[a + 1 : -1]) for a in order[:-1]]
    sizes = [shape[a] for a in order[:-1]]
    places, index, numbers, depth, axes, tasks = _numbers(form, axis, sizes, strides, rows, indices)
    dtype = str(cache.dtype.numpy().name)
    (source,) = site.pointers([new])
    left = turned_rows.left_at(site.program, source.buffer)
    turning: list[Argument] = []
    if left is not None:
        lead = [1, 1, 1, *rows[:-1]][-3:]
        own = [None, None, None, *range(len(rows) - 1)][-3:]
        turning = [*lead[1:], *left.arguments(own)]
    spec = Append(dtype, index, depth, axes, None if left is None else left.kernel)
    outputs = [Pointer(out) for out in site.outputs]
    count = size_of(rows[:-1])
    site.program.step(
        spec, "append",
        [source, *outputs, *site.pointers([places]), *(() if left is None else left.pointers),
         *numbers, *turning],
        tasks=tasks, label=f"append {count} rows of {rows[-1]} as {dtype}", origin=site.origin,
        nodes=site.nodes, nbytes=size_of(rows) * (4 + int(cache.dtype.itemsize)),
        reason=f"the cache is stored as {dtype}" + ("" if left is None else "; rotary embedding"),
    )  # fmt: skip


def _numbers(
    form: str, axis: int, sizes: Sequence[int], strides: Sequence[int], rows: Sequence[int],
    indices: ir.Value | None,
) -> tuple[ir.Value | np.ndarray, str, list[int], int, int, int]:  # fmt: skip
    """(indices, their dtype, integers of the kernel, depth, axes, tasks).

    `sizes` and `strides` (in rows) are those of the axes as the writer sees them, but the last.
    """
    lead, width = list(rows[:-1]), rows[-1]
    if form == "ScatterND":
        assert indices is not None and indices.dtype is not None
        depth = shape_of(indices)[-1]
        count, kept = size_of(shape_of(indices)[:-1]), list(range(depth, len(sizes)))
        lead = [count, *(sizes[a] for a in kept)]
        inner, outer, step = size_of(lead[1:]), 1, depth
        pairs = [n for a in range(depth) for n in (sizes[a], strides[a])]
        places: ir.Value | np.ndarray = indices
        index, index_rows = str(indices.dtype.numpy().name), inner
        numbered = list(enumerate(kept, 1))
    else:
        count, inner, outer = lead[axis], size_of(lead[axis + 1 :]), size_of(lead[:axis])
        pairs, depth, index_rows = [sizes[axis], strides[axis]], 1, 1
        numbered = [(a, a) for a in range(len(lead)) if a != axis]
        if indices is None:
            along = np.arange(sizes[axis] - count, sizes[axis], dtype=np.int64)
            extents = [count if a == axis else 1 for a in range(len(lead))]
            places = np.ascontiguousarray(np.broadcast_to(along.reshape(extents), lead))
            index, step = "int64", 1
        else:
            assert indices.dtype is not None
            places, index, step = indices, str(indices.dtype.numpy().name), width
    triples = []
    for place, a in numbered:
        triples += [size_of(lead[place + 1 :]), lead[place], strides[a]]
    numbers = [width, count, inner, index_rows, step, *pairs, *triples]
    return places, index, numbers, depth, len(numbered), outer * inner
