"""Bind the dynamic extents of a model: one static copy per token bucket, weights shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from edgemoe import graph_facts, shapes
from edgemoe.errors import ModelError


def bind_shapes(
    model: ir.Model, extents: Mapping[str, int] | Mapping[str, Sequence[int]]
) -> ir.Model:
    """Return a copy of `model` with static shapes; the weights are the same objects.

    Args:
        model: the imported model, left as it is.
        extents: `{dimension name: extent}` or `{input name: shape}`.

    Raises:
        ModelError: a name is neither a dimension nor an input, a shape does not fit, or an extent
            stays unknown.
    """
    copy = model.clone()
    inputs = {
        str(value.name): value
        for value in copy.graph.inputs
        if value.name not in copy.graph.initializers
    }
    symbols = {
        d.value
        for value in inputs.values()
        for d in value.shape or ()
        if isinstance(d, ir.SymbolicDim) and d.value is not None
    }
    bound: dict[str, int] = {}
    for name, extent in extents.items():
        if isinstance(extent, int):
            if name not in symbols:
                known = ", ".join(sorted(str(s) for s in symbols)) or "none"
                raise ModelError(
                    f"no input has a dimension {name!r}; the dynamic ones are: {known}"
                )
            bound[name] = extent
        elif name not in inputs:
            raise ModelError(f"no input is named {name!r}; the inputs are: {', '.join(inputs)}")
        else:
            _match(inputs[name], tuple(extent), bound)
    for name, value in inputs.items():
        value.shape = _substitute(value, bound)
        if graph_facts.shape_of(value) is None:
            raise ModelError(
                f"input {name!r} has shape {value.shape}: say how large each dimension is"
            )
    if symbols:
        for graph in graph_facts.graphs_of(copy):
            for node in graph:
                for output in node.outputs:
                    output.shape = None if output.shape is None else _substitute(output, bound)
        shapes.infer(copy, fresh=True)
    else:
        shapes.infer(copy)
    return copy


def _symbolic(extent: object) -> bool:
    return isinstance(extent, ir.SymbolicDim) and extent.value is not None


def _match(value: ir.Value, shape: tuple[int, ...], bound: dict[str, int]) -> None:
    if value.shape is None:
        value.shape = ir.Shape(shape)
        return
    if len(value.shape) != len(shape):
        raise ModelError(f"input {value.name!r} has rank {len(value.shape)}, not {len(shape)}")
    for axis, (old, new) in enumerate(zip(value.shape, shape, strict=True)):
        if isinstance(old, int):
            if old != new:
                raise ModelError(f"input {value.name!r} has {old} at axis {axis}, not {new}")
        elif old.value is not None and bound.setdefault(old.value, new) != new:
            raise ModelError(f"dimension {old.value!r} cannot be both {bound[old.value]} and {new}")
    value.shape = ir.Shape(
        [new if not _symbolic(old) else old for old, new in zip(value.shape, shape, strict=True)]
    )


def _substitute(value: ir.Value, bound: Mapping[str, int]) -> ir.Shape:
    return ir.Shape([_extent(extent, bound) for extent in value.shape or ()])


def _extent(extent: int | ir.SymbolicDim, bound: Mapping[str, int]) -> int | str | None:
    """Evaluate a dimension like T or 2*T + 1; what cannot be evaluated keeps its name."""
    if isinstance(extent, int):
        return extent
    if extent.value is None or extent.value in bound:
        return bound.get(extent.value or "", extent.value)
    try:
        found = extent.evaluate(dict(bound))
    except Exception:  # no formula, or one with operators that onnx_ir does not know
        return extent.value
    return found if isinstance(found, int) else extent.value
