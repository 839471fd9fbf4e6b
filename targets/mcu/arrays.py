"""Weights as C arrays: which there are, what they hold, and their text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.plan import Plan, Pointer, WeightSection
from edgemoe.targets.literals import float_literal

Array = NDArray[Any]

NUMPY_TYPES = {
    "float": "float32", "double": "float64", "int8_t": "int8", "uint8_t": "uint8",
    "int16_t": "int16", "uint16_t": "uint16", "int32_t": "int32", "uint32_t": "uint32",
    "int64_t": "int64", "uint64_t": "uint64",
}  # fmt: skip
"""dtypes by the C types of kernels' parameters."""

C_TYPES = {
    **{dtype: name for name, dtype in NUMPY_TYPES.items()},
    "float16": "uint16_t", "bfloat16": "uint16_t", "bool": "uint8_t",
}  # fmt: skip
"""C types of inputs and outputs by dtype."""

_LINE = 96


@dataclass(frozen=True)
class WeightArray:
    """Bytes `start` to `start + nbytes` of the plan's weights, of one C type."""

    name: str
    start: int
    nbytes: int
    type: str
    sections: tuple[WeightSection, ...]

    @property
    def count(self) -> int:
        """Number of elements."""
        return self.nbytes // np.dtype(NUMPY_TYPES[self.type]).itemsize

    @property
    def role(self) -> str:
        """What the array holds: "expert", "linear", "constant", ..."""
        return self.sections[0].role or "constant"

    def declaration(self, prefix: str) -> str:
        """Head of the definition, without `extern`."""
        return f"const {self.type} {prefix}_{self.name}[{self.count}]"


def arrays_of(plan: Plan) -> list[WeightArray]:
    """The arrays that the steps read, by their place; what no step reads is left out."""
    types: dict[int, str] = {}
    ends: dict[int, int] = {}
    kernels = {kernel.name: kernel for kernel in plan.kernels}
    for variant in plan.variants:
        for step in variant.steps:
            parameters = kernels[step.kernel].parameters
            for argument, parameter in zip(step.arguments, parameters, strict=True):
                if not isinstance(argument, Pointer):
                    continue
                buffer = variant.buffers[argument.buffer]
                if buffer.where == "weights":
                    types.setdefault(buffer.offset, parameter.rstrip("*"))
                    end = max(ends.get(buffer.offset, 0), buffer.offset + buffer.nbytes)
                    ends[buffer.offset] = end
    found: list[WeightArray] = []
    for start in sorted(ends):
        if found and start < found[-1].start + found[-1].nbytes:
            raise AssertionError(f"weights at {start} lie inside of array {found[-1].name}")
        sections = tuple(s for s in plan.weights if start <= s.offset < ends[start])
        nbytes = ends[start] - start
        found.append(WeightArray(f"w{len(found)}", start, nbytes, types[start], sections))
    return found


def contents(
    arrays: Sequence[WeightArray], plan: Plan, data: Iterable[Array | bytes]
) -> Iterator[tuple[WeightArray, Array]]:
    """The elements of every array; `data` are the bytes of the plan's sections, in order."""
    owners = {section: array for array in arrays for section in array.sections}
    filled: dict[str, bytearray] = {}
    for section, piece in zip(plan.weights, data, strict=True):
        owner = owners.get(section)
        if owner is None:
            continue
        raw = piece if isinstance(piece, bytes) else np.ascontiguousarray(piece).tobytes()
        target = filled.setdefault(owner.name, bytearray(owner.nbytes))
        at = section.offset - owner.start
        target[at : at + len(raw)] = raw
        if section == owner.sections[-1]:
            whole = filled.pop(owner.name)
            yield owner, np.frombuffer(bytes(whole), NUMPY_TYPES[owner.type])


def numbers(array: Array) -> Iterator[str]:
    """The lines between the braces of an array's definition."""
    flat = array.reshape(-1)
    if flat.dtype == bool:
        flat = flat.astype(np.uint8)
    if flat.dtype.kind == "f":
        texts: Iterable[str] = (float_literal(float(x), str(flat.dtype)) for x in flat)
    else:
        suffix = {"int64": "LL", "uint64": "ULL"}.get(str(flat.dtype), "")
        least = np.iinfo(flat.dtype).min
        texts = (_integer(int(x), int(least), suffix) for x in flat)
    line = "   "
    for text in texts:
        if len(line) + len(text) + 2 > _LINE:
            yield line
            line = "   "
        line += f" {text},"
    yield line


def _integer(value: int, least: int, suffix: str) -> str:
    if value == least and least < -40000:  # -2147483648 is the negation of a larger type
        return f"({value + 1}{suffix} - 1)"
    return f"{value}{suffix}"
