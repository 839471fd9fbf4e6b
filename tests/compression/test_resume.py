"""A compilation that was killed goes on where it was: by signal 9, at no point of its choosing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import onnx_ir as ir
import pytest

MODEL = """<ir_version: 10, opset_import: ["" : 21]>
g (float[4,48] x) => (float[4,40] y)
<float[48,64] a = {A}, float[64,64] b = {B}, float[64,40] c = {C}> {
    h = MatMul(x, a)
    i = Relu(h)
    j = MatMul(i, b)
    k = Tanh(j)
    y = MatMul(k, c)
}"""


@pytest.fixture
def command(tmp_path):
    chance = np.random.default_rng(0)
    text = MODEL
    for name, shape in {"A": (48, 64), "B": (64, 64), "C": (64, 40)}.items():
        numbers = ", ".join(map(str, chance.normal(size=shape).astype(np.float32).reshape(-1)))
        text = text.replace(f"{{{name}}}", f"{{{numbers}}}")
    ir.save(ir.from_onnx_text(text), tmp_path / "m.onnx")
    np.savez(tmp_path / "c.npz", x=chance.normal(size=(64, 4, 48)).astype(np.float32))
    return [
        sys.executable, "-m", "edgemoe", "compile", str(tmp_path / "m.onnx"), "-t", "cpu", "--cpu",
        "native", "-o", str(tmp_path / "m.em"), "--calibration", str(tmp_path / "c.npz"),
        "--max-loss", "2%", "--search-time", "30", "--json", str(tmp_path / "r.json"),
    ]  # fmt: skip


def test_a_compilation_killed_by_signal_9_goes_on(command, tmp_path):
    journal = tmp_path / ".m.em.search.jsonl"

    def verdicts():
        return journal.read_text().count('"verdict"') if journal.is_file() else 0

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until = time.monotonic() + 120
        while verdicts() < 6 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    known = verdicts()
    assert known >= 6 and not (tmp_path / "m.em").exists()
    whole = journal.read_text()
    journal.write_text(whole + whole.splitlines()[-1][:40])  # a line that was being written
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "m.em" / "report.json").read_text())["compression"]
    assert report["reused"] >= known
    assert not journal.exists()
