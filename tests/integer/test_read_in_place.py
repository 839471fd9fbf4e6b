"""Products of activations read transposed and repeated operands where they lie, with equal bits."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import graph_facts
from edgemoe.integer.evaluate import Program
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.read_in_place import read_in_place

ATTRIBUTES = "<left = 2, right = 9, zero = 3, low = -128, high = 127, bits = 8>"
CACHE = """<ir_version: 10, opset_import: ["" : 21, "{domain}" : 1]>
graph (int8[4, 3, 16] q, int8[{tokens}, 2, 16] cache) => (int8[4, 3, {columns}] y)
<int32[1] m = {{1500000000}}, int64[1] one = {{1}}, int64[4] wide = {{2, 2, {tokens}, 16}},
 int64[3] flat = {{4, {tokens}, 16}}>
{{
    heads = Transpose <perm = [1, 0, 2]> (cache)
    apart = Unsqueeze (heads, one)
    twice = Expand (apart, wide)
    k = Reshape (twice, flat)
    {turn}
    y = {domain}.MatMul {attributes} (q, {source}, m)
}}"""


def model_of(turn, source, tokens, columns):
    text = CACHE.format(
        domain=DOMAIN, turn=turn, source=source, tokens=tokens, columns=columns,
        attributes=ATTRIBUTES,
    )  # fmt: skip
    model = ir.from_onnx_text(text)
    shapes = {
        "heads": (2, tokens, 16), "apart": (2, 1, tokens, 16), "twice": (2, 2, tokens, 16),
        "k": (4, tokens, 16), "turned": (4, 16, tokens),
    }  # fmt: skip
    for node in model.graph:
        value = node.outputs[0]
        if value.name in shapes:
            value.shape, value.type = ir.Shape(shapes[value.name]), ir.TensorType(ir.DataType.INT8)
    return model


@pytest.mark.parametrize(
    ("turn", "source", "tokens", "columns"),
    [("", "k", 9, 9), ("turned = Transpose <perm = [0, 2, 1]> (k)", "turned", 16, 16)],
)
def test_heads_of_a_cache(turn, source, tokens, columns):
    r, shapes = np.random.default_rng(0), {"q": (4, 3, 16), "cache": (tokens, 2, 16)}
    feed = {name: r.integers(-128, 128, shape).astype(np.int8) for name, shape in shapes.items()}
    before = Program(model_of(turn, source, tokens, columns)).run(feed)["y"]
    model = model_of(turn, source, tokens, columns)
    assert read_in_place(model.graph) == 1
    (node,) = model.graph
    assert [v.name for v in node.inputs[:2]] == ["q", "cache"]
    assert graph_facts.attribute(node, "group", 0) == 2
    np.testing.assert_array_equal(Program(model).run(feed)["y"], before)
    assert len(np.unique(before)) > 20
    assert read_in_place(model.graph) == 0


def test_what_is_no_view_stays():
    """Tokens and heads that change places within one axis have no single stride."""
    text = f"""<ir_version: 10, opset_import: ["" : 21, "{DOMAIN}" : 1]>
    graph (int8[1, 1, 6] q, int8[2, 3, 6] c) => (int8[1, 1, 6] y)
    <int32[1] m = {{1500000000}}, int64[3] flat = {{1, 6, 6}}>
    {{
        t = Transpose <perm = [1, 0, 2]> (c)
        b = Reshape (t, flat)
        y = {DOMAIN}.MatMul {ATTRIBUTES} (q, b, m)
    }}"""
    model = ir.from_onnx_text(text)
    for node, shape in zip(list(model.graph), ((3, 2, 6), (1, 6, 6)), strict=False):
        node.outputs[0].shape = ir.Shape(shape)
    assert read_in_place(model.graph) == 0
    assert [n.op_type for n in model.graph] == ["Transpose", "Reshape", "MatMul"]
