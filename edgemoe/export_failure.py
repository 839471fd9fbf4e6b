"""Say in one message why torch could not export a module, where, and what to do."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from torch import nn

from edgemoe.errors import EdgemoeError, ExportError
from edgemoe.export_tokens import specialised

_DATA = (
    "GuardOnDataDependent", "Could not guard on data-dependent",
    "Could not extract specialized integer", "data-dependent expression", "data-dependent output",
    "Dynamic control flow is not supported",
)  # fmt: skip
_SPECIALISED = ("specialized", "Constraints violated", "ConstraintViolation", "marked as dynamic")
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
_NO_FUNCTION = re.compile(r"No (?:ONNX|decompositions|operator).*? found for <?([\w:.]+)", re.S)
_OPERATOR = re.compile(r"\b(aten|prims|transformers|torchvision|edgemoe)[.:]+([a-z_]\w*(?:\.\w+)?)")
_HOW = (
    "  next: use an implementation without control flow that depends on data (for transformers: "
    'model.set_experts_implementation("batched_mm")), or describe the layer by expert products:\n'
    "    from edgemoe.capture import combine, expert_linear, register_adapter, rows_of\n"
    '    register_adapter("{name}", forward)  # forward(self, ...) calls expert_linear(x, ids, w)'
)


def fails_with_data(error: BaseException) -> bool:
    """Tell whether torch met control flow or a shape that depends on the data."""
    return any(mark in _text(error) for mark in _DATA)


def explain_failure(
    module: nn.Module, error: BaseException, tokens_chosen: bool = False
) -> EdgemoeError:
    """Turn what torch raised into an error that names the thing, the place and the next step."""
    if isinstance(error, EdgemoeError):
        return error
    text = _text(error)
    path, owner, line = _place(module, text)
    where = f"\n  at {path}" if path else ""
    where += f" ({line})" if line else ""
    if fails_with_data(error):
        name = type(owner).__name__
        return ExportError(
            f"{name} depends on its data in a way that cannot be exported: {_reason(text, _DATA)}"
            f"{where}\n{_HOW.format(name=name)}"
        )
    if tokens_chosen and any(mark in text for mark in _SPECIALISED):
        return specialised(_reason(text, _SPECIALISED))
    if "No ONNX function found" in text or "DispatchError" in text or "No decompositions" in text:
        operator = _operator(text)
        advice = "rewrite it with real numbers" if "complex" in text else "rewrite it with others"
        complex_input = " with complex numbers" if "complex" in text else ""
        return ExportError(
            f"operator {operator}{complex_input} has no ONNX form{where}\n"
            f"  next: {advice}, or compile an .onnx exported with your own translation"
        )
    return ExportError(
        f"{type(module).__name__} cannot be exported: {type(_root(error)).__name__}: "
        f"{_first_line(_root(error))}{where}\n"
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


def _root(error: BaseException) -> BaseException:
    return _chain(error)[-1]


def _text(error: BaseException) -> str:
    parts = [f"{type(e).__name__}: {e}" for e in _chain(error)]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(reversed(parts)))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def _reason(text: str, marks: tuple[str, ...]) -> str:
    """Return the first line that holds one of the marks, without markup."""
    lines = [line.strip(" *-") for line in text.splitlines()]
    found = [line for line in lines if any(mark in line for mark in marks)]
    plain = [line for line in found if not line.startswith(("class", "File"))]
    return (plain or found or [lines[0]])[0][:300].rstrip(".")


def _operator(text: str) -> str:
    match = _NO_FUNCTION.search(text) or None
    if match is not None and "aten" in match.group(1):
        return match.group(1).strip(".")
    general = _OPERATOR.search(text)
    return f"{general.group(1)}.{general.group(2)}" if general else "(unknown)"


def _place(module: nn.Module, text: str) -> tuple[str, nn.Module, str]:
    """Find the innermost frame of the model's source, and the submodule that it belongs to."""
    frames = [(f, int(n)) for f, n, _ in _FRAME.findall(text) if _is_model_source(f)]
    spans = _spans(module)
    for file, number in reversed(frames):
        for (source, first, last), (path, owner) in spans.items():
            if source == file and first <= number <= last:
                return path or "the module itself", owner, f"{file}:{number}: {_code(file, number)}"
    if frames:
        file, number = frames[-1]
        return "the module itself", module, f"{file}:{number}: {_code(file, number)}"
    return "", module, ""


def _is_model_source(file: str) -> bool:
    parts = Path(file).parts
    return not any(name in parts for name in ("torch", "onnxscript", "onnx_ir")) and file[0] != "<"


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
    import linecache

    return linecache.getline(file, number).strip()
