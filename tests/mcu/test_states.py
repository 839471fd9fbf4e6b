"""Models with states: steps go on from each other, on this machine and on the core."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import edgemoe
from edgemoe.errors import InputError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.needs("cc")

DEVICES = [
    "host",
    pytest.param("qemu", marks=pytest.mark.needs("arm-none-eabi-gcc", "qemu-system-arm")),
]

SUMS = """
<ir_version: 10, opset_import: ["" : 21]>
sums (float[4] x, float[4] s) => (float[4] y, float[4] s_out) {
    two = Constant <value = float {2.0}> ()
    doubled = Mul (s, two)
    s_out = Add (doubled, x)
    wide = Mul (s_out, s_out)
    y = Add (wide, s)
}
"""
"""y needs the old state behind the new one: the state is kept twice."""


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sums")
    onnx.save(onnx.parser.parse_model(SUMS), folder / "sums.onnx")
    return edgemoe.compile(folder / "sums.onnx", target="cortex-m4", out=folder / "out")


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    path = Path(__file__).parent.parent / "compile" / "caches.py"
    spec = importlib.util.spec_from_file_location("edgemoe_mcu_caches", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    model = module.Decoder("copy").eval()
    out = tmp_path_factory.mktemp("decoder") / "out"
    return model, edgemoe.compile(
        (model, model.example()), name="decoder", target="cortex-m7", out=out
    )


@pytest.mark.parametrize("device", DEVICES)
def test_a_state_that_is_read_late_is_kept_twice(sums, device):
    assert sums.manifest["mcu"]["state_bytes"] == 2 * 16
    assert "memcpy(state_s, next_s, sizeof state_s)" in (sums.path / "sums.c").read_text()
    x = np.array([1.0, 2.0, -3.0, 0.5], np.float32)
    with edgemoe.load(sums.path, device=device) as session:
        for _ in range(2):
            state = np.zeros(4, np.float32)
            session.reset()
            for step in range(3):
                new = 2 * state + x * step
                got = session.run({"x": x * step})["y"]
                np.testing.assert_allclose(got, new * new + state, rtol=1e-6)
                state = new


@pytest.mark.parametrize("device", DEVICES)
def test_a_cache_grows_on_the_device(decoder, device):
    model, artifact = decoder
    inputs = torch.randn(5, 64, generator=torch.Generator().manual_seed(3))
    _, *states = model.example()
    with edgemoe.load(artifact.path, device=device) as session:
        for row in inputs:
            with torch.no_grad():
                wanted, *states = model(row[None], *states)
            got = session.run({"x": row[None].numpy()})["y"]
            np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_a_cache_in_place_is_not_copied(decoder):
    _, artifact = decoder
    text = (artifact.path / "decoder.c").read_text()
    assert "copy_" not in text and "next_k" not in text
    header = (artifact.path / "decoder.h").read_text()
    for name in ("decoder_reset(void)", "decoder_run_step(", "decoder_run("):
        assert f"void {name}" in header


def test_states_are_not_given(sums):
    with edgemoe.load(sums.path) as session:
        x = np.ones(4, np.float32)
        session.run({"x": x, "s": np.zeros(4, np.float32)})
        with pytest.raises(InputError, match="stay on the device"):
            session.run({"x": x, "s": x})


@pytest.mark.needs("gcc")
def test_attention_and_copies_have_no_warnings(decoder, tmp_path):
    import subprocess

    _, artifact = decoder
    for source in ("decoder.c", "decoder_kernels.c"):
        done = subprocess.run(
            ["gcc", "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", source,
             "-o", tmp_path / "x.o"],
            cwd=artifact.path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert not done.returncode, done.stderr
