"""Rotary embeddings that their one reader computes: no step and no pass over memory of their own.

The reader turns each row when it comes to it, into the place that the step `rotary` would have
filled, and reads it there while it is in the cache; the arithmetic is that of `rotary`. Readers are
attention (its queries) and `append` (new keys of a narrow cache); new keys of a float32 cache are
turned into the cache itself, see `rotary_scatter`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr

from edgemoe import attention_form, graph_facts, rotary_form
from edgemoe.plan import Argument, Pointer
from edgemoe.strided_view import View
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.rotary import STRIDES, Rotary, read, strides_of
from edgemoe.targets.program import Program
from edgemoe.targets.site import Site, shape_of
from edgemoe.targets.spec import Isa

TENSORS = ("x", "cos", "sin")
INTEGERS = ("offset", "turned", *STRIDES)
"""What a reader needs to know, in the order of its integers."""


@dataclass(frozen=True)
class TurnedRows:
    """A rotary embedding that was left to its reader; `strides` by tensor and lead axis."""

    kernel: Rotary
    pointers: tuple[Pointer, ...]  # x, cos, sin
    offset: int
    turned: int
    shape: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]

    def arguments(self, axes: Sequence[int | None]) -> list[Argument]:
        """`INTEGERS` where batch, head and row of the reader are `axes` of the result."""
        found = [0 if a is None else each[a] for each in self.strides for a in axes]
        return [self.offset, self.turned, *found]


def parameters(kernel: Rotary | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """C types of the pointers and of the integers that a reader has for it."""
    if kernel is None:
        return (), ()
    return ("float*",) * len(TENSORS), ("int32_t",) * len(INTEGERS)


def turn(
    kernel: Rotary, isa: Isa, buffers: Mapping[str, tirx.Var], number: Mapping[str, Expr],
    place: tuple[Expr, Expr, Expr], out: tuple[tirx.Var, Expr], width: Expr,
) -> None:  # fmt: skip
    """Emit the row at `place` (batch, head, row) into `out`, a buffer and an element of it."""
    at = {}
    for tensor in TENSORS:
        first = number["offset"] if tensor == "x" else tirx.const(0, "int32")
        for axis, coordinate in zip(("batch", "head", "row"), place, strict=True):
            first = first + coordinate * number[f"{tensor}_{axis}"]
        at[tensor] = tiles.local(first)
    at["out"] = tiles.local(out[1])
    given = {tensor: buffers[tensor] for tensor in TENSORS} | {"out": out[0]}
    half = tiles.local(tirx.truncdiv(number["turned"], 2))
    kernel.head(isa, given, at, half, number["turned"], width)


def left_to_reader(site: Site) -> bool:
    """Leave a rotary embedding to what reads it, where that is one step that can compute it."""
    value = site.node.outputs[0]
    uses = list(value.uses())
    if not site.program.turns_rows or value.is_graph_output() or len(uses) != 1:
        return False
    node, place = uses[0]
    function = site.functions.get(node.op_identifier())
    kind = graph_facts.kind_of(node)
    takes = kind == "Attention" and function is not None and query_axes(function, place) is not None
    takes = takes or (kind == "Append" and place == len(node.outputs))
    if not takes and not scatters_rows(node, place):
        return False
    assert site.function is not None
    found = read(site.function)
    assert found is not None
    shape = shape_of(value)
    views = [found.x, *(rotary_form.table_view(t, len(shape)) for t in (found.cos, found.sin))]
    site.program.quantised["turned", site.outputs[0]] = TurnedRows(
        Rotary(found.partner, found.narrow), tuple(site.pointers([view.base for view in views])),
        found.offset, found.turned, shape,
        tuple(tuple(strides_of(view)[4 - len(shape) :]) for view in views),
    )  # fmt: skip
    return True


def left_at(program: Program, buffer: int) -> TurnedRows | None:
    """What was left to the reader of a buffer, if anything."""
    found: TurnedRows | None = program.quantised.get(("turned", buffer))
    return found


def query_axes(function: ir.Function, place: int) -> list[int | None] | None:
    """The axes of input number `place` that are batch, head and row of the region's queries.

    None where it is not the queries, or not rows of them one by one.
    """
    found = attention_form.read_region(function)
    if found is None or found[0].q.base is not function.inputs[place]:
        return None
    return axes_of(found[0].q)


def axes_of(view: View) -> list[int | None] | None:
    """The axes of the base that are the lead axes of a view of all of it; None: there are none."""
    shape = shape_of(view.base)
    strides = {}
    for axis, extent in enumerate(shape[:-1]):
        if extent > 1:
            strides[_size(shape[axis + 1 :]), extent] = axis
    found: list[int | None] = []
    for axis, extent in enumerate(view.shape[:-1]):
        if extent == 1:
            found.append(None)
            continue
        own = strides.pop((view.stride(axis) or 0, extent), None)
        if own is None:
            return None
        found.append(own)
    last = len(view.dims) - 1
    whole = view.shape[last] == shape[-1] and (shape[-1] == 1 or view.stride(last) == 1)
    padding: list[int | None] = [None] * (3 - len(found))
    return padding + found if whole and not strides else None


def scatters_rows(node: ir.Node, place: int) -> bool:
    """Tell whether input number `place` are new rows of a float32 cache: [T, heads, width]."""
    if node.op_type != "ScatterND" or node.domain not in ("", "ai.onnx") or place != 2:
        return False
    shapes = [graph_facts.shape_of(value) for value in node.inputs]
    cache, places, rows = shapes
    return (
        None not in (cache, places, rows)
        and cache is not None and places is not None and rows is not None
        and len(rows) == 3 and cache[1:] == rows[1:] and places == (rows[0], 1)
        and graph_facts.text_attribute(node, "reduction", "none") == "none"
    )  # fmt: skip


def _size(shape: Sequence[int]) -> int:
    total = 1
    for extent in shape:
        total *= extent
    return total
