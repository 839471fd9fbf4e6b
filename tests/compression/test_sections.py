"""Sections of a graph: the same numbers as the whole, and no layer twice for the same weights."""

from __future__ import annotations

import threading

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe.compression import sections
from edgemoe.compression.judge import Judge
from edgemoe.compression.metrics import metrics_of
from edgemoe.compression.parallel import AHEAD, in_order
from edgemoe.compression.prefixes import Prefixes
from edgemoe.compression.samples import Samples
from edgemoe.compression.trial import Trial
from edgemoe.compression.units import units_of
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes

LAYERS, WIDTH = 4, 40
CHANCE = np.random.default_rng(0)
X = CHANCE.normal(size=(12, 3, WIDTH)).astype(np.float32)


def chain():
    """Residual layers; `early` is an output that the first one makes."""
    weights = ", ".join(f"float[{WIDTH},{WIDTH}] w{n} = {{W}}" for n in range(LAYERS))
    body = " ".join(
        f"m{n} = MatMul(h{n}, w{n}) t{n} = Tanh(m{n}) h{n + 1} = Add(h{n}, t{n})"
        for n in range(LAYERS)
    )
    text = f"""<ir_version: 10, opset_import: ["" : 21]>
    g (float[3,{WIDTH}] x) => (float[3,{WIDTH}] early, float[3,{WIDTH}] y) <{weights}> {{
        h0 = Identity(x) {body} early = Neg(h1) y = Identity(h{LAYERS}) }}"""
    while "{W}" in text:
        numbers = CHANCE.normal(size=WIDTH * WIDTH).astype(np.float32) / 8
        text = text.replace("{W}", f"{{{', '.join(map(str, numbers))}}}", 1)
    return ir.from_onnx_text(text)


@pytest.fixture(scope="module")
def graph():
    made = chain()
    run_passes(made)
    return made


@pytest.fixture
def trial(graph, monkeypatch):
    monkeypatch.setattr(sections, "LEAST_WEIGHTS", WIDTH * WIDTH)
    return Trial(graph, units_of(graph, None)[0])


@pytest.fixture
def whole(graph, monkeypatch):
    """The same in one piece: what the sections are compared with."""
    monkeypatch.setattr(sections, "LEAST_WEIGHTS", 10**9)
    return Trial(graph, units_of(graph, None)[0])


def same(got, wanted):
    assert got.keys() == wanted.keys() == {"early", "y"}
    for name in got:
        np.testing.assert_allclose(got[name], wanted[name], rtol=1e-5, atol=1e-6)


def test_every_section_holds_its_own_weights(trial):
    assert len(trial.sections) == LAYERS
    held = [name for section in trial.sections for name in section.weights]
    assert sorted(held) == sorted(f"{name}.given" for name in trial.weights)
    assert all(len(section.weights) == 1 for section in trial.sections)


def test_what_sections_compute_is_what_the_graph_does(trial, whole, graph):
    assert len(whole.sections) == 1
    got = trial.run({"x": X[0]}, {}, {})
    same(got, whole.run({"x": X[0]}, {}, {}))
    wanted = dict(zip(("early", "y"), run_in_onnxruntime(graph, {"x": X[0]}), strict=True))
    same(got, wanted)


@pytest.mark.parametrize("changed", range(LAYERS))
@pytest.mark.parametrize("group", [0, WIDTH])
def test_a_run_begins_where_its_weights_differ(trial, whole, changed, group):
    """Rounding of activations, a branch that reads over the border of a section, included."""
    names = [section.weights[0].removesuffix(".given") for section in trial.sections]
    trial.run({"x": X[0]}, {}, {})
    before = trial.sections_run
    weights, groups = {names[changed]: trial.weights[names[changed]] * 2}, {names[changed]: group}
    got = trial.run({"x": X[0]}, weights, groups)
    assert trial.sections_run - before == LAYERS - changed
    same(got, whole.run({"x": X[0]}, weights, groups))
    trial.run({"x": X[1]}, weights, groups)  # another sample has nothing in common
    assert trial.sections_run - before == LAYERS - changed + LAYERS


def test_groups_alone_make_another_candidate(trial):
    (first,) = (n.removesuffix(".given") for n in trial.sections[0].weights)
    one = trial.run({"x": X[0]}, {}, {first: WIDTH})
    other = trial.run({"x": X[0]}, {}, {})
    assert trial.sections_run == 2 * LAYERS
    assert np.abs(one["y"] - other["y"]).max() > 1e-4


def test_arrays_that_are_gone_are_not_taken_for_new_ones(trial, whole):
    """Python gives the address of an array that was freed to the next."""
    (first,) = (n.removesuffix(".given") for n in trial.sections[0].weights)
    for factor in range(1, 9):
        weights = {first: trial.weights[first] * np.float32(factor)}
        same(trial.run({"x": X[0]}, weights, {}), whole.run({"x": X[0]}, weights, {}))


def test_what_was_not_asked_for_lately_goes_first():
    kept = Prefixes(most_bytes=3 * 80)
    state = {"h": np.zeros(10)}
    for key in "abc":
        kept.put(key, state, [])
    assert kept.get("a") is not None
    kept.put("d", state, [])
    assert [key for key in "abcd" if kept.get(key) is not None] == ["a", "c", "d"]
    kept.put("large", {"h": np.zeros(31)}, [])
    assert kept.get("large") is None and kept.nbytes == 3 * 80


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order_and_memory_does_not_grow(threads):
    taken, given = [], []

    def items():
        for number in range(40):
            taken.append(number)
            yield number

    for result in in_order(lambda number: number * number, items(), threads):
        given.append(result)
        assert len(taken) - len(given) <= AHEAD * threads
    assert given == [number * number for number in range(40)]


def test_the_first_item_goes_alone():
    """What opens lazily opens once."""
    opened = []

    def run(number):
        if not opened:
            opened.append(threading.get_ident())
        return threading.get_ident()

    seen = list(in_order(run, range(20), 3))
    assert len(opened) == 1 and seen[0] == opened[0]
    assert set(seen[1:]).isdisjoint(opened)


def test_an_error_of_one_item_is_that_of_all():
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda number: 1 / (5 - number), range(20), 3))


def test_verdicts_do_not_depend_on_threads(trial):
    samples = Samples({"x": X}, {}, {}, tuple(range(len(X))))
    metrics = metrics_of("rms", {"y": (3, WIDTH)}, {})
    name = next(iter(trial.weights))

    def run(feed):
        return trial.run(feed, {name: trial.weights[name] * np.float32(1.1)}, {})

    found = []
    for threads in (1, 3):
        judge = Judge(samples, metrics, lambda f: trial.run(f, {}, {}), threads=threads)
        found.append(judge.judge(run, together=True))
    assert found[0].loss > 1e-3
    assert found[0].sums.tolist() == found[1].sums.tolist()
    assert (found[0].loss, found[0].interval) == (found[1].loss, found[1].interval)
