"""Where a program of integers takes the place of a graph of floats: microcontrollers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from edgemoe.plan import TensorInfo
from edgemoe.precision import Pin
from edgemoe.variants import Variant

if TYPE_CHECKING:
    import onnx_ir as ir

    from edgemoe.compression.goal import Goal
    from edgemoe.compression.task import Task
    from edgemoe.integer.model import IntegerModel
    from edgemoe.integer.strip_scales import Division

Progress = Callable[[str, int, int], None]
Infos = tuple[TensorInfo, ...]


def as_integers(
    variant: Variant, task: Task, inputs: Infos, outputs: Infos, *,
    precision: str, goal: Goal, pins: Sequence[Pin], show: Progress,
    divide: Callable[[ir.Model, Infos], Division | None] | None = None,
) -> tuple[IntegerModel, Variant, Infos, Infos]:  # fmt: skip
    """The integer program, the variant on its codes, and what goes in and comes out of it.

    `divide` tells the strips that a target asks for, of a graph with such inputs; where there is no
    limit of memory it is None.
    """
    from edgemoe.integer.compiling import infos_of
    from edgemoe.integer.quantise import quantise

    def strips_of(model: IntegerModel) -> Division | None:
        assert divide is not None
        return divide(model.model, infos_of(model, inputs))

    integer = quantise(
        variant.graph, task, precision=precision, goal=goal, pins=pins, show=show,
        divide=None if divide is None else strips_of,
    )  # fmt: skip
    feed = integer.encode(variant.feed)
    made = replace(
        variant, graph=integer.model, feed=feed, expected=integer.run_integers(feed), rounded={}
    )
    return integer, made, infos_of(integer, inputs), infos_of(integer, outputs)
