"""Say in one message why torch could not export a module, where, and what to do."""

from __future__ import annotations

import inspect
import linecache
import re
import traceback
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgemoe.errors import EdgemoeError, ExportError
from edgemoe.export_tokens import specialised

_DATA = (
    "GuardOnDataDependent", "Could not guard on data-dependent",
    "Could not extract specialized integer", "data-dependent expression", "data-dependent output",
    "Dynamic control flow is not supported",
)  # fmt: skip
_SPECIALISED = (
    "inferred a static shape", "specialized", "Constraints violated", "ConstraintViolation",
    "marked as dynamic",
)  # fmt: skip
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
_UNKNOWN_TYPE = re.compile(r"Found <class '([^']+)'> in output, which is not a known type")
_NO_FUNCTION = re.compile(r"No (?:ONNX|decompositions|operator).*? found for <?([\w:.]+)", re.S)
_NO_REAL_FORM = re.compile(r"([\w.]+) of complex numbers has no real form")
_OPERATOR = re.compile(r"\b(aten|prims|transformers|torchvision|edgemoe)[.:]+([a-z_]\w*(?:\.\w+)?)")
_HOW = (
    "  next: use an implementation without control flow that depends on data (for transformers: "
    'model.set_experts_implementation("batched_mm")), or describe the layer by expert products:\n'
    "    from edgemoe.capture import combine, expert_linear, register_adapter, rows_of\n"
    '    register_adapter("{name}", forward)  # forward(self, ...) calls expert_linear(x, ids, w)'
)


def fails_with_data(error: BaseException) -> bool:
    """Tell whether torch met control flow or a shape that depends on the data."""
    return any(mark in text_of(error) for mark in _DATA)


def explain_failure(
    module: nn.Module,
    error: BaseException,
    call: tuple[tuple[Any, ...], dict[str, Any]] | None = None,
    *,
    tokens_chosen: bool = False,
) -> EdgemoeError:
    """Turn what torch raised into an error that names the thing, the place and the next step.

    Args:
        module: what was exported.
        error: what torch raised.
        call: arguments of the module, to trace it again and find an operator in it.
        tokens_chosen: the dynamic shapes were chosen by `edgemoe.export_tokens`.
    """
    if isinstance(error, EdgemoeError):
        return error
    text = text_of(error)
    path, owner, line = _place(module, _frames(error))
    where = f"\n  at {path}" if path else ""
    where += f" ({line})" if line else ""
    if fails_with_data(error):
        name = type(owner).__name__
        return ExportError(
            f"{name} depends on its data in a way that cannot be exported: {_reason(text, _DATA)}"
            f"{where}\n{_HOW.format(name=name)}"
        )
    if any(mark in text for mark in _SPECIALISED):
        return specialised(_reason(text, _SPECIALISED), chosen=tokens_chosen)
    if "No ONNX function found" in text or "DispatchError" in text or "No decompositions" in text:
        operator = _operator(text)
        where = where or _place_of(operator, module, call, "complex" in text)
        advice = "rewrite it with real numbers" if "complex" in text else "rewrite it with others"
        complex_input = " with complex numbers" if "complex" in text else ""
        return ExportError(
            f"operator {operator}{complex_input} has no ONNX form{where}\n"
            f"  next: {advice}, or compile an .onnx exported with your own translation"
        )
    complex_only = _NO_REAL_FORM.search(text)
    if complex_only is not None:
        return ExportError(
            f"operator {complex_only.group(1)} with complex numbers has no ONNX form{where}\n"
            "  next: rewrite it with real numbers, or compile an .onnx exported with your own "
            "translation"
        )
    unknown = _UNKNOWN_TYPE.search(text)
    if unknown is not None:
        kind = unknown.group(1).rpartition(".")[2]
        return ExportError(
            f"{type(module).__name__} returns a {kind}; an exported module returns tensors\n"
            "  next: wrap it in a module that returns tensors; for a cache of transformers, give "
            "examples as {'input_ids': ..., 'use_cache': False}"
        )
    return ExportError(
        f"{type(module).__name__} cannot be exported: {type(root_of(error)).__name__}: "
        f"{first_line(root_of(error))}{where}\n"
        "  next: check that torch.onnx.export(module, example_inputs, dynamo=True) works"
    )


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return found


def root_of(error: BaseException) -> BaseException:
    """Return the exception that the others were raised from."""
    return _chain(error)[-1]


def text_of(error: BaseException) -> str:
    """Return the messages of an exception and of its causes, innermost first."""
    parts = [f"{type(e).__name__}: {e}" for e in _chain(error)]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(reversed(parts)))


def first_line(error: BaseException) -> str:
    """Return the first line of a message that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def _reason(text: str, marks: tuple[str, ...]) -> str:
    """Return the first line that holds one of the marks, without markup."""
    lines = [line.strip(" *-") for line in text.splitlines()]
    found = [line for mark in marks for line in lines if mark in line]
    plain = [line for line in found if not line.startswith(("class", "File"))]
    reason = (plain or found or [lines[0]])[0].partition(" (unhinted")[0]
    return reason[:300].rstrip(".")


def _operator(text: str) -> str:
    match = _NO_FUNCTION.search(text) or None
    if match is not None and "aten" in match.group(1):
        return match.group(1).strip(".")
    general = _OPERATOR.search(text)
    return f"{general.group(1)}.{general.group(2)}" if general else "(unknown)"


def _frames(error: BaseException) -> list[tuple[str, int]]:
    """Return file and line of the model's own source, outermost first.

    They come from the message of the failing operator where it has them, else from the traceback
    of the trace through the module.
    """
    for one in reversed(_chain(error)):
        named = [(f, int(n)) for f, n, _ in _FRAME.findall(str(one)) if _is_model_source(f)]
        if named:
            return named
        raised = traceback.extract_tb(one.__traceback__)
        seen = [(f.filename, f.lineno or 0) for f in raised if _is_model_source(f.filename)]
        if seen:
            return seen
    return []


def _place(module: nn.Module, frames: list[tuple[str, int]]) -> tuple[str, nn.Module, str]:
    """Find the innermost frame of the model's source, and the submodule that it belongs to."""
    spans = _spans(module)
    for file, number in reversed(frames):
        for (source, first, last), (path, owner) in spans.items():
            if source == file and first <= number < last:
                return path or "the module itself", owner, f"{file}:{number}: {_code(file, number)}"
    return "", module, ""


def _place_of(
    operator: str,
    module: nn.Module,
    call: tuple[tuple[Any, ...], dict[str, Any]] | None,
    needs_complex: bool,
) -> str:
    """Trace the module again, and say which submodule uses the operator first."""
    if call is None:
        return ""
    try:
        program = torch.export.export(module, *call)
    except Exception:
        return ""
    for node in program.graph.nodes:
        if operator.partition(".default")[0] not in str(node.target):
            continue
        values = [node.meta.get("val"), *(n.meta.get("val") for n in node.all_input_nodes)]
        is_complex = any(isinstance(v, Tensor) and v.is_complex() for v in values)
        if needs_complex and not is_complex:
            continue
        stack = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
        frames = [(f, int(n)) for f, n, _ in _FRAME.findall(node.meta.get("stack_trace") or "")]
        shown = "".join(f" ({f}:{n}: {_code(f, n)})" for f, n in frames[-1:])
        path = stack[-1].removeprefix("L['self'].") if stack else ""
        return f"\n  at {path or 'the module itself'}{shown}"
    return ""


def _is_model_source(file: str) -> bool:
    parts = Path(file).parts
    inner = ("torch", "onnxscript", "onnx_ir", "functools.py", "contextlib.py")
    return (
        not any(name in parts for name in inner)
        and not file.startswith("<")
        and Path(file).parent != Path(__file__).parent
    )


def _spans(module: nn.Module) -> dict[tuple[str, int, int], tuple[str, nn.Module]]:
    found: dict[tuple[str, int, int], tuple[str, nn.Module]] = {}
    for path, child in module.named_modules():
        for base in type(child).__mro__:
            if base is nn.Module:
                break
            try:
                lines, first = inspect.getsourcelines(base)
                file = inspect.getsourcefile(base)
            except (OSError, TypeError):
                continue
            if file is not None:
                found.setdefault((file, first, first + len(lines)), (path, child))
    return found


def _code(file: str, number: int) -> str:
    return linecache.getline(file, number).strip()
