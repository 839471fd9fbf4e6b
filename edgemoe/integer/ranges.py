"""What calibration saw of every float tensor of a graph, and the scale that follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import NameFixPass

from edgemoe import graph_facts
from edgemoe.compression.expert_loop import ExpertLoops
from edgemoe.errors import InputError
from edgemoe.integer.quantised import Quantised
from edgemoe.pass_check import onnxruntime_session

Array = NDArray[Any]

KEPT = 1 << 14
"""Elements of a tensor that are kept to judge scales by."""

SHRINKS = tuple(float(f) for f in np.linspace(1.0, 0.5, 21))
"""Parts of the range that are tried for int8."""

HEADROOM = 2.0
"""int16 holds this many times what calibration saw: one bit of 16 against saturation."""

SMALLEST = 2.0**-40
"""No scale is less: what is always zero stays zero, and nothing divides by it."""


@dataclass
class Seen:
    """Finite elements of one tensor: the range, how many, and some of them."""

    low: float = 0.0
    high: float = 0.0
    count: int = 0
    infinite: int = 0
    kept: Array = field(default_factory=lambda: np.zeros(0, np.float32))

    def add(self, array: Array, chance: np.random.Generator, share: int) -> None:
        """Take a tensor in; about `share` of its elements are kept."""
        flat = array.reshape(-1)
        finite = flat[np.isfinite(flat)]
        self.infinite += flat.size - finite.size
        if not finite.size:
            return
        self.low = min(self.low, float(finite.min()))
        self.high = max(self.high, float(finite.max()))
        self.count += finite.size
        some = finite if finite.size <= share else finite[chance.integers(0, finite.size, share)]
        self.kept = np.concatenate([self.kept, some.astype(np.float32)])

    def joined(self, other: Seen) -> Seen:
        """Both tensors as one."""
        return Seen(
            min(self.low, other.low), max(self.high, other.high), self.count + other.count,
            self.infinite + other.infinite, np.concatenate([self.kept, other.kept]),
        )  # fmt: skip


def watch(model: ir.Model, feeds: Iterable[Mapping[str, Array]], seed: int = 0) -> dict[str, Seen]:
    """Run a flat graph over samples; what each float tensor held, by name.

    Raises:
        InputError: there is no sample, one does not run, or one makes a NaN.
    """
    copy = model.clone()
    named = {
        str(v.name): v
        for node in copy.graph
        for v in node.outputs
        if v.dtype is not None and v.dtype.is_floating_point()
    }
    copy.graph.outputs[:] = list(named.values())
    ExpertLoops(copy).expand()
    NameFixPass()(copy)
    session = onnxruntime_session(copy)
    wanted = [i.name for i in session.get_inputs()]
    inputs = [
        str(v.name) for v in model.graph.inputs
        if v.dtype is not None and v.dtype.is_floating_point()
    ]  # fmt: skip
    given = list(feeds)
    if not given:
        raise InputError(
            "integers need calibration, and there is no sample\n  next: give arrays under the "
            "names of the model's inputs"
        )
    share = max(1, KEPT // len(given))
    chance = np.random.default_rng(seed)
    found = {name: Seen() for name in [*inputs, *named]}
    for number, feed in enumerate(given):
        try:
            made = session.run(None, {n: a for n, a in feed.items() if n in wanted})
        except Exception as error:  # onnxruntime raises types of its own
            reason = (str(error).strip().splitlines() or [repr(error)])[0]
            raise InputError(
                f"calibration sample {number} does not run: {reason}\n"
                f"  next: give one array for each of {', '.join(wanted)}"
            ) from error
        for name, array in [*((n, feed[n]) for n in inputs), *zip(named, made, strict=True)]:
            if np.isnan(array).any():
                raise InputError(
                    f"calibration sample {number} makes {name} NaN\n  next: remove the sample, or "
                    "look for what divides by zero"
                )
            found[name].add(np.asarray(array), chance, share)
    return found


def of_constant(array: Array) -> Seen:
    """What is known of a constant: everything."""
    seen = Seen()
    seen.add(np.asarray(array, np.float32), np.random.default_rng(0), KEPT)
    return seen


def scale_of(
    seen: Seen, bits: int, *, symmetric: bool = False, most: int = 32767, least: int = -128,
    each_end: bool = False,
) -> Quantised:  # fmt: skip
    """The scale of least squared error for int8; for int16 the range, with headroom.

    Args:
        seen: what the tensor held; 0.0 always belongs to the range.
        bits: 8 or 16.
        symmetric: zero point 0 for int8 too.
        most: the largest code of an int16 tensor that its readers can add up.
        least: the code of the low end of an int8 tensor that is not symmetric.
        each_end: ranges are tried with one end alone cut, too: a GELU has many elements at its
            least value, and few at its largest.
    """
    largest = max(seen.high, -seen.low)
    if bits == 16:
        return Quantised("int16", max(HEADROOM * largest / min(most, 32767), SMALLEST))
    if largest <= 127 * SMALLEST:
        return Quantised("int8", SMALLEST)
    factors = [(factor, factor) for factor in SHRINKS]
    if each_end:
        factors += [pair for f in SHRINKS[1:] for pair in ((1.0, f), (f, 1.0))]
    tried = [_int8(a * seen.low, b * seen.high, symmetric, least) for a, b in factors]
    if not seen.kept.size:
        return tried[0]
    errors = [float(np.mean((q.decode(q.encode(seen.kept)) - seen.kept) ** 2)) for q in tried]
    return tried[int(np.argmin(errors))]


def _int8(low: float, high: float, symmetric: bool, least: int) -> Quantised:
    if symmetric:
        return Quantised("int8", max(high, -low) / 127)
    scale = (high - low) / (127 - least)
    return Quantised("int8", scale, int(np.clip(np.rint(least - low / scale), least, 127)))


def is_float(value: ir.Value | None) -> bool:
    """Tell whether a tensor holds floats."""
    return value is not None and value.dtype is not None and value.dtype.is_floating_point()


def origin_or_name(node: ir.Node) -> str:
    """What people know a node by."""
    return graph_facts.origin_of(node) or graph_facts.name_of(node)
