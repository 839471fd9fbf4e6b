"""What gets a format, by asking lowering, and how many bytes it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.precision import Pin, Precision, Unit
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]


def units_of(
    graph: ir.Model, count: int | None, pins: Sequence[Pin] = ()
) -> tuple[list[Unit], int]:
    """The units of a fused graph, by asking lowering, and the bytes of all other constants."""
    from edgemoe.targets.cpu import lower_variants

    precision = Precision(pins=pins)
    lowered = lower_variants([graph.clone()], [count], precision)
    units = list(precision.asked.values())
    own = sum(unit_bytes(unit, precision.choose(unit)) for unit in units)
    return units, max(0, lowered.weights.nbytes - own)


def unit_bytes(unit: Unit, given: WeightFormat) -> int:
    """Bytes of a unit's packed weights."""
    from edgemoe.targets.kernels.panels import PANEL, panel_bytes
    from edgemoe.targets.kernels.row_codes import part_bytes

    if unit.role == "constant":
        return unit.depth * given.bits // 8
    given = given.for_depth(unit.depth)
    if unit.role == "token_mix":
        return sum(part_bytes(unit.columns, unit.depth, given))
    return max(1, unit.experts) * -(-unit.columns // PANEL) * panel_bytes(unit.depth, given)
