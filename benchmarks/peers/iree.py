"""IREE's llvm-cpu code for the host, compiled from the exported graph, in float32.

One thread runs in the caller (local-sync); more run on its task system with as many workers.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.cases import Case
from benchmarks.contestant import Array, Call, Contestant, Kit

NEEDS = "iree.compiler"
REQUIREMENTS = ("iree-base-compiler[onnx]==3.13.0", "iree-base-runtime==3.13.0")


def contestants(case: Case) -> list[Contestant]:
    forms = ["model"] if case.moe is None else ["grouped"] if case.is_layer else []
    return [Contestant("iree", form, "f32") for form in forms]


def prepare(contestant: Contestant, kit: Kit) -> None:
    folder = kit.folder_of(contestant)
    run_tool(
        "iree-import-onnx", kit.onnx(contestant.variant), "--opset-version", "20",
        "-o", folder / "model.mlir",
    )  # fmt: skip
    run_tool(
        "iree-compile", folder / "model.mlir", "--iree-hal-target-device=local",
        "--iree-hal-local-target-device-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host",
        "--iree-opt-level=O3", "-o", folder / "model.vmfb",
    )  # fmt: skip


def run_tool(name: str, *arguments: str | Path) -> None:
    """Run a program of this environment.

    Raises:
        RuntimeError: it failed, with the first line of what it says.
    """
    program = Path(sys.executable).parent / name
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        first = (done.stderr.strip().splitlines() or [""])[0]
        raise RuntimeError(f"{name} ended with code {done.returncode} {first}")


def load(contestant: Contestant, kit: Kit, threads: int) -> Call:
    from iree import runtime

    if threads > 1:
        runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
    config = runtime.Config("local-sync" if threads == 1 else "local-task")
    path = kit.folder_of(contestant) / "model.vmfb"
    module = runtime.load_vm_module(runtime.VmModule.mmap(config.vm_instance, str(path)), config)
    function = module.main_graph
    inputs = [runtime.asdevicearray(config.device, a) for a in kit.inputs().values()]

    def call() -> Array:
        results = function(*inputs)
        first = results[0] if isinstance(results, tuple) else results
        return np.asarray(first)

    return call
