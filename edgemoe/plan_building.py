"""Puts together the plan: what was lowered, with every decision and its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgemoe.dispatching import Found
from edgemoe.errors import StrictError
from edgemoe.frontend import Source
from edgemoe.plan import Decision, Plan, TensorInfo
from edgemoe.plugins import Plugin
from edgemoe.precision import Precision
from edgemoe.variants import Variant, counts_of
from edgemoe.weight_format import F32

if TYPE_CHECKING:
    from edgemoe.integer.model import IntegerModel
    from edgemoe.targets.cpu import Lowered
    from edgemoe.targets.spec import TargetSpec


def build_plan(
    title: str,
    spec: TargetSpec,
    lowered: Lowered,
    inputs: tuple[TensorInfo, ...],
    outputs: tuple[TensorInfo, ...],
    found: Found,
    source: Source,
    variants: Sequence[Variant],
    given: Precision,
    plugins: Sequence[Plugin],
    integer: IntegerModel | None,
) -> Plan:
    """The plan of lowered variants; `given` is how weights are stored, unless as integers."""
    from edgemoe.targets import family_of
    from edgemoe.targets.spec import kernel_owners

    family = family_of(spec)
    generic = family.generic_steps(lowered.variants, lowered.kernels)
    steps = sum(len(variant.steps) for variant in lowered.variants)
    kept = [s for s in lowered.weights.sections if s.format == F32.stored]
    decisions = [
        Decision("dispatch", found.dispatch, found.reason),
        _integer_weights(integer) if integer is not None else Decision(
            "weights", given.title, f"{sum(s.nbytes for s in kept):,} B stay float32"
        ),
        Decision(
            "generic kernels", f"{len(generic)} of {steps} steps",
            "no kernel of ours computes them; TVM's functions run with the default schedule",
        ),
        lowered.tunings.decision(), *lowered.decisions,
    ]  # fmt: skip
    if integer is not None and "strips" in integer.report:
        decisions.append(_strip_scales(integer.report["strips"]))
    decisions += [Decision("plug-in", plugin.name, plugin.describe()) for plugin in plugins]
    for note in variants[-1].report.notes:
        decisions.append(Decision(note.subject, note.kind, note.text, note.origin))
    facts: dict[str, Any] = {
        "pad_ok": found.pad_ok,
        # Kernels load vectors without alignment: arrays of callers are used where they lie.
        "io_alignment": 4,
        "in_place_states": family.in_place_states(lowered, inputs, outputs),
        "tokens": list(counts_of(variants)),
        "kernel_owners": kernel_owners(spec),
    }
    return Plan(
        name=title, target=spec.name, isas=tuple(isa.name for isa in spec.isas), inputs=inputs,
        outputs=outputs, variants=lowered.variants, kernels=lowered.kernels.kernels(),
        weights=tuple(lowered.weights.sections), weights_bytes=lowered.weights.nbytes,
        dispatch=found.dispatch, dispatch_reason=found.reason, decisions=tuple(decisions),
        facts=facts,
    )  # fmt: skip


def _integer_weights(integer: IntegerModel) -> Decision:
    """How an integer program holds its weights and tensors."""
    formats = ", ".join(sorted(set(integer.report["formats"].values())))
    tensors = integer.report["tensors"]
    return Decision(
        "weights", formats or "none",
        f"integers throughout: {tensors['int8']} tensors of int8, {tensors['int16']} of int16",
    )  # fmt: skip


def _strip_scales(strips: Mapping[str, Any]) -> Decision:
    """How the strips of an image are rounded that `--max-ram` has made, and what that costs."""
    rows, reason = strips.get("controls", {}), strips["reason"]
    if strips["choice"] in rows:
        before, after = rows["common scales"], rows[strips["choice"]]
        reason += "".join(
            f"; {what} {after[name]:,} B for {before[name]:,} B"
            for what, name in (("constants", "constant_bytes"), ("arena", "arena_bytes"))
        )
    return Decision("strip scales", strips["choice"], f"{reason}; 0 MACs more")


def refuse_if_strict(
    plan: Plan, variants: Sequence[Variant], generic: Sequence[str], unseen: Sequence[str] = ()
) -> None:
    """Refuse what was only printed without `--strict`.

    `unseen`: weights of products that were to have static activations and have not.
    """
    problems = [
        f"{note.subject}: {note.text}" + (f" (at {note.origin})" if note.origin else "")
        for note in variants[-1].report.notes
        if note.kind in ("missed", "warning")
    ]
    problems += [f"generic kernel: {label}" for label in dict.fromkeys(generic)]
    problems += [f"input never seen in calibration: {title}" for title in unseen]
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:20])
        more = f"\n  ... and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise StrictError(
            f"--strict: {plan.name} has {len(problems)} places that are not optimal:\n{shown}{more}"
            "\n  next: `edgemoe explain MODEL` shows each, or leave --strict out"
        )
