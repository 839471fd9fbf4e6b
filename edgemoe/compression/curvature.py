"""What a Gram matrix says about rounding: the order of the inputs, and what can make up for what.

The error of a product is quadratic in the weights' errors, with the Gram matrix as its Hessian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Array = NDArray[Any]

DAMPING = 0.01
"""What is added to the diagonal of a Gram matrix, in units of its mean: of inputs that calibration
never saw active, the weights stay near theirs."""

HIGHER_DAMPINGS = (1.0, 10.0, 100.0)
"""Factors of the damping that are tried until the Gram matrix can be factorised."""


@dataclass(frozen=True)
class Curvature:
    """`order` int64 [depth] of rounding: groups as they lie, the largest of a group first.

    `root` float32 [depth, depth], in that order, is the upper triangular U with U^T U = H^-1 (see
    `inverse_root`). `importance` [depth], as the inputs lie, is what the error of one input costs
    when those behind it make up for it as well as they can: 1 / U[k, k]^2.
    """

    order: Array
    root: Array
    importance: Array


@dataclass(frozen=True)
class NoCurvature:
    """`why` a Gram matrix is of no use; its diagonal may be: `importance` [depth] or None."""

    why: str
    importance: Array | None = None


def curvature_of(
    gram: Array | None, depth: int, group: int, damping: float = DAMPING
) -> Curvature | NoCurvature:
    """Read a Gram matrix, [depth, depth], None where no row was seen.

    Raises:
        ValueError: it has another size.
    """
    if gram is None:
        return NoCurvature("no row was seen")
    if gram.shape != (depth, depth):
        raise ValueError(f"a Gram matrix of {gram.shape} for weights of depth {depth}")
    diagonal = np.diagonal(gram)
    if not np.isfinite(gram).all():
        return NoCurvature("the Gram matrix is not finite")
    if (diagonal < 0).any():
        return NoCurvature("the Gram matrix has a negative diagonal")
    if not diagonal.any():
        return NoCurvature("every input was 0")
    order = _order(diagonal, group)
    ordered = gram[np.ix_(order, order)]
    for factor in HIGHER_DAMPINGS:
        root = inverse_root(ordered, damping * factor)
        if root is not None:
            importance = np.empty(depth)
            importance[order] = np.diagonal(root).astype(np.float64) ** -2
            return Curvature(order, root, importance)
    most = f"{HIGHER_DAMPINGS[-1] * damping:g} of its mean"
    return NoCurvature(f"the Gram matrix has negative eigenvalues, beyond {most}", diagonal)


def _order(diagonal: Array, group: int) -> Array:
    """Inputs in the order of rounding: group by group, the largest of a group first."""
    parts = [
        start + np.argsort(-diagonal[start : start + group], kind="stable")
        for start in range(0, len(diagonal), group)
    ]
    return np.concatenate(parts)


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
