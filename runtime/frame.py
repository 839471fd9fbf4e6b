"""The C structures of one call, made once per combination of shapes and used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import InputError
from edgemoe.runtime.library import DTYPES, MAX_RANK, Tensor
from edgemoe.runtime.manifest import TensorSpec
from edgemoe.runtime.result_memory import ResultMemory

Array = NDArray[Any]

_ALIGN_FROM_BYTES = 1 << 14  # below, a copy in C is cheaper than an aligned allocation here


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype of a dtype of edgemoe; bfloat16 travels as uint16."""
    return np.dtype("uint16" if name == "bfloat16" else name)


def nan_or_inf(array: Array) -> bool:
    """Tell whether a float array holds NaN or infinity."""
    return array.dtype.kind == "f" and not bool(np.isfinite(array).all())


def empty(shape: tuple[int, ...], dtype: np.dtype[Any], nbytes: int, memory: ResultMemory) -> Array:
    """Allocate an output; a large one at a multiple of 64 bytes, so that C writes it directly."""
    if nbytes < _ALIGN_FROM_BYTES:
        return np.empty(shape, dtype)
    return memory.take(nbytes).view(dtype).reshape(shape)


class Frame:
    """Inputs and outputs of one call in progress; taken from and given back to the session."""

    def __init__(
        self,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        arrays: Sequence[Array | None],
    ) -> None:
        """Check the shapes of `arrays` and lay out the structures for them."""
        self.input_count, self.output_count = len(inputs), len(outputs)
        self.c_inputs = (Tensor * max(1, len(inputs)))()
        self.c_outputs = (Tensor * max(1, len(outputs)))()
        tokens: int | None = None
        for number, (spec, array) in enumerate(zip(inputs, arrays, strict=True)):
            if array is None:
                continue
            check_shape(spec, array.shape)
            if spec.token_axis is not None:
                tokens = array.shape[spec.token_axis]
            _fill(self.c_inputs[number], spec, array.shape)
        held = {
            spec.state_output
            for spec, array in zip(inputs, arrays, strict=True)
            if spec.state_output is not None and array is None
        }
        self._outputs: list[tuple[str, Tensor, tuple[int, ...], np.dtype[Any], int, bool]] = []
        for number, spec in enumerate(outputs):
            shape = tuple((tokens or 0) if extent < 0 else extent for extent in spec.shape)
            tensor = self.c_outputs[number]
            _fill(tensor, spec, shape)
            dtype = numpy_dtype(spec.dtype)
            nbytes = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
            self._outputs.append((spec.name, tensor, shape, dtype, nbytes, spec.name in held))
        self._known = {name: (shape, dtype) for name, _, shape, dtype, _, _ in self._outputs}
        self._memory = [ResultMemory() for _ in outputs]
        self._inputs = [self.c_inputs[number] for number in range(len(inputs))]

    def point_inputs(self, arrays: Sequence[Array | None]) -> None:
        """Set the addresses of the inputs; None is a state that the session holds."""
        for tensor, array in zip(self._inputs, arrays, strict=True):
            tensor.data = None if array is None else array.__array_interface__["data"][0]

    def outputs(self, out: Mapping[str, Array] | None) -> dict[str, Array]:
        """Allocate or take the outputs, and set their addresses."""
        results: dict[str, Array] = {}
        if out is not None:
            check_out(out, self._known)
        for (name, tensor, shape, dtype, nbytes, held), memory in zip(
            self._outputs, self._memory, strict=True
        ):
            array = None if out is None else out.get(name)
            if array is None:
                if held:
                    tensor.data = None
                    continue
                array = empty(shape, dtype, nbytes, memory)
            tensor.data = array.__array_interface__["data"][0]
            results[name] = array
        return results


def check_shape(spec: TensorSpec, shape: tuple[int, ...]) -> None:
    """Raise InputError when an input has another shape than it should."""
    fits = len(shape) == len(spec.shape) and all(
        extent == want or (want < 0 and extent > 0)
        for extent, want in zip(shape, spec.shape, strict=True)
    )
    if not fits:
        note = " (n tokens, at least 1)" if -1 in spec.shape else ""
        raise InputError(
            f"input '{spec.name}' is {spec.dtype} {list(shape)}, expected {spec}{note}"
        )


def check_out(
    out: Mapping[str, Array], known: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]
) -> None:
    """Raise InputError when `out` does not fit the shapes and dtypes of the outputs."""
    for name, array in out.items():
        if name not in known:
            names = ", ".join(known)
            raise InputError(f"out has '{name}', which is no output; the outputs are {names}")
        shape, dtype = known[name]
        if array.shape != shape or array.dtype != dtype:
            raise InputError(
                f"out['{name}'] is {array.dtype} {list(array.shape)}, expected {dtype} "
                f"{list(shape)}"
            )
        if not array.flags.carray:
            raise InputError(f"out['{name}'] must be C-contiguous and writeable")


def _fill(tensor: Tensor, spec: TensorSpec, shape: tuple[int, ...]) -> None:
    tensor.dtype = DTYPES.index(spec.dtype)
    tensor.rank = len(shape)
    for axis in range(MAX_RANK):
        tensor.shape[axis] = shape[axis] if axis < len(shape) else 1
