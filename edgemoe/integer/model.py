"""An integer program with what its tensors stand for; `run` is the exact reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.errors import InputError
from edgemoe.integer.converter import Island
from edgemoe.integer.evaluate import Program
from edgemoe.integer.evaluate_many import run_many
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.quantised import Quantised
from edgemoe.weight_format import WeightFormat

if TYPE_CHECKING:
    from edgemoe.integer.strip_scales import Division

Array = NDArray[Any]

TOGETHER = 16
"""Samples that `run_many` evaluates at once."""


@dataclass
class IntegerModel:
    """An integer graph.

    Args of the constructor:
        model: nodes of the domain "edgemoe.integer" (see `operators`), standard movements of
            codes, and islands of float operators between DequantizeLinear and QuantizeLinear.
        inputs: what each input stands for; None for ids and masks, which stay as they are.
        outputs: the same of outputs.
        tensors: what every tensor that an operator makes stands for.
        islands: float operators that no rule took.
        formats: how the weights of products are stored, by their names in the float graph.
        report: what the search did, as JSON holds it.
        strips: where a part is computed in strips of an image: which.
    """

    model: ir.Model
    inputs: Mapping[str, Quantised | None]
    outputs: Mapping[str, Quantised | None]
    tensors: Mapping[str, Quantised]
    islands: tuple[Island, ...] = ()
    formats: Mapping[str, WeightFormat] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    strips: Division | None = None

    @cached_property
    def program(self) -> Program:
        """The graph as Python functions."""
        return Program(self.model)

    def run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Float32 outputs by name for float inputs by name.

        Raises:
            InputError: an input is missing or has another shape.
        """
        made = self.run_integers(self.encode(feed))
        return {name: self._decode(name, array) for name, array in made.items()}

    def run_integers(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Codes of the outputs for codes of the inputs: what a device computes, bit for bit.

        Raises:
            InputError: an input is missing, or has another shape or element type.
        """
        for value in self.model.graph.inputs:
            name = str(value.name)
            array, dtype = feed.get(name), value.dtype
            if array is None:
                raise InputError(f"input {name!r} is missing")
            if dtype is not None and array.dtype != dtype.numpy():
                raise InputError(f"input {name!r} is {array.dtype}, it takes {dtype.numpy()}")
            if array.shape != graph_facts.shape_of(value):
                raise InputError(
                    f"input {name!r} has shape {list(array.shape)}, it takes "
                    f"{list(graph_facts.shape_of(value) or ())}"
                )
        return self.program.run(feed)

    def run_many(self, feeds: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]:
        """`run` of one feed after another, with the same bits, several at once."""
        given = iter(feeds)
        while some := [self.encode(feed) for feed in islice(given, TOGETHER)]:
            for made in run_many(self.program, some):
                yield {name: self._decode(name, array) for name, array in made.items()}

    def encode(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Float inputs as codes; the others as they are."""
        given = {}
        for name, quantised in self.inputs.items():
            if name in feed:
                array = np.asarray(feed[name])
                given[name] = array if quantised is None else quantised.encode(array)
        return given

    def _decode(self, name: str, array: Array) -> Array:
        quantised = self.outputs[name]
        return array if quantised is None else quantised.decode(array)

    def saturation(self, feed: Mapping[str, Array]) -> dict[str, float]:
        """The share of the elements of each tensor that lie at an end of its codes.

        Functions from tables and masks are left out: many end where their codes do. So are zeros.
        """
        found: dict[str, float] = {}
        made = {
            str(node.outputs[0].name) for node in self.model.graph
            if node.op_type in ("Table", "Curve", "Softmax", "Shares", "Where")
        }  # fmt: skip

        def look(name: str, array: Array) -> None:
            quantised = self.tensors.get(name)
            if quantised is not None and array.size and name not in made:
                ends = (array <= quantised.low) | (array >= quantised.high)
                ends &= array != quantised.zero_point
                found[name] = float(ends.mean())

        codes = self.encode(feed)
        for name, array in codes.items():
            look(name, array)
        self.program.run(codes, look)
        return found

    @property
    def weight_bytes(self) -> int:
        """Bytes of all constants, weights at the bits of their format."""
        return sum(self.bytes_by_role().values())

    def bytes_by_role(self) -> dict[str, int]:
        """Bytes of constants by what they are; small ones that are equal are stored once."""
        found: dict[str, int] = {}
        seen: set[object] = set()
        for node in self.model.graph:
            for place, value in enumerate(node.inputs):
                if value is None or value.const_value is None:
                    continue
                role, nbytes = _role(node, place, value)
                key = (role, *_identity(value))
                if key in seen or not role:
                    continue
                seen.add(key)
                found[role] = found.get(role, 0) + nbytes
        return found


SMALL = 1 << 12
"""Bytes up to which constants are compared by what is in them."""


def _identity(value: ir.Value) -> tuple[object, ...]:
    """What two constants have in common that are stored once."""
    tensor = value.const_value
    assert tensor is not None
    if tensor.nbytes > SMALL:
        return (value.name,)
    return (tensor.dtype, tensor.tobytes())


_ROLES = {
    "Linear": {1: "weights", 2: "biases", 3: "multipliers", 4: "group factors"},
    "ExpertLinear": {2: "weights", 3: "biases", 4: "multipliers", 5: "group factors"},
    "Conv": {1: "weights", 2: "biases", 3: "multipliers"},
    "ExpertSum": {3: "weights", 4: "biases", 5: "multipliers", 6: "group factors"},
    "Norm": {1: "norms", 2: "norms"},
    "Table": {1: "tables"},
    "Curve": {1: "tables"},
    "Softmax": {1: "tables", 2: "tables"},
}


def _role(node: ir.Node, place: int, value: ir.Value) -> tuple[str, int]:
    tensor = value.const_value
    assert tensor is not None
    if node.domain != DOMAIN:
        moved = (
            graph_facts.is_op(node, "Gather", "Concat", "Where", "GatherND") and tensor.size > 64
        )
        floats = tensor.dtype.is_floating_point() and tensor.size > 1
        return ("constants", tensor.nbytes) if moved or floats else ("", 0)
    role = _ROLES.get(node.op_type, {}).get(place, "constants")
    if role == "weights":
        bits = graph_facts.attribute(node, "weight_bits", 8)
        return role, -(-tensor.size * bits // 8)
    return role, tensor.nbytes
