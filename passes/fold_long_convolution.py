"""Write a convolution that was computed by Fourier transforms as a convolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each

LIMIT_LENGTH = 4096
TOLERANCE = 1e-4  # of the largest output; transforms in float32 are not exact
_BETWEEN = (*graph_facts.MOVEMENTS, "Add", "Sub", "Mul", "Neg", "Gather", "Pad", "Identity")
_AROUND = (*graph_facts.RESHAPES, "Pad", "Slice", "Gather")


@graph_pass(phase="canonicalise", after=("fold_constants",), exact="reassociation")
def fold_long_convolution(model: ir.Model, context: PassContext) -> int:
    """Read the filter off the answer to an impulse, and prove it on random numbers.

    Given:  y = Slice(DFT(DFT(Pad(x: f32[B,C,L])) * *spectrum) {inverse=1})
    Result: y = Conv(x, *filter: f32[C,1,L]) {group=C, pads=[L-1, 0]}
    """
    del context
    return rewrite_each(model, _AROUND, _fold)


def _fold(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    """Replace the last node of a chain: the one that gives as many places as the input had."""
    end = node.outputs[0]
    shape = graph_facts.shape_of(end)
    if (
        shape is None
        or len(shape) != 3
        or not 1 < shape[2] <= LIMIT_LENGTH
        or len(node.outputs) > 1
    ):
        return None
    inverse = _above(end)
    forward = _transform_of(inverse.inputs[0]) if inverse is not None else None
    if forward is None:
        return None
    x = forward.inputs[0]
    while x is not None and graph_facts.shape_of(x) != (shape[0], shape[1], shape[2]):
        before = graph_facts.made_by(x, *_AROUND)
        if graph_facts.shape_of(x) == (shape[0], 1, shape[2]) or before is None:
            break
        x = before.inputs[0]
    source = graph_facts.shape_of(x)
    if x is None or source is None or len(source) != 3 or x.dtype != ir.DataType.FLOAT:
        return None
    if source[::2] != shape[::2] or source[1] not in (1, shape[1]):
        return None
    response = _filter(x, end)
    if response is None:
        return None
    length = shape[2]
    weight = emit.constant(response[:, None, ::-1], "filter")
    return [emit.op("Conv", x, weight, group=source[1], pads=[length - 1, 0])]


def _above(value: ir.Value) -> ir.Node | None:
    """The inverse transform that a value is cut out of."""
    while (node := graph_facts.made_by(value, *_AROUND)) is not None and node.inputs[0] is not None:
        value = node.inputs[0]
    found = graph_facts.made_by(value, "DFT")
    return found if found is not None and graph_facts.attribute(found, "inverse", 0) else None


def _transform_of(value: ir.Value | None) -> ir.Node | None:
    """The one transform that a spectrum is computed from by linear operators and constants."""
    found: set[ir.Node] = set()
    todo, seen = [value], set[ir.Value]()
    while todo:
        current = todo.pop()
        if current is None or current in seen or graph_facts.is_constant(current):
            continue
        seen.add(current)
        node = current.producer()
        if graph_facts.is_op(node, "DFT") and node is not None:
            found.add(node)
        elif graph_facts.is_op(node, *_BETWEEN) and node is not None:
            todo.extend(node.inputs)
        else:
            return None
    forward = found.pop() if len(found) == 1 else None
    if forward is None or graph_facts.attribute(forward, "inverse", 0):
        return None
    return forward


def _filter(x: ir.Value, end: ir.Value) -> np.ndarray | None:
    """The filter [C, L] when `end` is a causal convolution of `x` with it, else None."""
    shape = graph_facts.shape_of(x) or ()
    impulse = np.zeros(shape, np.float32)
    impulse[:, :, 0] = 1.0
    noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    try:
        (response,) = constant_eval.evaluate([end], {x: impulse})
        (wanted,) = constant_eval.evaluate([end], {x: noise})
    except ValueError:  # something else comes in between
        return None
    taps = response[0]
    length = shape[2]
    toeplitz = np.zeros((*taps.shape, length), np.float32)  # [C, L in, L out]
    for start in range(length):
        toeplitz[:, start, start:] = taps[:, : length - start]
    got = np.einsum("bcs,cst->bct", np.broadcast_to(noise, wanted.shape), toeplitz)
    limit = TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    return taps.copy() if np.abs(got - wanted).max() <= limit else None
