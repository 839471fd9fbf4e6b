"""Recognises softmax(scale * q k^T + mask) v, whatever transposes and repeats stand around it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.strided_view import View, repeated, steps_up

LOWEST = -1.0e8
"""A mask value at or below this means "not attended": its exponential is exactly zero."""

MaskKind = Literal["none", "float", "seen", "hidden"]
"""Added to the scores, or a bool that is true where a key is seen, or where it is hidden."""


@dataclass(frozen=True)
class Attention:
    """The parts of one attention; all views have [batch, head, row, column] or fewer dimensions.

    `result` is the value [.., queries, size] before the transposes that follow.
    """

    q: View
    k: View
    v: View
    mask: View | None
    mask_kind: MaskKind
    scale: float
    group: int  # query heads per key head
    result: ir.Value
    guarded: bool = False  # a row that sees no key, all of it hidden by -inf, gives zeros


def match(product: ir.Node) -> Attention | str:
    """Read the attention that ends in `product` (probabilities times values), or say why not."""
    if not graph_facts.is_op(product, "MatMul"):
        return "no product"
    weights, values = product.inputs
    assert weights is not None and values is not None
    given, weights = weights, _without_nan_guard(weights)
    softmax = graph_facts.made_by(weights, "Softmax")
    if softmax is None or softmax.inputs[0] is None or weights.dtype != ir.DataType.FLOAT:
        return "the left factor is no softmax"
    shape = graph_facts.shape_of(weights)
    if shape is None or len(shape) not in (2, 3, 4):
        return "the scores do not have two to four dimensions"
    if graph_facts.axis_of(softmax, -1, len(shape)) != len(shape) - 1:
        return "the softmax does not run over the keys"
    masked = _mask(softmax.inputs[0])
    if isinstance(masked, str):
        return masked
    scores, mask, kind, infinite = masked
    scores, scale = _scaled(scores)
    inner = graph_facts.made_by(scores, "MatMul")
    if inner is None or inner.inputs[0] is None or inner.inputs[1] is None:
        return "the scores are no product"
    q, q_scale = _scaled(inner.inputs[0])
    keys, k_scale = _scaled(inner.inputs[1])
    rank = len(shape)
    swap = [*range(rank - 2), rank - 1, rank - 2]
    found = _with_views(
        product, q, _Keys(keys, swap), values, mask, kind, scale * q_scale * k_scale, shape
    )
    if isinstance(found, str):
        return found
    return replace(found, guarded=infinite and given is not weights)


def read_region(function: ir.Function) -> tuple[Attention, list[int]] | None:
    """The attention of a region, and the order of axes in which its result is stored."""
    end = function.outputs[0].producer()
    order: list[int] | None = None
    if graph_facts.is_op(end, "Transpose"):
        assert end is not None and end.inputs[0] is not None
        order = list(end.attributes["perm"].as_ints()) if "perm" in end.attributes else None
        end = end.inputs[0].producer()
    if end is None:
        return None
    found = match(end)
    if isinstance(found, str):
        return None
    rank = len(found.q.dims)
    order = order if order is not None else list(range(rank))
    if order[-1] != rank - 1:
        return None
    return found, order


@dataclass(frozen=True)
class _Keys:
    value: ir.Value
    order: list[int]

    def views(self) -> list[View]:
        """The keys as [.., key, size]."""
        return [
            View(view.base, tuple(view.dims[axis] for axis in self.order))
            for view in steps_up(self.value)
        ]


def _with_views(
    product: ir.Node, q: ir.Value, keys: _Keys, values: ir.Value, mask: ir.Value | None,
    kind: MaskKind, scale: float, shape: tuple[int, ...],
) -> Attention | str:  # fmt: skip
    rank = len(shape)
    q_view = _deepest(steps_up(q), rank, repeats=False)
    k_view = _deepest(keys.views(), rank, repeats=True)
    v_view = _deepest(steps_up(values), rank, repeats=True)
    if q_view is None or k_view is None or v_view is None:
        return "queries, keys or values are not contiguous along the head"
    groups = {_group(k_view, rank), _group(v_view, rank)}
    if len(groups) != 1:
        return "keys and values are repeated differently"
    mask_view = None
    if mask is not None:
        mask_shape = graph_facts.shape_of(mask)
        if mask_shape is None or mask_shape[-1:] != shape[-1:]:
            return "the mask is not as wide as the keys"
        mask_view = _broadcast(mask, shape)
    return Attention(
        q_view, k_view, v_view, mask_view, kind, scale, groups.pop(), product.outputs[0]
    )


def _deepest(views: list[View], rank: int, *, repeats: bool) -> View | None:
    """The view furthest up whose rows are contiguous and whose other axes are single strides."""
    for view in reversed(views):
        if len(view.dims) != rank or view.stride(rank - 1) not in (1, 0):
            continue
        if view.stride(rank - 1) == 0 and view.shape[-1] != 1:
            continue
        head = rank - 3 if repeats and rank > 2 else -1
        rest = all(view.stride(axis) is not None for axis in range(rank - 1) if axis != head)
        if rest and (head < 0 or repeated(view.dims[head]) is not None):
            return view
    return None


def _group(view: View, rank: int) -> int:
    if rank < 3:
        return 1
    found = repeated(view.dims[rank - 3])
    return 1 if found is None else found[1]


def _broadcast(mask: ir.Value, shape: tuple[int, ...]) -> View:
    (view,) = steps_up(mask)[:1]
    padded = ((),) * (len(shape) - len(view.dims)) + view.dims
    return View(mask, padded)


def _without_nan_guard(value: ir.Value) -> ir.Value:
    """See through Where(IsNaN(p), 0, p), which exporters put behind a softmax."""
    where = graph_facts.made_by(value, "Where")
    if where is None:
        return value
    condition, zero, other = where.inputs
    test = graph_facts.made_by(condition, "IsNaN")
    if (
        test is not None
        and test.inputs[0] is other
        and zero is not None
        and (_constant(zero) == 0.0)
    ):
        assert other is not None
        return other
    return value


def _mask(scores: ir.Value) -> tuple[ir.Value, ir.Value | None, MaskKind, bool] | str:
    """The scores below a mask, the mask, its kind, and whether it may hide keys by -inf."""
    where = graph_facts.made_by(scores, "Where")
    if where is not None:
        condition, first, second = where.inputs
        assert first is not None and second is not None
        for constant, other, kind in ((first, second, "hidden"), (second, first, "seen")):
            filler = _constant(constant)
            if filler is not None:
                if filler > LOWEST:
                    return "the mask does not hide keys completely"
                infinite = filler == -math.inf
                return other, condition, kind, infinite  # type: ignore[return-value]
        return "the mask chooses between two tensors"
    add = graph_facts.made_by(scores, "Add")
    if add is not None:
        first, second = add.inputs
        assert first is not None and second is not None
        for product, mask in ((first, second), (second, first)):
            stripped, _ = _scaled(product)
            if graph_facts.made_by(stripped, "MatMul") is not None:
                return product, mask, "float", True
        return "what is added to is no product"
    return scores, None, "none", False


def _constant(value: ir.Value | None) -> float | None:
    if value is None:
        return None
    found = graph_facts.scalar_of(value)
    if found is not None:
        return found
    node = value.producer()
    if node is not None and node.op_type == "Constant" and "value" in node.attributes:
        array = node.attributes["value"].as_tensor().numpy()
        return float(array.reshape(-1)[0]) if array.size == 1 else None
    return None


def _scaled(value: ir.Value) -> tuple[ir.Value, float]:
    """Strip multiplications by constants."""
    scale = 1.0
    while True:
        node = graph_facts.made_by(value, "Mul", "Div")
        if node is None or node.inputs[0] is None or node.inputs[1] is None:
            return value, scale
        first, second = node.inputs
        assert first is not None and second is not None
        factor = _constant(second)
        if factor is not None:
            scale *= factor if node.op_type == "Mul" else 1.0 / factor
            value = first
            continue
        factor = _constant(first)
        if factor is None or node.op_type == "Div":
            return value, scale
        scale *= factor
        value = second
