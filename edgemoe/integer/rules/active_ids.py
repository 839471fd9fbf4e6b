"""Which experts are active where a score that is exactly zero means that one is not."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.converter import Converter
from edgemoe.integer.expand_blocks import scores_of
from edgemoe.integer.graph_writer import Integer
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.quantised import Target

ORDER = 30


def rule(c: Converter, value: ir.Value, target: Target) -> Integer | str | None:
    """Make the number of each expert, -1 where the code of its score stands for zero."""
    source = scores_of(value)
    if source is None:
        return None
    x, node = c.want(source), value.producer()
    assert node is not None
    made = c.append(
        "ActiveIds", [x.value], {"zero_x": x.zero}, value, DOMAIN, ir.DataType.INT32
    ).outputs[0]  # fmt: skip
    return Integer(made, target.quantised, -1, (graph_facts.shape_of(source) or (0,))[-1] - 1)
