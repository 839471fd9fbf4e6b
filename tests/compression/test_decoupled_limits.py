"""Several judged outputs: each has its own limit, and layers are grouped by what they hurt."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn

from edgemoe.buckets import plan_buckets
from edgemoe.cli.compression_text import accuracy_lines, compression_text
from edgemoe.compression.compress import compress
from edgemoe.compression.decoupled_limits import ROUNDS, largest_errors
from edgemoe.compression.goal import Goal
from edgemoe.compression.moving_limit import NEAR, largest_error
from edgemoe.compression.output_loss import OutputLoss
from edgemoe.compression.retreat import retreat
from edgemoe.compression.search import Measured
from edgemoe.compression.settings import Settings
from edgemoe.compression.task import task_of
from edgemoe.errors import BudgetError
from edgemoe.frontend import load_model
from edgemoe.html_report import _compression

QUICK = Settings(seconds=60.0, formats=("f16", "i8.a32", "i4.a32", "i3", "i2"))
PROMISE = 0.02


class TwoTasks(nn.Module):
    """x [T, 24] -> a, b [T, 8], with a trunk that both read and branches that one reads."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Linear(24, 40)
        self.strict = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 8))
        self.lenient = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 8))
        self.export_options = {"input_names": ["x"], "output_names": ["a", "b"]}

    def forward(self, x):
        h = torch.relu(self.trunk(x))
        return self.strict(h), self.lenient(h)


@pytest.fixture(scope="module")
def task():
    chance = np.random.default_rng(0)
    module = TwoTasks()
    x = chance.normal(size=(64, 3, 24)).astype(np.float32)
    with torch.no_grad():
        a, b = (y.numpy() for y in module(torch.from_numpy(x)))

    def noisy(y, scale):
        return y + scale * y.std() * chance.normal(size=y.shape).astype(np.float32)

    source = load_model((module, (torch.from_numpy(x[0]),)))
    data = {"x": x, "target:a": noisy(a, 0.05), "target:b": noisy(b, 3.0)}
    return task_of(source, plan_buckets(source.model, None, {}), data, "auto")


@pytest.fixture(scope="module")
def found(task):
    return compress(task, QUICK.goal(PROMISE, None), settings=QUICK)


def bits(found, measured, branch):
    pairs = zip(found.search.units, measured.candidate.formats, strict=True)
    return [given.bits for unit, given in pairs if unit.names[0].startswith(branch)]


def test_a_limit_per_output_finds_a_smaller_model_at_the_same_promise(found):
    search, goal = found.search, found.goal
    one, each = largest_error(search, goal), largest_errors(search, goal)
    for measured in (one, each):
        assert search.keeps(measured, goal)
        assert all(own.counted <= PROMISE for own in measured.verdict.losses.values())
    assert each.nbytes < 0.9 * one.nbytes
    # what only the lenient output sees is no longer held to what the strict one needs
    assert max(bits(found, each, "lenient")) < min(bits(found, one, "lenient"))
    assert min(bits(found, each, "strict")) >= 8


def test_the_promise_is_proved_for_every_output_of_what_comes_out(found):
    assert found.goal.holds(found.verdict) and set(found.verdict.losses) == {"a", "b"}
    assert all(own.counted <= PROMISE for own in found.verdict.losses.values())
    assert max(bits(found, found.chosen, "lenient")) < min(bits(found, found.chosen, "strict"))


def test_sensitivities_are_kept_by_output(found):
    search = found.search
    for number, unit in enumerate(search.units):
        for given in search.choices[number][2:]:
            a, b = search.errors_by_output[number, given]
            assert a + b == pytest.approx(search.sensitivity[number, given], rel=1e-6)
            if not unit.names[0].startswith("trunk"):
                seen, unseen = (a, b) if unit.names[0].startswith("strict") else (b, a)
                assert unseen < 1e-9 < 1e-7 < seen


def test_the_report_groups_layers_by_the_output_that_they_hurt_most(found):
    report = json.loads(json.dumps(found.report()))
    strict, lenient = report["metric_groups"]
    assert (strict["output"], strict["metric"]) == ("a", "mse")
    # the trunk moves both alike; what it may do to the strict one is a fraction
    assert strict["layers"] == ["trunk.weight", "strict.0.weight", "strict.2.weight"]
    assert lenient["layers"] == ["lenient.0.weight", "lenient.2.weight"]
    assert lenient["average_bits"] < strict["average_bits"]
    assert lenient["error_limit"] > 10 * strict["error_limit"]
    for group in (strict, lenient):
        units = [u for u in report["units"] if u["hurts"] == group["output"]]
        assert [u["weights"][0] for u in units] == group["layers"]
        assert sum(u["bytes"] for u in units) == group["bytes"]["after"]
        assert group["loss"] == found.verdict.losses[group["output"]].loss
    text = compression_text(report, verbose=True)
    assert "layers that hurt it most" in text and "mse of b" in text and "hurts most" in text
    page = "".join(_compression(report))
    assert "layers that hurt it most" in page and "lenient.0.weight, lenient.2.weight" in page


def test_a_retreat_takes_from_what_hurts_the_output_that_was_refused(found):
    search, goal = found.search, found.goal
    refused = largest_errors(search, goal)
    other = retreat(search, goal, refused, {"b": 0.5})
    assert other.nbytes > refused.nbytes
    assert bits(found, other, "strict") == bits(found, refused, "strict")
    before, after = (m.verdict.losses["b"] for m in (refused, other))
    assert after.error <= 0.5 * before.error and after.counted <= PROMISE


def test_the_manifest_and_its_text_name_every_output(found):
    accuracy = found.foreseen()
    assert set(accuracy["outputs"]) == {"a", "b"}
    other = next(name for name in "ab" if name != accuracy["output"])
    assert any(line.startswith(f"mse of {other}: loss") for line in accuracy_lines(accuracy))


def test_what_breaks_the_promise_is_named(task):
    hasty = replace(QUICK, seconds=0.0)
    with pytest.raises(BudgetError, match=r"even with i2 weights the loss of a is \d+"):
        compress(task, hasty.goal(1e-6, None), settings=hasty, precision="i2")


def test_one_output_has_one_limit_and_no_groups(task):
    with patch("edgemoe.compression.option.largest_errors", side_effect=AssertionError):
        only = replace(task, metrics={"b": task.metrics["b"]})
        hasty = replace(QUICK, seconds=1.0)
        found = compress(only, hasty.goal(PROMISE, None), settings=hasty)
    report = found.report()
    assert "hurt" not in "".join(_compression(report))
    assert report["metric_groups"] == [] and "outputs" not in found.foreseen()
    assert "hurt" not in compression_text(report, verbose=True)


class Landscape:
    """A search whose candidates are the limits themselves, which no output reaches alone.

    Losses are powers of the errors; bytes fall with all of them.
    """

    def __init__(self, edges, powers, coupled=0.0):
        self.edges, self.powers, self.coupled = np.array(edges), np.array(powers), coupled
        names = [f"y{n}" for n in range(len(edges))]
        self.judge = SimpleNamespace(metrics=dict.fromkeys(names))
        self.best, self.units, self.judged = (0.0,) * len(edges), ["one"], []

    def tables(self):
        return [], None, np.array([[0.0, len(self.edges)]]), np.array([[True, True]])

    def within_error(self, limit):
        return (limit / len(self.edges),) * len(self.edges)

    def may_keep(self, candidate, goal):
        return True

    def keeps(self, found, goal):
        return goal.holds(found.verdict)

    def table_by_output(self):
        return np.array([[np.zeros(len(self.edges)), np.ones(len(self.edges))]])

    def within_errors(self, limits):
        return tuple(limits.tolist())

    def predicted_by_output(self, candidate):
        return np.array(candidate)

    def refused_by(self, candidate, goal):
        return []

    def measure(self, candidate):
        self.judged.append(candidate)
        errors = np.array(candidate)
        errors = errors + self.coupled * (errors.sum() - errors)
        lost = PROMISE * (errors / self.edges) ** self.powers
        each = {
            name: OutputLoss("rms", own, (own, own), 1.0, 1.0, 0.0, error)
            for name, own, error in zip(self.judge.metrics, lost, candidate, strict=True)
        }
        cost = float(-np.log(np.maximum(candidate, 1e-9)).sum())
        worst = max(own.loss for own in each.values())
        verdict = SimpleNamespace(losses=each, counted=worst, shifted=lambda errors: worst)
        return Measured(candidate, int(1e6 + 1e3 * cost), verdict, cost)

    def show(self, *_):
        pass


@pytest.mark.parametrize(
    ("edges", "powers"),
    [((1e-5, 0.3), (1.0, 1.0)), ((2e-4, 2e-3, 1e-1), (0.5, 1.0, 2.0)), ((1e-3,) * 5, (1.0,) * 5)],
)
def test_every_limit_ends_where_its_output_meets_the_promise(edges, powers):
    search = Landscape(edges, powers)
    found = largest_errors(search, Goal(max_loss=PROMISE, margin=0.0))
    assert all(own.counted <= PROMISE for own in found.verdict.losses.values())
    assert all(c > e / np.exp(NEAR) ** 4 for c, e in zip(found.candidate, edges, strict=True))
    assert search.error_limits == pytest.approx(edges, rel=0.25)
    assert len(search.judged) <= ROUNDS + 1


@pytest.mark.parametrize("edges", [(1e-3,) * 5, (1e-5, 0.3)])
def test_errors_that_spread_to_other_outputs_unforeseen(edges):
    """Where one output's promise can only be kept by another's errors, all shrink together."""
    search = Landscape(edges, (1.0,) * len(edges), coupled=0.01)
    found = largest_errors(search, Goal(max_loss=PROMISE, margin=0.0))
    assert all(own.counted <= PROMISE for own in found.verdict.losses.values())
    assert min(found.candidate) > 0.2 * min(edges)


def test_everything_keeps_every_promise():
    search = Landscape((2.0, 3.0), (1.0, 1.0))
    found = largest_errors(search, Goal(max_loss=PROMISE))
    assert found.candidate == pytest.approx((1.0, 1.0)) and len(search.judged) == 2


def test_after_the_deadline_the_first_that_keeps_every_promise_is_taken():
    search = Landscape((1e-5, 0.3), (1.0, 1.0))
    found = largest_errors(search, Goal(max_loss=PROMISE), deadline=0.0)
    assert 0 < found.candidate[0] <= 1e-5 and 0 < found.candidate[1] <= 0.3
    assert search.judged[-1] == found.candidate and len(search.judged) < ROUNDS
