"""What is asked of a search."""

from __future__ import annotations

from dataclasses import dataclass

from edgemoe.compression.judge import Verdict
from edgemoe.compression.output_loss import OutputLoss


@dataclass(frozen=True)
class Goal:
    """What is asked for: the fewest bytes within `max_loss`, or the least loss within `max_bytes`.

    With both, the fewest bytes within `max_loss`; more than `max_bytes` is then an error of the
    caller's. In the search, `margin` standard errors are added to a loss before it is compared. A
    `confident` promise is kept by the upper end of the interval, not by the loss alone. Neither
    counts for less than what outputs so far from fp32 lose on average (`Verdict.floor`). `seconds`
    is the time for everything.
    """

    max_loss: float | None = None
    max_bytes: int | None = None
    margin: float = 1.0
    seconds: float = 240.0
    seed: int = 0
    confident: bool = False

    def holds(self, verdict: Verdict) -> bool:
        """Tell whether the promise of a loss holds for every output, on a verdict's samples."""
        return not self.broken(verdict)

    def broken(self, verdict: Verdict) -> list[str]:
        """The outputs whose loss breaks the promise, on a verdict's samples."""
        if self.max_loss is None:
            return []
        return [
            name for name, own in verdict.losses.items() if not self.compared(own) <= self.max_loss
        ]

    def compared(self, own: OutputLoss) -> float:
        """The loss of an output that is compared with the promise."""
        return own.counted_high if self.confident else own.counted
