"""Runs two models on the same inputs: an artifact or an ONNX file on each side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import InputError, ModelError
from edgemoe.runtime.manifest import GPU_FAMILIES
from edgemoe.runtime.mcu_session import DEVICES
from edgemoe.runtime.profile import default_inputs
from edgemoe.runtime.selftest import Comparison, compare
from edgemoe.runtime.session import Session, family_at, load

Array = NDArray[Any]

_ONNX_DTYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
    "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(int8)": "int8",
    "tensor(uint8)": "uint8", "tensor(bool)": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class Side:
    """One of the two: its outputs and the median time of a run, in nanoseconds."""

    path: str
    engine: str
    outputs: dict[str, Array]
    nanoseconds: float


@dataclass(frozen=True)
class Difference:
    """What `compare_models` found; errors are those of `b` against `a`."""

    a: Side
    b: Side
    comparisons: tuple[Comparison, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    @property
    def time_ratio(self) -> float:
        """Time of b divided by time of a."""
        return self.b.nanoseconds / self.a.nanoseconds if self.a.nanoseconds else 0.0


class _Onnx:
    """An ONNX file in onnxruntime, with inputs that are not given at zero."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has no common base class
            raise ModelError(f"onnxruntime cannot load {path}: {error}") from error
        self.engine = f"onnxruntime {onnxruntime.__version__}"
        self.names = [item.name for item in self._session.get_inputs()]

    def inputs(self) -> dict[str, Array]:
        """Return random inputs; symbolic extents become 8."""
        generator = np.random.default_rng(0)
        arrays: dict[str, Array] = {}
        for item in self._session.get_inputs():
            shape = [extent if isinstance(extent, int) else 8 for extent in item.shape]
            dtype = np.dtype(_ONNX_DTYPES.get(item.type, "float32"))
            random = generator.standard_normal(shape) if dtype.kind == "f" else np.zeros(shape)
            arrays[item.name] = random.astype(dtype)
        return arrays

    def run(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Run on `arrays`; what is missing (states) starts at zeros."""
        feeds = {name: arrays[name] for name in self.names if name in arrays}
        for item in self._session.get_inputs():
            if item.name not in feeds:
                shape = [extent if isinstance(extent, int) else 1 for extent in item.shape]
                feeds[item.name] = np.zeros(shape, _ONNX_DTYPES.get(item.type, "float32"))
        try:
            results = self._session.run(None, feeds)
        except Exception as error:
            raise InputError(f"onnxruntime refuses the inputs: {error}") from error
        names = [item.name for item in self._session.get_outputs()]
        return dict(zip(names, results, strict=True))

    def close(self) -> None:
        """Nothing to free."""


class _Artifact:
    """An artifact; its states start at zeros in every run."""

    def __init__(self, path: Path, device: str | None, threads: int = 1) -> None:
        self._session: Session = load(path, threads=threads, device=device)
        where = getattr(self._session, "device", "")
        self.engine = f"edgemoe {self._session.isa}" + (f", {where}" if where else "")
        self.names = [spec.name for spec in self._session.inputs]

    def inputs(self) -> dict[str, Array]:
        """Return the inputs of the self-test."""
        return dict(default_inputs(self._session))

    def run(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Run from fresh states on those of `arrays` that are inputs."""
        self._session.reset()
        return self._session.run({k: v for k, v in arrays.items() if k in self.names})

    def close(self) -> None:
        """Free the session."""
        self._session.close()


def compare_models(
    a: Path, b: Path, inputs: Mapping[str, Array] | None = None, *, runs: int = 10,
    threads: int = 1, device: str | None = None,
) -> Difference:  # fmt: skip
    """Run both on the same inputs, in turns, and compare outputs of the same name.

    Args:
        a: the reference: an artifact or a `.onnx` (run by onnxruntime).
        b: what is compared with it.
        inputs: None takes the self-test of the first artifact, else random numbers.
        runs: how often each is timed; medians are reported.
        threads: of each side.
        device: where artifacts for microcontrollers run, "host" or "qemu", and those for GPUs,
            such as "opencl:1".

    Raises:
        InputError: the inputs fit one of them badly, or they share no output.
    """
    sides = [_open(path, threads, device) for path in (a, b)]
    try:
        if inputs is None:
            inputs = next((s for s in sides if isinstance(s, _Artifact)), sides[0]).inputs()
        unknown = set(inputs) - set(sides[0].names) - set(sides[1].names)
        if unknown:
            raise InputError(f"neither {a} nor {b} has an input '{min(unknown)}'")
        outputs = [side.run(inputs) for side in sides]
        times: list[list[int]] = [[], []]
        for _ in range(runs):
            for number, side in enumerate(sides):
                start = time.perf_counter_ns()
                side.run(inputs)
                times[number].append(time.perf_counter_ns() - start)
    finally:
        for side in sides:
            side.close()
    measured = [
        Side(str(path), side.engine, result, statistics.median(spent))
        for path, side, result, spent in zip((a, b), sides, outputs, times, strict=True)
    ]
    return _difference(*measured)


def _open(path: Path, threads: int, device: str | None) -> _Onnx | _Artifact:
    if path.suffix != ".onnx":
        family = family_at(path)
        if family == "cpu":
            return _Artifact(path, None, threads)
        # Where A and B are of two families, the device is for one of them.
        name = (device or "").partition(":")[0]
        owner = "mcu" if name in DEVICES else name
        others = owner != family and owner in ("mcu", *GPU_FAMILIES)
        return _Artifact(path, None if others else device)
    if not path.is_file():
        raise ModelError(f"{path} does not exist")
    return _Onnx(path, threads)


def _difference(a: Side, b: Side) -> Difference:
    shared = [name for name in a.outputs if name in b.outputs]
    if not shared:
        raise InputError(
            f"{a.path} and {b.path} share no output: {', '.join(a.outputs)} against "
            f"{', '.join(b.outputs)}"
        )
    for name in shared:
        if a.outputs[name].shape != b.outputs[name].shape:
            raise InputError(
                f"output '{name}' is {list(a.outputs[name].shape)} in {a.path} but "
                f"{list(b.outputs[name].shape)} in {b.path}; they are not the same model"
            )
    return Difference(
        a, b, tuple(compare(name, a.outputs[name], b.outputs[name]) for name in shared),
        tuple(name for name in a.outputs if name not in shared),
        tuple(name for name in b.outputs if name not in shared),
    )  # fmt: skip
