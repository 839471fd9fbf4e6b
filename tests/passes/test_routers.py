"""Each router family is read with its parameters; what is not understood stays ordinary."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from edgemoe import graph_facts

T, H, E = 5, 6, 8

FRAME = """
<ir_version: 10, opset_import: ["" : 21]>
layer (float[5,6] x, float[8,4,6] W1, float[8,6,4] W2, float[6,8] R, float[8] bias,
       float[5,4] zeros, float[5,2] ones) => (float[5,6] y) {
  k = Constant <value_ints = [3]> ()
  last = Constant <value_ints = [-1]> ()
  logits = MatMul (x, R)
  ROUTER
  flat = Constant <value_ints = [-1]> ()
  ids1 = Reshape (ids, flat)
  W1g = Gather <axis = 0> (W1, ids1)
  repeat = Constant <value_ints = [5, 3, 6]> ()
  rows = Constant <value_ints = [15, 6, 1]> ()
  axis1 = Constant <value_ints = [1]> ()
  wide = Unsqueeze (x, axis1)
  many = Expand (wide, repeat)
  xs = Reshape (many, rows)
  h3 = MatMul (W1g, xs)
  a = Relu (h3)
  W2g = Gather <axis = 0> (W2, ids1)
  y3 = MatMul (W2g, a)
  apart = Reshape (y3, repeat)
  wc = Unsqueeze (w, last)
  weighted = Mul (apart, wc)
  y = ReduceSum <keepdims = 0> (weighted, axis1)
}
"""

NORMALISED = "total = ReduceSum <keepdims = 1> (v, last) w = Div (v, total)"

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "softmax": (
        "p = Softmax (logits) w, ids = TopK (p, k)",
        {"score": "softmax", "renormalise": "none", "softmax_after": False, "scale": 1.0},
    ),
    "softmax renormalised": (
        f"p = Softmax (logits) v, ids = TopK (p, k) {NORMALISED}",
        {"score": "softmax", "renormalise": "sum", "eps": 0.0},
    ),
    "softmax over the chosen": (
        "v, ids = TopK (logits, k) w = Softmax (v)",
        {"score": "none", "softmax_after": True, "renormalise": "none"},
    ),
    "sigmoid of the chosen": (
        "v, ids = TopK (logits, k) w = Sigmoid (v)",
        {"score": "none", "sigmoid_after": True},
    ),
    "sigmoid with a bias that only chooses": (
        """s = Sigmoid (logits) c = Add (s, bias) cv, ids = TopK (c, k)
        v = GatherElements <axis = 1> (s, ids) total = ReduceSum <keepdims = 1> (v, last)
        eps = Constant <value_float = 1e-20> () safe = Add (total, eps) n = Div (v, safe)
        factor = Constant <value_float = 2.5> () w = Mul (n, factor)""",
        {"score": "sigmoid", "bias": True, "renormalise": "sum", "eps": 1e-20, "scale": 2.5,
         "eps_mode": "add"},
    ),
    "clamped sum": (
        """p = Softmax (logits) v, ids = TopK (p, k) total = ReduceSum <keepdims = 1> (v, last)
        eps = Constant <value_float = 0.5> () safe = Max (total, eps) w = Div (v, safe)""",
        {"renormalise": "sum", "eps": 0.5, "eps_mode": "max"},
    ),
    "square root of softplus": (
        "sp = Softplus (logits) s = Sqrt (sp) w, ids = TopK (s, k)",
        {"score": "sqrt_softplus"},
    ),
    "groups by the sum of their two best": (
        """s = Sigmoid (logits) c = Add (s, bias) gshape = Constant <value_ints = [5, 4, 2]> ()
        two = Constant <value_ints = [2]> () cg = Reshape (c, gshape) best, bi = TopK (cg, two)
        gs = ReduceSum <keepdims = 0> (best, last) gv, gi = TopK (gs, two)
        mark = ScatterElements <axis = 1> (zeros, gi, ones) mu = Unsqueeze (mark, last)
        me = Expand (mu, gshape) tshape = Constant <value_ints = [5, 8]> ()
        mf = Reshape (me, tshape) mb = Cast <to = 9> (mf) nb = Not (mb)
        low = Constant <value_float = -inf> () masked = Where (nb, low, c)
        cv, ids = TopK (masked, k) w = GatherElements <axis = 1> (s, ids)""",
        {"score": "sigmoid", "bias": True, "groups": 4, "top_groups": 2, "group_score": "sum2",
         "masked": "-inf"},
    ),
    "groups by their maximum": (
        """s = Softmax (logits) gshape = Constant <value_ints = [5, 4, 2]> ()
        two = Constant <value_ints = [2]> () sg = Reshape (s, gshape)
        gs = ReduceMax <keepdims = 0> (sg, last) gv, gi = TopK (gs, two)
        mark = ScatterElements <axis = 1> (zeros, gi, ones) mu = Unsqueeze (mark, last)
        me = Expand (mu, gshape) tshape = Constant <value_ints = [5, 8]> ()
        mf = Reshape (me, tshape) mb = Cast <to = 9> (mf)
        low = Constant <value_float = 0.0> () masked = Where (mb, s, low)
        w, ids = TopK (masked, k)""",
        {"score": "softmax", "bias": False, "groups": 4, "top_groups": 2, "group_score": "max",
         "masked": 0.0},
    ),
}  # fmt: skip

UNKNOWN = {
    "softmax across tokens": "p = Softmax <axis = 0> (logits) w, ids = TopK (p, k)",
    "weights from elsewhere": "p = Softmax (logits) v, ids = TopK (p, k) w = Tanh (v)",
    "the smallest": "p = Softmax (logits) w, ids = TopK <largest = 0> (p, k)",
}


def arrays(router: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    found = {
        "W1": random.standard_normal((E, 4, H)), "W2": random.standard_normal((E, H, 4)),
        "R": random.standard_normal((H, E)), "bias": random.standard_normal(E),
        "zeros": np.zeros((T, 4)), "ones": np.ones((T, 2)),
    }  # fmt: skip
    del router
    return {name: array.astype(np.float32) for name, array in found.items()}


def recognised(tools: Any, router: str) -> Any:
    model = tools.text(FRAME.replace("ROUTER", router), arrays(router))
    report = tools.recognise(model, [
        {"x": np.random.default_rng(i).standard_normal((T, H)).astype(np.float32)} for i in (1, 2)
    ])  # fmt: skip
    assert len(tools.regions(model)) == 1
    return model, report


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters(tools: Any, family: str) -> None:
    router, expected = FAMILIES[family]
    model, _ = recognised(tools, router)
    (call,) = tools.regions(model, "Route")
    found = json.loads(call.metadata_props["edgemoe.route"])
    assert found["select"] == "topk" and found["k"] == 3
    for name, value in expected.items():
        wanted = pytest.approx(value) if isinstance(value, float) else value
        assert found[name] == wanted, name
    assert graph_facts.shape_of(call.inputs[0]) == (T, E)
    assert len(call.inputs) == 1 + expected.get("bias", False)
    moe = tools.regions(model)[0]
    assert list(moe.inputs[1:3]) == list(call.outputs)
    products = [n.op_type for n in model.graph if graph_facts.is_op(n, "MatMul", "Gemm")]
    assert products == ["MatMul"]  # the logits stay an ordinary product


@pytest.mark.parametrize("family", UNKNOWN)
def test_unknown_routers_stay(tools: Any, family: str) -> None:
    model, report = recognised(tools, UNKNOWN[family])
    assert not tools.regions(model, "Route")
    missed = [note for note in report.notes if note.subject == "router"]
    assert [note.kind for note in missed] == ["missed"]
    reasons = missed[0].facts["reasons"]
    assert isinstance(reasons, dict) and {"topk", "grouped_topk", "argmax"} <= set(reasons)


def test_argmax(tools: Any) -> None:
    router = """p = Softmax (logits) best = ArgMax <axis = 1, keepdims = 1> (p)
      w = ReduceMax <keepdims = 1> (p, last) ids = Identity (best)"""
    source = FRAME.replace("ROUTER", router).replace("[5, 3, 6]", "[5, 1, 6]")
    source = source.replace("[15, 6, 1]", "[5, 6, 1]")
    model = tools.text(source, arrays(""))
    tools.recognise(model)
    (call,) = tools.regions(model, "Route")
    assert call.metadata_props["edgemoe.family"] == "argmax"
    assert json.loads(call.metadata_props["edgemoe.route"])["k"] == 1


@pytest.mark.parametrize("tokens", [1, 3])
def test_relu_rmsnorm_with_gamma_and_eps(tools: Any, tokens: int) -> None:
    from edgemoe.specialise import bind_shapes

    model = bind_shapes(tools.export("block_flat"), {"T": tokens})
    tools.recognise(model)
    (call,) = tools.regions(model, "Route")
    found = json.loads(call.metadata_props["edgemoe.route"])
    assert found == {"score": "relu_rmsnorm", "eps": pytest.approx(1e-6), "gamma": True}
    assert graph_facts.shape_of(call.inputs[1]) == (3,)


def test_a_value_that_others_read_stays_computed(tools: Any) -> None:
    """The probabilities are an output of the model as well."""
    source = FRAME.replace("ROUTER", FAMILIES["softmax"][0]).replace(
        "=> (float[5,6] y)", "=> (float[5,6] y, float[5,8] p)"
    )
    model = tools.text(source, arrays(""))
    tools.recognise(model)
    assert len(tools.regions(model, "Route")) == 1
    assert [n.op_type for n in model.graph].count("Softmax") == 1
