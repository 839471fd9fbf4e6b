"""Prove where the rows of a value come from, by sending index numbers through the data movement."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts


def repeated_rows(value: ir.Value, tokens: int, chosen: int) -> ir.Value | None:
    """Find x [tokens, w] such that row t * chosen + j of `value` [tokens * chosen, w] is x[t].

    Everything between x and `value` must move data without looking at it, so running it on the
    numbers 0, 1, 2, ... proves the claim. Returns None when there is no such x; the result may
    have another shape than [tokens, w], but has its elements in order.
    """
    size = graph_facts.size_of(value)
    if size is None or size % (tokens * chosen):
        return None
    width = size // (tokens * chosen)
    for candidate in _sources(value):
        if graph_facts.size_of(candidate) == tokens * width and _repeats(
            candidate, value, tokens, chosen
        ):
            return with_shape(candidate, (tokens, width))
    return None


def gathered_ids(node: ir.Node, *, rank: int) -> ir.Value | None:
    """Return the run-time ids by which a constant of this rank is gathered along its first axis."""
    if not graph_facts.is_op(node, "Gather", "GatherND"):
        return None
    data, ids = node.inputs[0], node.inputs[1]
    if data is None or ids is None or not graph_facts.is_constant(data):
        return None
    if graph_facts.is_constant(ids) or len(graph_facts.shape_of(data) or ()) != rank:
        return None
    shape = graph_facts.shape_of(ids)
    if shape is None:
        return None
    if node.op_type == "Gather":
        return ids if graph_facts.axis_of(node, 0, rank) == 0 else None
    plain = graph_facts.attribute(node, "batch_dims", 0) == 0
    return ids if plain and shape and shape[-1] == 1 else None


def moved_source(
    value: ir.Value, shape: tuple[int, ...], expected: Callable[[np.ndarray], np.ndarray]
) -> ir.Value | None:
    """Find what `value` is `expected` of: a source of this shape, proven by moving numbers.

    The elements of `value` are compared in order, whatever its shape; so are those of the source.
    """
    count = int(np.prod(shape))
    numbers = np.arange(count, dtype=np.int64)
    wanted = expected(numbers.reshape(shape)).reshape(-1)
    for source in _sources(value):
        own = graph_facts.shape_of(source)
        if own is None or int(np.prod(own)) != count:
            continue
        moved = constant_eval.evaluate([value], {source: numbers.reshape(own)})[0]
        if np.array_equal(moved.reshape(-1), wanted):
            return with_shape(source, shape)
    return None


def with_shape(value: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    """Among the reshapes that lead to `value`, return the nearest of this shape, else the root."""
    while graph_facts.shape_of(value) != shape:
        node = graph_facts.made_by(value, *graph_facts.RESHAPES)
        if node is None or node.inputs[0] is None:
            return value
        value = node.inputs[0]
    return value


def _sources(value: ir.Value) -> Iterator[ir.Value]:
    while True:
        yield value
        node = value.producer()
        if node is None or not _moves(node) or node.inputs[0] is None:
            return
        value = node.inputs[0]


def _moves(node: ir.Node) -> bool:
    if graph_facts.is_op(node, "Concat"):
        return len({id(v) for v in node.inputs}) == 1
    if not graph_facts.is_op(node, "Gather", "GatherND", *graph_facts.MOVEMENTS):
        return False
    return all(value is None or graph_facts.is_constant(value) for value in node.inputs[1:])


def _repeats(source: ir.Value, value: ir.Value, tokens: int, chosen: int) -> bool:
    if chosen == 1:
        root = graph_facts.before_reshapes(value)
        if graph_facts.before_reshapes(source) is root:
            return True
    shape = graph_facts.shape_of(source)
    if shape is None:
        return False
    feed = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)  # whatever its type is
    moved = constant_eval.evaluate([value], {source: feed})[0]
    expected = np.repeat(feed.reshape(tokens, -1), chosen, axis=0)
    return bool(np.array_equal(moved.reshape(tokens * chosen, -1), expected))
