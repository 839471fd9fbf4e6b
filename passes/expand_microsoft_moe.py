"""Expand onnxruntime's mixture-of-experts operators to our primitives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, packed_weights, regions
from edgemoe.emit import Emitter, derived_constant
from edgemoe.graph_pass import Note, PassContext, graph_pass
from edgemoe.microsoft_shapes import DOMAIN
from edgemoe.rewrite_each import rewrite_each

_ACTIVATIONS = {"relu": "Relu", "identity": "Identity"}


@graph_pass(phase="recognise", exact="reassociation")
def expand_microsoft_moe(model: ir.Model, context: PassContext) -> int:
    """Write com.microsoft::MoE and QMoE as softmax, TopK, `ExpertLinear` and `Combine`.

    Given:  y = com.microsoft::MoE(x, logits, *W1, -, *W2) {k=2, activation_type=relu}
    Result: v, i = TopK(Softmax(logits), 2); h = Relu(ExpertLinear(Dispatch(x, i), i, *W1));
            y = Combine(ExpertLinear(h, i, *W2), v)
    """

    def expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
        reason = _obstacle(node)
        if reason is not None:
            context.notes.append(
                Note("missed", "experts", f"{node.op_type} is not expanded: {reason}",
                     node.name or "", graph_facts.origin_of(node))
            )  # fmt: skip
            return None
        return [_Expansion(emit, node).run()]

    changes = rewrite_each(model, ("MoE", "QMoE"), expand, domains=(DOMAIN,))
    if changes:
        regions.add_bodies(model)
    return changes


def _obstacle(node: ir.Node) -> str | None:
    activation = graph_facts.text_attribute(node, "activation_type", "relu")
    if activation not in (*_ACTIVATIONS, "gelu", "silu", "swiglu"):
        return f"activation {activation!r}"
    if graph_facts.attribute(node, "use_sparse_mixer", 0):
        return "the sparse mixer"
    if graph_facts.attribute(node, "swiglu_limit_after_activation", 0):
        return "a limit after the activation"
    if graph_facts.text_attribute(node, "quant_type", "int") != "int":
        return "weights in a floating-point format of 4 or 8 bits"
    if node.op_type == "QMoE":
        if graph_facts.attribute(node, "weights_prepacked", -1) == 1:
            return "weights packed for another machine"
        names = ("fc1_expert_weight_bits", "fc2_expert_weight_bits", "fc3_expert_weight_bits")
        general = graph_facts.attribute(node, "expert_weight_bits", 4)
        if any(graph_facts.attribute(node, n, general) not in (2, 4, 8) for n in names):
            return "weights of 3 bits"
    if graph_facts.shape_of(node.inputs[0]) is None:
        return "its input has no static shape"
    step = 3 if node.op_type == "QMoE" else 2
    if any(not graph_facts.is_constant(v) for v in node.inputs[2 : 2 + 3 * step] if v is not None):
        return "weights that are not constant"
    return None


class _Expansion:
    """Emits the parts of one node."""

    def __init__(self, emit: Emitter, node: ir.Node) -> None:
        self.emit, self.node = emit, node
        self.quantised = node.op_type == "QMoE"
        self.k = graph_facts.attribute(node, "k", 1)

    def run(self) -> ir.Value:
        """Return the output."""
        emit, node = self.emit, self.node
        x = node.inputs[0]
        shape = graph_facts.shape_of(x)
        assert x is not None and shape is not None
        tokens, hidden = int(np.prod(shape[:-1])), shape[-1]
        ids, weights = self._route(tokens)
        rows = regions.dispatch(emit, emit.reshape(x, tokens, hidden), ids)
        flat = emit.reshape(ids, tokens * self.k)
        h = self._activate(self._linear(1, rows, flat, hidden), rows, flat, hidden)
        width = (graph_facts.shape_of(h) or (0, 0))[1]
        y = self._linear(2, h, flat, width)
        return emit.reshape(regions.combine(emit, y, weights), *shape)

    def _route(self, tokens: int) -> tuple[ir.Value, ir.Value]:
        emit, logits = self.emit, self.node.inputs[1]
        experts = (graph_facts.shape_of(logits) or (0,))[-1]
        assert logits is not None
        logits = emit.reshape(logits, tokens, experts)
        mixing = self._input(14) if self.quantised else None
        # onnxruntime's MoE takes the softmax over all experts, its QMoE over the chosen ones
        scores = logits if self.quantised else emit.op("Softmax", logits, axis=-1)
        top = emit.node(
            "TopK", [scores, emit.ints(self.k)], {"axis": -1, "largest": 1, "sorted": 1},
            outputs=2,
        )  # fmt: skip
        weights, ids = top.outputs
        if mixing is not None:
            weights = emit.op("GatherElements", mixing, ids, axis=-1)
        elif self.quantised:
            return ids, emit.op("Softmax", weights, axis=-1)
        if graph_facts.attribute(self.node, "normalize_routing_weights", 0):
            total = emit.op("ReduceSum", weights, emit.ints(-1), keepdims=1)
            weights = emit.op("Div", weights, total)
        return ids, weights

    def _input(self, index: int) -> ir.Value | None:
        return self.node.inputs[index] if index < len(self.node.inputs) else None

    def _linear(self, number: int, rows: ir.Value, ids: ir.Value, width: int) -> ir.Value:
        step = 3 if self.quantised else 2
        first = 2 + (number - 1) * step
        weight, bias = self._input(first), self._input(first + step - 1)
        assert weight is not None
        if self.quantised:
            weight = self._dequantised(number, weight, self._input(first + 1), width)
        return regions.expert_linear(self.emit, rows, ids, weight, bias)

    def _dequantised(
        self, number: int, packed: ir.Value, scale: ir.Value | None, width: int
    ) -> ir.Value:
        general = graph_facts.attribute(self.node, "expert_weight_bits", 4)
        bits = graph_facts.attribute(self.node, f"fc{number}_expert_weight_bits", general)
        block = graph_facts.attribute(self.node, "block_size", 0) or width
        zero = self._input(10 + number)
        experts, out = (graph_facts.shape_of(packed) or (0, 0))[:2]
        tensors = [None if v is None else v.const_value for v in (packed, scale, zero)]

        def compute() -> np.ndarray:
            q, s, z = (None if t is None else t.numpy() for t in tensors)
            assert q is not None and s is not None
            s = s.reshape(experts, out, -1)
            if z is not None and z.ndim == 2:
                z = packed_weights.unpack(z, bits, out)[..., None].astype(np.float32)
            return packed_weights.dequantise_blocks(q, s, z, bits, block, width)

        return derived_constant(
            self.emit.graph, f"{packed.name}.dequantised", ir.DataType.FLOAT,
            (experts, out, width), compute,
        )  # fmt: skip

    def _activate(self, h: ir.Value, rows: ir.Value, ids: ir.Value, hidden: int) -> ir.Value:
        emit = self.emit
        name = graph_facts.text_attribute(self.node, "activation_type", "relu")
        gated = self._input(8 if self.quantised else 6) is not None
        if name == "swiglu":
            return self._swiglu(h, self._linear(3, rows, ids, hidden) if gated else None)
        act = emit.op("Mul", h, emit.op("Sigmoid", h)) if name == "silu" else None
        if name == "gelu":
            act = emit.op("Gelu", h, approximate="tanh")  # what onnxruntime computes here
        act = act if act is not None else emit.op(_ACTIVATIONS[name], h)
        return emit.op("Mul", act, self._linear(3, rows, ids, hidden)) if gated else act

    def _swiglu(self, h: ir.Value, up: ir.Value | None) -> ir.Value:
        emit, node = self.emit, self.node
        gate = h
        if up is None:
            rows, double = graph_facts.shape_of(h) or (0, 0)
            half = double // 2
            if graph_facts.attribute(node, "swiglu_fusion", 0) == 1:
                pairs = emit.reshape(h, rows, half, 2)
                parts = emit.node("Split", [pairs, emit.ints(1, 1)], {"axis": 2}, outputs=2).outputs
                gate, up = (emit.reshape(part, rows, half) for part in parts)
            else:
                parts = emit.node(
                    "Split", [h, emit.ints(half, half)], {"axis": 1}, outputs=2
                ).outputs
                gate, up = parts
        if "swiglu_limit" in node.attributes:
            limit = graph_facts.float_attribute(node, "swiglu_limit", 0.0)
            gate = emit.op("Min", gate, self._number(limit))
            up = emit.op("Clip", up, self._number(-limit), self._number(limit))
        alpha = graph_facts.float_attribute(node, "activation_alpha", 1.0)
        beta = graph_facts.float_attribute(node, "activation_beta", 0.0)
        inner = gate if alpha == 1.0 else emit.op("Mul", gate, self._number(alpha))
        act = emit.op("Mul", gate, emit.op("Sigmoid", inner))
        return emit.op("Mul", act, up if beta == 0.0 else emit.op("Add", up, self._number(beta)))

    def _number(self, value: float) -> ir.Value:
        return self.emit.constant(np.array(value, np.float32), "number")
