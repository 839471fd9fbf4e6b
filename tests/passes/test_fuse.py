"""The fuse phase: what is fused, what must not be, and that onnxruntime sees the same numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgemoe.graph_facts import kind_of
from edgemoe.pass_runner import run_passes
from edgemoe.reference import made_up_inputs


def fused(signature, body, **constants):
    """Parse a graph, run all passes with checks, return operator and region counts."""
    text = f'<ir_version: 10, opset_import: ["" : 20]>\n{signature} {{\n{body}\n}}'
    proto = onnx.parser.parse_model(text)
    for name, array in constants.items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    model = ir.from_proto(proto)
    run_passes(model, check=[made_up_inputs(model, seed=seed) for seed in range(2)])
    counts = Counter(kind_of(node) or node.op_type for node in model.graph)
    before = Counter(counts)
    again = run_passes(model)
    assert not [run.name for run in again.runs if run.changes]
    assert counts == before
    return counts


def normal(*shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def scalar(value):
    return np.array(value, np.float32)


ONES = {"axes": np.array([-1], np.int64), "eps": scalar(1e-6)}


def test_rms_norm():
    counts = fused(
        "g (float[3,5,16] x) => (float[3,5,16] y)",
        """s = Mul(x, x)
        m = ReduceMean<keepdims=1>(s, axes)
        e = Add(m, eps)
        r = Sqrt(e)
        i = Reciprocal(r)
        n = Mul(x, i)
        y = Mul(scale, n)""",
        scale=normal(16), **ONES,
    )  # fmt: skip
    assert counts == {"RMSNormalization": 1}


def test_layer_norm_without_scale():
    counts = fused(
        "g (float[4,16] x) => (float[4,16] y)",
        """m = ReduceMean<keepdims=1>(x, axes)
        c = Sub(x, m)
        s = Pow(c, two)
        v = ReduceMean<keepdims=1>(s, axes)
        e = Add(v, eps)
        r = Sqrt(e)
        y = Div(c, r)""",
        two=scalar(2), **ONES,
    )  # fmt: skip
    assert counts == {"LayerNormalization": 1}


@pytest.mark.parametrize("change", ["axis", "other"])
def test_near_misses_of_norms_stay(change):
    axes = np.array([0 if change == "axis" else -1], np.int64)
    squared = "Mul(x, x)" if change == "axis" else "Mul(x, z)"
    counts = fused(
        "g (float[4,16] x, float[4,16] z) => (float[4,16] y)",
        f"""a = Abs(z)
        s = {squared}
        p = Abs(s)
        m = ReduceMean<keepdims=1>(p, axes)
        e = Add(m, eps)
        r = Sqrt(e)
        n = Div(x, r)
        y = Add(n, a)""",
        axes=axes, eps=scalar(1e-6),
    )  # fmt: skip
    assert counts["RMSNormalization"] == 0 and counts["ReduceMean"] == 1


ATTENTION = """k1 = Transpose<perm=[1,0,2]>(k)
    k2 = Unsqueeze(k1, one)
    k3 = Expand(k2, repeat)
    k4 = Reshape(k3, heads)
    kt = Transpose<perm=[0,2,1]>(k4)
    v1 = Transpose<perm=[1,0,2]>(v)
    v2 = Unsqueeze(v1, one)
    v3 = Expand(v2, repeat)
    v4 = Reshape(v3, heads)
    qt = Transpose<perm=[1,0,2]>(q)
    s = MatMul(qt, kt)
    s1 = Mul(s, scale)
    {mask}
    p = Softmax<axis={axis}>(s2)
    o = MatMul(p, v4)
    y = Transpose<perm=[1,0,2]>(o)"""
ATTENTION_SHAPES = {
    "one": np.array([1], np.int64), "repeat": np.array([2, 2, 9, 8], np.int64),
    "heads": np.array([4, 9, 8], np.int64), "scale": scalar(0.35),
}  # fmt: skip


def attention(mask, axis=-1, **constants):
    return fused(
        "g (float[5,4,8] q, float[9,2,8] k, float[9,2,8] v, bool[5,9] m, float[5,9] f) "
        "=> (float[5,4,8] y, bool[5,9] mm, float[5,9] ff)",
        ATTENTION.format(mask=mask, axis=axis) + "\nmm = Not(m)\nff = Abs(f)",
        **ATTENTION_SHAPES, **constants,
    )  # fmt: skip


@pytest.mark.parametrize(
    "mask",
    ["s2 = Identity(s1)", "s2 = Where(m, low, s1)", "s2 = Where(m, s1, low)", "s2 = Add(f, s1)"],
)
def test_attention_with_grouped_heads(mask):
    counts = attention(mask, low=scalar(-3e38))
    assert counts["Attention"] == 1
    assert not counts["Expand"] and not counts["Transpose"] and not counts["Softmax"]


def test_near_misses_of_attention_stay():
    assert attention("s2 = Where(m, low, s1)", low=scalar(-5.0))["Attention"] == 0
    assert attention("s2 = Identity(s1)", axis=1)["Attention"] == 0


def mixer(channels, gate):
    token = {"w": normal(12, 20), "v": normal(20, 12), "b": normal(20), "c": normal(12)}
    return fused(
        f"g (float[2,12,{channels}] x) => (float[2,12,{channels}] y)",
        """t = Transpose<perm=[0,2,1]>(x)
        a = MatMul(t, w)
        a1 = Add(a, b)
        a2 = Gelu(a1)
        h = MatMul(a2, v)
        h1 = Add(c, h)
        """
        + ("p = Softmax<axis=-1>(h1)\nh2 = Mul(h1, p)" if gate else "h2 = Relu(h1)")
        + "\nu = Transpose<perm=[0,2,1]>(h2)\ny = Add(x, u)",
        **token,
    )  # fmt: skip


@pytest.mark.parametrize("gate", [False, True])
def test_transposes_of_a_wide_mixer_cancel(gate):
    counts = mixer(40, gate)
    assert counts["TokenMix"] == 2 and counts["Transpose"] == 0 and counts["Linear"] == 0


def test_a_narrow_mixer_multiplies_rows():
    counts = mixer(7, gate=False)
    assert counts["Linear"] == 2 and counts["TokenMix"] == 0 and counts["Transpose"] <= 2


def test_left_product_of_few_channels_turns_around():
    counts = fused(
        "g (float[2,12,7] x) => (float[2,9,7] y)",
        """a = MatMul(w, x)
        a1 = Add(a, b)
        a2 = Relu(a1)
        y = MatMul(v, a2)""",
        w=normal(20, 12), b=normal(20, 1), v=normal(9, 20),
    )  # fmt: skip
    assert counts == {"Transpose": 2, "Linear": 2}


@pytest.mark.parametrize(
    ("shape", "kernel", "strides", "products"),
    [
        ("2,3,8,8", (5, 3, 4, 4), [4, 4], 1),
        ("1,3,9,7", (5, 3, 2, 3), [2, 3], 1),
        ("2,6,4,8", (5, 6, 1, 1), [1, 1], 1),
        ("1,3,8,8", (5, 3, 4, 4), [2, 2], 0),
    ],
)
def test_convolutions_that_do_not_overlap(shape, kernel, strides, products):
    height, width = (
        (int(n) - k) // s + 1
        for n, k, s in zip(shape.split(",")[2:], kernel[2:], strides, strict=True)
    )
    batch = shape.split(",")[0]
    counts = fused(
        f"g (float[{shape}] x) => (float[{batch},5,{height},{width}] y)",
        f"y = Conv<strides={strides}>(x, w, b)", w=normal(*kernel), b=normal(5),
    )  # fmt: skip
    assert counts["Linear"] + counts["TokenMix"] == products
    assert counts["Conv"] == 1 - products


def test_linear_takes_bias_activation_gate_and_residual():
    counts = fused(
        "g (float[6,10] x, float[6,8] r, float[6,1] g) => (float[6,8] y)",
        """a = MatMul(x, w)
        a1 = Add(a, b)
        s = Sigmoid(a1)
        a2 = Mul(a1, s)
        a3 = Mul(a2, g)
        y = Add(r, a3)""",
        w=normal(10, 8), b=normal(8),
    )  # fmt: skip
    assert counts == {"Linear": 1}


def test_operand_that_depends_on_the_product_stays_outside():
    counts = fused(
        "g (float[6,10] x) => (float[6,8] y)",
        """a = MatMul(x, w)
        t = ReduceMax<keepdims=1>(a, axes)
        y = Sub(a, t)""",
        w=normal(10, 8), axes=np.array([1], np.int64),
    )  # fmt: skip
    assert counts == {"Linear": 1, "ReduceMax": 1, "Sub": 1}


def test_value_with_two_readers_is_stored():
    counts = fused(
        "g (float[6,10] x) => (float[6,8] y, float[6,8] z)",
        """a = MatMul(x, w)
        y = Relu(a)
        z = Abs(a)""",
        w=normal(10, 8),
    )  # fmt: skip
    assert counts == {"Linear": 1, "Relu": 1, "Abs": 1}


def test_the_only_place_of_an_axis_is_a_reshape():
    counts = fused(
        "g (float[4,6,1] x, float[4,6,2] z) => (float[4,6] y, float[4,6] t)",
        """a = Gather<axis=2>(x, zero)
        y = Abs(a)
        t = Gather<axis=2>(z, zero)""",
        zero=np.array(0, np.int64),
    )  # fmt: skip
    assert counts == {"Reshape": 1, "Abs": 1, "Gather": 1}


GATE = """m = MatMul(W, x)
    s = Softmax<axis = {axis}>(m)
    g = Mul(s, x)
    y = Add(x, g)"""
CHANNELS = """m = MatMul(W, x)
    h = MatMul(m, V)
    y = Gelu<approximate = "none">(h)"""


def mixed(batch, body, result=32, **constants):
    signature = f"g (float[{batch},20,32] x) => (float[{batch},20,{result}] y)"
    return fused(signature, body, W=normal(20, 20, scale=0.2), **constants)


@pytest.mark.parametrize("axis", [-1, 1])
def test_a_softmax_gate_takes_its_residual(axis):
    assert mixed(2, GATE.format(axis=axis)) == {"TokenMix": 1, "SoftmaxGate": 1}


def test_a_softmax_over_the_batch_is_no_gate():
    counts = mixed(2, GATE.format(axis=0))
    assert counts == {"TokenMix": 1, "Softmax": 1, "Mul": 1, "Add": 1}


def test_channel_products_beside_token_products():
    assert mixed(2, CHANNELS, result=64, V=normal(32, 64)) == {"TokenMix": 1, "ChannelMix": 1}
    # 48 columns are no whole panels, and without token mixing there is no mixer.
    assert mixed(2, CHANNELS, result=48, V=normal(32, 48)) == {"TokenMix": 1, "Linear": 1}
    alone = fused("g (float[2,20,32] x) => (float[2,20,64] y)", "y = MatMul(x, V)",
                  V=normal(32, 64))  # fmt: skip
    assert alone == {"Linear": 1}


def test_a_batch_runs_block_by_block():
    assert mixed(4, GATE.format(axis=1)) == {"Blocks": 1}
    assert mixed(4, CHANNELS, result=64, V=normal(32, 64)) == {"Blocks": 1}


def test_what_differs_between_blocks_stays_outside():
    body = GATE.format(axis=1).replace("y = Add(x, g)", "a = Add(x, g)\n    y = Add(a, c)")
    counts = mixed(4, body, c=normal(4, 20, 32))
    assert counts == {"Blocks": 1, "Add": 1}


def test_a_block_may_have_several_results():
    counts = fused(
        "g (float[4,20,32] x) => (float[4,20,32] y, float[4,20,32] z)",
        "m = MatMul(W, x)\n    y = Tanh(m)\n    r = Add(m, x)\n    z = Relu(r)",
        W=normal(20, 20, scale=0.2),
    )
    assert counts == {"Blocks": 1}
