"""`--max-ram` by strips of an image: which part of a graph is computed so, and what that costs.

Every run of operators from a convolution on is a candidate, with several numbers of strips. The one
with the fewest MACs that keeps the limit is taken; what a candidate needs is estimated on the graph
first, and known when it has been lowered, which corrects the estimates of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.plan import Decision
from edgemoe.targets.mcu.image_rows import EACH, activations, is_conv
from edgemoe.targets.mcu.strips import Segment, cut, segments_of
from edgemoe.targets.mcu.tiling import RamError, Tiled
from edgemoe.targets.program import Program

PIECES = (2, 3, 4, 6, 8, 12, 16)
"""Numbers of strips that are tried."""

TRIES = 12
"""Candidates that are lowered."""

SHORT = 0.93
"""Where no candidate seems to fit, the smallest is tried if it needs no more than room / SHORT."""


@dataclass(frozen=True)
class Candidate:
    """A part of the graph in strips, with estimates: MACs of the graph, bytes that live at once."""

    segment: Segment
    pieces: int
    macs: int
    live_bytes: int
    keep: bool = False  # rows for the next strip


@dataclass(frozen=True)
class Found:
    """A program that keeps the limit, and the `candidate` that it is, where it has strips.

    `macs` and `arena_bytes` are those of the program without strips.
    """

    program: Program
    tiled: Tiled
    macs: int
    arena_bytes: int
    candidate: Candidate | None = None

    def decision(self, program: Program, tiled: Tiled) -> Decision:
        """What strips cost, for this program or one with the same strips."""
        if self.candidate is None:
            return tiled.decision
        segment, pieces = self.candidate.segment, self.candidate.pieces
        after, macs = tiled.variant.arena_bytes, macs_of(program)
        more, rows = macs - self.macs, -(-segment.rows // pieces)
        choice = f"operators {segment.first}-{segment.last} in {pieces} strips of {rows} rows"
        choice += " that keep what the next one reads" * self.candidate.keep
        if tiled.variant.loops:
            choice += f"; {tiled.decision.choice}"
        return Decision(
            "max-ram", choice,
            f"{more:,} of {macs:,} MACs are computed twice, {more / max(self.macs, 1):.1%} more "
            f"than without strips; the arena has {after:,} B for {self.arena_bytes:,} B",
        )  # fmt: skip


def macs_of(program: Program) -> int:
    """Of all steps, in the worst case."""
    return sum(entry.step.macs for entry in program.steps)


def within_patches(
    model: ir.Model, program_of: Callable[[ir.Model], Program], keep: Callable[[Program], Tiled],
    room: int, alignment: int,
) -> Found:  # fmt: skip
    """The program that keeps a limit, cut by rows alone where that is enough.

    Args:
        model: the graph; it is left as it is.
        program_of: lowers a graph, which it may change.
        keep: cuts a program by rows until it keeps the limit, or raises `RamError`.
        room: bytes that the arena may have.
        alignment: of buffers in the arena.

    Raises:
        RamError: nothing keeps the limit; the message has the least that was found.
    """
    plain = program_of(model.clone())
    before = plain.finish(None, alignment).arena_bytes
    try:
        return Found(plain, keep(plain), macs_of(plain), before)
    except RamError as error:
        refused = error
    found, seen = _candidates(model), dict[Candidate, int]()
    best: Found | None = None
    for left in reversed(range(TRIES)):
        known = None if best is None else best.candidate
        less = found if known is None else [c for c in found if c.macs < known.macs]
        candidate = _next(less, seen, room, last=left == 0, least=best is None)
        if candidate is None:
            break
        program = program_of(cut(model, candidate.segment, candidate.pieces, keep=candidate.keep))
        try:
            tiled = keep(program)
        except RamError as error:
            refused = min(refused, error, key=lambda e: e.over)
            seen[candidate] = room + error.over
            continue
        seen[candidate] = tiled.variant.arena_bytes
        best = Found(program, tiled, macs_of(plain), before, candidate)
    if best is None:
        raise refused
    return best


def _candidates(model: ir.Model) -> list[Candidate]:
    """All parts of the graph that can be cut, in every number of strips."""
    found = []
    for segment in segments_of(model.graph):
        for pieces in PIECES:
            if pieces > segment.rows:
                continue
            for keep in (False, True):
                graph = cut(model, segment, pieces, keep=keep).graph
                found.append(Candidate(segment, pieces, _macs(graph), _live_bytes(graph), keep))
    return found


def _next(
    found: Sequence[Candidate], seen: Mapping[Candidate, int], room: int, *, last: bool, least: bool
) -> Candidate | None:
    """The candidate to lower next, if there is one worth it.

    Args:
        found: candidates that would do.
        seen: bytes that those which were lowered need; they say how good estimates of the same part
            of the graph are, and of others.
        room: bytes of the arena.
        last: there is no other try after this one.
        least: the smallest candidate is worth a try where none seems to fit.
    """
    ratios = {(c.segment, c.keep): needed / max(c.live_bytes, 1) for c, needed in seen.items()}
    usual = median(ratios.values()) if ratios else 1.0
    new = [c for c in found if c not in seen]
    fits = [c for c in new if c.live_bytes * ratios.get((c.segment, c.keep), usual) <= room]
    if fits and not (last and least):
        return min(fits, key=_by_macs)
    small = min(new, key=lambda c: (c.live_bytes, c.macs), default=None)
    return small if least and small is not None and small.live_bytes * SHORT <= room else None


def _by_macs(candidate: Candidate) -> tuple[int, int, bool]:
    return candidate.macs, candidate.pieces, candidate.keep


def _macs(graph: ir.Graph) -> int:
    """Of convolutions and products with constants."""
    total = 0
    for node in graph:
        size = graph_facts.size_of(node.outputs[0]) or 0
        if is_conv(node):
            taps = (graph_facts.shape_of(node.inputs[1]) or ())[1:]
            for extent in taps:
                size *= extent
            total += size
        elif node.op_type.startswith(("Linear", "TokenMix")):
            matrix = 0 if node.op_type.startswith("TokenMix") else 1
            total += (
                size
                * (graph_facts.shape_of(node.inputs[matrix]) or (1,))[
                    -1 if matrix == 0 or node.domain == DOMAIN else 0
                ]
            )
    return total


def _live_bytes(graph: ir.Graph) -> int:
    """The largest sum of tensors that are alive at once.

    Elementwise operators take the place of an operand that dies; TVM pads what a float convolution
    reads in a copy.
    """
    nodes = list(graph)
    last = {v: n for n, node in enumerate(nodes) for _, v in activations(node)}
    last.update((v, len(nodes)) for v in graph.outputs)
    root: dict[ir.Value, ir.Value] = {}
    alive: dict[ir.Value, int] = {}
    ends: dict[ir.Value, int] = {}
    live = peak = 0
    for number, node in enumerate(nodes):
        out = node.outputs[0]
        into = _shared(node, number, last)
        if into is not None:
            root[out] = root.get(into, into)
        else:
            alive[out] = _bytes(out)
            live += alive[out]
        own = root.get(out, out)
        ends[own] = max(ends.get(own, 0), last.get(out, number))
        padded = is_conv(node) and node.domain != DOMAIN
        peak = max(peak, live + (_bytes(node.inputs[0]) if padded else 0))
        for value in [v for v in alive if ends.get(v, 0) <= number]:
            live -= alive.pop(value)
    return peak


def _shared(node: ir.Node, number: int, last: dict[ir.Value, int]) -> ir.Value | None:
    """The input whose memory the result is."""
    values = [v for _, v in activations(node)]
    if node.op_type == "PlaceRows":
        return node.inputs[1] if len(node.inputs) > 1 else None
    if graph_facts.is_op(node, "Reshape"):
        return values[0]
    each = graph_facts.is_op(node, *graph_facts.ELEMENTWISE) or node.op_type in EACH
    same = [v for v in values if last[v] == number and _bytes(v) == _bytes(node.outputs[0])]
    return same[0] if each and same and not same[0].is_graph_input() else None


def _bytes(value: ir.Value | None) -> int:
    dtype = None if value is None else value.dtype
    return int((graph_facts.size_of(value) or 0) * (4 if dtype is None else dtype.itemsize))
