"""`scatter`: updates into a copy of a tensor, at places that are data.

ONNX leaves the order of colliding updates open; here they are applied in the order of the indices,
as onnxruntime does, so the last one wins. A place outside the tensor is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer
from edgemoe.targets.generic import c_pointer
from edgemoe.targets.kernels import rotary_scatter, turned_rows
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.copy import Copy
from edgemoe.targets.kernels.scatter_places import inside, wrapped
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("ScatterElements", "ScatterND")

COLUMNS = 64
"""Inner elements of a ScatterND that one task takes."""

_REDUCE: dict[str, Callable[[Expr, Expr], Expr]] = {
    "none": lambda old, new: new,
    "add": lambda old, new: old + new,
    "mul": lambda old, new: old * new,
    "max": tirx.max,
    "min": tirx.min,
}
_DTYPES = frozenset({"float32", "float64", "int32", "int64", "int8", "uint8", "bool"})


@dataclass(frozen=True)
class ScatterElements:
    """One task per column: the updates that differ only in their place along the axis."""

    dtype: str
    index: str
    reduction: str
    axes: int  # the other axes

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (out, indices, updates, then integers as in `build`)."""
        pointers = (c_pointer(self.dtype), c_pointer(self.index), c_pointer(self.dtype))
        return (*pointers, *["int32_t"] * (4 + 3 * self.axes))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        del name, isa
        others = [f"{what}{i}" for i in range(self.axes) for what in ("extent", "read", "write")]
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (count, stride, size, step, *numbers) = tiles.parameters(
                {"out": self.dtype, "indices": self.index, "updates": self.dtype},
                ("count", "stride", "size", "step", *others),
            )
            begin, end = numbers[-2:]
            with T.serial(begin, end) as task:
                rest, source, target = tiles.local(task), tiles.local(0), tiles.local(0)
                for i in reversed(range(self.axes)):
                    extent, read, write = numbers[3 * i : 3 * i + 3]
                    place = tiles.local(tirx.truncmod(rest, extent))
                    source = tiles.local(source + place * read)
                    target = tiles.local(target + place * write)
                    rest = tiles.local(tirx.truncdiv(rest, extent))
                with T.serial(0, count) as j:
                    at = tiles.local(source + j * stride)
                    place = wrapped(buffers["indices"][at], size, self.index)
                    with T.If(inside(place, size, self.index)), T.Then():
                        cell = tiles.local(target + tirx.Cast("int32", place) * step)
                        _update(buffers, self.reduction, cell, at)
        return tiles.Built(builder.get())


@dataclass(frozen=True)
class ScatterRows:
    """ScatterND; one task per block of inner elements, each goes through all indices."""

    dtype: str
    index: str
    reduction: str
    depth: int  # numbers that make up one place

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (out, indices, updates, count, width, extent of each number...)."""
        pointers = (c_pointer(self.dtype), c_pointer(self.index), c_pointer(self.dtype))
        return (*pointers, *["int32_t"] * (2 + self.depth))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (count, width, *numbers) = tiles.parameters(
                {"out": self.dtype, "indices": self.index, "updates": self.dtype},
                ("count", "width", *(f"extent{i}" for i in range(self.depth))),
            )
            begin, end = numbers[-2:]
            with T.serial(begin, end) as task:
                first = tiles.local(task * COLUMNS)
                columns = tiles.local(tirx.min(width - first, COLUMNS))
                with T.serial(0, count) as row:
                    places = [
                        wrapped(buffers["indices"][row * self.depth + i], extent, self.index)
                        for i, extent in enumerate(numbers[: self.depth])
                    ]
                    valid = [
                        inside(p, e, self.index)
                        for p, e in zip(places, numbers[: self.depth], strict=True)
                    ]
                    with T.If(tirx.all(*valid) if len(valid) > 1 else valid[0]), T.Then():
                        place = tiles.local(0)
                        for number, extent in zip(places, numbers[: self.depth], strict=True):
                            place = tiles.local(place * extent + tirx.Cast("int32", number))
                        target = tiles.local(place * width + first)
                        source = tiles.local(row * width + first)
                        with T.serial(0, columns) as j:
                            _update(buffers, self.reduction, target + j, source + j)
        return tiles.Built(builder.get())


def _update(buffers: dict[str, tirx.Var], reduction: str, target: Expr, source: Expr) -> None:
    out, updates = buffers["out"], buffers["updates"]
    T.buffer_store(out, _REDUCE[reduction](out[target], updates[source]), [target])


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the dtypes and the reduction are ones that the kernels have."""
    del function
    x, indices, _ = node.inputs
    shapes = [graph_facts.shape_of(value) for value in node.inputs]
    if x is None or indices is None or x.dtype is None or indices.dtype is None:
        return False
    reduction = graph_facts.text_attribute(node, "reduction", "none")
    dtype = str(x.dtype.numpy().name)
    return (
        all(shape and size_of(shape) for shape in shapes)
        and dtype in _DTYPES and reduction in _REDUCE and (dtype != "bool" or reduction == "none")
        and indices.dtype in (ir.DataType.INT32, ir.DataType.INT64)
    )  # fmt: skip


def lower(site: Site) -> None:
    """Append a copy and the updates of it to the program."""
    x, indices, updates = site.node.inputs
    assert x is not None and indices is not None and updates is not None
    assert x.dtype is not None and indices.dtype is not None
    data, places, changes = site.pointers([x, indices, updates])
    (out,) = site.outputs
    dtype, index = str(x.dtype.numpy().name), str(indices.dtype.numpy().name)
    reduction = graph_facts.text_attribute(site.node, "reduction", "none")
    nbytes = size_of(shape_of(x)) * int(x.dtype.itemsize)
    Copy.append(site.program, data.buffer, out, nbytes, origin=site.origin, nodes=site.nodes)
    left = turned_rows.left_at(site.program, changes.buffer)
    if left is not None:
        rotary_scatter.append(site, left, out, places, index)
        return
    kernel: ScatterElements | ScatterRows
    if site.node.op_type == "ScatterElements":
        numbers, tasks = _columns(site.node, shape_of(x), shape_of(indices))
        kernel = ScatterElements(dtype, index, reduction, len(shape_of(x)) - 1)
    else:
        shape, depth = shape_of(x), shape_of(indices)[-1]
        width = size_of(shape[depth:])
        numbers = [size_of(shape_of(indices)[:-1]), width, *shape[:depth]]
        tasks = -(-width // COLUMNS)
        kernel = ScatterRows(dtype, index, reduction, depth)
    count = size_of(shape_of(updates))
    site.program.step(
        kernel, "scatter", [Pointer(out), places, changes, *numbers], tasks=tasks,
        label=f"scatter {count} elements", origin=site.origin, nodes=site.nodes,
        nbytes=count * int(2 * x.dtype.itemsize + indices.dtype.itemsize),
        reason="places that are data",
    )  # fmt: skip


def _columns(node: ir.Node, data: Sequence[int], indices: Sequence[int]) -> tuple[list[int], int]:
    """The integers of `ScatterElements`, and how many columns there are."""
    rank = len(data)
    axis = graph_facts.axis_of(node, 0, rank)
    read = [int(np.prod(indices[i + 1 :], dtype=np.int64)) for i in range(rank)]
    write = [int(np.prod(data[i + 1 :], dtype=np.int64)) for i in range(rank)]
    numbers = [indices[axis], read[axis], data[axis], write[axis]]
    others = [i for i in range(rank) if i != axis]
    for i in others:
        numbers += [indices[i], read[i], write[i]]
    return numbers, int(np.prod([indices[i] for i in others], dtype=np.int64))
