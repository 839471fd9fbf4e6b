"""What adding up in float16 costs: chunks whose sums are added in float32, and whole rows.

    python -m benchmarks.half_sums [--depths 256,512,1024,4096]

Relative RMS error of dot products of float16 numbers, factors left out: only the sums are rounded,
after every addition, as fused multiply-adds do. *Whole rows* are 32 sums of every 32nd product,
added to each other in float16 down to 8: as ggml adds up float16 where the CPU has vectors of it.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

Halves = NDArray[np.float16]

CHUNKS = (8, 16, 32)
ROWS = 4000
LANES = 32


def added(total: Halves, a: Halves, w: Halves) -> Halves:
    """`total + a * w`, rounded once."""
    exact = total.astype(np.float64) + a.astype(np.float64) * w.astype(np.float64)
    return exact.astype(np.float16)


def by_chunks(a: Halves, w: Halves, chunk: int) -> NDArray[np.float32]:
    """Sums of chunks in float16, and the sums of those in float32."""
    total = np.zeros(len(a), np.float32)
    for first in range(0, a.shape[1], chunk):
        part = np.zeros(len(a), np.float16)
        for k in range(first, min(first + chunk, a.shape[1])):
            part = added(part, a[:, k], w[:, k])
        total += part.astype(np.float32)
    return total


def by_lanes(a: Halves, w: Halves) -> NDArray[np.float32]:
    """Whole rows in float16."""
    sums = np.zeros((len(a), LANES), np.float16)
    for first in range(0, a.shape[1], LANES):
        sums = added(sums, a[:, first : first + LANES], w[:, first : first + LANES])
    while sums.shape[1] > 8:
        half = sums.shape[1] // 2
        sums = (sums[:, :half] + sums[:, half:]).astype(np.float16)
    return sums.astype(np.float32).sum(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depths", default="256,512,1024,4096")
    chance = np.random.default_rng(0)
    print("| inputs | " + " | ".join(f"chunks of {n}" for n in CHUNKS) + " | whole rows |")
    print("|--:|" + "--:|" * (len(CHUNKS) + 1))
    for depth in map(int, parser.parse_args().depths.split(",")):
        a = chance.standard_normal((ROWS, depth)).astype(np.float16)
        w = (chance.standard_normal((ROWS, depth)) / np.sqrt(depth)).astype(np.float16)
        exact = (a.astype(np.float64) * w.astype(np.float64)).sum(1)
        cells = [by_chunks(a, w, chunk) for chunk in CHUNKS] + [by_lanes(a, w)]
        errors = [np.sqrt(np.mean((x - exact) ** 2) / np.mean(exact**2)) for x in cells]
        print(f"| {depth} | " + " | ".join(f"{error:.1e}" for error in errors) + " |")


if __name__ == "__main__":
    main()
