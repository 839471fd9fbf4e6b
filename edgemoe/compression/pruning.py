"""Which experts stay: chosen from statistics, applied to a recognised graph in every bucket alike.

The definition: the logits of pruned experts (and their correction bias) are minus infinity, the
router's own rule does the rest, and ids are renumbered. Where the rule allows it, the router loses
its columns instead, which computes the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import regions
from edgemoe.compression.calibration import Calibration
from edgemoe.compression.expert_slices import mark, take_experts
from edgemoe.compression.prunable import Prunable, prunable
from edgemoe.compression.region_statistics import RegionStatistics
from edgemoe.compression.region_view import KEPT, Key, RegionView, regions_of
from edgemoe.compression.router_cut import cut_router
from edgemoe.compression.scores import scores
from edgemoe.emit import Emitter
from edgemoe.errors import OptionError
from edgemoe.graph_pass import Note
from edgemoe.pass_runner import settle

Scope = Literal["layer", "global"]


@dataclass(frozen=True)
class Merge:
    """Experts that become one: `target[e]` is the new number of expert e, `share[e]` its part.

    The shares of the experts of one target add up to 1.
    """

    target: tuple[int, ...]
    share: tuple[float, ...]


@dataclass(frozen=True)
class Pruning:
    """What happens to each region: the numbers of the experts that stay, ascending, or a merge.

    Regions that are in neither stay whole; `notes` say why, where that was not asked for.
    """

    kept: Mapping[Key, tuple[int, ...]] = field(default_factory=dict)
    merged: Mapping[Key, Merge] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Return the decision as JSON holds it."""
        return {
            "kept": [{"weights": list(k), "experts": list(v)} for k, v in self.kept.items()],
            "merged": [
                {"weights": list(k), "target": list(m.target), "share": list(m.share)}
                for k, m in self.merged.items()
            ],
            "notes": list(self.notes),
        }  # fmt: skip


def plan_pruning(
    calibration: Calibration,
    ratio: float,
    method: str = "contribution",
    scope: Scope = "layer",
    seed: int = 0,
) -> Pruning:
    """Choose the experts that stay.

    Args:
        calibration: what the data showed.
        ratio: share of experts to remove, 0 <= ratio < 1, rounded down to whole experts.
        method: see `scores`.
        scope: "layer": the same share of each region. "global": experts of all regions compete
            with their share of their region's score, so regions end up with different numbers.
        seed: for the method "random".

    Every region keeps as many experts as its router chooses, and at least one; between equal scores
    the lower number stays.

    Raises:
        OptionError: ratio, method or scope is not one of these.
    """
    if not 0.0 <= ratio < 1.0:
        raise OptionError(
            f"a pruning ratio of {ratio} is out of range\n"
            "  next: the share of experts to remove, 0 <= ratio < 1"
        )
    if scope not in ("layer", "global"):
        raise OptionError(f"pruning scope {scope!r} is unknown\n  next: layer or global")
    notes = [
        f"{region.label} stays whole: {region.declined}"
        for region in calibration.regions.values() if region.declined
    ]  # fmt: skip
    given = {
        key: (region, scores(region, method, seed))
        for key, region in calibration.regions.items() if not region.declined
    }  # fmt: skip
    order = [
        (float(value / total) if (total := float(found.sum())) else 0.0, -expert, number)
        for number, (_, found) in enumerate(given.values())
        for expert, value in enumerate(found)
    ]
    regions_left = {number: set(range(r.experts)) for number, (r, _) in enumerate(given.values())}
    stats = [region for region, _ in given.values()]
    if scope == "global":
        budget = {0: int(ratio * sum(r.experts for r in stats) + 1e-9)}
        of = dict.fromkeys(regions_left, 0)
    else:
        budget = {number: int(ratio * r.experts + 1e-9) for number, r in enumerate(stats)}
        of = {number: number for number in regions_left}
    for _, negative, number in sorted(order):
        left, expert = regions_left[number], -negative
        if budget[of[number]] > 0 and _may_go(stats[number], left, expert):
            left.remove(expert)
            budget[of[number]] -= 1
    over = sum(budget.values())
    if over:
        notes.append(
            f"{over} experts more were to go at a ratio of {ratio:g}: routers need those that stay"
        )
    kept = {
        key: tuple(sorted(left))
        for (key, (region, _)), left in zip(given.items(), regions_left.values(), strict=True)
        if len(left) < region.experts
    }  # fmt: skip
    return Pruning(kept, notes=tuple(notes))


def _may_go(region: RegionStatistics, left: set[int], expert: int) -> bool:
    if len(left) <= max(region.least, 1):
        return False
    size = region.experts // region.groups
    group = range(expert // size * size, (expert // size + 1) * size)
    return region.groups == 1 or len(left.intersection(group)) > region.least_per_group


def apply_pruning(model: ir.Model, pruning: Pruning) -> list[Note]:
    """Remove or merge experts of a recognised graph, in place; then the phase fuse can run.

    Applied again, the same decision changes nothing.

    Args:
        model: after the phases import, canonicalise and recognise, of any token bucket.
        pruning: what `plan_pruning` or `plan_merging` decided.

    Returns notes: what was done, and what was declined and why.

    Raises:
        OptionError: the decision does not fit the graph.
    """
    views = regions_of(model)
    known = {view.key for view in views}
    for key in [*pruning.kept, *pruning.merged]:
        if key not in known:
            raise OptionError(
                f"the graph has no experts with the weights {', '.join(key) or '(none)'}\n"
                "  next: calibrate and prune the same model"
            )
    notes: list[Note] = []
    for view in views:
        if view.key in pruning.kept:
            notes += _prune(model, view, pruning.kept[view.key])
        elif view.key in pruning.merged:
            notes += _merge(model, view, pruning.merged[view.key])
    regions.add_bodies(model)
    settle(model)
    model.graph.sort()
    return notes


def _is_done(view: RegionView, decision: str) -> bool:
    done = view.node.metadata_props.get(KEPT)
    if done is not None and done != decision:
        raise OptionError(
            f"the experts of {view.label} were pruned before, to {done}\n"
            "  next: prune a graph as it comes from recognition"
        )
    return done == decision


def _prune(model: ir.Model, view: RegionView, kept: tuple[int, ...]) -> list[Note]:
    decision = ",".join(map(str, kept))
    if _is_done(view, decision):
        return []
    _check(view, kept)
    facts = prunable(model, view.node)
    if facts.declined:
        return [_note("warning", view, f"{view.label} keeps all experts: {facts.declined}")]
    _check_router(view, facts, kept)
    if len(kept) == view.experts:
        return []
    rows = np.array(kept)
    how = cut_router(model, view, facts, kept)
    take_experts(model, view, len(kept), lambda array: array[rows], "kept")
    mark(view, len(kept), decision)
    text = f"{view.label}: {len(kept)} of {view.experts} experts stay, {how}"
    return [_note("matched", view, text, kept=list(kept), router=how)]


def _check(view: RegionView, kept: tuple[int, ...]) -> None:
    ordered = list(kept) == sorted(set(kept))
    if not kept or not ordered or kept[0] < 0 or kept[-1] >= view.experts:
        raise OptionError(
            f"experts {list(kept)} of {view.label} are not some of 0 .. {view.experts - 1}, in "
            "ascending order\n  next: calibrate and prune the same model"
        )


def _check_router(view: RegionView, facts: Prunable, kept: tuple[int, ...]) -> None:
    """Refuse what leaves the router nothing to choose."""
    if len(kept) < facts.least:
        raise OptionError(
            f"the router of {view.label} needs {facts.least} experts, {len(kept)} would stay\n"
            "  next: a smaller pruning ratio"
        )
    size = view.experts // facts.groups
    counts = np.bincount([expert // size for expert in kept], minlength=facts.groups)
    left = counts[counts > 0]
    if len(left) < facts.top_groups or int(left.min()) < facts.least_per_group:
        raise OptionError(
            f"the router of {view.label} chooses {facts.top_groups} of {facts.groups} groups, each "
            f"with {facts.least_per_group} experts or more; {counts.tolist()} would stay in them\n"
            "  next: a smaller pruning ratio"
        )


def _merge(model: ir.Model, view: RegionView, merge: Merge) -> list[Note]:
    decision = "merged:" + ",".join(map(str, merge.target))
    if _is_done(view, decision):
        return []
    count = max(merge.target, default=-1) + 1
    if len(merge.target) != view.experts or set(merge.target) != set(range(count)):
        raise OptionError(
            f"a merge of {len(merge.target)} experts to {count} does not fit the {view.experts} "
            f"experts of {view.label}\n  next: calibrate and merge the same model"
        )
    if count == view.experts:
        return []
    matrix = np.zeros((count, view.experts))  # row of a target: the shares of what becomes it
    matrix[list(merge.target), range(view.experts)] = merge.share
    emit = Emitter(view.node)
    if view.routing == "scored":
        assert view.scores is not None
        ones = np.zeros_like(matrix)
        ones[list(merge.target), range(view.experts)] = 1
        dtype = (view.scores.dtype or ir.DataType.FLOAT).numpy()
        summed = emit.op("MatMul", view.scores, emit.constant(ones.T.astype(dtype), "clusters"))
        view.node.replace_input_with(1, summed)
    else:
        view.node.replace_input_with(1, _renumbered(emit, view, merge.target))
    take_experts(model, view, count, lambda array: _averaged(matrix, array), "merged")
    mark(view, count, decision)
    return [_note("matched", view, f"{view.label}: {view.experts} experts become {count}",
                  target=list(merge.target))]  # fmt: skip


def _averaged(matrix: NDArray[Any], array: NDArray[Any]) -> NDArray[Any]:
    """Average [E, ...] to [n, ...] in float64, as the type that it had."""
    flat = array.reshape(len(array), -1).astype(np.float64)
    made: NDArray[Any] = (matrix @ flat).reshape(len(matrix), *array.shape[1:]).astype(array.dtype)
    return made


def _renumbered(emit: Emitter, view: RegionView, target: tuple[int, ...]) -> ir.Value:
    """Return ids [T, K] after a merge; what names no expert stays nobody."""
    assert view.ids is not None
    table = np.full(view.experts + 2, -1, np.int64)  # the first and the last row: nobody
    table[1:-1] = target
    low, high, one = (emit.constant(np.array(n, np.int64), "limit") for n in (-1, view.experts, 1))
    row = emit.op("Add", emit.op("Clip", view.ids, low, high), one)
    return emit.op("Gather", emit.constant(table, "merged"), row, axis=0)


def _note(
    kind: Literal["matched", "warning"], view: RegionView, text: str, **facts: object
) -> Note:
    return Note(kind, "pruning", text, str(view.node.name), view.origin,
                {"weights": list(view.key), **facts})  # fmt: skip
