"""One small case per message of the compile step; nothing is left behind by any of them."""

from __future__ import annotations

import errno

import numpy as np
import onnx
import pytest

import edgemoe
from edgemoe.errors import (
    ArtifactError,
    InputError,
    OptionError,
    TargetError,
    ToolError,
    UnsupportedOpError,
)

STATIC = "g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }"
TOKENS = "g (float[T,3] x) => (float[T,3] y) { y = Relu(x) }"
TWO = "g (float[B,T,3] x) => (float[B,T,3] y) { y = Relu(x) }"
SQUARE = "g (float[T,T] x) => (float[T,T] y) { y = Relu(x) }"


@pytest.fixture
def attempt(tmp_path):
    """Compile a graph given as text, expect an error, return its message."""

    def run(error, text, **options):
        proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]>\n{text}')
        onnx.save(proto, tmp_path / "m.onnx")
        before = sorted(path.name for path in tmp_path.iterdir())
        options.setdefault("out", tmp_path / "out")
        with pytest.raises(error) as caught:
            edgemoe.compile(tmp_path / "m.onnx", **options)
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        return str(caught.value)

    return run


def test_unknown_target(attempt):
    message = attempt(TargetError, STATIC, target="toaster")
    assert "toaster" in message and "x86-64" in message and ".toml" in message


def test_target_file_that_is_no_target(attempt, tmp_path):
    (tmp_path / "t.toml").write_text('name = "x"')
    assert "t.toml" in attempt(TargetError, STATIC, target=str(tmp_path / "t.toml"))


def test_unsupported_operator_names_operator_and_node(attempt):
    message = attempt(UnsupportedOpError, "g (float[2,2] x) => (float y) { [node1] y = Det(x) }")
    assert "Det" in message and "node1" in message and "next:" in message


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (TOKENS, {"shapes": {"Q": 4}}, ["Q", "T"]),
        (TOKENS, {"shapes": {"z": (1, 2)}}, ["z", "x"]),
        (TWO, {}, ["B", "T", "--shape"]),
        (STATIC, {"tokens": [1, 8]}, ["--tokens", "static"]),
        (SQUARE, {"tokens": [4]}, ["'T'", "twice"]),
        (TOKENS, {"tokens": [0]}, ["0"]),
        (STATIC, {"precision": "i5"}, ["no format 'i5'", "bf16", "i4.g64"]),
        (STATIC, {"precision": "bf16.a8"}, ["bf16 has no option 'a8', but a16"]),
        (STATIC, {"precision": "i8,i4"}, ["i8 and i4", "two formats"]),
        (STATIC, {"precision": "i8,=f32"}, ["pattern is missing"]),
        (STATIC, {"precision": "i8,*.nowhere=f32"}, ["*.nowhere", "no weight"]),
        (STATIC, {"save_onnx": "m.onnx"}, ["--save-onnx", "--calibration"]),
        (STATIC, {"prune": 0.5}, ["0.5", "--calibration"]),
        (STATIC, {"max_loss": 0.01}, ["--calibration"]),
        (STATIC, {"cpu": "z80"}, ["z80", "native"]),
    ],
)
def test_options_that_do_not_fit(attempt, text, options, words):
    message = attempt(OptionError, text, **options)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ({"x": np.float32(1)}, ["sample axis"]),
        ({"x": np.full((2, 2, 3), np.nan, np.float32)}, ["'x'", "NaN"]),
        ({"x": np.zeros((2, 5, 3), np.float32)}, ["'x'", "[5, 3]", "[2, 3]"]),
        ({"z": np.zeros((2, 2, 3), np.float32)}, ["'z'", "no input", "target:y"]),
        ({"x": np.zeros((9, 2, 3), np.float32), "target:q": np.zeros((9, 2))}, ["'q'", "y"]),
    ],
)
def test_calibration_data(attempt, samples, words):
    message = attempt(InputError, STATIC, calibration=samples, cpu="native")
    for word in words:
        assert word in message


def test_calibration_file_that_is_none(attempt, tmp_path):
    (tmp_path / "c.npz").write_bytes(b"nothing")
    assert "c.npz" in attempt(InputError, STATIC, calibration=tmp_path / "c.npz")


def test_a_folder_that_is_no_artifact_is_not_replaced(attempt, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("data")
    assert "no edgemoe artifact" in attempt(ArtifactError, STATIC, cpu="native")
    assert (tmp_path / "out" / "precious").read_text() == "data"


def test_no_c_compiler(attempt, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "cc" in attempt(ToolError, STATIC, cpu="native")


def test_full_disk(attempt, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("edgemoe.weight_writer.WeightWriter.write", full)
    text = "g (float[2,3] x) => (float[2,4] y) <float[3,4] w = {1,2,3,4,5,6,7,8,9,10,11,12}> { y = MatMul(x, w) }"  # noqa: E501
    message = attempt(ArtifactError, text, cpu="native")
    assert "No space left" in message and "nothing was changed" in message
