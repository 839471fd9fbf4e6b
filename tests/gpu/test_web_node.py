"""model.js outside of a browser, on Dawn for Node, against the session of wgpu."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

RUNNER = Path(__file__).parent / "run_model.mjs"
MODULES = Path(os.environ.get("EDGEMOE_NODE_MODULES", "build/node")).absolute()
SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")

pytestmark = pytest.mark.needs("node")


@cache
def registry_answers() -> bool:
    """Tell whether npm could have installed the package."""
    command = ["npm", "ping", "--fetch-retries=0", "--fetch-timeout=10000"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@pytest.fixture
def js(request, gpu_artifact, tmp_path):
    """`js("mixer", ["run", {...}], ...)` runs jobs on a toy and returns their results."""
    if not (MODULES / "node_modules" / "webgpu").is_dir():
        missing = "needs the npm package webgpu (.ci/install-tools), which is not installed"
        if request.config.getoption("--no-tool-skips") and registry_answers():
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    # Dawn refuses old versions of lavapipe; the one of the browser comes with it.
    software = {"VK_DRIVER_FILES": str(SWIFTSHADER), "VK_ICD_FILENAMES": str(SWIFTSHADER)}
    environment = os.environ | {"EDGEMOE_NODE_MODULES": str(MODULES)}
    if SWIFTSHADER.is_file() and "EDGEMOE_NODE_GPU" not in os.environ:
        environment |= software

    def run(name, *jobs, folder=None, quiet=True, **options):
        folder = folder or gpu_artifact(name, "webgpu", **options).path
        (tmp_path / "jobs.json").write_text(json.dumps(jobs))
        done = subprocess.run(
            ["node", RUNNER, folder, tmp_path / "jobs.json"], capture_output=True, text=True,
            check=False, env=environment, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not quiet or "validation" not in done.stderr, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def listed(array):
    return array.reshape(-1).tolist()


def test_padded_and_split_tokens(js, gpu_toys):
    w, b = gpu_toys.mixer("wgsl").weights
    generator = np.random.default_rng(0)
    for dispatch, counts in (("pad", (1, 2, 4, 5)), ("split", (2, 7, 12))):
        batches = [generator.standard_normal((3, n, 6)).astype(np.float32) for n in counts]
        jobs = [["run", {"x": listed(x)}] for x in batches]
        refused = ["run", {"x": [0] * (3 * 6 * 11)}]
        *got, failed = js("mixer", *jobs, refused, dispatch=dispatch, rows=3)
        for x, result in zip(batches, got, strict=True):
            assert np.allclose(result["y"], listed(x * w + b), rtol=1e-6, atol=1e-6)
        assert failed["kind"] == "input"
        assert "runs 11 tokens: it was compiled for 2, 5 tokens" in failed["error"]


@pytest.mark.parametrize("in_place", [False, True])
def test_states(js, in_place):
    one, state = {"x": [1] * 6}, {"sum": [100] * 6}
    got = js(
        "running",
        ["run", {"x": [1] * 30}],
        ["run", one | state],
        ["run", {"x": [1] * 12} | state],
        ["run", one, {"states": ["next"]}],
        ["together", [one, {"x": [1] * 18}, one]],
        ["reset"],
        ["run", one],
        in_place=in_place,
    )
    assert got[0] == {"y": [float(n) for n in range(1, 6) for _ in range(6)]}
    assert got[1] == {"y": [101] * 6, "next": [101] * 6}
    assert got[2]["next"] == [102] * 6
    assert got[3] == {"y": [6] * 6, "next": [6] * 6}
    assert [result["y"][-1] for result in got[4]] == [7, 10, 11]
    assert got[6] == {"y": [1] * 6}


def test_dtypes(js):
    values = np.array([0.5, -1.5, 1e-3, 65519, 3], np.float32)
    whole = [0, -5, 7, 100, -2]
    inputs = {f"in_{n}": listed(values) for n in ("float32", "float64", "float16", "bfloat16")}
    inputs |= {f"in_{n}": whole for n in ("int8", "uint8", "int16", "int32", "int64")}
    inputs["in_bool"] = [1, 0, 1, 0, 1]
    got, refused = js("dtypes", ["run", inputs], ["run", inputs | {"in_int64": [2**31] * 5}])
    assert got["out_float32"] == listed(values + np.float32(1))
    assert got["out_int64"] == [n + 1 for n in whole]
    assert got["out_bool"] == [0, 1, 0, 1, 0]
    assert "holds 2147483648" in refused["error"]
    assert got["out_float16"] == got["out_bfloat16"] == listed(values + np.float32(1))
    assert got["out_int8"] == got["out_uint8"] == [n + 1 for n in whole]


def test_halves_as_numpy_has_them(js, tmp_path):
    """The conversions of the module, on numbers of every kind and on ties."""
    js("mixer")  # skips where there is no Node
    generator = np.random.default_rng(0)
    bits = np.concatenate([
        generator.integers(0, 1 << 32, 2000, dtype=np.uint32),
        ((generator.integers(90, 145, 2000) << 23) + generator.integers(0, 1 << 23, 2000)).astype(
            np.uint32
        ),
        np.array([0x38800FFF, 0x38801000, 0x38803000, 0x477FEFFF, 0x477FF000, 0x33000000,
                  0x33000001, 0x7F800000, 0xFF800000, 0x80000000], np.uint32),
    ])  # fmt: skip
    values = bits.view(np.float32)
    values = values[~np.isnan(values)]
    source = Path(__file__).parents[2] / "targets" / "gpu" / "web" / "model_arrays.js"
    shutil.copy(source, tmp_path / "arrays.mjs")
    (tmp_path / "bits.json").write_text(json.dumps(values.view(np.uint32).tolist()))
    (tmp_path / "go.mjs").write_text(
        "import { readFileSync } from 'node:fs';\n"
        "import { floatOfHalf, halfOfFloat } from './arrays.mjs';\n"
        "const bits = JSON.parse(readFileSync(new URL('bits.json', import.meta.url)));\n"
        "const floats = new Float32Array(Uint32Array.from(bits).buffer);\n"
        "const halves = Array.from(floats, halfOfFloat);\n"
        "console.log(JSON.stringify([halves, halves.map(floatOfHalf).map(String)]));\n"
    )
    done = subprocess.run(["node", tmp_path / "go.mjs"], capture_output=True, text=True, check=True)
    halves, back = json.loads(done.stdout)
    with np.errstate(over="ignore"):
        wanted = values.astype(np.float16)
    assert halves == wanted.view(np.uint16).tolist()
    assert [float(x.replace("Infinity", "inf")) for x in back] == wanted.astype(float).tolist()


def test_expert_use_and_step_times(js):
    x = np.zeros((6, 6))
    x[np.arange(6), [0, 1, 1, 3, 3, 3]] = 1
    _, use, times, more, none = js(
        "routed", ["run", {"x": listed(x)}, {"experts": True}], ["expertUse"],
        ["stepTimes", {"x": listed(x)}], ["expertUse"], ["resetExpertUse"],
    )  # fmt: skip
    assert use == [
        {"name": "moe_0", "origin": "model.experts", "experts": 4, "tokens": 6,
         "counts": [1, 2, 0, 3]}
    ]  # fmt: skip
    assert [(t["variant"], t["step"]) for t in times] == [(1, 0), (1, 1)] + [(0, 0), (0, 1)] * 2
    assert all(t["nanoseconds"] >= 0 for t in times)
    assert more == use
    assert none is None


def test_generate(js):
    got, again, sampled, same, refused = js(
        "language", ["generate", "abc", {"maxTokens": 9}], ["generate", "abc", {"maxTokens": 9}],
        ["generate", "abc", {"maxTokens": 30, "temperature": 2, "seed": 5}],
        ["generate", "abc", {"maxTokens": 30, "temperature": 2, "seed": 5}],
        ["generate", "abx"],
    )  # fmt: skip
    numbers = [0, 1, 2]
    while len(numbers) < 12:  # the next letter is a sum of the last one and its place
        numbers.append((numbers[-1] + len(numbers)) % 7)
    assert got == again == "".join("abcdefg"[n] for n in numbers[3:])
    assert sampled == same
    assert 'character "x" at place 2' in refused["error"]


def test_one_token_at_a_time(js):
    """Inputs of one word: what is written must not be longer than the buffer."""
    (got,) = js("language", ["generate", "abc", {"maxTokens": 5}], buckets=(1,))
    assert got == "fcagg"
    outputs = js("running", ["run", {"x": [1] * 18}], ["run", {"x": [1] * 6}], buckets=(1,))
    assert [output["y"][-1] for output in outputs] == [3, 4]


def test_what_the_device_refuses_is_no_result(js, gpu_artifact, tmp_path):
    """A plan whose range begins where the device allows none: an error, not zeros."""
    folder = shutil.copytree(gpu_artifact("chain", "webgpu").path, tmp_path / "refused")
    plan = json.loads((folder / "plan.json").read_text())
    for variant in plan["variants"]:
        for buffer in variant["buffers"]:
            if buffer["name"] == "b":
                buffer["offset"] = 132
    (folder / "plan.json").write_text(json.dumps(plan))
    data = (folder / "plan.json").read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    sha256 = hashlib.sha256(data).hexdigest()
    manifest["files"]["plan.json"] = {"bytes": len(data), "sha256": sha256}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (got,) = js("chain", ["run", {"x": [1] * 33}], folder=folder, quiet=False)
    assert got["kind"] == "device"
    assert "refuses a run of 'toy-chain'" in got["error"]


def test_more_work_groups_than_a_dimension_has(js):
    (got,) = js("many_groups", ["run", {"x": list(range(70_000))}])
    assert got["y"] == [2.0 * n for n in range(70_000)]


def test_kernels_are_compiled_once(js):
    none, missing, first, second = js("mixer", ["whyNot"], ["whyNot", "none"], ["load"], ["reload"])
    assert none is None
    assert missing.startswith("this browser has no WebGPU; take a current")
    assert first["device"]
    assert set(second) == {"milliseconds"}


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (lambda d: (d / "weights.bin").write_bytes(b"1"), "artifact", "has 1 bytes, the manifest"),
        (lambda d: (d / "manifest.json").write_text("{"), "artifact", "manifest.json cannot be"),
        (lambda d: edit(d / "manifest.json", family="cpu"), "artifact", "is for cpu"),
        (lambda d: edit(d / "manifest.json", format=99), "artifact", "format 99"),
        (lambda d: flip(d / "plan.json"), "artifact", "'plan.json' was edited"),
        (lambda d: need(d / "manifest.json", threads=1 << 20), "device", "1048576 threads of a"),
        (lambda d: need(d / "manifest.json", storage_buffers=999), "device", "999 buffers of one"),
    ],
)
def test_what_is_refused(js, gpu_artifact, tmp_path, damage, kind, message):
    folder = shutil.copytree(gpu_artifact("mixer", "webgpu").path, tmp_path / "damaged")
    damage(folder)
    (got,) = js("mixer", ["load"], folder=folder)
    assert got["kind"] == kind
    assert message in got["error"]


def edit(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def need(path, **entries):
    manifest = json.loads(path.read_text())
    manifest["gpu"] |= entries
    path.write_text(json.dumps(manifest))


def flip(path):
    path.write_text(path.read_text().replace("scale", "scalf", 1))


def test_inputs_that_do_not_fit(js):
    stranger, short, missing, kind = js(
        "mixer", ["run", {"z": [1]}], ["run", {"x": [1] * 7}], ["run", {}], ["run", {"x": 3}]
    )
    assert stranger["error"] == "the model has no input 'z'; its inputs are x"
    assert "has 7 values, expected [1, n, 6]" in short["error"]
    assert "input 'x' is missing" in missing["error"]
    assert {r["kind"] for r in (stranger, short, missing, kind)} == {"input"}


@pytest.mark.needs("device:webgpu")
@pytest.mark.parametrize("kind", ["bf16", "i8"])
def test_narrow_caches(js, tmp_path, kind):
    """Held ones, and given ones: numbers of 16 bits as floats, codes of int8 as integers."""
    pytest.importorskip("torch")
    import edgemoe
    from tests.compile.caches import Decoder

    module = Decoder("put").eval()
    artifact = edgemoe.compile(
        (module, module.example()), target="webgpu", out=tmp_path / "m", tokens=(1, 7),
        kv_cache=kind,
    )  # fmt: skip
    x = np.random.default_rng(0).standard_normal((9, 64)).astype(np.float32)
    with edgemoe.load(artifact.path) as session:
        wanted = [session.run({"x": part})["y"] for part in (x[:8], x[8:])]
        shape = next(spec.shape for spec in session.inputs if spec.name == "k")
        codes = np.resize(np.arange(-3, 4), shape)
        dtype = {"bf16": np.uint16, "i8": np.int8}[kind]
        stored = {"bf16": (codes.astype(np.float32).view(np.uint32) >> 16), "i8": codes}[kind]
        given = {"k": stored.astype(dtype), "v": stored.astype(dtype)}
        more = {}
        if kind == "i8":
            more = {f"{n}.scales": np.full((*shape[:-1], 1), 0.5, np.float32) for n in "kv"}
        given |= {"position": np.array([20], np.int64)} | more
        full = session.run({"x": x[:1], **given})
    plain = {"k": listed(codes), "v": listed(codes), "position": [20]}
    plain |= {name: listed(array) for name, array in more.items()}
    first, second, third = js(
        "", ["run", {"x": listed(x[:8])}], ["run", {"x": listed(x[8:])}],
        ["run", {"x": listed(x[:1])} | plain], folder=artifact.path,
    )  # fmt: skip
    for found, y in ((first, wanted[0]), (second, wanted[1]), (third, full["y"])):
        assert np.allclose(found["y"], listed(y), atol=2e-3 * np.abs(y).max())
    kept = np.reshape(third["k_out"], shape)
    np.testing.assert_array_equal(kept[:, :, :20], codes[:, :, :20])
    np.testing.assert_array_equal(kept[:, :, 21:], codes[:, :, 21:])
    assert (kept[:, :, 20] != codes[:, :, 20]).any()
