"""Give a region other experts: new weights, and the shapes inside that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.compression.region_view import EXPERTS, KEPT, KEY, RegionView
from edgemoe.emit import Emitter, derived_constant

Array = NDArray[Any]


def take_experts(
    model: ir.Model, view: RegionView, count: int, build: Callable[[Array], Array], suffix: str
) -> None:
    """Replace everything that has an axis of experts [E, ...] by `build` of it, [count, ...].

    Args:
        model: the graph.
        view: the region.
        count: how many experts there are afterwards.
        build: applied to a constant when it is read.
        suffix: the new weights are named `NAME.suffix`.

    What is no constant must be a mask of blocks [E, d] (slimmable layers): `build` is linear, so a
    product with `build` of the unit matrix does the same.
    """
    emit = Emitter(view.node)
    for place in view.owned:
        value = view.node.inputs[place]
        assert value is not None
        shape = (count, *(graph_facts.shape_of(value) or (0,))[1:])
        if graph_facts.is_constant(value):
            new = _constant(emit.graph, value, shape, build, suffix)
        else:
            dtype = (value.dtype or ir.DataType.FLOAT).numpy()
            unit = build(np.eye(view.experts)).astype(dtype)
            new = emit.op("MatMul", emit.constant(unit, "experts"), value)
        view.node.replace_input_with(place, new)
        view.function.inputs[place].shape = ir.Shape(shape)
    if view.routing == "scored":
        _resize_blocks(view, count)


def _constant(
    graph: ir.Graph,
    value: ir.Value,
    shape: tuple[int, ...],
    build: Callable[[Array], Array],
    suffix: str,
) -> ir.Value:
    tensor = value.const_value
    assert tensor is not None

    def compute() -> Array:
        return build(tensor.numpy())

    return derived_constant(graph, f"{value.name}.{suffix}", tensor.dtype, shape, compute)


def _resize_blocks(view: RegionView, count: int) -> None:
    """Values between BlockUp and BlockDown are [T, E, d]; scores are [T, E]."""
    scores = view.function.inputs[1]
    scores.shape = ir.Shape((view.tokens, count))
    for node in view.function:
        for output in node.outputs:
            shape = graph_facts.shape_of(output)
            if shape is not None and len(shape) == 3 and shape[1] == view.experts:
                output.shape = ir.Shape((shape[0], count, shape[2]))


def mark(view: RegionView, count: int, decision: str) -> None:
    """Write down how many experts there are, and which region it was."""
    for owner in (view.node, view.function):
        owner.metadata_props[EXPERTS] = str(count)
        owner.metadata_props[KEY] = "\n".join(view.key)
        owner.metadata_props[KEPT] = decision
