"""Where a candidate is refused on other data: the smallest one that loses clearly less."""

from __future__ import annotations

import time
from collections.abc import Mapping

from edgemoe.compression.goal import Goal
from edgemoe.compression.search import NOISE, Measured, Search

STEP = 0.7
"""The next candidate has so much less of the loss and of the squared error; every retreat is a
longer one, so that the last is about as good as 16 bits."""

PROPOSALS = 6
"""Integer programs that are solved for one retreat."""

NOTHING = 0.02
"""Of the promise: what loses no more need not lose less, or no format but float32 would be left."""


def retreat(
    search: Search, goal: Goal, refused: Measured, shares: Mapping[str, float] | float = STEP,
    deadline: float = float("inf"),
) -> Measured:  # fmt: skip
    """The smallest candidate that loses clearly less than one that the proof refused.

    One of those that the search has judged, or what the integer program makes of less error.

    Args:
        search: the search that found it.
        goal: the promise.
        refused: the candidate.
        shares: the part of its loss and error that is aimed at, for all judged outputs, or for
            those that it was refused for by name: of several, the others keep what they may lose.
        deadline: after it a single program is solved.
    """
    losses = refused.verdict.losses
    given = dict.fromkeys(losses, shares) if isinstance(shares, float) else dict(shares)
    if len(losses) > 1:
        return _retreat_by_output(search, goal, refused, given, deadline)
    (share,) = given.values()
    limit = _aimed(refused.verdict.counted, goal, share)
    error = share * refused.verdict.error

    def fits(m: Measured) -> bool:
        verdict = m.verdict
        return verdict.counted <= limit and verdict.error <= error and m.nbytes > refused.nbytes

    predicted = share * search.predicted(refused.candidate)
    for _ in range(PROPOSALS):  # errors that are summed are not those that are measured
        made = search.measure(search.within_error(predicted))
        if fits(made) or made.candidate == search.best or time.monotonic() > deadline:
            break
        predicted *= min(0.5, error / max(made.verdict.error, NOISE))
    fitting = [m for m in search.archive.values() if fits(m)]
    return min(fitting, key=lambda m: m.nbytes, default=search.measure(search.best))


def _retreat_by_output(
    search: Search, goal: Goal, refused: Measured, shares: Mapping[str, float], deadline: float
) -> Measured:
    """The same for several outputs: those with a share lose less, the others keep the promise."""
    promised = goal.max_loss
    assert promised is not None
    before = refused.verdict.losses
    limits = {name: _aimed(before[name].counted, goal, share) for name, share in shares.items()}
    errors = {name: share * before[name].error for name, share in shares.items()}

    def fits(m: Measured) -> bool:
        losses = m.verdict.losses
        return m.nbytes > refused.nbytes and all(
            own.counted <= limits.get(name, promised) and own.error <= errors.get(name, own.error)
            for name, own in losses.items()
        )

    places = {name: place for place, name in enumerate(search.judge.metrics)}
    predicted = search.predicted_by_output(refused.candidate)
    for name, share in shares.items():
        predicted[places[name]] *= share
    for _ in range(PROPOSALS):  # errors that are summed are not those that are measured
        made = search.measure(search.within_errors(predicted))
        if fits(made) or made.candidate == search.best or time.monotonic() > deadline:
            break
        for name, own in made.verdict.losses.items():
            if name in errors:
                predicted[places[name]] *= min(0.5, errors[name] / max(own.error, NOISE))
            elif not own.counted <= promised:  # bytes were taken from it
                predicted[places[name]] *= STEP
    fitting = [m for m in search.archive.values() if fits(m)]
    return min(fitting, key=lambda m: m.nbytes, default=search.measure(search.best))


def _aimed(lost: float, goal: Goal, share: float) -> float:
    """The loss to aim at after one that was refused."""
    assert goal.max_loss is not None
    return max(share * max(lost, 0.25 * goal.max_loss), NOTHING * goal.max_loss)
