"""Dot products of activations with a static scale, which may be moved up by a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvm.ir import Expr

from edgemoe.targets.kernels.dots import Dot, Vnni, dot_of
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat


@dataclass(frozen=True)
class StaticVnni(Vnni):
    """`vpdpbusd` with unsigned inputs and signed codes.

    What the inputs are moved up by is a constant of the column then, not of the row, and nothing is
    done to the codes.
    """

    activation_bias = 128

    def bias(self, given: WeightFormat) -> int:
        """None: codes are multiplied as they are stored."""
        del given
        return 0

    def take(self, raw: Sequence[Expr], part: int, given: WeightFormat) -> Expr:
        """Four signed codes per word."""
        return Dot.take(self, raw, part, given)

    def add(
        self, total: Expr, codes: Expr, activations: Sequence[Expr], given: WeightFormat
    ) -> Expr:
        """One instruction, whose first factor is the unsigned one."""
        return super().add(total, activations[0], [codes], given)


def static_dot_of(isa: Isa) -> Dot:
    """The best dot product of an instruction set; activations are codes plus `activation_bias`."""
    return StaticVnni(isa.lanes) if isa.dot == "vnni" else dot_of(isa)
