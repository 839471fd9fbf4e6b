"""Small graphs as text, calibrated and converted, next to the float graph that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import graph_facts, shapes
from edgemoe.integer.candidate import weights_of
from edgemoe.integer.convert import convert
from edgemoe.integer.facts import Facts, facts_of
from edgemoe.integer.model import IntegerModel
from edgemoe.integer.ranges import watch
from edgemoe.integer.widths import widths
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.weight_format import I8, WeightFormat

Array = np.ndarray[Any, Any]


@dataclass
class Built:
    """A converted graph; `float_model` has the weights that the codes stand for."""

    facts: Facts
    model: IntegerModel
    float_model: ir.Model
    feeds: list[dict[str, Array]]

    @property
    def operators(self) -> list[str]:
        return [node.op_type for node in self.model.model.graph]

    def errors(self, output: str = "y") -> Array:
        """Of every element, in steps of the output, for inputs that codes stand for."""
        quantised = self.model.outputs[output]
        assert quantised is not None
        found = []
        for feed in self.feeds:
            codes = self.model.encode(feed)
            exact = {
                name: array if (q := self.model.inputs[name]) is None else q.decode(array)
                for name, array in codes.items()
            }
            names = [str(v.name) for v in self.float_model.graph.outputs]
            wanted = dict(zip(names, run_in_onnxruntime(self.float_model, exact), strict=True))
            low, high = quantised.decode(np.array([quantised.low, quantised.high]))
            got = quantised.decode(self.model.run_integers(codes)[output])
            found.append((got - np.clip(wanted[output], low, high)) / quantised.scale)
        return np.concatenate([e.reshape(-1) for e in found])

    def worst(self, output: str = "y") -> float:
        return float(np.abs(self.errors(output)).max())


def with_rounded_weights(facts: Facts, formats: Mapping[str, WeightFormat]) -> ir.Model:
    """The float graph with what its weights' codes mean."""
    copy = facts.model.clone()
    for unit in weights_of(copy):
        name = unit.names[0]
        value = copy.graph.initializers[name]
        array = graph_facts.array_of(value)
        assert array is not None
        stack = array if unit.experts else array[None]
        rounded = []
        for part, matrix in enumerate(stack):
            turned = unit.transposed[0]
            rows = matrix.T if turned else matrix
            codes = facts.codes(
                name, part, lambda r=rows: np.ascontiguousarray(r), formats.get(name, I8), 0.0
            )
            if name in facts.common:  # experts that are added up share their scales
                codes = facts.common_codes(name, len(stack), None, formats.get(name, I8))[part]
            real = codes.real().astype(np.float32)
            rounded.append(real.T if turned else real)
        whole = np.stack(rounded) if unit.experts else rounded[0]
        value.const_value = ir.tensor(np.ascontiguousarray(whole.reshape(array.shape)))
    for node in copy.graph:
        if node.op_type == "Conv" and node.inputs[1] is not None:
            value = node.inputs[1]
            array = graph_facts.array_of(value)
            assert array is not None
            rows = array.reshape(len(array), -1)
            codes = facts.codes(str(value.name), 0, lambda r=rows: r, I8, 0.0)
            value.const_value = ir.tensor(codes.real().astype(np.float32).reshape(array.shape))
    return copy


Build = Callable[..., Built]


@pytest.fixture(scope="session")
def build() -> Build:
    def built(
        text: str | ir.Model,
        constants: Mapping[str, Array] | None = None,
        *,
        bits: int | set[str] = 8,
        formats: Mapping[str, WeightFormat] | None = None,
        samples: int = 24,
        scale: float = 1.0,
        feeds: list[dict[str, Array]] | None = None,
    ) -> Built:
        if isinstance(text, str):
            header = '<ir_version: 10, opset_import: ["" : 23]>\n'
            model = ir.from_onnx_text(header + text)
        else:
            model = text
        for name, array in (constants or {}).items():
            value = ir.Value(
                name=name, shape=ir.Shape(array.shape), const_value=ir.tensor(array),
                type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            )  # fmt: skip
            for node in model.graph:
                for place, source in enumerate(node.inputs):
                    if source is not None and source.name == name:
                        node.replace_input_with(place, value)
            model.graph.inputs[:] = [v for v in model.graph.inputs if v.name != name]
            model.graph.register_initializer(value)
        shapes.infer(model)
        chance = np.random.default_rng(0)
        if feeds is None:
            feeds = [
                {
                    str(v.name): (scale * chance.standard_normal(graph_facts.shape_of(v))).astype(
                        np.float32
                    )
                    for v in model.graph.inputs
                }
                for _ in range(samples)
            ]
        facts = facts_of(model, watch(model, feeds), {})
        every = {
            str(v.name) for v in [*model.graph.inputs, *(v for n in model.graph for v in n.outputs)]
        }
        wide = bits if isinstance(bits, set) else every if bits == 16 else set[str]()
        found = convert(facts, widths(wide), formats or {})
        return Built(facts, found, with_rounded_weights(facts, formats or {}), feeds)

    return built
