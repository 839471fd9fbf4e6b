"""What a call costs: `Session.run` on a model of one multiplication, against onnxruntime.

    python benchmarks/call_overhead.py

Both run in turns in one process; the ratio of the medians is what counts, not the times.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, save

import edgemoe

TURNS, CALLS = 40, 500


def write_model(path: Path) -> None:
    """Write y = x * w, x float32 [1, 16]."""
    shape = [1, 16]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["y"])],
        "one_multiplication",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.full(shape, 2, np.float32), "w")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def microseconds(call: Callable[[], Any]) -> float:
    """Return the mean time of one call in this turn."""
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS * 1e6


def main() -> None:
    """Compile, measure in turns, print."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "one.onnx"
        write_model(model)
        artifact = edgemoe.compile(str(model), target="cpu", out=Path(folder) / "one")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        peer = onnxruntime.InferenceSession(str(model), options)
        feed = {"x": np.ones((1, 16), np.float32)}
        out = {"y": np.empty((1, 16), np.float32)}
        with artifact.load() as session:
            assert np.array_equal(session.run(feed)["y"], peer.run(None, feed)[0])
            calls = {
                "edgemoe, out given": lambda: session.run(feed, out=out),
                "edgemoe": lambda: session.run(feed),
                "onnxruntime": lambda: peer.run(None, feed),
            }
            times: dict[str, list[float]] = {name: [] for name in calls}
            for _ in range(TURNS):
                for name, call in calls.items():
                    times[name].append(microseconds(call))
    base = statistics.median(times["onnxruntime"])
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"{name:20s} {middle:6.2f} us  {middle / base:5.2f} of onnxruntime")


if __name__ == "__main__":
    main()
