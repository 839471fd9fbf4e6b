"""Mixer models in float32, batch 1, against onnxruntime on the same exported graph.

`patchtsmixer`: transformers' PatchTSMixer, 512 -> 96, 7 channels, 8 layers, 64 wide (random).
`mlp_mixer`: an MLP-Mixer, 8 layers, 256 wide, 64 tokens (random). The others are the models that
ship: `etth1`, `co2` (TSMixer style) and `digits` (MLP-Mixer), with their trained weights.

    python benchmarks/mixers.py [--threads 2] [--models co2,digits] [--json F]
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import harness  # first: sets the thread count
import numpy as np
import onnxruntime as ort
import torch
from torch import nn

import edgemoe


class Block(nn.Module):
    """Token mixing, then channel mixing (Tolstikhin et al., 2021, eq. 1)."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.tokens = nn.Sequential(
            nn.Linear(tokens, 2 * tokens), nn.GELU(), nn.Linear(2 * tokens, tokens)
        )
        self.channels = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.tokens(self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norms[1](x))


class MlpMixer(nn.Module):
    """Images of 32x32 in patches of 4x4."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 256, 4, 4)
        self.blocks = nn.Sequential(*(Block(64, 256) for _ in range(8)))
        self.norm, self.head = nn.LayerNorm(256), nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.patches(x).flatten(2).transpose(1, 2))
        return self.head(self.norm(x).mean(1))


def mlp_mixer() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    return MlpMixer().eval(), (torch.randn(1, 3, 32, 32),)


def patchtsmixer() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    from transformers import PatchTSMixerConfig, PatchTSMixerForPrediction

    model = PatchTSMixerForPrediction(
        PatchTSMixerConfig(
            context_length=512, prediction_length=96, num_input_channels=7, num_layers=8,
            d_model=64, patch_length=16, patch_stride=16,
        )
    ).eval()  # fmt: skip

    class Forecast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x).prediction_outputs

    return Forecast(), (torch.randn(1, 512, 7),)


def shipped(factory: str) -> Callable[[], tuple[nn.Module, tuple[torch.Tensor, ...]]]:
    module, name = factory.split(":")
    return getattr(importlib.import_module(f"edgemoe.models.{module}"), name)


MODELS = {
    "patchtsmixer": patchtsmixer,
    "mlp_mixer": mlp_mixer,
    "etth1": shipped("forecaster:etth1"),
    "co2": shipped("forecaster:co2"),
    "digits": shipped("digits_mixer:digits"),
}


def run_model(name: str, threads: int, folder: Path) -> list[harness.Row]:
    torch.manual_seed(0)
    module, inputs = MODELS[name]()
    path = folder / f"{name}.onnx"
    torch.onnx.export(
        module, inputs, dynamo=True, opset_version=20, input_names=["x"], output_names=["y"],
        verbose=False,
    ).save(path)  # fmt: skip
    x = inputs[0].numpy()
    with torch.no_grad():
        wanted = module(*inputs).numpy()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    theirs = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    ours = edgemoe.compile(path, out=folder / name).load(threads=threads)
    runs = {
        "edgemoe": lambda: ours.run({"x": x})["y"],
        "onnxruntime": lambda: theirs.run(None, {"x": x})[0],
    }
    scale = np.sqrt(np.mean(wanted**2))
    errors = {
        title: float(np.sqrt(np.mean((run() - wanted) ** 2)) / scale) for title, run in runs.items()
    }
    return harness.rows_of(f"{name} threads={threads}", harness.take_turns(runs), "edgemoe", errors)


def main() -> None:
    """Run the benchmark."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    for name in given.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            rows += run_model(name, given.threads, Path(folder))
    command = "python benchmarks/mixers.py " + " ".join(sys.argv[1:])
    harness.report("Mixers, float32, batch 1: time / edgemoe's time", rows, given.json, command)


if __name__ == "__main__":
    main()
