"""Options that cannot be used together, or not with what is there: refused before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from edgemoe.errors import OptionError
from edgemoe.kv_cache import DTYPES as CACHE_DTYPES

Array = NDArray[Any]


def refuse_unusable_cache(kind: str, max_loss: float | None, *, runs_here: bool) -> None:
    """Refuse kinds that do not exist, and a promise about a cache that nobody can measure."""
    if kind == "f32":
        return
    if kind not in CACHE_DTYPES:
        raise OptionError(f"--kv-cache {kind}: caches are stored as f32, {', '.join(CACHE_DTYPES)}")
    if max_loss is not None and not runs_here:
        raise OptionError(
            f"--kv-cache {kind} with --max-loss: what rounding of the cache loses is measured by "
            "running the artifact, which this machine cannot\n"
            "  next: leave one of the two out, or compile on the device"
        )


def refuse_unusable(
    prune: str | float, max_loss: float | None, samples: Mapping[str, Array]
) -> None:
    """Refuse what needs data where there is none."""
    if prune not in ("none", "auto") and not samples:
        raise OptionError(
            f"--prune {prune} needs data to choose experts by; give --calibration F.npz with "
            "arrays under the model's input names"
        )
    if max_loss is not None and not samples:
        raise OptionError(
            "--max-loss needs data to measure on; give --calibration F.npz with arrays under the "
            "model's input names"
        )


def refuse_without_search(controls: Mapping[str, Any] | None, save_onnx: object) -> None:
    """Refuse what only says something about the decisions of a search, where there was none."""
    wanted = (
        "give --calibration F.npz, and --max-loss, --max-bytes, --prune RATIO or a --precision of "
        "integers"
    )
    if controls:
        raise OptionError(
            f"--control {next(iter(controls))}: a control stands beside what a search decided; "
            f"{wanted}"
        )
    if save_onnx is not None:
        raise OptionError(f"--save-onnx writes what a search decided; {wanted}")
