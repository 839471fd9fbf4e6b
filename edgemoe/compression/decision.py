"""All that changes the recognised graph before formats are chosen: the same in every bucket."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from edgemoe.compression.layers import remove_branches
from edgemoe.compression.outliers import NotSplit, split_outliers
from edgemoe.compression.pruning import Pruning, apply_pruning
from edgemoe.compression.region_view import regions_of
from edgemoe.compression.skipping import Skipping, apply_skipping
from edgemoe.graph_pass import Note
from edgemoe.precision import Pin
from edgemoe.weight_format import F32

Outliers = Mapping[str, tuple[int, ...]]
"""Features of the inputs of products, by weight, that are multiplied in float32."""


@dataclass(frozen=True)
class Decision:
    """Sub-layers to remove, experts to remove or merge, choices to skip, features to keep apart."""

    branches: tuple[str, ...] = ()
    pruning: Pruning = field(default_factory=Pruning)
    skipping: Skipping = field(default_factory=Skipping)
    outliers: Outliers = field(default_factory=dict)

    @property
    def changes_graph(self) -> bool:
        """Tell whether there is anything to do."""
        pruning = self.pruning
        return bool(
            self.branches or pruning.kept or pruning.merged or self.skipping.beta or self.outliers
        )

    @property
    def removes_experts(self) -> bool:
        """Tell whether experts go or become one."""
        return bool(self.pruning.kept or self.pruning.merged)

    def apply(self, graph: ir.Model) -> tuple[list[Note], tuple[Pin, ...]]:
        """Change a recognised graph in place; returns notes, and pins of split-off weights."""
        notes = remove_branches(graph, self.branches) if self.branches else []
        if self.removes_experts or self.skipping.beta:
            keys = {view.key for view in regions_of(graph)}  # a removed sub-layer took some along
            pruning = Pruning(
                {key: kept for key, kept in self.pruning.kept.items() if key in keys},
                {key: merge for key, merge in self.pruning.merged.items() if key in keys},
            )
            beta = {key: value for key, value in self.skipping.beta.items() if key in keys}
            notes += apply_pruning(graph, pruning) if pruning.kept or pruning.merged else []
            notes += apply_skipping(graph, Skipping(beta)) if beta else []
        pins = []
        for name, features in self.outliers.items():
            try:
                small = split_outliers(graph, name, features)
            except NotSplit as reason:
                text = f"{name} keeps its massive features: {reason}"
                notes.append(Note("missed", "outliers", text))
                continue
            pins.append(Pin(glob.escape(small), F32))
            text = f"{len(features)} massive features of the input of {name} stay float32"
            notes.append(Note("matched", "outliers", text))
        return notes, tuple(pins)

    def summary(self) -> dict[str, Any]:
        """The decision as JSON holds it."""
        return {
            "branches": list(self.branches),
            "pruning": self.pruning.summary(),
            "skipping": [{"weights": list(k), "below": b} for k, b in self.skipping.beta.items()],
            "outliers": {name: list(features) for name, features in self.outliers.items()},
        }
