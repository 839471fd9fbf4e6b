"""One pass over data in onnxruntime: ranges, Gram matrices, and who uses which expert."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.compression.parallel import in_order
from edgemoe.compression.prunable import prunable
from edgemoe.compression.region_statistics import RegionStatistics
from edgemoe.compression.region_view import Key
from edgemoe.compression.statistics import Gram, ProductStatistics, TensorStatistics
from edgemoe.compression.taps import ProductTap, RegionTap, RoutingTap, Taps, open_taps
from edgemoe.errors import InputError, OptionError

Array = NDArray[Any]

GRAM_BYTES = 256 << 20
"""Above this, the Gram matrices of one weight's experts become one that all of them share."""


@dataclass
class Calibration:
    """What the data showed.

    Args of the constructor:
        samples: how many there were.
        tensors: ranges by name of the value: what products read and make.
        products: channels by name of the weight.
        grams: Gram matrices by name of the weight, for those that were asked for.
        regions: experts by `RegionView.key`.
        notes: what was left out, shared, or never seen, in sentences.
        shortage: samples that there was no time for, in a sentence.
    """

    samples: int = 0
    tensors: dict[str, TensorStatistics] = field(default_factory=dict)
    products: dict[str, ProductStatistics] = field(default_factory=dict)
    grams: dict[str, Gram] = field(default_factory=dict)
    regions: dict[Key, RegionStatistics] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    shortage: str = ""

    def unseen(self) -> list[str]:
        """Return everything that no sample reached, by name: treat it by its weights alone."""
        found = [f"tensor {name}" for name, t in self.tensors.items() if not t.count]
        found += [f"product of {name}" for name, p in self.products.items() if not p.rows]
        for region in self.regions.values():
            found += [f"expert {e} of {region.label}" for e in region.unseen]
        return found

    def summary(self) -> dict[str, Any]:
        """Return everything but histograms and Gram matrices, as JSON holds it."""
        return {
            "samples": self.samples,
            "tensors": {name: tensor.summary() for name, tensor in self.tensors.items()},
            "products": {name: product.summary() for name, product in self.products.items()},
            "grams": {name: gram.rows.tolist() for name, gram in self.grams.items()},
            "regions": [region.summary() for region in self.regions.values()],
            "unseen": self.unseen(), "notes": list(self.notes),
        }  # fmt: skip


def calibrate(
    graph: ir.Model,
    feeds: Iterable[Mapping[str, Array]],
    *,
    grams: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
    gram_bytes: int = GRAM_BYTES,
    threads: int = 1,
) -> Calibration:
    """Run a recognised graph of static shapes over data and keep statistics.

    Memory does not grow with the number of samples. For one task or domain, give its samples only.

    Args:
        graph: after the phases import, canonicalise and recognise; it is left as it is.
        feeds: arrays by input name, one feed per sample, shaped as the graph's inputs.
        grams: names of weights whose Gram matrix is wanted; memory is depth^2 for each (times E).
        progress: called with the number of samples that are done.
        gram_bytes: most memory for the Gram matrices of one weight with experts, in bytes.
        threads: samples that run side by side; statistics are added up in the order of the feeds.

    Raises:
        InputError: there is no sample, or one does not fit the graph.
        OptionError: `grams` names a weight that no product of the graph has.
    """
    taps = open_taps(graph)
    found = _empty(graph, taps, grams, gram_bytes)
    for values in in_order(taps.run, feeds, threads):
        _add_sample(found, taps, values)
        found.samples += 1
        if progress is not None:
            progress(found.samples)
    if not found.samples:
        raise InputError(
            "calibration saw no sample\n  next: give arrays whose shapes fit the model's inputs"
        )
    for gram in found.grams.values():
        gram.settle()
    found.notes += [f"never seen in calibration: {name}" for name in found.unseen()]
    return found


def _empty(graph: ir.Model, taps: Taps, grams: Collection[str], gram_bytes: int) -> Calibration:
    found = Calibration(notes=[f"not calibrated: {text}" for text in taps.left_out])
    for product in taps.products:
        for name in (product.input, product.output):
            found.tensors.setdefault(name, TensorStatistics(name))
        if product.weight not in found.products:
            found.products[product.weight] = ProductStatistics(
                product.weight, product.kind, product.input, product.output, product.layout,
                product.experts, np.zeros(product.depth), np.zeros(product.depth),
                rows_of_experts=np.zeros(product.experts, np.int64),
            )  # fmt: skip
            if product.weight in grams:
                found.grams[product.weight] = _gram(product, gram_bytes, found.notes)
    missing = [name for name in grams if name not in found.products]
    if missing:
        raise OptionError(
            f"no product has a weight named {missing[0]!r}, so it has no Gram matrix\n"
            f"  next: one of {', '.join(sorted(found.products)) or 'none, there are no products'}"
        )
    views = {str(region.view.node.name): region for region in taps.regions}
    for node in graph.graph:
        region = views.get(str(node.name))
        if region is None or graph_facts.kind_of(node) != "MoE" or region.key in found.regions:
            continue
        facts = prunable(graph, node)
        view = region.view
        found.regions[region.key] = RegionStatistics(
            region.key, view.label, view.routing, view.experts, view.chosen, facts.least,
            facts.declined, facts.groups, facts.least_per_group,
        )  # fmt: skip
    return found


def _gram(product: ProductTap, gram_bytes: int, notes: list[str]) -> Gram:
    depth, experts = product.depth, product.experts
    if not experts:
        return Gram(np.zeros((depth, depth)), np.zeros(1, np.int64))
    if experts * depth * depth * 8 <= gram_bytes:
        return Gram(np.zeros((experts, depth, depth)), np.zeros(experts, np.int64))
    notes.append(
        f"the {experts} experts of {product.weight} share one Gram matrix: {experts} of "
        f"{depth} x {depth} take {experts * depth * depth * 8:,} B, the limit is {gram_bytes:,} B"
    )
    return Gram(np.zeros((depth, depth)), np.zeros(1, np.int64), shared=True)


def _add_sample(found: Calibration, taps: Taps, values: Mapping[str, Array]) -> None:
    ranged: set[str] = set()
    squared: set[tuple[str, str]] = set()
    for product in taps.products:
        x, y = values[product.input], values[product.output]
        if product.experts:
            parts = _by_expert(product, values)
            every = [rows for rows in parts if len(rows)]
            joined = np.concatenate(every) if every else np.zeros((0, product.depth))
            if product.kind == "BlockUp":
                joined = _read_rows(product, values)
            _add_range(found, product.input, joined, ranged)
            _add_range(found, product.output, _used_outputs(product, y, values), ranged)
            found.products[product.weight].rows_of_experts += [len(rows) for rows in parts]
        else:
            parts = [_as_rows(x, product)]
            joined = parts[0]
            _add_range(found, product.input, x, ranged)
            _add_range(found, product.output, y, ranged)
        found.products[product.weight].add(joined)
        if product.weight in found.grams and (product.weight, product.input) not in squared:
            squared.add((product.weight, product.input))
            _add_gram(found.grams[product.weight], parts)
    for region in taps.regions:
        _add_region(found.regions[region.key], region, values)


def _add_range(found: Calibration, name: str, array: Array, done: set[str]) -> None:
    if name not in done:
        done.add(name)
        found.tensors[name].add(array)


def _add_gram(gram: Gram, parts: list[Array]) -> None:
    if gram.matrix.ndim == 3 and all(rows is parts[0] for rows in parts):
        gram.add_to_all(parts[0])
        return
    for expert, rows in enumerate(parts):
        if len(rows):
            gram.add(expert, rows)


def _as_rows(x: Array, product: ProductTap) -> Array:
    """Return the vectors along the depth, [n, depth]."""
    if product.layout == "columns":
        x = np.moveaxis(x, -2, -1)
    return x.reshape(-1, product.depth)


def _active(routing: RoutingTap, experts: int, values: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return ids [S] and whether a row counts, bool [S], of an indexed product."""
    ids = values[routing.ids].reshape(-1)
    active = (ids >= 0) & (ids < experts)
    for name in (routing.weights, routing.gate):
        if name:
            active &= values[name].reshape(-1) != 0
    return ids, active


def _by_expert(product: ProductTap, values: Mapping[str, Array]) -> list[Array]:
    """Return the rows [n, depth] that came to each expert; for BlockDown, times their scores."""
    x, routing = values[product.input], product.routing
    if routing is None:  # BlockUp that no region holds
        return [x] * product.experts
    if product.kind not in ("BlockUp", "BlockDown"):
        ids, active = _active(routing, product.experts, values)
        return [x[active & (ids == e)] for e in range(product.experts)]
    scores = values[routing.scores]
    used = [np.flatnonzero(scores[:, e]) for e in range(product.experts)]
    if product.kind == "BlockUp":
        return [x[token] for token in used]
    return [x[token, e] * scores[token, e, None] for e, token in enumerate(used)]


def _read_rows(product: ProductTap, values: Mapping[str, Array]) -> Array:
    """Return the tokens that any expert of a BlockUp reads, each once."""
    x = values[product.input]
    if product.routing is None:
        return x
    rows: Array = x[(values[product.routing.scores] != 0).any(axis=1)]
    return rows


def _used_outputs(product: ProductTap, y: Array, values: Mapping[str, Array]) -> Array:
    """Return the elements of a result that somebody reads."""
    if product.routing is None or product.kind == "BlockDown":
        return y
    if product.kind == "BlockUp":
        used: Array = y[values[product.routing.scores] != 0]
        return used
    rows: Array = y[_active(product.routing, product.experts, values)[1]]
    return rows


def _add_region(found: RegionStatistics, region: RegionTap, values: Mapping[str, Array]) -> None:
    routing = region.routing
    if region.rows:
        ids, weights = values[routing.ids], values[routing.weights]
        gate = values[routing.gate].reshape(ids.shape)
        rows = values[region.rows].reshape(*ids.shape, -1)
        found.add_indexed(ids, weights.reshape(ids.shape), gate, rows)
        return
    down, bias = graph_facts.array_of(region.down), graph_facts.array_of(region.bias)
    assert down is not None
    found.add_scored(values[routing.scores], values[region.hidden], down, bias)
