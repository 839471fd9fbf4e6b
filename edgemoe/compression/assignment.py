"""Integer programs that give every unit a format: least bytes (or time) within an error, or back.

    min  sum_u sum_f cost[u,f] x[u,f]   s.t.  sum_f x[u,f] = 1,  sum weight[u,f] x[u,f] <= limit

as in MixDQ (Zhao et al., 2024, eq. 5) and MxMoE (Duanmu et al., 2025, eq. 7), solved by HiGHS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SECONDS = 10.0
"""HiGHS stops after this, with the best that it found."""


def assign(cost: Array, weight: Array, limit: float, allowed: Array) -> Array | None:
    """Choose one format per unit.

    Args:
        cost: float [units, formats], summed and minimised.
        weight: float [units, formats], whose sum may not exceed `limit`.
        limit: see above.
        allowed: bool [units, formats].

    Returns int [units], or None where nothing keeps the limit.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix

    units, formats = cost.shape
    size = units * formats
    # HiGHS works with absolute tolerances: both sums are brought to the order of 1.
    costs = cost / max(float(np.abs(cost[allowed]).max(initial=0.0)), 1e-300)
    scale = max(float(np.abs(weight[allowed]).max(initial=0.0)), 1e-300)
    one_each = csr_matrix(
        (np.ones(size), (np.repeat(np.arange(units), formats), np.arange(size))),
        shape=(units, size),
    )
    within = csr_matrix((weight / scale).reshape(1, -1))
    found = milp(
        costs.reshape(-1),
        integrality=np.ones(size),
        bounds=Bounds(0, allowed.reshape(-1).astype(float)),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(within, -np.inf, limit / scale),
        ],
        options={"time_limit": SECONDS, "mip_rel_gap": 1e-4},
    )
    if found.x is None:
        return None
    chosen: Array = found.x.reshape(units, formats).argmax(1)
    return chosen
