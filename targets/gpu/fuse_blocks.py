"""Replaces the steps of a mixer block, a norm and two products, by one where its tile fits.

    Given:  n = norm(x); h = linear(n, w0); y = linear(h, w1) + x
    Result: y = mixer_block(x, w0, w1)

n and h must have no other use. Where the norm does not fit (its vectors cross all rows of a tile,
or it takes one buffer too many), the two products alone are fused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from edgemoe.plan import Decision, Pointer, Step
from edgemoe.targets.gpu.program import GpuProgram
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.gpu.linear import GpuLinear
from edgemoe.targets.kernels.gpu.mixer_block import MixerBlock
from edgemoe.targets.kernels.gpu.norm import RowNorm
from edgemoe.targets.kernels.gpu.token_mix import GpuTokenMix
from edgemoe.targets.kernels.norm import Norm

ROWS = (32, 16, 8, 4, 2, 1)
"""Rows of a tile: the most that still occupy the device, else as few as there may be."""

MOST_MACS = 1 << 14
"""Multiply-accumulates of a thread above which work-groups are worth more than fewer launches."""

NORM = "norm"

Product = GpuLinear | GpuTokenMix


@dataclass(frozen=True)
class Fused:
    """What `fuse` did.

    `outcome` says how many blocks there are, by why they stay separate; "" are those that were
    fused, and `NORM` those of them whose norm remained a step. `origins` has for every step of the
    program the numbers of those that it stands for, as they were before.
    """

    outcome: Counter[str]
    origins: list[range]


def fuse(program: GpuProgram) -> Fused:
    """Fuse the blocks of a program in place."""
    assert not program.loops
    outcome: Counter[str] = Counter()
    origins = [range(n, n + 1) for n in range(len(program.steps))]
    number = 0
    while number + 1 < len(program.steps):
        pair = _pair(program, number)
        if pair is None:
            number += 1
            continue
        norm = _norm_before(program, number, pair)
        made: MixerBlock | str = ""
        for given in dict.fromkeys((norm, None)):
            made, buffers = _block(program, number, pair, given)
            if isinstance(made, MixerBlock):
                break
        if isinstance(made, str):
            outcome[made] += 1
            number += 2
            continue
        outcome[""] += 1
        outcome[NORM] += made.norm is not norm
        begin = number - (made.norm is not None)
        _replace(program, begin, number + 2, made, buffers)
        origins[begin : number + 2] = [range(origins[begin].start, origins[number + 1].stop)]
        number = begin + 1
    return Fused(outcome, origins)


def decision(outcome: Counter[str]) -> Decision:
    """What became of the mixer blocks of all variants."""
    total = sum(n for why, n in outcome.items() if why != NORM)
    parts = [f"{n} stay separate steps: {why}" for why, n in outcome.items()
             if why not in ("", NORM)]  # fmt: skip
    if outcome[NORM]:
        parts.insert(0, f"of {outcome[NORM]} the norm stays a step: it does not fit in beside them")
    return Decision(
        "mixer blocks", f"{outcome['']} of {total} are one kernel",
        "; ".join(parts) or "rows stay in local memory from the norm to the residual",
    )  # fmt: skip


def _spec(program: GpuProgram, number: int) -> Any:
    names = {name: spec for spec, name in program.kernels.names.items()}
    return names[program.steps[number].step.kernel]


def _places(step: Step) -> list[int]:
    return [a.buffer for a in step.arguments if isinstance(a, Pointer)]


def _uses(program: GpuProgram, buffer: int) -> int:
    used = sum(_places(entry.step).count(buffer) for entry in program.steps)
    return used + sum(region.buffer == buffer for region in program.regions)


def _roles(spec: Product, step: Step) -> tuple[int, int, int, dict[int, int]]:
    """(source, weights, result, operands by number) of a product."""
    places = _places(step)
    one, two, out = places[:3]
    if isinstance(spec, GpuTokenMix):
        one, two = two, one
    operands = dict(zip(ex.operands_of(spec.epilogue), places[3:], strict=True))
    return one, two, out, operands


def _pair(program: GpuProgram, number: int) -> tuple[Product, Product] | None:
    """Two products of which the second alone reads the first, as the rows that it multiplies."""
    first, second = _spec(program, number), _spec(program, number + 1)
    if type(first) is not type(second) or not isinstance(first, GpuLinear | GpuTokenMix):
        return None
    if getattr(first, "integer", False) or getattr(second, "integer", False):
        return None
    between = _roles(first, program.steps[number].step)[2]
    source = _roles(second, program.steps[number + 1].step)[0]
    if source != between or _uses(program, between) != 2:
        return None
    if program.buffers[between].where != "arena" or second.layout.depth != first.layout.columns:
        return None
    if isinstance(first, GpuTokenMix):
        same = (first.batch, first.channels) == (second.batch, second.channels)
    else:
        same = first.rows == second.rows
    return (first, second) if same else None


def _norm_before(program: GpuProgram, number: int, pair: tuple[Product, Product]) -> Norm | None:
    """The norm of the first product's rows over channels, if nothing else reads it."""
    if number == 0:
        return None
    spec, first = _spec(program, number - 1), pair[0]
    if not isinstance(spec, RowNorm) or not isinstance(spec.spec, Norm):
        return None
    out = _places(program.steps[number - 1].step)[1]
    source = _roles(first, program.steps[number].step)[0]
    if source != out or _uses(program, out) != 2 or program.buffers[out].where != "arena":
        return None
    if isinstance(first, GpuTokenMix):
        fits = spec.width == first.channels and spec.rows == first.batch * first.layout.depth
    else:
        fits = spec.width == first.layout.depth and spec.rows == first.rows
    return spec.spec if fits else None


def _block(
    program: GpuProgram, number: int, pair: tuple[Product, Product], norm: Norm | None
) -> tuple[MixerBlock | str, list[int]]:
    """The kernel and its buffers, or why there is none."""
    first, second = pair
    steps = [program.steps[number + i].step for i in range(2)]
    source, weights, _, operands = _roles(first, steps[0])
    _, others, out, more = _roles(second, steps[1])
    named = {"x": source, "w0": weights, "w1": others, "out": out}
    named |= {f"0.{i}": place for i, place in operands.items()}
    named |= {f"1.{i}": place for i, place in more.items()}
    if norm is not None:
        x, _, *affine = _places(program.steps[number - 1].step)
        names = ["scale"] * norm.scale + ["shift"] * norm.shift
        named |= {"x": x, **dict(zip(names, affine, strict=True))}
    buffers = list(dict.fromkeys(named.values()))
    device = program.gpu
    if len(buffers) > device.storage_buffers:
        return f"it binds {len(buffers)} buffers, the device {device.storage_buffers}", []
    mixes = isinstance(first, GpuTokenMix)
    batch, total = (
        (first.batch, first.channels) if isinstance(first, GpuTokenMix) else (1, first.rows)
    )
    block = MixerBlock(
        norm, (first.layout, second.layout), (first.epilogue, second.epilogue), mixes, batch,
        total, total, tuple((name, buffers.index(place)) for name, place in named.items()),
        device.threads,
    )  # fmt: skip
    whole = norm is not None and mixes  # a norm over channels needs all of them
    best: MixerBlock | str = ""
    for rows in (total,) if whole else ROWS:
        made = replace(block, rows=rows)
        if not whole and rows >= 2 * total:
            continue
        reason = _too_much(made, program)
        if reason:
            best = best if isinstance(best, MixerBlock) else reason
            continue
        best = made
        if made.groups >= device.busy_groups:
            break
    return best, buffers


def _too_much(block: MixerBlock, program: GpuProgram) -> str:
    """Why a device does not compute this tile; "" where it does."""
    nbytes, limit = 4 * block.local_words, program.gpu.block_bytes
    if nbytes > limit:
        return f"a tile has {nbytes:,} B, the target gives it {limit:,} B (block_bytes)"
    macs = block.rows * sum(layout.depth * layout.columns for layout in block.layouts)
    if macs > MOST_MACS * block.threads:
        return f"{macs:,} multiply-accumulates are too many for one work-group"
    return ""


def _replace(
    program: GpuProgram, begin: int, end: int, spec: MixerBlock, buffers: list[int]
) -> None:
    """Put one step in the place of those from `begin` to `end`."""
    steps = [entry.step for entry in program.steps[begin:end]]
    hidden = {_places(step)[i] for step in steps[:-1] for i in (1, 2) if i < len(_places(step))}
    hidden -= set(buffers)
    depth, width = spec.layouts[0].depth, spec.layouts[0].columns
    of = "channels" if spec.transposed else "rows"
    program.step(
        spec, "mixer_block", [Pointer(buffer) for buffer in buffers],
        label=f"mixer block of {spec.batch * spec.total} {of}, {depth} -> {width} -> "
        f"{spec.layouts[1].columns}",
        macs=sum(step.macs for step in steps),
        nbytes=sum(s.nbytes for s in steps) - 2 * sum(program.buffers[n].nbytes for n in hidden),
        origin=steps[-2].origin, nodes=tuple(n for step in steps for n in step.nodes),
        reason=f"{spec.rows} {of} stay in local memory"
        + (", from the norm on" if spec.norm else ""),
    )  # fmt: skip
    program.steps[begin:end] = [program.steps.pop()]
    program.regions[:] = [
        replace(r, routed_at=r.routed_at - (end - begin - 1) * (r.routed_at >= end))
        for r in program.regions
    ]
