"""ONNX operators one by one, from a tiny graph to an artifact, against onnxruntime.

What cannot be compiled must say so: `UnsupportedOpError` with the operator, the node and what to
do, never an error of TVM.
"""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import edgemoe
from edgemoe.errors import UnsupportedOpError

pytestmark = pytest.mark.needs("cc")

TYPES = {
    "f": TensorProto.FLOAT, "i": TensorProto.INT32, "l": TensorProto.INT64,
    "b": TensorProto.BOOL, "d": TensorProto.DOUBLE, "h": TensorProto.FLOAT16,
    "u": TensorProto.UINT8, "s": TensorProto.INT8,
}  # fmt: skip
DTYPES = {
    "f": np.float32, "i": np.int32, "l": np.int64, "b": np.bool_, "d": np.float64,
    "h": np.float16, "u": np.uint8, "s": np.int8,
}  # fmt: skip


class Case:
    """One node: shapes of its inputs as "f2x3", constants by position, attributes."""

    def __init__(self, op, *inputs, outputs=1, opset=20, low=-2.0, high=2.0, name=None, **more):
        self.op, self.inputs, self.outputs, self.opset = op, inputs, outputs, opset
        self.low, self.high, self.attributes = low, high, more
        self.name = name or f"{op}-" + "-".join(
            i if isinstance(i, str) else "none" if i is None else "const" for i in inputs
        ) + "".join(f"-{k}{v}" for k, v in more.items())  # fmt: skip

    def model(self):
        names, graph_inputs, constants = [], [], []
        for number, given in enumerate(self.inputs):
            name = f"x{number}"
            if given is None:
                name = ""
            elif isinstance(given, str):
                shape = [int(d) for d in given[1:].split("x") if d]
                graph_inputs.append(helper.make_tensor_value_info(name, TYPES[given[0]], shape))
            else:
                constants.append(numpy_helper.from_array(np.asarray(given), name))
            names.append(name)
        results = [f"y{i}" for i in range(self.outputs)]
        node = helper.make_node(self.op, names, results, name=f"the_{self.op}", **self.attributes)
        graph = helper.make_graph(
            [node], "one", graph_inputs,
            [helper.make_empty_tensor_value_info(r) for r in results], constants,
        )  # fmt: skip
        opset = helper.make_opsetid("", self.opset)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)

    def feed(self):
        chance = np.random.default_rng(len(self.name))
        feed = {}
        for number, given in enumerate(self.inputs):
            if not isinstance(given, str):
                continue
            shape = [int(d) for d in given[1:].split("x") if d]
            if given[0] == "b":
                array = chance.random(shape) < 0.5
            elif given[0] in "fdh":
                array = chance.uniform(self.low, self.high, shape)
            else:
                low = 0 if given[0] == "u" else int(np.floor(self.low))
                array = chance.integers(low, int(np.ceil(self.high)), shape)
            feed[f"x{number}"] = np.asarray(array).astype(DTYPES[given[0]])
        return feed


def i64(*values):
    return np.array(values, np.int64)


def f32(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


UNARY = [
    "Abs", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish",
    "Identity", "IsNaN", "LeakyRelu", "Mish", "Neg", "Relu", "Round", "Selu", "Sigmoid", "Sign",
    "Sin", "Softplus", "Softsign", "Tan", "Tanh", "Atan", "Sinh",
]  # fmt: skip
BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"]
COMPARE = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]
REDUCE = [
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceLogSumExp", "ReduceSumSquare",
]  # fmt: skip

CASES = [
    *(Case(op, "f3x37") for op in UNARY),
    *(Case(op, "f3x37", low=0.1, high=4.0) for op in ("Log", "Sqrt", "Reciprocal")),
    *(Case(op, "f3x37", low=-0.9, high=0.9) for op in ("Asin", "Acos", "Atanh")),
    *(Case(op, "f2x3x5", "f3x1", low=0.2) for op in BINARY),
    *(Case(op, "i2x3x5", "i5", low=1, high=9) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")),
    *(Case(op, "l2x3x5", "l5", low=1, high=9) for op in ("Add", "Sub", "Mul", "Mod")),
    Case("Div", "i40", np.array([3], np.int32), low=-20, high=20, name="Div-negative"),
    Case("Mod", "l40", i64(3), low=-20, high=20, name="Mod-negative"),
    Case("Mod", "f40", np.array([1.5], np.float32), fmod=1, low=-9, high=9),
    *(Case(op, "f4x5", "f5") for op in COMPARE),
    *(Case(op, "l4x5", "l5") for op in COMPARE),
    *(Case(op, "b4x5", "b5") for op in ("And", "Or", "Xor")),
    Case("Not", "b4x5"),
    Case("Where", "b4x1", "f4x5", "f5"),
    Case("Where", "b4x5", "l5", i64(7)),
    Case("PRelu", "f2x3x4", np.array([[0.1], [0.2], [0.3]], np.float32)),
    Case("Clip", "f4x5", np.float32(-0.5), np.float32(0.7)),
    Case("Clip", "f4x5", None, np.float32(0.7)),
    Case("Clip", "i4x5", np.int32(-1), np.int32(1)),
    Case("Pow", "f4x5", np.float32(2)),
    Case("Pow", "f4x5", np.float32(-0.5), low=0.5),
    Case("Sum", "f4x5", "f5", "f4x1"),
    Case("Mean", "f4x5", "f5"),
    *(
        Case("Cast", f"{a}4x5", to=TYPES[b], low=0 if b in "us" else -3.9, high=9)
        for a, b in ("fi", "fl", "fb", "fd", "fh", "lf", "bf", "bl", "li", "df", "uf", "hf", "fu")
    ),
    *(Case(op, "f3x4x5", i64(0, 2), keepdims=k) for op in REDUCE for k in (0, 1)),
    *(Case("ReduceMean", "f3x4x5", i64(*a), keepdims=0) for a in ((1,), (-1,), (0, 1, 2))),
    Case("ReduceSum", "f3x4x5", keepdims=0, name="ReduceSum-all"),
    Case("ReduceMax", "i3x4", i64(1)),
    *(Case("Transpose", "f3x4x5", perm=list(p)) for p in itertools.permutations(range(3))),
    Case("Transpose", "f2x3x4x5", perm=[0, 2, 3, 1]),
    Case("Transpose", "l3x4", perm=[1, 0]),
    Case("Slice", "f7x9", i64(1, 2), i64(6, 9), i64(0, 1), i64(2, 3)),
    Case("Slice", "f7x9", i64(-1), i64(-100), i64(1), i64(-1), name="Slice-backwards"),
    Case("Slice", "f7x9", i64(-4), i64(2**62), i64(0), name="Slice-from-the-end"),
    *(Case("Concat", "f2x3x4", "f2x3x4", axis=a) for a in (0, 1, -1)),
    Case("Concat", "l2", i64(5, 6), "l3", axis=0),
    Case("Split", "f6x4", i64(1, 2, 3), axis=0, outputs=3),
    Case("Split", "f6x4", axis=1, num_outputs=2, outputs=2),
    Case("Pad", "f3x4", i64(1, 0, 0, 2), np.float32(1.5)),
    Case("Pad", "f3x4", i64(1, 1, 1, 2), mode="reflect"),
    Case("Pad", "f3x4", i64(1, 1, 1, 2), mode="edge"),
    Case("Expand", "f3x1", i64(2, 3, 4)),
    Case("Tile", "f2x3", i64(2, 3)),
    Case("Reshape", "f2x3x4", i64(4, -1)),
    Case("Flatten", "f2x3x4", axis=1),
    Case("Squeeze", "f2x1x4", i64(1)),
    Case("Unsqueeze", "f2x4", i64(0, 3)),
    Case("Shape", "f2x4"),
    Case("Range", i64(0).reshape(()), i64(5).reshape(()), i64(2).reshape(()), name="Range"),
    Case("OneHot", "l5", i64(4), np.array([0, 1], np.float32), low=0, high=4),
    Case("Trilu", "f4x5", upper=0),
    Case("Trilu", "f3x4x5", i64(1).reshape(()), upper=1),
    Case("EyeLike", "f4x5"),
    *(Case("Gather", "f3x4x5", i64(2, 0, 2, 1), axis=a) for a in (0, 1, 2)),
    *(Case("Gather", "f3x4x5", "l2x2", axis=a, low=0, high=3) for a in (0, 1, 2)),
    Case("Gather", "f3x4", "l5", axis=0, low=-3, high=3, name="Gather-from-the-end"),
    Case("GatherElements", "f3x4", "l3x2", axis=1, low=0, high=4),
    Case("GatherElements", "f3x4", "l2x4", axis=0, low=0, high=3),
    Case("GatherND", "f3x4x5", np.array([[0, 1], [2, 3]], np.int64)),
    Case("ScatterElements", "f3x4", np.array([[1], [3], [0]], np.int64), "f3x1", axis=1),
    Case("ScatterElements", "f3x4", np.array([[1, 1]] * 3, np.int64), "f3x2", axis=1,
         reduction="add"),
    Case("ScatterND", "f5x4", np.array([[1], [3]], np.int64), "f2x4"),
    Case("TopK", "f3x9", i64(4), axis=-1, outputs=2),
    Case("TopK", "f3x9", i64(4), axis=0 + 1, largest=0, outputs=2),
    Case("TopK", "f9x3", i64(4), axis=0, outputs=2),
    Case("ArgMax", "f3x9", axis=1, keepdims=0),
    Case("ArgMin", "f3x9", axis=0, keepdims=1),
    *(Case("CumSum", "f3x4x5", i64(a).reshape(())) for a in (0, 1, 2)),
    Case("CumSum", "f3x4", i64(1).reshape(()), exclusive=1),
    Case("CumSum", "f3x4", i64(-1).reshape(()), reverse=1),
    Case("CumSum", "l6", i64(0).reshape(()), name="CumSum-integers"),
    Case("Conv", "f1x3x8x9", f32(4, 3, 3, 3), f32(4)),
    Case("Conv", "f2x4x8x9", f32(6, 2, 3, 2), group=2, pads=[1, 0, 2, 1], strides=[2, 1]),
    Case("Conv", "f1x3x9x9", f32(3, 1, 3, 3), group=3, dilations=[2, 2]),
    Case("Conv", "f1x3x9x9", f32(2, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
    Case("Conv", "f2x3x11", f32(5, 3, 4), f32(5), pads=[2, 1]),
    Case("Conv", "f1x2x4x5x6", f32(3, 2, 2, 2, 2), name="Conv-3d"),
    Case("ConvTranspose", "f1x3x4x5", f32(3, 2, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1]),
    Case("ConvTranspose", "f1x3x4x5", f32(3, 2, 2, 2), f32(2), strides=[2, 2],
         output_padding=[1, 0]),
    Case("ConvTranspose", "f1x3x7", f32(3, 2, 3), strides=[2]),
    Case("AveragePool", "f1x2x6x7", kernel_shape=[2, 3], strides=[2, 2]),
    Case("AveragePool", "f1x2x6x7", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    Case("AveragePool", "f1x2x6x7", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    Case("MaxPool", "f1x2x6x7", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    Case("MaxPool", "f1x2x7x7", kernel_shape=[2, 2], dilations=[2, 2]),
    Case("GlobalAveragePool", "f2x3x4x5"),
    Case("GlobalMaxPool", "f2x3x4x5"),
    Case("BatchNormalization", "f2x3x4x4", f32(3), f32(3, seed=1), f32(3, seed=2),
         np.abs(f32(3, seed=3)) + 0.5),
    Case("InstanceNormalization", "f2x3x4x4", f32(3), f32(3, seed=1)),
    Case("LpNormalization", "f3x5", axis=1, p=2),
    Case("Einsum", "f2x3x4", "f2x4x5", equation="bij,bjk->bik"),
    Case("Einsum", "f3x4", "f5x4", equation="id,jd->ij"),
    Case("Einsum", "f2x3x4x5", "f2x6x4x5", equation="bqhd,bkhd->bhqk"),
    Case("Einsum", "f3x4x5", equation="abc->cab"),
    Case("MatMul", "f3x4", "f4x5"),
    Case("MatMul", "f2x3x4", "f4x5"),
    Case("MatMul", "f3x4", "f2x4x5"),
    Case("MatMul", "f2x1x3x4", "f6x4x5"),
    Case("MatMul", "f4", "f4x5"),
    Case("MatMul", "f3x4", "f4"),
    Case("MatMul", "i3x4", "i4x5"),
    Case("Gemm", "f4x3", "f5x4", "f5", transA=1, transB=1, alpha=0.5, beta=2.0),
    *(Case("Softmax", "f3x4x5", axis=a) for a in (0, 1, 2, -2)),
    *(Case("LogSoftmax", "f3x4x5", axis=a) for a in (0, -1)),
    Case("Hardmax", "f3x7", axis=1),
    *(Case("LayerNormalization", "f3x4x5", f32(*s), f32(*s, seed=1), axis=a)
      for a, s in ((-1, (5,)), (1, (4, 5)), (0, (3, 4, 5)))),
    Case("LayerNormalization", "f3x4x5", f32(5), axis=2),
    Case("Resize", "f1x2x3x4", None, np.array([1, 1, 2, 2], np.float32), mode="nearest"),
    Case("Resize", "f1x2x3x4", None, None, i64(1, 2, 6, 8), mode="nearest",
         coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    Case("Resize", "f1x2x3x4", None, np.array([1, 1, 2, 2], np.float32), mode="linear"),
    Case("DepthToSpace", "f1x8x2x3", blocksize=2),
    Case("SpaceToDepth", "f1x2x4x6", blocksize=2),
    Case("Det", "f3x3"),
    Case("QuantizeLinear", "f4x5", np.float32(0.02), np.uint8(128)),
    Case("DequantizeLinear", "u4x5", np.float32(0.02), np.uint8(128), high=255),
    Case("LSTM", "f3x1x4", f32(1, 8, 4), f32(1, 8, 2), hidden_size=2, outputs=3),
    Case("GRU", "f3x1x4", f32(1, 6, 4), f32(1, 6, 2), hidden_size=2, outputs=2),
    Case("CastLike", "f4x5", np.int32(1)),
    Case("BitShift", "u5", "u5", direction="LEFT", low=0, high=3),
    Case("BitwiseAnd", "i5", "i5", low=0, high=9),
    Case("ReverseSequence", "f4x3", i64(1, 2, 3), batch_axis=1, time_axis=0),
    Case("IsInf", "f5"),
    Case("Size", "f2x4"),
    *(Case("CumSum", "d3x4x5", i64(1).reshape(()), exclusive=e, reverse=1) for e in (0, 1)),
    Case("OneHot", "l2x3", i64(5).reshape(()), np.array([1, 4], np.float32), axis=1, low=-5,
         high=5),
    Case("OneHot", "l2x3", i64(3), i64(0, 1), axis=0, low=-8, high=8, name="OneHot-outside"),
    *(Case("ScatterElements", "f3x4", "l2x3", "f2x3", axis=1, low=-4, high=4, reduction=r)
      for r in ("add", "mul", "max", "min")),
    Case("ScatterElements", "f2x3x4", "i2x2x4", "f2x2x4", axis=1, low=0, high=3, reduction="add"),
    Case("ScatterElements", "l9", "l14", "l14", axis=0, low=0, high=9, reduction="add"),
    Case("ScatterElements", "b3x4", np.array([[1], [3], [0]]), "b3x1", axis=1),
    Case("ScatterND", "f5x4", "l3x1", "f3x4", low=-5, high=5, reduction="add"),
    Case("ScatterND", "f5x4", "l3x2", "f3", low=-4, high=4, reduction="add"),
    Case("ScatterND", "f5x4x70", "l2x2x2", "f2x2x70", low=0, high=4, reduction="max"),
    Case("ScatterND", "l5x4", np.array([[4], [0]]), "l2x4"),
    Case("GatherND", "f2x3x4", "l2x5x1", batch_dims=1, low=-3, high=3),
    Case("GatherElements", "f2x3x4", "i2x3x2", axis=-1, low=-4, high=4),
    Case("TopK", "f2x9x3", i64(9), axis=-2, largest=0, outputs=2),
    *(Case("TopK", f"{t}2x9", i64(3), outputs=2, low=-9, high=9) for t in "ldh"),
    *(Case(op, "l3x9", axis=1, keepdims=0, select_last_index=last, low=0, high=3)
      for op in ("ArgMax", "ArgMin") for last in (0, 1)),
    *(Case("Einsum", *inputs, equation=e) for e, inputs in {
        "ij,jk,kl->il": ("f2x3", "f3x4", "f4x5"), "ii->i": ("f4x4",), "ij->": ("f3x4",),
        "...ij,...jk->...ik": ("f2x3x4", "f2x4x5"), "bnd,edf->bnef": ("f2x3x4", "f5x4x6"),
        "btd,ed,bt->bte": ("f2x6x4", "f3x4", "f2x6"), "bii,i->bi": ("f2x4x4", "f4"),
    }.items()),
    Case("EyeLike", "f4x4", k=-1, dtype=7),
    Case("LpNormalization", "f3x5x2", axis=1, p=1),
    Case("LayerNormalization", "f3x4x5", f32(4, 5), axis=1, outputs=3, opset=20),
    Case("Pow", "l2x3x5", "l5", low=1, high=9),
    Case("Pow", "f5", i64(3)),
    *(Case(op, "b3x4", i64(1)) for op in ("ReduceMax", "ReduceMin")),
    Case("Equal", "b4", "b4"),
    Case("Shape", "f2x4", start=1),
    *(Case("LSTM", "f5x2x4", f32(d, 12, 4), f32(d, 12, 3, seed=1), f32(d, 24, seed=2), None,
           f32(d, 2, 3, seed=3), f32(d, 2, 3, seed=4), f32(d, 9, seed=5), hidden_size=3,
           outputs=3, direction=way) for way, d in (("reverse", 1), ("bidirectional", 2))),
    Case("LSTM", "f5x2x4", f32(1, 12, 4), f32(1, 12, 3, seed=1), None, np.array([3, 5], np.int32),
         hidden_size=3, outputs=3, clip=0.5, activations=["Sigmoid", "Relu", "Tanh"]),
    *(Case("GRU", "f5x2x4", f32(2, 9, 4), f32(2, 9, 3, seed=1), f32(2, 18, seed=2), None,
           f32(2, 2, 3, seed=3), hidden_size=3, outputs=2, direction="bidirectional",
           linear_before_reset=b) for b in (0, 1)),
    Case("RNN", "f5x2x4", f32(1, 3, 4), f32(1, 3, 3, seed=1), f32(1, 6, seed=2), hidden_size=3,
         outputs=2, activations=["Relu"]),
    Case("ReverseSequence", "f3x4x2", "l3", batch_axis=0, time_axis=1, low=1, high=4),
    Case("STFT", "f2x16x1", i64(4).reshape(()), None, i64(8).reshape(()), onesided=0),
    Case("Resize", "f1x2x3x4", None, None, i64(6, 7), mode="linear", axes=[2, 3]),
    *(Case("Resize", "f1x2x3x4", None, None, i64(1, 2, 6, 7), mode="cubic",
           coordinate_transformation_mode=c) for c in ("half_pixel", "align_corners")),
    Case("ConvTranspose", "f1x3x4", f32(3, 2, 3), strides=[2], output_shape=[8]),
    Case("ConvTranspose", "f2x4x5", f32(4, 3, 3), f32(6), group=2, strides=[2], pads=[1, 0]),
    Case("Conv", "f2x6x20", f32(6, 1, 5), f32(6), group=6, dilations=[3], pads=[6, 6]),
    Case("Conv", "f2x6x20", f32(6, 1, 39), group=6, pads=[19, 19]),
    Case("AveragePool", "f1x2x9x9", kernel_shape=[2, 3], dilations=[2, 1]),
    Case("AveragePool", "f1x2x6x7", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1,
         pads=[1, 0, 1, 0], count_include_pad=1),
    Case("MaxPool", "f1x2x6x7", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
    Case("MaxPool", "f1x2x6x6", kernel_shape=[2, 2], outputs=2, name="MaxPool-places"),
    Case("Pad", "f3x7", i64(1, 2, 2, 1), mode="wrap"),
    *(Case(op, "f9") for op in ("Celu", "ThresholdedRelu", "Shrink")),
    *(Case("DFT", "f2x8x1", None, i64(1).reshape(()), onesided=o) for o in (0, 1)),
]  # fmt: skip

UNSUPPORTED = {"Det", "MaxPool-places"}
"""Operators, and cases by name, that no kernel and no lowering of this version computes."""

BATCH = 24


def name_of(case):
    return f"{CASES.index(case)}-{case.name}"


def merged(cases):
    """One graph of many nodes: compiling is what takes the time."""
    parts = []
    for number, case in enumerate(cases):
        graph = onnx.compose.add_prefix(case.model(), f"c{number}_").graph
        parts.append(graph)
    graph = helper.make_graph(
        [n for p in parts for n in p.node], "many", [v for p in parts for v in p.input],
        [v for p in parts for v in p.output], [t for p in parts for t in p.initializer],
    )  # fmt: skip
    opset = helper.make_opsetid("", cases[0].opset)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


def batches():
    """Cases of one opset, in groups."""
    supported = [case for case in CASES if not {case.op, case.name} & UNSUPPORTED]
    for opset in sorted({case.opset for case in supported}):
        same = [case for case in supported if case.opset == opset]
        for start in range(0, len(same), BATCH):
            yield same[start : start + BATCH]


def compare(case, got, want):
    """What is wrong, or None."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{case.name}: {got.dtype}{got.shape}, not {want.dtype}{want.shape}"
    if want.dtype.kind != "f":
        return None if np.array_equal(got, want) else f"{case.name}: {got} is not {want}"
    scale = float(np.sqrt(np.mean(want.astype(np.float64) ** 2))) or 1.0
    limit = 2e-3 if want.dtype == np.float16 else 1e-5
    same = np.allclose(got, want, rtol=limit, atol=limit * scale, equal_nan=True)
    return None if same else f"{case.name}: off by {np.abs(got - want).max()}"


@pytest.mark.parametrize("cases", list(batches()), ids=lambda cases: cases[0].name)
def test_operators_equal_onnxruntime(cases, tmp_path):
    import onnxruntime

    path = tmp_path / "many.onnx"
    onnx.save(merged(cases), path)
    feed = {f"c{i}_{n}": a for i, case in enumerate(cases) for n, a in case.feed().items()}
    wanted = onnxruntime.InferenceSession(path).run(None, feed)
    with edgemoe.compile(path, out=tmp_path / "m", cpu="native").load() as session:
        got = session.run(feed)
        names = [spec.name for spec in session.outputs]
    numbers = [i for i, case in enumerate(cases) for _ in range(case.outputs)]
    problems = [
        compare(cases[i], got[name], want)
        for i, name, want in zip(numbers, names, wanted, strict=True)
    ]
    assert not [problem for problem in problems if problem], "\n".join(filter(None, problems))


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if {case.op, case.name} & UNSUPPORTED],
    ids=lambda case: case.name,
)
def test_what_is_not_supported_says_so(case, tmp_path):
    onnx.save(case.model(), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedOpError) as caught:
        edgemoe.compile(tmp_path / "m.onnx", out=tmp_path / "m", cpu="native")
    message = str(caught.value)
    assert case.op in message and f"the_{case.op}" in message
    assert "next:" in message and "Traceback" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
