"""`edgemoe.export`: a PyTorch module becomes a graph that can be compiled, in memory or as a file.

Nothing is lost on the way: layers of experts become expert products (`edgemoe.capture`), what torch
cannot export is tried again with the remedies that are known (`edgemoe.export_remedies`), and the
result is compared with the module on two inputs, and searched for every expert weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgemoe.errors import ExportError
from edgemoe.write_onnx import write_onnx

if TYPE_CHECKING:
    from torch import nn

    from edgemoe.export_module import Exported


def export(
    module: nn.Module,
    example_inputs: Any = None,
    *,
    path: str | Path | None = None,
    dynamic: bool | Mapping[str, Any] | Sequence[Any] = False,
    capture: bool = True,
) -> Exported:
    """Export a module, and prove that the graph computes what the module computes.

    Args:
        module: left as it was. It may have a dict `export_options` with "input_names",
            "output_names", "dynamic_shapes", "states", "vocabulary" and "example_inputs".
        example_inputs: what the module is called with: a tuple, or a dict by argument name.
        path: a .onnx file to write as well; from 2 GB on the weights go beside it, into
            `NAME.onnx.data`.
        dynamic: True leaves the number of tokens free; dynamic shapes as `torch.export` takes them
            leave other axes free.
        capture: replace layers of experts by expert products; off, everything is traced.

    Returns an object that `edgemoe.compile` and `edgemoe.explain` take in place of a path. `model`
    is the graph, `notes` say what fell back, `files` what was written.

    Raises:
        ExportError: the module cannot be exported whole; says where and what to do.
        ModelError: the file cannot be written.
    """
    from edgemoe.export_module import export_module

    if example_inputs is None:
        options = getattr(module, "export_options", None) or {}
        example_inputs = options.get("example_inputs")
    if example_inputs is None:
        raise ExportError(
            f"{type(module).__name__} came without example inputs\n  next: give a tuple of them, "
            "or a dict by argument name, as the second argument"
        )
    exported = export_module(module, example_inputs, dynamic=dynamic, capture=capture)
    if path is not None:
        exported.files = write_onnx(exported.model, Path(path))
    return exported
