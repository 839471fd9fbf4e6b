"""`compile`: from a model to an artifact, as one readable function; `explain`: what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.artifact import Artifact, ManifestExtras, SelfTest
from edgemoe.buckets import Buckets, feed_for, plan_buckets, read_samples, samples_that_fit
from edgemoe.compression.samples import FEWEST
from edgemoe.compression.settings import Settings
from edgemoe.dispatching import Found, find_dispatch
from edgemoe.errors import BudgetError, OptionError, StrictError
from edgemoe.frontend import Source, load_model
from edgemoe.graph_pass import Phase
from edgemoe.integer.compiling import wants_integers
from edgemoe.kv_cache import DTYPES as CACHE_DTYPES
from edgemoe.measured_loss import measurer
from edgemoe.narrow_caches import Narrowed, narrow_caches
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import PassReport, run_passes
from edgemoe.plan import Decision, Plan, TensorInfo
from edgemoe.plugins import Plugin, load_plugins
from edgemoe.precision import Pin, Precision, Unit, parse_pins
from edgemoe.reference import Reference
from edgemoe.weight_format import BF16, F32, I4, I8, WeightFormat, parse

if TYPE_CHECKING:
    from edgemoe.compression.compressed import Compressed
    from edgemoe.compression.goal import Goal
    from edgemoe.compression.option import Costs
    from edgemoe.compression.task import Task
    from edgemoe.explanation import Explanation
    from edgemoe.integer.model import IntegerModel
    from edgemoe.targets.cpu import Lowered
    from edgemoe.targets.spec import TargetSpec

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]

FLOAT_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}
"""Largest difference that a self-test allows, relative to the RMS of the output, by kind of weight.

A bfloat16 weight has 8 significant bits: each product is off by up to 2^-9, their sums by less.
"""

INTEGER_TOLERANCE = {8: 0.5, 4: 3.0, 3: 8.0, 2: 20.0}
"""The same by bits, for an artifact that does not run where it is compiled.

Otherwise its own outputs become the expected ones, within `OWN_TOLERANCE` (`measured_loss`).
"""

CACHE_TOLERANCE = {"f32": 0.0, "f16": 1e-3, "bf16": 5e-3, "i8": 1e-2}
"""The same for a narrow KV cache against onnxruntime with the same rounding: where sums of floats
differ in their last bit, a value moves over the border between two codes now and then."""


@dataclass
class _Variant:
    count: int | None
    graph: ir.Model
    report: PassReport
    feed: dict[str, Array]
    expected: dict[str, Array]
    rounded: dict[str, Array] = field(default_factory=dict)  # the same with narrow KV caches


def compile(
    model: Any,
    *,
    target: str = "cpu",
    out: str | Path | None = None,
    tokens: Sequence[int] | None = None,
    shapes: Mapping[str, int | Sequence[int]] | None = None,
    cpu: str = "all",
    precision: str = "auto",
    kv_cache: str = "f32",
    prune: str | float = "none",
    calibration: str | Path | Mapping[str, Array] | None = None,
    max_loss: float | None = None,
    max_bytes: int | None = None,
    max_ram: int | None = None,
    expert_slots: int | None = None,
    objects: bool = False,
    metric: str = "auto",
    task_group: Mapping[str, str] | None = None,
    controls: Mapping[str, Any] | None = None,
    save_onnx: str | Path | None = None,
    compression: Settings | None = None,
    runner: str = "local",
    check: bool = False,
    dump: str | Path | None = None,
    strict: bool = False,
    plugins: Sequence[str | Path] = (),
    name: str | None = None,
    tuning: str | Path = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> Artifact:
    """Compile a model for a device.

    Args:
        model: path of a .onnx or .pt2, "package.module:factory", (module, example inputs), or an
            `onnx_ir.Model`.
        target: a name of `edgemoe targets`, or a .toml file.
        out: the artifact to write: a folder, or a .zip; default: `NAME.em`.
        tokens: token counts to compile for, one variant each (default 1, 8, 64 when the model has
            a token axis).
        shapes: extents of dimensions by name, or whole shapes of inputs by name.
        cpu: "all" instruction sets of the target, "native", or the name of one.
        precision: how weights are stored: "f32", "bf16", "f16", "i8", "i4", "i3", "i2", "ternary",
            with options for integers behind dots ("i4.g64.zp.a32", see `edgemoe.weight_format`), or
            "auto": with calibration data and a budget a format for every weight, else the first of
            f32, bf16, i8, i4 that keeps `max_bytes`. For microcontrollers "i8", "i4", "ternary" and
            "auto" with calibration data make programs of integers alone (docs/integer.md). Pins
            follow behind commas, such as "auto,*.router=f32" (docs/compression.md).
        kv_cache: how a decoder's keys and values are kept between calls: "f32", "bf16", "f16" or
            "i8" (a scale per token and head, docs/formats.md). Only states that attention alone
            reads and that grow by whole rows; the plan says of the others why not.
        prune: "none", "auto" (as many experts as the budget of accuracy lets go), or the share of
            experts to remove. Needs calibration data.
        calibration: arrays by input name (an .npz or a mapping), with a sample axis first, and
            `target:<output>` arrays for a task metric.
        max_loss: largest loss by the metric, 0.005 for 0.5%, on data that the search did not see.
        max_bytes: largest size of the weights in bytes.
        max_ram: microcontrollers: largest arena with states in bytes; steps are cut into pieces of
            rows until it fits (docs/microcontrollers.md).
        expert_slots: microcontrollers: experts are copied to so many places in RAM before they are
            read, for weights in slow memory.
        objects: microcontrollers: kernels as LLVM objects rather than C source.
        metric: "mse", "accuracy", "cross-entropy" (relative, against targets), "kl", "rms" (against
            fp32), or "auto": by the targets, "rms" without.
        task_group: keep the samples whose `group:<name>` array has this value, {name: value}, to
            compress for one task or domain.
        controls: other trained models by the name that the report shows, anything that `model` may
            be, such as an equally small dense one. They are judged on the same proof part.
        save_onnx: write what a search decided as a .onnx file too, for other runtimes.
        compression: more settings of the search.
        runner: where products are timed for objectives with latency: see `edgemoe tune --runner`.
        check: compare the graph with onnxruntime after every pass.
        dump: folder for the text of the graph around every pass.
        strict: an error for what falls back to generic code, stays dense or is skipped.
        plugins: Python files that declare passes and router families (docs/writing-a-pass.md);
            those of installed packages take part too.
        name: name of the model; default: that of the file or factory.
        tuning: "none", a file that `edgemoe tune` wrote, or "auto": with cpu="native" what was
            measured on this machine or ships for its processor (docs/tuning.md).
        command: the command line, for the manifest.
        progress: called with (what, done, total).

    Returns the artifact, which has been written and opened.

    Raises:
        EdgemoeError: with the thing, the limit and the next step; nothing is left behind.
    """
    from edgemoe.targets import family_of, load_target
    from edgemoe.targets.tuning.tunings import choose as choose_tunings

    show = progress or (lambda what, done, total: None)
    spec = load_target(target)
    family = family_of(spec)
    spec = family.with_isas(spec, cpu)
    tunings = choose_tunings(spec, tuning, native=cpu == "native")
    rest, pins = parse_pins(precision)
    _refuse_unusable_cache(kv_cache, max_loss, runs_here=family.runs_here(spec))
    samples = read_samples(calibration)
    _refuse_unusable(prune, max_loss, samples)
    loaded = load_plugins(plugins)
    settings = compression or Settings()
    goal = settings.goal(max_loss, max_bytes)
    place = Path(out) if out is not None else None

    show("import", 0, 1)
    source = load_model(model, dynamic=tokens is not None)
    title = name or source.name
    place = place or Path(f"{title}.em")
    buckets = plan_buckets(source.model, tokens, shapes or {}, family.default_tokens())
    reference = Reference(buckets)
    task, decided = None, None
    if samples:
        from edgemoe.compression.task import task_of

        task = task_of(source, buckets, samples, metric, loaded, task_group)
        if spec.family == "mcu" and prune == "auto":
            prune = "none"  # a promise is kept by the widths of integers
        static = spec.family == "mcu" and wants_integers(rest, task, spec.name)
        if (not static or prune != "none") and settings.searches(
            rest, prune, goal, len(task.samples), runs_here=family.runs_here(spec)
        ):
            from edgemoe.compression.compress import compress
            from edgemoe.compression.trained_controls import trained_controls

            decided = compress(
                task, goal, pins=() if static else pins, prune=prune,
                precision="f32" if static else rest, settings=settings,
                journal=settings.journal_beside(place), show=show, costs=_costs(spec, runner),
                trained=trained_controls(controls or {}, task),
            )  # fmt: skip
    if controls and decided is None:
        raise OptionError(
            f"--control {next(iter(controls))}: a control stands beside what a search decided; "
            "give --calibration F.npz, and --max-loss, --max-bytes, --prune RATIO or a --precision "
            "of integers"
        )
    if save_onnx is not None and decided is None:
        raise OptionError(
            "--save-onnx writes what a search decided; give --calibration F.npz, and --max-loss, "
            "--max-bytes, --prune RATIO or a --precision of integers"
        )

    total = 2 * len(buckets.counts) + len(spec.isas) + 3
    variants = []
    for number, count in enumerate(buckets.counts):
        label = "" if count is None else f" for {count} tokens"
        show(f"passes{label}", 1 + 2 * number, total)
        variants.append(
            _prepare(source, buckets, count, reference, samples, loaded, check, dump, decided)
        )
    inputs, outputs = buckets.infos(source.states)
    found = Found("static", False, "every shape is static")
    if buckets.dimension is not None and spec.family == "cpu":
        found = _dispatch(source, buckets, reference, inputs, outputs)
    narrowed = Narrowed()
    if kv_cache != "f32":
        graphs = [variant.graph for variant in variants]
        narrowed = narrow_caches(graphs, source.states, kv_cache, title)
        inputs, outputs = narrowed.infos(inputs, outputs)
        for variant in variants:
            variant.report.notes += narrowed.notes
            variant.rounded = _with_narrow_caches(variant, narrowed, source.states)

    inputs = family.static_infos(inputs, buckets.counts[-1])
    outputs = family.static_infos(outputs, buckets.counts[-1])
    integer: IntegerModel | None = None
    if spec.family == "mcu" and wants_integers(rest, task, spec.name):
        from edgemoe.integer.compiling import infos_of
        from edgemoe.integer.quantise import quantise

        assert task is not None
        (variant,) = variants
        integer = quantise(variant.graph, task, precision=rest, goal=goal, pins=pins, show=show)
        variants = [_as_integers(variant, integer)]
        inputs, outputs = infos_of(integer, inputs), infos_of(integer, outputs)

    def lower(
        graphs: Sequence[ir.Model], counts: Sequence[int | None], given: Precision
    ) -> Lowered:
        lowered: Lowered = family.lower(
            spec, graphs, counts, given, tunings, title=title, max_ram=max_ram,
            expert_slots=expert_slots,
            states=[x for x in inputs if x.state_output is not None],
        )  # fmt: skip
        return lowered

    def write(decided: Compressed | None) -> Artifact:
        asked = [Precision()]
        if integer is None:
            asked = _precisions(rest, pins, max_bytes, decided, family.PRECISIONS)
        lowered, given = _lower_within(
            title, variants, asked, max_bytes, show, total, decided, lower,
            "" if family.PRECISIONS else ", or --precision i4",
        )  # fmt: skip
        plan = _plan(
            title, spec, lowered, inputs, outputs, found, source, variants, given, loaded, integer
        )
        if strict:
            _strict(plan, variants, family.generic_steps(lowered.variants, lowered.kernels))
        done = total - len(spec.isas) - 1
        artifact: Artifact = family.write(
            spec, lowered, plan, place,
            selftests=[
                _self_test(
                    v, inputs,
                    0.0 if integer else max(_tolerance(given), CACHE_TOLERANCE[kv_cache]),
                    own=given.integers,
                )
                for v in variants
            ],
            extras=ManifestExtras(
                command=command,
                versions={**family.versions(), **{f"plug-in {p.name}": p.sha256 for p in loaded}},
                vocabulary=None if source.vocabulary is None else {"tokens": source.vocabulary},
                accuracy={} if decided is None else decided.foreseen(),
            ),
            report={"notes": [asdict(n) for v in variants for n in v.report.notes],
                    "warnings": source.notes, "passes": _pass_times(variants),
                    **({} if decided is None else {"compression": decided.report()}),
                    **({} if integer is None else {"integers": integer.report})},
            show=lambda what, step: show(what, done + step, total),
            measure=_measure(task, decided, reference, goal, given, narrowed, static=bool(integer))
            if family.runs_here(spec) else None,
            as_objects=objects,
        )  # fmt: skip
        return artifact

    artifact, decided = _write_within(write, decided)
    if decided is not None:
        decided.search.journal.close()
        if save_onnx is not None:
            from edgemoe.compression.saved_onnx import save_onnx as save

            show(save(decided, Path(save_onnx)), total, total)
    return artifact


def _write_within(
    write: Callable[[Compressed | None], Artifact], decided: Compressed | None
) -> tuple[Artifact, Compressed | None]:
    """Write the artifact; where it loses more than the search foresaw, one that loses less."""
    for _ in range(REBUILDS - 1):
        try:
            return write(decided), decided
        except BudgetError:
            if decided is None or decided.is_best:
                raise
            decided = decided.retreat()
    return write(decided), decided


def _costs(spec: TargetSpec, runner: str) -> Costs:
    """What times products on the target, when a search asks for it."""

    def costs(
        units: Sequence[Unit], choices: Sequence[Sequence[WeightFormat]], show: Progress
    ) -> Callable[[Unit, WeightFormat], float]:
        from edgemoe.compression.latency import measured
        from edgemoe.targets.tuning.runners import runner_of

        return measured(units, choices, spec, runner_of(runner, spec), show)

    return costs


def _measure(
    task: Task | None, decided: Compressed | None, reference: Reference, goal: Goal,
    given: Precision, narrowed: Narrowed, *, static: bool,
) -> Callable[[Path], dict[str, Any]]:  # fmt: skip
    """What measures the finished artifact: on the proof part where there was a search."""
    judge, what = None, "calibration samples"
    if static and task is not None and len(task.samples) >= FEWEST:
        from edgemoe.compression.judge import Judge

        _, proof = task.samples.split(goal.seed)
        judge = Judge(proof, task.metrics, lambda feed: reference.run(feed, task.count))
        what = "samples that the search did not see"
        return measurer(judge, what, goal, narrowed, own=False)
    if decided is not None:
        judge, what = decided.proof, "samples that the search did not see"
    elif task is not None:
        from edgemoe.compression.judge import Judge

        judge = Judge(task.samples, task.metrics, lambda feed: reference.run(feed, task.count))
    return measurer(judge, what, goal, narrowed, own=given.integers)


def explain(
    model: Any,
    *,
    tokens: Sequence[int] | None = None,
    shapes: Mapping[str, int | Sequence[int]] | None = None,
    plugins: Sequence[str | Path] = (),
) -> Explanation:
    """Say what the compiler recognises in a model, and the nearest miss where it does not.

    Args:
        model: as for `compile`.
        tokens: token counts to compile for; the largest is explained.
        shapes: extents of dimensions by name, or whole shapes of inputs by name.
        plugins: as for `compile`.

    Raises:
        EdgemoeError: the model cannot be read, or the shapes do not fit it.
    """
    from edgemoe.explanation import explain_graph

    loaded = load_plugins(plugins)
    source = load_model(model, dynamic=tokens is not None)
    buckets = plan_buckets(source.model, tokens, shapes or {})
    graph = buckets.bind(buckets.counts[-1])
    phases: tuple[Phase, ...] = ("import", "canonicalise", "recognise")
    report = run_passes(graph, phases=phases, extra=loaded, survive=True)
    return explain_graph(graph, report, notes=source.notes, plugins=loaded)


REBUILDS = 3
"""How often an artifact is made again whose loss was larger than the search foresaw."""


def _precisions(
    rest: str, pins: Sequence[Pin], max_bytes: int | None, decided: Compressed | None,
    known: Sequence[str],
) -> list[Precision]:  # fmt: skip
    """What to try, in order; `known` are the formats that a family has, empty: all."""
    if decided is not None:
        return [decided.precision]
    if rest != "auto":
        return [Precision(parse(rest), pins=pins)]
    formats = [F32] if max_bytes is None else [F32, BF16, I8, I4]
    formats = [given for given in formats if not known or str(given) in known]
    return [Precision(given, pins=pins) for given in formats]


def _tolerance(given: Precision) -> float:
    return given.widest_error(
        lambda f: INTEGER_TOLERANCE[f.bits] if f.is_integer else FLOAT_TOLERANCE[f.kind]
    )


def _refuse_unusable_cache(kind: str, max_loss: float | None, *, runs_here: bool) -> None:
    if kind == "f32":
        return
    if kind not in CACHE_DTYPES:
        raise OptionError(f"--kv-cache {kind}: caches are stored as f32, {', '.join(CACHE_DTYPES)}")
    if max_loss is not None and not runs_here:
        raise OptionError(
            f"--kv-cache {kind} with --max-loss: what rounding of the cache loses is measured by "
            "running the artifact, which this machine cannot\n"
            "  next: leave one of the two out, or compile on the device"
        )


def _refuse_unusable(
    prune: str | float, max_loss: float | None, samples: Mapping[str, Array]
) -> None:
    if prune not in ("none", "auto") and not samples:
        raise OptionError(
            f"--prune {prune} needs data to choose experts by; give --calibration F.npz with "
            "arrays under the model's input names"
        )
    if max_loss is not None and not samples:
        raise OptionError(
            "--max-loss needs data to measure on; give --calibration F.npz with arrays under the "
            "model's input names"
        )


def _prepare(
    source: Source,
    buckets: Buckets,
    count: int | None,
    reference: Reference,
    samples: Mapping[str, Array],
    plugins: Sequence[Plugin],
    check: bool,
    dump: str | Path | None,
    decided: Compressed | None,
) -> _Variant:
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
    return _Variant(count, graph, report, feed, expected)


def _as_integers(variant: _Variant, integer: IntegerModel) -> _Variant:
    """The same with an integer graph, on codes."""
    feed = integer.encode(variant.feed)
    return replace(
        variant, graph=integer.model, feed=feed, expected=integer.run_integers(feed), rounded={}
    )


def _with_narrow_caches(
    variant: _Variant, narrowed: Narrowed, states: Mapping[str, str]
) -> dict[str, Array]:
    """What onnxruntime gives for the outputs that are no states, with caches as they are stored."""
    names = [name for name in variant.expected if name not in states.values()]
    found = run_in_onnxruntime(variant.graph, narrowed.feed(variant.feed), names)
    return dict(zip(names, found, strict=True))


def _dispatch(
    source: Source,
    buckets: Buckets,
    reference: Reference,
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
) -> Found:
    return find_dispatch(
        reference, inputs, outputs,
        lambda n, seed: feed_for(buckets.bind(n), source.examples, source.states, seed=seed),
    )  # fmt: skip


def _lower_within(
    title: str,
    variants: Sequence[_Variant],
    precisions: Sequence[Precision],
    max_bytes: int | None,
    show: Progress,
    total: int,
    decided: Compressed | None,
    lower: Callable[[Sequence[ir.Model], Sequence[int | None], Precision], Lowered],
    smaller: str,
) -> tuple[Lowered, Precision]:
    """Lower with the first precision that keeps `max_bytes`; `smaller` is advice if none does."""
    for given in precisions:
        show(f"lowering, {given.title} weights", 1 + 2 * len(variants), total)
        graphs, counts = [v.graph for v in variants], [v.count for v in variants]
        lowered = lower(graphs, counts, given)
        if max_bytes is None or lowered.weights.nbytes <= max_bytes:
            given.refuse_unmatched_pins()
            return lowered, given
    over, last = lowered.weights.nbytes - (max_bytes or 0), precisions[-1]
    if decided is not None:
        raise BudgetError(decided.nearest(lowered.weights.nbytes))
    raise BudgetError(
        f"{title} needs {lowered.weights.nbytes:,} B of weights as {last.title}, --max-bytes "
        f"allows {max_bytes:,} B (over by {over:,} B)\n  try: a larger --max-bytes"
        + ("" if last.default.bits < 8 else smaller)
    )


def _plan(
    title: str,
    spec: TargetSpec,
    lowered: Lowered,
    inputs: tuple[TensorInfo, ...],
    outputs: tuple[TensorInfo, ...],
    found: Found,
    source: Source,
    variants: Sequence[_Variant],
    given: Precision,
    plugins: Sequence[Plugin],
    integer: IntegerModel | None,
) -> Plan:
    from edgemoe.targets import family_of

    family = family_of(spec)
    generic = family.generic_steps(lowered.variants, lowered.kernels)
    steps = sum(len(variant.steps) for variant in lowered.variants)
    kept = [s for s in lowered.weights.sections if s.format == F32.stored]
    decisions = [
        Decision("dispatch", found.dispatch, found.reason),
        _weights(integer) if integer is not None else Decision(
            "weights", given.title, f"{sum(s.nbytes for s in kept):,} B stay float32"
        ),
        Decision(
            "generic kernels", f"{len(generic)} of {steps} steps",
            "no kernel of ours computes them; TVM's functions run with the default schedule",
        ),
        lowered.tunings.decision(), *lowered.decisions,
    ]  # fmt: skip
    decisions += [Decision("plug-in", plugin.name, plugin.describe()) for plugin in plugins]
    for note in variants[-1].report.notes:
        decisions.append(Decision(note.subject, note.kind, note.text, note.origin))
    facts: dict[str, Any] = {
        "pad_ok": found.pad_ok,
        # Kernels load vectors without alignment: arrays of callers are used where they lie.
        "io_alignment": 4,
        "in_place_states": family.in_place_states(lowered, inputs, outputs),
        "tokens": list(_counts(variants)),
        "isa_bases": {isa.name: isa.base for isa in spec.isas if isa.base},
    }
    return Plan(
        name=title, target=spec.name, isas=tuple(isa.name for isa in spec.isas), inputs=inputs,
        outputs=outputs, variants=lowered.variants, kernels=lowered.kernels.kernels(),
        weights=tuple(lowered.weights.sections), weights_bytes=lowered.weights.nbytes,
        dispatch=found.dispatch, dispatch_reason=found.reason, decisions=tuple(decisions),
        facts=facts,
    )  # fmt: skip


def _weights(integer: IntegerModel) -> Decision:
    """How an integer program holds its weights and tensors."""
    formats = ", ".join(sorted(set(integer.report["formats"].values())))
    tensors = integer.report["tensors"]
    return Decision(
        "weights", formats or "none",
        f"integers throughout: {tensors['int8']} tensors of int8, {tensors['int16']} of int16",
    )  # fmt: skip


def _pass_times(variants: Sequence[_Variant]) -> list[dict[str, Any]]:
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


def _counts(variants: Sequence[_Variant]) -> list[int]:
    return [v.count for v in variants if v.count is not None]


def _self_test(
    variant: _Variant, inputs: Sequence[TensorInfo], tolerance: float, *, own: bool
) -> SelfTest:
    """Inputs without states (they start at zeros) and the outputs that are no states.

    `own`: the artifact is measured against float32 first, and then expects what it computes itself.
    """
    states = {x.name: x.state_output for x in inputs if x.state_output is not None}
    return SelfTest(
        {name: array for name, array in variant.feed.items() if name not in states},
        {
            n: array if own else variant.rounded.get(n, array)
            for n, array in variant.expected.items()
            if n not in states.values()
        },
        tolerance,
    )


def _strict(plan: Plan, variants: Sequence[_Variant], generic: Sequence[str]) -> None:
    """Refuse what was only printed without `--strict`."""
    problems = [
        f"{note.subject}: {note.text}" + (f" (at {note.origin})" if note.origin else "")
        for note in variants[-1].report.notes
        if note.kind in ("missed", "warning")
    ]
    problems += [f"generic kernel: {label}" for label in dict.fromkeys(generic)]
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:20])
        more = f"\n  ... and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise StrictError(
            f"--strict: {plan.name} has {len(problems)} places that are not optimal:\n{shown}{more}"
            "\n  next: `edgemoe explain MODEL` shows each, or leave --strict out"
        )
