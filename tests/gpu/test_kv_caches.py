"""Narrow KV caches on GPUs: the rounding of the reference, the results of the CPU artifact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgemoe
from edgemoe import kv_cache
from edgemoe.errors import InputError, OptionError
from edgemoe.runtime.session import Session
from edgemoe.targets.kernels.append import Append
from edgemoe.targets.kernels.attention_kernel import Attention
from edgemoe.targets.kernels.gpu.append import stand_in
from edgemoe.targets.kernels.gpu.attention import GpuAttention
from edgemoe.targets.kernels.gpu.attention import stand_in as attention_for
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.spec import load_target
from tests.gpu.launch import launch

torch = pytest.importorskip("torch")

from tests.compile.caches import Decoder  # noqa: E402

DEVICES = [
    pytest.param(name, marks=pytest.mark.needs(f"device:{name}")) for name in ("opencl", "webgpu")
]
KINDS = ("bf16", "f16", "i8")
ERRORS = {"bf16": 2e-4, "f16": 1e-4, "i8": 1e-3}
"""Relative RMS distance from the CPU: a code or two that fell to the other side of a border."""


def words(array: np.ndarray) -> np.ndarray:
    """The bytes of an array as the device holds them."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint32)


def append(device: str, spec: Append, arrays: list[np.ndarray], integers: Any, tasks: int) -> Any:
    facts = load_target(device).gpu
    assert facts is not None
    call = Call(spec, tuple(integers), tasks, tuple(a.size for a in arrays), facts)
    return launch(device, stand_in(call), arrays)


def rows(*shape: int) -> np.ndarray:
    """Values of all sizes, zeros, ties, numbers around the subnormals of halves, and too large."""
    chance = np.random.default_rng(0)
    values = chance.standard_normal(shape) * 10.0 ** chance.integers(-7, 7, (*shape[:-1], 1))
    values = values.astype(np.float32)
    values[0, 0] = 0.0
    values[1, 0] = np.resize(np.float32([127.0, 0.5, -1.5, 2.5, 1.0039062]), shape[-1])
    return values


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [4, 36, 80])
def test_rows_are_rounded_as_the_reference_says(device: str, kind: str, width: int) -> None:
    """Of two rows for one place the last wins; those outside are skipped."""
    dtype, capacity, heads, tokens = kv_cache.DTYPES[kind], 11, 3, 7
    new = rows(tokens, heads, width)
    places = np.array([2, -1, 0, 5, 5, capacity, -capacity - 1], np.int32)
    stored, scales = kv_cache.narrow(new, dtype)
    cells = np.full((capacity, heads, width), 77, stored.dtype)
    given = [new, words(cells), places]
    factors = np.full((capacity, heads, 1), 7.0, np.float32)
    if scales is not None:
        given.insert(2, factors)
    numbers = [width, tokens, heads, heads, 1, capacity, heads, 1, heads, 1]
    found = append(device, Append(dtype, "int64", 1, 1), given, numbers, heads)
    for place, row in zip(places, range(tokens), strict=True):
        if -capacity <= place < capacity:
            cells[place] = stored[row]
            if scales is not None:
                factors[place] = scales[row]
    np.testing.assert_array_equal(found[1].view(stored.dtype).reshape(cells.shape), cells)
    if scales is not None:
        np.testing.assert_allclose(found[2], factors, rtol=2e-7)


@pytest.mark.parametrize("device", DEVICES)
def test_a_row_with_a_nan_has_it_as_its_scale(device: str) -> None:
    new = np.random.default_rng(0).standard_normal((1, 3, 40)).astype(np.float32)
    new[0, 0, 33], new[0, 1, 0] = np.nan, np.inf
    arrays = [new, np.zeros(11 * 3 * 10, np.uint32), np.ones((11, 3, 1), np.float32),
              np.zeros(1, np.int32)]  # fmt: skip
    numbers = [40, 1, 3, 3, 1, 11, 3, 1, 3, 1]
    found = append(device, Append("int8", "int64", 1, 1), arrays, numbers, 3)[2]
    np.testing.assert_array_equal(np.isnan(found[0, :, 0]), [True, True, False])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [18, 24])  # heads of 18 halves begin inside of words
def test_attention_reads_halves_with_infinities(device: str, size: int) -> None:
    heads, keys = 2, 70
    chance = np.random.default_rng(0)
    q = chance.standard_normal((1, 1, heads, size)).astype(np.float32)
    k = (0.1 * chance.standard_normal((1, keys, heads, size))).astype(np.float16)
    v = chance.standard_normal((1, keys, heads, size)).astype(np.float16)
    k[0, 3, 1, 2], v[0, 5, 0, 1] = 2.0**-20, np.inf
    line = heads * size
    strides = [line, size, line, keys * line, size, line, keys * line, size, line, line, size, line,
               *[0] * 6]  # fmt: skip
    facts = load_target(device).gpu
    assert facts is not None
    arrays = [q, words(k), words(v), np.zeros_like(q)]
    call = Call(
        Attention(0.5, "none", False, "float16", "float16"), (heads, 1, 1, keys, size, size,
        *strides), 2, tuple(a.size for a in arrays), facts,
    )  # fmt: skip
    made = attention_for(call)
    assert isinstance(made, GpuAttention)
    found = launch(device, made, arrays)[3]
    scores = np.einsum("bthd,bchd->bhtc", q, k.astype(np.float64)) * 0.5
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    wanted = np.einsum("bhtc,bchd->bthd", weights, v.astype(np.float64))
    assert np.isposinf(found[0, 0, 0, 1])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


Opened = Callable[..., Session]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """`opened(target, kind, form)`: a decoder, compiled once."""
    made: dict[tuple[str, ...], Session] = {}
    root = tmp_path_factory.mktemp("caches")

    def get(target: str, kind: str, form: str = "copy", **options: Any) -> Session:
        key = (target, kind, form)
        if key not in made:
            module = Decoder(form, **options).eval()
            artifact = edgemoe.compile(
                (module, module.example()), target=target, out=root / "-".join(key), tokens=(1, 7),
                kv_cache=kind, cpu="native" if target == "cpu" else "all",
            )  # fmt: skip
            made[key] = edgemoe.load(artifact.path, check=True)
        made[key].reset()
        return made[key]

    return get


def distance(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)))


CASES = [
    *(("opencl", k, "copy") for k in KINDS), ("opencl", "bf16", "put"), ("opencl", "i8", "window"),
    ("webgpu", "i8", "copy"), ("webgpu", "f16", "put"),
]  # fmt: skip


@pytest.mark.needs("device:opencl", "device:webgpu")
@pytest.mark.parametrize(("device", "kind", "form"), CASES)
def test_decoders_agree_with_the_cpu(opened: Opened, device: str, kind: str, form: str) -> None:
    """At several positions of a cache whose keys work-groups share; held and given states."""
    options = {"size": 32, "capacity": 1100} if form == "copy" else {}
    here, there = (opened(target, kind, form, **options) for target in ("cpu", device))
    item = {"bf16": 2, "f16": 2, "i8": 1 + 4 / options.get("size", 16)}[kind]
    caches = 2 * 2 * options.get("capacity", 40) * options.get("size", 16) * item
    assert caches <= there.state_bytes <= (2 if form == "window" else 1) * caches + 64
    x = np.random.default_rng(0).standard_normal((23, 64)).astype(np.float32)
    for part in np.split(x, [1, 8, 9, 16]):
        assert distance(there.run({"x": part})["y"], here.run({"x": part})["y"]) < ERRORS[kind]
    states = {spec.name: spec for spec in here.inputs if spec.state_output is not None}
    chance = np.random.default_rng(1)
    feed = {"x": x[:1], "position": np.array([options.get("capacity", 40) - 2], np.int64)}
    for name in "kv":
        full = chance.standard_normal(states[name].shape).astype(np.float32)
        feed[name], scales = kv_cache.narrow(full, kv_cache.DTYPES[kind])
        if scales is not None:
            feed[f"{name}.scales"] = scales
    wanted, found = here.run(feed), there.run(feed)
    assert distance(found["y"], wanted["y"]) < ERRORS[kind]
    for name in states:
        output = states[name].state_output
        assert output is not None and found[output].dtype == wanted[output].dtype
        same = found[output] == wanted[output]
        assert same.mean() > 0.97, name  # all but a code of the new row
    if kind == "i8":
        with pytest.raises(InputError, match=r"'k' and 'k\.scales' are one cache: give both"):
            there.run({"x": x[:1], "k": feed["k"]})


@pytest.mark.needs("device:opencl")
def test_work_groups_share_long_caches(opened: Opened) -> None:
    session = opened("opencl", "i8", "copy", size=32, capacity=1100)
    plan = (Path(session.path) / "plan.json").read_text("utf-8")
    assert '"attention_join_0"' in plan


@pytest.mark.parametrize("device", DEVICES)
def test_float32_at_every_position_of_a_long_cache(opened: Opened, device: str) -> None:
    """Of a full cache, so that a key too many or too few would show."""
    options = {"size": 32, "capacity": 1100}
    here, there = (opened(target, "f32", "copy", **options) for target in ("cpu", device))
    shape = next(spec.shape for spec in here.inputs if spec.name == "k")
    chance = np.random.default_rng(0)
    caches = {name: chance.standard_normal(shape).astype(np.float32) for name in "kv"}
    for position in (0, 1, 63, 64, 365, 366, 733, 1098):
        x = chance.standard_normal((1, 64)).astype(np.float32)
        feed = {"x": x, "position": np.array([position], np.int64), **caches}
        found, wanted = there.run(feed)["y"], here.run(feed)["y"]
        np.testing.assert_allclose(found, wanted, atol=1e-5, err_msg=str(position))


def test_rows_that_are_no_words_are_refused(tmp_path: Path) -> None:
    module = Decoder("copy", size=6).eval()
    with pytest.raises(OptionError, match=r"cache k is stored as int8 in rows of 6 bytes; .*words"):
        edgemoe.compile(
            (module, module.example()), target="opencl", out=tmp_path / "m", tokens=(1,),
            kv_cache="i8",
        )  # fmt: skip
