"""Convert a saved torch.export program (.pt2) to a graph."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from edgemoe.capture_op import translations
from edgemoe.errors import EdgemoeError, ExportError, ModelError
from edgemoe.export_check import Run, check_values, to_numpy
from edgemoe.export_failure import explain_failure
from edgemoe.export_module import OPSET, Exported, tidy_model
from edgemoe.export_ops import operator_translations
from edgemoe.export_quiet import quiet


def open_program(path: Path) -> Exported:
    """Read a file that torch.export.save wrote, and convert it.

    Raises:
        ModelError: it is no such file, or is damaged.
        ExportError: it holds what has no ONNX form.
    """
    if not path.is_file():
        raise ModelError(
            f"{path} does not exist; torch.export.save(program, path) writes such files"
        )
    if not zipfile.is_zipfile(path):
        raise ModelError(
            f"{path} is no .pt2 file, or was cut off ({path.stat().st_size:,} bytes)\n"
            "  next: write it again with torch.export.save(program, path)"
        )
    try:
        with quiet():
            program = torch.export.load(path)
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{path} cannot be loaded by torch {torch.__version__}: {lines[0]}\n"
            "  next: write it again with torch.export.save(program, path), and the same torch"
        ) from error
    return export_program(program)


def export_program(program: torch.export.ExportedProgram) -> Exported:
    """Convert an exported program, and compare both on its own example inputs.

    Raises:
        ExportError: it holds what has no ONNX form, or the graph computes something else.
    """
    module = program.module()
    model = convert(program, module)
    notes: list[str] = []
    if program.example_inputs is None:
        notes.append("the program has no example inputs: the conversion was not compared with it")
        return Exported(model, {}, notes=notes)
    args, kwargs = program.example_inputs
    tensors = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    names = [str(value.name) for value in model.graph.inputs]
    if len(names) != len(tensors):
        raise ExportError(
            f"the program has {len(tensors)} example tensors, its graph {len(names)} inputs"
        )
    with torch.no_grad(), quiet():
        run = Run.of(module, args, kwargs)
        check_values(module, model, names, run)
    examples = {name: to_numpy(t) for name, t in zip(names, tensors, strict=True)}
    return Exported(model, examples, notes=[*notes, *run.notes])


def convert(program: torch.export.ExportedProgram, module: Any) -> ir.Model:
    """Return the graph of a program."""
    try:
        with torch.no_grad(), quiet():
            converted = torch.onnx.export(
                program, dynamo=True, verbose=False, optimize=False, opset_version=OPSET,
                custom_translation_table={**translations(), **operator_translations()},
            )  # fmt: skip
    except EdgemoeError:
        raise
    except Exception as error:
        raise explain_failure(module, error) from error
    assert converted is not None
    tidy_model(converted.model)
    return converted.model
