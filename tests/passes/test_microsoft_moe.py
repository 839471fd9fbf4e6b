"""com.microsoft::MoE and QMoE become regions that compute what onnxruntime's kernels compute."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from edgemoe.specialise import bind_shapes

FLOAT = TensorProto.FLOAT
MS = "com.microsoft"
RANDOM = np.random.default_rng(0)


def f32(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def u8(*shape: int) -> np.ndarray:
    return RANDOM.integers(0, 255, shape).astype(np.uint8)


def graph(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int, ...]],
    outputs: list[str],
    weights: dict[str, Any] | None = None,
    types: dict[str, int] | None = None,
) -> ir.Model:
    types = types or {}
    proto = helper.make_graph(
        nodes, "test",
        [helper.make_tensor_value_info(n, types.get(n, FLOAT), s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, types.get(n, FLOAT), None) for n in outputs],
        [a if isinstance(a, onnx.TensorProto) else onnx.numpy_helper.from_array(a, n)
         for n, a in (weights or {}).items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid(MS, 1)]
    return bind_shapes(
        ir.from_proto(helper.make_model(proto, opset_imports=opsets, ir_version=11)), {}
    )


def ms(op_type: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    while inputs and not inputs[-1]:
        inputs = inputs[:-1]
    return helper.make_node(op_type, inputs, outputs, domain=MS, **attributes)


ACTIVATIONS = ["relu", "gelu", "silu", "identity", "swiglu"]


@pytest.mark.parametrize(
    ("activation", "k", "bias"), [(a, 1 + i % 2, i % 3 == 0) for i, a in enumerate(ACTIVATIONS * 2)]
)
def test_microsoft_moe(tools: Any, activation: str, k: int, bias: bool) -> None:
    experts, inner, hidden, tokens = 5, 8, 16, 7
    fused = 2 if activation == "swiglu" else 1
    weights = {"w1": f32(experts, fused * inner, hidden), "w2": f32(experts, hidden, inner)}
    if bias:
        weights |= {"b1": f32(experts, fused * inner), "b2": f32(experts, hidden)}
    names = ["x", "r", "w1", "b1" if bias else "", "w2", "b2" if bias else ""]
    options: dict[str, Any] = {}
    if fused == 2:
        options = {"swiglu_fusion": 1, "activation_alpha": 1.702, "activation_beta": 1.0,
                   "swiglu_limit": 1.0}  # fmt: skip
    node = ms("MoE", names, ["y"], activation_type=activation, k=k, **options)
    model = graph([node], {"x": (tokens, hidden), "r": (tokens, experts)}, ["y"], weights)
    wanted = [tools.run(model, feed) for feed in tools.feeds(model)]
    tools.recognise(model, tolerance=1e-3 if activation == "gelu" else 5e-5)
    assert len(tools.regions(model)) == len(tools.regions(model, "Route")) == 1
    assert len(wanted) == 2


@pytest.mark.parametrize(("block", "mixing"), list(itertools.product((0, 16), (False, True))))
def test_quantised_microsoft_moe(tools: Any, block: int, mixing: bool) -> None:
    experts, inner, hidden, tokens, bits = 4, 32, 32, 5, 4

    def scales(rows: int, width: int) -> np.ndarray:
        shape = (experts, rows, width // block) if block else (experts, rows)
        return np.abs(f32(*shape)) * np.float32(0.02)

    weights = {
        "w1": u8(experts, 2 * inner, hidden * bits // 8), "s1": scales(2 * inner, hidden),
        "w2": u8(experts, hidden, inner * bits // 8), "s2": scales(hidden, inner),
    }  # fmt: skip
    names = ["x", "r", "w1", "s1", "", "w2", "s2", *[""] * 7, "mix" if mixing else ""]
    options: dict[str, Any] = {"block_size": block} if block else {}
    node = ms("QMoE", names, ["y"], activation_type="swiglu", k=2, expert_weight_bits=bits,
              swiglu_fusion=1, weights_prepacked=0, accuracy_level=1, **options)  # fmt: skip
    inputs = {"x": (tokens, hidden), "r": (tokens, experts)}
    if mixing:
        inputs["mix"] = (tokens, experts)
    model = graph([node], inputs, ["y"], weights)
    feeds = tools.feeds(model)
    for feed in feeds:
        if mixing:  # onnxruntime drops experts of negative weight
            feed["mix"] = np.abs(feed["mix"])
    tools.recognise(model, feeds, tolerance=2e-4)
    assert len(tools.regions(model)) == 1


def test_an_unknown_activation_is_left_with_a_note(tools: Any) -> None:
    weights = {"w1": f32(3, 8, 16), "w2": f32(3, 16, 8)}
    node = ms("MoE", ["x", "r", "w1", "", "w2"], ["y"], activation_type="relu", k=1,
              use_sparse_mixer=1)  # fmt: skip
    model = graph([node], {"x": (4, 16), "r": (4, 3)}, ["y"], weights)
    from edgemoe.pass_runner import run_passes

    report = run_passes(model, phases=tools.recognise_phases)
    assert [n.op_type for n in model.graph] == ["MoE"]
    assert any("sparse mixer" in note.text for note in report.notes)
