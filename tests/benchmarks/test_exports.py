"""Every form of a layer computes what torch computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cases import Case
from benchmarks.contestant import relative_error


@pytest.mark.slow
@pytest.mark.needs("python:torch", "python:transformers")
@pytest.mark.filterwarnings("ignore")
def test_forms_agree(tmp_path: Path) -> None:
    import onnxruntime

    from benchmarks.cases import forms_of
    from benchmarks.exports import write_kit

    kit = write_kit(Case("tiny.T3"), tmp_path)
    assert forms_of(kit.case) == ["grouped", "loop", "gather"]
    for form in forms_of(kit.case):
        session = onnxruntime.InferenceSession(kit.onnx(form), providers=["CPUExecutionProvider"])
        (result,) = session.run(None, kit.inputs())
        assert relative_error(result, kit.wanted()) < 1e-6, form
