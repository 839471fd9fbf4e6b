"""The state of one conversion: float values of a flat graph on one side, integers on the other.

Rules ask for their inputs with `want` and add nodes with `emit`. The scale of a value follows from
what calibration saw of it and from its width, whoever asks first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer import ranges
from edgemoe.integer.graph_writer import GraphWriter, Integer, dtype_of
from edgemoe.integer.quantised import Quantised, Target, whole
from edgemoe.weight_format import WeightFormat


@dataclass(frozen=True)
class Island:
    """A float operator that no rule took, and what the rules said."""

    node: str
    op_type: str
    origin: str
    why: str


Rule = Callable[["Converter", ir.Value, Target], "Integer | str | None"]
"""(converter, value, what to make) -> the tensor, why not, or None: not my business."""


@dataclass(kw_only=True)
class Converter(GraphWriter):
    """One conversion of `facts.model`.

    `widths` are bits by name of a value, `formats` weight formats by name of a weight; `shared` is
    what a rule keeps for the other outputs of a node.
    """

    rules: Sequence[Rule]
    widths: Callable[[ir.Value], int]
    formats: Mapping[str, WeightFormat]
    made: dict[ir.Value, Integer] = field(default_factory=dict)
    floats: dict[ir.Value, ir.Value] = field(default_factory=dict)
    others: dict[ir.Value, ir.Value] = field(default_factory=dict)
    islands: list[Island] = field(default_factory=list)
    refused: dict[ir.Value, str] = field(default_factory=dict)
    shared: dict[ir.Node, Any] = field(default_factory=dict)

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
            name=value.name, shape=value.shape, type=ir.TensorType(dtype_of(target.quantised))
        )
        self.graph.inputs.append(made)
        self.roots[str(value.name)] = target.quantised
        least = -32768 if target.quantised.bits == 16 else -128  # whatever a caller gives
        return Integer(made, target.quantised, least, target.high)

    def want_other(self, value: ir.Value) -> ir.Value:
        """A value that holds no floats (ids, masks, shapes), as the float graph computes it."""
        if value in self.others:
            return self.others[value]
        if graph_facts.is_constant(value):
            made = self._copied(value)
        elif value.is_graph_input():
            made = ir.Value(name=value.name, shape=value.shape, type=value.type)
            self.graph.inputs.append(made)
        elif graph_facts.made_by(value, "TopK", "Where") and isinstance(
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
        return self.store(tensor, str(value.name))

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
        node = self.append(
            "Cast", [found], {"to": int(value.dtype or 0)}, value, "",
            value.dtype or ir.DataType.INT64, suffix=".wide",
        )  # fmt: skip
        return node.outputs[0]

    def _dequantise(self, number: Integer, value: ir.Value) -> ir.Value:
        inputs = [number.value, *self.parameters(number.quantised)]
        node = self.append(
            "DequantizeLinear", inputs, {}, value, "", ir.DataType.FLOAT, suffix=".float"
        )
        return node.outputs[0]

    def _quantise(self, given: ir.Value, value: ir.Value, target: Target) -> Integer:
        inputs = [given, *self.parameters(target.quantised)]
        dtype = dtype_of(target.quantised)
        node = self.append("QuantizeLinear", inputs, {}, value, "", dtype)
        self.roots[str(value.name)] = target.quantised
        quantised = target.quantised  # the operator saturates to all codes
        least = -32768 if quantised.bits == 16 else -128
        return Integer(node.outputs[0], quantised, least, quantised.high)


_IDS = whole(Quantised("int16", 1.0))
