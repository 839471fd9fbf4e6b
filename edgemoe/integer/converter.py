"""The state of one conversion: float values of a flat graph on one side, integers on the other.

Rules ask for their inputs with `want` and add nodes with `emit`. The scale of a value follows from
what calibration saw of it and from its width, whoever asks first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from edgemoe.integer.operators import DOMAIN
from edgemoe.integer.quantised import Quantised, Target, whole
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


@dataclass(frozen=True)
class Island:
    """A float operator that no rule took, and what the rules said."""

    node: str
    op_type: str
    origin: str
    why: str


Rule = Callable[["Converter", ir.Value, Target], "Integer | str | None"]
"""(converter, value, what to make) -> the tensor, why not, or None: not my business."""


@dataclass
class Converter:
    """One conversion of `facts.model`.

    `widths` are bits by name of a value; `formats` weight formats by name of a weight.
    """

    facts: Facts
    rules: Sequence[Rule]
    widths: Callable[[ir.Value], int]
    formats: Mapping[str, WeightFormat]
    graph: ir.Graph
    made: dict[ir.Value, Integer] = field(default_factory=dict)
    floats: dict[ir.Value, ir.Value] = field(default_factory=dict)
    others: dict[ir.Value, ir.Value] = field(default_factory=dict)
    roots: dict[str, Quantised] = field(default_factory=dict)
    islands: list[Island] = field(default_factory=list)
    refused: dict[ir.Value, str] = field(default_factory=dict)
    shared: dict[ir.Node, Any] = field(default_factory=dict)
    """What a rule keeps for the other outputs of a node."""
    weights: dict[tuple[str, bytes], ir.Value] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    stored: dict[str, WeightFormat] = field(default_factory=dict)
    """Formats of the weights that were used, by name."""

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

    def want(
        self, value: ir.Value, reader: ir.Node | None = None, target: Target | None = None
    ) -> Integer:
        """The integers of a float value; made now if nobody asked before.

        With `target`, they are made as the only `reader` needs them, if there is no other.
        """
        found = self.made.get(value)
        if found is None:
            alone = reader is not None and graph_facts.only_user(value) is reader
            given = target if target is not None and alone else None
            found = self._make(value, given or self.target(value))
            self.made[value] = found
        return found

    def target(self, value: ir.Value) -> Target:
        """The scale that calibration and the width give a value."""
        name = str(value.name)
        bits = self.widths(value)
        if graph_facts.is_constant(value):
            array = graph_facts.array_of(value)
            assert array is not None
            return whole(ranges.scale_of(ranges.of_constant(array), bits))
        return whole(self.facts.scale(name, bits))

    def _make(self, value: ir.Value, target: Target) -> Integer:
        if graph_facts.is_constant(value):
            return self.constant(value, target.quantised)
        if value.is_graph_input():
            return self._input(value, target)
        tried = self._by_rule(value, target)
        if isinstance(tried, Integer):
            return tried
        return self._quantise(self.want_float(value), value, target)

    def _by_rule(self, value: ir.Value, target: Target) -> Integer | str:
        if value in self.refused:
            return self.refused[value]
        reasons = []
        for rule in self.rules:
            found = rule(self, value, target)
            if isinstance(found, Integer):
                return found
            if found is not None:
                reasons.append(found)
        node = value.producer()
        op_type = node.op_type if node is not None else "?"
        self.refused[value] = "; ".join(reasons) or f"no rule for {op_type}"
        return self.refused[value]

    def _input(self, value: ir.Value, target: Target) -> Integer:
        made = ir.Value(
            name=value.name, shape=value.shape, type=ir.TensorType(_dtype(target.quantised))
        )
        self.graph.inputs.append(made)
        self.roots[str(value.name)] = target.quantised
        least = -32768 if target.quantised.bits == 16 else -128  # whatever a caller gives
        return Integer(made, target.quantised, least, target.high)

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
        return self._constant(ir.tensor(np.ascontiguousarray(array)), name)

    def weight(self, array: Array, name: str, given: WeightFormat) -> ir.Value:
        """The codes of a weight; a weight that two products share is stored once."""
        self.stored[name] = given
        key = (name, array.tobytes())
        if key not in self.weights:
            self.weights[key] = self.initializer(array, f"{name}.{given.name}")
        return self.weights[key]

    def _constant(self, tensor: ir.TensorProtocol, name: str) -> ir.Value:
        outputs = {str(v.name) for v in self.facts.model.graph.outputs}
        made = ir.Value(
            name=self.free(f"{name}.constant" if name in outputs else name),
            shape=ir.Shape([int(n) for n in tensor.shape if isinstance(n, int)]),
            type=ir.TensorType(tensor.dtype), const_value=tensor,
        )  # fmt: skip
        self.graph.register_initializer(made)
        return made

    # Values that are no floats, and floats of islands.

    def want_other(self, value: ir.Value) -> ir.Value:
        """A value that holds no floats (ids, masks, shapes), as the float graph computes it."""
        if value in self.others:
            return self.others[value]
        if graph_facts.is_constant(value):
            made = self._copied(value)
        elif value.is_graph_input():
            made = ir.Value(name=value.name, shape=value.shape, type=value.type)
            self.graph.inputs.append(made)
        elif graph_facts.made_by(value, "TopK") and isinstance(
            tried := self._by_rule(value, _IDS), Integer
        ):
            made = tried.value
        else:
            node = value.producer()
            assert node is not None
            self._copy(node, self.others)
            made = self.others[value]
        self.others[value] = made
        return made

    def want_float(self, value: ir.Value) -> ir.Value:
        """A float value of the float graph: dequantised, or made by an island."""
        if value in self.floats:
            return self.floats[value]
        if graph_facts.is_constant(value):
            made = self._copied(value)
            self.floats[value] = made
            return made
        if value not in self.made and not value.is_graph_input():
            tried = self._by_rule(value, self.target(value))
            if isinstance(tried, Integer):
                self.made[value] = tried
            else:
                self._island(value, tried)
                return self.floats[value]
        number = self.want(value)
        made = self._dequantise(number, value)
        self.floats[value] = made
        return made

    def _copied(self, value: ir.Value) -> ir.Value:
        tensor = value.const_value
        assert tensor is not None
        return self._constant(tensor, str(value.name))

    def _island(self, value: ir.Value, why: str) -> None:
        node = value.producer()
        assert node is not None
        self._copy(node, self.floats)
        self.islands.append(
            Island(graph_facts.name_of(node), node.op_type, graph_facts.origin_of(node), why)
        )

    def _copy(self, node: ir.Node, into: dict[ir.Value, ir.Value]) -> None:
        inputs = [None if v is None else self._given(v, node) for v in node.inputs]
        copy = ir.node(
            node.op_type, inputs, domain=node.domain, num_outputs=len(node.outputs),
            attributes={n: a.value for n, a in node.attributes.items()},
            overload=node.overload, name=node.name, metadata_props=dict(node.metadata_props),
        )  # fmt: skip
        self.graph.append(copy)
        for old, new in zip(node.outputs, copy.outputs, strict=True):
            floats = ranges.is_float(old)
            new.name = self.free(f"{old.name}.float" if floats else str(old.name))
            new.shape = old.shape
            moved = graph_facts.is_op(node, *graph_facts.MOVEMENTS) and not floats
            first = inputs[0] if moved else None
            new.type = old.type if first is None else first.type
            (self.floats if floats else self.others)[old] = new

    def _given(self, value: ir.Value, reader: ir.Node) -> ir.Value:
        """An input of a node that is copied; ids are int32 here, for all but movements a cast."""
        if ranges.is_float(value):
            return self.want_float(value)
        found = self.want_other(value)
        if found.dtype == value.dtype or graph_facts.is_op(reader, *graph_facts.MOVEMENTS):
            return found
        node = self._append(
            "Cast", [found], {"to": int(value.dtype or 0)}, value, "",
            value.dtype or ir.DataType.INT64, suffix=".wide",
        )  # fmt: skip
        return node.outputs[0]

    def _dequantise(self, number: Integer, value: ir.Value) -> ir.Value:
        inputs = [number.value, *self._parameters(number.quantised)]
        node = self._append(
            "DequantizeLinear", inputs, {}, value, "", ir.DataType.FLOAT, suffix=".float"
        )
        return node.outputs[0]

    def _quantise(self, given: ir.Value, value: ir.Value, target: Target) -> Integer:
        inputs = [given, *self._parameters(target.quantised)]
        dtype = _dtype(target.quantised)
        node = self._append("QuantizeLinear", inputs, {}, value, "", dtype)
        self.roots[str(value.name)] = target.quantised
        quantised = target.quantised  # the operator saturates to all codes
        least = -32768 if quantised.bits == 16 else -128
        return Integer(node.outputs[0], quantised, least, quantised.high)

    def _parameters(self, quantised: Quantised) -> list[ir.Value]:
        zero = np.array(quantised.zero_point, quantised.dtype)
        return [
            self.initializer(np.array(quantised.scale, np.float32), "scale"),
            self.initializer(zero, "zero_point"),
        ]

    # Nodes.

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
        dtype = _dtype(target.quantised)
        node = self._append(op_type, values, attributes, value, DOMAIN, dtype, shape, suffix)
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
        node = self._append(
            op_type, [number.value, *others], attributes, value, "",
            _dtype(number.quantised), shape, suffix,
        )  # fmt: skip
        return replace(number, value=node.outputs[0])

    def _append(
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

    # Factors.

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


_IDS = whole(Quantised("int16", 1.0))


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


def _dtype(quantised: Quantised) -> ir.DataType:
    return ir.DataType.INT8 if quantised.bits == 8 else ir.DataType.INT16


def _title(value: ir.Value) -> str:
    node = value.producer()
    return f"{value.name} ({ranges.origin_or_name(node)})" if node is not None else str(value.name)
