"""What is asked of a search."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """What is asked for: the fewest bytes within `max_loss`, or the least loss within `max_bytes`.

    With both, the fewest bytes within `max_loss`; more than `max_bytes` is then an error of the
    caller's. `margin` standard errors are added to a loss before it is compared. `seconds` is the
    time for everything.
    """

    max_loss: float | None = None
    max_bytes: int | None = None
    margin: float = 1.0
    seconds: float = 240.0
    seed: int = 0
