from types import SimpleNamespace

from edgemoe.cli.compression_text import accuracy_lines
from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Verdict
from edgemoe.compression.proof import retreat
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


def test_a_retreat_aims_below_what_is_counted():
    refused = Measured("refused", 100, verdict(-0.02, 0.010, 1.0), 100)
    lucky = Measured("lucky", 110, verdict(-0.03, 0.009, 0.5), 110)
    sound = Measured("sound", 120, verdict(0.001, 0.002, 0.5), 120)
    search = SimpleNamespace(archive={m.candidate: m for m in (refused, lucky, sound)})
    search.best, search.measure = "best", lambda candidate: candidate
    assert retreat(search, Goal(max_loss=0.005), refused) is sound
