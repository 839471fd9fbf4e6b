"""What is expanded computes what onnxruntime's own kernel computes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from edgemoe.packed_weights import dequantise_blocks, unpack
from edgemoe.passes.expand_dft import dft_matrix
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


def expanded(tools: Any, model: ir.Model, gone: str, tolerance: float = 2e-5) -> None:
    assert gone in [node.op_type for node in model.graph]
    tools.recognise(model, tolerance=tolerance)
    assert gone not in [node.op_type for node in model.graph]
    assert not any(node.domain == MS for node in model.graph)


ATTENTION = list(
    itertools.product((4, 2), (0, 1), ("", "float", "bool"), (0, 4), (0.0, 3.0), (3, 4))
)


@pytest.mark.parametrize(("heads", "causal", "mask", "past", "cap", "rank"), ATTENTION[::5])
def test_attention(
    tools: Any, heads: int, causal: int, mask: str, past: int, cap: float, rank: int
) -> None:
    length, width = 3, 8

    def shape(n: int) -> tuple[int, ...]:
        return (1, length, n * width) if rank == 3 else (1, n, length, width)

    inputs = {"q": shape(4), "k": shape(heads), "v": shape(heads)}
    names = ["q", "k", "v", "", "", ""]
    if mask:
        inputs["m"], names[3] = (length, length + past), "m"
    if past:
        inputs["pk"] = inputs["pv"] = (1, heads, past, width)
        names[4:] = ["pk", "pv"]
    while not names[-1]:
        names.pop()
    attributes: dict[str, Any] = {"is_causal": causal, "softcap": cap, "scale": 0.4}
    if rank == 3:
        attributes |= {"q_num_heads": 4, "kv_num_heads": heads}
    outputs = ["y", "present_k", "present_v"] if past else ["y"]
    node = helper.make_node("Attention", names, outputs, **attributes)
    types = {"m": TensorProto.BOOL} if mask == "bool" else {}
    model = graph([node], inputs, outputs, types=types)
    expanded(tools, model, "Attention")
    scales = [n for n in model.graph if n.op_type == "Mul" and n.inputs[1].const_value is not None]
    assert len(scales) == (2 if cap else 1)  # one for q and k together, one for the cap


@pytest.mark.parametrize(
    ("interleaved", "partial", "positions", "rank"),
    list(itertools.product((0, 1), (0, 4), (0, 1), (3, 4))),
)
def test_rotary(tools: Any, interleaved: int, partial: int, positions: int, rank: int) -> None:
    batch, heads, length, width = 2, 3, 5, 8
    shape = (batch, length, heads * width) if rank == 3 else (batch, heads, length, width)
    table = (16, (partial or width) // 2) if positions else (batch, length, (partial or width) // 2)
    inputs: dict[str, tuple[int, ...]] = {"x": shape}
    if positions:
        inputs["p"] = (batch, length)
    node = helper.make_node(
        "RotaryEmbedding", ["x", "cos", "sin", *(["p"] if positions else [])], ["y"],
        interleaved=interleaved, rotary_embedding_dim=partial, num_heads=heads,
    )  # fmt: skip
    weights = {"cos": f32(*table), "sin": f32(*table)}
    model = graph([node], inputs, ["y"], weights, {"p": TensorProto.INT64})
    expanded(tools, model, "RotaryEmbedding")


@pytest.mark.parametrize(("offset", "rank"), list(itertools.product((0, 1), (3, 4))))
def test_microsoft_rotary(tools: Any, offset: int, rank: int) -> None:
    shape = (2, 5, 24) if rank == 3 else (2, 3, 5, 8)
    inputs = {"x": shape, "p": (1,) if offset else (2, 5)}
    node = ms("RotaryEmbedding", ["x", "p", "cos", "sin"], ["y"], interleaved=1)
    weights = {"cos": f32(16, 4), "sin": f32(16, 4)}
    model = graph([node], inputs, ["y"], weights, {"p": TensorProto.INT64})
    expanded(tools, model, "RotaryEmbedding")


NORMS = {
    "SimplifiedLayerNormalization": (["x", "g"], ["y"]),
    "SkipSimplifiedLayerNormalization": (["x", "r", "g", "b"], ["y", "", "", "s"]),
    "SkipLayerNormalization": (["x", "r", "g", "b", "c"], ["y", "", "", "s"]),
}


@pytest.mark.parametrize("op_type", NORMS)
def test_fused_norms(tools: Any, op_type: str) -> None:
    names, outputs = NORMS[op_type]
    weights = {name: f32(16) for name in names if name in "gbc"}
    inputs = {name: (2, 3, 16) for name in names if name in "xr"}
    domain = "" if op_type == "SimplifiedLayerNormalization" else MS
    node = helper.make_node(op_type, names, outputs, domain=domain, epsilon=1e-3)
    model = graph([node], inputs, [name for name in outputs if name], weights)
    expanded(tools, model, op_type)


@pytest.mark.parametrize("op_type", ["Gelu", "FastGelu", "QuickGelu", "BiasGelu"])
def test_gelu_variants(tools: Any, op_type: str) -> None:
    names = ["x", "b"] if op_type in ("BiasGelu", "FastGelu") else ["x"]
    options = {"alpha": 1.3} if op_type == "QuickGelu" else {}
    model = graph([ms(op_type, names, ["y"], **options)], {"x": (3, 16)}, ["y"],
                  {"b": f32(16)} if len(names) > 1 else {})  # fmt: skip
    tools.recognise(model)
    assert not any(node.domain == MS for node in model.graph)


@pytest.mark.parametrize(("a", "b"), list(itertools.product((0, 1), (0, 1))))
def test_fused_matmul(tools: Any, a: int, b: int) -> None:
    node = ms("FusedMatMul", ["x", "z"], ["y"], transA=a, transB=b, alpha=0.3)
    inputs = {"x": (2, 5, 3) if a else (2, 3, 5), "z": (2, 7, 5) if b else (2, 5, 7)}
    expanded(tools, graph([node], inputs, ["y"]), "FusedMatMul")


@pytest.mark.parametrize("per_column", [False, True])
def test_quantised_matmul_bit_by_bit(tools: Any, per_column: bool) -> None:
    weights = {
        "sx": np.float32(0.05), "zx": np.uint8(7),
        "w": RANDOM.integers(-100, 100, (8, 6)).astype(np.int8),
        "sw": np.abs(f32(6)) * 0.03 if per_column else np.float32(0.02),
        "zw": np.zeros(6, np.int8) if per_column else np.int8(3),
        "sy": np.float32(0.4), "zy": np.uint8(100),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
        helper.make_node("QLinearMatMul", ["q", "sx", "zx", "w", "sw", "zw", "sy", "zy"], ["y"]),
    ]
    arrays = {name: np.asarray(value) for name, value in weights.items()}
    model = graph(nodes, {"x": (4, 8)}, ["y"], arrays, {"y": TensorProto.UINT8})
    expanded(tools, model, "QLinearMatMul", tolerance=0)


DFT = [
    (n, parts, inverse, onesided, axis, length)
    for n, parts, inverse, onesided, axis, length in itertools.product(
        (8, 7), (1, 2), (0, 1), (0, 1), (1, -2), (None, 5, 11)
    )
    if not (onesided and (inverse or parts == 2))
]


@pytest.mark.parametrize(("n", "parts", "inverse", "onesided", "axis", "length"), DFT[::3])
def test_dft(
    tools: Any, n: int, parts: int, inverse: int, onesided: int, axis: int, length: int | None
) -> None:
    weights = {"axis": np.array(axis, np.int64)}
    if length:
        weights["length"] = np.array(length, np.int64)
    node = helper.make_node(
        "DFT", ["x", "length" if length else "", "axis"], ["y"], inverse=inverse, onesided=onesided
    )
    shape = (2, n, 3, parts) if axis == 1 else (2, 3, n, parts)
    expanded(tools, graph([node], {"x": shape}, ["y"], weights), "DFT")


def test_dft_matrix_agrees_with_numpy() -> None:
    signal = np.random.default_rng(1).standard_normal(9)
    spectrum = (signal @ dft_matrix(9, 1, 9, inverse=False, onesided=True)).reshape(-1, 2)
    np.testing.assert_allclose(spectrum @ [1, 1j], np.fft.rfft(signal), atol=1e-12)


@pytest.mark.parametrize(
    ("bits", "zero", "bias"),  # onnxruntime has no kernel for float zero points of 8 bits
    [
        case
        for case in itertools.product((4, 8), ("", "packed", "float"), (0, 1))
        if case[:2] != (8, "float")
    ],
)
def test_matmul_nbits(tools: Any, bits: int, zero: str, bias: int) -> None:
    rows, width, block, blocks = 6, 48, 16, 3
    weights = {"w": u8(rows, blocks, block * bits // 8), "s": np.abs(f32(rows, blocks)) * 0.01}
    if zero:
        size = -(-blocks * bits // 8)
        weights["z"] = u8(rows, size) if zero == "packed" else f32(rows, blocks)
    if bias:
        weights["b"] = f32(rows)
    names = ["x", "w", "s", "z" if zero else "", "", "b" if bias else ""]
    node = ms("MatMulNBits", names, ["y"], N=rows, K=width, bits=bits, block_size=block)
    expanded(tools, graph([node], {"x": (2, 3, width)}, ["y"], weights), "MatMulNBits")


def test_unpack_reads_the_low_bits_first() -> None:
    assert unpack(np.array([0x21, 0x43], np.uint8), 4, 3).tolist() == [1, 2, 3]
    assert unpack(np.array([0b11100100], np.uint8), 2, 4).tolist() == [0, 1, 2, 3]
    row = dequantise_blocks(np.array([[0x10]], np.uint8), np.array([[2.0]]), None, 4, 2, 2)
    assert row.tolist() == [[-16.0, -14.0]]  # the middle of 4 bits is 8


def test_blocked_int4_weights(tools: Any) -> None:
    codes = RANDOM.integers(-8, 8, 32 * 6).tolist()
    weights = {
        "w": helper.make_tensor("w", TensorProto.INT4, [32, 6], codes), "s": f32(2, 6),
        "z": helper.make_tensor("z", TensorProto.INT4, [2, 6], RANDOM.integers(-8, 8, 12).tolist()),
    }  # fmt: skip
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["f"], axis=0, block_size=16),
        helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    model = graph(nodes, {"x": (3, 32)}, ["y"], weights)
    expanded(tools, model, "DequantizeLinear")
    (weight,) = model.graph.initializers.values()
    assert weight.name == "w.dequantised" and weight.dtype == ir.DataType.FLOAT
