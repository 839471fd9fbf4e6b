"""Hold a module's bfloat16 weights as float32 while it is exported."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

NOTE = (
    "bfloat16 weights and inputs became float32: onnxruntime, which the export is compared with, "
    "computes no bfloat16; no weight changes its value, and --precision bf16 stores them in half"
)


@contextlib.contextmanager
def without_bfloat16(module: nn.Module) -> Iterator[bool]:
    """Cast parameters and buffers for the duration of the block; yields whether there were any.

    The values stay the same, and the module gets its own tensors back.
    """
    held = [t for t in (*module.parameters(), *module.buffers()) if t.dtype == torch.bfloat16]
    before = [tensor.data for tensor in held]
    try:
        for tensor in held:
            tensor.data = tensor.data.float()
        yield bool(held)
    finally:
        for tensor, data in zip(held, before, strict=True):
            tensor.data = data


def cast_examples(examples: Any) -> Any:
    """Cast bfloat16 tensors in nested tuples, lists and dicts."""
    return pytree.tree_map(
        lambda x: x.float() if isinstance(x, Tensor) and x.dtype == torch.bfloat16 else x, examples
    )


def keep_weights(model: ir.Model) -> None:
    """Let the graph hold its weights itself: the module's tensors are about to change."""
    from onnx_ir.tensor_adapters import TorchTensor

    for value in model.graph.initializers.values():
        tensor = value.const_value
        raw = getattr(tensor, "raw", None)  # the exporter has a class of its own for these
        if isinstance(raw, Tensor):
            value.const_value = TorchTensor(raw.detach(), name=value.name)
