"""Run one region and its router apart from the graph: every expert alone, any experts masked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.compression.prunable import Prunable, prunable
from edgemoe.compression.region_view import Key, RegionView, regions_of
from edgemoe.compression.router_cut import mask_of
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.errors import InputError, OptionError
from edgemoe.pass_check import onnxruntime_session

Array = NDArray[Any]


@dataclass
class RegionSample:
    """One sample of a region: logits [.., C], and f [T, E, H], what every expert gives alone."""

    logits: Array
    each: Array


class RegionRunner:
    """Opens the graph up to a region, the region, and its router, in onnxruntime.

    Raises:
        OptionError: the graph has no such region, or its router has no logits to mask.
    """

    def __init__(self, model: ir.Model, key: Key) -> None:
        copy = model.clone()
        view = next((v for v in regions_of(copy) if v.key == key), None)
        if view is None:
            raise OptionError(
                f"the graph has no experts with the weights {', '.join(key) or '(none)'}\n"
                "  next: calibrate and prune the same model"
            )
        facts = prunable(copy, view.node)
        if facts.declined or facts.logits is None:
            reason = facts.declined or "no router chooses among its experts"
            raise OptionError(
                f"the experts of {view.label} cannot be tried out: {reason}\n"
                "  next: another pruning method"
            )
        extra = graph_facts.ancestors(_given(view)[1:], frozenset([facts.logits]))
        if facts.route is not None and facts.route in extra:
            raise OptionError(
                f"the experts of {view.label} cannot be tried out: its router weighs what goes in\n"
                "  next: another pruning method"
            )
        self.view, self.facts = view, facts
        self._places = (1, 2) if view.routing == "indexed" else (1,)
        self._front = _cut(model, key, lambda v, f: ([], [*_masked(f)[:1], *_given(v)]))
        self._route = _cut(model, key, lambda v, f: (_masked(f), self._routing(v)))
        self._region = _cut(
            model, key, lambda v, f: ([*_given(v), *self._routing(v)], [v.node.outputs[0]])
        )

    def _routing(self, view: RegionView) -> list[ir.Value]:
        return [v for place in self._places if (v := view.node.inputs[place]) is not None]

    def samples(self, feeds: Iterable[Mapping[str, Array]]) -> Iterable[RegionSample]:
        """Yield what the region sees in each feed of the whole graph."""
        for feed in feeds:
            values = self._front.run(feed)
            given = {str(v.name): values[str(v.name)] for v in _given(self.view)}
            each = [self._alone(given, expert) for expert in range(self.view.experts)]
            assert self.facts.logits is not None
            yield RegionSample(values[str(self.facts.logits.name)], np.stack(each, axis=1))

    def output(self, sample: RegionSample, kept: Sequence[int]) -> Array:
        """Return the weighted sum [T, H], float64, where only the experts `kept` may be chosen."""
        assert self.facts.logits is not None
        mask = mask_of(self.facts, self.view.experts, kept)
        feed = {str(self.facts.logits.name): sample.logits + mask}
        if self.facts.bias is not None:
            bias = graph_facts.array_of(self.facts.bias)
            assert bias is not None
            own = mask[: self.view.experts].reshape(bias.shape)
            feed[str(self.facts.bias.name)] = bias + own.astype(bias.dtype)
        routed = self._route.ordered(feed)
        each = sample.each.astype(np.float64)
        if self.view.routing == "scored":
            return np.asarray(np.einsum("te,teh->th", routed[0].astype(np.float64), each))
        ids, weights = routed[0], routed[1].reshape(routed[0].shape).astype(np.float64)
        weights = np.where((ids >= 0) & (ids < self.view.experts), weights, 0.0)
        rows = np.take_along_axis(each, np.clip(ids, 0, self.view.experts - 1)[..., None], axis=1)
        return np.asarray((weights[..., None] * rows).sum(axis=1))

    def _alone(self, given: Mapping[str, Array], expert: int) -> Array:
        """Return f [T, H] of one expert: routed by hand, with the weight 1."""
        view, feed = self.view, dict(given)
        routing = self._routing(view)
        dtype = (routing[-1].dtype or ir.DataType.FLOAT).numpy()
        if view.routing == "scored":
            scores = np.zeros((view.tokens, view.experts), dtype)
            scores[:, expert] = 1
            arrays = [scores]
        else:
            weights = np.zeros((view.tokens, view.chosen), dtype)
            weights[:, 0] = 1
            arrays = [np.full((view.tokens, view.chosen), expert, np.int64), weights]
        for value, array in zip(routing, arrays, strict=True):
            feed[str(value.name)] = array
        return self._region.ordered(feed)[0]


def _given(view: RegionView) -> list[ir.Value]:
    """Return what a region reads beside its routing and constants."""
    first = 3 if view.routing == "indexed" else 2
    values = [view.node.inputs[0], *view.node.inputs[first:]]
    return [v for v in values if v is not None and not graph_facts.is_constant(v)]


def _masked(facts: Prunable) -> list[ir.Value]:
    """Return the logits, and what is added to them for the choice."""
    return [v for v in (facts.logits, facts.bias) if v is not None]


def _cut(
    model: ir.Model,
    key: Key,
    ends: Callable[[RegionView, Prunable], tuple[list[ir.Value], list[ir.Value]]],
) -> _Part:
    """Open the piece between values and others of a copy of the graph."""
    copy = model.clone()
    graph = copy.graph
    view = next(v for v in regions_of(copy) if v.key == key)
    starts, outputs = ends(view, prunable(copy, view.node))
    names = [str(value.name) for value in outputs]
    for value in starts:
        if value.is_graph_input():
            continue
        new = ir.Value(name=value.name, shape=value.shape, type=value.type)
        if graph_facts.is_constant(value):
            del graph.initializers[str(value.name)]
        value.name = f"{value.name}.cut"
        value.replace_all_uses_with(new)
        graph.inputs.append(new)
        outputs = [new if v is value else v for v in outputs]
    constants = {
        str(v.name): array for v in outputs if (array := graph_facts.array_of(v)) is not None
    }
    graph.outputs[:] = [v for v in dict.fromkeys(outputs) if v.producer() is not None]
    remove_dead_nodes(graph)
    for value in [v for v in graph.inputs if not v.uses()]:
        graph.inputs.remove(value)
    return _Part(copy, names, constants)


class _Part:
    """A piece of the graph between some values and others."""

    def __init__(self, model: ir.Model, names: Sequence[str], constants: dict[str, Array]) -> None:
        self._session = onnxruntime_session(model)
        self._names, self._constants = list(names), constants
        self._inputs = {i.name for i in self._session.get_inputs()}
        self._outputs = [o.name for o in self._session.get_outputs()]

    def run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        given = {name: array for name, array in feed.items() if name in self._inputs}
        try:
            made = self._session.run(self._outputs, given)
        except Exception as error:  # onnxruntime raises types of its own
            reason = (str(error).strip().splitlines() or [repr(error)])[0]
            raise InputError(
                f"a sample does not run: {reason}\n  next: give one array for each of "
                f"{', '.join(sorted(self._inputs))}"
            ) from error
        found = dict(zip(self._outputs, (np.asarray(a) for a in made), strict=True))
        return {**self._constants, **feed, **found}

    def ordered(self, feed: Mapping[str, Array]) -> list[Array]:
        values = self.run(feed)
        return [values[name] for name in self._names]
