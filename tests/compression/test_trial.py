"""What a trial computes is what kernels compute: checked against their definition in NumPy."""

import numpy as np
import onnx_ir as ir
import pytest
import torch

from edgemoe.buckets import plan_buckets
from edgemoe.compression.trial import Trial
from edgemoe.compression.units import units_of
from edgemoe.frontend import load_model
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes
from edgemoe.quantise import quantise
from edgemoe.weight_format import I4, I8

LINEAR = """<ir_version: 10, opset_import: ["" : 21]>
g (float[3,70] x) => (float[3,5] y) <float[70,5] w = {W}, float[5] b = {B}> {
    m = MatMul(x, w)
    y = Add(m, b)
}"""
MIXED = """<ir_version: 10, opset_import: ["" : 21]>
g (float[2,70,40] x) => (float[2,5,40] y) <float[5,70] w = {W}> { y = MatMul(w, x) }"""


def model(text, **arrays):
    for name, array in arrays.items():
        text = text.replace(f"{{{name.upper()}}}", f"{{{', '.join(map(str, array.reshape(-1)))}}}")
    return ir.from_onnx_text(text)


def rounded(rows, group):
    """x [n, depth] -> scales of `group` inputs, codes, and back, as docs/formats.md says."""
    out = np.empty_like(rows)
    for start in range(0, rows.shape[1], group):
        part = rows[:, start : start + group]
        scale = np.abs(part).max(1, keepdims=True) / np.float32(127)
        scale[scale == 0] = 1
        out[:, start : start + group] = np.rint(part / scale) * scale
    return out


@pytest.fixture
def chance():
    return np.random.default_rng(3)


@pytest.mark.parametrize(("given", "group"), [(None, 0), (I8, 70), (I4, 32)])
def test_a_linear_product(chance, given, group):
    x = chance.normal(size=(3, 70)).astype(np.float32)
    x[1] = 0
    w, b = chance.normal(size=(70, 5)).astype(np.float32), np.arange(5, dtype=np.float32)
    graph = model(LINEAR, w=w, b=b)
    run_passes(graph)
    units, _ = units_of(graph, None)
    trial = Trial(graph, units)
    (name,) = trial.products
    weights = {} if given is None else {name: quantise(w.T, given).dequantise(70).T}
    got = trial.run({"x": x}, weights, {name: group})["y"]
    rows = x if not group else rounded(x, group)
    wanted = rows @ weights.get(name, w) + b
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    assert given is None or np.abs(got - (x @ w + b)).max() > 1e-4


def test_token_mixing_rounds_along_the_tokens(chance):
    x = chance.normal(size=(2, 70, 40)).astype(np.float32)
    w = chance.normal(size=(5, 70)).astype(np.float32)
    graph = model(MIXED, w=w)
    run_passes(graph)
    units, _ = units_of(graph, None)
    if not units:
        pytest.fail("token mixing has no unit")
    trial = Trial(graph, units)
    (name,) = trial.products
    got = trial.run({"x": x}, {}, {name: 32})["y"]
    columns = rounded(x.transpose(0, 2, 1).reshape(80, 70), 32).reshape(2, 40, 70)
    np.testing.assert_allclose(got, w @ columns.transpose(0, 2, 1), rtol=1e-4, atol=1e-4)


class Experts(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.router = torch.nn.Linear(24, 5)
        self.up = torch.nn.Parameter(torch.randn(5, 24, 36) * 0.2)
        self.down = torch.nn.Parameter(torch.randn(5, 36, 24) * 0.2)

    def forward(self, x):
        w, ids = self.router(x).softmax(-1).topk(2, -1)
        h = torch.relu(torch.einsum("th,tkhi->tki", x, self.up[ids]))
        return (torch.einsum("tki,tkih->tkh", h, self.down[ids]) * w.unsqueeze(-1)).sum(1)


@pytest.mark.parametrize("tokens", [3, 40])
def test_experts_with_and_without_the_loop(tokens):
    x = torch.randn(tokens, 24)
    source = load_model((Experts(), (x,)), dynamic=False)
    graph = plan_buckets(source.model, None, {}).bind(None)
    (name,) = (str(v.name) for v in graph.graph.inputs)
    wanted = run_in_onnxruntime(graph, {name: x.numpy()})[0]
    run_passes(graph)
    units, _ = units_of(graph, None)
    assert sorted(u.role for u in units) == ["expert", "expert", "router"]
    trial = Trial(graph, units)
    got = next(iter(trial.run({name: x.numpy()}, {}, {}).values()))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    (up,) = (n for n in trial.products if trial.weights[n].shape == (5, 24, 36))
    gone = trial.weights[up].copy()
    ids = Experts().router(x).topk(2, -1).indices
    expert = int(ids[0, 0])
    gone[expert] = 0  # an expert that does nothing changes only the tokens that chose it
    other = next(iter(trial.run({name: x.numpy()}, {up: gone}, {}).values()))
    touched = (ids == expert).any(-1).numpy()
    assert (np.abs(other - got).max(1) > 1e-6).tolist() == touched.tolist() and touched.any()
