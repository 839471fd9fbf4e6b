"""Run the graph passes over a model: order, fixed points, dumps, timings and checks.

Every phase is repeated until none of its passes changes anything. After a pass that changed
something, dead nodes are gone and the shapes of new values are known.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts, graph_text, shapes
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.errors import EdgemoeError, OptionError
from edgemoe.graph_pass import PHASES, GraphPass, Note, PassContext, Phase
from edgemoe.pass_check import PassCheck
from edgemoe.pass_order import discover, ordered
from edgemoe.plugins import Plugin, load_plugins, passes_of, routers_of

MAX_ROUNDS = 12


@dataclass
class PassRun:
    """What a pass did over all rounds of its phase."""

    name: str
    phase: Phase
    changes: int = 0
    seconds: float = 0.0


@dataclass
class PassReport:
    """What `run_passes` did: the order, changes and seconds per pass, and what passes noted."""

    order: tuple[str, ...] = ()
    runs: list[PassRun] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def table(self) -> str:
        """Return changes and seconds per pass as text, the slowest first."""
        rows = sorted(self.runs, key=lambda run: -run.seconds)
        return "".join(f"{r.seconds:9.3f} s  {r.changes:5d} changes  {r.name}\n" for r in rows)


def all_passes(extra: Sequence[Path | Plugin] = ()) -> list[GraphPass]:
    """Return every pass in the order in which they run; `extra` come from outside the tree."""
    return ordered(discover(passes_of(_loaded(extra))))


def _loaded(extra: Sequence[Path | Plugin]) -> list[Plugin]:
    """Load the files among plug-ins."""
    found: list[Plugin] = []
    for each in extra:
        found += [each] if isinstance(each, Plugin) else load_plugins([each], installed=False)
    return found


def run_passes(
    model: ir.Model,
    *,
    phases: Collection[Phase] = PHASES,
    dump: Path | None = None,
    check: Sequence[dict[str, np.ndarray]] | None = None,
    time: bool = False,
    stop_after: str | None = None,
    extra: Sequence[Path | Plugin] = (),
    progress: Callable[[str], None] | None = None,
    survive: bool = False,
) -> PassReport:
    """Run the passes of `phases` over a model of static shapes, in place.

    Args:
        model: the model; see `edgemoe.specialise.bind_shapes`.
        phases: which phases to run.
        dump: directory for the text of the graph around every pass that changed something.
        check: inputs; after every change the outputs are compared with those of the model as it
            came, bit by bit or within reassociation as the pass declares.
        time: print nothing, but measure; `PassReport.runs` holds seconds either way.
        stop_after: name of the last pass to run.
        extra: plug-ins that declare more passes and router families, or their Python files.
        progress: called with the name of each pass before it runs.
        survive: a pass that fails by a mistake of ours becomes a warning, and does not run again;
            for `explain`, which runs nothing of the result.

    Raises:
        CheckError: a pass changed the numbers by more than it declared.
        OptionError: `stop_after` is no pass, or the passes cannot be ordered.
    """
    del time
    plugins = _loaded(extra)
    passes = [p for p in all_passes(plugins) if p.phase in phases]
    routers = {name: family.match for name, family in routers_of(plugins).items()}
    if stop_after is not None and stop_after not in {p.name for p in passes}:
        raise OptionError(f"no pass is named {stop_after!r}; `edgemoe passes` lists them")
    report = PassReport(order=tuple(p.name for p in passes))
    report.runs = [PassRun(p.name, p.phase) for p in passes]
    runs = {run.name: run for run in report.runs}
    checker = PassCheck(model, check) if check else None
    dumper = _Dumper(dump) if dump is not None else None
    failed: set[str] = set()
    shapes.infer(model)
    for phase in PHASES:
        members = [p for p in passes if p.phase == phase]
        for round_number in range(MAX_ROUNDS):
            changed = 0
            for member in members:
                if member.name in failed:
                    continue
                if progress is not None:
                    progress(member.name)
                context = PassContext(routers=routers)
                run = runs[member.name]
                try:
                    changed += _run_one(member, model, context, report, run, checker, dumper)
                except Exception as error:
                    if not survive or isinstance(error, EdgemoeError):
                        raise
                    failed.add(member.name)
                    report.notes.append(_failure(member, error))
                    settle(model)
                if member.name == stop_after and (round_number or not changed):
                    return report
            _forget_matched(report.notes)
            if not changed:
                break
        if phase == "recognise":
            _forget_gone(report.notes, model)
        if stop_after in {p.name for p in members}:
            break
    return report


def _run_one(
    member: GraphPass,
    model: ir.Model,
    context: PassContext,
    report: PassReport,
    run: PassRun,
    checker: PassCheck | None,
    dumper: _Dumper | None,
) -> int:
    text = graph_text.to_text(model) if dumper else ""
    if checker:
        checker.before(model)
    start = clock.perf_counter()
    changes = member(model, context)
    if changes:
        settle(model)
    run.seconds += clock.perf_counter() - start
    run.changes += changes
    seen = _fingerprint(report.notes)
    report.notes += [note for note in context.notes if _key(note) not in seen]
    if changes and dumper:
        dumper.write(member.name, text, graph_text.to_text(model))
    if changes and checker:
        checker.after(model, member)
    return changes


def _failure(member: GraphPass, error: Exception) -> Note:
    text = (
        f"pass {member.name} failed with {type(error).__name__}: {error}; what it would have "
        "recognised is missing here, please report it"
    )
    return Note("warning", "pass", text)


def settle(model: ir.Model) -> None:
    """Drop what nobody reads, keep nodes in order, and fill in unknown shapes."""
    for graph in graph_facts.graphs_of(model):
        remove_dead_nodes(graph)
    shapes.infer(model)


def _key(note: Note) -> tuple[str, ...]:
    return (note.kind, note.subject, note.text, note.node)


def _fingerprint(notes: Sequence[Note]) -> set[tuple[str, ...]]:
    return {_key(note) for note in notes}


def _forget_gone(notes: list[Note], model: ir.Model) -> None:
    """Drop what was said of nodes that a later pass made part of something else."""
    names = {node.name for node in model.graph}
    notes[:] = [
        note for note in notes
        if note.node in names or not note.node
        or (note.subject != "mixer" and (note.kind, note.subject) != ("missed", "experts"))
    ]  # fmt: skip


def _forget_matched(notes: list[Note]) -> None:
    """Drop the misses of nodes that have been matched since."""
    matched = {note.node for note in notes if note.kind == "matched"}
    notes[:] = [n for n in notes if n.kind != "missed" or n.node not in matched]


class _Dumper:
    """Writes NN-PASS.before.txt and NN-PASS.after.txt."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._count = 0

    def write(self, name: str, before: str, after: str) -> None:
        self._count += 1
        stem = f"{self._count:02d}-{name}"
        (self._folder / f"{stem}.before.txt").write_text(before, encoding="utf-8")
        (self._folder / f"{stem}.after.txt").write_text(after, encoding="utf-8")
