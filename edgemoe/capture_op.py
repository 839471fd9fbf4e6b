"""The expert product as a PyTorch operator, and how it becomes a call in the exported graph.

`edgemoe::expert_linear` runs in eager mode, is opaque to torch.export, and is translated to the
function of the same meaning in `edgemoe.regions`; so nothing has to be recognised afterwards, and
the weights keep their names and their layout.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import onnx_ir as ir
import torch
from torch import Tensor

from edgemoe import regions
from edgemoe.graph_facts import DOMAIN, KIND
from edgemoe.regions import GATHER_BYTES

DYNAMIC_ROWS = 128
"""How many rows are assumed, where their number is free, to choose the body of the function."""


def expert_linear(
    x: Tensor, ids: Tensor, weight: Tensor, bias: Tensor | None = None, *, transposed: bool = False
) -> Tensor:
    """Send row s of `x` through expert `ids[s]`.

    Args:
        x: rows, float [S, in].
        ids: integers [S] below E; -1 is nobody, whose row must have the weight 0.
        weight: [E, out, in], or [E, in, out] when `transposed`.
        bias: [E, out].
        transposed: how the weight lies in memory.

    Returns float [S, out].
    """
    product = _op()(x, ids.to(torch.int64), weight, bias, transposed)
    return cast("Tensor", product)


def rows_of(x: Tensor, chosen: int) -> Tensor:
    """Repeat tokens [T, H] for their K experts: [T * K, H], row t * K + j is x[t]."""
    return x.unsqueeze(1).expand(-1, chosen, -1).reshape(-1, x.shape[-1])


def combine(y: Tensor, weights: Tensor) -> Tensor:
    """Sum expert outputs [T * K, H] with weights [T, K]: [T, H]."""
    tokens, chosen = weights.shape
    return (y.reshape(tokens, chosen, -1) * weights.reshape(tokens, chosen, 1)).sum(dim=1)


@functools.cache
def _op() -> Any:
    schema = "(Tensor x, Tensor ids, Tensor w, Tensor? b, bool transposed) -> Tensor"
    torch.library.custom_op("edgemoe::expert_linear", _eager, mutates_args=(), schema=schema)
    torch.library.register_fake("edgemoe::expert_linear", _fake)
    return torch.ops.edgemoe.expert_linear


def _eager(x: Tensor, ids: Tensor, w: Tensor, b: Tensor | None, transposed: bool) -> Tensor:
    """Compute expert by expert: no weight is gathered, so memory stays small."""
    y = x.new_zeros(x.shape[0], w.shape[2] if transposed else w.shape[1])
    for expert in torch.unique(ids).tolist():
        if not 0 <= expert < w.shape[0]:
            continue  # nobody
        rows = torch.nonzero(ids == expert).squeeze(1)
        matrix = w[expert] if transposed else w[expert].t()
        product = x[rows] @ matrix
        y[rows] = product if b is None else product + b[expert]
    return y


def _fake(x: Tensor, ids: Tensor, w: Tensor, b: Tensor | None, transposed: bool) -> Tensor:
    del ids, b
    return x.new_empty(x.shape[0], w.shape[2] if transposed else w.shape[1])


def translations() -> dict[Any, Callable[..., Any]]:
    """Return the entry for `torch.onnx.export(custom_translation_table=...)`."""
    return {_op().default: _translate}


def _translate(x: Any, ids: Any, w: Any, b: Any = None, transposed: bool = False) -> Any:
    kind = "ExpertLinear" + ("T" if transposed else "") + ("" if b is None else "Bias")
    rows, width = x.shape[0], x.shape[1]
    out = w.shape[2 if transposed else 1]
    count = rows if isinstance(rows, int) else DYNAMIC_ROWS
    gathers = count * int(width) * int(out) * 4 < GATHER_BYTES
    call = _callee(f"{kind}_{'gather' if gathers else 'product'}", b is not None)
    return call(x, ids, w) if b is None else call(x, ids, w, b)


@functools.cache
def _callee(name: str, biased: bool) -> Any:
    import onnx.defs
    import onnxscript

    schema = onnx.defs.OpSchema
    names = [("x", "T"), ("ids", "I"), ("weight", "T"), *([("bias", "T")] if biased else [])]
    floats = ["tensor(float)", "tensor(float16)", "tensor(bfloat16)", "tensor(double)"]
    made = schema(
        name, DOMAIN, 1,
        inputs=[schema.FormalParameter(n, t) for n, t in names],
        outputs=[schema.FormalParameter("y", "T")],
        type_constraints=[("T", floats, ""), ("I", ["tensor(int64)"], "")],
    )  # fmt: skip
    return onnxscript.values.Op(onnxscript.values.Opset(DOMAIN, 1), name, made)


def finish_calls(model: ir.Model) -> int:
    """Mark the translated calls as primitives and give them bodies; returns how many there are."""
    calls = [node for node in model.graph.all_nodes() if node.domain == DOMAIN]
    for node in calls:
        node.metadata_props[KIND] = node.op_type.split("_", maxsplit=1)[0]
    if calls:
        regions.add_bodies(model)
    return len(calls)
