"""`manifest.json`: what an artifact is, what it needs, and the hash of every file in it."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgemoe.runtime.errors import ArtifactError, DeviceError

FORMAT = 1
MANIFEST = "manifest.json"
GPU_FAMILIES = ("opencl", "webgpu")
SELF_HASH = "manifest_sha256"  # of the manifest without this entry

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output; `shape` holds -1 on the token axis.

    An integer tensor with a `scale` stands for scale * (integer - zero_point).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    token_axis: int | None = None
    state_output: str | None = None
    scale: float | None = None
    zero_point: int = 0

    def __str__(self) -> str:
        """Text such as `x: float32 [1, n, 7]`."""
        extents = ", ".join("n" if extent < 0 else str(extent) for extent in self.shape)
        return f"{self.name}: {self.dtype} [{extents}]"


@dataclass(frozen=True)
class FileRecord:
    """Size and SHA-256 of one file of the artifact."""

    nbytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The entries that loading needs; `data` is the whole of `manifest.json`."""

    name: str
    target: str
    machine: str
    isas: tuple[str, ...]
    library: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    dispatch: str
    buckets: tuple[int, ...]
    files: dict[str, FileRecord]
    data: dict[str, Any]

    @property
    def family(self) -> str:
        """Family of the target: "cpu", "mcu", "opencl" or "webgpu"."""
        return str(self.data.get("family", "cpu"))

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the inputs that the model keeps between calls."""
        return tuple(spec.name for spec in self.inputs if spec.state_output is not None)


def self_hash(data: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest without the entry that holds it."""
    rest = {key: value for key, value in data.items() if key != SELF_HASH}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Read `manifest.json` of an artifact.

    Raises:
        ArtifactError: it is missing, damaged or of a newer format.
    """
    path = folder / MANIFEST
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{folder} is no edgemoe artifact: it has no {MANIFEST}; give the folder or .zip that "
            "`edgemoe compile -o` wrote"
        ) from error
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}); copy the artifact again or compile the model again"
        ) from error
    version = data.get("format") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise ArtifactError(f"{path} is damaged: it has no format version; copy the artifact again")
    if version > FORMAT:
        raise ArtifactError(
            f"{path} has format {version}, this edgemoe reads up to format {FORMAT}; update "
            "edgemoe, or compile the model with this version"
        )
    if data.get(SELF_HASH) != self_hash(data):
        raise ArtifactError(
            f"{path} was edited or damaged: its content does not fit its {SELF_HASH}; copy the "
            "artifact again or compile the model again"
        )
    try:
        return _parse(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is damaged: {type(error).__name__} {error}; compile the model again"
        ) from error


def _parse(data: dict[str, Any]) -> Manifest:
    return Manifest(
        name=str(data["name"]),
        target=str(data["target"]),
        machine=str(data["machine"]),
        isas=tuple(str(isa) for isa in data["isas"]),
        library=str(data["library"]),
        inputs=tuple(_tensor(item) for item in data["inputs"]),
        outputs=tuple(_tensor(item) for item in data["outputs"]),
        dispatch=str(data["dispatch"]),
        buckets=tuple(int(tokens) for tokens in data["buckets"]),
        files={
            str(name): FileRecord(int(item["bytes"]), str(item["sha256"]))
            for name, item in data["files"].items()
        },
        data=data,
    )


def _tensor(item: dict[str, Any]) -> TensorSpec:
    axis, state = item.get("token_axis"), item.get("state_output")
    return TensorSpec(
        name=str(item["name"]),
        dtype=str(item["dtype"]),
        shape=tuple(int(extent) for extent in item["shape"]),
        token_axis=None if axis is None else int(axis),
        state_output=None if state is None else str(state),
        scale=None if item.get("scale") is None else float(item["scale"]),
        zero_point=int(item.get("zero_point", 0)),
    )


def inside(folder: Path, name: str) -> Path:
    """Return the path of `name` in the artifact; raises ArtifactError when it leads out of it."""
    pure = PurePosixPath(name)
    parts = pure.parts
    safe = bool(parts) and not pure.is_absolute() and ".." not in parts and "\\" not in name
    path = folder / name
    if not safe or not path.resolve().is_relative_to(folder.resolve()):
        raise ArtifactError(
            f"the manifest of {folder} names the file '{name}' outside of the artifact; do not use "
            "this artifact, compile the model again"
        )
    return path


def check_files(folder: Path, manifest: Manifest, *, hashes: bool = True) -> None:
    """Check that every file is there with its size and (when `hashes`) its SHA-256.

    Raises:
        ArtifactError: a file is missing, cut off, edited, or outside of the folder.
    """
    if manifest.library not in manifest.files:
        raise ArtifactError(f"the manifest of {folder} does not list its library; compile again")
    for name, record in manifest.files.items():
        path = inside(folder, name)
        try:
            nbytes = path.stat().st_size
        except OSError as error:
            raise ArtifactError(
                f"{folder} lacks its file '{name}'; copy the artifact again"
            ) from error
        if nbytes != record.nbytes:
            raise ArtifactError(
                f"file '{name}' of {folder} has {nbytes:,} bytes, the manifest says "
                f"{record.nbytes:,} (cut off or edited); copy the artifact again"
            )
        if hashes and file_hash(path) != record.sha256:
            raise ArtifactError(
                f"file '{name}' of {folder} was edited or damaged: its SHA-256 differs from the "
                "manifest; copy the artifact again"
            )


def this_machine() -> str:
    """Return the processor family of this machine, in the manifest's words."""
    name = platform.machine().lower()
    return _MACHINES.get(name, name)


def check_machine(manifest: Manifest) -> None:
    """Raise DeviceError when the library was built for another processor family."""
    here = this_machine()
    if manifest.machine != here:
        raise DeviceError(
            f"artifact '{manifest.name}' was compiled for {manifest.machine} ({manifest.target}), "
            f"this machine is {here}; run it on such a machine, or compile the model for a "
            "target of this one (edgemoe targets)"
        )
