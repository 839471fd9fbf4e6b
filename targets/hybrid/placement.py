"""Where each operation runs: by its measured time on either device, and what crossing costs.

Duplex (Yun et al., 2024, section 4) sends operations of low arithmetic intensity to the device with
more bandwidth and the others to the one with more arithmetic. Which is which is measured here, not
assumed: every operation has run on both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgemoe.targets import middle
from edgemoe.targets.hybrid.joint_program import Device

DEVICES: tuple[Device, Device] = ("cpu", "gpu")


@dataclass(frozen=True)
class Link:
    """Copies between the devices: seconds for the first byte, and bytes per second after it."""

    latency: float
    bandwidth: float

    def seconds(self, nbytes: int) -> float:
        """The time of one copy."""
        return self.latency + nbytes / self.bandwidth


@dataclass(frozen=True)
class Placement:
    """The device of every operation, and the time that is expected for all of them.

    `alone` are the times of one device for everything.
    """

    places: tuple[Device, ...]
    seconds: float
    alone: dict[Device, float]


def place(
    straight: middle.StraightList, seconds: dict[Device, Sequence[float]], fixed: dict[int, Device],
    link: Link, together: Iterable[Sequence[int]] = (),
) -> Placement:  # fmt: skip
    """The cheapest device for every operation, by dynamic programming over their order.

    Changing the device between two operations costs a copy of every tensor that is computed before
    and still needed after; what the other device has already is counted as if it were not there.

    Args:
        straight: the operations, in their order.
        seconds: the time of every operation on either device.
        fixed: operations that can run on one device only.
        link: copies between the devices.
        together: operations that are one step on one of the devices, such as those of a mixer
            block: they go to the same one, and what is between them.
    """
    crossing = [sum(link.seconds(nbytes) for nbytes in alive) for alive in _alive(straight)]
    for inside in together:
        for number in range(min(inside) + 1, max(inside) + 1):
            crossing[number] = float("inf")
    best: dict[Device, float] = dict.fromkeys(DEVICES, 0.0)
    chosen: list[dict[Device, Device]] = []
    for number in range(len(straight.operations)):
        now: dict[Device, float] = {}
        came: dict[Device, Device] = {}
        for device in DEVICES:
            own = seconds[device][number]
            if fixed.get(number, device) != device:
                own = float("inf")
            before = {
                d: best[d] + (0.0 if d == device or number == 0 else crossing[number])
                for d in DEVICES
            }
            came[device] = min(DEVICES, key=lambda d: before[d])
            now[device] = before[came[device]] + own
        best = now
        chosen.append(came)
    end = min(DEVICES, key=lambda d: best[d])
    places, device = [end], end
    for number in range(len(chosen) - 1, 0, -1):
        device = chosen[number][device]
        places.append(device)
    alone = {d: sum(seconds[d]) for d in DEVICES}
    return Placement(tuple(reversed(places))[: len(straight.operations)], best[end], alone)


def _alive(straight: middle.StraightList) -> list[list[int]]:
    """Bytes of the tensors that are computed before each operation and needed from it on."""
    import numpy as np

    roots: dict[int, int] = {}

    def root(number: int) -> int:
        while number in roots:
            number = roots[number]
        return number

    made: dict[int, int] = {}
    last: dict[int, int] = {}
    for position, operation in enumerate(straight.operations):
        if isinstance(operation, middle.View):
            roots[operation.output] = operation.input
            continue
        for number in operation.inputs:
            last[root(number)] = position
        for number in operation.outputs:
            made[number] = position
    for number in straight.outputs:
        if root(number) in made:  # results are copied to the caller in any case
            last.setdefault(root(number), made[root(number)])
    found = []
    for position in range(len(straight.operations)):
        found.append([
            int(np.prod(straight.values[n].shape, dtype=np.int64)) * 4
            for n, begun in made.items() if begun < position <= last.get(n, -1)
        ])  # fmt: skip
    return found
