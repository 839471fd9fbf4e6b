"""Binding dynamic dimensions: static copies that share the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe.errors import ModelError
from edgemoe.graph_facts import shape_of
from edgemoe.specialise import bind_shapes

DYNAMIC = """
<ir_version: 10, opset_import: ["" : 21]>
g (float[B,T,4] x, int64[T] i, float[4,5] W) => (float[N,M] y) {
  h = MatMul (x, W)
  s = Shape (x)
  zero = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  b = Gather (s, zero)
  t = Gather (s, one)
  n = Mul (b, t)
  rest = Constant <value_ints = [-1]> ()
  target = Concat <axis = 0> (n, rest)
  flat = Reshape (h, target)
  y = Relu (flat)
}"""


def dynamic() -> ir.Model:
    model = ir.from_onnx_text(DYNAMIC)
    weight = next(value for value in model.graph.inputs if value.name == "W")
    model.graph.inputs.remove(weight)
    weight.const_value = ir.tensor(np.ones((4, 5), np.float32))
    model.graph.register_initializer(weight)
    return model


@pytest.mark.parametrize("extents", [{"B": 2, "T": 3}, {"x": (2, 3, 4), "i": (3,)}])
def test_every_value_gets_a_static_shape(extents: dict[str, Any]) -> None:
    model = dynamic()
    bound = bind_shapes(model, extents)
    assert all(shape_of(v) is not None for node in bound.graph for v in node.outputs)
    assert shape_of(bound.graph.outputs[0]) == (6, 5)
    assert shape_of(bound.graph.inputs[1]) == (3,)  # T is one dimension in both inputs
    old, new = (m.graph.initializers["W"].const_value for m in (model, bound))
    assert old is new
    assert shape_of(model.graph.inputs[0]) is None  # the original is as it was


def test_variants_do_not_touch_each_other() -> None:
    model = dynamic()
    one, eight = (bind_shapes(model, {"B": 1, "T": n}) for n in (1, 8))
    assert shape_of(one.graph.outputs[0]) == (1, 5)
    assert shape_of(eight.graph.outputs[0]) == (8, 5)


@pytest.mark.parametrize(("extents", "message"), [
    ({"Q": 3}, "no input has a dimension 'Q'; the dynamic ones are: B, T"),
    ({"z": (1, 2)}, "no input is named 'z'; the inputs are: x, i"),
    ({"x": (2, 3)}, "input 'x' has rank 3, not 2"),
    ({"x": (2, 3, 5)}, "input 'x' has 4 at axis 2, not 5"),
    ({"x": (2, 3, 4), "i": (4,)}, "dimension 'T' cannot be both 3 and 4"),
    ({"B": 1}, "input 'x' has shape .*: say how large each dimension is"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(extents: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        bind_shapes(dynamic(), extents)
