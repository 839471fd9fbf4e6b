"""A session of a microcontroller's artifact: on this machine, or on the core in an emulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import DeviceError, InputError, RunError
from edgemoe.runtime.manifest import Manifest, TensorSpec, check_files
from edgemoe.runtime.mcu_arrays import dequantised, prepared
from edgemoe.runtime.session import Hook, Session

Array = NDArray[Any]

DEVICES = ("host", "qemu")


class Device(Protocol):
    """Where the generated C runs."""

    name: str

    def run(self, inputs: Mapping[str, Array], *, reset: bool) -> dict[str, Array]:
        """Run once on checked arrays, from fresh states if `reset`."""

    def close(self) -> None:
        """Stop it."""


class McuSession(Session):
    """An opened artifact for a microcontroller; usable in a `with` statement.

    It has one arena and one set of states, as the device has: calls are not thread safe.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        device: str = "host",
        *,
        check: bool = False,
        verify: bool = True,
        strict: bool = False,
    ) -> None:
        """Open the artifact in `folder`; the arguments are those of `load`."""
        self._device: Device | None = None
        if device not in DEVICES:
            raise DeviceError(
                f"there is no device '{device}' for this artifact; it runs on: {', '.join(DEVICES)}"
            )
        self.path, self.manifest, self.strict = folder, manifest, strict
        check_files(folder, manifest, hashes=verify)
        self._device = _open(device, folder, manifest)
        self._fresh = True
        if check:
            from edgemoe.runtime.selftest import check_session

            check_session(self)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `run` takes; states are kept on the device."""
        return self.manifest.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What the model computes; `run` returns those that are no states."""
        return self.manifest.outputs

    @property
    def buckets(self) -> tuple[int, ...]:
        """Shapes are static: there are no token counts to choose from."""
        return ()

    @property
    def isa(self) -> str:
        """The core that the code was generated for, and where it runs."""
        return self.manifest.isas[0]

    @property
    def device(self) -> str:
        """Where it runs: "host" or "qemu"."""
        return self._opened().name

    @property
    def threads(self) -> int:
        """A microcontroller has one."""
        return 1

    @threads.setter
    def threads(self, count: int) -> None:
        if count not in (1, -1):
            raise DeviceError(f"{self.manifest.target} has one thread, not {count}")

    @property
    def arena_bytes(self) -> int:
        """Bytes of the arena."""
        return int(self.manifest.data["memory"]["arena_bytes"])

    @property
    def state_bytes(self) -> int:
        """Bytes of the states."""
        return int(self.manifest.data["mcu"]["state_bytes"])

    def reset(self) -> None:
        """Set the states back to zeros before the next run."""
        self._fresh = True

    def run(
        self, inputs: Mapping[str, Array], out: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """Run the model once.

        Args:
            inputs: an array per input that is no state. An integer input with a scale may be given
                as floats; then integer outputs with a scale come back as floats, as they do where
                no input but states has a scale.
            out: arrays to write outputs to, of the integers or of floats.

        Returns:
            An array per output that is no state.

        Raises:
            InputError: a name, dtype, shape or value does not fit.
            RunError: the device stopped.
        """
        device = self._opened()
        arrays, floats, states = prepared(self.inputs, inputs, strict=self.strict)
        results = device.run(arrays, reset=self._fresh or states)
        self._fresh = False
        if self._as_floats(floats, out):
            specs = {spec.name: spec for spec in self.outputs}
            results = {
                name: array if specs[name].scale is None else dequantised(array, specs[name])
                for name, array in results.items()
            }
        return results if out is None else _written(results, out)

    def _as_floats(self, floats: bool, out: Mapping[str, Array] | None) -> bool:
        """Whether outputs are wanted as floats: `out` says so, or what was given for inputs."""
        if out is not None:
            return any(room.dtype.kind == "f" for room in out.values())
        given = [spec for spec in self.inputs if spec.state_output is None]
        return floats or all(spec.scale is None for spec in given)

    def run_many(self, feeds: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
        """Run samples one after another, each from fresh states."""
        results = []
        for feed in feeds:
            self.reset()
            results.append(self.run(feed))
        return results

    def run_hooked(self, inputs: Mapping[str, Array], hook: Hook) -> dict[str, Array]:
        """Not there: the C of a microcontroller calls nobody between its steps."""
        raise DeviceError(
            f"'{self.manifest.name}' cannot be watched step by step on {self.device}; "
            "edgemoe profile --device qemu counts the instructions of every step"
        )

    def run_timed(self, inputs: Mapping[str, Array]) -> list[tuple[int, int, int]]:
        """Not there, as `run_hooked`."""
        raise DeviceError(
            f"'{self.manifest.name}' has no clock on {self.device}; edgemoe profile --device qemu "
            "counts the instructions of every step"
        )

    def close(self) -> None:
        """Stop the device."""
        if self._device is not None:
            self._device.close()
            self._device = None

    def __enter__(self) -> McuSession:
        """Return the session; it is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        names = "; ".join(str(spec) for spec in self.inputs)
        return f"<McuSession '{self.manifest.name}' for {self.manifest.target}: {names}>"

    def _opened(self) -> Device:
        if self._device is None:
            raise RunError(f"the session of '{self.manifest.name}' is closed; load it again")
        return self._device


def _open(device: str, folder: Path, manifest: Manifest) -> Device:
    if device == "host":
        from edgemoe.runtime.mcu_host import HostDevice

        return HostDevice(folder, manifest)
    from edgemoe.runtime.mcu_qemu import QemuDevice

    return QemuDevice(folder, manifest)


def _written(results: dict[str, Array], out: Mapping[str, Array]) -> dict[str, Array]:
    for name, room in out.items():
        if name not in results:
            raise InputError(
                f"out has '{name}', which is no output; the outputs are {', '.join(results)}"
            )
        got = results[name]
        if room.shape != got.shape or room.dtype != got.dtype:
            raise InputError(
                f"out['{name}'] is {room.dtype} {list(room.shape)}, expected {got.dtype} "
                f"{list(got.shape)}"
            )
        np.copyto(room, got)
        results[name] = room
    return results
