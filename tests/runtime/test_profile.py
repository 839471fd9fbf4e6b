"""Profiles: step times, experts, sparsity; and the machine that they are measured against."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgemoe.errors import InputError
from edgemoe.runtime import machine
from edgemoe.runtime.profile import default_inputs, profile
from edgemoe.runtime.routing import chunk_sparsity, token_sparsity


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(machine, "_SECONDS", 0.01)


def reference_cls(active, length):
    """CLS_L word by word: 1 - mean over chunks and experts of "some token of the chunk"."""
    chunks = [active[i : i + length] for i in range(0, len(active) // length * length, length)]
    values = [float(chunk[:, e].any()) for chunk in chunks for e in range(active.shape[1])]
    return 1 - sum(values) / len(values)


@pytest.mark.parametrize("tokens", [8, 9, 16, 33])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.7, 1.0])
def test_sparsity_is_the_definition(tokens, density):
    active = np.random.default_rng(tokens).random((tokens, 5)) < density
    assert chunk_sparsity(active) == pytest.approx(reference_cls(active, 8))
    assert token_sparsity(active) == pytest.approx(reference_cls(active, 1))
    assert chunk_sparsity(active, 1) == pytest.approx(token_sparsity(active))


def test_too_few_tokens_for_a_chunk():
    assert chunk_sparsity(np.ones((7, 3), bool)) is None


@pytest.mark.parametrize("n", [1, 4, 9])
def test_indexed_experts_are_counted(toy_artifact, n):
    session = toy_artifact("routed").load()
    x = np.random.default_rng(n).standard_normal((n, 6)).astype(np.float32)
    result = profile(session, {"x": x}, runs=3)
    (region,) = result.regions
    chosen = np.argmax(x[:, :4], axis=1)
    assert region.counts == tuple(np.bincount(chosen, minlength=4))
    assert (region.tokens, region.experts, region.tls) == (n, 4, 0.75)
    assert region.unused == sum(count == 0 for count in region.counts)
    assert sum(step.share for step in result.steps) == pytest.approx(1)
    assert all(step.nanoseconds >= 0 for step in result.steps)


def test_scored_experts_are_counted_in_an_output(toy_artifact):
    session = toy_artifact("scored").load()
    x = np.random.default_rng(1).standard_normal((17, 6)).astype(np.float32)
    (region,) = profile(session, {"x": x}, runs=1).regions
    active = x > 0
    assert region.counts == tuple(active.sum(axis=0))
    assert region.tls == pytest.approx(1 - active.mean())
    assert region.cls8 == pytest.approx(reference_cls(active, 8))


def test_padding_is_not_counted(toy_artifact):
    artifact = toy_artifact("routed", dispatch="pad")
    (region,) = profile(artifact.load(), {"x": np.ones((3, 6), np.float32)}, runs=1).regions
    assert region.tokens == 3
    assert region.counts == (3, 0, 0, 0)


def test_chunks_are_added_up(toy_artifact):
    session = toy_artifact("mixer", dispatch="split", buckets=(1, 5)).load()
    result = profile(session, {"x": np.ones((1, 7, 6), np.float32)}, runs=2)
    assert [(s.variant, s.step, s.calls) for s in result.steps] == [
        (0, 0, 2), (0, 1, 2), (1, 0, 1), (1, 1, 1)
    ]  # fmt: skip
    assert result.tokens == 7
    assert result.steps[0].macs == 2 * 6


def test_states_start_fresh_and_stay_fresh(toy_artifact):
    session = toy_artifact("running").load()
    x = np.ones((3, 6), np.float32)
    profile(session, {"x": x}, runs=2)
    assert np.array_equal(session.run({"x": x})["y"], np.cumsum(x, axis=0))


def test_default_inputs(toy_artifact):
    assert default_inputs(toy_artifact("mixer").load())["x"].shape == (1, 2, 6)
    inputs = default_inputs(toy_artifact("running").load())
    assert {name: array.shape for name, array in inputs.items()} == {"x": (3, 6)}


def test_no_runs(toy_artifact):
    with pytest.raises(InputError, match="0 runs were asked for"):
        profile(toy_artifact("mixer").load(), runs=0)


def test_it_is_plain_data(toy_artifact):
    text = json.dumps(profile(toy_artifact("routed").load(), runs=1).to_dict())
    assert json.loads(text)["regions"][0]["experts"] == 4


def test_the_machine_is_measured_once(toy_artifact, tmp_path, monkeypatch):
    session = toy_artifact("mixer").load()
    first = machine.measure(session)
    assert first.gflops > 0.1
    assert first.read_gbps > 0.1
    monkeypatch.setattr(type(session), "measure", None)  # a second measurement would fail
    assert machine.measure(session) == first
    (tmp_path / "cache" / "machine.json").write_text("{nonsense")
    with pytest.raises(TypeError):
        machine.measure(session)


def test_a_home_that_cannot_be_written(toy_artifact, monkeypatch):
    monkeypatch.setenv("EDGEMOE_CACHE", "/proc/nowhere")
    assert machine.measure(toy_artifact("mixer").load()).gflops > 0


def slow_machine(tmp_path, when):
    """A cache with what a busy machine measured; returns the file."""
    path = tmp_path / "cache" / "machine.json"
    (key,) = json.loads(path.read_text())
    path.write_text(json.dumps({key: (1e-9, 1e-9, when)}))
    return path


def test_the_best_measurement_is_kept(toy_artifact, monkeypatch):
    session = toy_artifact("mixer").load()
    figures = iter([(5.0, 4.0), (3.0, 7.0), (1.0, 1.0), (2.0, 9.0)])
    monkeypatch.setattr(machine, "_REPEATS", 2)
    monkeypatch.setattr(type(session), "measure", lambda *_, **__: next(figures))
    first = machine.measure(session)
    assert (first.gflops, first.read_gbps) == (5.0, 7.0)
    assert first.is_fresh()
    again = machine.measure(session, again=True)
    assert (again.gflops, again.read_gbps) == (5.0, 9.0)
    assert machine.measure(session) == again


def test_a_step_above_the_peak_measures_again(toy_artifact, tmp_path):
    session = toy_artifact("mixer").load()
    machine.measure(session)
    slow_machine(tmp_path, "2020-01-31 12:00:00")
    result = profile(session, runs=1)
    assert result.machine.gflops > 0.1
    assert result.machine.is_fresh()
    assert machine.measure(session) == result.machine


def test_a_fresh_measurement_is_not_repeated(toy_artifact, tmp_path):
    session = toy_artifact("mixer").load()
    when = machine.measure(session).measured
    slow_machine(tmp_path, when)
    assert profile(session, runs=1).machine.gflops == 1e-9


def test_a_cache_of_an_older_version_is_measured_again(toy_artifact, tmp_path):
    session = toy_artifact("mixer").load()
    machine.measure(session)
    path = tmp_path / "cache" / "machine.json"
    (key,) = json.loads(path.read_text())
    path.write_text(json.dumps({key: (1e-9, 1e-9)}))
    assert machine.measure(session).gflops > 0.1
