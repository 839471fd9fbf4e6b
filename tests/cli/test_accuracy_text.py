"""What `compile` prints of the error that it measured."""

from __future__ import annotations

from edgemoe.cli.compression_text import accuracy_lines

MEASURED = {
    "relative_rms_error": {"logits": 0.01234, "extra": 1.2}, "data": "the inputs of the self-test",
    "baseline": "onnxruntime, float32",
}  # fmt: skip


def test_the_error_of_each_output_is_said():
    assert accuracy_lines(MEASURED) == [
        "relative RMS error: logits 0.0123, extra 1.2, on the inputs of the self-test, against "
        "onnxruntime, float32"
    ]


def test_a_warning_is_the_last_line():
    *_, last = accuracy_lines({**MEASURED, "warning": "extra: far\n  next: do this"})
    assert last == "warning: extra: far\n  next: do this"


def test_no_difference_is_said_too():
    (line,) = accuracy_lines({**MEASURED, "relative_rms_error": {}})
    assert "none, every output is the same" in line


def test_nothing_measured_prints_nothing():
    assert accuracy_lines({}) == []
