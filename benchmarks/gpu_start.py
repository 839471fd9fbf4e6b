"""How long a GPU artifact takes to its first result, with empty caches and with filled ones.

python -m benchmarks.gpu_start [--json F]

For OpenCL and WebGPU in Python: a new process each, then a run of one token (or one sample) after
the other; for WebGPU a third process with the driver's own cache switched off, where the driver is
Mesa's, and what that cache holds on disk. For the page: a new browser, then the page anew in the
same profile, and a model loaded once more in the same page, with what the browser keeps of
pipelines on disk. Times are milliseconds; whatever else the machine does adds to them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import edgemoe
from benchmarks.browser import WEBGPU, browser, served
from benchmarks.machine import cpu_name
from edgemoe.models.web_demo import MODELS, write_page
from edgemoe.runtime.gpu_devices import gpu_devices

ONE_RUN = """
import json, sys, time
start = time.perf_counter()
import edgemoe
from edgemoe.runtime.frame import numpy_dtype
import numpy as np
spent = {"import": time.perf_counter() - start}
def timed(name, call):
    start = time.perf_counter()
    result = call()
    spent[name] = time.perf_counter() - start
    return result
session = timed("load", lambda: edgemoe.load(sys.argv[1]))
feed = {spec.name: np.zeros([1 if n < 0 else n for n in spec.shape], numpy_dtype(spec.dtype))
        for spec in session.inputs if spec.state_output is None}
timed("first run", lambda: session.run(feed))
timed("second run", lambda: session.run(feed))
print(json.dumps({"milliseconds": {k: round(1000 * v, 1) for k, v in spent.items()},
                  "compiled": session._device.kernels_built,
                  "cached": session._device.kernels_cached}))
"""

RELOAD = """(async () => {
  const { load } = await import("./char_moe/model.js");
  const start = performance.now();
  const model = await load();
  await model.run({ tokens: [1] });
  return Math.round(performance.now() - start);
})()"""


OURS = "EDGEMOE_CACHE"
DRIVERS = ("POCL_CACHE_DIR", "MESA_SHADER_CACHE_DIR", "CUDA_CACHE_PATH")
BROWSERS = ("Default/DawnWebGPUCache", "Default/GPUCache", "GrShaderCache", "ShaderCache")
"""Folders of a profile in which Chromium keeps what its GPU process compiled."""


DRIVERS_BYTES, BROWSERS_BYTES = "driver's cache, bytes", "browser's caches, bytes"


def bytes_in(*folders: Path) -> int:
    """Bytes of all files below some folders."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def processes(path: Path, *, without_drivers: bool) -> list[dict[str, Any]]:
    """Load and run an artifact in new processes: caches empty, filled, and the driver's off."""
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / name for name in (OURS, *DRIVERS)}
        for place in places.values():
            place.mkdir()
        environment = os.environ | {name: str(place) for name, place in places.items()}
        results = []
        runs: list[dict[str, str]] = [{}, {}]
        if without_drivers:
            runs.append({"MESA_SHADER_CACHE_DISABLE": "true"})
        for more in runs:
            done = subprocess.run(
                [sys.executable, "-c", ONE_RUN, str(path)], capture_output=True, text=True,
                check=True, env=environment | more,
            )  # fmt: skip
            found = json.loads(done.stdout.splitlines()[-1])
            found["our cache, bytes"] = bytes_in(places[OURS])
            found[DRIVERS_BYTES] = bytes_in(*(places[name] for name in DRIVERS))
            results.append(found)
    return results


def page(folder: Path, flags: tuple[str, ...]) -> list[dict[str, Any]]:
    """Open the page twice in browsers of one profile: milliseconds to each first result."""
    results = []
    with tempfile.TemporaryDirectory() as profile, served(folder) as url:
        with browser(*flags, profile=Path(profile)) as tab:
            tab.evaluate("1")
        places = [Path(profile) / name for name in BROWSERS]
        empty = bytes_in(*places)  # indices, which are there without a page
        for _ in range(2):
            with browser(*flags, profile=Path(profile)) as tab:
                tab.open(url)
                tab.wait_for("document.body?.dataset.state", 600)
                sections = {
                    name: tab.evaluate(f"document.getElementById('{name}').dataset.ready")
                    for name in ("text", "digits", "forecast")
                }
                results.append(
                    {
                        "device": tab.evaluate("document.getElementById('device').textContent"),
                        "first results": {name: int(ms) for name, ms in sections.items()},
                        "char_moe loaded again": tab.evaluate(RELOAD),
                    }
                )
            results[-1][BROWSERS_BYTES] = bytes_in(*places) - empty
    return results


def measure(root: Path, flags: tuple[str, ...]) -> dict[str, Any]:
    """Everything, as data."""
    found = {info.family: info.name for info in reversed(gpu_devices().devices)}
    result: dict[str, Any] = {"cpu": cpu_name(), "devices": found, "python": {}}
    write_page(root / "page")
    for name, options in MODELS.items():
        for family in found:
            path = root / "page" / name
            if family == "opencl":
                path = root / name
                edgemoe.compile(
                    options["model"], target="opencl", out=path, tokens=options.get("tokens")
                )
            result["python"][f"{name}, {family}"] = processes(
                path, without_drivers=family == "webgpu"
            )
    result["page"] = page(root / "page", flags)
    return result


def report(result: dict[str, Any]) -> None:
    """Print tables."""
    print("| model | caches | load, ms | first run, ms | second run, ms | compiled | cached | "
          "our cache, KB | driver's cache, KB |")  # fmt: skip
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, runs in result["python"].items():
        for caches, run in zip(("empty", "filled", "driver's off"), runs, strict=False):
            spent = run["milliseconds"]
            print(f"| {name} | {caches} | {spent['load']:.0f} | {spent['first run']:.0f} | "
                  f"{spent['second run']:.1f} | {run['compiled']} | {run['cached']} | "
                  f"{run['our cache, bytes'] / 1000:.0f} | "
                  f"{run[DRIVERS_BYTES] / 1000:.0f} |")  # fmt: skip
    for visit, found in zip(("first", "second"), result["page"], strict=True):
        ready = ", ".join(f"{name} {ms} ms" for name, ms in found["first results"].items())
        print(f"page, {visit} visit: {ready}; char_moe once more in the page: "
              f"{found['char_moe loaded again']} ms; kept on disk "
              f"{found[BROWSERS_BYTES] / 1000:.0f} KB")  # fmt: skip


def main() -> None:
    """Measure and print; --json keeps it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--gpu", action="store_true", help="the browser's own GPU, not SwiftShader")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    flags = ("--enable-unsafe-webgpu", "--enable-features=Vulkan") if given.gpu else WEBGPU
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), flags)
    report(result)
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
