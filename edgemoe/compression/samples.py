"""Calibration samples as feeds with targets, split into a part to search on and one to prove on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.errors import InputError

Array = NDArray[Any]

TARGET = "target:"
"""Arrays with this prefix are what an output should be, for a task metric."""

GROUP = "group:"
"""Arrays with this prefix say, sample by sample, which task or domain a sample belongs to."""

FEWEST = 8
"""Fewer samples than this cannot be split."""


@dataclass(frozen=True)
class Samples:
    """Arrays with a sample axis, for a graph of static shapes; one feed exists at a time.

    `rest` are the inputs that the arrays do not give: states at zero, examples.
    """

    arrays: Mapping[str, Array]
    targets: Mapping[str, Array]
    rest: Mapping[str, Array]
    numbers: tuple[int, ...]  # which samples, in order

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self.numbers)

    def feeds(self) -> Iterator[dict[str, Array]]:
        """The inputs of one sample after another."""
        for number in self.numbers:
            yield self.feed(number)

    def feed(self, number: int) -> dict[str, Array]:
        """The inputs of sample `number` of the arrays."""
        return {**self.rest, **{name: array[number] for name, array in self.arrays.items()}}

    def target(self, number: int) -> dict[str, Array]:
        """What the outputs of sample `number` should be."""
        return {name: array[number] for name, array in self.targets.items()}

    def some(self, numbers: Sequence[int]) -> Samples:
        """The same arrays, other samples."""
        return Samples(self.arrays, self.targets, self.rest, tuple(numbers))

    def split(self, seed: int) -> tuple[Samples, Samples]:
        """Halves in random order: one to search on, one to prove on.

        Raises:
            InputError: there are too few samples.
        """
        if len(self) < FEWEST:
            raise InputError(
                f"{len(self)} calibration samples are too few to search on one half and prove on "
                f"the other; give at least {FEWEST}, better some hundred"
            )
        order = np.random.default_rng(seed).permutation(self.numbers)
        half = len(order) // 2
        return self.some(sorted(order[:half])), self.some(sorted(order[half:]))


def samples_of(
    given: Mapping[str, Array],
    graph: ir.Model,
    rest: Mapping[str, Array],
    only: Mapping[str, str] | None = None,
) -> Samples:
    """Fit arrays to the inputs of a graph; a leading axis of 1 may be left out of a sample.

    Args:
        given: inputs by name, `target:` and `group:` arrays.
        graph: of static shapes.
        rest: inputs that the arrays do not give.
        only: groups and the value that samples must have, to compress for one task.

    Raises:
        InputError: a name is no input or output, or a shape or an element type does not fit.
    """
    inputs = {str(v.name): v for v in graph.graph.inputs}
    outputs = {str(v.name): v for v in graph.graph.outputs}
    arrays, targets = {}, {}
    for name, array in given.items():
        if name.startswith(TARGET):
            targets[name[len(TARGET) :]] = array
            continue
        if name.startswith(GROUP):
            continue
        if name not in inputs:
            raise InputError(
                f"calibration array {name!r} is no input; inputs: {', '.join(inputs)}; targets are "
                f"named {', '.join(TARGET + output for output in outputs)}"
            )
        arrays[name] = _fitted(name, array, inputs[name])
    for name in targets:
        if name not in outputs:
            raise InputError(
                f"calibration array {TARGET + name!r}: the model has no output {name!r}, but "
                f"{', '.join(outputs)}"
            )
    return Samples(arrays, targets, rest, tuple(_chosen(given, only or {})))


def _chosen(given: Mapping[str, Array], only: Mapping[str, str]) -> list[int]:
    """The numbers of the samples of the wanted groups."""
    numbers = list(range(len(next(iter(given.values())))))
    for name, value in only.items():
        array = given.get(GROUP + name)
        if array is None:
            has = ", ".join(n[len(GROUP) :] for n in given if n.startswith(GROUP)) or "none"
            raise InputError(
                f"--task {name}={value}: the calibration data has no array {GROUP + name}; "
                f"groups: {has}"
            )
        numbers = [n for n in numbers if str(array[n]) == value]
        if not numbers:
            values = ", ".join(sorted({str(v) for v in array.reshape(-1)})[:8])
            raise InputError(f"--task {name}={value}: no sample has it; there are {values}")
    return numbers


def _fitted(name: str, array: Array, value: ir.Value) -> Array:
    shape = graph_facts.shape_of(value)
    assert shape is not None and value.dtype is not None
    wanted = value.dtype.numpy()
    if array.shape[1:] != shape:
        if shape[:1] == (1,) and array.shape[1:] == shape[1:]:
            array = array[:, None]
        else:
            raise InputError(
                f"calibration array {name!r} holds samples of shape {list(array.shape[1:])} (the "
                f"first axis counts samples), the input has {list(shape)}"
            )
    if array.dtype != wanted:
        if array.dtype.kind == "f" and wanted.kind in "iu":
            raise InputError(
                f"calibration array {name!r} is {array.dtype}, the input {wanted}; give integers"
            )
        array = array.astype(wanted)
    return array
