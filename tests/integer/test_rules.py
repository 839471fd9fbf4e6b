"""Every rule against onnxruntime, in steps of the output."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import shapes
from edgemoe.emit import Emitter
from edgemoe.integer.expand_blocks import expand_blocks
from edgemoe.integer.rules.norm import COMPACT
from edgemoe.regions import block_down, block_up
from edgemoe.weight_format import parse

Build = Any


def numbers(*shape: int, seed: int = 1, scale: float = 1.0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("depth", "columns"), [(1, 1), (7, 3), (33, 9), (128, 8)])
def test_linear(build: Build, bits: int, depth: int, columns: int) -> None:
    made = build(
        f"""g (float[1, 5, {depth}] x, float w, float b) => (float[1, 5, {columns}] y) {{
            m = MatMul (x, w)
            y = Add (m, b)
        }}""",
        {"w": numbers(depth, columns), "b": numbers(columns, seed=2)}, bits=bits,
    )  # fmt: skip
    assert made.operators == ["Linear"]
    assert made.worst() <= (0.52 if bits == 8 else 1.2)  # rounding once; a bias and 31 bits


@pytest.mark.parametrize("given", ["i8", "i4", "i4.g64", "ternary"])
def test_linear_formats(build: Build, given: str) -> None:
    weights = numbers(96, 16)
    made = build(
        "g (float[4, 96] x, float w) => (float[4, 16] y) { y = MatMul (x, w) }",
        {"w": weights}, formats={"w": parse(given)},
    )  # fmt: skip
    assert made.worst() <= 0.52
    node = next(iter(made.model.model.graph))
    grouped = len(node.inputs) == 5 and node.inputs[4] is not None
    assert grouped == (given != "i8")
    bits = {"i8": 8, "i4": 4, "i4.g64": 4, "ternary": 2}[given]
    assert made.model.bytes_by_role()["weights"] == 96 * 16 * bits // 8


def test_bias_that_dominates(build: Build) -> None:
    made = build(
        """g (float[3, 9] x, float w, float b) => (float[3, 5] y) {
            m = MatMul (x, w)
            y = Add (m, b)
        }""",
        {"w": numbers(9, 5, scale=1e-6), "b": numbers(5, seed=3, scale=1e5)},
    )  # fmt: skip
    assert made.worst() <= 1.0


def test_product_at_the_left_is_transposed_and_chains_cancel(build: Build) -> None:
    made = build(
        """g (float[1, 9, 5] x, float v, float b, float w) => (float[1, 9, 5] y) {
            m = MatMul (v, x)
            n = Add (m, b)
            a = Gelu (n)
            y = MatMul (w, a)
        }""",
        {"v": numbers(7, 9), "b": numbers(7, 1, seed=2), "w": numbers(9, 7, seed=3)},
    )  # fmt: skip
    assert made.operators == ["Transpose", "Linear", "Table", "Linear", "Transpose"]
    assert np.sqrt(np.mean(made.errors() ** 2)) < 2.0  # three roundings to 8 bits


def test_gemm_with_its_attributes(build: Build) -> None:
    made = build(
        """g (float[3, 8] x, float w, float b) => (float[3, 6] y) {
            y = Gemm <alpha = 0.5, beta = 2.0, transB = 1> (x, w, b)
        }""",
        {"w": numbers(6, 8), "b": numbers(6, seed=2)}, bits=16,
    )  # fmt: skip
    quantised = made.model.outputs["y"]
    assert quantised is not None
    wanted = 0.5 * made.feeds[0]["x"] @ numbers(6, 8).T + 2.0 * numbers(6, seed=2)
    got = made.model.run(made.feeds[0])["y"]
    assert np.abs(got - wanted).max() < 0.02  # weights of 8 bits


def test_a_stack_of_products_is_experts_by_place(build: Build) -> None:
    made = build(
        "g (float[2, 3, 5, 7] x, float w) => (float[2, 3, 5, 4] y) { y = MatMul (x, w) }",
        {"w": numbers(3, 7, 4)},
    )  # fmt: skip
    assert made.operators == ["Reshape", "ExpertLinear", "Reshape"]
    wanted = made.feeds[0]["x"] @ numbers(3, 7, 4)
    assert np.abs(made.model.run(made.feeds[0])["y"] - wanted).max() < 0.2


def test_relu_costs_nothing(build: Build) -> None:
    made = build(
        """g (float[3, 8] x, float w) => (float[3, 6] y) {
            m = MatMul (x, w)
            y = Relu (m)
        }""",
        {"w": numbers(8, 6)},
    )  # fmt: skip
    assert made.operators == ["Linear"]
    assert made.worst() <= 0.52
    assert made.model.run(made.feeds[0])["y"].min() >= 0.0


UNARY = {
    "Gelu": "y = Gelu (x)",
    "Gelu of tanh": 'y = Gelu <approximate = "tanh"> (x)',
    "Sigmoid": "y = Sigmoid (x)",
    "Tanh": "y = Tanh (x)",
    "Exp": "y = Exp (x)",
    "HardSwish": "y = HardSwish (x)",
    "Clip": "y = Clip (x, low, high)",
    "SiLU": "s = Sigmoid (x)\n y = Mul (x, s)",
    "square": "y = Mul (x, x)",
    "negative": "y = Neg (x)",
    "shifted": "y = Add (x, low)",
    "Erf": "d = Mul (x, half)\n e = Erf (d)\n o = Add (e, high)\n h = Mul (x, half)\n"
    " y = Mul (h, o)",
    "Softplus": "c = Greater (x, high)\n s = Softplus (x)\n y = Where (c, x, s)",
}  # fmt: skip


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_number(build: Build, name: str, bits: int) -> None:
    constants = {
        key: np.array(value, np.float32)
        for key, value in {"low": -1.0, "high": 1.0, "half": 0.7071}.items()
        if key in UNARY[name]
    }
    inputs = "".join(f", float {key}" for key in constants)
    made = build(
        f"g (float[3, 33] x{inputs}) => (float[3, 33] y) {{ {UNARY[name]} }}", constants, bits=bits
    )
    if bits == 8:
        assert made.operators == ["Table"]
    else:  # what jumps is no curve
        wanted = {"Clip": ["ChangeScale"], "Softplus": ["ChangeScale", "Table"]}
        assert made.operators == wanted.get(name, ["Curve"])
        if name == "Softplus":
            return
    scale = made.model.outputs["y"].scale
    if bits == 8:
        assert made.worst() <= 0.51
    else:  # straight lines between points that are 1/256 of the range apart
        assert made.worst() * scale <= 4e-3 * max(1.0, 32767 * scale / 2)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["LayerNormalization", "RMSNormalization"])
@pytest.mark.parametrize("width", [2, 7, 33, 3584])
def test_norms(build: Build, kind: str, bits: int, width: int) -> None:
    layer = kind == "LayerNormalization"
    made = build(
        f"""g (float[2, {width}] x, float g{", float b" * layer}) => (float[2, {width}] y) {{
            y = {kind} <axis = -1> (x, g{", b" if layer else ""})
        }}""",
        {"g": 1.0 + numbers(width, scale=0.3), **({"b": numbers(width, seed=2)} if layer else {})},
        bits=bits, samples=8,
    )  # fmt: skip
    scale = made.model.outputs["y"].scale
    error = np.abs(made.errors()) * scale
    size = max(1.0, float(np.abs(made.model.run(made.feeds[0])["y"]).max()))
    # int8: half a step and the norm's own 2^-9 (where there are many, factors and biases have 8
    # bits too); int16: the norm's own
    own = 2.0**-6 if bits == 8 and width > COMPACT else 2.0**-8
    assert error.max() <= (0.55 * scale if bits == 8 else scale) + size * own


def test_norm_of_a_plane(build: Build) -> None:
    made = build(
        """g (float[1, 33, 7] x, float g, float b) => (float[1, 33, 7] y) {
            y = LayerNormalization <axis = 1> (x, g, b)
        }""",
        {"g": np.ones((33, 7), np.float32), "b": np.zeros((33, 7), np.float32)},
    )  # fmt: skip
    assert made.operators == ["Reshape", "Norm", "Reshape"]
    assert made.worst() <= 0.7


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("width", [1, 8, 9, 1000])
def test_softmax(build: Build, bits: int, width: int) -> None:
    made = build(
        f"g (float[3, {width}] x) => (float[3, {width}] y) {{ y = Softmax <axis = -1> (x) }}",
        bits=bits, scale=2.0,
    )  # fmt: skip
    scale = made.model.outputs["y"].scale
    assert made.worst() * scale <= (0.51 / 256 if bits == 8 else 2.0**-12)


TWO = {"Add": "y = Add (a, b)", "Sub": "y = Sub (a, b)", "Mul": "y = Mul (a, b)"}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", TWO)
def test_two_activations(build: Build, name: str, bits: int) -> None:
    made = build(
        f"g (float[3, 9] a, float[1, 9] b) => (float[3, 9] y) {{ {TWO[name]} }}", bits=bits
    )
    assert made.operators == [{"Sub": "Add"}.get(name, name)]
    assert made.worst() <= (0.55 if bits == 8 else 1.0)  # the factors of a sum have 15 bits too


def test_vectors_of_constants(build: Build) -> None:
    made = build(
        """g (float[3, 9] x, float c, float d, float e) => (float[3, 9] y) {
            m = Mul (x, c)
            n = Div (m, d)
            y = Sub (n, e)
        }""",
        {"c": numbers(9), "d": 2.0 + np.abs(numbers(9, seed=4)), "e": numbers(9, seed=5)}, bits=16,
    )  # fmt: skip
    assert made.operators == ["Mul", "Mul", "Add"]
    assert made.worst() <= 8.0  # of 32767: three roundings, constants of 16 bits


def test_factor_only_changes_the_scale(build: Build) -> None:
    made = build(
        "g (float[3, 9] x, float c) => (float[3, 9] y) { y = Mul (x, c) }",
        {"c": np.array(0.125, np.float32)},
    )  # fmt: skip
    assert made.operators == ["Identity"]
    assert made.worst() == 0.0


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("axes", [[1], [2], [1, 2], [0, 1, 2]])
def test_means(build: Build, axes: list[int], keep: int) -> None:
    result = (
        [e for n, e in enumerate([2, 7, 5]) if n not in axes or keep]
        if not keep
        else [1 if n in axes else e for n, e in enumerate([2, 7, 5])]
    )
    made = build(
        f"""g (float[2, 7, 5] x, int64 axes) => (float{result if result else "[]"} y) {{
            y = ReduceMean <keepdims = {keep}> (x, axes)
        }}""".replace("float[]", "float"),
        {"axes": np.array(axes, np.int64)},
    )  # fmt: skip
    assert made.worst() <= 0.51


def test_movements_keep_codes(build: Build) -> None:
    made = build(
        """g (float[2, 6, 4] x) => (float[4, 12] y, float[2, 3, 4] z) {
            s, z = Split <axis = 1, num_outputs = 2> (x)
            t = Transpose <perm = [2, 0, 1]> (x)
            shape = Constant <value_ints = [4, 12]> ()
            y = Reshape (t, shape)
        }""",
    )  # fmt: skip
    assert made.worst("y") == made.worst("z") == 0.0


def test_concat_brings_parts_to_one_scale(build: Build) -> None:
    chance = np.random.default_rng(3)
    feeds = [
        {"a": chance.standard_normal((2, 3)).astype(np.float32),
         "b": 10 * chance.standard_normal((2, 4)).astype(np.float32)} for _ in range(20)
    ]  # fmt: skip
    made = build(
        "g (float[2, 3] a, float[2, 4] b) => (float[2, 7] y) { y = Concat <axis = 1> (a, b) }",
        feeds=feeds,
    )  # fmt: skip
    assert "ChangeScale" in made.operators
    assert made.worst() <= 1.0


def test_attention_with_a_mask(build: Build) -> None:
    made = build(
        """g (float[2, 5, 8] q, float[2, 5, 8] k, float[2, 5, 8] v, bool m, float low)
            => (float[2, 5, 8] y) {
            t = Transpose <perm = [0, 2, 1]> (k)
            s = MatMul (q, t)
            masked = Where (m, s, low)
            p = Softmax <axis = -1> (masked)
            y = MatMul (p, v)
        }""",
        {"m": np.tril(np.ones((5, 5), bool)), "low": np.array(-np.inf, np.float32)}, bits=16,
    )  # fmt: skip
    assert made.operators.count("MatMul") == 2
    assert not made.model.islands
    # the second factors have 8 bits: k is rounded as the caller rounds it, v has half a step
    assert np.sqrt(np.mean((made.errors() * made.model.outputs["y"].scale) ** 2)) < 0.02


def test_cache_has_one_scale(build: Build) -> None:
    made = build(
        """g (float[8, 2] cache, float[1, 2] row, int64 place) => (float[8, 2] y) {
            y = ScatterND (cache, place, row)
        }""",
        {"place": np.array([[3]], np.int64)},
    )  # fmt: skip
    assert made.model.inputs["cache"] == made.model.outputs["y"]
    assert made.worst() <= 0.51


def test_what_no_rule_takes_is_an_island(build: Build) -> None:
    made = build(
        """g (float[3, 8] x, float w, int64 axis) => (float[3, 8] y) {
            m = MatMul (x, w)
            c = CumSum (m, axis)
            y = Tanh (c)
        }""",
        {"w": numbers(8, 8), "axis": np.array(1, np.int64)},
    )  # fmt: skip
    (island,) = made.model.islands
    assert island.op_type == "CumSum" and "no rule" in island.why
    assert made.operators == ["Linear", "DequantizeLinear", "CumSum", "QuantizeLinear", "Table"]
    assert np.sqrt(np.mean(made.errors() ** 2)) < 2.5


def router(experts: int, renormalise: bool) -> ir.Model:
    """Softmax, top 2, experts with biases, and their sum, from edgemoe's primitives."""
    from edgemoe import regions
    from edgemoe.emit import Emitter

    body = "w = Identity (v)"
    if renormalise:
        body = "axes = Constant <value_ints = [1]> ()\n t = ReduceSum (v, axes)\n w = Div (v, t)"
    model = ir.from_onnx_text(
        f"""<ir_version: 10, opset_import: ["" : 23]>
        g (float[6, 9] x) => (float[6, 9] y) {{
            k = Constant <value_ints = [2]> ()
            r = Constant <value_floats = [0.0]> ()
            l = MatMul (x, r)
            p = Softmax <axis = -1> (l)
            v, i = TopK <axis = -1> (p, k)
            {body}
            y = Identity (x)
        }}"""
    )
    from edgemoe import constant_nodes, shapes

    graph = model.graph
    by_name = {str(v.name): v for node in graph for v in node.outputs}
    product, last = by_name["l"].producer(), by_name["y"].producer()
    assert product is not None and last is not None
    emit = Emitter(product)
    product.replace_input_with(1, emit.constant(numbers(9, experts), "router"))
    constant_nodes.lift(graph)
    shapes.infer(model)
    emit = Emitter(last)
    x, ids = graph.inputs[0], by_name["i"]
    rows = regions.dispatch(emit, x, ids)
    flat = emit.reshape(ids, 12)
    up = emit.constant(numbers(experts, 11, 9, seed=4), "up")
    bias = emit.constant(numbers(experts, 11, seed=5), "up.bias")
    down = emit.constant(numbers(experts, 11, 9, seed=6), "down")
    h = emit.op("Gelu", regions.expert_linear(emit, rows, flat, up, bias))
    z = regions.expert_linear(emit, h, flat, down, transposed=True)
    y = regions.combine(emit, z, by_name["w"])
    last.replace_input_with(0, y)
    regions.add_bodies(model)
    shapes.infer(model)
    return model


@pytest.mark.parametrize("renormalise", [True, False])
@pytest.mark.parametrize("experts", [2, 8])
def test_experts(build: Build, experts: int, renormalise: bool) -> None:
    made = build(router(experts, renormalise), bits=16)
    kinds = [kind for kind in made.operators if kind in ("ExpertLinear", "WeighRows", "ExpertSum")]
    assert kinds == ["ExpertLinear", "WeighRows", "ExpertSum"]
    assert "Gather" not in made.operators  # rows are read in place
    assert ("Shares" in made.operators) == renormalise
    assert not made.model.islands
    scale = made.model.outputs["y"].scale
    errors = made.errors() * scale
    # a tie of two experts within a step may fall the other way: few rows, then
    assert np.mean(np.abs(errors) > 0.05) < 0.02
    assert np.median(np.abs(errors)) < 0.01


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("x", "w", "y", "options"),
    [
        ("2, 3, 7, 9", (5, 3, 3, 3), "2, 5, 7, 9", "pads = [1, 1, 1, 1]"),
        ("1, 4, 8, 8", (4, 1, 3, 3), "1, 4, 3, 4",
         "group = 4, strides = [2, 2], pads = [0, 1, 0, 1]"),
        ("1, 4, 9", (6, 2, 3), "1, 6, 7", "group = 2, dilations = [2], pads = [2, 0]"),
    ],
)  # fmt: skip
def test_convolutions_that_are_no_products(
    build: Build, x: str, w: tuple[int, ...], y: str, options: str, bits: int
) -> None:
    body = f"""g (float[{x}] x, float[{", ".join(map(str, w))}] w, float[{w[0]}] b)
        => (float[{y}] y) {{ c = Conv <{options}> (x, w, b)
        y = Relu (c) }}"""
    made = build(body, {"w": numbers(*w, seed=2), "b": numbers(w[0], seed=3)}, bits=bits)
    assert made.operators == ["Conv"] and not made.model.islands  # the Relu is its limit
    assert made.worst() < (0.6 if bits == 8 else 1.5)


def blocks(score: str) -> tuple[ir.Model, list[str]]:
    """A gated layer of BlockFFN whose scores are the results of an operator."""
    model = ir.from_onnx_text(
        f"""<ir_version: 10, opset_import: ["" : 23]>
        g (float[3, 6] x, float[3, 4] logits) => (float[3, 5] y) {{
            scores = {score} (logits)
            y = Identity (scores)
        }}"""
    )
    shapes.infer(model)
    first, last = model.graph
    emit = Emitter(last)
    up, down = (
        emit.constant(numbers(*shape, seed=seed), name)
        for name, shape, seed in (("up", (4, 8, 6), 2), ("down", (4, 5, 8), 3))
    )
    biases = [emit.constant(numbers(4, n, seed=n), f"bias{n}") for n in (8, 5)]
    h = block_up(emit, model.graph.inputs[0], up, biases[0])
    half = emit.op("Mul", h, emit.constant(np.full((1, 1, 8), 0.5, np.float32), "half"))
    h = emit.op("Mul", half, emit.op("Sigmoid", h))
    y = block_down(emit, h, first.outputs[0], down, biases[1])
    last.replace_input_with(0, y)
    return model, expand_blocks(model)


@pytest.mark.parametrize("bits", [8, 16])
def test_experts_of_score_zero_are_nobodys(build: Build, bits: int) -> None:
    model, notes = blocks("Relu")
    made = build(model, bits=bits)
    assert not notes and not made.model.islands
    assert made.operators.count("ExpertLinear") == made.operators.count("ExpertSum") == 1
    assert made.operators.count("ActiveIds") == 1
    assert "Linear" not in made.operators
    assert np.sqrt(np.mean(made.errors() ** 2)) < (3.0 if bits == 8 else 40.0)
    for feed in made.feeds:  # the float graph and the integers skip the same slots
        codes = made.model.encode(feed)
        seen: dict[str, Any] = {}
        made.model.program.run(codes, seen.__setitem__)
        (ids,) = [a for a in seen.values() if a.dtype == np.int32 and a.ndim == 2]
        assert (ids[feed["logits"] <= 0] == -1).all() and (ids >= 0).any()


def test_scores_that_are_never_zero_keep_all_experts(build: Build) -> None:
    model, notes = blocks("Sigmoid")
    made = build(model)
    assert "ExpertLinear" not in made.operators and made.operators.count("Linear") == 3
    (note,) = notes
    assert "never exactly zero" in note
    assert np.sqrt(np.mean(made.errors() ** 2)) < 4.0
