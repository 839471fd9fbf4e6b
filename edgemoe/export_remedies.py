"""What is changed in a module, for the time of another attempt, when its export failed.

A remedy that is needed for one model lies here as a function: the module -> a context in which it
exports. `REMEDIES` lists them with the failures that they help against; each is tried once, and
what the graph computes is compared with the module as it was.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgemoe.export_complex import real_transforms
from edgemoe.export_failure import text_of
from edgemoe.export_ops import real_forms


@dataclass(frozen=True)
class Remedy:
    """One change; `marks` are parts of torch's messages that it helps against."""

    name: str
    marks: tuple[str, ...]
    apply: Callable[[nn.Module], AbstractContextManager[Any] | None]

    def helps(self, error: BaseException) -> bool:
        """Tell whether the failure is one that this may cure."""
        text = text_of(error)
        return any(mark in text for mark in self.marks)


def _real_numbers(module: nn.Module) -> AbstractContextManager[Any] | None:
    """Replace complex operators by real ones."""
    del module
    return real_forms()


def _real_transforms(module: nn.Module) -> AbstractContextManager[Any] | None:
    """Compute Fourier transforms and complex products with real numbers."""
    del module
    return real_transforms()


def _eager_attention(module: nn.Module) -> AbstractContextManager[Any] | None:
    """Attention as two products: fused attention hands out strides that a view cannot keep."""
    configs = {
        id(config): config
        for child in module.modules()
        if getattr(config := getattr(child, "config", None), "_attn_implementation", None)
        not in (None, "eager")
    }
    return _attention(list(configs.values())) if configs else None


@contextlib.contextmanager
def _attention(configs: list[Any]) -> Iterator[None]:
    before = [config._attn_implementation for config in configs]
    try:
        for config in configs:
            config._attn_implementation = "eager"
        yield
    finally:
        for config, name in zip(configs, before, strict=True):
            config._attn_implementation = name


def _no_casts(module: nn.Module) -> AbstractContextManager[Any] | None:
    """Skip casts of a layer to the dtype that it has: they swap parameters, which no trace can."""
    owners = [child for child in module.modules() if isinstance(child, nn.Linear)]
    return _with_methods(owners, "to", _cast_if_needed) if owners else None


def _cast_if_needed(layer: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    dtypes = {parameter.dtype for parameter in layer.parameters()}
    same = not kwargs and len(args) == 1 and dtypes == {args[0]}
    return layer if same else nn.Module.to(layer, *args, **kwargs)


@contextlib.contextmanager
def _with_methods(
    owners: Sequence[nn.Module], name: str, method: Callable[..., Any]
) -> Iterator[None]:
    try:
        for owner in owners:
            vars(owner)[name] = types.MethodType(method, owner)
        yield
    finally:
        for owner in owners:
            vars(owner).pop(name, None)


def _given_masks(module: nn.Module) -> AbstractContextManager[Any] | None:
    """Give models an attention mask of ones where they would make none."""
    owners = [
        child
        for child in module.modules()
        if {"attention_mask", "input_ids"} <= set(inspect.signature(child.forward).parameters)
    ]
    return _with_masks(owners) if owners else None


@contextlib.contextmanager
def _with_masks(owners: list[nn.Module]) -> Iterator[None]:
    handles = [owner.register_forward_pre_hook(_add_masks, with_kwargs=True) for owner in owners]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _add_masks(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    names = list(inspect.signature(module.forward).parameters)
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    for prefix in ("", "decoder_"):
        ids, mask = given.get(f"{prefix}input_ids"), f"{prefix}attention_mask"
        if isinstance(ids, Tensor) and given.get(mask) is None and mask in names:
            given[mask] = torch.ones_like(ids)
    return (), given


def _gathered_experts(module: nn.Module) -> AbstractContextManager[Any] | None:
    """Experts of transformers without a loop over the data, where they could not be captured."""
    if "transformers" not in sys.modules:
        return None
    from transformers.integrations import moe

    configs = {
        id(config): config
        for child in module.modules()
        if getattr(config := getattr(child, "config", None), "_experts_implementation", None)
        in ("eager", "grouped_mm", None)
        and hasattr(child, "has_gate") and "forward" not in vars(child)  # not captured
    }  # fmt: skip
    known = "batched_mm" in moe.ALL_EXPERTS_FUNCTIONS
    return _experts(list(configs.values())) if configs and known else None


@contextlib.contextmanager
def _experts(configs: list[Any]) -> Iterator[None]:
    before = [config._experts_implementation for config in configs]
    try:
        for config in configs:
            config._experts_implementation = "batched_mm"
        yield
    finally:
        for config, name in zip(configs, before, strict=True):
            config._experts_implementation = name


REMEDIES: list[Remedy] = [
    Remedy("real forms of complex operators", ("complex",), _real_numbers),
    Remedy("real forms of Fourier transforms", ("complex", "fft"), _real_transforms),
    Remedy("plain attention", ("Cannot view a tensor", "scaled_dot_product"), _eager_attention),
    Remedy("no casts of classifiers", ("Cannot swap", "weakref"), _no_casts),
    Remedy("attention masks of ones", ("'NoneType' object is not subscriptable",), _given_masks),
    Remedy(
        "gathered experts",
        ("grouped_mm", "Could not guard on data-dependent", "GuardOnDataDependent",
         "Could not extract specialized integer"),
        _gathered_experts,
    ),
]  # fmt: skip
