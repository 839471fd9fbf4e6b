"""Merge chains of reshapes, and transposes that follow each other."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter, replace
from edgemoe.graph_pass import PassContext, graph_pass


@graph_pass(phase="canonicalise", after=("remove_noops",))
def merge_movements(model: ir.Model, context: PassContext) -> int:
    """Make one Reshape of a chain of reshapes, and one Transpose (or a Reshape) of two.

    Given:  a = Unsqueeze(x: f32[6], [1]); y = Reshape(a, [2,3])
    Result: y = Reshape(x, [2,3])
    """
    del context
    changes = 0
    for graph in list(graph_facts.graphs_of(model)):
        for node in list(graph):
            if graph_facts.is_op(node, "Reshape", "Unsqueeze", "Squeeze", "Flatten"):
                changes += _merge_reshapes(node)
            elif graph_facts.is_op(node, "Transpose"):
                changes += _merge_transposes(node)
    return changes


def _merge_reshapes(node: ir.Node) -> int:
    output = node.outputs[0]
    shape = graph_facts.shape_of(output)
    source = node.inputs[0]
    if shape is None:
        return _merge_counted(node)
    above = graph_facts.made_by(source, "Reshape", "Unsqueeze", "Squeeze", "Flatten")
    if (
        shape is None
        or 0 in shape
        or above is None
        or not (output.uses() or output.is_graph_output())
    ):
        return 0
    root = graph_facts.before_reshapes(output)
    if graph_facts.shape_of(root) == shape:
        return int(replace(output, root))
    if source is None or only_reshaped(source):
        return int(replace(output, Emitter(node).reshape(root, *shape)))
    return 0


def _merge_counted(node: ir.Node) -> int:
    """Merge reshapes around rows whose number is known at run time only: [n, 4] to [1, n, 4]."""
    output = node.outputs[0]
    root, target = graph_facts.before_reshapes(output), _counted(output)
    own = _counted(root)
    if root is output or target is None or own is None or not output.uses():
        return 0
    if int(np.prod(own)) != int(np.prod(target)):  # both have one -1: as many elements each
        return 0
    if own == target:
        return int(replace(output, root))
    if root is node.inputs[0]:
        return 0
    return int(replace(output, Emitter(node).reshape(root, *target)))


def _counted(value: ir.Value) -> tuple[int, ...] | None:
    """Return the shape with -1 for the one extent that is not known, None if it is not one."""
    shape = [extent if isinstance(extent, int) else -1 for extent in value.shape or ()]
    return tuple(shape) if shape.count(-1) == 1 and 0 not in shape else None


def only_reshaped(value: ir.Value) -> bool:
    """Tell whether going around `value` leaves nobody who reads it."""
    return not value.is_graph_output() and len(value.uses()) == 1


def _merge_transposes(node: ir.Node) -> int:
    """Merge two transposes; one that moves only axes of one element is a Reshape."""
    output, order = node.outputs[0], permutation_of(node)
    own, shape = graph_facts.shape_of(node.inputs[0]), graph_facts.shape_of(output)
    if own is not None and shape is not None and order is not None:
        moved = [axis for axis in order if own[axis] != 1]
        if moved == sorted(moved) and node.inputs[0] is not None:
            return int(replace(output, Emitter(node).reshape(node.inputs[0], *shape)))
    counted = _counted(node.inputs[0]) if node.inputs[0] is not None else None
    if counted is not None and order is not None:
        moved = [axis for axis in order if counted[axis] != 1]
        if moved == sorted(moved) and node.inputs[0] is not None:
            target = [counted[axis] for axis in order]
            return int(replace(output, Emitter(node).reshape(node.inputs[0], *target)))
    above = graph_facts.made_by(node.inputs[0], "Transpose")
    if above is None or above.inputs[0] is None:
        return 0
    first, second = permutation_of(above), permutation_of(node)
    if first is None or second is None:
        return 0
    both = [first[axis] for axis in second]
    if both == sorted(both):
        return int(replace(node.outputs[0], above.inputs[0]))
    return int(replace(node.outputs[0], Emitter(node).op("Transpose", above.inputs[0], perm=both)))


def permutation_of(node: ir.Node) -> list[int] | None:
    """Return the permutation of a Transpose, reversed axes when it has none."""
    given = node.attributes.get("perm")
    if given is not None:
        return [int(axis) for axis in given.as_ints()]
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    return None if shape is None else list(reversed(range(len(shape))))
