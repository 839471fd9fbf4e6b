"""After an export: are all experts there, and does the graph compute what the module computes?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgemoe.capture import Captured
from edgemoe.capture_lists import expert_list
from edgemoe.errors import ExportError
from edgemoe.pass_check import onnxruntime_session
from edgemoe.used_parameters import UsedParameters

TOLERANCE = {torch.float64: 1e-3, torch.float32: 1e-3, torch.float16: 3e-2, torch.bfloat16: 1e-1}
"""Largest relative RMS difference between module and graph, by dtype of the output.

Lost experts or wrong constants are off by far more; another order of sums by far less.
"""


@dataclass
class Run:
    """What the module computes on its examples, and on other inputs of the same shapes."""

    cases: list[tuple[list[Tensor], list[Tensor]]]
    used: set[str]  # names of the parameters that it computed with
    outputs: list[str] | None = None  # keys, where the module returns a mapping to tensors
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        """Run the module twice.

        Raises:
            ExportError: it fails on its own examples.
        """
        used = UsedParameters(module)
        try:
            with used:
                result = _call(module, args, kwargs)
        except Exception as error:
            raise ExportError(
                f"{type(module).__name__} fails on its own example inputs: "
                f"{type(error).__name__}: {error}"
            ) from error
        run = cls([(_tensors((args, kwargs)), _cloned(result))], used.names, _keys(result))
        random = torch.Generator().manual_seed(1)
        other = pytree.tree_map(lambda x: _like(x, random), (args, kwargs))
        try:
            with used:
                run.cases.append((_tensors(other), _cloned(_call(module, *other))))
        except Exception as error:
            run.notes.append(
                f"the export was compared on the example inputs only: {type(module).__name__} "
                f"fails on random ones ({type(error).__name__})"
            )
        return run


def _call(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    copied, named = pytree.tree_map(
        lambda x: x.clone() if isinstance(x, Tensor) else x, (args, kwargs)
    )
    return module(*copied, **named)


def _cloned(result: Any) -> list[Tensor]:
    return [tensor.clone() for tensor in _tensors(result)]


def _keys(result: Any) -> list[str] | None:
    """Names of the outputs, such as "logits" of transformers' ModelOutput."""
    if not isinstance(result, Mapping) or not all(isinstance(x, Tensor) for x in result.values()):
        return None
    return [str(key) for key in result]


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(tree) if isinstance(leaf, Tensor)]


def _like(x: Any, random: torch.Generator) -> Any:
    """Return another input that the module should accept: integers keep to the example's range."""
    if not isinstance(x, Tensor) or x.numel() == 0:
        return x
    low, high = (x.min(), x.max()) if x.dtype != torch.bool else (0, 0)
    if x.dtype == torch.bool or (x.dtype.is_floating_point and set(x.flatten().tolist()) == {0, 1}):
        return x.flatten()[torch.randperm(x.numel(), generator=random)].view(x.shape)
    if x.dtype.is_floating_point:
        if not bool(torch.isfinite(x).all()):
            return x
        noise = torch.randn(x.shape, generator=random).to(x.dtype)
        spread = x.std() if x.numel() > 1 else x.abs().mean()
        return noise * spread + x.mean() if float(spread) > 0 else x + noise
    return torch.randint(int(low), int(high) + 1, x.shape, generator=random).to(x.dtype)


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Return a copy as an array."""
    if tensor.dtype == torch.bfloat16:
        return tensor.detach().view(torch.uint16).numpy().view(ir.DataType.BFLOAT16.numpy()).copy()
    return tensor.detach().cpu().numpy().copy()


def check_values(module: nn.Module, model: ir.Model, names: list[str], run: Run) -> None:
    """Compare the graph in onnxruntime with the module on every case.

    Raises:
        ExportError: they differ, or onnxruntime cannot run the graph.
    """
    title = type(module).__name__
    try:
        session = onnxruntime_session(model)
    except Exception as error:
        half = any(p.dtype == torch.bfloat16 for p in module.parameters())
        advice = "  next: cast the weights before the export, module.float()" if half else ""
        raise ExportError(
            f"onnxruntime cannot run the exported {title}: {_short(error)}\n{advice}".rstrip()
        ) from error
    outputs = [output.name for output in session.get_outputs()]
    for number, (inputs, wanted) in enumerate(run.cases):
        which = "its example inputs" if number == 0 else "a second, random input"
        feed = {name: to_numpy(t) for name, t in zip(names, inputs, strict=True)}
        try:
            got = session.run(None, feed)
        except Exception as error:
            raise ExportError(
                f"the exported {title} fails in onnxruntime on {which}: {_short(error)}"
            ) from error
        if len(got) != len(wanted):
            raise ExportError(
                f"the exported {title} has {len(got)} outputs, the module returns {len(wanted)}"
            )
        for name, array, tensor in zip(outputs, got, wanted, strict=True):
            reason = _difference(np.asarray(array), tensor)
            if reason is not None:
                raise ExportError(
                    f"the exported {title} does not compute what the module computes: output "
                    f"{name!r} {reason} on {which}\n"
                    "  next: look for Python code that depends on values or on earlier calls; it "
                    "is frozen in the export"
                )


def _short(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300]


def _difference(got: np.ndarray, wanted: Tensor) -> str | None:
    expected = to_numpy(wanted)
    if got.shape != expected.shape:
        return f"has shape {list(got.shape)} and not {list(expected.shape)}"
    if not wanted.dtype.is_floating_point:
        wrong = int((got != expected).sum())
        return f"differs in {wrong} of {expected.size} elements" if wrong else None
    a, b = got.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return "differs where the module gives infinity or NaN"
    scale = float(np.sqrt(np.mean(b[finite] ** 2))) if finite.any() else 0.0
    error = float(np.sqrt(np.mean((a[finite] - b[finite]) ** 2))) if finite.any() else 0.0
    limit = TOLERANCE[wanted.dtype]
    if error <= limit * scale or error <= 1e-7:
        return None
    return f"is off by {error / scale if scale else error:.3g} relative RMS (limit {limit:.3g})"


def check_experts(module: nn.Module, model: ir.Model, log: Captured, run: Run) -> None:
    """Find every expert weight of the module again in the graph.

    Raises:
        ExportError: names the modules whose weights are gone though their layer runs.
    """
    held = _reachable(model)
    sums: set[tuple[int, float]] | None = None
    missing: list[str] = []
    for path, parameter in _expert_weights(module, run.used):
        if path in held or id(parameter) in log.stacked:
            continue
        if sums is None:
            sums = {_sum_of(tensor.numpy()) for tensor in held.values()}
        if _sum_of(to_numpy(parameter)) not in sums and not _inside(parameter, held):
            missing.append(path)
    if missing:
        shown = "\n".join(f"  {path}" for path in missing[:8])
        more = f"\n  ... and {len(missing) - 8} more" if len(missing) > 8 else ""
        raise ExportError(
            f"{len(missing)} expert weights of {type(module).__name__} are not in the exported "
            f"graph: the trace did not reach them\n{shown}{more}\n"
            "  next: compute the experts without Python code that looks at the routing (all "
            "experts, or gathered weights), or register an adapter: see edgemoe.capture"
        )


def _reachable(model: ir.Model) -> dict[str, ir.TensorProtocol]:
    """Weights that an output depends on; the graph holds no others."""
    return {
        str(name): value.const_value
        for name, value in model.graph.initializers.items()
        if value.const_value is not None and (value.uses() or value.is_graph_output())
    }


def _expert_weights(module: nn.Module, used: set[str]) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights of experts, by path, that the module computes with.

    Of a list of experts all count as soon as one was used: the examples need not reach each.
    """
    for path, owner in module.named_modules():
        prefix = f"{path}." if path else ""
        if isinstance(owner, nn.modules.conv._ConvNd):
            continue
        above = module.get_submodule(path.rpartition(".")[0])
        for name, parameter in owner.named_parameters(recurse=False):
            experts = parameter.shape[0] if parameter.dim() == 3 else 0
            routed = experts > 1 and (_routes(owner, experts) or _routes(above, experts))
            if routed and prefix + name in used:
                yield prefix + name, parameter
        for name, child in owner.named_children():
            listed = expert_list(child)
            if listed is None or not _routes(owner, len(listed)):
                continue
            keys = [f"{prefix}{name}.{key}." for key, e in child.named_children() if e in listed]
            for inner, _ in listed[0].named_parameters():
                if any(key + inner in used for key in keys):
                    for key, expert in zip(keys, listed, strict=True):
                        yield key + inner, expert.get_parameter(inner)


def _routes(owner: nn.Module, experts: int) -> bool:
    """Tell whether a module has a router as a child: a matrix [E, H]."""
    return any(
        p.dim() == 2 and p.shape[0] == experts
        for child in owner.children()
        for _, p in [*child.named_parameters(recurse=False)]
    )


def _sum_of(array: np.ndarray) -> tuple[int, float]:
    total = float(np.sum(array, dtype=np.float64))
    return array.size, float(f"{total:.9g}")


def _inside(parameter: Tensor, held: dict[str, ir.TensorProtocol]) -> bool:
    """Tell whether the weight is a part of a larger one: stacked or concatenated with others."""
    array = to_numpy(parameter)
    probe = array.reshape(-1)[: min(array.size, 16)]
    for tensor in held.values():
        if tensor.size <= array.size or tensor.size % array.size:
            continue
        parts = tensor.numpy().reshape(-1, array.size)
        if any(np.array_equal(part[: probe.size], probe) for part in parts):
            return True
    return False
