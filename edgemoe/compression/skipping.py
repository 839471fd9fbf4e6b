"""Dynamic skipping: a chosen expert whose weight is far below the largest one is not computed.

NAEE (Lu et al. 2024, arXiv 2402.14800, section 3.3) skips the second expert where w2 < beta * w1,
with beta the median of w2 / w1. Here every choice after the first may be skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.compression.calibration import Calibration
from edgemoe.compression.region_view import Key, RegionView, regions_of
from edgemoe.emit import Emitter
from edgemoe.errors import OptionError
from edgemoe.graph_pass import Note
from edgemoe.pass_runner import settle

BETA = "edgemoe.skip_below"  # metadata of a region whose choices are skipped


@dataclass(frozen=True)
class Skipping:
    """The threshold beta of each region; `notes` say which regions have none, and why."""

    beta: Mapping[Key, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def plan_skipping(calibration: Calibration, share: float = 0.5) -> Skipping:
    """Choose a threshold for each region from what the data showed.

    Args:
        calibration: what the data showed.
        share: share of tokens whose last (K-th) expert would be skipped; 0.5 is NAEE's median.

    Raises:
        OptionError: the share is no share.
    """
    if not 0.0 < share <= 1.0:
        raise OptionError(
            f"a share of {share} skipped tokens is out of range\n  next: 0 < share <= 1"
        )
    beta, notes = {}, []
    for key, region in calibration.regions.items():
        gap = region.gap(share)
        if gap is None:
            notes.append(f"{region.label} skips nothing: at most one expert is chosen for a token")
        else:
            beta[key] = gap
    return Skipping(beta, tuple(notes))


def apply_skipping(model: ir.Model, skipping: Skipping) -> list[Note]:
    """Let weights below beta times the largest become 0, and their ids -1, in place.

    Where the router's weights are renormalised, the others grow so that their sum stays. Applied
    again, the same decision changes nothing.

    Args:
        model: after the phase recognise (and pruning), of any token bucket.
        skipping: what `plan_skipping` decided.

    Raises:
        OptionError: the decision does not fit the graph.
    """
    views = {view.key: view for view in regions_of(model)}
    notes = []
    for key, beta in skipping.beta.items():
        view = views.get(key)
        if view is None:
            raise OptionError(
                f"the graph has no experts with the weights {', '.join(key) or '(none)'}\n"
                "  next: calibrate and compress the same model"
            )
        if not 0.0 <= beta <= 1.0 or view.routing != "indexed":
            raise OptionError(
                f"{view.label} cannot skip experts below {beta} of the largest weight\n"
                "  next: an indexed region, and 0 <= beta <= 1"
            )
        if view.node.metadata_props.get(BETA) == repr(beta):
            continue
        if BETA in view.node.metadata_props:
            raise OptionError(
                f"{view.label} skips experts already\n"
                "  next: start from a graph as it comes from recognition"
            )
        notes.append(_skip(view, beta))
    settle(model)
    return notes


def _skip(view: RegionView, beta: float) -> Note:
    emit = Emitter(view.node)
    ids, weights = view.ids, view.weights
    assert ids is not None and weights is not None
    facts: dict[str, object] = {"weights": list(view.key), "beta": beta}
    if _weighs_inputs(view) or graph_facts.is_constant(weights):
        text = f"{view.label} skips nothing: its weights are not those of the router"
        return Note("warning", "skipping", text, str(view.node.name), view.origin, facts)
    dtype = (weights.dtype or ir.DataType.FLOAT).numpy()
    zero = emit.constant(np.array(0, dtype), "zero")
    nobody = emit.constant(np.array(-1, np.int64), "nobody")
    size = emit.op("Abs", weights)
    largest = emit.op("ReduceMax", size, emit.ints(-1), keepdims=1)
    limit = emit.op("Mul", largest, emit.constant(np.array(beta, dtype), "beta"))
    low = emit.op("Less", size, limit)
    left = emit.op("Where", low, zero, weights)
    if _renormalises(view):
        whole, rest = (emit.op("ReduceSum", v, emit.ints(-1), keepdims=1) for v in (weights, left))
        # Weights of a token without any expert (all 0) stay 0.
        none = emit.op("Equal", rest, zero)
        safe = emit.op("Where", none, emit.constant(np.array(1, dtype), "one"), rest)
        left = emit.op("Mul", left, emit.op("Div", whole, safe))
    view.node.replace_input_with(1, emit.op("Where", low, nobody, ids))
    view.node.replace_input_with(2, left)
    view.node.metadata_props[BETA] = repr(beta)
    text = f"{view.label} skips experts with a weight below {beta:.3g} of the largest"
    return Note("matched", "skipping", text, str(view.node.name), view.origin, facts)


def _route(view: RegionView) -> ir.Node | None:
    """Return the router, also behind ids that were renumbered."""
    assert view.ids is not None
    nodes = graph_facts.ancestors([view.ids])
    routes = [n for n in nodes if graph_facts.kind_of(n) == "Route"]
    direct = graph_facts.called_by(graph_facts.before_reshapes(view.ids), "Route")
    if direct is not None:
        return direct
    return next((n for n in routes if any(_reaches(o, view) for o in n.outputs)), None)


def _reaches(value: ir.Value, view: RegionView) -> bool:
    """Tell whether integers lead from a router to the region's ids, as renumbering does."""
    todo, seen = [value], set[ir.Value]()
    while todo:
        current = todo.pop()
        if current in seen or current.dtype is None or not current.dtype.is_integer():
            continue
        seen.add(current)
        if current is view.ids:
            return True
        todo.extend(o for use in current.uses() for o in use.node.outputs)
    return False


def _parameters(view: RegionView) -> dict[str, object]:
    route = _route(view)
    text = "{}" if route is None else route.metadata_props.get("edgemoe.route", "{}")
    found: dict[str, object] = json.loads(text)
    return found


def _weighs_inputs(view: RegionView) -> bool:
    return _parameters(view).get("applied_to") == "input"


def _renormalises(view: RegionView) -> bool:
    found = _parameters(view)
    return found.get("renormalise") in ("sum", "norm") or found.get("softmax_after") is True
