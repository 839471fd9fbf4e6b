"""Large graphs for tests of speed: layers of experts in an unrolled loop, as exporters leave them.

`edgemoe.benchmarks` are no package, so `benchmarks/explain_speed.py` loads this file by its path.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

HIDDEN, INNER, CHOSEN, TOKENS = 16, 12, 2, 8


class Builder:
    """Appends nodes; every operand that is an array or a list becomes a Constant node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(0)

    def op(self, op_type: str, *inputs: str | list[int], outputs: int = 1, **attributes: object):
        """Append a node and return the name of its output, or a list of names."""
        names = [self.ints(*x) if isinstance(x, list) else x for x in inputs]
        made = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        name = f"node_{op_type}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, names, made, name=name, **attributes))
        return made[0] if outputs == 1 else made

    def ints(self, *values: int) -> str:
        """Append a Constant node."""
        return self.op("Constant", value_ints=list(values))

    def weight(self, name: str, *shape: int) -> str:
        """Append a random initialiser."""
        array = self.random.standard_normal(shape).astype(np.float32) / np.float32(shape[-1] ** 0.5)
        self.weights.append(numpy_helper.from_array(array, name))
        return name


def build(layers: int = 12, experts: int = 16, *, mask: str = "Equal") -> ir.Model:
    """Return `layers` residual layers of `experts` experts each, 18 nodes for an expert.

    Another operator than Equal for the mask makes loops that are not recognised.
    """
    b = Builder()
    value = "x"
    for layer in range(layers):
        value = _layer(b, value, f"model.layers.{layer}.mlp", experts, mask)
    graph = helper.make_graph(
        [*b.nodes, helper.make_node("Identity", [value], ["y"], name="out")], "unrolled",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", HIDDEN])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", HIDDEN])],
        b.weights,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return ir.from_proto(model)


def _layer(b: Builder, x: str, name: str, experts: int, mask: str) -> str:
    p = b.op("Softmax", b.op("MatMul", x, b.weight(f"{name}.gate", HIDDEN, experts)), axis=-1)
    top, ids = b.op("TopK", p, [CHOSEN], axis=-1, outputs=2)
    weights = b.op("Div", top, b.op("ReduceSum", top, [-1], keepdims=1))
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    total = b.op("ConstantOfShape", b.op("Shape", x), value=zero)
    for expert in range(experts):
        total = _expert(b, x, ids, weights, total, f"{name}.experts.{expert}", expert, mask)
    return b.op("Add", x, total)


def _expert(
    b: Builder, x: str, ids: str, weights: str, total: str, name: str, expert: int, mask: str
) -> str:
    here = b.op(mask, ids, b.op("Constant", value_int=expert))
    pairs = b.op("Transpose", b.op("NonZero", here), perm=[1, 0])
    rows = b.op("Slice", pairs, [0], [1], [1])
    picked = b.op("GatherND", x, rows)
    first, second = b.weight(f"{name}.w1", INNER, HIDDEN), b.weight(f"{name}.w2", HIDDEN, INNER)
    hidden = b.op("Gemm", picked, first, transB=1)
    active = b.op("Mul", hidden, b.op("Sigmoid", hidden))
    out = b.op("Gemm", active, second, transB=1)
    factor = b.op("Unsqueeze", b.op("GatherND", weights, pairs), [1])
    return b.op("ScatterND", total, rows, b.op("Mul", out, factor), reduction="add")
