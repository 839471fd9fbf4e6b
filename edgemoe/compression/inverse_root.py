"""The triangular root of the inverse of a damped Gram matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Array = NDArray[Any]


def inverse_root(gram: Array, damping: float) -> Array | None:
    """U, float32 [n, n] upper triangular, with U^T U = (gram / mean + damping)^-1.

    `mean` is that of the diagonal, so that `damping` has no unit. None: the damped matrix is not
    positive definite. The matrix is factorised from its end, H = R R^T with R upper triangular, so
    that U = R^-1 and nothing is inverted but a triangle.
    """
    scaled = np.asarray(gram, np.float64) / float(np.mean(np.diagonal(gram)))
    scaled[np.diag_indices_from(scaled)] += damping
    try:
        lower = linalg.cholesky(scaled[::-1, ::-1], lower=True, check_finite=False)
    except linalg.LinAlgError:
        return None
    upper = lower[::-1, ::-1]
    inverse = linalg.solve_triangular(upper, np.eye(len(upper)), check_finite=False)
    return np.ascontiguousarray(inverse, np.float32) if np.isfinite(inverse).all() else None
