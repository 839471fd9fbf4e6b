"""The limit of the integer program ends where the promise does, in few judgements."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Verdict
from edgemoe.compression.moving_limit import NEAR, STEPS, largest_error
from edgemoe.compression.search import Measured, Search

PROMISE = 0.01


class Landscape:
    """A search whose candidates are limits themselves: bytes fall with the error, losses grow."""

    def __init__(self, loss, largest=1.0):
        self.loss, self.largest = loss, largest
        self.best, self.units = 0.0, ["one"]
        self.judged = []

    def tables(self):
        return [], None, np.array([[0.0, self.largest]]), np.array([[True, True]])

    def within_error(self, limit):
        return limit

    def may_keep(self, candidate, goal):
        return True

    def measure(self, candidate):
        self.judged.append(candidate)
        lost = self.loss(candidate)
        verdict = Verdict(lost, (lost, lost), "y", "rms", 1, 1, candidate, 9, np.zeros(1), {}, 0.0)
        cost = int(1e6 - 1e3 * np.log(max(candidate, 1e-9)))
        return Measured(candidate, cost, verdict, cost)

    def keeps(self, found, goal):
        return Search.keeps(self, found, goal)

    def show(self, *_):
        pass


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("edge", [1e-5, 1e-3, 0.3])
def test_it_is_the_last_limit_that_keeps_the_promise(power, edge):
    search = Landscape(lambda error: PROMISE * (error / edge) ** power)
    found = largest_error(search, Goal(max_loss=PROMISE))
    assert found.candidate <= edge * (1 + 1e-9)
    assert found.candidate > edge / np.exp(NEAR) ** 4
    assert len(search.judged) <= STEPS + 1


def test_a_loss_in_proportion_takes_few_judgements():
    search = Landscape(lambda error: PROMISE * error / 1e-3)
    largest_error(search, Goal(max_loss=PROMISE))
    assert len(search.judged) <= 8  # halving of six decades would take twelve


def test_losses_that_jump():
    search = Landscape(lambda error: 1.0 if error > 2e-4 else -1e-3)
    found = largest_error(search, Goal(max_loss=PROMISE))
    assert 1e-4 < found.candidate <= 2e-4


def test_everything_keeps_the_promise():
    search = Landscape(lambda error: 0.0)
    found = largest_error(search, Goal(max_loss=PROMISE))
    assert found.candidate == pytest.approx(1.0) and len(search.judged) == 2


def test_nothing_keeps_the_promise():
    search = Landscape(lambda error: 1.0 if error else 0.0)
    assert largest_error(search, Goal(max_loss=PROMISE)).candidate == 0.0


def test_after_the_deadline_the_first_that_fits_is_taken():
    search = Landscape(lambda error: PROMISE * error / 1e-3)
    found = largest_error(search, Goal(max_loss=PROMISE), deadline=0.0)
    assert 0 < found.candidate <= 1e-3
    kept = [error for error in search.judged if 0 < error <= 1e-3]
    assert kept == [found.candidate]


def test_a_model_without_units():
    search = SimpleNamespace(units=[], best="all", measure=lambda candidate: candidate)
    assert largest_error(search, Goal(max_loss=PROMISE)) == "all"
