"""What a user of `edgemoe.load` sees."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import edgemoe
from edgemoe.errors import DeviceError, RunError


def batch(n=5, seed=0):
    return np.random.default_rng(seed).standard_normal((1, n, 6)).astype(np.float32)


def expected(toys, x):
    w, b = toys.mixer().weights
    return x * w + b


def test_it_tells_what_it_is(toy_artifact):
    session = edgemoe.load(toy_artifact("mixer").path, check=True)
    assert [str(spec) for spec in session.inputs] == ["x: float32 [1, n, 6]"]
    assert [spec.name for spec in session.outputs] == ["y"]
    assert session.buckets == (2, 5)
    assert session.arena_bytes == 64 + 5 * 6 * 4
    assert session.isa in session.manifest.isas
    assert "toy-mixer" in repr(session)


def test_static_shape(toy_artifact, toys):
    session = toy_artifact("mixer", buckets=(None,)).load(check=True)
    x = batch(3)
    assert np.array_equal(session.run({"x": x})["y"], expected(toys, x))
    assert session.buckets == ()


@pytest.mark.parametrize(
    "view",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
        lambda x: np.frombuffer(b"abcd" + x.tobytes(), np.float32, offset=4).reshape(x.shape),
        lambda x: x[:, ::-1][:, ::-1],
    ],
)
def test_any_layout_and_alignment(toy_artifact, toys, view):
    session = toy_artifact("mixer").load()
    x = batch()
    assert np.array_equal(session.run({"x": view(x)})["y"], expected(toys, x))


@pytest.mark.parametrize("width", [6, 4096])
def test_out_is_written_and_returned(toy_artifact, toys, width):
    toy = toys.mixer(width=width)
    session = toy_artifact("mixer", width=width).load()
    x = np.ones((1, 5, width), np.float32)
    room = np.empty((1, 5, width), np.float32)
    result = session.run({"x": x}, out={"y": room})
    assert result["y"] is room
    assert np.array_equal(room, x * toy.weights[0] + toy.weights[1])
    assert np.array_equal(session.run({"x": x})["y"], room)


@pytest.mark.parametrize("tasks, even", [(67, False), (67, True), (2, True)])
def test_threads_keep_every_bit(toy_artifact, tasks, even):
    session = toy_artifact("work", tasks=tasks, even=even).load()
    x = np.random.default_rng(1).standard_normal(tasks).astype(np.float32)
    first = session.run({"x": x})["y"]
    for count in (2, 3, 8, 1, -1):
        session.threads = count
        for _ in range(20):
            assert np.array_equal(session.run({"x": x})["y"], first)
    assert session.threads >= 1


def test_threads_out_of_range(toy_artifact):
    session = toy_artifact("mixer").load()
    with pytest.raises(RunError, match=r"1000 threads.*give 1 to 256"):
        session.threads = 1000
    assert session.threads == 1


def test_concurrent_sessions_and_calls(toy_artifact, toys):
    shared = toy_artifact("mixer").load(threads=2)
    failures = []

    def use(session, seed):
        for n in (2, 5) * 50:
            x = batch(n, seed)
            if not np.array_equal(session.run({"x": x})["y"], expected(toys, x)):
                failures.append(seed)

    sessions = [toy_artifact("mixer").load(), toy_artifact("routed").load(), shared, shared]
    del sessions[1]
    users = [threading.Thread(target=use, args=(s, i)) for i, s in enumerate(sessions)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert not failures


def test_environment_chooses_the_isa(toy_artifact, toys, monkeypatch):
    monkeypatch.setenv("EDGEMOE_ISA", toys.HOST_ISAS[0])
    assert toy_artifact("mixer").load().isa == toys.HOST_ISAS[0]
    assert toy_artifact("mixer").load(isa=toys.HOST_ISAS[-1]).isa == toys.HOST_ISAS[-1]


def test_an_isa_that_is_not_there(toy_artifact):
    with pytest.raises(DeviceError, match=r"no kernels for instruction set 'x86-64-v9', only for"):
        toy_artifact("mixer").load(isa="x86-64-v9")


def test_an_isa_that_the_cpu_lacks(toy_artifact, toys):
    isa = f"{toys.HOST_ISAS[-1]}+nosuch"
    artifact = toy_artifact("mixer", isas=(toys.HOST_ISAS[0], isa))
    assert artifact.load().isa == toys.HOST_ISAS[0]  # the best that works
    with pytest.raises(DeviceError, match=f"cannot run .*{isa[:6]}.*it lacks nosuch; .*{isa[:6]}"):
        artifact.load(isa=isa)
    alone = toy_artifact("mixer", isas=(isa,))
    with pytest.raises(DeviceError, match=r"runs none of .* lacks nosuch; compile"):
        alone.load()


def test_closed(toy_artifact):
    with toy_artifact("mixer").load() as session:
        session.run({"x": batch()})
    with pytest.raises(RunError, match="closed; load it again"):
        session.run({"x": batch()})
    session.close()


def test_hooks_see_every_step(toy_artifact):
    session = toy_artifact("mixer", dispatch="split", buckets=(1, 5)).load()
    seen = []
    session.run_hooked({"x": batch(7)}, lambda i: seen.append((i.variant, i.step, i.tokens)))
    assert seen == [(1, 0, 5), (1, 1, 5), (0, 0, 1), (0, 1, 1), (0, 0, 1), (0, 1, 1)]
    with pytest.raises(ZeroDivisionError):
        session.run_hooked({"x": batch(5)}, lambda _: 1 // 0)


def test_a_call_costs_little(toy_artifact):
    """About 7 us beyond the C call on an idle machine; the limit leaves room for busy ones."""
    session = toy_artifact("mixer").load()
    inputs = {"x": batch()}
    best = float("inf")
    for _ in range(30):
        start = time.perf_counter()
        for _ in range(200):
            session.run(inputs)
        best = min(best, (time.perf_counter() - start) / 200)
    assert best < 15e-6


def test_step_times_are_noted_in_c(toy_artifact):
    session = toy_artifact("mixer", dispatch="split", buckets=(1, 5)).load()
    steps = session.run_timed({"x": batch(7)})
    assert [step[:2] for step in steps] == [(1, 0), (1, 1), (0, 0), (0, 1), (0, 0), (0, 1)]
    assert all(0 <= nanoseconds < 1e9 for _, _, nanoseconds in steps)
    assert len(session.run_timed({"x": batch(5 * 600)})) == 1200
    assert len(session.run_timed({"x": batch(5 * 40000)})) == 1 << 16
