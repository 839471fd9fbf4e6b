"""Evaluate part of a graph on given arrays, as onnxruntime would, without loading the rest.

Data movement and integer arithmetic is done in NumPy; a session of onnxruntime is opened only for
what is left, because opening one takes longer than a thousand small operators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnx_ir as ir

from edgemoe import graph_facts, numpy_eval

IR_VERSION = 10
_NUMPY_OPSET = 13  # before, axes were attributes


def evaluate(
    wanted: Sequence[ir.Value],
    known: Mapping[ir.Value, np.ndarray] | None = None,
    opset: int = 23,
) -> list[np.ndarray]:
    """Compute values from `known` arrays and constants.

    Args:
        wanted: what to compute.
        known: arrays to use instead of computing these values; constants need not be listed.
        opset: version of the standard operators.

    Raises:
        ValueError: when a value depends on something that is neither known nor constant.
    """
    known = dict(known or {})
    nodes = _needed(wanted, known)
    for node in nodes:
        for value in node.inputs:
            if value is not None and value not in known and graph_facts.is_constant(value):
                known[value] = _array(value)
    if opset >= _NUMPY_OPSET:
        nodes = _in_numpy(nodes, known)
    ready = {value: known[value] if value in known else _constant(value) for value in wanted
             if value in known or value.producer() is None}  # fmt: skip
    computed = [value for value in dict.fromkeys(wanted) if value not in ready]
    if computed:
        results = _run(nodes, computed, known, opset)
        ready.update(zip(computed, results, strict=True))
    return [ready[value] for value in wanted]


def _in_numpy(nodes: list[ir.Node], known: dict[ir.Value, np.ndarray]) -> list[ir.Node]:
    """Compute what NumPy can; the values join `known`, and the other nodes are returned."""
    left: list[ir.Node] = []
    for node in nodes:
        sources = [None if value is None else known.get(value) for value in node.inputs]
        ready = all(v is None or v in known for v in node.inputs)
        arrays = numpy_eval.compute(node, sources) if ready else None
        if arrays is None:
            left.append(node)
        else:
            known.update(zip(node.outputs, arrays, strict=False))
    return left


def _needed(wanted: Sequence[ir.Value], known: Mapping[ir.Value, np.ndarray]) -> list[ir.Node]:
    order: list[ir.Node] = []
    seen: set[ir.Node] = set()
    todo = [(value, False) for value in wanted]
    while todo:
        value, done = todo.pop()
        node = value.producer()
        if value in known or node is None or node in seen:
            continue
        if done:
            seen.add(node)
            order.append(node)
            continue
        todo.append((value, True))
        todo.extend((source, False) for source in node.inputs if source is not None)
    return order


def _constant(value: ir.Value) -> np.ndarray:
    if not graph_facts.is_constant(value):
        raise ValueError(f"{value.name} is neither known nor constant")
    return _array(value)


def _array(value: ir.Value) -> np.ndarray:
    assert value.const_value is not None
    return value.const_value.numpy()


def _run(
    nodes: list[ir.Node],
    wanted: list[ir.Value],
    known: Mapping[ir.Value, np.ndarray],
    opset: int,
) -> list[np.ndarray]:
    made = {value for node in nodes for value in node.outputs}
    feeds: dict[str, np.ndarray] = {}
    for node in nodes:
        for value in node.inputs:
            if value is None or value in made:
                continue
            if value not in known:
                raise ValueError(f"{value.name} is neither known nor constant")
            assert value.name is not None
            feeds[value.name] = known[value]
    inputs = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in feeds.items()
    ]
    outputs = [onnx.helper.make_empty_tensor_value_info(str(value.name)) for value in wanted]
    graph = onnx.helper.make_graph(
        [ir.serde.serialize_node(node) for node in nodes], "constants", inputs, outputs
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=IR_VERSION
    )
    names = [str(value.name) for value in wanted]
    return _onnxruntime(model, names, feeds)


def _onnxruntime(
    model: onnx.ModelProto, names: list[str], feeds: dict[str, np.ndarray]
) -> list[np.ndarray]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return [np.asarray(x) for x in session.run(names, feeds)]
    except Exception:  # a type that onnxruntime's CPU kernels lack: the reference is slow but whole
        from onnx.reference import ReferenceEvaluator

        return [np.asarray(x) for x in ReferenceEvaluator(model).run(names, feeds)]
