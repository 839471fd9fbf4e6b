"""Sessions on OpenCL and WebGPU devices: what a user of `edgemoe.load` sees."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

import edgemoe
from edgemoe.errors import DeviceError, InputError, RunError
from edgemoe.runtime.generate import generate
from edgemoe.runtime.profile import profile


def batch(n, rows=1, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, n, 6)).astype(np.float32)


def mixed(gpu_toys, x):
    w, b = gpu_toys.mixer("opencl").weights
    return x * w + b


def ulps(got, wanted):
    """A compiler may contract a product and a sum: one rounding less."""
    return np.abs(got - wanted).max() <= 4 * np.finfo(np.float32).eps * np.abs(wanted).max()


def test_it_tells_what_it_is(opened, family):
    session = opened("mixer", family, check=True)
    assert [str(spec) for spec in session.inputs] == ["x: float32 [1, n, 6]"]
    assert session.buckets == (2, 5)
    assert session.arena_bytes == 256 + 5 * 6 * 4
    assert session.state_bytes == 0
    assert session.device.startswith(f"{family}:")
    assert session.isa
    assert session.threads == 1
    assert "toy-mixer" in repr(session)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_pad(opened, gpu_toys, family, n):
    x = batch(n, rows=3)
    y = opened("mixer", family, dispatch="pad", rows=3).run({"x": x})["y"]
    assert y.shape == x.shape
    assert ulps(y, mixed(gpu_toys, x))


@pytest.mark.parametrize("n", [2, 7, 9, 12])
def test_split(opened, gpu_toys, family, n):
    x = batch(n, rows=3)
    y = opened("mixer", family, dispatch="split", rows=3).run({"x": x})["y"]
    assert ulps(y, mixed(gpu_toys, x))


def test_split_pads_the_rest_where_that_is_allowed(opened, gpu_toys, family):
    x = batch(6)
    session = opened("mixer", family, dispatch="split", facts={"pad_ok": True})
    assert ulps(session.run({"x": x})["y"], mixed(gpu_toys, x))


@pytest.mark.parametrize(
    ("dispatch", "n", "why"),
    [
        ("static", 3, "compiled for 2, 5 tokens; give one of these"),
        ("pad", 6, "pads up to the largest of them"),
        ("split", 6, "the rest is below the smallest"),
    ],
)
def test_token_counts_that_do_not_run(opened, family, dispatch, n, why):
    session = opened("mixer", family, dispatch=dispatch)
    with pytest.raises(InputError, match=f"runs {n} tokens.*{why}.*--tokens ...,{n}"):
        session.run({"x": batch(n)})


def test_static_shape(opened, gpu_toys, family):
    x = batch(3)
    session = opened("mixer", family, buckets=(None,), check=True)
    assert ulps(session.run({"x": x})["y"], mixed(gpu_toys, x))
    assert session.buckets == ()


@pytest.mark.parametrize("in_place", [False, True])
def test_states_stay_on_the_device(opened, family, in_place):
    session = opened("running", family, in_place=in_place)
    x = np.arange(5 * 6, dtype=np.float32).reshape(5, 6)
    sums = np.cumsum(x, axis=0)
    first = session.run({"x": x})  # 3 + 1 + 1 tokens
    assert list(first) == ["y"]
    assert np.array_equal(first["y"], sums)
    assert np.array_equal(session.run({"x": x})["y"], sums[-1] + sums)
    room = np.empty(6, np.float32)
    again = session.run({"x": x[:3]}, out={"next": room})
    assert again["next"] is room
    assert np.array_equal(room, 2 * sums[-1] + sums[2])
    session.reset()
    assert np.array_equal(session.run({"x": x})["y"], sums)
    assert session.state_bytes == (24 if in_place else 48)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_given_state_leaves_the_held_one(opened, family, in_place):
    session = opened("running", family, in_place=in_place)
    ones, state = np.ones((1, 6), np.float32), np.full(6, 100, np.float32)
    before = session.run({"x": ones, "sum": state})  # while the held one is zeros
    assert np.array_equal(before["next"], np.full(6, 101))
    assert session.run({"x": ones})["y"][0, 0] == 1
    for n in (1, 2, 3, 4):
        given = session.run({"x": np.ones((n, 6), np.float32), "sum": state})
        assert np.array_equal(given["next"], np.full(6, 100 + n))
    assert session.run({"x": ones})["y"][0, 0] == 2
    assert state[0] == 100


def test_runs_in_flight_take_place_in_order(opened, family):
    session = opened("running", family)
    futures = [session.run_async({"x": np.full((n, 6), n, np.float32)}) for n in (1, 2, 3, 4)]
    rows = np.concatenate([future.result(60)["y"][:, 0] for future in futures])
    assert rows.tolist() == np.cumsum([1, 2, 2, 3, 3, 3, 4, 4, 4, 4]).tolist()
    with pytest.raises(InputError, match="no input 'z'"):
        session.run_async({"z": np.ones((1, 6), np.float32)})


def test_threads_share_a_session_and_a_device(gpu_artifact, family):
    """Every run adds its tokens once, whichever thread asked; sessions have their own states."""
    artifact = gpu_artifact("running", family)
    shared = artifact.load()

    def work(own):
        with artifact.load() as session:
            for n in range(1, 11):
                x = np.ones((1 + n % 3, 6), np.float32)
                shared.run({"x": x})
                own.append(session.run({"x": x})["y"][-1, 0])

    results = [[], [], []]
    threads = [threading.Thread(target=work, args=(own,)) for own in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    sums = np.cumsum([1 + n % 3 for n in range(1, 11)]).tolist()
    assert results == [sums] * 3
    room = np.empty(6, np.float32)
    shared.run({"x": np.ones((1, 6), np.float32)}, out={"next": room})
    assert room.tolist() == [3 * sums[-1] + 1] * 6
    shared.close()


def test_asyncio(opened, family):
    session = opened("running", family)

    async def both():
        runs = [session.run_async({"x": np.ones((1, 6), np.float32)}) for _ in range(2)]
        return [await asyncio.wrap_future(run) for run in runs]

    assert [result["y"][0, 0] for result in asyncio.run(both())] == [1, 2]


FLOATS = {
    "float32": np.array([0, -1.5, 3e38, np.inf, np.nan], np.float32),
    "float64": np.array([0, -1.5, 1e-30, np.inf, np.nan]),
    "float16": np.array([0, -1.5, 6e-8, np.inf, np.nan], np.float16),
    "bfloat16": np.array([0x0000, 0xBFC0, 0x4300, 0x4301, 0x7FC0], np.uint16),
}
INTEGERS = {
    "int8": np.array([0, -128, 126, 1, 2], np.int8),
    "uint8": np.array([0, 254, 128, 1, 2], np.uint8),
    "int16": np.array([0, -32768, 32766, 1, 2], np.int16),
    "int32": np.array([0, -(2**31), 2**31 - 2, 1, 2], np.int32),
    "int64": np.array([0, -(2**31), 2**31 - 2, 1, 2]),
}


def expected_dtypes():
    out = {f"out_{name}": array + array.dtype.type(1) for name, array in INTEGERS.items()}
    for name in ("float32", "float64", "float16"):
        array = FLOATS[name]
        out[f"out_{name}"] = (array.astype(np.float32) + np.float32(1)).astype(array.dtype)
    # 0 + 1, -1.5 + 1, 128 + 1, 129 + 1 are bfloat16; NaN stays NaN
    out["out_bfloat16"] = np.array([0x3F80, 0xBF00, 0x4301, 0x4302, 0x7FC0], np.uint16)
    out["out_bool"] = np.array([False, True, False, True, False])
    return out


def dtype_inputs():
    arrays = {f"in_{name}": array for name, array in (FLOATS | INTEGERS).items()}
    return arrays | {"in_bool": np.array([True, False, True, False, True])}


def test_every_dtype(opened, family):
    got = opened("dtypes", family).run(dtype_inputs())
    for name, wanted in expected_dtypes().items():
        assert got[name].dtype == wanted.dtype
        equal_nan = wanted.dtype.kind == "f"
        assert np.array_equal(got[name], wanted, equal_nan=equal_nan), name


def test_bfloat16_rounds_to_even():
    from edgemoe.runtime.gpu_arrays import _to_bfloat16

    bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF, 0x7F800001], np.uint32)
    rounded = [0x3F80, 0x3F82, 0x3F81, 0x7F80, 0x7FC0]
    assert _to_bfloat16(bits.view(np.float32)).tolist() == rounded


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_integers_out_of_range(opened, family, value):
    inputs = dtype_inputs() | {"in_int64": np.array([0, 1, value, 2, 3])}
    with pytest.raises(InputError, match=f"'in_int64' holds {value}, outside of -2147483648"):
        opened("dtypes", family).run(inputs)


def test_more_work_groups_than_a_dimension_has(opened, family):
    x = np.random.default_rng(0).standard_normal(70_000).astype(np.float32)
    assert np.array_equal(opened("many_groups", family).run({"x": x})["y"], 2 * x)


def test_steps_run_in_order_and_are_timed(opened, family):
    session = opened("chain", family)
    x = np.arange(33, dtype=np.float32)
    assert np.array_equal(session.run({"x": x})["y"], x + 5)
    times = session.run_timed({"x": x})
    assert [(variant, step) for variant, step, _ in times] == [(0, step) for step in range(5)]
    assert all(nanoseconds >= 0 for _, _, nanoseconds in times)
    seen = []
    buffer = {"name": "a"}
    got = session.run_hooked({"x": x}, lambda info: seen.append((info.step, info.read(buffer)[1])))
    assert np.array_equal(got["y"], x + 5)
    assert seen == [(0, 2), (1, 2), (2, 4), (3, 4), (4, 4)]


def test_profile_counts_experts(opened, family):
    session = opened("routed", family, check=True)
    x = np.zeros((6, 6), np.float32)
    x[np.arange(6), [0, 1, 1, 3, 3, 3]] = 1
    result = profile(session, {"x": x}, runs=2)
    assert [region.counts for region in result.regions] == [(1, 2, 0, 3)]
    assert {(s.variant, s.step, s.calls) for s in result.steps} == {
        (0, 0, 2), (0, 1, 2), (1, 0, 1), (1, 1, 1)
    }  # fmt: skip
    assert result.device == session.device
    assert result.machine.gflops > 0
    assert result.machine.read_gbps > 0


def test_generate(opened, family):
    letters = "abcdefg"
    numbers = [0, 1, 2]
    while len(numbers) < 12:  # the next letter is a sum of the last one and its place
        numbers.append((numbers[-1] + len(numbers)) % 7)
    wanted = "".join(letters[n] for n in numbers[3:])
    session = opened("language", family)
    assert "".join(generate(session, "abc", max_tokens=9)) == wanted
    assert "".join(generate(session, "abc", max_tokens=9)) == wanted  # from fresh states


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.ones(6, np.float32)}, "the model has no input 'y'"),
        ({"x": None}, "input 'x' is missing"),
        ({"x": [1.0]}, "input 'x' is a list"),
        ({"x": np.ones((1, 2, 6))}, "is float64.*astype"),
        ({"x": np.ones((1, 2, 5), np.float32)}, r"\[1, 2, 5\], expected x: float32 \[1, n, 6\]"),
        ({"x": np.ones((1, 0, 6), np.float32)}, "at least 1"),
    ],
)
def test_inputs_that_do_not_fit(opened, family, change, message):
    session = opened("mixer", family)
    with pytest.raises(InputError, match=message):
        session.run({"x": batch(2)} | change)
    with pytest.raises(InputError, match="no output"):
        session.run({"x": batch(2)}, out={"z": np.empty(3)})


def test_strict(gpu_artifact, family):
    x = batch(2)
    x[0, 0, 0] = np.nan
    with (
        gpu_artifact("mixer", family).load(strict=True) as session,
        pytest.raises(InputError, match="NaN or infinity"),
    ):
        session.run({"x": x})


def test_closed(gpu_artifact, family):
    session = gpu_artifact("mixer", family).load()
    future = session.run_async({"x": batch(2)})
    session.close()
    session.close()
    assert future.result(60)["y"].shape == (1, 2, 6)
    with pytest.raises(RunError, match="closed"):
        session.run({"x": batch(2)})


def test_sessions_share_kernels(gpu_artifact, gpu_toys, family):
    artifact, x = gpu_artifact("mixer", family), batch(5)
    with artifact.load() as first:
        first.run({"x": x})
        built = first._device.kernels_built
        with artifact.load() as second:
            assert ulps(second.run({"x": x})["y"], mixed(gpu_toys, x))
        assert second._device.kernels_built == built
        assert ulps(first.run({"x": x})["y"], mixed(gpu_toys, x))


def test_other_devices_are_refused(gpu_artifact, family):
    path = gpu_artifact("mixer", family).path
    other = {"opencl": "webgpu", "webgpu": "opencl"}[family]
    with pytest.raises(DeviceError, match=f"is for {family}, it does not run on '{other}:0'"):
        edgemoe.load(path, device=f"{other}:0")
    with pytest.raises(DeviceError, match=f"no device '{family}:99'; there are {family}:0"):
        edgemoe.load(path, device=f"{family}:99")
    for device in ("cpu", "opencl:", "opencl:x", "gpu"):
        with pytest.raises(DeviceError, match=f"no device '{device}'"):
            edgemoe.load(path, device=device)
    with pytest.raises(DeviceError, match="instruction sets"):
        edgemoe.load(path, isa="x86-64-v3")
    with pytest.raises(DeviceError, match="instruction sets"):
        edgemoe.load(path, threads=4)
