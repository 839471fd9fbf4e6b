"""A session of a GPU artifact: everything stays on the device but inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgemoe.runtime.errors import DeviceError, RunError
from edgemoe.runtime.gpu_device import Device, Needs, open_device, parse
from edgemoe.runtime.gpu_memory import DeviceMemory
from edgemoe.runtime.gpu_program import read_program
from edgemoe.runtime.gpu_run import Run, Runner
from edgemoe.runtime.manifest import Manifest, check_files
from edgemoe.runtime.session import Hook, Session

Array = NDArray[Any]


class GpuSession(Session):
    """An opened artifact for a GPU; thread safe, usable in a `with` statement.

    There is one queue: runs take place in the order in which they were asked for, also those of
    `run_async` that are in flight at the same time. States stay on the device.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        device: str | None = None,
        *,
        check: bool = False,
        verify: bool = True,
        strict: bool = False,
    ) -> None:
        """Open the artifact in `folder`; the arguments are those of `load`."""
        self._memory: DeviceMemory | None = None
        self._waiter: ThreadPoolExecutor | None = None
        family = manifest.family
        if parse(device or family)[0] != family:
            raise DeviceError(
                f"artifact '{manifest.name}' is for {family}, it does not run on '{device}'; "
                f"compile it with -t {parse(str(device))[0]}"
            )
        self.path, self.manifest, self.strict = folder, manifest, strict
        check_files(folder, manifest, hashes=verify)
        needs = Needs.read(manifest.data)
        program = read_program(folder, needs.language)
        self._device: Device = open_device(device or family, needs, manifest.name)
        self._memory = DeviceMemory(self._device, folder, manifest, program)
        self._runner = Runner(self._device, program, self._memory, manifest)
        self._waiter = ThreadPoolExecutor(1, "edgemoe-gpu")  # its thread starts when it is used
        if check:
            from edgemoe.runtime.selftest import check_session

            check_session(self)

    @property
    def isa(self) -> str:
        """What the driver calls the device."""
        return self._device.info.name

    @property
    def device(self) -> str:
        """Family and number of the device, such as "opencl:0"."""
        return self._device.info.spec

    @property
    def threads(self) -> int:
        """Threads of the host; the device has its own."""
        return 1

    @threads.setter
    def threads(self, count: int) -> None:
        if count not in (1, -1):
            raise DeviceError(f"{self.device} needs one thread of the host, not {count}")

    @property
    def arena_bytes(self) -> int:
        """Bytes of activations on the device."""
        return self._opened().arena_bytes

    @property
    def state_bytes(self) -> int:
        """Bytes of states on the device."""
        return self._opened().state_bytes

    def reset(self) -> None:
        """Set the states that the session holds back to zeros."""
        self._opened()
        self._runner.reset()

    def run(
        self, inputs: Mapping[str, Array], out: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """Run the model once and wait; see `Session.run`.

        Raises:
            InputError: a name, dtype, shape, value or number of tokens does not fit.
            DeviceError: the device is lost, or has too little memory.
        """
        return self._runner.finish(self._enqueued(inputs, out))

    def run_async(
        self, inputs: Mapping[str, Array], out: Mapping[str, Array] | None = None
    ) -> Future[dict[str, Array]]:
        """Enqueue a run and return at once; in asyncio, `await asyncio.wrap_future(...)`.

        Several runs may be in flight; they take place in order. `inputs` must not change, and `out`
        not be read, before the result is there. Errors of inputs are raised at once.
        """
        run = self._enqueued(inputs, out)
        assert self._waiter is not None  # the session is open
        return self._waiter.submit(self._runner.finish, run)

    def run_hooked(self, inputs: Mapping[str, Array], hook: Hook) -> dict[str, Array]:
        """Run once and call `hook(info)` after every step, which has ended then."""
        return self._runner.finish(self._enqueued(inputs, None, hook=hook))

    def run_timed(self, inputs: Mapping[str, Array]) -> list[tuple[int, int, int]]:
        """Run once; returns (variant, step, nanoseconds) of every step on the device's clock."""
        times: list[tuple[int, int, int]] = []
        self._runner.finish(self._enqueued(inputs, None, times=times))
        return times

    def measure(self, *, threads: int = 1, seconds: float = 0.2) -> tuple[float, float]:
        """Measure the device: (GFLOP/s of float32 multiply-add, GB/s read)."""
        from edgemoe.runtime.gpu_measure import measure

        return measure(self._device, self.manifest.family, seconds)

    def close(self) -> None:
        """Free the device's memory; runs in flight are waited for."""
        if self._waiter is not None:
            self._waiter.shutdown()
            self._waiter = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def __repr__(self) -> str:
        names = "; ".join(str(spec) for spec in self.inputs)
        return f"<GpuSession '{self.manifest.name}' for {self.manifest.target}: {names}>"

    def _enqueued(
        self,
        inputs: Mapping[str, Array],
        out: Mapping[str, Array] | None,
        *,
        hook: Hook | None = None,
        times: list[tuple[int, int, int]] | None = None,
    ) -> Run:
        self._opened()
        return self._runner.enqueue(inputs, out, strict=self.strict, hook=hook, times=times)

    def _opened(self) -> DeviceMemory:
        if self._memory is None:
            raise RunError(f"the session of '{self.manifest.name}' is closed; load it again")
        return self._memory


def load_gpu(
    folder: Path,
    manifest: Manifest,
    *,
    device: str | None,
    threads: int,
    isa: str | None,
    check: bool,
    verify: bool,
    strict: bool,
) -> GpuSession:
    """`load` for the families "opencl" and "webgpu"."""
    if threads not in (1, -1) or isa not in (None, *manifest.isas):
        raise DeviceError(
            f"artifact '{manifest.name}' is for {manifest.target}: threads and instruction sets "
            "are of CPUs; choose the device with --device"
        )
    return GpuSession(folder, manifest, device, check=check, verify=verify, strict=strict)
