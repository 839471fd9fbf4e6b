"""`plan.json` of a hybrid artifact: steps of the GPU, steps of the CPU, and what crosses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from edgemoe.runtime.errors import ArtifactError
from edgemoe.runtime.gpu_program import Buffer, Program, buffer_of, program_of
from edgemoe.runtime.hybrid_host import HostCall
from edgemoe.runtime.manifest import inside


@dataclass(frozen=True)
class Part:
    """Consecutive steps of one kind; `first` and `last` (excluded) number the plan's steps."""

    kind: Literal["cpu", "gpu", "upload", "download"]
    first: int
    last: int
    gpu_first: int = 0  # number of the first step among those of the GPU
    calls: tuple[HostCall, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()  # of transfers: from buffer, to buffer


@dataclass(frozen=True)
class HybridVariant:
    """The parts of one variant in their order, and the buffers of the CPU by number."""

    parts: tuple[Part, ...]
    buffers: Mapping[int, Buffer]


@dataclass(frozen=True)
class HybridProgram:
    """`gpu` is what a GPU session runs: the GPU's steps alone, over all buffers."""

    gpu: Program
    variants: tuple[HybridVariant, ...]
    host_weights: int
    host_arena: int


def read_hybrid(folder: Path, language: str) -> HybridProgram:
    """Read plan and kernels; raises ArtifactError where they are not those of a hybrid."""
    try:
        data = json.loads(inside(folder, "plan.json").read_text("utf-8"))
        on_gpu = {k["name"] for k in data["kernels"] if k["threads"]}
        symbols = data["facts"]["host_symbols"]
        variants = tuple(_variant(v, on_gpu, symbols) for v in data["variants"])
        reduced = {
            **data,
            "kernels": [k for k in data["kernels"] if k["name"] in on_gpu],
            "variants": [
                {**v, "steps": [s for s in v["steps"] if s["kernel"] in on_gpu]}
                for v in data["variants"]
            ],
        }
        return HybridProgram(
            program_of(reduced, folder, language), variants,
            int(data["facts"]["host_weights_bytes"]),
            max(int(v["host_bytes"]) for v in data["variants"]),
        )  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ArtifactError(
            f"the plan of {folder} cannot be read ({type(error).__name__}: {error}); copy the "
            "artifact again or compile the model again"
        ) from error


def _variant(
    data: Mapping[str, Any], on_gpu: set[str], symbols: Mapping[str, str]
) -> HybridVariant:
    buffers = {
        number: buffer_of(b)
        for number, b in enumerate(data["buffers"])
        if str(b["where"]).startswith("host")
    }
    parts: list[Part] = []
    seen = 0
    for number, step in enumerate(data["steps"]):
        kernel = step["kernel"]
        kind: Any = "gpu" if kernel in on_gpu else kernel if kernel in ("upload", "download") else (
            "cpu"
        )  # fmt: skip
        if not parts or parts[-1].kind != kind:
            parts.append(Part(kind, number, number, seen))
        part = replace(parts[-1], last=number + 1)
        if kind == "gpu":
            seen += 1
        elif kind == "cpu":
            part = replace(part, calls=(*part.calls, _call(step, symbols[kernel])))
        else:
            source, target = (int(a["buffer"]) for a in step["arguments"])
            part = replace(part, pairs=(*part.pairs, (source, target)))
        parts[-1] = part
    return HybridVariant(tuple(parts), buffers)


def _call(step: Mapping[str, Any], symbol: str) -> HostCall:
    arguments = tuple(
        a if isinstance(a, int) else (int(a["buffer"]), int(a["offset"])) for a in step["arguments"]
    )
    follows = step["tasks_from"]
    return HostCall(
        symbol, arguments, int(step["tasks"]), None if follows is None else int(follows),
        int(step["macs"]) + int(step["nbytes"]),
    )  # fmt: skip
