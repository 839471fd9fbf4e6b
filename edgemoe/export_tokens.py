"""Choose the token axis of a module that declares no dynamic shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import onnx_ir as ir
from torch import Tensor

from edgemoe.errors import ExportError

TOKENS = "T"

_NEXT = (
    "  next: declare the axis with module.export_options = {'dynamic_shapes': ({0: 'T'},)}, give "
    "examples with other sizes, or compile for one size without --tokens"
)


def token_shapes(examples: Mapping[str, Any]) -> dict[str, Any]:
    """Map argument names to {axis: "T"}, or to None where an argument has no token axis.

    Integers [T] and [B, T], floats [T, H] and [B, T, H]. All share one name, so an input whose
    axis has another extent than the others is left as it is.

    Raises:
        ExportError: no argument has such an axis, or its extent in the examples is 1.
    """
    axes = {name: _token_axis(value) for name, value in examples.items()}
    found = {n: a for n, a in axes.items() if a is not None}
    if not found:
        shapes = {n: list(v.shape) for n, v in examples.items() if isinstance(v, Tensor)}
        raise ExportError(
            f"no example input has a token axis: {shapes}; integers [T] and [B, T] and floats "
            f"[T, H] and [B, T, H] have one\n{_NEXT}"
        )
    first = next(iter(found))
    extent = int(examples[first].shape[found[first]])
    if extent == 1:
        raise ExportError(
            f"example input {first!r} has 1 token (shape {list(examples[first].shape)}): torch "
            "cannot tell a token axis of extent 1 from one that is always 1\n"
            "  next: give examples with two or more tokens"
        )
    return {
        name: {axis: TOKENS} if axis is not None and value.shape[axis] == extent else None
        for (name, value), axis in zip(examples.items(), axes.values(), strict=True)
    }


def _token_axis(value: Any) -> int | None:
    if not isinstance(value, Tensor):
        return None
    integers = not value.dtype.is_floating_point and not value.dtype.is_complex
    return {(True, 1): 0, (True, 2): 1, (False, 2): 0, (False, 3): 1}.get((integers, value.dim()))


def name_tokens(model: ir.Model) -> None:
    """Call the free extent of the inputs T where the exporter gave it a name of its own.

    It does so for modules with keywords that are no tensors.
    """
    names = {d.value for v in model.graph.inputs for d in v.shape or ()
             if isinstance(d, ir.SymbolicDim) and d.value is not None}  # fmt: skip
    if len(names) != 1 or TOKENS in names:
        return
    old = re.compile(rf"\b{re.escape(names.pop())}\b")
    graphs = [model.graph, *model.graph.subgraphs()]
    values = [v for graph in graphs for v in graph.inputs]
    values += [v for graph in graphs for node in graph for v in node.outputs]
    for value in values:
        if value.shape is not None:
            value.shape = ir.Shape([
                old.sub(TOKENS, d.value) if isinstance(d, ir.SymbolicDim) and d.value else d
                for d in value.shape
            ])  # fmt: skip


def check_tokens(model: ir.Model) -> None:
    """Refuse a graph in which the chosen axis became a constant.

    Raises:
        ExportError: no input has the token axis any more.
    """
    for value in model.graph.inputs:
        for extent in value.shape or ():
            if isinstance(extent, ir.SymbolicDim) and extent.value == TOKENS:
                return
    shapes = ", ".join(f"{value.name} {value.shape}" for value in model.graph.inputs)
    raise ExportError(f"the token axis became a constant in the export: {shapes}\n{_NEXT}")


def specialised(reason: str, *, chosen: bool) -> ExportError:
    """Return the error for torch's own refusal to keep an axis free."""
    if chosen:
        return ExportError(f"the chosen token axis cannot stay free: {reason}\n{_NEXT}")
    return ExportError(
        f"an axis of dynamic_shapes cannot stay free: {reason}\n"
        "  next: remove sizes that the module takes for constant, or the axis from dynamic_shapes"
    )
