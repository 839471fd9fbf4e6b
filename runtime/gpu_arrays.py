"""Arrays on their way to a GPU and back: devices hold float32, float16, int32 and uint32 only.

| model | device |
|---|---|
| float32, float64, bfloat16, float16 | float32 (float16 stays where the plan says so) |
| narrow KV caches: bfloat16, float16, int8 | the same bytes, which kernels read as words |
| int64, int8, uint8, int16, uint16, bool | int32, checked for its range |
| uint64 | uint32, checked |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import InputError
from edgemoe.runtime.frame import check_shape, nan_or_inf, numpy_dtype
from edgemoe.runtime.manifest import TensorSpec

Array = NDArray[Any]

_UNSIGNED = ("uint32", "uint64")


def device_dtype(dtype: str) -> str:
    """Return the dtype on a device without float16 of a dtype of a model."""
    if numpy_dtype(dtype).kind == "f" or dtype == "bfloat16":
        return "float32"
    return "uint32" if dtype in _UNSIGNED else "int32"


def to_device(array: Array, spec: TensorSpec, dtype: str) -> Array:
    """Convert an input of the model to `dtype`, that of the device.

    Raises:
        InputError: an integer is out of the range of the device's.
    """
    if dtype == spec.dtype:
        return np.ascontiguousarray(array)
    if spec.dtype == "bfloat16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    wanted = np.dtype(dtype)
    if wanted.kind in "iu" and array.dtype.kind in "iu" and array.size:
        limits = np.iinfo(wanted)
        least, most = int(array.min()), int(array.max())
        if least < limits.min or most > limits.max:
            raise InputError(
                f"input '{spec.name}' holds {least if least < limits.min else most}, outside of "
                f"{limits.min} to {limits.max}: GPUs compute with 32-bit integers; give smaller "
                "ones, or run the model on a CPU"
            )
    return np.ascontiguousarray(array, wanted)


def from_device(array: Array, spec: TensorSpec, dtype: str) -> Array:
    """Convert what the device computed, of `dtype`, to the dtype of the model's output."""
    if dtype == spec.dtype:
        return array
    if spec.dtype == "bfloat16":
        return _to_bfloat16(np.asarray(array, np.float32))
    wanted = numpy_dtype(spec.dtype)
    if wanted == np.bool_:
        return np.asarray(array != 0)
    return array.astype(wanted, copy=False)


def _to_bfloat16(array: Array) -> Array:
    """Bits of the nearest bfloat16, ties to even; NaN stays NaN."""
    bits = array.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(array), (bits >> 16) | 0x40, rounded).astype(np.uint16)


def checked(
    specs: Sequence[TensorSpec], inputs: Mapping[str, Array], *, strict: bool
) -> tuple[list[Array | None], int | None]:
    """Check the inputs of one run; states may be left out.

    Returns:
        (an array or None per input, the number of tokens)

    Raises:
        InputError: a name, dtype, shape or value does not fit.
    """
    expected = "; ".join(map(str, specs))
    unknown = next((name for name in inputs if name not in {s.name for s in specs}), None)
    if unknown is not None:
        raise InputError(f"the model has no input '{unknown}'; its inputs are {expected}")
    arrays: list[Array | None] = []
    tokens: tuple[str, int] | None = None
    for spec in specs:
        array = inputs.get(spec.name)
        if array is None:
            if spec.state_output is None:
                raise InputError(f"input '{spec.name}' is missing; expected are {expected}")
            arrays.append(None)
            continue
        arrays.append(_checked(spec, array, strict=strict))
        if spec.token_axis is not None:
            count = int(array.shape[spec.token_axis])
            if tokens is not None and tokens[1] != count:
                raise InputError(
                    f"input '{spec.name}' has {count} tokens, input '{tokens[0]}' has "
                    f"{tokens[1]}; they must be equal"
                )
            tokens = (spec.name, count)
    given = {spec.name: array is not None for spec, array in zip(specs, arrays, strict=True)}
    for name, there in given.items():
        if given.get(f"{name}.scales", there) != there:
            raise InputError(
                f"states '{name}' and '{name}.scales' are one cache: give both, or leave both out"
            )
    return arrays, None if tokens is None else tokens[1]


def _checked(spec: TensorSpec, array: Any, *, strict: bool) -> Array:
    if not isinstance(array, np.ndarray):
        raise InputError(
            f"input '{spec.name}' is a {type(array).__name__}, expected a NumPy array {spec}; "
            "convert it with numpy.asarray(value, dtype)"
        )
    dtype = numpy_dtype(spec.dtype)
    if array.dtype != dtype:
        bits = ", whose bits travel as uint16" if spec.dtype == "bfloat16" else ""
        raise InputError(
            f"input '{spec.name}' is {array.dtype} {list(array.shape)}, expected {spec}{bits}; "
            f"convert it with array.astype(numpy.{dtype.name})"
        )
    check_shape(spec, array.shape)
    if strict and nan_or_inf(array):
        raise InputError(
            f"input '{spec.name}' holds NaN or infinity; clean the data, or load the artifact "
            "without strict"
        )
    return array


def token_slice(array: Array, axis: int, begin: int, take: int, bucket: int) -> Array:
    """Tokens `begin` to `begin + take` of `array`, then zeros up to `bucket`."""
    index = [slice(None)] * array.ndim
    index[axis] = slice(begin, begin + take)
    part = array[tuple(index)]
    if take == bucket:
        return part
    shape = list(array.shape)
    shape[axis] = bucket
    padded = np.zeros(shape, array.dtype)
    index[axis] = slice(0, take)
    padded[tuple(index)] = part
    return padded
