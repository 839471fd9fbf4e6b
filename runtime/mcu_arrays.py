"""Inputs and outputs of a microcontroller's model: checked, and turned from floats to integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import InputError
from edgemoe.runtime.frame import nan_or_inf, numpy_dtype
from edgemoe.runtime.manifest import TensorSpec

Array = NDArray[Any]


def quantised(array: Array, spec: TensorSpec) -> Array:
    """round(array / scale) + zero_point, to nearest even, limited to the range of the dtype."""
    assert spec.scale is not None
    limits = np.iinfo(numpy_dtype(spec.dtype))
    codes = np.rint(array.astype(np.float64) / spec.scale) + spec.zero_point
    limited = np.clip(codes, limits.min, limits.max)
    return np.asarray(limited, numpy_dtype(spec.dtype))


def dequantised(array: Array, spec: TensorSpec) -> Array:
    """Scale * (array - zero_point) as float32."""
    assert spec.scale is not None
    real = (array.astype(np.float64) - spec.zero_point) * spec.scale
    return np.asarray(real, np.float32)


def prepared(
    specs: Sequence[TensorSpec], inputs: Mapping[str, Array], *, strict: bool
) -> tuple[dict[str, Array], bool, bool]:
    """Check the inputs of one run.

    Float arrays for integer inputs with a scale are quantised; states may be left out.

    Returns:
        (contiguous arrays of the inputs that are no states, whether one was quantised, whether
        states were given, as zeros: the run begins anew)

    Raises:
        InputError: a name, dtype, shape or value does not fit.
    """
    expected = "; ".join(str(spec) for spec in specs)
    known = {spec.name for spec in specs}
    unknown = next((name for name in inputs if name not in known), None)
    if unknown is not None:
        raise InputError(f"the model has no input '{unknown}'; its inputs are {expected}")
    arrays: dict[str, Array] = {}
    floats, states = False, False
    for spec in specs:
        array = inputs.get(spec.name)
        if spec.state_output is not None:
            if array is not None and np.any(array):
                raise InputError(
                    f"state '{spec.name}' is not zero; the states of a microcontroller stay on the "
                    "device: leave them out, and call reset() to begin anew"
                )
            states = states or array is not None
            continue
        if array is None:
            raise InputError(f"input '{spec.name}' is missing; expected are {expected}")
        arrays[spec.name], was_float = _prepared(spec, array, strict)
        floats = floats or was_float
    return arrays, floats, states


def _prepared(spec: TensorSpec, array: Any, strict: bool) -> tuple[Array, bool]:
    dtype = numpy_dtype(spec.dtype)
    if not isinstance(array, np.ndarray):
        raise InputError(
            f"input '{spec.name}' is a {type(array).__name__}, expected a NumPy array {spec}"
        )
    if array.shape != spec.shape:
        raise InputError(
            f"input '{spec.name}' is {array.dtype} {list(array.shape)}, expected {spec}"
        )
    if strict and nan_or_inf(array):
        raise InputError(f"input '{spec.name}' holds NaN or infinity; clean the data")
    was_float = spec.scale is not None and array.dtype.kind == "f"
    if was_float:
        array = quantised(array, spec)
    if array.dtype != dtype:
        raise InputError(
            f"input '{spec.name}' is {array.dtype} {list(array.shape)}, expected {spec}; convert "
            f"it with array.astype(numpy.{dtype.name})"
        )
    return np.ascontiguousarray(array), was_float
