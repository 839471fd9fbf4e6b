"""`Tuning`: the numbers in the templates of products that suit one processor better than another.

They change how the work is cut up, never the order in which sums are made: kernels of different
tunings give equal bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgemoe.targets.kernels.panels import LINE
from edgemoe.targets.spec import Isa


@dataclass(frozen=True)
class Tuning:
    """How one product is cut up, for one instruction set; the defaults suit most processors.

    `rows` of the tallest register tile and `columns` that tiles of many rows take of a panel at
    once (tiles of few rows take it whole); 0 is what the registers of the instruction set allow.
    Weights are fetched `prefetch` bytes ahead (0: by the hardware alone), the loop over the depth
    is unrolled `unroll` times, and a task has at most `row_block` rows: enough to reuse a panel
    from L1, few enough to share work among threads.
    """

    rows: int = 0
    columns: int = 0
    prefetch: int = 4096
    unroll: int = 1
    row_block: int = 48

    def __str__(self) -> str:
        """What differs from the defaults: "rows 4, prefetch 0"."""
        return ", ".join(f"{name} {value}" for name, value in self.changes().items()) or "default"

    def changes(self) -> dict[str, int]:
        """The fields that differ from the defaults."""
        return {name: value for name, value in vars(self).items() if value != vars(DEFAULT)[name]}

    def fault(self, isa: Isa, panel: int) -> str:
        """Say which number a kernel of `isa` cannot be built with, "" if all are fine."""
        most = {"rows": 24, "columns": panel, "prefetch": 1 << 20, "unroll": 16, "row_block": 4096}
        least = {"unroll": 1, "row_block": 1}
        for name, value in vars(self).items():
            if not least.get(name, 0) <= value <= most[name]:
                return f"{name} is {value}, not between {least.get(name, 0)} and {most[name]}"
        if self.columns and (self.columns % max(isa.lanes, LINE) or panel % self.columns):
            return f"columns is {self.columns}, no multiple of {LINE} that divides {panel}"
        return f"prefetch is {self.prefetch}, no multiple of 64" if self.prefetch % 64 else ""


DEFAULT = Tuning()


@dataclass(frozen=True)
class Tuned:
    """The tunings of one kernel by instruction set; others have the default.

    How many rows a task has is part of the plan, and the same for all instruction sets: that of
    the last one that is named here.
    """

    by_isa: tuple[tuple[str, Tuning], ...] = ()

    @property
    def row_block(self) -> int:
        """Most rows of a task."""
        return self.by_isa[-1][1].row_block if self.by_isa else DEFAULT.row_block

    def of(self, isa: Isa) -> Tuning:
        """The tuning for one instruction set."""
        usual = DEFAULT if isa.lanes > 1 else replace(DEFAULT, prefetch=0)
        return replace(dict(self.by_isa).get(isa.name, usual), row_block=self.row_block)


UNTUNED = Tuned()
