"""What takes part, and where it finds its model.

A peer is a file in `benchmarks/peers/`, or a folder of files, with

- `REQUIREMENTS`: what pip installs, with versions, in an environment of the peer's own;
- `NEEDS`: the module whose presence says that it is installed;
- `contestants(case)`: what it can run of a case; must not import the peer;
- `prepare(contestant, kit)`: converts or quantises, in a process of its own, so that its memory is
  not counted; writes into `kit.folder_of(contestant)`;
- `load(contestant, kit, threads)`: returns `call() -> array`, the call that is measured.

All but `contestants` run in the peer's environment, which has NumPy and what it requires.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case

PEERS = Path(__file__).parent / "peers"

Array = NDArray[Any]
Call = Callable[[], Array]

BITS = {"f32": 32, "bf16": 16, "f16": 16, "i8": 8, "i4": 4, "i3": 3}
"""Bits of a weight without its scales, by format."""


@dataclass(frozen=True)
class Contestant:
    """One way of one peer to run a case."""

    peer: str
    variant: str  # how: "MoE op", "grouped nb8 acc4"
    format: str  # of the weights: a key of BITS, perhaps with a group size: "i4.g64"

    @property
    def name(self) -> str:
        """How tables and the command line call it."""
        return f"{self.peer} {self.variant}".strip()

    @property
    def bits(self) -> int:
        """Bits of one weight."""
        return BITS[self.family]

    @property
    def family(self) -> str:
        """The format without its group size."""
        return self.format.split(".")[0]


@dataclass(frozen=True)
class Kit:
    """A folder with everything that a peer needs to build a case."""

    case: Case
    folder: Path

    def onnx(self, form: str) -> Path:
        """The graph as torch exports it; the forms are those of `benchmarks.exports`."""
        return self.folder / f"{form}.onnx"

    def inputs(self) -> dict[str, Array]:
        """The arrays to run with, by input name."""
        with np.load(self.folder / "inputs.npz") as data:
            return {name: data[name] for name in data.files}

    def wanted(self) -> Array:
        """What torch computes in float32."""
        return cast(Array, np.load(self.folder / "wanted.npy"))

    def weights(self) -> dict[str, Array]:
        """The float32 weights of an MoE layer, or of a decoder.

        Layer: router [E, H], gate and up [E, I, H], down [E, H, I]; with a shared expert also
        shared_gate and shared_up [I, H], shared_down [H, I]. Decoder: embedding and head [V, H];
        for layer n those of its experts as `n.router` and so on, `n.attention_norm` and
        `n.experts_norm` [H], `n.qkv` [3 H, H] and `n.out` [H, H].
        """
        names = [path.stem for path in sorted((self.folder / "weights").glob("*.npy"))]
        return {name: np.load(self.folder / "weights" / f"{name}.npy") for name in names}

    def folder_of(self, contestant: Contestant) -> Path:
        """Where a contestant keeps what it prepared."""
        folder = self.folder / contestant.name.replace(" ", "-")
        folder.mkdir(exist_ok=True)
        return folder

    def save(self) -> None:
        """Write the name of the case."""
        (self.folder / "case.json").write_text(json.dumps(self.case.name), "utf-8")

    @classmethod
    def open(cls, folder: Path) -> Kit:
        """Read a kit."""
        return cls(Case(json.loads((folder / "case.json").read_text("utf-8"))), folder)


class Peer(Protocol):
    """A module of `benchmarks.peers`."""

    REQUIREMENTS: Sequence[str]
    NEEDS: str

    def contestants(self, case: Case) -> list[Contestant]:
        """List what the peer can run of a case."""

    def prepare(self, contestant: Contestant, kit: Kit) -> None:
        """Convert and quantise."""

    def load(self, contestant: Contestant, kit: Kit, threads: int) -> Call:
        """Return the call to measure."""


def peer_names() -> list[str]:
    """The names of all peers, ours first."""
    names = {module.name for module in pkgutil.iter_modules([str(PEERS)])}
    return ["ours", *sorted(names - {"ours"})]


def peer_of(name: str) -> Peer:
    """Import the file of a peer.

    Raises:
        ValueError: there is none.
    """
    if name not in peer_names():
        raise ValueError(f"no peer {name}; there are {', '.join(peer_names())}")
    return cast(Peer, importlib.import_module(f"benchmarks.peers.{name}"))


def relative_error(result: Array, wanted: Array) -> float:
    """Root of the mean square of the difference, over that of what is wanted."""
    wanted = wanted.astype(np.float64)
    difference = result.astype(np.float64).reshape(wanted.shape) - wanted
    return float(np.sqrt(np.mean(difference**2) / np.mean(wanted**2)))
