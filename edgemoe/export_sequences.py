"""Write splits that the exporter makes through sequences of tensors as plain Split."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts


def split_without_sequences(model: ir.Model) -> int:
    """Replace SplitToSequence and its SequenceAt readers where the pieces are known.

    Given:  s = SplitToSequence(x: f32[4,6], *3) {axis=1}; y = SequenceAt(s, *1)
    Result: _, y = Split(x, *[3, 3]) {axis=1}
    """
    changes = 0
    for graph in graph_facts.graphs_of(model):
        for node in list(graph):
            if node.op_type == "SplitToSequence" and node.domain == "":
                changes += _split(graph, node)
    return changes


def _split(graph: ir.Graph, node: ir.Node) -> int:
    source = node.inputs[0]
    if source is None or source.shape is None or node.outputs[0].is_graph_output():
        return 0
    axis = graph_facts.axis_of(node, 0, len(source.shape))
    extent = source.shape[axis]
    squeezed = len(node.inputs) < 2 and graph_facts.attribute(node, "keepdims", 1) == 0
    sizes = _sizes(node, extent) if isinstance(extent, int) else None
    readers = [use.node for use in node.outputs[0].uses()]
    if sizes is None or not all(reader.op_type == "SequenceAt" for reader in readers):
        return 0
    places = [_integers(reader.inputs[1]) for reader in readers]
    if not all(p is not None and len(p) == 1 and abs(p[0]) <= len(sizes) for p in places):
        return 0
    split = ir.node(
        "Split", [source, _constant(graph, node, sizes)], attributes={"axis": axis},
        num_outputs=len(sizes), metadata_props=dict(node.metadata_props),
    )  # fmt: skip
    graph.insert_before(node, split)
    for piece, size in zip(split.outputs, sizes, strict=True):
        piece.type = source.type
        piece.shape = ir.Shape([size if i == axis else d for i, d in enumerate(source.shape)])
    made: dict[int, ir.Value] = {}
    for reader, place in zip(readers, places, strict=True):
        assert place is not None
        index = place[0] % len(sizes)
        if index not in made:
            made[index] = split.outputs[index]
            if squeezed:
                made[index] = _squeeze(graph, node, split.outputs[index], axis)
        _take_over(reader.outputs[0], made[index])
        graph.remove(reader, safe=True)
    graph.remove(node, safe=True)
    return 1


def _take_over(old: ir.Value, new: ir.Value) -> None:
    name = old.name
    if old.is_graph_output() and new.is_graph_output():
        return
    old.name, new.name = f"{name}.sequence", name
    old.replace_all_uses_with(new, replace_graph_outputs=True)


def _squeeze(graph: ir.Graph, node: ir.Node, piece: ir.Value, axis: int) -> ir.Value:
    squeeze = ir.node(
        "Squeeze", [piece, _constant(graph, node, [axis])], metadata_props=dict(node.metadata_props)
    )
    graph.insert_before(node, squeeze)
    result = squeeze.outputs[0]
    result.type = piece.type
    result.shape = ir.Shape([d for i, d in enumerate(piece.shape or ()) if i != axis])
    return result


def _constant(graph: ir.Graph, node: ir.Node, values: list[int]) -> ir.Value:
    made = ir.node("Constant", [], attributes={"value": ir.tensor(np.array(values, np.int64))})
    graph.insert_before(node, made)
    output = made.outputs[0]
    output.shape, output.type = ir.Shape([len(values)]), ir.TensorType(ir.DataType.INT64)
    return output


def _sizes(node: ir.Node, extent: int) -> list[int] | None:
    if len(node.inputs) < 2 or node.inputs[1] is None:
        return [1] * extent
    given = _integers(node.inputs[1])
    if given is None:
        return None
    shape = node.inputs[1].shape
    if shape is not None and len(shape) == 1:
        return given
    size = given[0]
    if size < 1:
        return None
    return [min(size, extent - start) for start in range(0, extent, size)]


def _integers(value: ir.Value | None) -> list[int] | None:
    """Return a small integer constant, of an initialiser or of a Constant node."""
    found = graph_facts.ints_of(value)
    producer = value.producer() if value is not None else None
    if found is not None or producer is None or producer.op_type != "Constant":
        return found
    attribute = producer.attributes.get("value")
    if attribute is not None:
        return [int(x) for x in attribute.as_tensor().numpy().reshape(-1)]
    single, several = producer.attributes.get("value_int"), producer.attributes.get("value_ints")
    if single is not None:
        return [single.as_int()]
    return list(several.as_ints()) if several is not None else None
