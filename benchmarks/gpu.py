"""A MoE layer on a GPU: how much of the device it uses, and the same layer in torch.

python -m benchmarks.gpu [--target opencl] [--device opencl:0] [--layers W1] [--json F]

For one token: the bytes of the weights that are read (router, active experts, shared expert) by the
time of all steps on the device's clock, as a share of the read bandwidth that is measured in the
same run. For a prompt: the multiply-accumulates that routing requires by the time, as a share of
the rate of torch's float32 matrix product of the layer's size. Torch runs on CUDA where it finds
such a device, else on one thread of the CPU, and the table says so: then the ratio compares
devices, not programs. Medians of `--rounds` interleaved runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import edgemoe
from benchmarks.cases import MOE, Moe
from benchmarks.layers import Experts

TOKENS = (1, 256)


def main() -> None:
    """Print a table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="opencl")
    parser.add_argument("--device")
    parser.add_argument("--layers", default="W1,W2", help=", ".join(MOE))
    parser.add_argument("--precision", default="f32,f16,i8,i4")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for name in options.layers.split(","):
        shape = MOE[name]
        module = Experts(shape, "loop").eval()
        for precision in options.precision.split(","):
            with tempfile.TemporaryDirectory() as folder:
                artifact = edgemoe.compile(
                    (module, (torch.zeros(8, shape.hidden),)), target=options.target,
                    out=Path(folder) / "layer.em", tokens=TOKENS, precision=precision,
                )  # fmt: skip
                with edgemoe.load(artifact.path, device=options.device) as session:
                    rows += [
                        measured(session, module, name, shape, precision, count, options.rounds)
                        for count in TOKENS
                    ]
                    device = session.isa
    print(f"\n{device}; torch on {peer_device()}")
    print(f"{'layer':6}{'weights':9}{'tokens':>7}{'ours':>10}{'torch':>10}{'ratio':>7}  share")
    for row in rows:
        print(
            f"{row['layer']:6}{row['precision']:9}{row['tokens']:7}{row['ours_us']:8.0f}us"
            f"{row['torch_us']:8.0f}us{row['ratio']:7.2f}  {row['share']:.0%} of {row['of']}"
        )
    if options.json:
        found = {"device": device, "torch": peer_device(), "rows": rows}
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def peer_device() -> str:
    """Where torch runs."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "one thread of the CPU"


def measured(
    session: Any, module: Experts, name: str, shape: Moe, precision: str, tokens: int, rounds: int
) -> dict[str, Any]:
    """One cell of the table."""
    x = np.random.default_rng(tokens).standard_normal((tokens, shape.hidden)).astype(np.float32)
    feed = {session.inputs[0].name: x}
    session.run(feed)
    variant = session.buckets.index(tokens)
    where = "cuda" if torch.cuda.is_available() else "cpu"
    peer, on_device = module.to(where), torch.from_numpy(x).to(where)
    ours, theirs, products = [], [], []
    left = torch.randn(tokens, shape.hidden, device=where)
    right = torch.randn(shape.hidden, 2 * shape.inner, device=where)
    for _ in range(rounds):
        ours.append(sum(ns for v, _, ns in session.run_timed(feed) if v == variant) * 1e-9)
        theirs.append(timed(lambda: peer(on_device)))
        products.append(timed(lambda: left @ right))
    spent, torch_time = statistics.median(ours), statistics.median(theirs)
    module.to("cpu")
    _, bandwidth = session.measure()
    plan = edgemoe.Artifact.open(session.path).plan
    steps = plan.variants[variant].steps
    if tokens == 1:
        nbytes = sum(step.nbytes for step in steps)
        share, of = nbytes / spent / (bandwidth * 1e9), f"{bandwidth:.1f} GB/s read"
    else:
        macs = sum(step.macs for step in steps)
        rate = tokens * shape.hidden * 2 * shape.inner / statistics.median(products)
        share, of = macs / spent / rate, f"{2 * rate / 1e9:.0f} GFLOP/s of torch's product"
    return {
        "layer": name, "precision": precision, "tokens": tokens, "ours_us": spent * 1e6,
        "torch_us": torch_time * 1e6, "ratio": spent / torch_time, "share": share, "of": of,
    }  # fmt: skip


def timed(call: Callable[[], Any]) -> float:
    """Seconds of a call, which has ended on its device."""
    begun = time.perf_counter()
    with torch.no_grad():
        call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
