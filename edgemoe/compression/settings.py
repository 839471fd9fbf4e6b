"""What can be set for a search beyond the budgets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgemoe.compression.goal import Goal
from edgemoe.compression.parallel import usable_cpus
from edgemoe.compression.samples import FEWEST
from edgemoe.errors import OptionError
from edgemoe.weight_format import parse

FORMATS = (
    "f16",
    "i8",
    "i8.a32",
    "i4",
    "i4.g64",
    "i4.g128",
    "i4.a32",
    "i3",
    "i3.g64",
    "i2",
    "i2.g64",
    "ternary",
)
"""What the search chooses from, beside float32; the first of a family is the one measured."""

OBJECTIVES = ("bytes", "latency", "both")
ROUNDINGS = ("gptq", "nearest")


@dataclass(frozen=True)
class Settings:
    """How to search.

    `formats` are the names of weight formats to choose from; `objective` is what is made small
    within a loss: "bytes", "latency" (products timed on the target) or "both". `rounding` is "gptq"
    or "nearest", `prune_method` one of `edgemoe.compression.pruning_methods`, `prune_scope` "layer"
    or "global". `skip` is the share of tokens whose last expert may be skipped (a threshold is
    calibrated), `drop_branches` how many residual sub-layers are removed.
    `seed` splits the data and drives the swaps, `seconds` is the time for the search, `margin`
    standard errors are added to a loss before it is compared with the promise; `confident` asks
    that the upper end of the 95% interval keeps it, also on the proof part. `threads` samples run
    side by side, 0 for one per CPU; nothing else depends on it. `resume` keeps a journal beside the
    artifact until the search is done.
    """

    formats: tuple[str, ...] = FORMATS
    objective: str = "bytes"
    rounding: str = "gptq"
    prune_method: str = "contribution"
    prune_scope: str = "global"
    skip: float = 0.0
    drop_branches: int = 0
    seed: int = 0
    seconds: float = 240.0
    margin: float = 1.0
    confident: bool = False
    threads: int = 0
    resume: bool = True

    def __post_init__(self) -> None:
        for name, value, known in (
            ("objective", self.objective, OBJECTIVES), ("rounding", self.rounding, ROUNDINGS),
        ):  # fmt: skip
            if value not in known:
                raise OptionError(f"--{name} {value}: there are {', '.join(known)}")

    @property
    def workers(self) -> int:
        """How many samples run side by side."""
        return self.threads or usable_cpus()

    def searches(
        self, precision: str, prune: str | float, goal: Goal, samples: int, *, runs_here: bool
    ) -> bool:
        """Tell whether there is something to decide, or to round with a look at the inputs.

        Args:
            precision: "auto" or a format.
            prune: "none", "auto" or a share.
            goal: the budgets.
            samples: how many there are: too few for halves round to nearest.
            runs_here: whether the artifact can be run here; otherwise the search's proof stands.
        """
        changes = prune not in ("none", "auto") or self.skip > 0 or self.drop_branches > 0
        has_budget = goal.max_loss is not None or goal.max_bytes is not None
        rounds = (
            precision != "auto" and self.rounding == "gptq" and parse(precision).is_integer
            and samples >= FEWEST
        )  # fmt: skip
        unseen = goal.max_loss is not None and not runs_here
        return (
            changes or rounds or unseen or (has_budget and (precision == "auto" or prune == "auto"))
        )

    def goal(self, max_loss: float | None, max_bytes: int | None) -> Goal:
        """The budgets as a goal."""
        return Goal(max_loss, max_bytes, self.margin, self.seconds, self.seed, self.confident)

    def journal_beside(self, out: Path) -> Path | None:
        """Where verdicts are kept until the search is done."""
        return out.parent / f".{out.name}.search.jsonl" if self.resume else None
