"""Expand the quantised matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgemoe.emit import Emitter
from edgemoe.graph_pass import PassContext, graph_pass
from edgemoe.rewrite_each import rewrite_each


@graph_pass(phase="canonicalise", after=("lift_constants",), exact="reassociation")
def expand_qlinear_matmul(model: ir.Model, context: PassContext) -> int:
    """Split QLinearMatMul into the exact integer product and its requantisation.

    Given:  y = QLinearMatMul(a, sa, za, b, sb, zb, sy, zy)
    Result: y = QuantizeLinear(Mul(Cast(MatMulInteger(a, b, za, zb)), sa*sb/sy), 1.0, zy)
    """
    del context
    return rewrite_each(model, ("QLinearMatMul",), _expand)


def _expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = node.inputs
    product = emit.op("MatMulInteger", a, b, a_zero, b_zero)
    scale = emit.op("Div", emit.op("Mul", a_scale, b_scale), y_scale)
    real = emit.op("Mul", emit.op("Cast", product, to=int(ir.DataType.FLOAT)), scale)
    one = emit.constant(np.array(1.0, np.float32), "one")
    return [emit.op("QuantizeLinear", real, one, y_zero)]
