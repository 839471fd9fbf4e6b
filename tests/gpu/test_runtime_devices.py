"""Which devices there are, what an artifact needs of one, and what is said where it lacks that."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgemoe.errors import ArtifactError, DeviceError
from edgemoe.runtime.gpu_device import DeviceInfo, Needs, chosen, parse
from edgemoe.runtime.gpu_devices import gpu_devices
from edgemoe.runtime.gpu_memory import DeviceMemory, pages_of
from edgemoe.runtime.gpu_program import read_program
from edgemoe.runtime.manifest import read_manifest

PHONE = DeviceInfo(
    family="opencl", number=0, platform="P", name="Phone", driver="1", kind="gpu", threads=128,
    local_bytes=16384, alignment=128, binding_bytes=1 << 20, buffer_bytes=1 << 20,
    memory_bytes=1 << 22, storage_buffers=8, fp16=False, subgroups=False,
)  # fmt: skip
FITS = Needs("opencl", False, False, 128, 16384, 8, 256, 1 << 20)


def test_what_fits_is_taken():
    FITS.check(PHONE, "m")
    FITS.check(dataclasses.replace(PHONE, storage_buffers=None), "m")  # OpenCL has no limit


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"threads": 256}, r"'m' needs work-groups of 256 threads, Phone \(opencl:0\) has .* 128"),
        ({"local_bytes": 16385}, "local memory of 16,385 bytes, Phone .* at most 16,384"),
        ({"storage_buffers": 9}, "buffers of one kernel of 9, Phone .* at most 8"),
        ({"binding_bytes": 1 << 21}, "one buffer range of 2,097,152 bytes"),
        ({"fp16": True}, "use 16-bit floats, which Phone .* does not offer"),
        ({"subgroups": True}, "use subgroups, which Phone .* does not offer"),
        ({"alignment": 64}, "multiples of 64 bytes, Phone .* needs 128"),
    ],
)
def test_what_does_not_fit_is_named(more, message):
    with pytest.raises(DeviceError, match=message) as caught:
        dataclasses.replace(FITS, **more).check(PHONE, "m")
    assert "edgemoe targets --devices" in str(caught.value)


def test_limits_of_the_device_here(gpu_toys, tmp_path, family):
    language = "opencl" if family == "opencl" else "wgsl"
    toy = gpu_toys.mixer(language)
    artifact = gpu_toys.write(toy, tmp_path / "large", language, local_bytes=1 << 40)
    with pytest.raises(DeviceError, match="needs local memory of 1,099,511,627,776 bytes"):
        artifact.load()


def test_the_manifest_says_what_is_needed(gpu_artifact):
    data = read_manifest(gpu_artifact("mixer", "webgpu").path).data
    assert Needs.read(data).storage_buffers == 3
    for damage in ({}, {"gpu": {"threads": 1}}, {"gpu": None}):
        with pytest.raises(ArtifactError, match="does not say what its kernels need"):
            Needs.read({"name": "m", **damage})


def test_names_of_devices():
    assert parse("opencl") == ("opencl", None)
    assert parse("webgpu:12") == ("webgpu", 12)
    slow = dataclasses.replace(PHONE, number=0, kind="cpu")
    fast = dataclasses.replace(PHONE, number=1)
    assert chosen([slow, fast], None, "opencl") is fast
    assert chosen([slow, fast], 0, "opencl") is slow
    assert chosen([slow], None, "opencl") is slow


def test_devices_are_listed(family):
    found = [info for info in gpu_devices().devices if info.family == family]
    assert [info.number for info in found] == list(range(len(found)))
    for info in found:
        assert info.name
        assert info.driver
        assert info.threads >= 64
        assert info.binding_bytes <= info.buffer_bytes


def command(*arguments, **environment):
    """Run the command line in another process: drivers are looked for once."""
    done = subprocess.run(
        [sys.executable, "-m", "edgemoe", *arguments], capture_output=True, text=True, check=False,
        env=os.environ | environment,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def no_driver(tmp_path):
    """Environment in which neither loader finds a driver."""
    (tmp_path / "none").mkdir()
    return {
        "OCL_ICD_VENDORS": str(tmp_path / "none"),
        "VK_DRIVER_FILES": "/nonexistent", "VK_ICD_FILENAMES": "/nonexistent",
    }  # fmt: skip


@pytest.mark.needs("python:pyopencl", "python:wgpu")
def test_without_drivers(no_driver, gpu_artifact):
    code, out, _ = command("targets", "--devices", "--json", "-", **no_driver)
    data = json.loads(out)
    assert code == 0
    assert data["devices"] == []
    assert [note.split(":")[0] for note in data["notes"]] == ["opencl", "webgpu"]
    code, _, error = command("verify", str(gpu_artifact("mixer", "opencl").path), **no_driver)
    assert code == 1
    assert "there is no OpenCL device: no driver is installed" in error
    assert "Traceback" not in error


@pytest.mark.needs("python:wgpu")
def test_without_a_driver_for_webgpu(no_driver, gpu_artifact):
    code, _, error = command("verify", str(gpu_artifact("mixer", "webgpu").path), **no_driver)
    assert code == 1
    assert "there is no WebGPU device: no driver for Vulkan" in error


@pytest.mark.parametrize(("family_", "package"), [("opencl", "pyopencl"), ("webgpu", "wgpu")])
def test_without_the_package(gpu_artifact, monkeypatch, family_, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DeviceError, match=rf"{package}.*pip install 'edgemoe\[gpu\]'"):
        gpu_artifact("mixer", family_).load()
    assert any(package in note for note in gpu_devices().notes)


class FakeDevice:
    """A device of little memory that remembers what was written."""

    def __init__(self, **more):
        self.info = dataclasses.replace(PHONE, **more)
        self.buffers = []

    def allocate(self, nbytes, what):
        self.buffers.append(bytearray(max(4, nbytes)))
        return len(self.buffers) - 1

    def write(self, to, data):
        raw = np.ascontiguousarray(data).tobytes()
        self.buffers[to.memory][to.offset : to.offset + len(raw)] = raw

    def finish(self):
        pass

    def free(self, memory):
        self.buffers[memory] = None


def memory_of(artifact, device):
    folder = artifact.path
    return DeviceMemory(device, folder, read_manifest(folder), read_program(folder, "opencl"))


def test_weights_are_cut_into_pages_that_fit(gpu_artifact, gpu_toys):
    artifact, device = gpu_artifact("mixer", "opencl"), FakeDevice(buffer_bytes=256)
    memory = memory_of(artifact, device)
    program = read_program(artifact.path, "opencl")
    for name, wanted in zip(("w", "b"), gpu_toys.mixer("opencl").weights, strict=True):
        buffer = next(b for b in program.variants[0].buffers if b.name == name)
        place = memory.range_of(buffer, 0)
        raw = device.buffers[place.memory][place.offset : place.offset + place.nbytes]
        assert np.array_equal(np.frombuffer(raw, np.float32), wanted)
    memory.close()
    assert not any(device.buffers)


def test_too_little_memory(gpu_artifact):
    with pytest.raises(DeviceError, match="too little memory to hold weights and activations"):
        memory_of(gpu_artifact("mixer", "opencl"), FakeDevice(memory_bytes=100))


@pytest.mark.parametrize("nbytes", [1 << 50])
def test_too_little_memory_of_the_device_here(opened, family, nbytes):
    session = opened("mixer", family)
    with pytest.raises(DeviceError, match=r"too little memory to hold it.*1,125,899,906,842,624"):
        session._device.allocate(nbytes, "it")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on busy machines
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60)), min_size=1, max_size=30),
    st.integers(60, 400),
)
def test_pages_hold_every_range(ranges, most):
    ranges = [(4 * offset, nbytes) for offset, nbytes in ranges]
    pages = pages_of(ranges, most)
    for offset, nbytes in ranges:
        assert any(begin <= offset and offset + nbytes <= end for begin, end in pages)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(pages))
    apart = [(4 * most * n, 4) for n in range(5)]
    assert len(pages_of(apart, most)) == 5


def test_a_lost_device(gpu_artifact, family):
    """What the driver says when a device went away becomes one error, and loading opens it anew."""
    session = gpu_artifact("mixer", family).load()
    device = session._device
    if family == "opencl":
        error = device._cl.LogicError("clFlush failed: DEVICE_NOT_AVAILABLE")
        raised = device._error(type("Lost", (Exception,), {"code": -2})(str(error)), "run", 0)
        assert isinstance(raised, DeviceError)
        assert "is lost" in str(raised)
    else:
        device._device.destroy()
        with pytest.raises(DeviceError, match="is lost"):
            session.run({"x": np.ones((1, 2, 6), np.float32)})
    session.close()
    with gpu_artifact("mixer", family).load(check=True) as again:
        assert again._device is not device
