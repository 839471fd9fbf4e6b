"""KV caches in 16 bits and int8: as onnxruntime rounds them, little memory, clear refusals."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import edgemoe
from edgemoe import kv_cache
from edgemoe.buckets import plan_buckets
from edgemoe.errors import InputError, OptionError, StrictError
from edgemoe.frontend import load_model
from edgemoe.narrow_caches import narrow_caches
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes
from edgemoe.runtime.generate import Vocabulary, generate
from edgemoe.runtime.selftest import read_cases, run_cases

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.needs("cc")

from tests.compile.caches import Decoder  # noqa: E402

KINDS = ("bf16", "f16", "i8")
ROUNDING = {"bf16": 2.0**-8, "f16": 2.0**-11, "i8": 2.0**-6}
OPTIONS = {"copy": {"size": 32, "capacity": 1000}, "scatter": {"size": 80, "window": 9}}
BETWEEN = {"bf16": 2e-4, "f16": 5e-5, "i8": 1e-3}
"""Relative RMS error beside onnxruntime: a code or two that fell to the other side of a border."""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """`compiled(kind, form)` -> (source, artifact, session)."""
    made = {}

    def get(kind, form, tokens=(1, 7)):
        key = (kind, form)
        if key not in made:
            module = Decoder(form, **OPTIONS.get(form, {})).eval()
            source = load_model((module, module.example()), dynamic=True)
            out = tmp_path_factory.mktemp("cache") / "decoder"
            made[key] = (
                source,
                edgemoe.compile(source, out=out, tokens=tokens, cpu="native", kv_cache=kind),
            )
        source, artifact = made[key]
        return source, artifact, edgemoe.load(artifact.path, check=True)

    return get


def inputs(count, seed=0):
    return {"x": np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32)}


def oracle(source, kind, count, feed):
    """What onnxruntime makes of the rewritten graph; `feed` has float32 caches."""
    graph = plan_buckets(source.model, [count], {}).bind(count)
    run_passes(graph)
    narrowed = narrow_caches([graph], source.states, kind, "decoder")
    (y,) = run_in_onnxruntime(graph, narrowed.feed(feed), ["y"])
    return y, narrowed


@pytest.mark.parametrize(
    ("kind", "form"),
    [*((kind, "copy") for kind in KINDS), ("bf16", "put"), ("i8", "scatter"), ("i8", "window")],
)
def test_every_way_to_add_rows(compiled, rms, kind, form):
    source, artifact, session = compiled(kind, form)
    assert not any(step.kernel.startswith("scatter") for v in artifact.plan.variants
                   for step in v.steps)  # fmt: skip
    busy = np.random.default_rng(5).standard_normal((2, *source.examples["k"].shape))
    for count in (1, 7):
        feed = {**inputs(count), "position": np.array([11], np.int64)}
        feed |= dict(zip("kv", busy.astype(np.float32), strict=True))
        wanted, narrowed = oracle(source, kind, count, feed)
        got = session.run(narrowed.feed(feed))
        assert rms(got["y"], wanted) < BETWEEN[kind]
        exact = run_in_onnxruntime(plan_buckets(source.model, [count], {}).bind(count), feed, ["y"])
        assert BETWEEN["f16"] < rms(got["y"], exact[0]) < ROUNDING[kind]
        for name, given in narrowed.feed(feed).items():
            if name in "kv" and form != "window":  # rows that are not written keep their bits
                kept = got[f"{name}_out"] == given
                assert kept[:, :, :11].all() and kept[:, :, 11 + count :].all()


@pytest.mark.parametrize(("kind", "form"), [("bf16", "copy"), ("i8", "copy"), ("i8", "window")])
def test_one_call_or_many(compiled, rms, kind, form):
    _, _, session = compiled(kind, form)
    whole = inputs(23)["x"]
    session.reset()
    wanted = session.run({"x": whole})["y"]
    session.reset()
    parts = [session.run({"x": part})["y"] for part in np.split(whole, [1, 8, 9, 16])]
    assert rms(np.concatenate(parts), wanted) < BETWEEN[kind]


def test_no_float32_copy_of_the_cache_is_made(compiled):
    for kind in KINDS:
        _, artifact, session = compiled(kind, "copy")
        assert max(v.arena_bytes for v in artifact.plan.variants) < 1000 * 2 * 32
        item = {"bf16": 2, "f16": 2, "i8": 1 + 4 / 32}[kind]
        caches = 2 * 2 * 1000 * 32 * item
        assert caches <= session.state_bytes <= caches + 64
        assert set(artifact.plan.facts["in_place_states"]) >= {"k", "v"}


@pytest.mark.parametrize("kind", KINDS)
def test_states_that_are_given(compiled, kind):
    _, artifact, session = compiled(kind, "copy")
    dtype = kv_cache.DTYPES[kind]
    assert {x.dtype for x in session.inputs if x.name in "kv"} == {dtype}
    zeros = np.zeros(session.inputs[2].shape, np.float32)
    with pytest.raises(InputError, match=rf"state 'k' is float32 .*expected k: {dtype} .*'k_out'"):
        session.run({**inputs(1), "k": zeros})
    session.reset()
    held = [session.run(inputs(1, seed))["y"] for seed in range(3)]
    states = {x.name: x.state_output for x in session.inputs if x.state_output is not None}
    given = {x.name: np.zeros(x.shape, {"bfloat16": "uint16"}.get(x.dtype, x.dtype))
             for x in session.inputs if x.name in states}  # fmt: skip
    for seed, wanted in enumerate(held):
        out = session.run({**inputs(1, seed), **given})
        given = {name: out[output] for name, output in states.items()}
        np.testing.assert_array_equal(out["y"], wanted)
    if kind == "i8":
        with pytest.raises(InputError, match=r"'k' and 'k\.scales' are one cache: give both, or"):
            session.run({**inputs(1), "k": given["k"]})
    session.reset()
    np.testing.assert_array_equal(session.run(inputs(1, 0))["y"], held[0])
    assert all(case.passed for case in run_cases(edgemoe.load(artifact.path)))


def test_a_cache_that_others_read_stays_float32_and_says_so(tmp_path):
    module = Decoder("put", reads="mean").eval()
    source = load_model((module, module.example()), dynamic=True)
    options = {"out": tmp_path / "m", "tokens": [1], "cpu": "native", "kv_cache": "i8"}
    artifact = edgemoe.compile(source, **options)
    dtypes = {x.name: x.dtype for x in artifact.plan.inputs}
    assert (dtypes["k"], dtypes["v"], dtypes["k.scales"]) == ("int8", "float32", "float32")
    reasons = [d.reason for d in artifact.plan.decisions if d.subject == "kv cache"]
    assert any("v stays float32" in r and "(ReduceMean) reads it" in r for r in reasons), reasons
    assert edgemoe.load(artifact.path, check=True).state_bytes >= 2 * 40 * 16 * (1 + 4) + 2 * 40 * 4
    with pytest.raises(StrictError, match="v stays float32"):
        edgemoe.compile(source, **{**options, "out": tmp_path / "n"}, strict=True)


def test_refusals(tmp_path):
    module = Decoder("sum").eval()
    source = load_model((module, module.example()), dynamic=True)
    options = {"out": tmp_path / "m", "tokens": [1], "cpu": "native"}
    with pytest.raises(OptionError, match=r"--kv-cache bf16: no state .*\n  k: no rows are added"):
        edgemoe.compile(source, **options, kv_cache="bf16")
    with pytest.raises(OptionError, match="--kv-cache i4: caches are stored as f32, bf16, f16, i8"):
        edgemoe.compile(source, **options, kv_cache="i4")
    with pytest.raises(OptionError, match=r"i8 with --max-loss: .*by running the artifact"):
        edgemoe.compile(
            source, out=tmp_path / "m", target="aarch64", kv_cache="i8", max_loss=0.01,
            calibration={"x": np.zeros((2, 1, 64), np.float32)},
        )  # fmt: skip
    linear = torch.nn.Linear(3, 3)
    with pytest.raises(OptionError, match="keeps no float32 state between calls"):
        edgemoe.compile((linear, (torch.zeros(2, 3),)), out=tmp_path / "m", kv_cache="f16")
    assert not (tmp_path / "m").exists()


@pytest.fixture(scope="module")
def char_moe(tmp_path_factory):
    """{kind: session} of the shipped language model."""
    source = load_model("edgemoe.models.moe_lm:char_moe", dynamic=True)
    folder = tmp_path_factory.mktemp("char_moe")
    return {
        kind: edgemoe.compile(
            source, out=folder / kind, tokens=[1, 64], cpu="native", kv_cache=kind
        ).load(check=True)
        for kind in ("f32", "bf16", "i8")
    }


def cross_entropy(session, text):
    tokens = np.array(Vocabulary(session.manifest.data["vocabulary"]["tokens"]).encode(text))
    session.reset()
    logits = session.run({"tokens": tokens})["logits"][:-1].astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    following = np.take_along_axis(logits, tokens[1:, None], -1)[:, 0]
    return float(np.mean(np.log(np.exp(logits).sum(-1)) - following))


def test_a_language_model_hardly_changes(char_moe):
    import edgemoe.models

    text = (Path(edgemoe.models.__file__).parent / "data" / "sonnet18.txt").read_text("utf-8")
    losses = {kind: cross_entropy(session, text[:256]) for kind, session in char_moe.items()}
    assert 0 < abs(losses["bf16"] / losses["f32"] - 1) < 1e-3, losses
    assert 0 < abs(losses["i8"] / losses["f32"] - 1) < 5e-3, losses


def test_the_states_of_a_language_model(char_moe):
    nbytes = {kind: session.state_bytes for kind, session in char_moe.items()}
    position = 64
    full = nbytes["f32"] - position
    assert abs(nbytes["bf16"] / full - 1 / 2) < 1e-3
    assert abs(nbytes["i8"] / full - (1 / 4 + 1 / 32)) < 1e-3  # a float32 for 32 codes


def test_generation(char_moe):
    for kind, session in char_moe.items():
        one, two = ("".join(generate(session, "Shall I ", max_tokens=20)) for _ in range(2))
        assert one == two and len(one) == 20, kind


@pytest.mark.needs("gcc")
def test_the_c_program(compiled, tmp_path):
    """States of every dtype start at zeros in C too."""
    _, artifact, session = compiled("i8", "copy")
    source = artifact.path / "src"
    objects = sorted(str(path) for path in (source / "kernels").glob("*.o"))
    files = sorted(path.name for path in source.glob("*.c"))
    command = ["gcc", "-std=c11", "-O1", "-pthread", "-o", str(tmp_path / "example")]
    subprocess.run([*command, *files, *objects, "-lm"], cwd=source, check=True)
    done = subprocess.run([tmp_path / "example", artifact.path], check=True, capture_output=True)
    line = next(x for x in done.stdout.decode().splitlines() if x.startswith("y:"))
    session.reset()
    wanted = session.run(read_cases(artifact.path)[0].inputs)["y"].reshape(-1)
    printed = [float(x) for x in line.split(":")[1].split()]
    np.testing.assert_allclose(printed, wanted[: len(printed)], rtol=1e-6)
