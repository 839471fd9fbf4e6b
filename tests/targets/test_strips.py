"""Parts of a graph in strips of image rows: any part, any number of strips, the same numbers."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import shapes
from edgemoe.integer.evaluate import Program
from edgemoe.integer.operator_table import OPERATORS
from edgemoe.targets.mcu.image_rows import Layout, Window, layouts_of
from edgemoe.targets.mcu.strips import cut, segments_of

TEXT = """<ir_version: 9, opset_import: ["" : 20]>
g (float[1, 2, 11, 6] x, float[4, 2, 3, 3] w, float[4, 1, 5, 1] v) => (float[1, 36, 4] z)
<float[4, 1, 1] t = {1, 2, 3, 4}, int64[3] flat = {1, 4, 36}> {
    a = Conv <strides = [2, 1], pads = [1, 1, 1, 1]> (x, w)
    b = Relu (a)
    c = Conv <group = 4, pads = [2, 0, 2, 0]> (b, v)
    d = Add (b, c)
    e = Mul (d, t)
    h = Reshape (e, flat)
    k = Transpose <perm = [0, 2, 1]> (h)
    z = Neg (k)
}"""


def graph():
    model = ir.from_onnx_text(TEXT)
    r = np.random.default_rng(0)
    for name, shape in (("w", (4, 2, 3, 3)), ("v", (4, 1, 5, 1))):
        value = next(v for v in model.graph.inputs if v.name == name)
        model.graph.inputs.remove(value)
        value.const_value = ir.tensor(r.normal(size=shape).astype(np.float32), name=name)
        model.graph.register_initializer(value)
    shapes.infer(model)
    return model


def run(model):
    x = np.random.default_rng(2).normal(size=(1, 2, 11, 6)).astype(np.float32)
    return Program(model).run({"x": x})["z"]


def test_layouts_follow_rows():
    found = {v.name: at for v, at in layouts_of(graph().graph).items()}
    assert found["x"] == Layout(2, 1, 11) and found["d"] == Layout(2, 1, 6)
    assert found["h"] == Layout(2, 6, 6) and found["z"] == Layout(1, 6, 6)


def test_windows_reach_over_the_edge():
    assert Window(step=2, pad=1, reach=3).span(0, 2) == (-1, 4)


@pytest.mark.parametrize("pieces", [2, 3, 6])
def test_every_part_in_strips(pieces):
    exact = run(graph())
    parts = segments_of(graph().graph)
    assert {(s.first, s.last) for s in parts} >= {(0, 0), (0, 3), (2, 2), (0, 6)}
    for part in parts:
        np.testing.assert_array_equal(run(cut(graph(), part, pieces)), exact)


def test_rows_are_placed_as_the_reference_says():
    place = OPERATORS["PlaceRows"]
    first = place(np.arange(6).reshape(1, 2, 3), axis=1, begin=0, extent=5)
    assert first.shape == (1, 5, 3)
    whole = place(np.arange(9).reshape(1, 3, 3), first, axis=1, begin=2, extent=5)
    np.testing.assert_array_equal(whole[0, :2], first[0, :2])
    np.testing.assert_array_equal(whole[0, 2:], np.arange(9).reshape(3, 3))
