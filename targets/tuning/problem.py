"""What is timed: one product of given sizes, with data that a small C program makes up itself."""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.dots import INPUTS
from edgemoe.targets.kernels.experts import Experts
from edgemoe.targets.kernels.linear import Linear
from edgemoe.targets.kernels.panels import (
    PANEL,
    group_count,
    group_inputs,
    group_words,
    panel_bytes,
    scale_words,
)
from edgemoe.targets.kernels.round_rows import row_words
from edgemoe.targets.kernels.tuning import Tuned
from edgemoe.targets.tuning.shape_class import KernelKind, ShapeClass, class_of
from edgemoe.weight_format import WeightFormat

EXPERTS = 8
"""Experts with rows, of an expert problem."""

LAYERS = 24
"""Copies of the weights that are read in turn, as a model of so many layers would."""

MOST_WEIGHT_BYTES = 64 << 20
"""Of all copies: more than the caches of edge devices hold."""


@dataclass(frozen=True)
class Problem:
    """A product of `rows` (of each of `EXPERTS` experts, for experts)."""

    kernel: KernelKind
    given: WeightFormat
    rows: int
    depth: int
    columns: int

    @property
    def shape(self) -> ShapeClass:
        """Its class."""
        return class_of(self.kernel, self.given, self.rows, self.depth, self.columns)

    @property
    def groups(self) -> int:
        """Sets of rows that have weights of their own."""
        return EXPERTS if self.kernel == "experts" else 1

    @property
    def panels(self) -> int:
        """Panels of one set of weights."""
        return -(-self.columns // PANEL)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights of one call."""
        return self.groups * self.panels * panel_bytes(self.depth, self.given)

    @property
    def copies(self) -> int:
        """Copies of the weights."""
        return max(1, min(LAYERS, MOST_WEIGHT_BYTES // self.weight_bytes))

    def spec(self, tuned: Tuned) -> Linear | Experts:
        """The kernel with nothing behind the product."""
        if self.kernel == "linear":
            return Linear(ex.Port(), self.given, tuned)
        return Experts(ex.Port(), 1, "sorted", "sorted", self.given, tuned)

    def tasks(self, row_block: int) -> int:
        """Tasks of one call."""
        blocks = 1 if self.kernel == "experts" else -(-self.rows // row_block)
        return self.groups * blocks * self.panels

    def row_words(self) -> int:
        """32-bit words of one row, with the magnitudes that some instruction sets need."""
        if self.given.half_activations:
            return row_words(self.depth, self.given)
        if not self.given.int8_activations:
            return self.depth
        inputs = group_count(self.depth, self.given) * group_inputs(self.depth, self.given)
        return inputs // INPUTS * (2 if self.given.bits == 8 else 1)

    def layout(self) -> tuple[int, int]:
        """Words of the codes and of the scales of one group of a panel; (0, 0) for floats."""
        if not self.given.is_integer:
            return 0, 0
        return group_words(self.depth, self.given) * PANEL, scale_words(self.given)

    def __str__(self) -> str:
        """For people: "linear i8, 1x512 -> 1024"."""
        return f"{self.kernel} {self.given}, {self.rows}x{self.depth} -> {self.columns}"
