"""Write one-hot rows as comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="fuse")
def expand_one_hot(model: ir.Model, context: PassContext) -> int:
    """Compare every index with all places; one that names no place gives a row of `off`.

    Given:  y = OneHot(i: int64[T], 4, [off, on])
    Result: y = Where(Equal(Unsqueeze(i, -1), *[0, 1, 2, 3]), on, off)
    """
    del context
    return rewrite_each(model, ("OneHot",), _expand)


def _expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    indices, depth, values = node.inputs
    shape, count = graph_facts.shape_of(indices), graph_facts.scalar_of(depth)
    if indices is None or values is None or shape is None or count is None:
        return None
    places = int(count)
    axis = graph_facts.axis_of(node, -1, len(shape) + 1)
    numbers = emit.cast(indices, ir.DataType.INT64)
    zero = emit.constant(np.array(0, np.int64), "zero")
    total = emit.constant(np.array(places, np.int64), "depth")
    negative = emit.op("Less", numbers, zero)
    numbers = emit.op("Where", negative, emit.op("Add", numbers, total), numbers)
    row = [1] * (len(shape) + 1)
    row[axis] = places
    levels = emit.constant(np.arange(places, dtype=np.int64).reshape(row), "levels")
    hit = emit.op("Equal", emit.op("Unsqueeze", numbers, emit.ints(axis)), levels)
    return [emit.op("Where", hit, _value(emit, values, 1), _value(emit, values, 0))]


def _value(emit: Emitter, values: ir.Value, index: int) -> ir.Value:
    array = graph_facts.array_of(values)
    if array is not None:
        return emit.constant(array[index].reshape(()), "level")
    return emit.op("Gather", values, emit.constant(np.array(index, np.int64), "index"), axis=0)
