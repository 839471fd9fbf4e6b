"""Outlier features: the few inputs of a product that are far larger than the rest, kept apart.

A row that is rounded to int8 has the step of its largest element; where that element is always one
of the same few features, those are multiplied in float32 and the others get a step of their own
(LLM.int8, Dettmers et al., NeurIPS 2022, equation 8; here the features are chosen once, from
calibration, so that the compiled program has no decision to take).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.emit import Emitter, derived_constant, discard, replace

Array = NDArray[Any]


class NotSplit(Exception):
    """The weight is not the constant side of plain products alone; says why."""


def massive_features(largest: Array, *, times: float = 5.0, share: float = 1 / 32) -> list[int]:
    """The features worth keeping apart, ascending.

    Args:
        largest: the largest magnitude of each feature over the calibration data, [depth].
        times: how far above the median of all features one has to be.
        share: of the features, the most that are taken: the largest.
    """
    limit = times * float(np.median(largest))
    order = np.argsort(-largest, kind="stable")[: int(share * len(largest))]
    return sorted(int(feature) for feature in order if largest[feature] > limit)


def split_outliers(model: ir.Model, weight: str, features: Sequence[int]) -> str:
    """Multiply some features of a product's input apart from the others.

    Given:  y = MatMul(x, W)
    Result: y = Add(MatMul(Mul(x, mask), W'), MatMul(Gather(x, features), W.outliers))

    W' has zeros where the features were, so that they are in no one's range, and keeps the name W.
    The mask keeps them out of the scales of the rows.

    Args:
        model: recognised, not yet fused; it is changed in place.
        weight: name of an initialiser that is the second input of MatMul or Gemm nodes.
        features: rows of W, of the product's depth.

    Returns the name of the small weight, float32 [features, columns] like W: pin it to f32.

    Raises:
        NotSplit: something else reads the weight, or there is no such weight.
        ValueError: the features are none, all, not distinct, or beyond the depth.
    """
    value = model.graph.initializers.get(weight)
    if value is None or value.const_value is None:
        raise NotSplit(f"there is no weight {weight!r}")
    nodes = list(dict.fromkeys(use.node for use in value.uses()))
    for node in nodes:
        _refuse(node, value)
    if not nodes:
        raise NotSplit(f"nothing reads {weight}")
    axis = _depth_axis(nodes[0])
    if any(_depth_axis(node) != axis for node in nodes):
        raise NotSplit(f"{weight} is read as it lies and transposed")
    shape = graph_facts.shape_of(value)
    assert shape is not None and value.dtype is not None
    depth, columns = shape[axis], shape[1 - axis]
    chosen = _checked(features, depth)
    whole = value.const_value

    def small() -> Array:
        part = np.take(whole.numpy(), chosen, axis)
        return part.T if axis else part

    def rest() -> Array:
        array = np.array(whole.numpy())
        array[(slice(None),) * axis + (chosen,)] = 0
        return array

    # The name of W stays with what is left of it: formats and statistics are kept by name.
    few = derived_constant(
        model.graph, f"{weight}.outliers", value.dtype, (len(chosen), columns), small
    )
    value.const_value = ir.LazyTensor(
        lambda: ir.tensor(rest(), dtype=whole.dtype), dtype=whole.dtype, shape=ir.Shape(shape),
        name=weight,
    )  # fmt: skip
    mask = np.ones(depth, value.dtype.numpy())
    mask[chosen] = 0
    for node in nodes:
        _split(node, few, mask, chosen)
    return str(few.name)


def _refuse(node: ir.Node, weight: ir.Value) -> None:
    """Raise NotSplit for what is no plain product with the weight at its right."""
    name = f"{node.op_type} {graph_facts.name_of(node)}"
    if node.graph is None or not graph_facts.is_op(node, "MatMul", "Gemm"):
        raise NotSplit(f"{name} reads {weight.name}, which is no plain product")
    if node.inputs[1] is not weight or node.inputs[0] is weight or weight in node.inputs[2:]:
        raise NotSplit(f"{name} has {weight.name} not as its right factor")
    if len(graph_facts.shape_of(weight) or ()) != 2 or not graph_facts.shape_of(node.inputs[0]):
        raise NotSplit(f"{name} is no product of rows with a matrix")
    scaled = graph_facts.float_attribute(node, "alpha", 1.0) != 1.0
    if node.op_type == "Gemm" and (scaled or graph_facts.attribute(node, "transA", 0)):
        raise NotSplit(f"{name} scales its product, or transposes its rows")


def _depth_axis(node: ir.Node) -> int:
    return 1 if node.op_type == "Gemm" and graph_facts.attribute(node, "transB", 0) else 0


def _checked(features: Sequence[int], depth: int) -> list[int]:
    chosen = sorted(set(features))
    if not chosen or len(chosen) != len(features) or len(chosen) >= depth:
        raise ValueError(f"{len(features)} features, {len(chosen)} of them distinct, of {depth}")
    if chosen[0] < 0 or chosen[-1] >= depth:
        raise ValueError(f"features {chosen[0]} to {chosen[-1]} of {depth}")
    return chosen


def _split(node: ir.Node, few: ir.Value, mask: Array, chosen: list[int]) -> None:
    emit = Emitter(node)
    x = node.inputs[0]
    rank = len(graph_facts.shape_of(x) or ())
    picked = emit.op("Gather", x, emit.ints(*chosen), axis=rank - 1)
    small = emit.op("MatMul", picked, few)
    masked = emit.op("Mul", x, emit.constant(mask, "mask"))
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    main = emit.op(node.op_type, masked, *node.inputs[1:], **attributes)
    replace(node.outputs[0], emit.op("Add", main, small))
    discard([node])
