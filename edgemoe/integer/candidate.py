"""One way to round a model: which tensors have 16 bits, and the format of each weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.integer.convert import convert
from edgemoe.integer.facts import Facts
from edgemoe.integer.model import IntegerModel
from edgemoe.integer.rules.linear import Product, product_of
from edgemoe.integer.widths import widths
from edgemoe.precision import Pin, Unit
from edgemoe.regions import EXPERT_LINEARS
from edgemoe.weight_format import I4, I8, TERNARY, WeightFormat

Array = NDArray[Any]

LADDER = (I8, I4, TERNARY)
"""Formats of weights, from the most bits to the fewest."""


@dataclass(frozen=True)
class Candidate:
    """Names of tensors with 16 bits, and formats by weight; I8 for the others."""

    wide: frozenset[str]
    formats: tuple[tuple[str, WeightFormat], ...] = ()

    def with_format(self, name: str, given: WeightFormat) -> Candidate:
        """The same with another format of one weight."""
        return replace(self, formats=tuple(sorted({**dict(self.formats), name: given}.items())))


@dataclass(frozen=True)
class Measured:
    """A candidate with what it takes and loses on the search part."""

    candidate: Candidate
    nbytes: int
    verdict: Verdict


@dataclass
class Trials:
    """Makes and measures candidates; each is measured once per number of samples."""

    facts: Facts
    judge: Judge
    made: dict[Candidate, IntegerModel] = field(default_factory=dict)
    measured: dict[tuple[Candidate, int], Measured] = field(default_factory=dict)

    def model(self, candidate: Candidate) -> IntegerModel:
        """The integer graph of a candidate."""
        if candidate not in self.made:
            if len(self.made) >= MOST_KEPT:
                self.made.clear()
            self.made[candidate] = convert(
                self.facts, widths(candidate.wide), dict(candidate.formats)
            )
        return self.made[candidate]

    def measure(self, candidate: Candidate, most: int | None = None) -> Measured:
        """Run a candidate on the search part, or on the first `most` of its samples."""
        count = min(most or len(self.judge), len(self.judge))
        key = (candidate, count)
        if key not in self.measured:
            model = self.model(candidate)
            samples = self.judge.samples
            made = model.run_many(samples.feed(n) for n in samples.numbers[:count])
            verdict = self.judge.judge(lambda feed: next(made), most=count)
            self.measured[key] = Measured(candidate, model.weight_bytes, verdict)
        return self.measured[key]


MOST_KEPT = 64


def weights_of(model: ir.Model) -> list[Unit]:
    """The constant weights of the products of a flat graph, by name, as pins see them."""
    found: dict[str, Unit] = {}
    routers = _routers(model.graph)
    for node in model.graph:
        kind = graph_facts.kind_of(node)
        if kind in EXPERT_LINEARS:
            weight, shape = node.inputs[2], graph_facts.shape_of(node.inputs[2])
            if weight is None or shape is None or not graph_facts.is_constant(weight):
                continue
            turned = "T" in kind.removeprefix("ExpertLinear")
            depth, columns = (shape[1], shape[2]) if turned else (shape[2], shape[1])
            unit = Unit(
                (str(weight.name),), "expert", depth, columns, (turned,), shape[0],
                origin=graph_facts.origin_of(node),
            )  # fmt: skip
        else:
            product = product_of(node.outputs[0]) if node.outputs else None
            if not isinstance(product, Product):
                continue
            columns, depth = product.rows().shape
            role = "token_mix" if product.left else "router" if node in routers else "linear"
            unit = Unit(
                (str(product.weight.name),), role, depth, columns, (product.turned,),  # type: ignore[arg-type]
                origin=graph_facts.origin_of(node),
            )  # fmt: skip
        found.setdefault(unit.names[0], unit)
    return list(found.values())


def _routers(graph: ir.Graph) -> set[ir.Node]:
    """Products whose results a TopK chooses from."""
    found: set[ir.Node] = set()
    for node in graph:
        if graph_facts.is_op(node, "TopK"):
            todo = [node.inputs[0]]
            for _ in range(8):
                value = todo.pop() if todo else None
                source = value.producer() if value is not None else None
                if source is None:
                    break
                if graph_facts.is_op(source, "MatMul", "Gemm"):
                    found.add(source)
                    break
                todo.append(source.inputs[0])
    return found


def formats_for(
    units: Sequence[Unit], default: WeightFormat, pins: Sequence[Pin]
) -> Mapping[str, WeightFormat]:
    """The format of each weight: a pin, 8 bits for routers, else the default."""
    found = {}
    for unit in units:
        pinned = [pin.given for pin in pins if pin.matches(unit)]
        own = I8 if unit.role == "router" else default
        found[unit.names[0]] = pinned[0] if pinned else own
    return found
