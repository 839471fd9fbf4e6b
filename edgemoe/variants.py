"""One variant per token count: the graph after all passes, with what its outputs should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.buckets import Buckets, feed_for, samples_that_fit
from edgemoe.frontend import Source
from edgemoe.graph_pass import Phase
from edgemoe.narrow_caches import Narrowed
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import PassReport, run_passes
from edgemoe.plugins import Plugin
from edgemoe.reference import Reference

if TYPE_CHECKING:
    from edgemoe.compression.compressed import Compressed

Array = NDArray[Any]


@dataclass
class Variant:
    """`expected` are the outputs of onnxruntime for `feed`, `rounded` those with narrow caches."""

    count: int | None
    graph: ir.Model
    report: PassReport
    feed: dict[str, Array]
    expected: dict[str, Array]
    rounded: dict[str, Array] = field(default_factory=dict)


def prepared(
    source: Source,
    buckets: Buckets,
    count: int | None,
    reference: Reference,
    samples: Mapping[str, Array],
    plugins: Sequence[Plugin],
    check: bool,
    dump: str | Path | None,
    decided: Compressed | None,
) -> Variant:
    """Bind, run all passes, and ask onnxruntime what the outputs should be."""
    graph = buckets.bind(count)
    feed = feed_for(graph, source.examples, source.states)
    folder = None
    if dump is not None:
        folder = Path(dump) if count is None else Path(dump) / f"tokens-{count}"
    feeds = [feed, *samples_that_fit(samples, feed)[:2]]
    expected = reference.run(feed, count)
    checked = feeds if check else None
    if decided is None or not decided.changes_graph:
        report = run_passes(graph, dump=folder, check=checked, extra=plugins)
    else:
        first: tuple[Phase, ...] = ("import", "canonicalise", "recognise")
        report = run_passes(graph, phases=first, dump=folder, check=checked, extra=plugins)
        notes = decided.change(graph)
        later = run_passes(graph, phases=("decide", "fuse"), check=checked, extra=plugins)
        report = PassReport(
            report.order + later.order, report.runs + later.runs,
            report.notes + notes + later.notes,
        )  # fmt: skip
        expected = dict(zip(expected, run_in_onnxruntime(graph, feed), strict=True))
    return Variant(count, graph, report, feed, expected)


def with_narrow_caches(
    variant: Variant, narrowed: Narrowed, states: Mapping[str, str]
) -> dict[str, Array]:
    """What onnxruntime gives for the outputs that are no states, with caches as they are stored."""
    names = [name for name in variant.expected if name not in states.values()]
    found = run_in_onnxruntime(variant.graph, narrowed.feed(variant.feed), names)
    return dict(zip(names, found, strict=True))


def pass_times(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """Changes and seconds of every pass over all variants, in the order of the passes."""
    total: dict[str, dict[str, Any]] = {}
    for variant in variants:
        for run in variant.report.runs:
            row = total.setdefault(
                run.name, {"name": run.name, "phase": run.phase, "changes": 0, "seconds": 0.0}
            )
            row["changes"] += run.changes
            row["seconds"] += run.seconds
    return list(total.values())


def counts_of(variants: Sequence[Variant]) -> list[int]:
    """The token counts; none where nothing depends on one."""
    return [v.count for v in variants if v.count is not None]
