"""The front door: a model file, an exported program or a PyTorch factory becomes a `Source`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir

from edgemoe.errors import ExportError, ModelError
from edgemoe.frontend_states import find_states

if TYPE_CHECKING:
    from edgemoe.export_module import Exported


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
        model: path of a .onnx or .pt2, "package.module:factory", "path/to/file.py:factory", a
            tuple (module, example inputs), what `edgemoe.export` returned, a module whose
            `export_options` hold "example_inputs", a factory, a `torch.export.ExportedProgram`,
            an `onnx.ModelProto`, an `onnx_ir.Model`, or a `Source`.
        dynamic: token counts will be asked for: a PyTorch module without declared dynamic shapes
            is exported with a dynamic token axis.

    Raises:
        ModelError: it cannot be read.
        ExportError: a PyTorch module cannot be exported whole.
    """
    if isinstance(model, Source):
        return model
    if isinstance(model, ir.Model):
        return _foreign(model, model.graph.name or "model")
    if isinstance(model, onnx.ModelProto):
        from edgemoe.frontend_onnx import from_proto

        return _foreign(from_proto(model), model.graph.name or "model")
    if is_exported(model):
        return _source(model, model.name)
    if isinstance(model, str | Path):
        return _from_text(str(model), dynamic)
    return _from_python(model, None, dynamic)


def is_exported(model: Any) -> bool:
    """Tell whether `edgemoe.export` made this; torch is not imported to find out."""
    module = sys.modules.get("edgemoe.export_module")
    return module is not None and isinstance(model, module.Exported)


def _from_text(text: str, dynamic: bool) -> Source:
    path = Path(text)
    if path.suffix == ".pt2":
        _need_torch(text)
        from edgemoe.export_program import open_program

        return _source(open_program(path), path.stem)
    if ":" in text and not path.exists() and path.suffix != ".onnx":
        from edgemoe.frontend_factory import call_factory

        _need_torch(text)
        made, name = call_factory(text)
        if not _is_model(made):
            raise ModelError(
                f"the factory {text} returned {_described(made)}; it must return a tuple "
                "(module, example_inputs)"
            )
        return _from_python(made, name, dynamic)
    if path.suffix in (".pt", ".pth", ".bin", ".safetensors", ".ckpt"):
        raise ModelError(
            f"{path} holds weights without the computation\n  next: write a factory that returns "
            "(module, example_inputs), and give package.module:factory"
        )
    from edgemoe.frontend_onnx import open_onnx

    return _foreign(open_onnx(path), path.stem)


def _from_python(model: Any, name: str | None, dynamic: bool) -> Source:
    """Export a module with its examples, or what stands for it."""
    if isinstance(model, Source | ir.Model | onnx.ModelProto):
        return load_model(model)
    _need_torch("a PyTorch model")
    import torch

    if isinstance(model, torch.export.ExportedProgram):
        from edgemoe.export_program import export_program

        return _source(export_program(model), name or "model")
    if isinstance(model, torch.onnx.ONNXProgram):
        return _foreign(model.model, name or "model")
    if isinstance(model, torch.nn.Module):
        options = getattr(model, "export_options", None) or {}
        if "example_inputs" not in options:
            raise ModelError(
                f"{type(model).__name__} came without example inputs\n  next: give the tuple "
                "(module, example_inputs), or set module.export_options['example_inputs']"
            )
        model = (model, options["example_inputs"])
    elif not isinstance(model, tuple) and callable(model):
        return _from_python(_called(model), name or getattr(model, "__name__", None), dynamic)
    if not _is_model(model):
        raise ModelError(
            f"{_described(model)} is no model; give the path of a .onnx or .pt2, "
            "package.module:factory, or (module, example_inputs)"
        )
    from edgemoe.export_module import export_module

    module, examples = model
    exported = export_module(module, examples, dynamic=dynamic)
    return _source(exported, name or type(module).__name__.lower())


def _called(factory: Any) -> Any:
    try:
        made = factory()
    except Exception as error:
        raise ExportError(
            f"the factory {getattr(factory, '__name__', factory)} raised "
            f"{type(error).__name__}: {error}"
        ) from error
    if not _is_model(made):
        raise ModelError(f"the factory returned {_described(made)}, not (module, example_inputs)")
    return made


def _is_model(made: Any) -> bool:
    torch: Any = sys.modules["torch"]
    kinds = (torch.nn.Module, torch.export.ExportedProgram, torch.onnx.ONNXProgram, ir.Model,
             onnx.ModelProto, Source)  # fmt: skip
    if isinstance(made, tuple):
        return len(made) == 2 and isinstance(made[0], torch.nn.Module)
    return isinstance(made, kinds)


def _described(made: Any) -> str:
    if isinstance(made, tuple):
        return f"a tuple of ({', '.join(type(part).__name__ for part in made)})"
    return "None" if made is None else f"a {type(made).__name__}"


def _need_torch(what: str) -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"{what} needs PyTorch, which is not installed\n  next: pip install edgemoe[torch]"
        ) from error


def _source(exported: Exported, name: str) -> Source:
    source = Source(
        exported.model, name, exported.states, exported.vocabulary, exported.examples,
        exported.notes,
    )  # fmt: skip
    if not source.states:
        source.states, notes = find_states(source.model)
        source.notes += notes
    return source


def _foreign(model: ir.Model, name: str) -> Source:
    states, notes = find_states(model)
    return Source(model, name, states, notes=notes)
