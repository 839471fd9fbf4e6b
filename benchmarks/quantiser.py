"""What a quantiser of another project is, and how it is run in its own environment.

    python -m benchmarks.quantiser NAME FOLDER

reads `FOLDER/matrices.npz` (weights [N, K] by number) and `FOLDER/grams.npz` (X^T X [K, K] of what
they multiply, by number, where known) and writes for every variant `FOLDER/NAME-n.npz`, the weights
as the quantiser's product multiplies with them, and what there is to say in `FOLDER/NAME.json`.

A quantiser is a file in `benchmarks/quantisers/` with

- `REQUIREMENTS`, `NEEDS`: as those of a peer, see `benchmarks.contestant`;
- `VARIANTS`: what it can do;
- `quantise(matrices, grams, variant)`: per matrix `Stored`, or None where it leaves it in float32.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Variant:
    """One method with its bits per weight and the inputs that share a scale."""

    method: str
    bits: int
    block: int


@dataclass(frozen=True)
class Stored:
    """float32 [N, K] as the product multiplies with it, and the bytes that are stored for it."""

    weight: Array
    nbytes: int


@dataclass(frozen=True)
class Outcome:
    """What came of a variant: `stored` by number of the matrix, or why nothing did."""

    variant: Variant
    stored: Mapping[int, Stored]
    failed: str | None = None


class Quantiser(Protocol):
    """A module of `benchmarks.quantisers`."""

    REQUIREMENTS: Sequence[str]
    NEEDS: str
    VARIANTS: Sequence[Variant]

    def quantise(
        self, matrices: Sequence[Array], grams: Sequence[Array | None], variant: Variant
    ) -> list[Stored | None]:
        """Quantise each matrix by itself."""


def quantiser_names() -> list[str]:
    """The names of all quantisers."""
    return sorted(path.stem for path in (Path(__file__).parent / "quantisers").glob("[a-z]*.py"))


def quantiser_of(name: str) -> Quantiser:
    """Import the file of a quantiser.

    Raises:
        ValueError: there is none.
    """
    if name not in quantiser_names():
        raise ValueError(f"no quantiser {name}; there are {', '.join(quantiser_names())}")
    return cast(Quantiser, importlib.import_module(f"benchmarks.quantisers.{name}"))


def write_task(folder: Path, matrices: Sequence[Array], grams: Sequence[Array | None]) -> None:
    """Write what quantisers read."""
    np.savez(folder / "matrices.npz", **{str(n): m for n, m in enumerate(matrices)})
    known = {str(n): gram for n, gram in enumerate(grams) if gram is not None}
    np.savez(folder / "grams.npz", **known)  # type: ignore[arg-type]


def run_in(python: Path, name: str, folder: Path, environment: Mapping[str, str]) -> list[Outcome]:
    """Let a quantiser work in its environment, on what `write_task` wrote.

    Raises:
        RuntimeError: the process ended before it wrote anything.
    """
    done = subprocess.run(
        [python, "-m", "benchmarks.quantiser", name, folder], env=dict(environment), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    notes = folder / f"{name}.json"
    if not notes.is_file():
        tail = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{name} ended with code {done.returncode}: {tail}")
    return [_read(folder / f"{name}-{n}.npz", note)
            for n, note in enumerate(json.loads(notes.read_text("utf-8")))]  # fmt: skip


def _read(path: Path, note: dict[str, Any]) -> Outcome:
    variant = Variant(**note["variant"])
    if note["failed"] is not None:
        return Outcome(variant, {}, note["failed"])
    with np.load(path) as data:
        stored = {int(n): Stored(data[n], note["nbytes"][n]) for n in data.files}
    return Outcome(variant, stored)


def main() -> None:
    """Run all variants of one quantiser."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    module, notes = quantiser_of(name), []
    with np.load(folder / "matrices.npz") as data:
        matrices = [data[str(n)] for n in range(len(data.files))]
    with np.load(folder / "grams.npz") as data:
        grams = [data.get(str(n)) for n in range(len(matrices))]
    for number, variant in enumerate(module.VARIANTS):
        note: dict[str, Any] = {"variant": asdict(variant), "failed": None}
        try:
            found = module.quantise(matrices, grams, variant)
        except Exception as error:  # whatever it raises becomes a row of the table
            first = (str(error).strip().splitlines() or [""])[0]
            note["failed"] = f"{type(error).__name__}: {first}"[:300]
        else:
            stored = {str(n): s for n, s in enumerate(found) if s is not None}
            arrays: dict[str, Any] = {n: s.weight for n, s in stored.items()}
            np.savez(folder / f"{name}-{number}.npz", **arrays)
            note["nbytes"] = {n: s.nbytes for n, s in stored.items()}
        notes.append(note)
        (folder / f"{name}.json").write_text(json.dumps(notes), "utf-8")


if __name__ == "__main__":
    main()
