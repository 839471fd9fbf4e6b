"""What the GPU compiler makes of the models that ship: launches, tensors between steps, error.

python -m benchmarks.gpu_steps [--models digits_mixer:digits,...]

Launches of one run of a mixer, with every mixer block as separate steps and as one
kernel where it fits, for the limits of `opencl` and `webgpu`. Then bytes of the arena with float32
and with float16 between steps, and the error of float16 on the first WebGPU device: the signal to
noise ratio of the outputs on the inputs of the self-test, against float32 of onnxruntime.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from dataclasses import replace
from math import log10
from pathlib import Path
from typing import Any

import edgemoe
from edgemoe.artifact import Artifact
from edgemoe.runtime.gpu_devices import has_device
from edgemoe.targets.spec import load_target

MODELS = (
    "digits_mixer:digits", "forecaster:etth1", "moe_lm:char_moe", "blockffn_lm:char_blockffn",
    "sensor_moe:sensor_moe",
)  # fmt: skip

MIXERS = ("digits_mixer:digits", "forecaster:etth1")


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS))
    models = parser.parse_args().models.split(",")
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        print("| model | opencl, separate | opencl | webgpu, separate | webgpu |")
        print("|---|--:|--:|--:|--:|")
        for model in [m for m in models if m in MIXERS]:
            counts = [
                _launches(_compiled(model, name, root, **facts))
                for name in ("opencl", "webgpu") for facts in ({"block_bytes": 0}, {})
            ]  # fmt: skip
            print(f"| {_short(model)} | {' | '.join(map(str, counts))} |", flush=True)
        if has_device("webgpu", fp16=True):
            _halves(models, root)
        else:
            print("\nno WebGPU device with 16-bit floats: no errors")


def _halves(models: list[str], root: Path) -> None:
    print("\n| model | arena, float32 | arena, float16 | SQNR, dB |")
    print("|---|--:|--:|--:|")
    for model in models:
        wide = _compiled(model, "webgpu-f16", root, activations="float32")
        half = _compiled(model, "webgpu-f16", root)
        worst = max(half.manifest["accuracy"]["relative_rms_error"].values())
        print(
            f"| {_short(model)} | {_arena(wide):,} | {_arena(half):,} | {-20 * log10(worst):.1f} |",
            flush=True,
        )


def _compiled(model: str, name: str, root: Path, **facts: Any) -> Artifact:
    """The model for a target that ships, with other facts."""
    spec = load_target(name)
    assert spec.gpu is not None
    data = {k: v for k, v in replace(spec.gpu, **facts).to_dict().items() if k != "language"}
    place = root / f"{len(list(root.iterdir()))}"
    target = place.with_suffix(".toml")
    target.write_text(
        f'name = "{name}"\nfamily = "{spec.family}"\nsummary = "-"\n[gpu]\n'
        + "\n".join(f"{k} = {json.dumps(v)}" for k, v in data.items())
    )
    tokens = [1, 8] if "_lm" in model else None
    return edgemoe.compile(f"edgemoe.models.{model}", target=str(target), out=place, tokens=tokens)


def _launches(artifact: Artifact) -> int:
    return len(artifact.plan.variants[0].steps)


def _arena(artifact: Artifact) -> int:
    return max(variant.arena_bytes for variant in artifact.plan.variants)


def _short(model: str) -> str:
    return model.split(":")[1]


if __name__ == "__main__":
    main()
