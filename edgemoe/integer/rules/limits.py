"""Relu and Clip behind an operator that limits its result anyway cost nothing."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.products import change_scale
from edgemoe.integer.quantised import Target

ORDER = 10

LIMITED = (
    "Linear", "ExpertLinear", "MatMul", "Add", "Mul", "Mean", "Norm", "Combine",
    "ExpertSum", "ChangeScale", "Conv",
)  # fmt: skip
"""Integer operators that have `low` and `high`."""


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Let the operator before make the clipped numbers, if nobody reads the others."""
    node = value.producer()
    if node is None or not graph_facts.is_op(node, "Relu", "Clip") or node.inputs[0] is None:
        return None
    x = node.inputs[0]
    bounds = [-np.inf, np.inf]
    if graph_facts.is_op(node, "Relu"):
        bounds[0] = 0.0
    for place, given in enumerate(node.inputs[1:3]):
        if given is not None:
            number = graph_facts.scalar_of(given)
            if number is None:
                return f"a limit of {graph_facts.name_of(node)} is no constant"
            bounds[place] = number
    codes = target.quantised.encode(np.array(bounds))
    limited = Target(
        target.quantised, max(target.low, int(codes[0])), min(target.high, int(codes[1]))
    )
    alone = x not in c.made and graph_facts.only_user(x) is node and x.producer() is not None
    if alone:
        before = len(c.graph)
        made = c.want(x, node, limited)
        last = made.value.producer()
        if len(c.graph) > before and last is not None and last.op_type in LIMITED:
            c.roots[str(value.name)] = made.quantised
            c.roots.pop(str(x.name), None)
            made.value.name = c.free(str(value.name))
            return made
    if c.want(x).quantised.bits == 8:
        return None  # a table does it, and whatever comes before
    return change_scale(c, c.want(x), limited, value)
