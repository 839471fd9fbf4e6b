"""What a GPU can do at best: float32 multiply-adds in registers, and bytes read from memory."""

from __future__ import annotations

import time

from edgemoe.runtime.gpu_device import Device, Launch, Range
from edgemoe.runtime.gpu_program import Kernel

_THREADS = 64
_GROUPS = 256
_ROUNDS = 256  # of 16 multiply-adds per thread and launch
_READ_BYTES = 1 << 26
_MOST_LAUNCHES = 64

_ADD = """\
{head}
  float a = (float)i, b = a + 1.0f, c = a + 2.0f, d = a + 3.0f;
  for (int n = 0; n < {rounds}; n++) {{
{body}
  }}
  p0[i] = a + b + c + d;
}}
"""
_READ = """\
{head}
  float sum = 0.0f;
  for (uint n = i; n < {words}u; n += {stride}u) sum += p0[n];
  p1[i] = sum;
}}
"""


def measure(device: Device, family: str, seconds: float) -> tuple[float, float]:
    """Return (GFLOP/s of float32 multiply-add, GB/s read), the best launches of about `seconds`.

    Args:
        device: an opened device; nothing else may use it meanwhile.
        family: "opencl" or "webgpu", the language of the kernels.
        seconds: of each of the two, at least three launches.
    """
    nbytes = min(_READ_BYTES, device.info.binding_bytes // 4096 * 4096)
    memory = device.allocate(nbytes, "a measurement")
    results = device.allocate(4 * _THREADS * _GROUPS, "a measurement")
    try:
        out = Range(results, 0, 4 * _THREADS * _GROUPS)
        add = Launch(_kernel(family, "em_add", ("float*",)), (out,), _GROUPS)
        read = Launch(
            _kernel(family, "em_read", ("float*", "float*"), nbytes // 4),
            (Range(memory, 0, nbytes), out),
            _GROUPS,
        )
        device.build([add.kernel, read.kernel])
        operations = 2 * 16 * _ROUNDS * _THREADS * _GROUPS
        return operations / _best(device, add, seconds), nbytes / _best(device, read, seconds)
    finally:
        device.finish()
        device.free(memory)
        device.free(results)


def _best(device: Device, launch: Launch, seconds: float) -> float:
    """Nanoseconds of the fastest launch."""
    recording = device.record([launch])
    end, best = time.perf_counter() + seconds, float("inf")
    for number in range(_MOST_LAUNCHES):
        best = min(best, float(device.run_timed(recording)[0]) or best)
        if number >= 3 and time.perf_counter() > end:
            break
    return max(best, 1.0)


def _kernel(family: str, name: str, parameters: tuple[str, ...], words: int = 0) -> Kernel:
    text = _READ if words else _ADD
    chain = "    a = fma(a, 0.999f, b); b = fma(b, 0.998f, c); c = fma(c, 0.997f, d); "
    chain += "d = fma(d, 0.996f, a);"
    source = text.format(
        head=_head(family, name, parameters), rounds=_ROUNDS, body="\n".join([chain] * 4),
        words=words, stride=_THREADS * _GROUPS,
    )  # fmt: skip
    if family == "webgpu":
        for c, wgsl in (
            ("float a = (float)i, b = a + 1.0f, c = a + 2.0f, d = a + 3.0f;",
             "var a = f32(i); var b = a + 1.0f; var c = a + 2.0f; var d = a + 3.0f;"),
            ("float sum", "var sum"),
            ("int n = 0", "var n = 0"),
            ("uint n = i", "var n = i"),
            ("sum += p0[n];", "{ sum += p0[n]; }"),
        ):  # fmt: skip
            source = source.replace(c, wgsl)
    return Kernel(name, source, _THREADS, parameters, ())


def _head(family: str, name: str, parameters: tuple[str, ...]) -> str:
    places = range(len(parameters))
    if family == "opencl":
        arguments = ", ".join(f"__global float* p{n}" for n in places)
        return f"__kernel void {name}({arguments}) {{\n  uint i = (uint)get_global_id(0);"
    bindings = "\n".join(
        f"@group(0) @binding({n}) var<storage, read_write> p{n} : array<f32>;" for n in places
    )
    return (
        f"{bindings}\n@compute @workgroup_size({_THREADS})\n"
        f"fn {name}(@builtin(global_invocation_id) id : vec3<u32>) {{\n  let i = id.x;"
    )
