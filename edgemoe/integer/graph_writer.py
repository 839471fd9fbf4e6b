"""Builds an integer graph: nodes, constants under free names, factors that are proven to fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.errors import IntegerError
from edgemoe.integer import ranges
from edgemoe.integer.arithmetic import Scaling, scaling
from edgemoe.integer.facts import Facts
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.quantised import Quantised, Target
from edgemoe.weight_format import WeightFormat

Array = NDArray[Any]

LARGEST_SUM = (1 << 31) - 1


@dataclass(frozen=True)
class Integer:
    """A tensor of the integer graph; `low` and `high` are proven limits of its codes."""

    value: ir.Value
    quantised: Quantised
    low: int
    high: int

    @property
    def zero(self) -> int:
        """Its zero point."""
        return self.quantised.zero_point

    @property
    def scale(self) -> float:
        """Its scale."""
        return self.quantised.scale

    @property
    def largest(self) -> int:
        """The largest distance of a code from the zero point."""
        return max(self.high - self.zero, self.zero - self.low)


@dataclass(kw_only=True)
class GraphWriter:
    """The integer graph of one conversion, as far as it is made.

    `roots` are the scales of what operators make, by name; `stored` the formats of the weights that
    were used.
    """

    facts: Facts
    graph: ir.Graph
    roots: dict[str, Quantised] = field(default_factory=dict)
    weights: dict[tuple[str, bytes], ir.Value] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    stored: dict[str, WeightFormat] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Inputs keep their names, whatever else is called so."""
        self.names |= {str(v.name) for v in self.facts.model.graph.inputs}

    def free(self, name: str) -> str:
        """A name that no other value has, from the one that is wished for."""
        found, count = name, 1
        while found in self.names:
            count += 1
            found = f"{name}.{count}"
        self.names.add(found)
        return found

    def constant(self, value: ir.Value, quantised: Quantised) -> Integer:
        """A float constant as an initialiser of codes."""
        array = graph_facts.array_of(value)
        assert array is not None
        codes = quantised.encode(array)
        made = self.initializer(codes, f"{value.name}.{quantised.dtype}")
        low, high = int(codes.min(initial=0)), int(codes.max(initial=0))
        return Integer(
            made, quantised, min(low, quantised.zero_point), max(high, quantised.zero_point)
        )

    def initializer(self, array: Array, name: str) -> ir.Value:
        """A constant of the integer graph."""
        return self.store(ir.tensor(np.ascontiguousarray(array)), name)

    def weight(self, array: Array, name: str, given: WeightFormat) -> ir.Value:
        """The codes of a weight; a weight that two products share is stored once."""
        self.stored[name] = given
        key = (name, array.tobytes())
        if key not in self.weights:
            self.weights[key] = self.initializer(array, f"{name}.{given.name}")
        return self.weights[key]

    def store(self, tensor: ir.TensorProtocol, name: str) -> ir.Value:
        """A tensor as a constant; outputs of the model keep their names."""
        outputs = {str(v.name) for v in self.facts.model.graph.outputs}
        made = ir.Value(
            name=self.free(f"{name}.constant" if name in outputs else name),
            shape=ir.Shape([int(n) for n in tensor.shape if isinstance(n, int)]),
            type=ir.TensorType(tensor.dtype), const_value=tensor,
        )  # fmt: skip
        self.graph.register_initializer(made)
        return made

    def parameters(self, quantised: Quantised) -> list[ir.Value]:
        """Scale and zero point as QuantizeLinear and DequantizeLinear take them."""
        zero = np.array(quantised.zero_point, quantised.dtype)
        return [
            self.initializer(np.array(quantised.scale, np.float32), "scale"),
            self.initializer(zero, "zero_point"),
        ]

    def emit(
        self,
        op_type: str,
        inputs: Sequence[Integer | ir.Value | None],
        attributes: Mapping[str, int],
        value: ir.Value,
        target: Target,
        shape: Sequence[int] | None = None,
        suffix: str = "",
    ) -> Integer:
        """Add an integer operator that makes `value` as `target` says."""
        values = [v.value if isinstance(v, Integer) else v for v in inputs]
        dtype = dtype_of(target.quantised)
        node = self.append(op_type, values, attributes, value, DOMAIN, dtype, shape, suffix)
        if not suffix:
            self.roots[str(value.name)] = target.quantised
        return Integer(node.outputs[0], target.quantised, target.low, target.high)

    def move(
        self,
        op_type: str,
        number: Integer,
        others: Sequence[ir.Value],
        attributes: Mapping[str, Any],
        value: ir.Value,
        shape: Sequence[int] | None = None,
        suffix: str = "",
    ) -> Integer:
        """Add a standard operator that moves codes about."""
        node = self.append(
            op_type, [number.value, *others], attributes, value, "",
            dtype_of(number.quantised), shape, suffix,
        )  # fmt: skip
        return replace(number, value=node.outputs[0])

    def append(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Any],
        value: ir.Value,
        domain: str,
        dtype: ir.DataType,
        shape: Sequence[int] | None = None,
        suffix: str = "",
    ) -> ir.Node:
        """Add any node with one output, which is called like `value`, `suffix` behind it."""
        source = value.producer()
        origin = graph_facts.origin_of(source)
        node = ir.node(
            op_type, list(inputs), attributes=dict(attributes), domain=domain,
            name=f"{source.name if source is not None else value.name}{suffix}",
            metadata_props={graph_facts.ORIGIN: origin} if origin else {},
        )  # fmt: skip
        output = node.outputs[0]
        output.name = self.free(f"{value.name}{suffix}")
        output.shape = value.shape if shape is None else ir.Shape(list(shape))
        output.type = ir.TensorType(dtype)
        self.graph.append(node)
        return node

    def scaling(
        self, factors: Array | float, bound: int, target: Target, value: ir.Value
    ) -> tuple[Scaling, Target]:
        """Integers for `factors` / the target's scale, for sums up to `bound`; the target may grow.

        Args:
            factors: what a sum's unit stands for, per output.
            bound: the largest sum, in absolute value.
            target: what is to be made.
            value: for the error.

        Raises:
            IntegerError: no such integers.
        """
        given = np.asarray(factors, np.float64)
        self.check_bound(bound, value)
        target = at_least(target, float(np.abs(given).max(initial=0.0)) * max(bound, 1) / 2.0**28)
        try:
            return scaling(given / target.quantised.scale, max(bound, 1)), target
        except ValueError as error:
            raise IntegerError(f"{_title(value)}: {error}") from error

    def check_bound(self, bound: int, value: ir.Value) -> None:
        """Refuse sums that an int32 does not hold.

        Raises:
            IntegerError: they do not fit.
        """
        if bound > LARGEST_SUM:
            raise IntegerError(
                f"{_title(value)} adds up to {bound:,}, an int32 holds {LARGEST_SUM:,}\n"
                "  next: int8 activations in front of it, or weights of fewer bits"
            )


def at_least(target: Target, scale: float) -> Target:
    """The target with a scale that is not less; a limit at 0.0 stays there."""
    if target.quantised.scale >= scale:
        return target
    return replace(target, quantised=replace(target.quantised, scale=scale))


def limits(target: Target) -> dict[str, int]:
    """The attributes of a target."""
    quantised = target.quantised
    return {
        "zero": quantised.zero_point, "low": target.low, "high": target.high,
        "bits": quantised.bits,
    }  # fmt: skip


def dtype_of(quantised: Quantised) -> ir.DataType:
    """The element type in a graph."""
    return ir.DataType.INT8 if quantised.bits == 8 else ir.DataType.INT16


def _title(value: ir.Value) -> str:
    node = value.producer()
    return f"{value.name} ({ranges.origin_or_name(node)})" if node is not None else str(value.name)
