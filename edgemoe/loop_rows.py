"""Understand the rows that an unrolled loop over experts picks with NonZero.

`rows, choice = where(ids == e)` is NonZero of a mask followed by data movement. The mask is checked
against ids == e on all expert numbers; the movement by sending numbered positions through it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts
from edgemoe.anti_unify import Template
from edgemoe.routing_matrix import distinct_ids
from edgemoe.template_rows import NotLifted

_MASK_OPS = frozenset(
    {"Equal", "Cast", "OneHot", "Gather", "Transpose", "Greater", *graph_facts.MOVEMENTS}
)
_INDEX_OPS = frozenset({"Transpose", "Slice", "Gather", "Cast", "Concat", "Split", "Unsqueeze",
                        "Squeeze", "Reshape", "Identity", "Expand"})  # fmt: skip


@dataclass
class LoopRows:
    """Which (token, choice) pairs each copy works on."""

    ids: ir.Value  # [T, K]
    experts: int
    order: list[int]  # the expert of each copy
    token_axis: int  # which row of NonZero's output numbers the tokens
    picks: Template  # the NonZero

    def picks_tokens(self, index: Template) -> bool:
        """Tell whether `index` [n, 1] (or [n]) holds the token of each picked pair."""
        return self._moves(index, [self.token_axis])

    def picks_pairs(self, index: Template) -> bool:
        """Tell whether `index` [n, 2] holds (token, choice) of each picked pair."""
        return self._moves(index, [self.token_axis, 1 - self.token_axis])

    def _moves(self, index: Template, axes: list[int]) -> bool:
        inside = index.find(lambda part: part.kind == "op" and part is not self.picks)
        if self.picks not in index.find(lambda part: part is self.picks):
            return False
        if any(not part.is_op(*_INDEX_OPS) for part in inside if _depends(part, self.picks)):
            return False
        for count in (3, 5):  # two counts: a movement that fits one by accident fails the other
            numbers = np.arange(2 * count, dtype=np.int64).reshape(2, count)
            try:
                moved = constant_eval.evaluate([index.value], {self.picks.value: numbers})[0]
            except ValueError:
                return False
            expected = numbers[axes].T.reshape(-1)
            if moved.shape[0] != count or not np.array_equal(moved.reshape(-1), expected):
                return False
        return True


def understand_loop(template: Template, index: Template, copies: int) -> LoopRows:
    """Find and check the mask of a loop body, whose results are added at rows `index`.

    Raises:
        NotLifted: the rows are not those where the ids equal the number of the expert.
    """
    found = template.find(lambda part: part.is_op("NonZero"))
    if len(found) != 1:
        raise NotLifted("the rows of an expert are not picked by one mask")
    picks = found[0]
    mask = picks.children[0]
    assert mask is not None
    ids = _ids_of(mask)
    shape = graph_facts.shape_of(ids)
    if shape is None or len(shape) != 2:
        raise NotLifted(f"the ids {ids.name} are no matrix of tokens and choices")
    experts = _experts(ids, copies)
    order = _numbers(mask, experts)
    if sorted(order) != list(range(experts)):
        raise NotLifted(f"{copies} copies do not cover the {experts} experts once each")
    for axis in _token_axes(mask, ids, shape, order):
        loop = LoopRows(ids, experts, order, axis, picks)
        if loop.picks_tokens(index):
            return loop
    raise NotLifted("results are not added to the rows that were picked")


def _ids_of(mask: Template) -> ir.Value:
    leaves: set[ir.Value] = set()
    todo, seen = list(mask.values[:1]), set[ir.Value]()
    while todo:
        value = todo.pop()
        if value in seen or graph_facts.is_constant(value):
            continue
        seen.add(value)
        node = value.producer()
        if graph_facts.is_op(node, *_MASK_OPS) and node is not None:
            todo.extend(v for v in node.inputs if v is not None)
        else:
            leaves.add(value)
    if len(leaves) != 1:
        raise NotLifted("the mask of an expert depends on more than the ids")
    return leaves.pop()


def _experts(ids: ir.Value, copies: int) -> int:
    if not distinct_ids(ids, copies):
        raise NotLifted(f"{ids.name} is no choice of distinct experts among {copies}")
    return copies


def _token_axes(
    mask: Template, ids: ir.Value, shape: tuple[int, ...], order: list[int]
) -> list[int]:
    """Return which axes of the mask can number the tokens: mask == (ids == expert), or turned."""
    size, experts = shape[0] * shape[1], len(order)
    axes = {axis for axis in (0, 1) if graph_facts.shape_of(mask.value) == shape[:: 1 - 2 * axis]}
    for start in range(0, experts, max(size, 1)):
        numbers = ((np.arange(size) + start) % experts).reshape(shape).astype(np.int64)
        for found, e in zip(constant_eval.evaluate(list(mask.values), {ids: numbers}), order,
                            strict=True):  # fmt: skip
            turned = (found.astype(bool), found.astype(bool).T)
            axes = {axis for axis in axes if np.array_equal(turned[axis], numbers == e)}
    if not axes:
        raise NotLifted("the mask of an expert is not ids == expert")
    return sorted(axes)


def _numbers(mask: Template, experts: int) -> list[int]:
    """Return the constant that tells the copies apart: the number of the expert."""
    found = mask.find(lambda part: part.kind == "parameter")
    if len(found) != 1:
        raise NotLifted("no number tells the experts apart")
    numbers = [graph_facts.ints_of(value) for value in found[0].values]
    if any(n is None or len(n) != 1 or not 0 <= n[0] < experts for n in numbers):
        raise NotLifted("no number tells the experts apart")
    return [n[0] for n in numbers if n is not None]


def _depends(part: Template, on: Template) -> bool:
    return bool(part.find(lambda inner: inner is on))
