"""Mixer blocks as one kernel: against their definition, and when steps stay separate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgemoe
from edgemoe.plan import Decision
from edgemoe.quantise import quantise
from edgemoe.runtime.selftest import run_cases
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.gpu.mixer_block import MixerBlock
from edgemoe.targets.kernels.gpu.weights import Layout
from edgemoe.targets.kernels.norm import Norm
from edgemoe.targets.spec import load_target
from edgemoe.weight_format import parse
from tests.gpu.launch import launch
from tests.gpu.test_linear import stored

NEEDS = pytest.mark.needs("device:opencl", "device:webgpu")

BIASED = {True: "row", False: "column"}


def swish(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def normalised(x: np.ndarray, norm: Norm, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    centred = x - x.mean(-1, keepdims=True) if norm.kind == "layer" else x
    found = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + norm.epsilon)
    return found * (scale if norm.scale else 1) + (shift if norm.shift else 0)


LAYER, RMS = Norm("layer", True, True, 1e-5), Norm("rms", True, False, 1e-6)

CASES: list[tuple[str, bool, Norm | None, int, str]] = [
    ("opencl", mixes, norm, rows, name)
    for mixes, norm, rows, name in (
        (False, None, 4, "f32"), (False, LAYER, 4, "f32"), (False, RMS, 8, "i4.zp"),
        (False, LAYER, 1, "bf16"), (True, None, 4, "f32"), (True, None, 8, "i4"),
        (True, LAYER, 21, "f32"), (True, RMS, 21, "i3"),
    )
]  # fmt: skip
CASES += [("webgpu", False, LAYER, 4, "f16"), ("webgpu", True, LAYER, 21, "i8")]


@NEEDS
@pytest.mark.parametrize(("device", "mixes", "norm", "rows", "name"), CASES)
def test_a_block(device: str, mixes: bool, norm: Norm | None, rows: int, name: str) -> None:
    """x + W1 (swish(W0 norm(x) + b0) * g) + b1, of sizes that fill no tile."""
    batch, tokens, channels, hidden = 2, 13, 21, 37
    chance = np.random.default_rng(rows)

    def draw(*shape: int) -> np.ndarray:
        return chance.standard_normal(shape).astype(np.float32)

    depth, total = (tokens, channels) if mixes else (channels, batch * tokens)
    x, scale, shift = draw(batch, tokens, channels) * 3 + 1, draw(channels), draw(channels)
    weights, biases = [draw(hidden, depth), draw(depth, hidden)], [draw(hidden), draw(depth)]
    gate = draw(batch, hidden, channels) if mixes else draw(batch, tokens, hidden)
    given, bias = parse(name), ex.Operand(0, BIASED[mixes])
    epilogues = (
        ex.Apply("Mul", (ex.Apply("Swish", (ex.Apply("Add", (ex.Port(), bias)),)),
                         ex.Operand(1, "full"))),
        ex.Apply("Add", (ex.Apply("Add", (ex.Port(), bias)), ex.Operand(1, "full"))),
    )  # fmt: skip
    layouts = (Layout(given, depth, hidden), Layout(given, hidden, depth))
    words = [layout.pack([w], [quantise]) for layout, w in zip(layouts, weights, strict=True)]
    arrays = {"x": x, "w0": words[0], "w1": words[1], "out": np.zeros_like(x), "0.0": biases[0],
              "0.1": gate, "1.0": biases[1]}  # fmt: skip
    if norm is not None:
        arrays |= {"scale": scale} | ({"shift": shift} if norm.shift else {})
    numbers = {role: i for i, role in enumerate(arrays)}
    numbers["1.1"] = numbers["x"]  # bound once
    block = MixerBlock(
        norm, layouts, epilogues, mixes, batch if mixes else 1, total, rows,
        tuple(numbers.items()), 32,
    )  # fmt: skip
    facts = load_target(device).gpu
    assert facts is not None and 4 * block.local_words <= facts.local_bytes
    found = launch(device, block, list(arrays.values()))[numbers["out"]]
    wide = x.astype(np.float64)
    rows_in = wide if norm is None else normalised(wide, norm, scale, shift)
    w0, w1 = (stored(w, name).astype(np.float64) for w in weights)
    if mixes:
        inner = swish(w0 @ rows_in + biases[0][:, None]) * gate
        wanted = wide + w1 @ inner + biases[1][:, None]
    else:
        inner = swish(rows_in @ w0.T + biases[0]) * gate
        wanted = wide + inner @ w1.T + biases[1]
    np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max())


def compiled(model: str, out: Path, **facts: Any) -> tuple[Any, Decision]:
    """(artifact, what was decided) for a target of OpenCL with other facts."""
    given = load_target("opencl").gpu
    assert given is not None
    data = {k: v for k, v in replace(given, **facts).to_dict().items() if k != "language"}
    lines = [f"{k} = {json.dumps(v)}" for k, v in data.items()]
    out.with_suffix(".toml").write_text(
        'name = "mine"\nfamily = "opencl"\nsummary = "-"\n[gpu]\n' + "\n".join(lines)
    )
    artifact = edgemoe.compile(
        f"edgemoe.models.{model}", target=str(out.with_suffix(".toml")), out=out
    )
    (found,) = (d for d in artifact.plan.decisions if d.subject == "mixer blocks")
    return artifact, found


@pytest.mark.needs("device:opencl")
@pytest.mark.parametrize(
    ("facts", "launches", "choice", "reason"),
    [({}, 14, "6 of 6", "from the norm to the residual"),
     ({"storage_buffers": 8, "block_bytes": 4096}, 17, "6 of 6", "of 3 the norm stays a step"),
     ({"storage_buffers": 7}, 20, "6 of 6", "of 6 the norm stays a step"),
     ({"block_bytes": 0}, 26, "0 of 6", "3 stay separate steps: a tile has 192 B, the target")],
)  # fmt: skip
def test_where_tiles_do_not_fit_steps_stay(
    facts: dict[str, int], launches: int, choice: str, reason: str, tmp_path: Path
) -> None:
    artifact, found = compiled("digits_mixer:digits", tmp_path / "m", **facts)
    (variant,) = artifact.plan.variants
    assert len(variant.steps) == launches
    assert found.choice == f"{choice} are one kernel" and reason in found.reason
    with edgemoe.load(artifact.path) as session:
        assert all(case.passed for case in run_cases(session))
