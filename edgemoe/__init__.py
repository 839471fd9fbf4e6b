"""edgemoe: an ahead-of-time compiler for mixture-of-experts and mixer models on edge devices.

`edgemoe.export` makes a graph of a PyTorch module, `edgemoe.compile` an artifact of a graph,
`edgemoe.load` runs an artifact. Importing this package loads neither
torch nor TVM nor onnxruntime; each is imported where it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgemoe.artifact import Artifact
    from edgemoe.compiler import compile, explain
    from edgemoe.errors import EdgemoeError
    from edgemoe.exporting import export
    from edgemoe.runtime.session import Session, load

__version__ = "0.1.0"

__all__ = ["Artifact", "EdgemoeError", "Session", "compile", "explain", "export", "load"]

_HOME = {
    "Artifact": "edgemoe.artifact",
    "EdgemoeError": "edgemoe.runtime.errors",
    "Session": "edgemoe.runtime.session",
    "compile": "edgemoe.compiler",
    "explain": "edgemoe.compiler",
    "export": "edgemoe.exporting",
    "load": "edgemoe.runtime.session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'edgemoe' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
