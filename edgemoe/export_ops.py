"""PyTorch operators that the exporter lacks, and where they are found."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any


def operator_translations() -> dict[Any, Callable[..., Any]]:
    """Return more entries for `torch.onnx.export(custom_translation_table=...)`."""
    import torch

    return {torch.ops.aten._cdist_forward.default: _cdist}


def _cdist(x1: Any, x2: Any, p: float, compute_mode: int | None = None) -> Any:
    """Distances of rows, p = 1, 2 or inf: x1 [.., P, M], x2 [.., R, M] -> [.., P, R]."""
    from onnxscript import opset18 as op

    del compute_mode

    def ints(*values: int) -> Any:
        return op.Constant(value_ints=values)

    gap = op.Sub(op.Unsqueeze(x1, ints(-2)), op.Unsqueeze(x2, ints(-3)))
    if p == 1.0:
        return op.ReduceSum(op.Abs(gap), ints(-1), keepdims=0)
    if p == 2.0:
        return op.Sqrt(op.ReduceSum(op.Mul(gap, gap), ints(-1), keepdims=0))
    if p == float("inf"):
        return op.ReduceMax(op.Abs(gap), ints(-1), keepdims=0)
    raise NotImplementedError(f"torch.cdist with p={p}: p is 1, 2 or inf here")


def real_forms() -> AbstractContextManager[Any] | None:
    """Return transformers' replacements of complex operators by real ones, if it is loaded."""
    if "transformers" not in sys.modules:
        return None
    try:
        from transformers.exporters import exporter_onnx, utils
    except ImportError:
        return None
    del exporter_onnx  # importing it registers the replacements
    manager: AbstractContextManager[Any] = utils.apply_patches("onnx")
    return manager
