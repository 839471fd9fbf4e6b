"""What one judged output loses by its own metric; a promise has to hold for each of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutputLoss:
    """The loss of one output on the samples that a candidate was run on.

    `loss` is that of the `metric`, `interval` its 95% interval, `value` and `baseline` what the
    candidate and fp32 get, `floor` the loss that is to be expected of outputs this far from fp32
    (`Metric.floor`), `error` the squared error relative to fp32, a mean over samples: smooth, and
    defined without targets.
    """

    metric: str
    loss: float
    interval: tuple[float, float]
    value: float
    baseline: float
    floor: float
    error: float

    @property
    def counted(self) -> float:
        """The loss that a promise is compared with: no gain by chance is credited."""
        return max(self.loss, self.floor)

    @property
    def counted_high(self) -> float:
        """The upper end of the interval, no lower than what is to be expected."""
        return max(self.interval[1], self.floor)

    @property
    def standard_error(self) -> float:
        """Of the loss, from its interval."""
        return (self.interval[1] - self.interval[0]) / (2 * 1.96)

    def shifted(self, errors: float) -> float:
        """What is counted, with so many standard errors added."""
        return self.counted + errors * self.standard_error
