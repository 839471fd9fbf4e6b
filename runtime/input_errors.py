"""Says what is wrong with the inputs of a call, when something is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgemoe.runtime.errors import InputError
from edgemoe.runtime.frame import numpy_dtype
from edgemoe.runtime.manifest import TensorSpec


def input_error(specs: Sequence[TensorSpec], inputs: Mapping[str, Any]) -> InputError:
    """Say which name, type or dtype of `inputs` does not fit `specs`."""
    expected = "; ".join(str(spec) for spec in specs)
    names = [spec.name for spec in specs]
    for name in inputs:
        if name not in names:
            return InputError(f"the model has no input '{name}'; its inputs are {expected}")
    for spec in specs:
        array = inputs.get(spec.name)
        if spec.name not in inputs:
            if spec.state_output is None:
                return InputError(f"input '{spec.name}' is missing; expected are {expected}")
            continue
        if not isinstance(array, np.ndarray):
            return InputError(
                f"input '{spec.name}' is a {type(array).__name__}, expected a NumPy array "
                f"{spec}; convert it with numpy.asarray(value, dtype)"
            )
        dtype = numpy_dtype(spec.dtype)
        if array.dtype != dtype and spec.state_output is not None:
            bits = ", whose bits travel as uint16" if spec.dtype == "bfloat16" else ""
            return InputError(
                f"state '{spec.name}' is {array.dtype} {list(array.shape)}, expected {spec}"
                f"{bits}; give what a run returned as '{spec.state_output}', or leave it out"
            )
        if array.dtype != dtype:
            return InputError(
                f"input '{spec.name}' is {array.dtype} {list(array.shape)}, expected {spec}; "
                f"convert it with array.astype(numpy.{dtype.name})"
            )
    return InputError(f"the inputs do not fit; expected are {expected}")
