"""Flash, RAM and stack of the generated C, as the cross compiler builds it.

Weights, arena and states are known exactly without a compiler; code, its constants and the stack
are measured where the compiler is installed, with the options of the artifact's Makefile.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgemoe.runtime.mcu_host import compile_c
from edgemoe.targets.mcu import c_text
from edgemoe.targets.mcu.build_files import FLAGS, device_sources
from edgemoe.targets.mcu.header import nbytes_of
from edgemoe.targets.mcu.model import Model

_SECTION = re.compile(r"^(\.\w[\w.]*)\s+(\d+)\s+\d+$", re.MULTILINE)


def memory_report(folder: Path, model: Model, compiler: Sequence[str]) -> dict[str, Any]:
    """Bytes by what they are for; `code`, `constants` and `stack` are None without a compiler.

    Raises:
        ToolError: the compiler is there and refuses the generated C.
    """
    weights: dict[str, int] = defaultdict(int)
    for array in model.arrays:
        weights[array.role] += array.nbytes
    report: dict[str, Any] = {
        "arena_bytes": model.variant.arena_bytes,
        "lower_bound_bytes": model.variant.lower_bound_bytes,
        "weights_bytes": sum(weights.values()),
        "flash": {"code": None, "constants": None, "weights": dict(sorted(weights.items()))},
        "ram": {
            "arena": model.variant.arena_bytes,
            "states": sum(nbytes_of(x) * (1 if model.in_place(x) else 2) for x in model.states),
            "inputs and outputs, of the caller": sum(
                map(nbytes_of, (*model.inputs, *model.outputs))
            ),
        },
        "stack": None,
        "compiler": None,
    }
    if shutil.which(compiler[0]) is None:
        return report
    report["compiler"] = _version(compiler[0])
    prefix = model.names.prefix
    with tempfile.TemporaryDirectory(prefix="edgemoe-size-") as room:
        names = [x for x in device_sources(model) if not x.endswith("_weights.c")]
        compile_c(
            compiler,
            [*FLAGS, "-fstack-usage", "-c", *(str((folder / n).absolute()) for n in names)],
            Path(room), compiler[0],
        )  # fmt: skip
        objects = [Path(room) / f"{name.removesuffix('.c')}.o" for name in names]
        ready = [(folder / name).absolute() for name in model.objects]
        code, constants = _sections(compiler[0], [*objects, *ready])
        report["flash"] |= {"code": code, "constants": constants}
        if ready:  # LLVM says nothing of its frames
            return report
        frames = _frames([item.with_suffix(".su") for item in objects])
        entry = f"{prefix}_run"
        report["stack"] = {
            "bytes": _deepest(entry, _graph(folder, model), frames),
            "entry": entry,
            "not counted": _outside(model),
        }
    return report


def _version(compiler: str) -> str:
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else compiler


def _sections(compiler: str, objects: Sequence[Path]) -> tuple[int, int]:
    """Bytes of code and of read-only data, by the compiler's own `size`."""
    tool = compiler.removesuffix("gcc") + "size" if compiler.endswith("gcc") else "size"
    done = subprocess.run(
        [tool, "-A", *map(str, objects)], capture_output=True, text=True, check=True
    )
    code = constants = 0
    for name, nbytes in _SECTION.findall(done.stdout):
        if name.startswith(".text"):
            code += int(nbytes)
        elif name.startswith((".rodata", ".srodata")):
            constants += int(nbytes)
    return code, constants


def _frames(files: Sequence[Path]) -> dict[str, int]:
    """Bytes of stack per function, from the files of `-fstack-usage`."""
    found: dict[str, int] = {}
    for path in files:
        if not path.is_file():
            continue
        for line in path.read_text("utf-8").splitlines():
            place, nbytes, _ = line.split("\t")
            name = place.rsplit(":", 1)[1].split(".")[0]
            found[name] = max(found.get(name, 0), int(nbytes))
    return found


def _graph(folder: Path, model: Model) -> dict[str, set[str]]:
    """Who calls whom among the generated functions."""
    calls = {
        name: {callee for line in function.body for callee, _ in c_text.calls_in(line)}
        for name, function in model.functions.items()
    }
    text = (folder / f"{model.names.prefix}.c").read_text("utf-8")
    for name in re.findall(r"^void (\w+)\(", text, re.MULTILINE):
        body = text.split(f"void {name}(", 1)[1].split("\n}\n", 1)[0]
        calls[name] = {callee for callee, _ in c_text.calls_in(body)}
    return calls


def _deepest(name: str, graph: Mapping[str, set[str]], frames: Mapping[str, int]) -> int:
    """The largest sum of frames on a way down; the generated code has no recursion."""
    below = max((_deepest(x, graph, frames) for x in graph.get(name, ()) if x in graph), default=0)
    return frames.get(name, 0) + below  # what was inlined has no frame of its own


def _outside(model: Model) -> list[str]:
    """Functions of libm that kernels call: their stack is the library's."""
    known = set(model.functions)
    called = {
        name
        for function in model.functions.values()
        for line in function.body
        for name, _ in c_text.calls_in(line)
    }
    return sorted(x for x in called - known if not x.startswith("em_"))
