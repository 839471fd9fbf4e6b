"""What a search does when time is short, and what it need not compute twice."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from edgemoe.buckets import plan_buckets
from edgemoe.compression import option as options
from edgemoe.compression.candidates import Weights
from edgemoe.compression.compress import compress
from edgemoe.compression.settings import Settings
from edgemoe.compression.statistics import Gram
from edgemoe.compression.task import task_of
from edgemoe.frontend import load_model
from edgemoe.precision import Unit
from edgemoe.quantise import quantise
from edgemoe.weight_format import parse

QUICK = Settings(seconds=1.0, formats=("f16", "i8", "i8.a32", "i4", "i2"))


@pytest.fixture(scope="module")
def task():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(33, 40), nn.ReLU(), nn.Linear(40, 9))
    x = np.random.default_rng(0).normal(size=(24, 3, 33)).astype(np.float32)
    source = load_model((module, (torch.from_numpy(x[0]),)))
    name = str(source.model.graph.inputs[0].name)
    return task_of(source, plan_buckets(source.model, None, {}), {name: x}, "rms")


def test_with_no_time_every_unit_is_measured_once_and_the_rest_estimated(task, monkeypatch):
    whole = compress(task, QUICK.goal(0.05, None), settings=QUICK).search
    monkeypatch.setattr(options, "SHARE", 0.0)
    hasty = replace(QUICK, seconds=0.0)
    short = compress(task, hasty.goal(0.05, None), settings=hasty).search
    assert set(short.sensitivity) == set(whole.sensitivity)
    units = range(len(short.units))
    i4, i8, i2 = parse("i4"), parse("i8"), parse("i2")
    assert len(units) == 2
    for unit in units:
        assert short.sensitivity[unit, i4] == pytest.approx(whole.sensitivity[unit, i4], rel=0.5)
        assert short.sensitivity[unit, i8] < short.sensitivity[unit, i4]
        assert short.sensitivity[unit, i4] < short.sensitivity[unit, i2]
        nearest = {g: short.weight_error(short.units[unit], g) for g in (i4, i2)}
        ratio = short.sensitivity[unit, i2] / short.sensitivity[unit, i4]
        assert ratio == pytest.approx(nearest[i2] / nearest[i4])


def test_activations_do_not_change_what_weights_become():
    weight = np.random.default_rng(0).standard_normal((5, 33)).astype(np.float32)
    calls = []

    def rounder(expert, rows, given):
        calls.append(given)
        return quantise(rows, given)

    unit = Unit(("w",), "linear", 33, 5, (False,))
    weights = Weights([unit], {"w": weight}, {"w": rounder})
    one, other = (weights.rounded(unit, "w", parse(name)) for name in ("i4", "i4.a32"))
    assert one is other
    assert len(calls) == 1
    assert weights.rounded(unit, "w", parse("i8")) is not one


def test_the_error_of_a_weight_is_that_of_rounding_to_nearest():
    weight = np.random.default_rng(0).standard_normal((2, 33, 5)).astype(np.float32)
    unit = Unit(("w",), "expert", 33, 5, (True,), 2)
    weights = Weights([unit], {"w": weight}, {"w": lambda *_: pytest.fail("no rounder here")})
    gaps = [quantise(np.ascontiguousarray(m.T), parse("i4")).dequantise(33) - m.T for m in weight]
    wanted = sum(float((gap**2).sum()) for gap in gaps)
    assert weights.nearest_error(unit, "w", parse("i4")) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("experts", [0, 3])
def test_rows_that_wait_are_counted_in_the_end(experts):
    chance = np.random.default_rng(0)
    shape = (experts, 33, 33) if experts else (33, 33)
    gram = Gram(np.zeros(shape), np.zeros(max(experts, 1), np.int64))
    wanted, rows = np.zeros(shape), np.zeros(max(experts, 1), np.int64)
    for number in range(20):
        expert = number % 2 if experts else 0  # expert 2 sees nothing
        part = chance.standard_normal((int(chance.integers(1, 9)), 33)).astype(np.float32)
        gram.add(expert, part)
        total = wanted[expert] if experts else wanted
        total += part.T.astype(np.float64) @ part
        rows[expert] += len(part)
    assert gram.rows.sum() < rows.sum()
    gram.settle()
    gram.settle()
    assert np.array_equal(gram.rows, rows)
    assert np.allclose(gram.matrix, wanted, atol=1e-4)


def test_with_no_time_fewer_samples_are_calibrated_on_and_that_is_said(task, tmp_path):
    many = replace(task, samples=replace(task.samples, numbers=task.samples.numbers * 3))
    hasty = replace(QUICK, seconds=0.0)
    journal = tmp_path / "journal.jsonl"
    found = compress(many, hasty.goal(0.05, None), settings=hasty, journal=journal)
    assert found.calibration.samples == 16
    assert found.report()["notes"][0].startswith("calibrated on 16 of 36 samples")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    counts = {line["key"]: line["number"] for line in lines
              if "number" in line}  # fmt: skip
    assert counts["grams"] == 16
    ample = replace(QUICK, seconds=600.0)  # swaps end long before
    whole = compress(many, ample.goal(0.05, None), settings=ample)
    assert whole.calibration.samples == 36 and whole.calibration.shortage == ""
