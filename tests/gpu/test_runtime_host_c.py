"""The C host program of OpenCL artifacts, called through its C interface, against the session."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from ctypes import POINTER, byref, c_char_p, c_int32, c_size_t, c_void_p

import numpy as np
import pytest

from edgemoe.runtime.frame import numpy_dtype
from edgemoe.runtime.library import DTYPES, Tensor
from edgemoe.runtime.manifest import read_manifest

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c99")
OK, ARGUMENT, FILE, FORMAT, DEVICE, INPUT, OUTPUT, TOKENS = 0, 1, 2, 3, 4, 6, 7, 8

pytestmark = pytest.mark.needs("gcc")


class Options(ctypes.Structure):
    _fields_ = (("device", c_int32), ("verify", c_int32), ("cache", c_char_p))


class Host:
    """`src/model_opencl.c` of an artifact as a library, opened once."""

    def __init__(self, folder, out, *, data=None, **options):
        self.manifest = read_manifest(folder)
        library = out / "host.so"
        kernels = folder / "kernels.so"  # of the CPU, in a hybrid artifact
        if not library.exists():
            compiled = [
                "gcc", *WARNINGS, "-O1", "-shared", "-fPIC", "-o", str(library),
                str(folder / "src" / "model_opencl.c"), "-lOpenCL",
            ]  # fmt: skip
            compiled += [str(kernels), f"-Wl,-rpath,{folder}"] if kernels.exists() else []
            subprocess.run(compiled, check=True)
        self.lib = ctypes.CDLL(str(library), os.RTLD_LOCAL | os.RTLD_NOW)
        self.lib.em_last_error.restype = c_char_p
        self.lib.em_device_name.restype = c_char_p
        for name in ("em_state_bytes", "em_arena_bytes"):
            getattr(self.lib, name).restype = c_size_t
            getattr(self.lib, name).argtypes = (c_void_p,)
        for name in ("em_close", "em_state_reset", "em_device_name", "em_kernels_built"):
            getattr(self.lib, name).argtypes = (c_void_p,)
        self.lib.em_run.argtypes = (c_void_p, POINTER(Tensor), c_int32, POINTER(Tensor), c_int32)
        if kernels.exists():
            self.lib.em_set_threads.argtypes = (c_void_p, c_int32)
            self.lib.em_threads.argtypes = (c_void_p,)
        self.model = c_void_p()
        given = Options(**{"device": 0, "verify": 1, **options})
        where = str(data or folder).encode()
        self.status = self.lib.em_open(where, byref(given), byref(self.model))

    @property
    def error(self):
        return self.lib.em_last_error().decode()

    def run(self, inputs, want=None):
        """Return (status, outputs); `want` names outputs of states to read as well."""
        tokens = 1
        tensors = (Tensor * len(self.manifest.inputs))()
        kept = []
        for tensor, spec in zip(tensors, self.manifest.inputs, strict=True):
            array = inputs.get(spec.name)
            shape = spec.shape if array is None else array.shape
            if array is not None and spec.token_axis is not None:
                tokens = shape[spec.token_axis]
            kept.append(None if array is None else np.ascontiguousarray(array))
            dtype = DTYPES.index(spec.dtype)
            if array is not None and numpy_dtype(spec.dtype) != array.dtype:
                dtype = DTYPES.index(str(array.dtype))
            self._fill(tensor, dtype, shape, kept[-1])
        states = {s.state_output for s in self.manifest.inputs if inputs.get(s.name) is None}
        outputs = (Tensor * len(self.manifest.outputs))()
        results = {}
        for tensor, spec in zip(outputs, self.manifest.outputs, strict=True):
            shape = tuple(tokens if extent < 0 else extent for extent in spec.shape)
            held = spec.name in states and spec.name not in (want or ())
            room = None if held else np.zeros(shape, numpy_dtype(spec.dtype))
            if room is not None:
                results[spec.name] = room
            self._fill(tensor, DTYPES.index(spec.dtype), shape, room)
        status = self.lib.em_run(self.model, tensors, len(tensors), outputs, len(outputs))
        return status, results

    @staticmethod
    def _fill(tensor, dtype, shape, array):
        tensor.dtype, tensor.rank = dtype, len(shape)
        for axis, extent in enumerate(shape):
            tensor.shape[axis] = extent
        tensor.data = None if array is None else array.ctypes.data

    def close(self):
        self.lib.em_close(self.model)
        self.model = c_void_p()


@pytest.fixture
def host(gpu_artifact, opencl, tmp_path):
    """`host("mixer", dispatch="pad")` is an opened host program of a toy."""
    opened = []

    def make(name, **options):
        out = tmp_path / str(len(opened))
        out.mkdir()
        opened.append(Host(gpu_artifact(name, opencl, **options).path, out))
        assert opened[-1].status == OK, opened[-1].error
        return opened[-1]

    yield make
    for item in opened:
        item.close()


def batch(n, rows=1):
    return np.random.default_rng(n).standard_normal((rows, n, 6)).astype(np.float32)


def same_bits(got, wanted):
    return got.dtype == wanted.dtype and got.tobytes() == wanted.tobytes()


@pytest.mark.parametrize(("dispatch", "counts"), [("pad", (1, 2, 3, 5)), ("split", (2, 7, 9, 10))])
def test_tokens(host, opened, dispatch, counts):
    c = host("mixer", dispatch=dispatch, rows=3)
    session = opened("mixer", "opencl", dispatch=dispatch, rows=3)
    for n in counts:
        status, got = c.run({"x": batch(n, 3)})
        assert status == OK, c.error
        assert same_bits(got["y"], session.run({"x": batch(n, 3)})["y"])
    status, _ = c.run({"x": batch(11, 3)} if dispatch == "split" else {"x": batch(6, 3)})
    assert status == TOKENS
    with pytest.raises(Exception, match="no variant") as caught:
        session.run({"x": batch(11, 3)} if dispatch == "split" else {"x": batch(6, 3)})
    assert c.error == str(caught.value)


@pytest.mark.parametrize("in_place", [False, True])
def test_states(host, opened, in_place):
    c, session = host("running", in_place=in_place), opened("running", "opencl", in_place=in_place)
    assert c.lib.em_state_bytes(c.model) == session.state_bytes
    state = np.full(6, 100, np.float32)
    for n, more in ((5, {}), (1, {"sum": state}), (4, {}), (3, {"sum": state}), (2, {})):
        inputs = {"x": np.ones((n, 6), np.float32), **more}
        status, got = c.run(inputs)
        wanted = session.run(inputs)
        assert status == OK, c.error
        assert list(got) == list(wanted)
        assert all(same_bits(got[name], wanted[name]) for name in wanted)
    _, got = c.run({"x": np.ones((1, 6), np.float32)}, want=["next"])
    assert got["next"][0] == 12
    c.lib.em_state_reset(c.model)
    _, got = c.run({"x": np.ones((1, 6), np.float32)})
    assert got["y"][0, 0] == 1


def test_every_dtype(host, opened):
    c, session = host("dtypes"), opened("dtypes", "opencl")
    generator = np.random.default_rng(0)
    for scale in (1e-6, 1.0, 1e4):
        values = (generator.standard_normal(5) * scale).astype(np.float32)
        whole = generator.integers(-100, 100, 5)
        inputs = {
            "in_float32": values,
            "in_float64": values.astype(np.float64),
            "in_float16": values.astype(np.float16),
            "in_bfloat16": (values.view(np.uint32) >> 16).astype(np.uint16),
            "in_uint8": np.abs(whole).astype(np.uint8),
            "in_bool": whole > 0,
            **{f"in_{name}": whole.astype(name) for name in ("int8", "int16", "int32", "int64")},
        }
        status, got = c.run(inputs)
        assert status == OK, c.error
        for name, wanted in session.run(inputs).items():
            assert same_bits(got[name], wanted), name


def test_halves_as_numpy_has_them(host):
    """Halves survive the way to the device and back; sums round to nearest, ties to even."""
    c = host("dtypes")
    rest = {f"in_{n}": np.zeros(5, numpy_dtype(n)) for n in DTYPES if f"in_{n}" in names(c)}
    halves = np.concatenate([
        np.array([0, 1, 0x3FF, 0x400, 0x7BFF, 0x7C00, 0x8001, 0xFC00, 0x3C01, 0x1000], np.uint16),
        np.random.default_rng(0).integers(0, 0x7C00, 90).astype(np.uint16),
    ]).view(np.float16)  # fmt: skip
    for start in range(0, 100, 5):
        part = halves[start : start + 5]
        _, got = c.run(rest | {"in_float16": part})
        wanted = (part.astype(np.float32) + np.float32(1)).astype(np.float16)
        assert same_bits(got["out_float16"], wanted)


def names(host):
    return [spec.name for spec in host.manifest.inputs]


def test_what_is_refused(host):
    c = host("running")
    ones = np.ones((3, 6), np.float32)
    c.run({"x": ones})
    for inputs, status, message in (
        ({}, INPUT, "input 'x' has no data; only states may be left out"),
        ({"x": np.ones((3, 5), np.float32)}, INPUT, "is float32 [3, 5], expected float32 [n, 6]"),
        ({"x": np.ones((3, 6), np.int32)}, INPUT, "is int32 [3, 6], expected float32 [n, 6]"),
    ):
        assert c.run(inputs)[0] == status
        assert message in c.error
    tensor = (Tensor * 1)()
    assert c.lib.em_run(c.model, tensor, 1, tensor, 1) == INPUT
    assert "has 2 inputs, 1 were given" in c.error
    _, got = c.run({"x": ones[:1]})
    assert got["y"][0, 0] == 4  # the states are what they were


def test_integers_out_of_range(host):
    c = host("language")
    assert c.run({"tokens": np.array([1, 2, 2**31], np.int64)})[0] == INPUT
    assert "input 'tokens' holds 2147483648, outside of -2147483648 to 2147483647" in c.error
    _, got = c.run({"tokens": np.array([0], np.int64)}, want=["position_out"])
    assert got["position_out"].tolist() == [1]


def test_damaged_artifacts(gpu_artifact, opencl, tmp_path):
    folder = gpu_artifact("mixer", opencl).path

    def opened(damage):
        data = tmp_path / "data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(folder, data)
        damage(data)
        host = Host(folder, tmp_path, data=data)
        assert host.model.value is None
        return host.status, host.error

    weights = "weights.bin"
    edit = bytearray((folder / weights).read_bytes())
    edit[70] ^= 1
    other = bytearray((folder / weights).read_bytes())
    other[20] ^= 1
    kernel = next((folder / "kernels").iterdir()).name
    for damage, status, message in (
        (lambda d: (d / weights).unlink(), FILE, "cannot open"),
        (lambda d: (d / weights).write_bytes(edit[:200]), FORMAT, "cut off"),
        (lambda d: (d / weights).write_bytes(b"nothing"), FORMAT, "not a weight file"),
        (lambda d: (d / weights).write_bytes(edit), FORMAT, "is damaged: the checksum"),
        (lambda d: (d / weights).write_bytes(other), FORMAT, "belongs to another build"),
        (lambda d: (d / "kernels" / kernel).unlink(), FILE, f"cannot read {tmp_path}"),
        (lambda d: (d / "kernels" / kernel).write_text("no C"), DEVICE, "refuses kernel"),
    ):
        got, text = opened(damage)
        assert got == status
        assert message in text


def test_compiled_kernels_are_kept(gpu_artifact, opencl, tmp_path):
    folder, cache = gpu_artifact("mixer", opencl).path, tmp_path / "cache"
    cache.mkdir()
    for built in (4, 0):
        host = Host(folder, tmp_path, cache=str(cache).encode())
        assert host.lib.em_kernels_built(host.model) == built
        host.close()
    files = sorted(cache.iterdir())
    assert len(files) == 4
    files[0].write_bytes(files[0].read_bytes()[:-3])
    host = Host(folder, tmp_path, cache=str(cache).encode())
    assert host.lib.em_kernels_built(host.model) == 1
    assert host.run({"x": batch(2)})[0] == OK
    host.close()


def test_limits_and_devices(gpu_toys, opencl, tmp_path):
    for name, more, message in (
        ("threads", {"threads": 1 << 20}, "work-groups of 1048576 threads"),
        ("local", {"local_bytes": 1 << 40}, "1099511627776 bytes of local memory"),
        ("alignment", {"alignment": 1}, "multiples of 1 bytes"),
    ):
        artifact = gpu_toys.write(gpu_toys.chain("opencl"), tmp_path / name, "opencl", **more)
        host = Host(artifact.path, artifact.path)
        assert host.status == DEVICE
        assert message in host.error
    host = Host(artifact.path, artifact.path, device=99)
    assert host.status == 1
    assert "no OpenCL device 99" in host.error


@pytest.mark.needs("gcc", "clang")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_example(gpu_artifact, opencl, tmp_path, compiler):
    """Built by its Makefile with every warning; under gcc also with checks of memory."""
    artifact = gpu_artifact("mixer", opencl)
    source = shutil.copytree(artifact.path / "src", tmp_path / "src")
    flags = " ".join((*WARNINGS, "-Wconversion", "-O1"))
    if compiler == "gcc":
        flags += " -g -fsanitize=address,undefined -fno-sanitize-recover=all"
    make = ["make", "-s", "-C", str(source), f"CC={compiler}", f"CFLAGS={flags}"]
    subprocess.run(make, check=True)
    done = subprocess.run(
        [source / "example", artifact.path], capture_output=True, text=True, check=False,
        env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"},  # those of the driver
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with artifact.load() as session:
        from edgemoe.runtime.selftest import read_cases

        y = session.run(read_cases(artifact.path)[0].inputs)["y"].reshape(-1)[:8]
    assert done.stdout.splitlines()[1] == "y: " + " ".join(f"{value:.9g}" for value in y)


@pytest.mark.needs("cppcheck")
def test_static_analysis(gpu_artifact):
    source = gpu_artifact("running", "opencl").path / "src" / "model_opencl.c"
    done = subprocess.run(
        ["cppcheck", "-q", "--std=c99", "--enable=warning,performance,portability",
         "--suppress=missingInclude", "--error-exitcode=2", str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_text_depends_on_the_plan_alone(gpu_artifact, gpu_toys, tmp_path):
    first = gpu_artifact("routed", "opencl").path / "src" / "model_opencl.c"
    again = gpu_toys.write(gpu_toys.routed("opencl"), tmp_path / "again", "opencl")
    assert first.read_text() == (again.path / "src" / "model_opencl.c").read_text()


@pytest.mark.needs("device:opencl")
@pytest.mark.parametrize("kind", ["bf16", "i8"])
def test_narrow_caches(opencl, tmp_path, kind):
    """The bits of the session, with states that are held and states that are given."""
    pytest.importorskip("torch")
    import edgemoe
    from tests.compile.caches import Decoder

    module = Decoder("put").eval()
    artifact = edgemoe.compile(
        (module, module.example()), target=opencl, out=tmp_path / "m", tokens=(1, 7),
        kv_cache=kind,
    )  # fmt: skip
    host = Host(artifact.path, tmp_path)
    assert host.status == OK, host.error
    x = np.random.default_rng(0).standard_normal((9, 64)).astype(np.float32)
    with edgemoe.load(artifact.path) as session:
        states = {s.name: s.state_output for s in session.inputs if s.state_output is not None}
        for part in (x[:8], x[8:]):
            status, found = host.run({"x": part}, want=list(states.values()))
            assert status == OK, host.error
            np.testing.assert_array_equal(found["y"], session.run({"x": part})["y"])
        given = {name: found[output] for name, output in states.items()}
        status, again = host.run({"x": x[:1], **given})
        assert status == OK, host.error
        for name, wanted in session.run({"x": x[:1], **given}).items():
            np.testing.assert_array_equal(again[name], wanted)
    host.lib.em_close(host.model)
