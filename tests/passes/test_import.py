"""Import: opsets, functions, unused things; and control flow that is decided at compile time."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe.errors import ModelError
from edgemoe.pass_runner import run_passes
from edgemoe.specialise import bind_shapes


def canonical(tools: Any, source: str) -> ir.Model:
    """Clean up with every pass checked against the model as it came."""
    model: ir.Model = tools.text(source)
    run_passes(model, phases=("import", "canonicalise"), check=tools.feeds(model))
    return model


def ops(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def test_unused_things_and_listed_weights_go(tools: Any) -> None:
    source = """
<ir_version: 10, opset_import: ["" : 21, "unused" : 1]>
g (float[2] x, float[2] w) => (float[2] y)
  <float[2] w = {1.0, 2.0}, float[1] nobody = {3.0}> {
  dead = Exp (x)
  y = Add (x, w)
}"""
    model = bind_shapes(ir.from_onnx_text(source), {})
    run_passes(model, phases=("import",))
    assert [v.name for v in model.graph.inputs] == ["x"]
    assert ops(model) == ["Add"] and list(model.graph.initializers) == ["w"]
    assert set(model.opset_imports) == {""}


def test_functions_of_the_file_are_inlined(tools: Any) -> None:
    model = canonical(
        tools,
        """
<ir_version: 10, opset_import: ["" : 21, "pkg" : 1]>
g (float[2] x) => (float[2] y) {
  y = pkg.Twice <factor = 3.0> (x)
}
<domain: "pkg", opset_import: ["" : 21]>
Twice <factor> (a) => (b) {
  f = Constant <value_float: float = @factor> ()
  b = Mul (a, f)
}""",
    )
    assert ops(model) == ["Mul"] and not model.functions


OPSET_17 = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[2,6,4] x, float[2] s, float[2] b) => (float[2,6,1] m, float[2,3,4] h, float[2,6,4] n) {
  m = ReduceMean <axes = [-1]> (x)
  h, t = Split <axis = 1> (x)
  n = Mul (x, x)
}"""


def test_opset_17_becomes_23(tools: Any) -> None:
    source = OPSET_17.replace(", float[2] s, float[2] b", "")
    model = canonical(tools, source)
    assert model.opset_imports[""] == 23
    mean = next(node for node in model.graph if node.op_type == "ReduceMean")
    assert mean.inputs[1].const_value.numpy().tolist() == [-1] and "axes" not in mean.attributes
    split = next(node for node in model.graph if node.op_type == "Split")
    assert split.attributes["num_outputs"].as_int() == 2


def test_group_normalization_of_opset_18_scales_groups(tools: Any) -> None:
    model = tools.text(
        """
<ir_version: 8, opset_import: ["" : 18]>
g (float[2,6,4] x, float[3] s, float[3] b) => (float[2,6,4] y) {
  y = GroupNormalization <num_groups = 3> (x, s, b)
}""",
        {"s": np.array([1, 2, 3], np.float32), "b": np.array([0, 1, 0], np.float32)},
    )
    run_passes(model, phases=("import", "canonicalise"))
    scale = model.graph[0].inputs[1].const_value.numpy()
    assert scale.tolist() == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("version", [16, 24])
def test_other_opsets_are_refused_with_the_next_step(tools: Any, version: int) -> None:
    source = (
        OPSET_17.replace('"" : 17', f'"" : {version}')
        .split("m = ")[0]
        .replace(", float[2] s, float[2] b", "")
        .replace("(float[2,6,1] m, float[2,3,4] h, float[2,6,4] n)", "(float[2,6,4] n)")
        + "n = Mul (x, x) }"
    )
    with pytest.raises(ModelError, match=f"version {version} .*17 to 23(.|\n)*try: torch.onnx"):
        run_passes(bind_shapes(ir.from_onnx_text(source), {}))


def test_constant_condition_and_short_loops_unroll(tools: Any) -> None:
    model = canonical(
        tools,
        """
<ir_version: 10, opset_import: ["" : 21]>
g (float[3] x) => (float[3] y, float[2,3] all) {
  two = Constant <value_int = 2> ()
  one = Constant <value_float = 1.0> ()
  yes = Cast <to = 9> (one)
  a = If (yes) <
    then_branch = t () => (float[3] p) { p = Exp (x) },
    else_branch = e () => (float[3] q) { q = Neg (x) }>
  y, all = Loop (two, , a) <
    body = l (int64 i, bool c, float[3] s) => (bool d, float[3] s2, float[3] out)
      { d = Identity (c) s2 = Add (s, x) out = Mul (s2, s) }>
}""",
    )
    assert ops(model)[0] == "Exp" and not {"If", "Loop"} & set(ops(model))
    assert ops(model).count("Add") == 2


def test_a_condition_known_only_at_run_time_selects(tools: Any) -> None:
    model = canonical(
        tools,
        """
<ir_version: 10, opset_import: ["" : 21]>
g (float[3] x, bool c) => (float[3] y) {
  y = If (c) <then_branch = t () => (float[3] p) { p = Exp (x) },
              else_branch = e () => (float[3] q) { q = Neg (x) }>
}""",
    )
    assert sorted(ops(model)) == ["Exp", "Neg", "Where"]


def test_scan_unrolls(tools: Any) -> None:
    model = canonical(
        tools,
        """
<ir_version: 10, opset_import: ["" : 21]>
g (float[3] s0, float[4,3] xs) => (float[3] y, float[4,3] all) {
  y, all = Scan <num_scan_inputs = 1, body = b (float[3] s, float[3] u) =>
      (float[3] s2, float[3] out) { s2 = Add (s, u) out = Mul (s2, s) }> (s0, xs)
}""",
    )
    assert ops(model).count("Mul") == 4 and "Scan" not in ops(model)
