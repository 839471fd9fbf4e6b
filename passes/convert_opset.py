"""Bring every model to one version of the standard operators."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.errors import ModelError
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.regions import OPSET

OLDEST = 17
_REDUCTIONS = frozenset(
    [
        "ReduceMax",
        "ReduceMin",
        "ReduceMean",
        "ReduceProd",
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceSumSquare",
    ]
)
_GRID_MODES = {"bilinear": "linear", "bicubic": "cubic"}


@graph_pass(phase="import")
def convert_opset(model: ir.Model, context: PassContext) -> int:
    """Rewrite operators of opsets 17 to 22 in the form that opset 23 gives them.

    Given:  opset 17: y = ReduceMean(x) {axes=[1]}
    Result: opset 23: y = ReduceMean(x, *[1])
    """
    del context
    changes = 0
    alias = model.opset_imports.pop("ai.onnx", None)
    if alias is not None:
        model.opset_imports.setdefault("", alias)
    changes += _convert(model.opset_imports, model.graph, "the model")
    for function in model.functions.values():
        changes += _convert(function.opset_imports, function.graph, f"function {function.name}")
    model.ir_version = max(model.ir_version, 10)
    return changes


def _convert(imports: dict[str, int], graph: ir.Graph, where: str) -> int:
    version = imports.get("", OPSET)
    if not OLDEST <= version <= OPSET:
        raise ModelError(
            f"{where} uses version {version} of the ONNX operators; {OLDEST} to {OPSET} are "
            f"supported\n  try: torch.onnx.export(..., dynamo=True, opset_version={OPSET}), or "
            f"onnx.version_converter.convert_version(model, {OPSET})"
        )
    changes = int(version != OPSET)
    imports[""] = OPSET
    for inner in [graph, *graph.subgraphs()]:
        for node in list(inner):
            if node.domain == "ai.onnx":
                node.domain = ""
            node.version = None
            if node.domain == "" and version < OPSET:
                changes += _adapt(node, version)
    return changes


def _adapt(node: ir.Node, version: int) -> int:
    if node.op_type in _REDUCTIONS and version < 18:
        return _axes_to_input(node)
    adapter = _ADAPTERS.get(node.op_type)
    return adapter(node, version) if adapter is not None else 0


def _input(node: ir.Node, index: int, value: ir.Value) -> None:
    if len(node.inputs) <= index:
        node.resize_inputs(index + 1)
    node.replace_input_with(index, value)


def _constant(node: ir.Node, array: np.ndarray) -> ir.Value:
    """Return a Constant node in front of `node`: functions have no initialisers."""
    constant = ir.node("Constant", [], attributes={"value": ir.tensor(array)})
    assert node.graph is not None
    node.graph.insert_before(node, constant)
    constant.outputs[0].shape = ir.Shape(array.shape)
    constant.outputs[0].type = ir.TensorType(ir.DataType.INT64)
    return constant.outputs[0]


def _axes_to_input(node: ir.Node) -> int:
    axes = node.attributes.pop("axes", None)
    if axes is not None:
        _input(node, 1, _constant(node, np.array(axes.as_ints(), np.int64)))
    return int(axes is not None)


def _split(node: ir.Node, version: int) -> int:
    sized = len(node.inputs) > 1 and node.inputs[1] is not None
    if version >= 18 or sized or "num_outputs" in node.attributes:
        return 0
    node.attributes["num_outputs"] = ir.AttrInt64("num_outputs", len(node.outputs))
    return 1


def _dft(node: ir.Node, version: int) -> int:
    if version >= 20:
        return 0
    axis = node.attributes.pop("axis", None)
    _input(node, 2, _constant(node, np.array(1 if axis is None else axis.as_int(), np.int64)))
    return 1


def _grid_sample(node: ir.Node, version: int) -> int:
    mode = graph_facts.text_attribute(node, "mode", "bilinear")
    if version >= 20 or mode not in _GRID_MODES:
        return 0
    node.attributes["mode"] = ir.AttrString("mode", _GRID_MODES[mode])
    return 1


def _group_normalization(node: ir.Node, version: int) -> int:
    """Until opset 20 scale and bias had one element per group, now one per channel."""
    if version >= 21:
        return 0
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    channels = shape[1] if shape is not None else None
    groups = graph_facts.attribute(node, "num_groups", 1)
    if not isinstance(channels, int):
        raise ModelError(f"node {node.name} (GroupNormalization): its channel count is not static")
    emit = Emitter(node)
    for index in (1, 2):
        value = node.inputs[index]
        assert value is not None
        column = emit.op("Unsqueeze", value, _constant(node, np.array([1], np.int64)))
        sizes = _constant(node, np.array([groups, channels // groups], np.int64))
        flat = _constant(node, np.array([channels], np.int64))
        _input(node, index, emit.op("Reshape", emit.op("Expand", column, sizes), flat))
    return 1


_ADAPTERS: dict[str, Callable[[ir.Node, int], int]] = {
    "Split": _split,
    "DFT": _dft,
    "GridSample": _grid_sample,
    "GroupNormalization": _group_normalization,
}
