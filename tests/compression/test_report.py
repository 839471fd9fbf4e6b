from types import SimpleNamespace

import numpy as np
import pytest

from edgemoe.cli.compression_text import accuracy_lines
from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Verdict
from edgemoe.compression.proof import proven
from edgemoe.compression.retreat import retreat
from edgemoe.compression.search import Measured, Search
from edgemoe.measured_loss import described


def verdict(loss, floor, error=1.0):
    sums = {"y": 0.1}
    return Verdict(loss, (loss, loss), "y", "mse", 2.0, 1.0, error, 9, None, sums, floor)


def test_the_report_says_when_a_gain_is_chance():
    goal = Goal(max_loss=0.005)
    lines = accuracy_lines(described(verdict(-0.02, 0.003), "samples", goal))
    assert lines[1] == (
        "counted as +0.300%: outputs this far from fp32 lose that much on average, a gain on "
        "these samples is chance"
    )
    assert "a smaller loss on these" in accuracy_lines(described(verdict(1e-3, 3e-3), "", goal))[1]
    assert not any("chance" in x for x in accuracy_lines(described(verdict(4e-3, 3e-3), "", goal)))


def test_a_search_keeps_nothing_for_a_gain_by_chance():
    found = SimpleNamespace(verdict=verdict(-0.02, 0.006))
    assert not Search.keeps(None, found, Goal(max_loss=0.005))
    assert Search.keeps(None, found, Goal(max_loss=0.007))


def searched(*measured, **more):
    """A search that knows these; the last is what nothing loses less than."""
    known = {m.candidate: m for m in measured}
    more = more | known
    return SimpleNamespace(
        archive=known, best=measured[-1].candidate, measure=lambda c: known.setdefault(c, more[c]),
        predicted=lambda c: 1.0, show=lambda *a: None,
    )  # fmt: skip


def test_a_retreat_aims_below_what_is_counted():
    refused = Measured("refused", 100, verdict(-0.02, 0.010, 1.0), 100)
    lucky = Measured("lucky", 110, verdict(-0.03, 0.009, 0.5), 110)
    sound = Measured("sound", 120, verdict(0.001, 0.002, 0.5), 120)
    search = searched(refused, lucky, sound)
    search.within_error = lambda limit: "sound"
    assert retreat(search, Goal(max_loss=0.005), refused) is sound


def test_a_retreat_makes_what_the_search_did_not_come_by():
    refused, best = (Measured(n, b, verdict(x, 0.0, x), b) for n, b, x in
                     (("refused", 100, 0.01), ("fp32", 400, 0.0)))  # fmt: skip
    made = Measured("made", 120, verdict(0.002, 0.0, 0.002), 120)
    limits = []
    search = searched(refused, best, made=made)
    search.within_error = lambda limit: limits.append(limit) or "made"
    assert retreat(search, Goal(max_loss=0.005), refused, 0.5) is made
    assert limits == [0.5]


def test_a_retreat_goes_on_where_summed_errors_are_too_hopeful():
    start = Measured(1.0, 100, verdict(0.004, 0.0, 1.0), 100)
    search = searched(start, Measured(0.0, 1000, verdict(0.0, 0.0, 0.0), 1000))

    def measure(limit):
        found = Measured(
            limit, int(100 + 50 / limit) if limit else 1000, verdict(0, 0, 3 * limit), 0
        )
        return search.archive.setdefault(limit, found)

    search.within_error, search.measure = float, measure
    found = retreat(search, Goal(max_loss=0.005), start)
    assert found.nbytes < 1000 and found.verdict.error <= 0.7


def test_the_last_retreat_is_a_long_one():
    """A proof that refuses all but the smallest errors does not end at fp32."""
    start = Measured(1.0, 100, verdict(0.004, 0.0, 1.0), 100)
    fp32 = Measured(0.0, 1000, verdict(0.0, 0.0, 0.0), 1000)
    search = searched(start, fp32)

    def measure(error):
        found = Measured(
            error, int(100 - 20 * np.log(max(error, 1e-9))), verdict(0.0, 0.0, error), 0
        )
        return search.archive.setdefault(error, found)

    search.predicted, search.within_error, search.measure = float, float, measure
    search.judge_on = lambda judge, error: verdict(0.02 if error > 1e-3 else 0.001, 0.0)
    found, proof = proven(search, Goal(max_loss=0.005), start, None, search.show)
    assert proof.loss == 0.001 and found.nbytes < 300


@pytest.mark.parametrize(("holds_at", "proposed"), [(0.22, 1), (1e-9, 3)])
def test_a_retreat_after_the_deadline_takes_long_steps_and_few(holds_at, proposed):
    """Neither does it go on for minutes, nor give up all that was won at the first refusal."""
    start = Measured(1.0, 100, verdict(0.004, 0.0, 1.0), 100)
    search, tried = searched(start, Measured(0.0, 1000, verdict(0.0, 0.0, 0.0), 1000)), []

    def measure(error):
        tried.append(error)
        found = Measured(error, int(100 - 20 * np.log(max(error, 1e-9))), verdict(0, 0, error), 0)
        return search.archive.setdefault(error, found)

    search.predicted, search.within_error, search.measure = float, float, measure
    search.judge_on = lambda judge, error: verdict(0.02 if error > holds_at else 0.001, 0.0)
    search.best = 0.0
    found, proof = proven(search, Goal(max_loss=0.005), start, None, search.show, deadline=0.0)
    assert proof.loss == 0.001
    assert len({error for error in tried if error}) <= proposed
    assert (found.candidate == 0.0) == (holds_at == 1e-9)


def test_a_retreat_does_not_ask_for_less_than_nothing():
    """Sixteen bits lose next to nothing: that is enough, however long the step."""
    start = Measured(1.0, 100, verdict(0.0, 0.0, 1.0), 100)
    sixteen = Measured(1e-6, 500, verdict(1e-5, 0.0, 1e-6), 500)
    search = searched(start, sixteen, Measured(0.0, 1000, verdict(0.0, 0.0, 0.0), 1000))
    search.within_error = lambda limit: 1e-6
    assert retreat(search, Goal(max_loss=0.005), start, 1e-4) is sixteen
