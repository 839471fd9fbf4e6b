"""Where a program of integers takes the place of a graph of floats: microcontrollers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from edgemoe.plan import TensorInfo
from edgemoe.precision import Pin
from edgemoe.variants import Variant

if TYPE_CHECKING:
    from edgemoe.compression.goal import Goal
    from edgemoe.compression.task import Task
    from edgemoe.integer.model import IntegerModel

Progress = Callable[[str, int, int], None]
Infos = tuple[TensorInfo, ...]


def as_integers(
    variant: Variant, task: Task, inputs: Infos, outputs: Infos, *,
    precision: str, goal: Goal, pins: Sequence[Pin], show: Progress,
) -> tuple[IntegerModel, Variant, Infos, Infos]:  # fmt: skip
    """The integer program, the variant on its codes, and what goes in and comes out of it."""
    from edgemoe.integer.compiling import infos_of
    from edgemoe.integer.quantise import quantise

    integer = quantise(variant.graph, task, precision=precision, goal=goal, pins=pins, show=show)
    feed = integer.encode(variant.feed)
    made = replace(
        variant, graph=integer.model, feed=feed, expected=integer.run_integers(feed), rounded={}
    )
    return integer, made, infos_of(integer, inputs), infos_of(integer, outputs)
