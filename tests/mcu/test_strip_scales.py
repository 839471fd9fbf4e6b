"""Strips of `--max-ram` with scales of their own: outliers of one strip cost the others nothing."""

from __future__ import annotations

import shutil

import numpy as np
import onnx
import pytest

import edgemoe
from edgemoe.cli.integer_text import integer_text
from edgemoe.runtime.selftest import run_cases

pytestmark = pytest.mark.needs("cc")

HEIGHT, WIDTH, ROWS, FACTOR = 24, 16, 4, 40.0
QEMU = {"cortex-m4": ("arm-none-eabi-gcc", "qemu-system-arm"),
        "cortex-m55": ("arm-none-eabi-gcc", "qemu-system-arm"),
        "rv32imc": ("riscv64-unknown-elf-gcc", "qemu-system-riscv32")}  # fmt: skip


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Convolutions over rows of which the first four are large, as of a spectrum.

    The last factor brings all rows to one size, as a head does that learns from all of them.
    """
    path, chance = tmp_path_factory.mktemp("scales") / "net.onnx", np.random.default_rng(0)
    shapes = {"a": (6, 1, 3, 3), "d": (6, 1, 3, 3), "p": (6, 6, 1, 1), "e": (1, 6, 3, 3)}
    arrays = {n: chance.uniform(-1, 1, s) / np.sqrt(np.prod(s[1:])) for n, s in shapes.items()}
    arrays["even"] = np.where(np.arange(HEIGHT) < ROWS, 1 / FACTOR, 1.0)[:, None]
    texts = [
        f"float[{', '.join(map(str, a.shape))}] {name} = "
        f"{{{', '.join(f'{x:.5f}' for x in a.reshape(-1))}}}"
        for name, a in arrays.items()
    ]
    model = onnx.parser.parse_model(f"""<ir_version: 9, opset_import: ["" : 20]>
    net (float[1, 1, {HEIGHT}, {WIDTH}] x) => (float[1, 1, {HEIGHT}, {WIDTH}] y)
    <{", ".join(texts)}> {{
        c = Conv <pads = [1, 1, 1, 1]> (x, a)
        r = Relu (c)
        f = Conv <group = 6, pads = [1, 1, 1, 1]> (r, d)
        g = Gelu (f)
        s = Add (r, g)
        q = Conv (s, p)
        h = Relu (q)
        v = Conv <pads = [1, 1, 1, 1]> (h, e)
        y = Mul (v, even)
    }}""")
    onnx.save(model, path)
    return path


def samples(rows, count=32):
    x = np.random.default_rng(1).normal(size=(count, 1, 1, HEIGHT, WIDTH)).astype(np.float32)
    x[..., :rows, :] *= FACTOR
    return x


@pytest.fixture(scope="module")
def compiled(network, tmp_path_factory):
    """`compiled(target, rows)`: half of the arena, with so many large rows; once each."""
    known, room = {}, tmp_path_factory.mktemp("compiled")

    def get(target="cortex-m4", rows=ROWS, share=0.5):
        key = (target, rows, share)
        if key not in known:
            known[key] = edgemoe.compile(
                network, target=target, out=room / f"{len(known)}", precision="i8",
                calibration={"x": samples(rows)},
                max_ram=None if share is None else int(16_896 * share),
            )  # fmt: skip
        return known[key]

    return get


def said(artifact):
    return artifact.report()["integers"]["strips"]


def test_outliers_get_bits_where_they_are(compiled):
    artifact = compiled()
    found = said(artifact)
    rows = {name: row["error"] for name, row in found["controls"].items()}
    # A convolution carries large rows over the edge of a strip, more weakly.
    assert set(found["outliers"]) <= {"0", "1"} and found["outliers"]["0"] > FACTOR / 2
    assert found["choice"] == "scales of strips, int16 in 0" and found["int16"] == [0]
    own, chosen = rows["scales of strips"], rows[found["choice"]]
    assert own < 0.5 * rows["common scales"]  # other strips have their bits back
    assert chosen < 0.9 * own  # the strip has small numbers, too
    assert rows["as many other strips int16"] > 0.95 * own  # no other strip needs bits
    assert chosen < 1.1 * rows["all strips int16"]
    assert artifact.report()["integers"]["loss"] == found["controls"][found["choice"]]["loss"]


def test_the_limit_is_kept_and_the_cost_is_said(compiled):
    artifact = compiled()
    rows = said(artifact)["controls"]
    arena = artifact.plan.variants[0].arena_bytes
    before, after = rows["common scales"], rows["scales of strips, int16 in 0"]
    assert arena == after["arena_bytes"] <= 16_896 // 2
    (decision,) = [d for d in artifact.plan.decisions if d.subject == "strip scales"]
    words = f"constants {after['constant_bytes']:,} B for {before['constant_bytes']:,} B"
    assert words in decision.reason and f"arena {arena:,} B" in decision.reason
    text = integer_text(artifact.report()["integers"], verbose=False)
    assert "strip 0 has outliers" in text and "as many other strips int16" in text
    (cut,) = [d for d in artifact.plan.decisions if d.subject == "max-ram"]
    assert "in 4 strips of 6 rows" in cut.choice and "MACs are computed twice" in cut.reason


def test_it_is_as_good_on_data_that_nobody_chose_on(compiled, network):
    """Errors of artifacts, run on this machine, against floats in onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(network)
    x = np.random.default_rng(9).normal(size=(16, 1, 1, HEIGHT, WIDTH)).astype(np.float32)
    x[..., :ROWS, :] *= FACTOR
    wanted = np.concatenate([session.run(None, {"x": one})[0] for one in x])

    def error(artifact):
        with edgemoe.load(artifact.path) as device:
            found = np.concatenate([device.run({"x": one})["y"] for one in x])
        return float(np.mean((found - wanted) ** 2) / np.mean(wanted**2))

    assert error(compiled()) < 0.3 * error(compiled(share=None))


@pytest.mark.parametrize("target", QEMU)
def test_the_bits_are_those_of_the_reference(compiled, target):
    artifact = compiled(target)
    assert said(artifact)["choice"] == "scales of strips, int16 in 0"
    devices = ["host"] + ["qemu"] * all(map(shutil.which, QEMU[target]))
    for device in devices:
        with edgemoe.load(artifact.path, device=device) as session:
            results = [c for result in run_cases(session) for c in result.comparisons]
        assert results and all(c.equal for c in results), device


def test_no_outliers_are_said_to_be_none(compiled):
    artifact = compiled(rows=0)
    assert said(artifact)["reason"] == "no strip has outliers"
    assert said(artifact)["choice"] == "common scales"
    (decision,) = [d for d in artifact.plan.decisions if d.subject == "strip scales"]
    assert decision.choice == "common scales" and "no strip has outliers" in decision.reason


def test_a_model_without_strips_says_so(mcu_model, tmp_path):
    pytest.importorskip("torch")
    from edgemoe.models.calibration import arrays

    artifact = mcu_model("digits").compile(
        "cortex-m4", tmp_path / "a", precision="i8", calibration=arrays("digits", samples=6),
        max_ram=3776,
    )  # fmt: skip
    assert said(artifact)["pieces"] == 0
    assert said(artifact)["reason"].startswith("no strip has outliers: no part is computed in")
    assert artifact.plan.variants[0].arena_bytes <= 3776
