"""What each weight format costs: the signal-to-quantisation-noise ratio of one product.

    python -m benchmarks.format_errors [--formats f32,bf16,bf16.a16] [--depth 1024]

SQNR = 10 log10(sum y^2 / sum (y' - y)^2), in dB, of a linear layer of 256 outputs on 64 rows
against float64; 6 dB are one bit. Weights are normal. Activations are normal, or of Student's t
with 3 degrees of freedom, whose outliers make the other values of a row small beside its scale.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import edgemoe

FORMATS = ("f32", "f16", "f16.a16", "bf16", "bf16.a16", "i8", "i8.g32", "i8.a32", "i4",
           "i4.g128", "i4.a32", "i3", "i2", "ternary")  # fmt: skip
ROWS, COLUMNS = 64, 256


def sqnr(got: NDArray[np.float32], wanted: NDArray[np.float64]) -> float:
    """In dB."""
    noise = got.astype(np.float64) - wanted
    return float(10 * np.log10(np.sum(wanted**2) / np.sum(noise**2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--depth", type=int, default=1024)
    given = parser.parse_args()
    chance = np.random.default_rng(0)
    shape = (ROWS, given.depth)
    inputs = {"normal": chance.standard_normal(shape), "t3": chance.standard_t(3, shape)}
    layer = torch.nn.Linear(given.depth, COLUMNS, bias=False)
    weight = chance.standard_normal((COLUMNS, given.depth)).astype(np.float32)
    layer.weight.data = torch.from_numpy(weight / np.float32(np.sqrt(given.depth)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        edgemoe.export(layer, (torch.zeros(ROWS, given.depth),), path=path / "layer.onnx")
        print("| format | " + " | ".join(f"SQNR, {name} inputs (dB)" for name in inputs) + " |")
        print("|---|" + "--:|" * len(inputs))
        for name in given.formats.split(","):
            artifact = edgemoe.compile(
                path / "layer.onnx", out=path / name, precision=name, cpu="native"
            )
            with edgemoe.load(artifact.path) as session:
                (x,), (y,) = session.inputs, session.outputs
                cells = []
                for array in inputs.values():
                    feed = array.astype(np.float32)
                    wanted = feed.astype(np.float64) @ layer.weight.data.double().numpy().T
                    cells.append(f"{sqnr(session.run({x.name: feed})[y.name], wanted):.1f}")
            print(f"| `{name}` | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
