"""The front door: a model file, an exported program or a PyTorch factory becomes a `Source`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir


@dataclass
class Source:
    """A model as it came in, before anything is bound or rewritten.

    `states` pairs inputs with the outputs that become them in the next call; `examples` are
    inputs that the model is known to accept, by name.
    """

    model: ir.Model
    name: str
    states: dict[str, str] = field(default_factory=dict)
    vocabulary: list[str] | None = None
    examples: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def load_model(model: Any, *, dynamic: bool = False) -> Source:
    """Open a model.

    Args:
        model: path of a .onnx or .pt2, "package.module:factory", a torch module with examples as
            a tuple (module, example_inputs), or an `onnx_ir.Model`.
        dynamic: token counts will be asked for: a PyTorch module without declared dynamic shapes
            is exported with a dynamic token axis.

    Raises:
        ModelError: it cannot be read.
        ExportError: a PyTorch module cannot be exported whole.
    """
    del dynamic
    if isinstance(model, ir.Model):
        return Source(model, model.graph.name or "model")
    path = Path(model)
    return Source(ir.load(path), path.stem)
