"""Compute for all rows, under a mask, what is computed for picked rows: nothing picks any more.

How many rows NonZero picks is known at run time only, which no plan can hold. What is an expert is
skipped again where the mask is false; only what no other pass understands is computed in vain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.passes.recognise_scatter_loops import added_by
from edgemoe.picked_rows import NotPicked, PickedRows, coordinates, picking_node
from edgemoe.row_source import moved_source
from edgemoe.zero_scores import is_zero


@dataclass
class Write:
    """A scatter that writes rows where a mask holds.

    `mask` has one element per row of `base`, or [rows, choices] (`turned`: [choices, rows]).
    """

    node: ir.Node
    base: ir.Value
    update: ir.Value  # [n, ...] or what remains of it, flat
    picks: ir.Node  # the NonZero that the update's rows come from
    mask: ir.Value
    rows: int
    choices: int
    turned: bool
    adds: bool


class _NothingAdded(Exception):
    """The rows get zeros added: an expert that does nothing."""


@graph_pass(phase="recognise", after=("recognise_scatter_loops",), exact="reassociation")
def mask_picked_rows(model: ir.Model, context: PassContext) -> int:
    """Replace a write of picked rows by a selection, or a masked sum, over all rows.

    Given:  r = Transpose(NonZero(m: bool[T])); y = ScatterND(a, r, f(GatherND(x, r)))
    Result: y = Where(Unsqueeze(m, 1), f(x), a)
    """
    changes = 0
    for node in list(model.graph):
        if not graph_facts.is_op(node, "ScatterND", "ScatterElements") or not _is_read(node):
            continue
        if picking_node(node.inputs[1]) is None:
            continue
        try:
            changes += _rewrite(_understand(node))
        except _NothingAdded:
            assert node.inputs[0] is not None
            changes += replace(node.outputs[0], node.inputs[0])
        except NotPicked as reason:
            context.notes.append(
                Note("missed", "experts", f"rows that are picked at run time stay picked: {reason}",
                     node.name or "", graph_facts.origin_of(node))
            )  # fmt: skip
            remove_dead_nodes(model.graph)
    return changes


def _is_read(node: ir.Node) -> bool:
    return bool(node.outputs[0].uses()) or node.outputs[0].is_graph_output()


def _understand(node: ir.Node) -> Write:
    base, index, update = node.inputs
    picks = picking_node(index)
    shape = graph_facts.shape_of(base)
    assert base is not None and index is not None and update is not None and picks is not None
    mask = picks.inputs[0]
    own = graph_facts.shape_of(mask)
    if shape is None or own is None or mask is None:
        raise NotPicked(f"{node.name} writes into something without a static shape")
    added = added_by(node)
    adds, update = added is not None, update if added is None else added
    if (adds or is_zero(base)) and is_zero(update):
        raise _NothingAdded
    if not adds and graph_facts.text_attribute(node, "reduction", "none") != "none":
        raise NotPicked(f"{node.name} neither writes nor adds")
    if own == shape and len(shape) > 1 and graph_facts.is_op(node, "ScatterND"):
        return _elementwise(node, base, update, picks, adds)
    numbers = np.indices(own).reshape(len(own), -1)
    written = coordinates(index, picks, numbers)
    if graph_facts.is_op(node, "ScatterElements"):
        written = _whole_rows(node, written, shape)
        # Into zeros, writing is adding. Rows that are written twice have no defined result.
        adds |= is_zero(base) and (len(own) == 2 or _is_added(node))
    if np.array_equal(written, numbers.T) and own == shape[: len(own)]:
        return Write(node, base, update, picks, mask, numbers.shape[1], 1, False, adds)
    if len(own) == 2 and adds:
        for axis in (0, 1):
            rows = own[axis] == shape[0]
            if rows and np.array_equal(written.reshape(-1), numbers[axis]):
                return Write(node, base, update, picks, mask, own[axis], own[1 - axis],
                             bool(axis), adds)  # fmt: skip
    raise NotPicked(f"{node.name} writes to other rows than those that were picked")


def _is_added(node: ir.Node) -> bool:
    user = graph_facts.only_user(node.outputs[0])
    return user is not None and graph_facts.is_op(user, "Add")


def _whole_rows(node: ir.Node, written: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the row numbers [N, 1] of a ScatterElements whose index is one number per row."""
    whole = written.ndim == 2 and written.shape[1] == shape[-1] and len(shape) == 2
    if graph_facts.attribute(node, "axis", 0) != 0 or not whole:
        raise NotPicked(f"{node.name} writes something else than whole rows")
    if not (written == written[:, :1]).all():
        raise NotPicked(f"{node.name} writes something else than whole rows")
    return written[:, :1]


def _elementwise(
    node: ir.Node, base: ir.Value, update: ir.Value, picks: ir.Node, adds: bool
) -> Write:
    """Read a mask over elements, repeated along the rows, with the rows' elements one by one."""
    shape = graph_facts.shape_of(base) or ()
    rows, width = int(np.prod(shape[:-1])), shape[-1]
    elements = picks.inputs[0]
    assert elements is not None
    mask = moved_source(elements, (rows,), lambda a: np.repeat(a, width))
    flat = _without_cut(update)
    while (moved := graph_facts.made_by(flat, *graph_facts.RESHAPES)) is not None:
        if moved.inputs[0] is None or len(moved.inputs[0].shape or ()) > 1:
            break
        flat = moved.inputs[0]
    source = moved.inputs[0] if moved is not None else None
    if mask is None or source is None:
        raise NotPicked(f"{node.name} writes elements under a mask that is not the same for a row")
    source = _narrow(source)
    added = _without_base(source, base, mask)
    source, adds = (source, adds) if added is None else (added, True)
    inner = _picks_behind(source)
    if inner is None or not graph_facts.same_elements(inner.inputs[0] or source, mask):
        raise NotPicked(f"{node.name} writes other rows than those that were picked")
    return Write(node, base, source, inner, mask, rows, 1, False, adds)


def _without_base(value: ir.Value, base: ir.Value, mask: ir.Value) -> ir.Value | None:
    """Return v where `value` is base[mask] + v."""
    total = graph_facts.made_by(value, "Add")
    if total is None:
        return None
    for old, new in (total.inputs, tuple(reversed(total.inputs))):
        gather = graph_facts.made_by(old, "GatherND")
        if gather is None or gather.inputs[0] is not base or gather.inputs[1] is None:
            continue
        picks = picking_node(gather.inputs[1])
        elements = picks.inputs[0] if picks is not None else None
        own = graph_facts.shape_of(elements)
        if picks is None or elements is None or own is None:
            continue
        if not graph_facts.same_elements(elements, mask):
            continue
        numbers = np.indices(own).reshape(len(own), -1)
        if np.array_equal(coordinates(gather.inputs[1], picks, numbers), numbers.T):
            return new
    return None


def _without_cut(flat: ir.Value) -> ir.Value:
    """Look through a slice that keeps as many elements as are written: all of them."""
    node = graph_facts.made_by(flat, "Slice")
    if node is None or node.inputs[0] is None or graph_facts.ints_of(node.inputs[1]) != [0]:
        return flat
    by_count = not graph_facts.is_constant(node.inputs[2])
    return node.inputs[0] if by_count and len(node.inputs[0].shape or ()) == 1 else flat


def _picks_behind(value: ir.Value) -> ir.Node | None:
    """Return the one NonZero that the rows of a value come from."""
    found = {
        picks for node in graph_facts.ancestors([value])
        if graph_facts.is_op(node, "GatherND", "Gather")
        and (picks := picking_node(node.inputs[1])) is not None
    }  # fmt: skip
    return found.pop() if len(found) == 1 else None


def _rewrite(write: Write) -> int:
    emit = Emitter(write.node)
    shape = graph_facts.shape_of(write.base)
    assert shape is not None
    result = _masked(emit, write, shape) if write.choices == 1 else _summed(emit, write, shape)
    return int(replace(write.node.outputs[0], result))


def _masked(emit: Emitter, write: Write, shape: tuple[int, ...]) -> ir.Value:
    own = graph_facts.shape_of(write.picks.inputs[0]) or ()
    numbers = np.indices(own).reshape(len(own), -1)
    body, factors = _split(write.update) if write.adds else (write.update, [])
    rows, per_row = PickedRows(emit, write.picks, numbers), _per_row(shape, write.rows)
    dense = rows.lift(body)
    if graph_facts.size_of(dense) != int(np.prod(shape)):
        raise NotPicked(f"{write.node.name} writes rows of another width")
    mask = emit.reshape(write.mask, *per_row)
    dense = emit.reshape(dense, *shape)
    if not write.adds:
        return emit.op("Where", mask, dense, write.base)
    weights = emit.cast(mask, dense.dtype or ir.DataType.FLOAT)
    for factor in factors:
        weights = emit.op("Mul", weights, emit.reshape(rows.lift(factor), *per_row))
    return emit.op("Add", write.base, _weighed(emit, dense, weights))


def _per_row(shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
    lead = 1
    while int(np.prod(shape[:lead])) != rows:
        lead += 1
    return (*shape[:lead], *(1 for _ in shape[lead:]))


def _summed(emit: Emitter, write: Write, shape: tuple[int, ...]) -> ir.Value:
    """Sum over the choices of a token: the expert once, times the sum of its weights."""
    tokens, choices = write.rows, write.choices
    axis = 1 if write.turned else 0
    body, factors = _split(write.update)
    first = np.zeros((2, tokens), np.int64)
    first[axis] = np.arange(tokens)
    last = first.copy()
    last[1 - axis] = choices - 1
    for index in _indices(body):
        one, other = (coordinates(index, write.picks, numbers) for numbers in (first, last))
        if not np.array_equal(one, other):
            raise NotPicked(f"{write.node.name}: the experts see more of a choice than its token")
    dense = emit.reshape(PickedRows(emit, write.picks, first).lift(body), *shape)
    every = np.indices((tokens, choices)).reshape(2, -1)
    pairs = PickedRows(emit, write.picks, every[::-1].copy() if write.turned else every)
    mask = emit.op("Transpose", write.mask, perm=[1, 0]) if write.turned else write.mask
    dtype = dense.dtype or ir.DataType.FLOAT
    weights = emit.cast(mask, dtype)
    for factor in factors:
        weights = emit.op("Mul", weights, emit.reshape(pairs.lift(factor), tokens, choices))
    total = emit.op("ReduceSum", weights, emit.ints(1), keepdims=1)
    return emit.op("Add", write.base, _weighed(emit, dense, total))


def _weighed(emit: Emitter, rows: ir.Value, weights: ir.Value) -> ir.Value:
    """Emit rows * weights, 0 where the weight is 0: rows that nobody picked may hold NaN."""
    zero = emit.constant(np.array(0, (weights.dtype or ir.DataType.FLOAT).numpy()), "zero")
    nothing = emit.op("Equal", weights, zero)
    return emit.op("Where", nothing, zero, emit.op("Mul", rows, weights))


def _split(value: ir.Value) -> tuple[ir.Value, list[ir.Value]]:
    """Take factors [n, 1] off a product."""
    factors: list[ir.Value] = []
    value = _narrow(value)
    while (product := graph_facts.made_by(value, "Mul")) is not None:
        first, second = product.inputs
        narrow = [v for v in (first, second) if v is not None and _is_column(v)]
        if len(narrow) != 1 or first is None or second is None:
            break
        factors.append(narrow[0])
        value = second if narrow[0] is first else first
    return value, factors


def _narrow(value: ir.Value) -> ir.Value:
    """Look through an Expand that keeps the shape."""
    node = graph_facts.made_by(value, "Expand")
    source = node.inputs[0] if node is not None else None
    if source is None or source.shape is None or value.shape is None:
        return value
    return source if list(source.shape)[1:] == list(value.shape)[1:] else value


def _is_column(value: ir.Value) -> bool:
    while (node := graph_facts.made_by(value, "Reshape")) is not None and node.inputs[0]:
        if value.shape is None or all(isinstance(extent, int) for extent in value.shape):
            break
        value = node.inputs[0]  # of unknown shape: the exporter computes it
    shape = value.shape
    return shape is not None and len(shape) == 2 and shape[1] == 1


def _indices(value: ir.Value) -> list[ir.Value]:
    return [
        node.inputs[1] for node in graph_facts.ancestors([value])
        if graph_facts.is_op(node, "GatherND", "Gather")
        and node.inputs[1] is not None and picking_node(node.inputs[1]) is not None
    ]  # fmt: skip
