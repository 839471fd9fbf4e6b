"""Scales of activations that are fixed when a model is compiled for a CPU: the format `i8.static`.

What calibration saw of the input of a product gives one scale and zero point, as for the integer
programs of microcontrollers (`integer.ranges.scale_of`: int8, least squared error). They are known
by the weight, so that all variants of a model have the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.errors import InputError, OptionError
from edgemoe.integer.quantised import Quantised
from edgemoe.precision import Pin, Precision
from edgemoe.weight_format import STATIC, parse

if TYPE_CHECKING:
    from edgemoe.compression.task import Task
    from edgemoe.integer.ranges import Seen
    from edgemoe.variants import Variant

Array = NDArray[Any]

CALIBRATED = 256
"""Samples that ranges come from, as for microcontrollers."""

LEAST = -127
"""The code of the low end, see `targets/kernels/static_codes.py`."""


def wants_static(rest: str, pins: Sequence[Pin]) -> bool:
    """Tell whether a format with static activations was asked for."""
    return (rest != "auto" and parse(rest).static_activations) or any(
        pin.given.static_activations for pin in pins
    )


def refuse_unusable_static(
    precision: str, wanted: bool, family: str, target: str, *, calibrated: bool
) -> None:
    """Raise OptionError where static scales are wanted without data, or not for a CPU."""
    if not wanted:
        return
    if family != "cpu":
        why = "programs of integers have static scales always"
        if family != "mcu":
            why = "products round their rows as they come there"
        raise OptionError(
            f"--precision {precision}: {STATIC} is for CPU targets, {target} is none\n"
            f"  next: --precision i8; {why}"
        )
    if not calibrated:
        raise OptionError(
            f"--precision {precision} needs --calibration F.npz: the scales of activations are "
            "fixed when the model is compiled\n  next: give samples, or write i8, which finds "
            "the scale of every row as it comes"
        )


@dataclass(frozen=True)
class StaticScales:
    """What calibration saw of the inputs of products, and their scales, by name of the weight."""

    seen: Mapping[str, Seen]
    scales: Mapping[str, Quantised]
    samples: int

    def report(self, given: Precision) -> dict[str, Any]:
        """What became of every product that was asked to be static, as JSON holds it."""
        units = [u for u in given.asked.values() if given.wanted(u).static_activations]
        static = [u for u in units if given.scale_of(u) is not None]
        experts = [u for u in units if u.role == "expert"]
        rest = [u for u in units if u not in static and u not in experts]
        found = []
        for unit in static:
            scale, seen = self.scales[unit.names[0]], self.seen[unit.names[0]]
            found.append(
                {"weight": unit.title, "origin": unit.origin, "scale": scale.scale,
                 "zero_point": scale.zero_point, "low": seen.low, "high": seen.high,
                 "saturated": round(saturated(seen, scale), 6)}
            )  # fmt: skip
        return {
            "samples": self.samples, "static": found,
            "experts": [u.title for u in experts], "never_seen": [u.title for u in rest],
        }  # fmt: skip


def saturated(seen: Seen, scale: Quantised) -> float:
    """The share of what calibration kept that lies beyond the codes of a scale."""
    if not seen.kept.size:
        return 0.0
    codes = np.rint(seen.kept / scale.scale) + scale.zero_point
    return float(np.mean((codes < LEAST) | (codes > scale.high)))


def find_scales(graph: ir.Model, feeds: Iterable[Mapping[str, Array]]) -> StaticScales:
    """Run a fused graph of static shapes over samples; it is left as it is.

    Raises:
        InputError: a sample does not run, or makes a NaN.
    """
    from edgemoe.compression.taps import open_taps
    from edgemoe.compression.trial import flat
    from edgemoe.integer.ranges import KEPT, Seen, scale_of

    taps = open_taps(flat(graph))
    products = [product for product in taps.products if not product.experts]
    given = list(feeds)
    chance, share = np.random.default_rng(0), max(1, KEPT // max(1, len(given)))
    by_input = {product.input: Seen() for product in products}
    for number, feed in enumerate(given):
        made = taps.run(feed)
        for name, seen in by_input.items():
            array = np.asarray(made[name])
            if np.isnan(array).any():
                raise InputError(
                    f"calibration sample {number} makes {name} NaN\n  next: remove the sample, or "
                    "look for what divides by zero"
                )
            seen.add(array, chance, share)
    found: dict[str, Seen] = {}
    for product in products:
        seen, known = by_input[product.input], found.get(product.weight)
        found[product.weight] = seen if known is None or known is seen else known.joined(seen)
    scales = {
        name: scale_of(seen, 8, least=LEAST, each_end=True)
        for name, seen in found.items()
        if seen.count and not seen.low == seen.high == 0.0
    }
    return StaticScales(found, scales, len(given))


def scales_for(task: Task, variants: Sequence[Variant]) -> StaticScales:
    """The scales of a model from its calibration samples.

    They come from the variant for as many tokens as samples have; where there is none, from a graph
    that is made for them.
    """
    from edgemoe.pass_runner import run_passes

    graph = next((v.graph for v in variants if v.count == task.count), None)
    if graph is None:
        graph = task.buckets.bind(task.count)
        run_passes(graph, extra=task.plugins)
    numbers = task.samples.numbers[:CALIBRATED]
    return find_scales(graph, task.samples.some(numbers).feeds())
