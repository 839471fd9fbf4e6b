"""Models whose products multiply int8 on GPUs, against the CPU's artifact of the same format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgemoe
from edgemoe.artifact import Artifact
from edgemoe.targets.spec import load_target

MODEL = "edgemoe.models.moe_lm:char_moe"

Compiled = Callable[[str, str], Artifact]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """`compiled(device, precision)`: the language model; of GPUs with integer_dot."""
    root = tmp_path_factory.mktemp("integers")
    made: dict[tuple[str, str], Artifact] = {}

    def get(device: str, precision: str) -> Artifact:
        key = (device, precision)
        if key not in made:
            target = device
            if device != "cpu":
                facts = load_target(device).gpu
                assert facts is not None
                data = {k: v for k, v in facts.to_dict().items() if k != "language"}
                lines = [f"{k} = {json.dumps(v)}" for k, v in {**data, "integer_dot": True}.items()]
                target = str(root / f"{device}.toml")
                Path(target).write_text(
                    f'name = "mine"\nfamily = "{device}"\nsummary = "-"\n[gpu]\n' + "\n".join(lines)
                )
            made[key] = edgemoe.compile(
                MODEL, target=target, out=root / "-".join(key), tokens=[1, 16],
                precision=precision, cpu="native" if device == "cpu" else "all",
            )  # fmt: skip
        return made[key]

    return get


def logits(artifact: Artifact) -> tuple[np.ndarray, np.ndarray]:
    """Of a prompt of 16 tokens, and of the token behind it."""
    with edgemoe.load(artifact.path, check=True) as session:
        tokens = (np.arange(17, dtype=np.int64) * 7) % 60
        return tuple(  # type: ignore[return-value]
            session.run({"tokens": part})["logits"] for part in (tokens[:16], tokens[16:])
        )


def distance(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)))


@pytest.mark.needs("device:opencl", "device:webgpu")
@pytest.mark.parametrize(("device", "precision"), [("opencl", "i8"), ("webgpu", "i4")])
def test_a_language_model(compiled: Compiled, device: str, precision: str) -> None:
    """The error of the format is that of the CPU's integers; the fallback is counted."""
    artifact = compiled(device, precision)
    kernels = {k.template for k in artifact.plan.kernels}
    assert "quantise_rows" in kernels
    (count,) = (d for d in artifact.plan.decisions if d.subject == "int8 products")
    whole, total = map(int, count.choice.split(" of "))
    assert 0 < whole < total and f"{total - whole} of floats: at most 4 rows" in count.reason
    (exact, _), (there, _) = logits(compiled("cpu", "f32")), logits(compiled("cpu", precision))
    (here, _) = logits(artifact)
    assert 0.5 < distance(here, exact) / distance(there, exact) < 1.4


@pytest.mark.needs("device:opencl")
def test_targets_without_it_say_so(tmp_path: Path) -> None:
    artifact: Any = edgemoe.compile(
        "edgemoe.models.digits_mixer:digits", target="opencl", out=tmp_path / "m", precision="i8"
    )
    (count,) = (d for d in artifact.plan.decisions if d.subject == "int8 products")
    assert count.choice.startswith("0 of ")
    assert "of floats: the target has no integer_dot" in count.reason
    assert "token mixing" in count.reason
