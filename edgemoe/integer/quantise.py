"""From a fused float graph and samples to an integer model, with a report: the public entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.compression.calibration import calibrate
from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Judge, Verdict
from edgemoe.compression.metrics import metrics_of
from edgemoe.compression.samples import FEWEST, Samples
from edgemoe.compression.statistics import Gram
from edgemoe.compression.task import Task
from edgemoe.compression.trial import flat
from edgemoe.errors import BudgetError, InputError, OptionError
from edgemoe.integer.candidate import Candidate, Measured, Trials, formats_for, weights_of
from edgemoe.integer.expand_blocks import expand_blocks
from edgemoe.integer.facts import Facts, facts_of
from edgemoe.integer.model import IntegerModel
from edgemoe.integer.ranges import is_float, watch
from edgemoe.integer.report import report_of
from edgemoe.integer.search import Search
from edgemoe.integer.stepped import stepped
from edgemoe.integer.strip_choice import NO_STRIPS, in_strips
from edgemoe.integer.strip_scales import Division
from edgemoe.integer.widths import matching, start_of
from edgemoe.pass_check import onnxruntime_session
from edgemoe.precision import Pin, Unit
from edgemoe.weight_format import I4, I8, TERNARY, WeightFormat

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

PRECISIONS: dict[str, WeightFormat] = {"i8": I8, "i4": I4, "ternary": TERNARY}

CALIBRATED = 256
"""Samples that ranges come from."""

ROWS_PER_INPUT = 2
"""Rows that a product must have seen, per input, for the error compensation of GPTQ."""

RETREATS = 6
"""Candidates that the proof part may refuse."""


def quantise(
    graph: ir.Model,
    data: Task | Samples,
    *,
    precision: str = "auto",
    goal: Goal | None = None,
    pins: Sequence[Pin] = (),
    wide: Sequence[str] = (),
    show: Progress = lambda what, done, total: None,
    divide: Callable[[IntegerModel], Division | None] | None = None,
) -> IntegerModel:
    """Make an integer model.

    Args:
        graph: fused, of static shapes (as the passes leave it); it is left as it is.
        data: samples, with or without a metric. Ranges come from one half; the other proves.
        precision: of the weights: "i8", "i4", "ternary", or "auto": 8 bits, and fewer where the
            goal has a budget.
        goal: `max_loss`, `max_bytes`, the seed.
        pins: formats of weights by pattern.
        wide: patterns of tensors that have 16 bits, whatever calibration says.
        show: called with (what, done, total).
        divide: tells the strips that a limit of memory asks for in the program, if it does.

    Raises:
        BudgetError: no candidate keeps the goal; says what comes nearest.
        InputError: there is no sample, or too few to prove a promise on.
        IntegerError: a sum cannot be held by 32 bits.
        OptionError: the precision is unknown, or a pin matches nothing.
    """
    goal = goal or Goal()
    model = flat(graph)
    notes = expand_blocks(model)
    run = _float_run(model)
    samples = data.samples if isinstance(data, Task) else data
    units = weights_of(model)
    default = _default(precision)
    formats = formats_for(units, default, pins)
    _check_pins(pins, units)
    splits = len(samples) >= FEWEST
    if not splits and goal.max_loss is not None:
        raise InputError(
            f"--max-loss needs {FEWEST} calibration samples or more to prove it on, there are "
            f"{len(samples)}"
        )
    search_part, proof_part = samples.split(goal.seed) if splits else (samples, samples)
    if isinstance(data, Task) and data.source.states:
        show("states along the samples", 0, 1)
        search_part, proof_part = (
            stepped(part, data.source.states, model, run, goal.seed)
            for part in (search_part, proof_part)
        )
    show("ranges", 0, 1)
    facts = _facts(model, search_part, units, default, pins, precision, goal)
    metrics = (
        data.metrics if isinstance(data, Task)
        else metrics_of("rms", _float_outputs(model), {})
    )  # fmt: skip
    judge, proof = (Judge(part, metrics, run) for part in (search_part, proof_part))
    trials, proofs = Trials(facts, judge), Trials(facts, proof)
    search = Search(trials, goal, show, notes)
    every = _names(model)
    forced = matching(every, wide)
    if len(wide) and not forced:
        raise OptionError(
            f"no tensor matches {wide[0]!r}; tensors: {', '.join(sorted(every)[:12])}, ..."
        )
    start = Candidate(start_of(model.graph) | forced, tuple(sorted(formats.items())))
    found = search.widen(start, frozenset()) if splits else trials.measure(start)
    stages = [found]
    if precision == "auto" and (goal.max_loss is not None or goal.max_bytes is not None) and splits:
        pinned = {u.names[0]: f for u in units for f in [formats[u.names[0]]]
                  if any(pin.matches(u) for pin in pins) or u.role == "router"}  # fmt: skip
        stages = search.narrow(found, units, pinned)
    chosen, verdict = _proven(stages, start, every, proofs, goal, show)
    result = trials.model(chosen.candidate)
    if goal.max_bytes is not None and chosen.nbytes > goal.max_bytes:
        raise BudgetError(_nearest(goal, chosen, verdict))
    controls = _controls(chosen.candidate, every, proofs, proof, show)
    said: dict[str, Any] = {}
    division: Division | None = None
    candidate = chosen.candidate
    if divide is not None:
        feeds = _calibrated(search_part).feeds
        strips = in_strips(candidate, start, divide, feeds, trials, proofs, goal, show)
        said["strips"] = {"pieces": 0, "choice": "none", "reason": NO_STRIPS}
        if strips is not None:
            rounded, division = strips
            result, verdict, said["strips"] = rounded.model, rounded.verdict, rounded.said
            candidate = rounded.candidate
    report = report_of(
        result, facts, verdict, search, controls, every & (candidate.wide - start.wide),
        proof_part, proven=splits, every=every,
    )  # fmt: skip
    return replace(result, report=report | said, strips=division)


def _default(precision: str) -> WeightFormat:
    if precision == "auto":
        return I8
    if precision not in PRECISIONS:
        raise OptionError(f"--precision {precision}: integers are auto, {', '.join(PRECISIONS)}")
    return PRECISIONS[precision]


def _check_pins(pins: Sequence[Pin], units: Sequence[Unit]) -> None:
    for pin in pins:
        if not pin.given.is_integer or pin.given.bits not in (8, 4, 2) or pin.given.zero_points:
            raise OptionError(
                f"--precision {pin.pattern}={pin.given}: integer programs store weights as "
                f"{', '.join(PRECISIONS)}, without zero points"
            )
        if not any(pin.matches(unit) for unit in units):
            names = ", ".join(unit.names[0] for unit in units[:12])
            raise OptionError(
                f"no weight, module or role matches {pin.pattern!r}; weights: {names}"
            )


def _facts(
    model: ir.Model, part: Samples, units: Sequence[Unit], default: WeightFormat,
    pins: Sequence[Pin], precision: str, goal: Goal,
) -> Facts:  # fmt: skip
    some = _calibrated(part)
    seen = watch(model, some.feeds(), goal.seed)
    below = (
        default.bits < 8 or any(pin.given.bits < 8 for pin in pins)
        or (precision == "auto" and (goal.max_loss is not None or goal.max_bytes is not None))
    )  # fmt: skip
    grams: dict[str, Array] = {}
    unseen: list[str] = []
    if below:
        names = [unit.names[0] for unit in units]
        found = calibrate(model, some.feeds(), grams=names)
        grams = {name: _usable(gram) for name, gram in found.grams.items()}
        unseen = found.unseen()
    return replace(facts_of(model, seen, grams), samples=len(some), unseen=unseen)


def _calibrated(part: Samples) -> Samples:
    """The samples that ranges come from."""
    return part.some(part.numbers[:: max(1, len(part) // CALIBRATED)])


def _usable(gram: Gram) -> Array:
    """The Gram matrix, 0 where so few rows were seen that to fit weights to them is to overfit."""
    depth = gram.matrix.shape[-1]
    enough = gram.rows >= ROWS_PER_INPUT * depth
    if gram.matrix.ndim == 2:
        return gram.matrix * float(enough.all())
    found: Array = gram.matrix * enough[:, None, None]
    return found


def _float_run(model: ir.Model) -> Callable[[Mapping[str, Array]], Mapping[str, Array]]:
    session = onnxruntime_session(model, optimise=True)
    names = [str(v.name) for v in model.graph.outputs]
    wanted = {i.name for i in session.get_inputs()}

    def run(feed: Mapping[str, Array]) -> Mapping[str, Array]:
        given = {name: array for name, array in feed.items() if name in wanted}
        return dict(zip(names, session.run(None, given), strict=True))

    return run


def _float_outputs(model: ir.Model) -> dict[str, tuple[int, ...]]:
    return {str(v.name): graph_facts.shape_of(v) or () for v in model.graph.outputs if is_float(v)}


def _names(model: ir.Model) -> frozenset[str]:
    """All float tensors."""
    values = [*model.graph.inputs, *(v for node in model.graph for v in node.outputs)]
    return frozenset(str(v.name) for v in values if is_float(v))


def _proven(
    stages: Sequence[Measured], start: Candidate, every: frozenset[str], proofs: Trials,
    goal: Goal, show: Progress,
) -> tuple[Measured, Verdict]:  # fmt: skip
    """The last stage that keeps its promise on the proof part too; then all tensors wide."""
    widest = Candidate(every, start.formats)
    tried: list[Measured] = []
    for number, stage in enumerate([*reversed(stages[-RETREATS:]), None]):
        show("proof", number, RETREATS)
        candidate = widest if stage is None else stage.candidate
        found = proofs.measure(candidate)
        tried.append(found)
        if goal.holds(found.verdict):
            return found, found.verdict
    nearest = min(tried, key=lambda m: m.verdict.loss)
    raise BudgetError(_nearest(goal, nearest, nearest.verdict))


def _nearest(goal: Goal, found: Measured, verdict: Verdict) -> str:
    asked = []
    if goal.max_loss is not None:
        asked.append(f"--max-loss {goal.max_loss:g}")
    if goal.max_bytes is not None:
        asked.append(f"--max-bytes {goal.max_bytes:,}")
    return (
        f"no integer program keeps {' and '.join(asked)}\n"
        f"  nearest: {found.nbytes:,} B with a loss of {verdict.loss:.4%} ({verdict.metric} of "
        f"{verdict.output}: {verdict.value:.5g}, float {verdict.baseline:.5g})\n"
        "  next: a larger budget, or more calibration samples"
    )


def _controls(
    chosen: Candidate, every: frozenset[str], proofs: Trials, proof: Judge, show: Progress
) -> dict[str, Verdict]:
    """float32, and the same weights with all tensors of one width."""
    found = {"fp32": proof.fp32()}
    for number, (name, wide) in enumerate(
        {"all int8": frozenset[str](), "all int16": every}.items()
    ):
        show(f"control: {name}", number, 2)
        found[name] = proofs.measure(Candidate(wide, chosen.formats)).verdict
    return found
