"""Name the whole result in Resize and ConvTranspose where only part of it is named."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("fold_constants",))
def expand_resize(model: ir.Model, context: PassContext) -> int:
    """Give sizes for all axes, and paddings instead of the shape that they lead to.

    Given:  y = Resize(x: f32[1,2,3,4], sizes=[6, 7]) {axes=[2, 3]}
    Result: y = Resize(x, sizes=[1, 2, 6, 7])
    """
    del context
    changes = rewrite_each(model, ("Resize",), _resize)
    return changes + rewrite_each(model, ("ConvTranspose",), _transposed)


def _resize(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    axes = node.attributes.get("axes")
    shape, out = graph_facts.shape_of(node.inputs[0]), graph_facts.shape_of(node.outputs[0])
    by_scale = len(node.inputs) < 4 or node.inputs[3] is None
    if axes is None or shape is None or out is None or by_scale:
        return None
    if graph_facts.text_attribute(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return None
    attributes = {name: a.value for name, a in node.attributes.items() if name != "axes"}
    inputs = [node.inputs[0], None, None, emit.ints(*out)]
    return [emit.node("Resize", inputs, attributes).outputs[0]]


def _transposed(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    """Choose paddings as the standard does: what is odd goes to the end, unless SAME_LOWER."""
    wanted, shape = node.attributes.get("output_shape"), graph_facts.shape_of(node.inputs[0])
    kernel = graph_facts.shape_of(node.inputs[1])
    if wanted is None or shape is None or kernel is None:
        return None
    rank = len(kernel) - 2
    strides, extras = _ints(node, "strides", rank, 1), _ints(node, "output_padding", rank, 0)
    dilations = _ints(node, "dilations", rank, 1)
    low = graph_facts.text_attribute(node, "auto_pad", "NOTSET") == "SAME_UPPER"
    begins, ends = [], []
    for i, size in enumerate(list(wanted.as_ints())[-rank:]):
        reach = (kernel[2 + i] - 1) * dilations[i] + 1
        total = strides[i] * (shape[2 + i] - 1) + extras[i] + reach - size
        if total < 0:
            return None
        begins.append(total // 2 if low else total - total // 2)
        ends.append(total - begins[-1])
    left_out = ("output_shape", "auto_pad", "pads")
    attributes = {name: a.value for name, a in node.attributes.items() if name not in left_out}
    attributes["pads"] = [*begins, *ends]
    return [emit.node("ConvTranspose", node.inputs, attributes).outputs[0]]


def _ints(node: ir.Node, name: str, rank: int, default: int) -> list[int]:
    found = node.attributes.get(name)
    return [default] * rank if found is None else list(found.as_ints())
