"""Products with the matrix of a row's expert; rows that a dispatch repeats are read in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.products import constant_product
from edgemoe.integer.quantised import Target
from edgemoe.regions import EXPERT_LINEARS

ORDER = 20

Array = NDArray[Any]


@dataclass(frozen=True)
class Stack:
    """An expert product: `source` float [S, K], `ids` [S], one matrix and one bias per expert."""

    source: ir.Value
    ids: ir.Value
    weight: ir.Value
    turned: bool  # the matrices lie as [K, N]
    biases: Array  # float64 [E, N]

    @property
    def experts(self) -> int:
        """How many matrices there are."""
        return len(self.biases)

    def rows(self, expert: int) -> Array:
        """Float [N, K]."""
        stack = graph_facts.array_of(self.weight)
        assert stack is not None
        return np.ascontiguousarray(stack[expert].T if self.turned else stack[expert])


def stack_of(node: ir.Node | None) -> Stack | str | None:
    """Read an expert product; why it is none of integers, or None: it is no expert product."""
    kind = graph_facts.kind_of(node)
    if node is None or kind not in EXPERT_LINEARS:
        return None
    source, ids, weight = node.inputs[:3]
    bias = node.inputs[3] if len(node.inputs) > 3 else None
    shape = graph_facts.shape_of(weight)
    if weight is None or shape is None or not graph_facts.is_constant(weight):
        return "its weights are no constants"
    if bias is not None and not graph_facts.is_constant(bias):
        return "its biases are no constants"
    assert source is not None and ids is not None
    turned = "T" in kind.removeprefix("ExpertLinear")
    array = graph_facts.array_of(bias)
    columns = shape[2] if turned else shape[1]
    biases = np.zeros((shape[0], columns)) if array is None else array.astype(np.float64)
    return Stack(source, ids, weight, turned, biases)


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make row s as W[ids[s]] x[s] + b[ids[s]]."""
    stack = stack_of(value.producer())
    if not isinstance(stack, Stack):
        return stack
    source, shared = _before_dispatch(stack.source)
    return constant_product(
        c, value, target, c.want(source), str(stack.weight.name), stack.rows, stack.biases,
        experts=stack.experts, ids=c.want_other(stack.ids), shared=shared,
    )  # fmt: skip


def _before_dispatch(source: ir.Value) -> tuple[ir.Value, int]:
    """Dispatch(x, ids) -> (x, K): row s reads row s // K."""
    node = source.producer()
    shape = (
        graph_facts.shape_of(node.inputs[1]) if node is not None and len(node.inputs) > 1 else None
    )
    if node is None or graph_facts.kind_of(node) != "Dispatch" or shape is None:
        return source, 1
    x = node.inputs[0]
    assert x is not None
    return x, shape[1]
