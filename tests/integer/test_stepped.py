"""Sequences become samples of single calls, with the states that lead to them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe.compression.samples import Samples
from edgemoe.integer.stepped import stepped
from edgemoe.pass_check import run_in_onnxruntime

SUMS = """<ir_version: 10, opset_import: ["" : 23]>
g (float[1] x, float[1] s) => (float[1] y, float[1] s_out) {
    y = Neg (x)
    s_out = Add (x, s)
}"""


def made_of(arrays: dict[str, np.ndarray]) -> Samples:
    graph = ir.from_onnx_text(SUMS)
    samples = Samples(arrays, {"y": -arrays["x"]}, {"s": np.zeros(1, np.float32)}, (0, 2))

    def run(feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(("y", "s_out"), run_in_onnxruntime(graph, feed), strict=True))

    return stepped(samples, {"s": "s_out"}, graph, run, 0)


def test_states_are_those_of_the_sequence() -> None:
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    found = made_of({"x": x})
    assert len(found) == 10  # every call of both sequences
    before = np.cumsum(x, 1) - x
    for number in found.numbers:
        feed = found.feed(number)
        row, place = np.argwhere(x == feed["x"])[0]
        assert row in (0, 2)
        np.testing.assert_allclose(feed["s"], before[row, place], atol=1e-6)
        np.testing.assert_array_equal(found.target(number)["y"], -feed["x"])


def test_single_calls_stay_as_they_are() -> None:
    x = np.zeros((3, 1), np.float32)
    assert made_of({"x": x}).arrays["x"] is x
