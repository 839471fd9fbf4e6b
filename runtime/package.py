"""Unpacks a zipped artifact into the user's cache folder, where its library can be loaded."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from edgemoe.runtime.errors import ArtifactError
from edgemoe.runtime.manifest import MANIFEST, file_hash, inside

_MOST_BYTES = 1 << 40  # of one file, as the archive declares it


def cache_folder() -> Path:
    """Return the folder for things that can be made again (EDGEMOE_CACHE, XDG_CACHE_HOME)."""
    own = os.environ.get("EDGEMOE_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edgemoe"


def unpack(path: Path) -> Path:
    """Extract a zipped artifact once per content and return its folder.

    Raises:
        ArtifactError: not a zip file, damaged, or with paths that lead out of it.
    """
    artifacts = cache_folder() / "artifacts"
    folder = artifacts / file_hash(path)[:32]
    if (folder / MANIFEST).is_file():
        return folder
    try:
        artifacts.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix="partial-", dir=artifacts))
    except OSError as error:
        raise ArtifactError(
            f"cannot unpack {path} to {artifacts}: {error.strerror}; set EDGEMOE_CACHE to a folder "
            "that can be written"
        ) from error
    try:
        _extract(path, staging)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            staging.rename(folder)
        except OSError:
            if not (folder / MANIFEST).is_file():  # unless another process was first
                raise
    except (OSError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{path} cannot be unpacked ({error}); copy it again, or set EDGEMOE_CACHE to a "
            "folder with more room"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def _extract(path: Path, folder: Path) -> None:
    """Write regular files only, each inside of `folder`."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            target = inside(folder, entry.filename)
            if entry.file_size > _MOST_BYTES:
                raise ArtifactError(f"{path} declares '{entry.filename}' as too large to be true")
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
