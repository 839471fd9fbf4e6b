"""Export a PyTorch module to a graph, and prove that nothing was lost on the way."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgemoe.capture import Captured, captured
from edgemoe.capture_op import finish_calls, translations
from edgemoe.errors import EdgemoeError, ExportError
from edgemoe.export_bfloat16 import NOTE, cast_examples, keep_weights, without_bfloat16
from edgemoe.export_check import Run, check_experts, check_values, to_numpy
from edgemoe.export_failure import explain_failure, first_line, root_of
from edgemoe.export_ops import operator_translations
from edgemoe.export_quiet import quiet
from edgemoe.export_registry import kept_registry
from edgemoe.export_remedies import REMEDIES, Remedy
from edgemoe.export_tokens import check_tokens, name_tokens, token_shapes

OPSET = 20
FOLDED = 1024  # elements of a constant that is computed at once; never from weights
_OPTIONS = frozenset(
    ["input_names", "output_names", "dynamic_shapes", "states", "vocabulary", "example_inputs"]
)


@dataclass
class Exported:
    """A graph, and what the module says about it."""

    model: ir.Model
    examples: dict[str, np.ndarray]
    states: dict[str, str] = field(default_factory=dict)
    vocabulary: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    name: str = "model"
    files: list[Path] = field(default_factory=list)  # where it was written


@dataclass(frozen=True)
class _Request:
    """Everything that torch.onnx.export is told."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    input_names: list[str] | None
    output_names: list[str] | None
    dynamic_shapes: Any
    tokens_chosen: bool  # the dynamic shapes are ours, not declared


def export_module(
    module: nn.Module,
    example_inputs: Any,
    *,
    dynamic: bool | Mapping[str, Any] | Sequence[Any] = False,
    capture: bool = True,
) -> Exported:
    """Export `module`, which is called with `example_inputs`: a tuple, or a dict of keywords.

    Args:
        module: left as it was, in evaluation mode only for the time of the export.
        example_inputs: what it is called with.
        dynamic: True chooses a token axis and leaves it free, unless the module declares dynamic
            shapes; else dynamic shapes as torch.export takes them.
        capture: replace known expert layers by expert products; off, everything is traced.

    Raises:
        ExportError: the module cannot be exported whole; says where and what to do.
    """
    options = dict(_options(module))
    if not isinstance(dynamic, bool):
        options["dynamic_shapes"] = dynamic
    args, kwargs = _arguments(module, example_inputs)
    training = {child: child.training for child in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), quiet(), kept_registry(), without_bfloat16(module) as cast:
            if cast:
                args, kwargs = cast_examples((args, kwargs))
            request = _request(module, args, kwargs, options, bool(dynamic))
            run = Run.of(module, args, kwargs)
            if request.output_names is None and run.outputs is not None:
                taken = argument_names(module, args, kwargs).keys() & run.outputs
                request = replace(request, output_names=None if taken else run.outputs)
            exported = _export_checked(module, request, run, options, capture=capture)
            if cast:
                keep_weights(exported.model)
                exported.notes.append(NOTE)
    finally:
        for child, was in training.items():
            child.training = was
    exported.name = type(module).__name__.lower()
    return exported


def _export_checked(
    module: nn.Module, request: _Request, run: Run, options: Mapping[str, Any], *, capture: bool
) -> Exported:
    """Export with the experts captured, and plainly where that does not work."""
    notes: list[str] = []
    if capture:
        with captured(module) as log:
            if log.adapters:
                try:
                    return _finish(module, request, run, options, log)
                except EdgemoeError as error:
                    notes.append(_not_captured(log, str(error)))
                except Exception as error:  # whatever torch raises: the plain export may work
                    notes.append(_not_captured(log, str(explain_failure(module, error))))
    try:
        exported = _finish(module, request, run, options, Captured())
    except EdgemoeError:
        raise
    except Exception as error:
        call = (request.args, request.kwargs)
        failure = explain_failure(module, error, call, tokens_chosen=request.tokens_chosen)
        if notes and str(failure).splitlines()[0] not in notes[0]:
            raise ExportError(f"{failure}\n  before that, {notes[0]}") from error
        raise failure from error
    exported.notes += notes
    return exported


def _not_captured(log: Captured, reason: str) -> str:
    names = ", ".join(sorted(set(log.adapters.values())))
    return f"experts were not captured (adapter {names}): {reason.splitlines()[0]}"


def _program(module: nn.Module, request: _Request) -> tuple[ir.Model, list[str]]:
    """Export; after a failure that a remedy may cure, export again with it.

    Returns the graph, and a note for each remedy that it took.
    """
    left, notes = list(REMEDIES), list[str]()
    with contextlib.ExitStack() as applied:
        while True:
            try:
                return _exported_by_torch(module, request), notes
            except Exception as error:
                remedy = _apply_one(module, error, left, applied)
                if remedy is None:
                    raise
                notes.append(f"exported with {remedy.name}: {first_line(root_of(error))}")


def _apply_one(
    module: nn.Module,
    error: Exception,
    left: list[Remedy],
    applied: contextlib.ExitStack,
) -> Remedy | None:
    """Enter the next remedy that may help, and take it from those that are left."""
    for remedy in [remedy for remedy in left if remedy.helps(error)]:
        left.remove(remedy)
        context = remedy.apply(module)
        if context is not None:
            applied.enter_context(context)
            return remedy
    return None


def _exported_by_torch(module: nn.Module, request: _Request) -> ir.Model:
    program = torch.onnx.export(
        module, request.args, kwargs=request.kwargs, dynamo=True, verbose=False,
        optimize=False,  # its optimiser drops `+ 1e-20` and renames weights; ours does neither
        opset_version=OPSET, input_names=request.input_names, output_names=request.output_names,
        dynamic_shapes=request.dynamic_shapes,
        custom_translation_table={**translations(), **operator_translations()},
    )  # fmt: skip
    assert program is not None
    return program.model


def _finish(
    module: nn.Module, request: _Request, run: Run, options: Mapping[str, Any], log: Captured
) -> Exported:
    """Export, tidy up and check."""
    model, notes = _program(module, request)
    tidy_model(model)
    tensors = [leaf for leaf in pytree.tree_leaves((request.args, request.kwargs))
               if isinstance(leaf, Tensor)]  # fmt: skip
    names = [str(value.name) for value in model.graph.inputs]
    if len(names) != len(tensors):
        raise ExportError(
            f"{type(module).__name__} has {len(tensors)} example tensors, but its graph has "
            f"{len(names)} inputs ({', '.join(names)})\n  next: give each input once, as a tensor"
        )
    if request.tokens_chosen:
        name_tokens(model)
        check_tokens(model)
    check_experts(module, model, log, run)
    check_values(module, model, names, run)
    states = dict(options.get("states") or {})
    check_states(model, states)
    examples = {name: to_numpy(t) for name, t in zip(names, tensors, strict=True)}
    return Exported(model, examples, states, options.get("vocabulary"), [*run.notes, *notes])


def tidy_model(model: ir.Model) -> None:
    """Give captured calls their bodies, simplify, and drop weights that nobody reads.

    Of onnxscript's optimiser only the folding is used: it turns sequences of tensors into Split,
    and drops Expands that do nothing, as it knows which free extents are equal.
    """
    from onnx_ir.passes.common import RemoveUnusedNodesPass
    from onnxscript.optimizer import fold_constants

    finish_calls(model)
    weights = set(model.graph.initializers.values())
    for _ in range(2):
        fold_constants(
            model, onnx_shape_inference=True, input_size_limit=FOLDED, output_size_limit=FOLDED,
            should_fold=lambda node: False if weights.intersection(node.inputs) else None,
        )  # fmt: skip
    RemoveUnusedNodesPass()(model)
    for name, value in list(model.graph.initializers.items()):
        if not value.uses() and not value.is_graph_output() and not value.is_graph_input():
            del model.graph.initializers[name]


def _options(module: nn.Module) -> Mapping[str, Any]:
    options = getattr(module, "export_options", None) or {}
    if not isinstance(options, Mapping):
        raise ExportError(
            f"{type(module).__name__}.export_options is a {type(options).__name__}; it must be a "
            f"dict with any of {', '.join(sorted(_OPTIONS))}"
        )
    for key in options:
        if key not in _OPTIONS:
            raise ExportError(
                f"{type(module).__name__}.export_options has {key!r}; "
                f"it may have {', '.join(sorted(_OPTIONS))}"
            )
    return options


def _arguments(module: nn.Module, given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Split examples into positional and keyword ones; no tensor is there twice."""
    if isinstance(given, Tensor):
        given = (given,)
    if not isinstance(given, tuple | list | dict):
        raise ExportError(
            f"the example inputs of {type(module).__name__} are a {type(given).__name__}; "
            "give a tuple of tensors, or a dict of them by argument name"
        )
    copied = pytree.tree_map(lambda x: x.detach().clone() if isinstance(x, Tensor) else x, given)
    return ((), dict(copied)) if isinstance(copied, dict) else (tuple(copied), {})


def _request(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: Mapping[str, Any],
    dynamic: bool,
) -> _Request:
    named = argument_names(module, args, kwargs)
    wanted = list(options["input_names"]) if options.get("input_names") else None
    flat = all(isinstance(x, Tensor) for x in named.values())
    if wanted is None and flat:
        wanted = list(named)
    count = sum(isinstance(x, Tensor) for x in pytree.tree_leaves((args, kwargs)))
    if wanted is not None and len(wanted) != count:
        raise ExportError(
            f"{type(module).__name__}.export_options names {len(wanted)} inputs "
            f"({', '.join(wanted)}), the example inputs have {count} tensors"
        )
    outputs = list(options["output_names"]) if options.get("output_names") else None
    shapes, chosen = options.get("dynamic_shapes"), False
    if shapes is None and dynamic:
        shapes, chosen = token_shapes(named), True
        if kwargs == {} and shapes is not None:
            shapes = tuple(shapes.values())
    return _Request(args, kwargs, wanted, outputs, shapes, chosen)


def argument_names(
    module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Pair the examples with the names of the forward's arguments."""
    known = inspect.signature(module.forward).parameters.values()
    positional = [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = [f"input_{i}" for i in range(len(positional), len(args))]
    return dict(zip([*positional, *rest], args, strict=False)) | dict(kwargs)


def check_states(model: ir.Model, states: Mapping[str, str]) -> None:
    """Refuse a state whose input and output are not there, or do not fit each other."""
    inputs = {str(value.name): value for value in model.graph.inputs}
    outputs = {str(value.name): value for value in model.graph.outputs}
    for name, new in states.items():
        for label, key, known in (("input", name, inputs), ("output", new, outputs)):
            if key not in known:
                raise ExportError(
                    f"state {name!r} -> {new!r}: the model has no {label} {key!r}; it has "
                    f"{', '.join(known)}"
                )
        if inputs[name].dtype != outputs[new].dtype:
            raise ExportError(
                f"state {name!r} is {inputs[name].dtype}, its output {new!r} is "
                f"{outputs[new].dtype}: it cannot become the input of the next call"
            )
