"""`compile`: from a model to an artifact, as one readable function; `explain`: what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe.artifact import Artifact, ManifestExtras
from edgemoe.artifact_writer import Contents
from edgemoe.buckets import Buckets, feed_for, plan_buckets, read_samples
from edgemoe.compression.settings import Settings
from edgemoe.deciding import costs_of, foreseen, measure_of, write_within
from edgemoe.dispatching import Found, find_dispatch
from edgemoe.frontend import Source, load_model
from edgemoe.graph_pass import Phase
from edgemoe.integer.compiling import wants_integers
from edgemoe.integer_branch import as_integers
from edgemoe.lowering_within import lowered_within, precisions_of
from edgemoe.narrow_caches import Narrowed, narrow_caches
from edgemoe.pass_runner import run_passes
from edgemoe.plan import Plan, TensorInfo
from edgemoe.plan_building import build_plan, refuse_if_strict
from edgemoe.plugins import load_plugins
from edgemoe.precision import Precision, parse_pins
from edgemoe.reference import Reference
from edgemoe.self_tests import self_test_of, statistic_of, tolerance_of
from edgemoe.stand_in import tested
from edgemoe.static_scales import refuse_unusable_static, scales_for, wants_static
from edgemoe.target_options import TargetOptions
from edgemoe.unusable import refuse_unusable, refuse_unusable_cache, refuse_without_search
from edgemoe.variants import pass_times, prepared, with_narrow_caches

if TYPE_CHECKING:
    from edgemoe.compression.compressed import Compressed
    from edgemoe.explanation import Explanation
    from edgemoe.integer.model import IntegerModel
    from edgemoe.targets.cpu import Lowered
    from edgemoe.targets.spec import TargetSpec

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]


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
            with options for integers behind dots ("i4.g64.zp.a32", see `edgemoe.weight_format`;
            "i8.static" has scales of activations from calibration, for CPUs), or
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
    refuse_unusable_cache(kv_cache, max_loss, runs_here=family.runs_here(spec))
    samples = read_samples(calibration)
    refuse_unusable(prune, max_loss, samples)
    has_static = wants_static(rest, pins)
    refuse_unusable_static(
        precision, has_static, spec.family, spec.name, calibrated=bool(samples)
    )  # fmt: skip
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
                journal=settings.journal_beside(place), show=show, costs=costs_of(spec, runner),
                trained=trained_controls(controls or {}, task),
            )  # fmt: skip
    if decided is None:
        refuse_without_search(controls, save_onnx)

    total = 2 * len(buckets.counts) + len(spec.isas) + 3
    variants = []
    for number, count in enumerate(buckets.counts):
        label = "" if count is None else f" for {count} tokens"
        show(f"passes{label}", 1 + 2 * number, total)
        variants.append(
            prepared(source, buckets, count, reference, samples, loaded, check, dump, decided)
        )
    inputs, outputs = buckets.infos(source.states)
    found = Found("static", False, "every shape is static")
    if buckets.dimension is not None and spec.family != "mcu":
        found = _dispatch(source, buckets, reference, inputs, outputs)
    narrowed = Narrowed()
    if kv_cache != "f32":
        graphs = [variant.graph for variant in variants]
        narrowed = narrow_caches(graphs, source.states, kv_cache, title)
        inputs, outputs = narrowed.infos(inputs, outputs)
        for variant in variants:
            variant.report.notes += narrowed.notes
            variant.rounded = with_narrow_caches(variant, narrowed, source.states)

    scales = scales_for(task, variants) if has_static and task is not None else None
    inputs = family.static_infos(inputs, buckets.counts[-1])
    outputs = family.static_infos(outputs, buckets.counts[-1])

    def options_of(inputs: Sequence[TensorInfo]) -> TargetOptions:
        states = [x for x in inputs if x.state_output is not None]
        return TargetOptions(title, states, max_ram, expert_slots, objects)

    integer: IntegerModel | None = None
    if spec.family == "mcu" and wants_integers(rest, task, spec.name):
        assert task is not None
        integer, variant, inputs, outputs = as_integers(
            variants[0], task, inputs, outputs, precision=rest, goal=goal, pins=pins, show=show,
            divide=None if max_ram is None else lambda graph, given: family.divide(
                spec, graph, Precision(), options_of(given)
            ),
        )  # fmt: skip
        variants = [variant]

    def lower(
        graphs: Sequence[ir.Model], counts: Sequence[int | None], given: Precision
    ) -> Lowered:
        strips = None if integer is None else integer.strips
        lowered: Lowered = family.lower(
            spec, graphs, counts, given, tunings, replace(options_of(inputs), strips=strips)
        )
        return lowered

    def write(decided: Compressed | None) -> Artifact:
        asked = [Precision()]
        if integer is None:
            asked = precisions_of(rest, pins, max_bytes, decided, family.PRECISIONS)
        if scales is not None:
            for one in asked:
                one.activations = scales.scales
        lowered, given = lowered_within(
            title, variants, asked, max_bytes, show, total, decided, lower,
            "" if family.PRECISIONS else ", or --precision i4",
        )  # fmt: skip

        def plan_for(spec: TargetSpec) -> Plan:
            return build_plan(
                title, spec, lowered, inputs, outputs, found, source, variants, given, loaded,
                integer,
            )  # fmt: skip

        plan = plan_for(spec)
        if strict:
            generic = family.generic_steps(lowered.variants, lowered.kernels)
            unseen = [] if scales is None else scales.report(given)["never_seen"]
            refuse_if_strict(plan, variants, generic, unseen)
        done = total - len(spec.isas) - 1
        statistic = statistic_of(given, plan)
        selftests = [
            self_test_of(
                v, inputs,
                0.0 if integer else tolerance_of(given, kv_cache, plan),
                statistic, own=statistic == "rms",
            )
            for v in variants
        ]  # fmt: skip
        measure = measure_of(
            task, decided, reference, goal, narrowed, static=integer is not None,
            own=statistic == "rms",
        )  # fmt: skip
        proof = tested(
            spec, Contents(selftests, measure=measure),
            foreseen(decided, spec, statistic == "rms" and not family.runs_here(spec)),
            lambda own, folder, contents: family.write(
                own, lowered, plan_for(own), folder, contents,
                lambda what, step: show(f"copy for {own.name}", done, total),
            ),
            runs_here=family.runs_here(spec), rounds=statistic == "rms",
        )  # fmt: skip
        contents = Contents(
            selftests=proof.selftests,
            extras=ManifestExtras(
                command=command,
                versions={**family.versions(), **{f"plug-in {p.name}": p.sha256 for p in loaded}},
                vocabulary=None if source.vocabulary is None else {"tokens": source.vocabulary},
                accuracy=proof.accuracy,
            ),
            report={"notes": [asdict(n) for v in variants for n in v.report.notes],
                    "warnings": source.notes, "passes": pass_times(variants),
                    **({} if decided is None else {"compression": decided.report()}),
                    **({} if scales is None else {"static_activations": scales.report(given)}),
                    **({} if integer is None else {"integers": integer.report})},
            measure=proof.measure,
        )  # fmt: skip
        artifact: Artifact = family.write(
            spec, lowered, plan, place, contents, lambda what, step: show(what, done + step, total)
        )
        return artifact

    artifact, decided = write_within(write, decided)
    if decided is not None:
        decided.search.journal.close()
        if save_onnx is not None:
            from edgemoe.compression.saved_onnx import save_onnx as save

            show(save(decided, Path(save_onnx)), total, total)
    return artifact


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
