"""The clean-ups, one by one: what they remove, and what they must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe.emit import EAGER_BYTES
from edgemoe.pass_runner import run_passes

Run = Callable[[ir.Model, str], int]


def canonical(tools: Any, source: str, weights: dict[str, np.ndarray] | None = None) -> ir.Model:
    """Clean up with every pass checked against the model as it came."""
    model: ir.Model = tools.text(source, weights)
    run_passes(model, phases=("import", "canonicalise"), check=tools.feeds(model))
    return model


def ops(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def test_shape_arithmetic_of_static_shapes_folds(tools: Any) -> None:
    model = canonical(
        tools,
        """
<ir_version: 10, opset_import: ["" : 21]>
g (float[2,3,4] x) => (float[6,4] y) {
  s = Shape (x)
  i0 = Constant <value_ints = [0]> ()
  i1 = Constant <value_ints = [1]> ()
  a = Gather (s, i0)
  b = Gather (s, i1)
  n = Mul (a, b)
  rest = Constant <value_ints = [-1]> ()
  target = Concat <axis = 0> (n, rest)
  y = Reshape (x, target)
}""",
    )
    assert ops(model) == ["Reshape"]
    assert model.graph[0].inputs[1].const_value.numpy().tolist() == [6, -1]


def test_eps_is_never_folded_away(tools: Any) -> None:
    model = canonical(
        tools,
        """
<ir_version: 10, opset_import: ["" : 21]>
g (float[2,3] x) => (float[2,3] y) {
  last = Constant <value_ints = [-1]> ()
  eps = Constant <value_float = 1e-30> ()
  s = ReduceSum <keepdims = 1> (x, last)
  safe = Add (s, eps)
  y = Div (x, safe)
}""",
    )
    assert ops(model) == ["ReduceSum", "Add", "Div"]
    zero = tools.run(model, {"x": np.zeros((2, 3), np.float32)})[0]
    assert not np.isnan(zero).any()


@pytest.mark.parametrize(("line", "left"), [
    ("y = Add (x, zero)", ["Add"]),  # -0 + 0 is 0
    ("y = Sub (x, zero)", []),
    ("y = Add (x, minus_zero)", []),
    ("y = Mul (x, one)", []),
    ("y = Mul (one, x)", []),
    ("y = Div (x, one)", []),
    ("y = Div (one, x)", ["Div"]),
    ("y = Mul (x, two)", ["Mul"]),
    ("y = Identity (x)", []),
    ("y = Dropout (x)", []),
    ("y = Cast <to = 1> (x)", []),
    ("y = Expand (x, same)", []),
    ("y = Transpose <perm = [0, 1]> (x)", []),
    ("t = Transpose <perm = [1, 0]> (x) y = Transpose <perm = [1, 0]> (t)", []),
    ("t = Unsqueeze (x, axis) y = Squeeze (t, axis)", []),
    ("y = Where (yes, x, two)", []),
])  # fmt: skip
def test_what_passes_its_input_through(tools: Any, line: str, left: list[str]) -> None:
    source = f"""
<ir_version: 10, opset_import: ["" : 21]>
g (float[2,3] u) => (float[2,3] z) {{
  zero = Constant <value_float = 0.0> ()
  minus_zero = Constant <value_float = -0.0> ()
  one = Constant <value_float = 1.0> ()
  two = Constant <value_float = 2.0> ()
  same = Constant <value_ints = [2, 3]> ()
  axis = Constant <value_ints = [0]> ()
  yes = Cast <to = 9> (one)
  x = Relu (u)
  {line}
  z = Exp (y)
}}"""
    assert ops(canonical(tools, source)) == ["Relu", *left, "Exp"]


def test_chains_of_reshapes_become_one(tools: Any) -> None:
    model = canonical(
        tools,
        """
<ir_version: 10, opset_import: ["" : 21]>
g (float[6,4] x) => (float[2,12] y) {
  a1 = Constant <value_ints = [1]> ()
  s1 = Constant <value_ints = [2, 3, 4]> ()
  s2 = Constant <value_ints = [2, -1]> ()
  u = Unsqueeze (x, a1)
  r = Reshape (u, s1)
  y = Reshape (r, s2)
}""",
    )
    assert ops(model) == ["Reshape"] and model.graph[0].inputs[0].name == "x"


def test_an_input_that_is_an_output_keeps_its_name(tools: Any) -> None:
    model = canonical(
        tools,
        """
<ir_version: 10, opset_import: ["" : 21]>
g (float[2] x) => (float[2] y, float[2] z) {
  y = Identity (x)
  a = Relu (x)
  z = Identity (a)
}""",
    )
    assert [v.name for v in model.graph.outputs] == ["y", "z"]
    assert ops(model) == ["Identity", "Relu"]


def test_equal_nodes_are_shared_but_not_random_ones(tools: Any) -> None:
    model = tools.text("""
<ir_version: 10, opset_import: ["" : 21]>
g (float[2] x) => (float[2] y) {
  k1 = Constant <value_float = 2.0> ()
  k2 = Constant <value_float = 2.0> ()
  a = Mul (x, k1)
  b = Mul (x, k2)
  r1 = RandomNormalLike (x)
  r2 = RandomNormalLike (x)
  r = Sub (r1, r2)
  ab = Add (a, b)
  y = Add (ab, r)
}""")
    run_passes(model, phases=("import", "canonicalise"))
    assert sorted(ops(model)) == [
        "Add",
        "Add",
        "Mul",
        "RandomNormalLike",
        "RandomNormalLike",
        "Sub",
    ]


def test_topk_is_asked_for_sorted_results(tools: Any, run_pass: Run) -> None:
    model = tools.text("""
<ir_version: 10, opset_import: ["" : 21]>
g (float[2,5] x) => (float[2,2] v, int64[2,2] i) {
  k = Constant <value_ints = [2]> ()
  v, i = TopK <sorted = 0> (x, k)
}""")
    assert run_pass(model, "sort_topk") == 1
    assert model.graph[-1].attributes["sorted"].as_int() == 1


def test_large_weights_are_transposed_only_when_read(tools: Any) -> None:
    rows = EAGER_BYTES // 4 // 64 + 1
    weight = np.arange(rows * 64, dtype=np.float32).reshape(rows, 64)
    model = canonical(tools, f"""
<ir_version: 10, opset_import: ["" : 21]>
g (float[2,64] x, float[{rows},64] W) => (float[2,{rows}] y) {{
  t = Transpose <perm = [1, 0]> (W)
  y = MatMul (x, t)
}}""", {"W": weight})  # fmt: skip
    assert ops(model) == ["MatMul"]
    tensor = model.graph[0].inputs[1].const_value
    assert isinstance(tensor, ir.LazyTensor)
    assert np.array_equal(tensor.numpy(), weight.T)


def test_shared_weights_are_never_edited_in_place(tools: Any) -> None:
    """One initialiser is transposed for one reader and read as it is by the other."""
    weight = np.arange(9, dtype=np.float32).reshape(3, 3)
    model = canonical(
        tools,
        """
<ir_version: 10, opset_import: ["" : 21]>
g (float[2,3] x, float[3,3] W) => (float[2,3] y, float[2,3] z) {
  t = Transpose <perm = [1, 0]> (W)
  y = MatMul (x, t)
  z = MatMul (x, W)
}""",
        {"W": weight},
    )
    found = [node.inputs[1].const_value.numpy() for node in model.graph]
    assert np.array_equal(found[0], weight.T) and np.array_equal(found[1], weight)
