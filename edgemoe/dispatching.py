"""How an input whose token count is no bucket may run: found by trying, in onnxruntime.

Padding is right when no output row depends on the padding behind it; splitting is right when a
call may be cut into calls on consecutive tokens (with the states handed on). Both are properties
of the model; both are tried on random inputs at the exact size, where equal numbers cannot be a
coincidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.plan import Dispatch, TensorInfo
from edgemoe.reference import Reference

Array = NDArray[Any]

TOLERANCE = 1e-4
"""Allowed difference relative to the RMS of the output: float32 sums in another order."""

_SIZE, _CUT = 7, 3


@dataclass(frozen=True)
class Found:
    """What was found; `reason` says it in words."""

    dispatch: Dispatch
    pad_ok: bool
    reason: str


def find_dispatch(
    reference: Reference,
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    feed_of: Any,
) -> Found:
    """Try padding and splitting; `feed_of(tokens, seed)` makes inputs."""
    carried = [x for x in inputs if x.token_axis is not None]
    loose = [o.name for o in outputs if o.token_axis is None and not _is_state(o.name, inputs)]
    if loose:
        return Found("static", False, f"output {loose[0]} has no token axis")
    feed = feed_of(_SIZE, 1)
    whole = reference.run(feed, _SIZE)
    padded = [
        reference.run(_padded(feed, feed_of(_SIZE + 1, s), carried), _SIZE + 1) for s in (2, 3)
    ]
    states = [x for x in inputs if x.state_output is not None]
    pads = not states and all(_same(_head(p, outputs, _SIZE), whole, outputs) for p in padded)
    parts = []
    current = dict(feed)
    for start, stop in ((0, _CUT), (_CUT, _SIZE)):
        piece = {**current, **{x.name: _cut(feed[x.name], x, start, stop) for x in carried}}
        result = reference.run(piece, stop - start)
        parts.append(result)
        current.update({x.name: result[x.state_output] for x in states if x.state_output})
    joined = {
        o.name: parts[-1][o.name] if o.token_axis is None
        else np.concatenate([part[o.name] for part in parts], o.token_axis)
        for o in outputs
    }  # fmt: skip
    if _same(joined, whole, outputs):
        what = "states carry what later tokens need" if states else "tokens do not see each other"
        return Found("split", pads, f"{what}: seen on {_SIZE} tokens run at once and in two calls")
    if pads:
        return Found("pad", True, "tokens do not see what stands behind them")
    return Found("static", False, "tokens see what stands behind them: only the buckets can run")


def _is_state(output: str, inputs: Sequence[TensorInfo]) -> bool:
    return any(x.state_output == output for x in inputs)


def _cut(array: Array, info: TensorInfo, start: int, stop: int) -> Array:
    assert info.token_axis is not None
    return np.take(array, range(start, stop), info.token_axis)


def _padded(
    feed: Mapping[str, Array], longer: Mapping[str, Array], carried: Sequence[TensorInfo]
) -> dict[str, Array]:
    result = dict(feed)
    for info in carried:
        assert info.token_axis is not None
        tail = np.take(longer[info.name], [-1], info.token_axis)
        result[info.name] = np.concatenate([feed[info.name], tail], info.token_axis)
    return result


def _head(
    result: Mapping[str, Array], outputs: Sequence[TensorInfo], size: int
) -> dict[str, Array]:
    return {
        o.name: result[o.name] if o.token_axis is None
        else np.take(result[o.name], range(size), o.token_axis)
        for o in outputs
    }  # fmt: skip


def _same(
    one: Mapping[str, Array], other: Mapping[str, Array], outputs: Sequence[TensorInfo]
) -> bool:
    for info in outputs:
        a, b = (np.asarray(x[info.name], np.float64) for x in (one, other))
        if a.shape != b.shape:
            return False
        scale = float(np.sqrt(np.mean(b**2))) if b.size else 0.0
        if not np.allclose(a, b, rtol=0.0, atol=TOLERANCE * scale, equal_nan=True):
            return False
    return True
