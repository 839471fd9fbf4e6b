"""`block_diagonal` against onnxruntime: the forms that exporters write, odd numbers of rows."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

import edgemoe

CASES = {
    "einsum": (("Einsum", {"equation": "blkp,kqp->blkq"}), (2, 7, 3, 9), (3, 32, 9)),
    "einsum_turned": (("Einsum", {"equation": "bkp, qkp -> bkq"}), (101, 4, 5), (64, 4, 5)),
    "einsum_apart": (("Einsum", {"equation": "bkrsp,kpq->bkrsq"}), (2, 3, 4, 5, 6), (3, 6, 32)),
    "matmul": (("MatMul", {}), (2, 3, 13, 8), (3, 8, 96)),
    "matmul_3d": (("MatMul", {}), (5, 1, 33), (5, 33, 32)),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_onnxruntime(tmp_path, rms, name):
    (op, attributes), shape, matrices = CASES[name]
    chance = np.random.default_rng(0)
    weight = (chance.standard_normal(matrices) / 4).astype(np.float32)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"], **attributes)], "g",
        [value("x", TensorProto.FLOAT, shape)], [value("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.save(model, tmp_path / "m.onnx")
    artifact = edgemoe.compile(tmp_path / "m.onnx", out=tmp_path / "m.em", cpu="native")
    steps = json.loads((tmp_path / "m.em/plan.json").read_text())["variants"][0]["steps"]
    assert [s["kernel"] for s in steps] == ["block_diagonal_0"]
    x = chance.standard_normal(shape).astype(np.float32)
    (wanted,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    one = artifact.load(threads=1).run({"x": x})["y"]
    assert rms(one, wanted) < 1e-6
    np.testing.assert_array_equal(one, artifact.load(threads=2).run({"x": x})["y"])
