"""Graphs that look like experts but are something else are left alone, with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

T, H, INNER, E, K = 4, 6, 5, 3, 2

GATHERED = """
<ir_version: 10, opset_import: ["" : 21]>
layer (float[4,6] x, float[3,5,6] W1, float[3,6,5] W2, float[6,3] R) => (float[4,6] y) {
  two = Constant <value_ints = [2]> ()
  flat = Constant <value_ints = [-1]> ()
  rows = Constant <value_ints = [-1, 6]> ()
  axis1 = Constant <value_ints = [1]> ()
  last = Constant <value_ints = [2]> ()
  repeat = Constant <value_ints = [4, 2, 6]> ()
  column = Constant <value_ints = [-1, 1]> ()
  cube = Constant <value_ints = [4, 2, 6]> ()
  logits = MatMul (x, R)
  p = Softmax <axis = -1> (logits)
  w, ids = TopK (p, two)
  ids1 = Reshape (ids, flat)
  wide = Unsqueeze (x, axis1)
  many = Expand (wide, repeat)
  xs = Reshape (many, rows)
  xc = Unsqueeze (xs, last)
  W1g = Gather <axis = 0> (W1, ids1)
  h3 = MatMul (W1g, xc)
  h = Squeeze (h3, last)
  a = Relu (h)
  ac = Unsqueeze (a, last)
  W2g = Gather <axis = 0> (W2, ids1)
  y3 = MatMul (W2g, ac)
  ys = Squeeze (y3, last)
  wc = Reshape (w, column)
  weighted = Mul (ys, wc)
  apart = Reshape (weighted, cube)
  y = ReduceSum <keepdims = 0> (apart, axis1)
}
"""

DENSE = """
<ir_version: 10, opset_import: ["" : 21]>
layer (float[4,6] x, float[6,6] A, float[6,6] B, float[6,6] C, float[6,3] R, float[4,3] zeros)
  => (float[4,6] y) {
  two = Constant <value_ints = [2]> ()
  i0 = Constant <value_ints = [0]> ()
  i1 = Constant <value_ints = [1]> ()
  i2 = Constant <value_ints = [2]> ()
  logits = MatMul (x, R)
  p = Softmax <axis = -1> (logits)
  w, ids = TopK (p, two)
  full = ScatterElements <axis = 1> (zeros, ids, w)
  fa = MatMul (x, A)
  fb = MatMul (x, B)
  fc = MatMul (x, C)
  ga = Relu (fa)
  gb = Relu (fb)
  gc = Relu (fc)
  r0 = Gather <axis = 1> (full, i0)
  r1 = Gather <axis = 1> (full, i1)
  r2 = Gather <axis = 1> (full, i2)
  ya = Mul (r0, ga)
  yb = Mul (r1, gb)
  yc = Mul (r2, gc)
  yab = Add (ya, yb)
  y = Add (yab, yc)
}
"""

LOOP = """
<ir_version: 10, opset_import: ["" : 21]>
layer (float[4,6] x, float[6,6] A, float[6,6] B, float[6,2] R, float[4,6] start)
  => (float[4,6] y) {
  one = Constant <value_ints = [1]> ()
  e0 = Constant <value_ints = [0]> ()
  e1 = Constant <value_ints = [1]> ()
  axis0 = Constant <value_ints = [0]> ()
  end1 = Constant <value_ints = [1]> ()
  axis1 = Constant <value_ints = [1]> ()
  logits = MatMul (x, R)
  w, ids = TopK (logits, one)
  m0 = Equal (ids, e0)
  nz0 = NonZero (m0)
  pairs0 = Transpose <perm = [1, 0]> (nz0)
  rows0 = Slice (pairs0, axis0, end1, axis1)
  x0 = GatherND (x, rows0)
  f0 = MatMul (x0, A)
  w0 = GatherND (w, pairs0)
  wc0 = Unsqueeze (w0, axis1)
  u0 = Mul (f0, wc0)
  acc = ScatterND <reduction = "add"> (start, rows0, u0)
  m1 = Equal (ids, e1)
  nz1 = NonZero (m1)
  pairs1 = Transpose <perm = [1, 0]> (nz1)
  rows1 = Slice (pairs1, axis0, end1, axis1)
  x1 = GatherND (x, rows1)
  f1 = MatMul (x1, B)
  w1 = GatherND (w, pairs1)
  wc1 = Unsqueeze (w1, axis1)
  u1 = Mul (f1, wc1)
  y = ScatterND <reduction = "add"> (acc, rows1, u1)
}
"""


def weights(source: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {"W1": (E, INNER, H), "W2": (E, H, INNER), "A": (H, H), "B": (H, H), "C": (H, H),
              "R": (H, 2) if source is LOOP else (H, 3)}  # fmt: skip
    found = {n: random.standard_normal(s).astype(np.float32) for n, s in shapes.items()}
    found["zeros"] = np.zeros((T, 3), np.float32)
    found["start"] = np.zeros((T, H), np.float32)
    header = source.partition("{")[0]
    return {name: array for name, array in found.items() if f"] {name}" in header}


def changed(source: str, *replacements: tuple[str, str]) -> str:
    for old, new in replacements:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


@pytest.mark.parametrize("source", [GATHERED, DENSE, LOOP], ids=["gathered", "dense", "loop"])
def test_the_unchanged_graphs_are_recognised(tools: Any, source: str) -> None:
    model = tools.text(source, weights(source))
    tools.recognise(model)
    assert len(tools.regions(model)) == 1
    assert model.graph.num_nodes() < 8


CASES = {
    "weights mixed before the product": (
        GATHERED, ("h3 = MatMul (W1g, xc)", "W1t = Tanh (W1g) h3 = MatMul (W1t, xc)")
    ),
    "sum over tokens instead of choices": (
        DENSE, ("w, ids = TopK (p, two)", "w, ids = TopK <axis = 0> (p, two)"),
        ("ScatterElements <axis = 1>", "ScatterElements <axis = 0>"),
    ),
    "soft weights": (DENSE, ("(full, i0)", "(p, i0)"), ("(full, i1)", "(p, i1)"),
                     ("(full, i2)", "(p, i2)")),
    "one column is used twice": (DENSE, ("(full, i1)", "(full, i0)")),
    "a matrix that is not zero elsewhere": (
        DENSE, ("float[4,3] zeros", "float[4,3] nonzero"), ("(zeros, ids, w)", "(nonzero, ids, w)")
    ),
    "experts of different shape of computation": (DENSE, ("gb = Relu (fb)", "gb = Tanh (fb)")),
    "tokens mixed inside an expert": (
        DENSE, ("ga = Relu (fa)", "ga = Softmax <axis = 0> (fa)"),
        ("gb = Relu (fb)", "gb = Softmax <axis = 0> (fb)"),
        ("gc = Relu (fc)", "gc = Softmax <axis = 0> (fc)"),
    ),
    "both copies take the same expert": (LOOP, ("m1 = Equal (ids, e1)", "m1 = Equal (ids, e0)")),
    "ids that may lie outside": (
        LOOP, ("float[6,2] R,", "float[6,5] R,"),
    ),
    "results go to other rows": (
        LOOP, ("y = ScatterND <reduction = \"add\"> (acc, rows1, u1)",
               "turned = Sub (e1, rows1) y = ScatterND <reduction = \"add\"> (acc, turned, u1)"),
    ),
    "results are multiplied in": (
        LOOP, ("acc = ScatterND <reduction = \"add\">", "acc = ScatterND <reduction = \"mul\">"),
    ),
    "mask is not equality": (
        LOOP, ("m0 = Equal (ids, e0)", "m0 = GreaterOrEqual (ids, e0)"),
        ("m1 = Equal (ids, e1)", "m1 = GreaterOrEqual (ids, e1)"),
    ),
}  # fmt: skip


FORMS = {
    "weights mixed before the product": [],
    "sum over tokens instead of choices": ["scored"],
    "soft weights": ["soft"],
    "one column is used twice": ["scored"],
    "a matrix that is not zero elsewhere": ["soft"],
    "experts of different shape of computation": ["indexed", "indexed"],
    "tokens mixed inside an expert": [],
    "both copies take the same expert": ["scored"],
    "ids that may lie outside": ["scored"],
    "results go to other rows": [],
    "results are multiplied in": [],
    "mask is not equality": ["scored"],
}
"""How the experts are recognised all the same: not as the unchanged graph, and with equal results.

None of them is a choice of distinct experts of one kind any more.
"""


@pytest.mark.parametrize("case", CASES)
def test_near_misses_are_taken_for_what_they_are(tools: Any, case: str) -> None:
    original, *replacements = CASES[case]
    source = changed(original, *replacements)
    arrays = weights(source if original is not LOOP else LOOP)
    if "float[6,5] R" in source:
        arrays["R"] = np.random.default_rng(1).standard_normal((H, 5)).astype(np.float32)
    model = tools.text(source, arrays)
    report = tools.recognise(model)
    experts = [n for n in report.notes if n.kind == "matched" and n.subject == "experts"]
    assert sorted(str(note.facts["form"]) for note in experts) == FORMS[case]
    assert len(tools.regions(model)) == len(experts)
    assert FORMS[case] or any(note.kind == "missed" for note in report.notes)


def test_a_residual_inside_the_weighted_sum_changes_the_experts(tools: Any) -> None:
    """y = sum of w * (f(x) + x): the residual belongs to the body, and is dispatched with it."""
    source = changed(GATHERED, ("weighted = Mul (ys, wc)",
                                "plus = Add (ys, xs) weighted = Mul (plus, wc)"))  # fmt: skip
    model = tools.text(source, weights(GATHERED))
    tools.recognise(model)
    (call,) = tools.regions(model)
    body = model.functions[call.op_identifier()]
    assert [n.op_type for n in body].count("Add") == 1


def test_a_second_reader_of_the_gathered_weights_keeps_them(tools: Any) -> None:
    source = changed(
        GATHERED, ("=> (float[4,6] y)", "=> (float[4,6] y, float z)"),
        ("h = Squeeze (h3, last)", "h = Squeeze (h3, last) z = ReduceMax <keepdims = 0> (W1g)"),
    )  # fmt: skip
    model = tools.text(source, weights(GATHERED))
    report = tools.recognise(model)
    missed = [note.text for note in report.notes if note.kind == "missed"]
    assert any("read more than once" in text for text in missed)


def test_a_shared_expert_and_a_residual_stay_outside(tools: Any) -> None:
    source = changed(
        DENSE, ("y = Add (yab, yc)", "s = Add (yab, yc) t = Add (s, x) y = Add (t, fa)")
    )
    model = tools.text(source, weights(DENSE))
    tools.recognise(model)
    (call,) = tools.regions(model)
    assert [n.op_type for n in model.graph].count("Add") == 2
    assert [n.op_type for n in model.functions[call.op_identifier()]].count("Add") == 0


def test_an_accumulator_that_is_not_zero_is_added(tools: Any) -> None:
    arrays = weights(LOOP)
    arrays["start"] = np.ones((T, H), np.float32)
    model = tools.text(LOOP, arrays)
    tools.recognise(model)
    assert len(tools.regions(model)) == 1
    assert [n.op_type for n in model.graph].count("Add") == 1


def test_weights_on_gathered_inputs_stay_inside_the_body(tools: Any) -> None:
    source = changed(
        GATHERED, ("xc = Unsqueeze (xs, last)",
                   "wi = Reshape (w, column) xw = Mul (xs, wi) xc = Unsqueeze (xw, last)"),
        ("weighted = Mul (ys, wc)", "weighted = Identity (ys)"),
    )  # fmt: skip
    model = tools.text(source, weights(GATHERED))
    tools.recognise(model)
    (call,) = tools.regions(model)
    body = model.functions[call.op_identifier()]
    assert [n.op_type for n in body].count("Mul") == 1
    assert call.inputs[0].name == "x"
