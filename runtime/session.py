"""`load` opens an artifact, `Session.run` runs it.

A session holds one handle of the C runtime (`runtime/c/edgemoe.h`): its arena, its threads and
its states. Several sessions of one artifact share the weights.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import ArtifactError, DeviceError, InputError, RunError
from edgemoe.runtime.frame import Frame, nan_or_inf, numpy_dtype
from edgemoe.runtime.input_errors import input_error
from edgemoe.runtime.library import (
    HOOK,
    Options,
    StepTime,
    Times,
    error_of,
    open_library,
)
from edgemoe.runtime.manifest import (
    GPU_FAMILIES,
    Manifest,
    TensorSpec,
    check_files,
    check_machine,
    inside,
    read_manifest,
)
from edgemoe.runtime.package import unpack

Array = NDArray[Any]

Hook = Callable[[Any], None]
"""Called after a step with what `routing.StepView` describes."""

_MOST_FRAMES = 64
_MOST_STEPS = 1 << 16


def load(
    path: str | Path,
    *,
    threads: int = 1,
    isa: str | None = None,
    check: bool = False,
    verify: bool = True,
    strict: bool = False,
    device: str | None = None,
) -> Session:
    """Open an artifact: a folder, or a `.zip` of one.

    Args:
        path: what `edgemoe compile -o` wrote.
        threads: how many threads a run uses; -1 is one per CPU that this process may use.
        isa: instruction set, such as "x86-64-v3"; None takes the best that this CPU has.
        check: run the artifact's self-test first.
        verify: compare the hash of every file with the manifest.
        strict: refuse NaN and infinity in float inputs.
        device: None is the usual one: "cpu", and for microcontrollers "host", the generated C
            compiled for this machine; "qemu" emulates the core. For GPUs it is "opencl" or
            "webgpu", or one of several such as "opencl:1".

    Raises:
        ArtifactError: missing, damaged, of a newer format, or the self-test failed.
        DeviceError: for another machine, or the CPU lacks the instruction set.
        ToolError: a compiler or an emulator that the device needs is missing.
    """
    path = Path(path)
    folder = unpack(path) if path.is_file() else path
    if not folder.is_dir():
        raise ArtifactError(
            f"{path} does not exist; give the folder or .zip that `edgemoe compile -o` wrote"
        )
    manifest = read_manifest(folder)
    if manifest.family == "mcu":
        if threads not in (1, -1) or isa not in (None, *manifest.isas):
            raise DeviceError(
                f"artifact '{manifest.name}' is for {manifest.target}, which has one thread and "
                f"the instruction set {manifest.isas[0]}"
            )
        from edgemoe.runtime.mcu_session import McuSession

        return McuSession(
            folder, manifest, device or "host", check=check, verify=verify, strict=strict
        )
    if manifest.family in GPU_FAMILIES:
        from edgemoe.runtime.gpu_session import load_gpu

        return load_gpu(
            folder, manifest, device=device, threads=threads, isa=isa, check=check, verify=verify,
            strict=strict,
        )  # fmt: skip
    if manifest.family == "hybrid":
        if isa not in (None, *manifest.isas):
            raise DeviceError(
                f"artifact '{manifest.name}' has the instruction set {manifest.isas[0]}, not {isa}"
            )
        from edgemoe.runtime.hybrid_session import HybridSession

        return HybridSession(
            folder, manifest, device, threads=threads, check=check, verify=verify, strict=strict
        )
    if device not in (None, "cpu"):
        raise DeviceError(f"there is no device '{device}' for this artifact; it runs on: cpu")
    return Session(folder, threads=threads, isa=isa, check=check, verify=verify, strict=strict)


def family_at(path: Path) -> str:
    """Return the family of the artifact at `path`; "cpu" where nothing says so."""
    folder = unpack(path) if path.is_file() else path
    return read_manifest(folder).family if folder.is_dir() else "cpu"


class Session:
    """An opened artifact; thread safe, usable in a `with` statement."""

    def __init__(
        self,
        folder: Path,
        *,
        threads: int = 1,
        isa: str | None = None,
        check: bool = False,
        verify: bool = True,
        strict: bool = False,
    ) -> None:
        """Open the artifact in `folder`; the arguments are those of `load`."""
        self._handle: ctypes.c_void_p | None = None
        self.path = folder
        self.strict = strict
        self.manifest: Manifest = read_manifest(folder)
        check_machine(self.manifest)
        check_files(folder, self.manifest, hashes=verify)
        self._library = open_library(inside(folder, self.manifest.library).absolute())
        self._open(threads, isa)
        self._specs = self.manifest.inputs
        self._expected = tuple(
            (spec.name, numpy_dtype(spec.dtype), spec.state_output is not None)
            for spec in self._specs
        )
        names = [spec.name for spec in self._specs]
        self._pairs = tuple(
            (number, names.index(f"{spec.name}.scales"))
            for number, spec in enumerate(self._specs)
            if spec.dtype == "int8" and spec.state_output and f"{spec.name}.scales" in names
        )
        self._frames: dict[tuple[Any, ...], list[Frame]] = {}
        self._lock = threading.Lock()
        if check:
            from edgemoe.runtime.selftest import check_session

            check_session(self)

    def _open(self, threads: int, isa: str | None) -> None:
        handle = ctypes.c_void_p()
        options = Options(threads, 0, None if isa is None else isa.encode())
        where = str(self.path.absolute()).encode()
        status = self._library.em_open(where, ctypes.byref(options), ctypes.byref(handle))
        if status != 0:
            raise error_of(self._library, status)
        self._handle = handle

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `run` takes; states may be left out."""
        return self.manifest.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What `run` returns."""
        return self.manifest.outputs

    @property
    def buckets(self) -> tuple[int, ...]:
        """The numbers of tokens that were compiled; empty for a model of static shape."""
        return self.manifest.buckets

    @property
    def isa(self) -> str:
        """The instruction set in use."""
        return str(self._library.em_isa_name(self._open_handle()).decode())

    @property
    def arena_bytes(self) -> int:
        """Bytes of activations that the session holds."""
        return int(self._library.em_arena_bytes(self._open_handle()))

    @property
    def state_bytes(self) -> int:
        """Bytes of states that the session holds once they are in use."""
        return int(self._library.em_state_bytes(self._open_handle()))

    @property
    def threads(self) -> int:
        """The number of threads of a run; assign to change it (-1: one per CPU)."""
        return int(self._library.em_threads(self._open_handle()))

    @threads.setter
    def threads(self, count: int) -> None:
        status = self._library.em_set_threads(self._open_handle(), count)
        if status != 0:
            raise error_of(self._library, status)

    def reset(self) -> None:
        """Set the states that the session holds back to zeros."""
        self._library.em_state_reset(self._open_handle())

    def run(
        self, inputs: Mapping[str, Array], out: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """Run the model once.

        Args:
            inputs: an array per input, of exactly its dtype (bfloat16 as uint16) and shape.
                States that are left out are kept by the session from call to call.
            out: arrays to write outputs to, C-contiguous and apart from inputs; the others
                are allocated.

        Returns:
            An array per output. The output of a state that was left out is returned only when
            `out` has room for it.

        Raises:
            InputError: a name, dtype, shape, value or number of tokens does not fit.
        """
        frame, arrays, key = self._prepare(inputs)
        if out is not None:
            self._refuse_overlap(arrays, out)
        results = frame.outputs(out)
        status = self._library.em_run(
            self._handle, frame.c_inputs, frame.input_count, frame.c_outputs, frame.output_count
        )
        del arrays  # they must live until here
        if status != 0:
            raise error_of(self._library, status)
        self._frames.setdefault(key, []).append(frame)
        return results

    def run_hooked(self, inputs: Mapping[str, Array], hook: Hook) -> dict[str, Array]:
        """Run once and call `hook(info)` after every step; `info` is valid during the call."""
        failures: list[BaseException] = []

        def call(_user: object, info: Any) -> None:
            try:
                if not failures:
                    hook(info.contents)
            except BaseException as error:
                failures.append(error)

        results = self._run_hooked(inputs, HOOK(call), None)
        if failures:
            raise failures[0]
        return results

    def run_timed(self, inputs: Mapping[str, Array]) -> list[tuple[int, int, int]]:
        """Run once; returns (variant, step, nanoseconds) of every step, in order.

        Nothing of Python runs between the steps. Steps after the 65,536th are left out.
        """
        times = Times((StepTime * _MOST_STEPS)(), _MOST_STEPS, 0)
        record = HOOK(("em_record_time", self._library))
        self._run_hooked(inputs, record, ctypes.addressof(times))
        steps = times.steps[: min(times.count, _MOST_STEPS)]
        return [(step.variant, step.step, step.nanoseconds) for step in steps]

    def _run_hooked(
        self, inputs: Mapping[str, Array], hook: Any, user: int | None
    ) -> dict[str, Array]:
        frame, arrays, _ = self._prepare(inputs)
        results = frame.outputs(None)
        status = self._library.em_run_hooked(
            self._handle, frame.c_inputs, frame.input_count, frame.c_outputs, frame.output_count,
            hook, user,
        )  # fmt: skip
        del arrays
        if status != 0:
            raise error_of(self._library, status)
        return results

    def measure(self, *, threads: int = 1, seconds: float = 0.2) -> tuple[float, float]:
        """Measure this machine: (GFLOP/s of float32 multiply-add, GB/s read)."""
        return (
            float(self._library.em_measure_gflops(threads, seconds)),
            float(self._library.em_measure_read_gbps(threads, seconds)),
        )

    def close(self) -> None:
        """Free the arena, the threads and the states; no run may be in progress."""
        if self._handle is not None:
            self._library.em_close(self._handle)
            self._handle = None

    def __enter__(self) -> Session:
        """Return the session; it is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        names = "; ".join(str(spec) for spec in self.inputs)
        return f"<Session '{self.manifest.name}' for {self.manifest.target}: {names}>"

    def _open_handle(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise RunError(f"the session of '{self.manifest.name}' is closed; load it again")
        return self._handle

    def _prepare(self, inputs: Mapping[str, Array]) -> tuple[Frame, list[Any], tuple[Any, ...]]:
        """Check `inputs` and fill a frame with their addresses."""
        self._open_handle()
        arrays: list[Any] = []
        known = 0
        for name, dtype, is_state in self._expected:
            array = inputs.get(name)
            if array is None:
                if name in inputs or not is_state:
                    raise input_error(self._specs, inputs)
                arrays.append(None)
                continue
            known += 1
            if not isinstance(array, np.ndarray) or array.dtype != dtype:
                raise input_error(self._specs, inputs)
            if not array.flags.c_contiguous:
                array = np.ascontiguousarray(array)
            if self.strict and nan_or_inf(array):
                raise InputError(
                    f"input '{name}' holds NaN or infinity; clean the data, or load the artifact "
                    "without strict"
                )
            arrays.append(array)
        if known != len(inputs):
            raise input_error(self._specs, inputs)
        for codes, scales in self._pairs:
            if (arrays[codes] is None) != (arrays[scales] is None):
                raise InputError(
                    f"states '{self._specs[codes].name}' and '{self._specs[scales].name}' "
                    "are one cache: give both, or leave both out"
                )
        key = tuple([None if array is None else array.shape for array in arrays])
        try:
            frame = self._frames[key].pop()
        except (KeyError, IndexError):
            frame = self._new_frame(arrays)
        frame.point_inputs(arrays)
        return frame, arrays, key

    def _refuse_overlap(self, arrays: list[Any], out: Mapping[str, Array]) -> None:
        """Steps read inputs after they have begun to write outputs; states are copied first."""
        for (input_name, _, is_state), array in zip(self._expected, arrays, strict=True):
            if is_state:
                continue
            for name, room in out.items():
                if np.may_share_memory(array, room):
                    raise InputError(
                        f"out['{name}'] overlaps input '{input_name}'; give another array"
                    )

    def _new_frame(self, arrays: list[Any]) -> Frame:
        """Make a frame for shapes that were not seen, or whose frames are all in use."""
        with self._lock:
            if len(self._frames) > _MOST_FRAMES:
                self._frames = {}
        return Frame(self.inputs, self.outputs, arrays)
