"""Inline the functions that a file brings along."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from edgemoe.errors import ModelError
from edgemoe.graph_facts import DOMAIN
from edgemoe.graph_pass import PassContext, graph_pass


@graph_pass(phase="import", after=("convert_opset",))
def inline_functions(model: ir.Model, context: PassContext) -> int:
    """Replace calls of model-local functions, other than our own primitives, by their bodies.

    Given:  y = pkg::Twice(x), function Twice(a) { return Add(a, a) }
    Result: y = Add(x, x)
    """
    del context
    foreign = [f for f in model.functions.values() if f.domain != DOMAIN]
    if not foreign:
        return 0
    try:
        InlinePass(criteria=lambda function: function.domain != DOMAIN)(model)
    except (ValueError, ir.passes.PreconditionError) as error:
        raise ModelError(f"the model's functions cannot be inlined: {error}") from error
    for function in foreign:
        model.functions.pop(function.identifier(), None)
    return len(foreign)
