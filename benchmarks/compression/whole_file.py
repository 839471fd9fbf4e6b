"""The exported file through onnxruntime's quantiser: what it takes, and what that loses."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compression.shipped import Shipped
from benchmarks.quantiser import Variant
from benchmarks.quantisers.onnxruntime import quantise_file, quiet
from edgemoe.write_onnx import write_onnx

VARIANTS = tuple(Variant(method, 4, block) for block in (32, 128) for method in ("rtn", "hqq"))


def quantised_files(model: Shipped) -> list[dict[str, Any]]:
    """Per variant: the weights of floats in the file, those that were taken, the loss."""
    import onnx
    import onnxruntime as ort

    records = []
    with tempfile.TemporaryDirectory() as text:
        source, target = Path(text) / "exported.onnx", Path(text) / "quantised.onnx"
        task = model.task
        write_onnx(task.buckets.bind(task.count), source)
        weights = sum(
            int(np.prod(x.dims)) for x in onnx.load(source).graph.initializer
            if x.data_type == onnx.TensorProto.FLOAT and len(x.dims) > 1
        )  # fmt: skip
        for variant in VARIANTS:
            taken = quantise_file(source, target, variant)
            session = ort.InferenceSession(target, quiet(ort), providers=["CPUExecutionProvider"])
            names = [value.name for value in session.get_outputs()]
            given = {value.name for value in session.get_inputs()}

            def run(
                feed: Any, session: Any = session, names: Any = names, given: Any = given
            ) -> Any:
                kept = {name: array for name, array in feed.items() if name in given}
                return dict(zip(names, session.run(None, kept), strict=True))

            verdict = model.test.judge(run)
            records.append(
                {
                    "method": variant.method, "bits": variant.bits, "block": variant.block,
                    "weights": weights, "taken": taken, "loss": verdict.loss,
                    "error": verdict.error, "file_bytes": target.stat().st_size,
                }
            )  # fmt: skip
    return records
