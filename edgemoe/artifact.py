"""Writes artifacts: staging folder, manifest, self-test, packing.

`artifact_writer.py` puts them together.
"""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe import __version__
from edgemoe.errors import ArtifactError
from edgemoe.plan import Plan
from edgemoe.runtime.manifest import (
    FORMAT,
    MANIFEST,
    SELF_HASH,
    file_hash,
    inside,
    read_manifest,
    self_hash,
)
from edgemoe.runtime.package import unpack
from edgemoe.runtime.selftest import Statistic
from edgemoe.runtime.session import Session, load
from edgemoe.weight_writer import WeightWriter, write_weights

__all__ = [
    "Artifact",
    "ManifestExtras",
    "SelfTest",
    "WeightWriter",
    "refuse_strangers",
    "staging",
    "write_manifest",
    "write_plan",
    "write_selftests",
    "write_weights",
]

Array = NDArray[Any]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MACHINES = {"x86-64": "x86_64", "aarch64": "aarch64"}


@dataclass(frozen=True)
class Artifact:
    """A compiled model on disk: a folder, or a `.zip` of one."""

    path: Path
    manifest: dict[str, Any]
    plan: Plan

    @property
    def folder(self) -> Path:
        """The folder with the files; for a `.zip`, in the user's cache."""
        return unpack(self.path) if self.path.is_file() else self.path

    @staticmethod
    def open(path: str | Path) -> Artifact:
        """Read manifest and plan of an artifact; raises ArtifactError when it is damaged."""
        path = Path(path)
        folder = unpack(path) if path.is_file() else path
        manifest = read_manifest(folder)
        try:
            plan = Plan.from_json(inside(folder, "plan.json").read_text("utf-8"))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"plan.json of {path} cannot be read ({error}); compile the model again"
            ) from error
        return Artifact(path, manifest.data, plan)

    def read_report(self) -> dict[str, Any]:
        """Return `report.json`; empty when the artifact has none."""
        path = inside(self.folder, "report.json")
        try:
            data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"report.json of {self.path} cannot be read ({error}); compile the model again"
            ) from error
        return data

    def report(self) -> dict[str, Any]:
        """What the compiler noted: matches and misses, changes and seconds of every pass."""
        from edgemoe.runtime.manifest import inside
        from edgemoe.runtime.package import unpack

        folder = unpack(self.path) if self.path.suffix == ".zip" else self.path
        report: dict[str, Any] = json.loads(inside(folder, "report.json").read_text("utf-8"))
        return report

    def load(self, **options: Any) -> Session:
        """Open the artifact to run it; the options are those of `edgemoe.load`."""
        return load(self.path, **options)


@dataclass(frozen=True)
class SelfTest:
    """Inputs with the outputs that the device must give.

    `tolerance` is the largest allowed |difference| (`statistic` "max") or root mean square of the
    differences ("rms"), relative to the RMS of the expected output; integer outputs must be equal.
    States that are left out start at zeros.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    tolerance: float = 1e-4
    statistic: Statistic = "max"


@dataclass(frozen=True)
class ManifestExtras:
    """What the manifest says beyond the plan."""

    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)  # of the tools
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    vocabulary: Mapping[str, Any] | None = None  # {"tokens": ["a", "b", ...]} by number
    quantisation: Mapping[str, Any] = field(default_factory=dict)
    entries: Mapping[str, Any] = field(default_factory=dict)  # of a family; replace the usual ones


@contextlib.contextmanager
def staging(out: Path, *, zipped: bool = False) -> Iterator[Path]:
    """Give a folder beside `out` to write to; at the end of the block it becomes `out`.

    With `zipped` it is packed into the file `out`. On an error `out` stays as it was.

    Raises:
        ArtifactError: `out` exists and is no artifact, or the disk is full or read-only.
    """
    refuse_strangers(out)
    folder = out.parent / f".{out.name}.partial-{uuid.uuid4().hex[:8]}"
    try:
        folder.mkdir(parents=True)
        yield folder
        _replace(_pack(folder) if zipped else folder, out)
    except OSError as error:
        advice = "free some space, or " if error.errno in _FULL else ""
        raise ArtifactError(
            f"artifact {out} cannot be written: {error.strerror or error} "
            f"({error.filename or folder}); nothing was changed; {advice}choose another place "
            "with -o"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _packed(folder).unlink(missing_ok=True)


def refuse_strangers(out: Path) -> None:
    """Raise ArtifactError when `out` exists and is not an artifact: it is never overwritten."""
    if not out.exists() and not out.is_symlink():
        return
    if out.is_dir() and ((out / MANIFEST).is_file() or not any(out.iterdir())):
        return
    if out.is_file() and zipfile.is_zipfile(out):
        with zipfile.ZipFile(out) as archive:
            if MANIFEST in archive.namelist():
                return
    raise ArtifactError(
        f"{out} exists and is no edgemoe artifact; it was not touched; choose another -o, or "
        "remove it"
    )


def _replace(new: Path, out: Path) -> None:
    """Move `new` to `out`; the artifact that was there comes back when that fails."""
    if not out.exists():
        new.rename(out)
        return
    old = new.with_name(new.name + "-old")
    out.rename(old)
    try:
        new.rename(out)
    except OSError:
        old.rename(out)
        raise
    if old.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink()


def _packed(folder: Path) -> Path:
    return folder.with_name(folder.name + ".zip")


def _pack(folder: Path) -> Path:
    """Zip `folder` to a file beside it; the same files give the same bytes."""
    with zipfile.ZipFile(_packed(folder), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files_of(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as file:
                shutil.copyfileobj(source, file, 1 << 20)
    return _packed(folder)


def _files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def write_plan(folder: Path, plan: Plan) -> None:
    """Write `plan.json`."""
    (folder / "plan.json").write_text(plan.to_json() + "\n", "utf-8")


def write_selftests(folder: Path, tests: Sequence[SelfTest]) -> None:
    """Write `selftest.npz`: arrays `0/input/x`, `0/output/y`, `0/tolerance`, `1/input/x`, ..."""
    arrays: dict[str, Any] = {}
    for number, test in enumerate(tests):
        arrays |= {f"{number}/input/{name}": array for name, array in test.inputs.items()}
        arrays |= {f"{number}/output/{name}": array for name, array in test.outputs.items()}
        arrays[f"{number}/tolerance"] = np.float64(test.tolerance)
        arrays[f"{number}/statistic"] = np.str_(test.statistic)
    with (folder / "selftest.npz").open("wb") as file:
        np.savez(file, **arrays)


def machine_of(isa: str) -> str:
    """Return the processor family of an instruction set, in the words of `platform.machine()`."""
    for prefix, machine in _MACHINES.items():
        if isa.startswith(prefix):
            return machine
    return isa.split("+")[0]


def write_manifest(folder: Path, plan: Plan, build_id: bytes, extras: ManifestExtras) -> None:
    """Write `manifest.json`, last: it holds the size and hash of every other file."""
    in_place = plan.facts.get("in_place_states", ())
    states = [
        {"input": x.name, "output": x.state_output, "in_place": x.name in in_place}
        for x in plan.inputs
        if x.state_output is not None
    ]
    data: dict[str, Any] = {
        "format": FORMAT,
        "name": plan.name,
        "target": plan.target,
        "machine": machine_of(plan.isas[0]),
        "isas": list(plan.isas),
        "library": "model.so",
        "inputs": [vars(info) for info in plan.inputs],
        "outputs": [vars(info) for info in plan.outputs],
        "states": states,
        "dispatch": plan.dispatch,
        "dispatch_reason": plan.dispatch_reason,
        "buckets": [v.tokens for v in plan.variants if v.tokens is not None],
        "build_id": build_id.hex(),
        "memory": {
            "arena_bytes": max(v.arena_bytes for v in plan.variants),
            "lower_bound_bytes": max(v.lower_bound_bytes for v in plan.variants),
            **(
                {"host_arena_bytes": host}
                if (host := max(v.host_bytes for v in plan.variants))
                else {}
            ),
            "weights_bytes": plan.weights_bytes,
        },
        "accuracy": dict(extras.accuracy),
        "quantisation": dict(extras.quantisation),
        "vocabulary": None if extras.vocabulary is None else dict(extras.vocabulary),
        "context_tokens": plan.facts.get("context_tokens"),
        "versions": {"edgemoe": __version__, **extras.versions},
        "command": extras.command,
        **extras.entries,
        "files": {
            path.relative_to(folder).as_posix(): {
                "bytes": path.stat().st_size,
                "sha256": file_hash(path),
            }
            for path in _files_of(folder)
            if path.name != MANIFEST
        },
    }
    data[SELF_HASH] = self_hash(json.loads(json.dumps(data)))
    (folder / MANIFEST).write_text(json.dumps(data, indent=1) + "\n", "utf-8")
