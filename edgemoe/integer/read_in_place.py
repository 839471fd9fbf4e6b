"""Products of activations read their operands where they lie, through transpositions and repeats.

A key-value cache is [tokens, heads, width]; a head of it is a matrix with a stride, and query heads
that share a key head read the same one:

    Expand(Transpose(cache)), MatMul -> MatMulInPlace(cache) with strides and a `group`

No bit changes. What is no such view stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.integer.operator_table import DOMAIN

Axis = list[tuple[int, int]]
"""(extent, stride) of the parts of one axis, the outermost first; without those of extent 1."""

_VIEWS = ("Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Expand", "Identity")


def read_in_place(graph: ir.Graph) -> int:
    """Replace every `MatMul` whose operands are moved before it; gives how many there were."""
    count = 0
    for node in list(graph):
        if node.domain == DOMAIN and node.op_type == "MatMul":
            count += _replace(graph, node)
    if count:
        remove_dead_nodes(graph)
    return count


def _replace(graph: ir.Graph, node: ir.Node) -> bool:
    a, b = node.inputs[:2]
    assert a is not None and b is not None
    rows, depth = _shape(a)[-2:]
    columns = _shape(b)[-2]
    first = _operand(a, _of_rows) or (a, (rows * depth, depth))
    second = _operand(b, _of_matrices)
    if second is None:
        if first[0] is a or _shape(a)[:-2] != _shape(b)[:-2]:
            return False
        second = (b, (1, columns * depth, depth, 1))
    numbers = {
        "matrices": math.prod(_shape(a)[:-2]), "rows": rows, "columns": columns, "depth": depth,
    }  # fmt: skip
    numbers |= dict(zip(("matrix_a", "row_a"), first[1], strict=True))
    numbers |= dict(zip(("group", "matrix_b", "column_b", "depth_b"), second[1], strict=True))
    old = node.outputs[0]
    new = ir.Value(name=f"{old.name}.placed", shape=old.shape, type=old.type)
    made = ir.Node(
        DOMAIN, "MatMulInPlace", [first[0], second[0], *node.inputs[2:]],
        [*node.attributes.values(), *(ir.AttrInt64(k, v) for k, v in numbers.items())],
        outputs=[new], name=node.name, metadata_props=dict(node.metadata_props),
    )  # fmt: skip
    graph.insert_before(node, made)
    name = old.name
    ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    new.name = name
    return True


def _operand(
    value: ir.Value, strides_of: Callable[[list[Axis]], tuple[int, ...] | None]
) -> tuple[ir.Value, tuple[int, ...]] | None:
    """The value furthest up that `value` is a view of, and its strides; None if there is none."""
    chain: list[ir.Node] = []
    at: ir.Value | None = value
    found = None
    while at is not None and not graph_facts.is_constant(at):
        node = at.producer()
        if node is None or not graph_facts.is_op(node, *_VIEWS):
            break
        chain.insert(0, node)
        at = node.inputs[0]
        if at is None or not any(graph_facts.is_op(n, "Transpose", "Expand") for n in chain):
            continue
        view = _through(chain, at)
        strides = None if view is None else strides_of(view)
        if strides is not None:
            found = (at, strides)
    return found


def _of_rows(view: list[Axis]) -> tuple[int, ...] | None:
    """Strides (matrix, row) of a view whose last axis is contiguous."""
    lead, row, depth = _merged(_joined(view[:-2])), _merged(view[-2]), _merged(view[-1])
    if max(map(len, (lead, row, depth))) > 1 or _stride(depth, 1) != 1:
        return None
    return _stride(lead, 0), _stride(row, 0)


def _of_matrices(view: list[Axis]) -> tuple[int, ...] | None:
    """(group, stride of a matrix, of a column, along the depth) of a view [.., columns, depth]."""
    lead, column, depth = _merged(_joined(view[:-2])), _merged(view[-2]), _merged(view[-1])
    group = 1
    if lead and lead[-1][1] == 0:
        group = lead.pop()[0]
    if max(map(len, (lead, column, depth))) > 1:
        return None
    return group, _stride(lead, 0), _stride(column, 0), _stride(depth, 1)


def _stride(axis: Axis, alone: int) -> int:
    return axis[0][1] if axis else alone


def _joined(axes: Sequence[Axis]) -> Axis:
    return [part for axis in axes for part in axis]


def _merged(axis: Axis) -> Axis:
    found: Axis = []
    for extent, stride in axis:
        if found and found[-1][1] == extent * stride:
            extent *= found.pop()[0]
        found.append((extent, stride))
    return found


def _shape(value: ir.Value) -> tuple[int, ...]:
    shape = graph_facts.shape_of(value)
    assert shape is not None
    return shape


def _through(chain: Sequence[ir.Node], source: ir.Value) -> list[Axis] | None:
    """The axes of the last result of a chain of movements, by their strides in `source`."""
    view: list[Axis] = []
    stride = 1
    for extent in reversed(_shape(source)):
        view.insert(0, [(extent, stride)] if extent > 1 else [])
        stride *= extent
    for node in chain:
        after = _shape(node.outputs[0])
        if graph_facts.is_op(node, "Transpose"):
            view = [view[int(axis)] for axis in node.attributes["perm"].as_ints()]
        elif graph_facts.is_op(node, "Expand"):
            wider: list[Axis] = [[] for _ in range(len(after) - len(view))] + view
            view = [
                [(extent, 0)] if not axis and extent > 1 else axis
                for axis, extent in zip(wider, after, strict=True)
            ]
        else:
            shaped = _reshaped(_joined(view), after)
            if shaped is None:
                return None
            view = shaped
    return view


def _reshaped(parts: Axis, shape: Sequence[int]) -> list[Axis] | None:
    """The same parts in axes of other extents; a part may be split, but not across others."""
    todo, found = list(parts), []
    for extent in shape:
        axis: Axis = []
        while extent > 1:
            if not todo:
                return None
            size, stride = todo.pop(0)
            if extent % size == 0:
                axis.append((size, stride))
                extent //= size
            elif size % extent == 0:
                rest = size // extent
                axis.append((extent, stride * rest))
                todo.insert(0, (rest, stride))
                extent = 1
            else:
                return None
        found.append(axis)
    return found
