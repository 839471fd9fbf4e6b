"""The products of a model, by format: what `edgemoe tune --model` measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edgemoe.buckets import plan_buckets
from edgemoe.frontend import load_model
from edgemoe.pass_runner import run_passes
from edgemoe.targets.cpu import lower_variants
from edgemoe.targets.kernels.tuning import Tuned
from edgemoe.targets.tuning.problem import Problem
from edgemoe.targets.tuning.shape_class import KernelKind
from edgemoe.targets.tuning.tunings import Tunings
from edgemoe.weight_format import WeightFormat


@dataclass(frozen=True)
class _Asked(Tunings):
    """Knows no tuning, and remembers what it was asked for: one product per class."""

    seen: dict[object, Problem] = field(default_factory=dict)

    def find(
        self, kernel: KernelKind, given: WeightFormat, rows: int, depth: int, columns: int
    ) -> tuple[Tuned, str]:
        """See `Tunings`."""
        problem = Problem(kernel, given, rows, depth, columns)
        self.seen.setdefault(problem.shape, problem)
        return super().find(kernel, given, rows, depth, columns)


def products_of_model(
    model: Any, formats: Sequence[WeightFormat], tokens: Sequence[int] | None = None
) -> list[Problem]:
    """Lower a model with each format, and list one product per class of shapes.

    Raises:
        EdgemoeError: the model cannot be read.
    """
    source = load_model(model, dynamic=tokens is not None)
    buckets = plan_buckets(source.model, tokens, {})
    graphs = [buckets.bind(count) for count in buckets.counts]
    for graph in graphs:
        run_passes(graph)
    asked = _Asked()
    for given in formats:
        lower_variants(graphs, buckets.counts, given, asked)
    return list(asked.seen.values())
