"""Reading and writing the shipped weights and the measured figures that stand next to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn

CHECKPOINTS = Path(__file__).parent / "checkpoints"
DATA = Path(__file__).parent / "data"
M = TypeVar("M", bound=nn.Module)


def load(module: M, name: str) -> M:
    """Return `module` in eval mode with the shipped weights of `name`, as float32.

    Raises FileNotFoundError, naming the training command, if there is no such checkpoint.
    """
    path = CHECKPOINTS / f"{name}.safetensors"
    if not path.exists():
        raise FileNotFoundError(
            f"no checkpoint {path.name} in {path.parent}; train it first, see models/README.md"
        )
    weights = {key: value.to(torch.float32) for key, value in load_file(path).items()}
    module.load_state_dict(weights)
    return module.eval().requires_grad_(False)


def save(module: nn.Module, name: str, dtype: torch.dtype = torch.float32) -> int:
    """Write the weights of `module` as `dtype`; return the size of the file in bytes."""
    path = CHECKPOINTS / f"{name}.safetensors"
    weights = {key: value.to(dtype).contiguous() for key, value in module.state_dict().items()}
    save_file(weights, path)
    return path.stat().st_size


def write_record(name: str, record: dict[str, Any]) -> None:
    """Write the measured figures of `name` next to its weights and print them."""
    text = json.dumps(record, indent=2) + "\n"
    (CHECKPOINTS / f"{name}.json").write_text(text)
    print(text, end="")


def read_record(name: str) -> dict[str, Any]:
    """Return the measured figures of `name`."""
    record: dict[str, Any] = json.loads((CHECKPOINTS / f"{name}.json").read_text())
    return record


def parameters(module: nn.Module) -> int:
    """Return how many numbers the parameters of `module` hold."""
    return sum(parameter.numel() for parameter in module.parameters())
