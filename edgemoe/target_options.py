"""What lowering for a target depends on beside graphs, precision and tunings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgemoe.errors import OptionError
from edgemoe.plan import TensorInfo

if TYPE_CHECKING:
    from edgemoe.integer.strip_scales import Division


@dataclass(frozen=True)
class TargetOptions:
    """The options of families of targets, and facts of the model; see `edgemoe.compile`."""

    title: str = ""
    states: Sequence[TensorInfo] = ()
    max_ram: int | None = None  # bytes
    expert_slots: int | None = None
    objects: bool = False
    strips: Division | None = None  # that an integer program has been cut in

    def refuse_for_microcontrollers(self, target: str) -> None:
        """Raise OptionError where `target` is no microcontroller and an option is for those."""
        for option, given in (
            ("--max-ram", self.max_ram is not None),
            ("--expert-slots", self.expert_slots is not None),
            ("--objects", self.objects),
        ):
            if given:
                raise OptionError(f"{option} is for microcontrollers, target {target} is none")


NO_OPTIONS = TargetOptions()
