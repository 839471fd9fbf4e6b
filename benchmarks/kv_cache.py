"""What a narrow KV cache does to the time of a token: attention over a long context, in turns.

    python -m benchmarks.kv_cache [--context 2048] [--heads 8] [--group 1] [--size 64]

One call adds a token and attends to the whole context. The ratios are medians over the turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

import edgemoe

TURNS, CALLS = 60, 20
KINDS = ("f32", "bf16", "f16", "i8")


class Attention(torch.nn.Module):
    """One token of q, k and v float32 [1, heads, size] over caches [context, heads, size]."""

    def __init__(self, context: int, heads: int, group: int, size: int) -> None:
        super().__init__()
        self.group, self.context = group, context
        cache = (context, heads, size)
        self.inputs = (
            torch.randn(1, heads * group, size), torch.randn(1, heads, size),
            torch.randn(1, heads, size), torch.full((1,), context - 1),
            torch.zeros(cache), torch.zeros(cache),
        )  # fmt: skip
        self.export_options = {
            "input_names": ["q", "new_k", "new_v", "position", "k", "v"],
            "output_names": ["y", "k_out", "v_out"],
            "states": {"k": "k_out", "v": "v_out"},
        }

    def forward(
        self, q: torch.Tensor, new_k: torch.Tensor, new_v: torch.Tensor, position: torch.Tensor,
        k: torch.Tensor, v: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:  # fmt: skip
        """Add a token, attend to all that came before it."""
        k, v = k.index_put((position,), new_k), v.index_put((position,), new_v)
        seen = torch.arange(self.context)[None] <= position[:, None]
        parts = (x.transpose(0, 1)[None] for x in (q, k, v))
        y = torch.nn.functional.scaled_dot_product_attention(
            *parts, attn_mask=seen, enable_gqa=self.group > 1
        )
        return y[0].transpose(0, 1), k, v


def microseconds(session: Any, feed: dict[str, Any], out: dict[str, Any]) -> float:
    """Mean time of a call in this turn."""
    start = time.perf_counter()
    for _ in range(CALLS):
        session.run(feed, out=out)
    return (time.perf_counter() - start) / CALLS * 1e6


def main() -> None:
    """Compile once per format, measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("context", 2048), ("heads", 8), ("group", 1), ("size", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    module = Attention(given.context, given.heads, given.group, given.size).eval()
    names = ("q", "new_k", "new_v", "position")
    feed = {n: x.numpy() for n, x in zip(names, module.inputs, strict=False)}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sessions = {
            kind: edgemoe.compile(
                (module, module.inputs), out=Path(folder) / kind, cpu="native", kv_cache=kind
            ).load()
            for kind in KINDS
        }
        chance = np.random.default_rng(0)
        for token in range(given.context):
            rows = {n: chance.standard_normal(feed[n].shape).astype(np.float32) for n in names[:3]}
            for session in sessions.values():
                session.run({**rows, "position": np.array([token])})
        outs = {kind: {"y": session.run(feed)["y"]} for kind, session in sessions.items()}
        times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(TURNS):
            for kind, session in sessions.items():
                times[kind].append(microseconds(session, feed, outs[kind]))
        scale = float(np.sqrt(np.mean(outs["f32"]["y"] ** 2)))
        print(f"context {given.context}, {given.heads} heads of {given.size}, group {given.group}")
        for kind in KINDS:
            ratio = statistics.median(a / b for a, b in zip(times[kind], times["f32"], strict=True))
            error = float(np.sqrt(np.mean((outs[kind]["y"] - outs["f32"]["y"]) ** 2))) / scale
            print(
                f"  {kind:4}  time {ratio:.2f} of f32 ({statistics.median(times[kind]):.0f} us), "
                f"states {sessions[kind].state_bytes:,} B, relative RMS error {error:.1e}"
            )


if __name__ == "__main__":
    main()
