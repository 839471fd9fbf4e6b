"""Integer programs that give every unit a format: least bytes (or time) within an error, or back.

    min  sum_u sum_f cost[u,f] x[u,f]
    s.t.  sum_f x[u,f] = 1,  sum_u sum_f weight[u,f,m] x[u,f] <= limit[m]  for every metric m

as in MixDQ (Zhao et al., 2024, eq. 5) and MxMoE (Duanmu et al., 2025, eq. 7), solved by HiGHS.
MixDQ solves one program per group of layers, each with a metric of its own; here the metrics are
constraints of one program, as a layer may move several of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.silence import native_stdout_discarded

Array = NDArray[Any]

SECONDS = 2.0
"""HiGHS stops after this, with the best that it found."""

GAP = 1e-4
"""Relative distance from the optimum that is near enough: errors that are summed are rougher."""


def assign(cost: Array, weight: Array, limit: float | Array, allowed: Array) -> Array | None:
    """Choose one format per unit.

    Args:
        cost: float [units, formats], summed and minimised.
        weight: float [units, formats], whose sum may not exceed `limit`; or [units, formats,
            metrics], where each sum has a limit of its own.
        limit: see above; [metrics] where there are several.
        allowed: bool [units, formats].

    Returns int [units], or None where nothing keeps the limit.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix

    units, formats = cost.shape
    size = units * formats
    weights = weight.reshape(units, formats, -1)
    allowed = allowed & ~dominated(cost, weights, allowed)
    # HiGHS works with absolute tolerances: all sums are brought to the order of 1.
    costs = cost / max(float(np.abs(cost[allowed]).max(initial=0.0)), 1e-300)
    scale = np.maximum(np.abs(weights[allowed]).max(0, initial=0.0), 1e-300)  # [metrics]
    one_each = csr_matrix(
        (np.ones(size), (np.repeat(np.arange(units), formats), np.arange(size))),
        shape=(units, size),
    )
    within = csr_matrix((weights / scale).reshape(size, -1).T)
    with native_stdout_discarded():  # HiGHS prints a line now and then, whatever its options say
        found = milp(
            costs.reshape(-1),
            integrality=np.ones(size),
            bounds=Bounds(0, allowed.reshape(-1).astype(float)),
            constraints=[
                LinearConstraint(one_each, 1, 1),
                LinearConstraint(within, -np.inf, limit / scale),
            ],
            options={"time_limit": SECONDS, "mip_rel_gap": GAP},
        )
    if found.x is None:
        return None
    chosen: Array = found.x.reshape(units, formats).argmax(1)
    return chosen


def dominated(cost: Array, weight: Array, allowed: Array) -> Array:
    """Formats that no best choice needs, bool [units, formats]: another is no worse in anything.

    `weight` is [units, formats] or [units, formats, metrics]. Of equal ones the first stays.
    Without them the program is a fraction of the size.
    """
    sums = np.concatenate([cost[..., None], weight.reshape(*cost.shape, -1)], -1)
    one, other = sums[:, :, None], sums[:, None]
    no_worse = (other <= one).all(-1) & allowed[:, None]
    better = (other < one).any(-1)
    first = np.arange(cost.shape[1])[None, None, :] < np.arange(cost.shape[1])[None, :, None]
    found: Array = (no_worse & (better | first)).any(-1) & allowed
    return found
