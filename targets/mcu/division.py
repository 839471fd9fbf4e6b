"""The strips that `--max-ram` has cut a program in, as `integer.strip_scales` asks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from edgemoe.plan import Decision
from edgemoe.targets.mcu.patches import Candidate, Found
from edgemoe.targets.mcu.strips import cut, cut_apart, like, place_strips
from edgemoe.targets.mcu.tiling import RamError, Tiled
from edgemoe.targets.program import Program


@dataclass(frozen=True)
class Strips:
    """See `Division`.

    Args of the constructor:
        model: the graph that asked for strips.
        candidate: which part of it, in how many.
        found: what was lowered.
        program_of: lowers a graph, which it may change.
        keep: cuts a program by rows until it keeps the limit, or raises `RamError`.
    """

    model: ir.Model
    candidate: Candidate
    found: Found
    program_of: Callable[[ir.Model], Program]
    keep: Callable[[Program], Tiled]

    @property
    def pieces(self) -> int:
        """Number of strips."""
        return self.candidate.pieces

    def of_floats(self, graph: ir.Model) -> ir.Model | None:
        """See `Division`."""
        segment = like(graph, self.model, self.candidate.segment)
        return (
            None
            if segment is None
            else cut_apart(graph, segment, self.pieces, keep=self.candidate.keep)
        )

    def of_integers(self, graph: ir.Model) -> ir.Model:
        """See `Division`."""
        return cut(graph, self.candidate.segment, self.pieces, keep=self.candidate.keep)

    def placed(self, graph: ir.Model) -> ir.Model:
        """See `Division`."""
        made = graph.clone()
        place_strips(made.graph)
        return made

    def arena_bytes(self, graph: ir.Model) -> int | None:
        """See `Division`."""
        try:
            return self.keep(self.program_of(graph.clone())).variant.arena_bytes
        except RamError:
            return None

    def decision(self, program: Program, tiled: Tiled) -> Decision:
        """What the strips cost, for the program that was made of them."""
        return self.found.decision(program, tiled)
