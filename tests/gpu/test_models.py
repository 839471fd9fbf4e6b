"""The models that ship, and forms of experts and mixers, on both kinds of GPU."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgemoe
from edgemoe.errors import OptionError
from edgemoe.models.families import cases

DEVICES = [
    pytest.param(name, marks=pytest.mark.needs(f"device:{name}")) for name in ("opencl", "webgpu")
]
FAMILIES = (
    "batch_gather", "gshard_bias", "expert_choice", "modality_mask", "condition", "matformer",
    "tsmixer", "gmlp", "soft_moe",
)  # fmt: skip
"""One per kind of step that only some models have; all 99 take half an hour."""


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "model", ["digits_mixer:digits", "forecaster:etth1", "moe_lm:char_moe",
              "blockffn_lm:char_blockffn", "sensor_moe:sensor_moe"],
)  # fmt: skip
def test_shipped_models(model: str, device: str, tmp_path: Path) -> None:
    tokens = [1, 8] if "_lm" in model else None
    artifact = edgemoe.compile(
        f"edgemoe.models.{model}", target=device, out=tmp_path / "m.em", tokens=tokens
    )
    with edgemoe.load(artifact.path, check=True) as session:  # every bucket, within 1e-4
        assert session.device.startswith(device)
        if tokens is None:
            return
        ids = (np.arange(11, dtype=np.int64) * 7) % 90
        whole = session.run({"tokens": ids})["logits"]
        session.reset()
        steps = [session.run({"tokens": ids[i : i + 1]})["logits"] for i in range(11)]
        np.testing.assert_allclose(np.concatenate(steps), whole, atol=2e-4)


@pytest.mark.needs("device:opencl")
@pytest.mark.parametrize(("device", "precision"), [("opencl", "i4"), ("opencl", "f16")])
def test_narrow_weights(device: str, precision: str, tmp_path: Path) -> None:
    """Against the CPU with the same codes and no rounding of activations."""
    a32 = precision if precision == "f16" else f"{precision}.a32"
    found = []
    for target, given in ((device, precision), ("cpu", a32)):
        artifact = edgemoe.compile(
            "edgemoe.models.sensor_moe:sensor_moe", target=target, out=tmp_path / f"{target}.em",
            precision=given, cpu="all" if target == device else "native",
        )  # fmt: skip
        with edgemoe.load(artifact.path) as session:
            (name,) = (spec.name for spec in session.inputs)
            shape = session.inputs[0].shape
            x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
            found.append(next(iter(session.run({name: x}).values())))
    np.testing.assert_allclose(*found, atol=2e-3 * np.abs(found[1]).max())


@pytest.mark.needs("device:webgpu-f16")
def test_native_halves(tmp_path: Path) -> None:
    artifact = edgemoe.compile(
        "edgemoe.models.moe_lm:char_moe", target="webgpu-f16", out=tmp_path / "m.em", tokens=[1, 8],
        precision="f16",
    )  # fmt: skip
    assert artifact.manifest["gpu"]["fp16"]
    edgemoe.load(artifact.path, check=True).close()  # within the tolerance of 16-bit weights


def family_module() -> Any:
    path = Path(__file__).parent.parent / "families" / "conftest.py"
    spec = importlib.util.spec_from_file_location("families_conftest", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.needs("device:opencl")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAMILIES)
def test_families(name: str, tmp_path: Path) -> None:
    case = cases()[name]
    family = family_module().Family(case, case.ways[0], tmp_path)
    edgemoe.compile(
        str(family.path), target="opencl", tokens=family.tokens(), out=tmp_path / "m.em"
    )
    with edgemoe.load(tmp_path / "m.em") as session:
        for inputs, feed in family.feeds():
            got = list(session.run(feed).values())
            for a, b in zip(got, family.wanted(inputs), strict=True):
                limit = case.tolerance * max(1.0, float(np.abs(b).max(initial=0.0)))
                assert np.abs(a.astype(np.float64) - b).max(initial=0.0) <= limit


@pytest.mark.parametrize("option", [{"max_ram": 1 << 20}, {"objects": True}])
def test_options_of_other_families(option: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        edgemoe.compile(
            "edgemoe.models.moe_lm:char_moe", target="opencl", out=tmp_path / "m.em", tokens=[1],
            **option,
        )  # fmt: skip
    assert not (tmp_path / "m.em").exists()


@pytest.mark.parametrize("device", DEVICES)
def test_many_tensors_are_joined(device: str, tmp_path: Path) -> None:
    import torch

    class Joined(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            parts = [torch.relu(x[:, i : i + 2] - i) for i in range(12)]
            return torch.cat(parts, dim=1)

    x = torch.randn(3, 14)
    edgemoe.compile((Joined(), (x,)), target=device, out=tmp_path / "m.em")
    with edgemoe.load(tmp_path / "m.em", check=True) as session:
        (found,) = session.run({session.inputs[0].name: x.numpy()}).values()
    np.testing.assert_allclose(found, Joined()(x).numpy(), atol=1e-6)
