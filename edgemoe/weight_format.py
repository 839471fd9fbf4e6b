"""How the weights of a product are stored, and what the product does with its activations.

A format has a name that people type: `f32`, `bf16`, `f16`, `i8`, `i4`, `i3`, `i2`, `ternary`, with
options behind dots: `g32`, `g64`, `g128` (one scale per that many inputs of a column instead of one
per column), `zp` (zero points: codes need not lie around 0), `a32` (activations stay float32;
otherwise integer weights meet activations that are rounded to int8 as they come, per token),
`static` (8 bits without groups: activations have one scale per tensor, which calibration finds).
`bf16` and `f16` have one, `a16`: activations are rounded to the same 16 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edgemoe.errors import OptionError

Kind = Literal["float32", "bfloat16", "float16", "integer", "ternary"]

GROUPS = (32, 64, 128)
"""Inputs that may share a scale."""

DEFAULT_GROUP = 32
"""The group of formats below 8 bits when none is asked for."""


@dataclass(frozen=True)
class WeightFormat:
    """`bits` per weight; `group` inputs share a scale, 0: a whole column does.

    `zero_points` store the code of 0 per group. `int8_activations` says that products round their
    rows to int8, with a scale per row (and per group, where the format has groups), or with
    `static_activations` one scale and zero point per tensor, known when the model is compiled.
    `half_activations` says that they round them to the 16 bits that the weights have.
    """

    kind: Kind
    bits: int
    group: int = 0
    zero_points: bool = False
    int8_activations: bool = False
    half_activations: bool = False
    static_activations: bool = False

    @property
    def is_integer(self) -> bool:
        """Tell whether weights are integer codes with scales."""
        return self.kind in ("integer", "ternary")

    @property
    def pairs_inputs(self) -> bool:
        """Tell whether inputs are multiplied two by two: weights and rows are bfloat16."""
        return self.half_activations and self.kind == "bfloat16"

    @property
    def zero(self) -> int:
        """The code of 0 where no zero point is stored."""
        return 1 if self.kind == "ternary" else 1 << (self.bits - 1)

    @property
    def largest_code(self) -> int:
        """Codes are 0 to this."""
        return 2 if self.kind == "ternary" else (1 << self.bits) - 1

    @property
    def name(self) -> str:
        """The name that `parse` reads; equal formats have equal names."""
        short = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "ternary": "ternary"}
        parts = [short.get(self.kind, f"i{self.bits}")]
        if self.group and not (self.group == DEFAULT_GROUP and self.bits < 8):
            parts.append(f"g{self.group}")
        if self.zero_points:
            parts.append("zp")
        if self.is_integer and not self.int8_activations:
            parts.append("a32")
        if self.half_activations:
            parts.append("a16")
        if self.static_activations:
            parts.append("static")
        return ".".join(parts)

    @property
    def stored(self) -> str:
        """What lies in the file: a dtype, or the format's name."""
        return self.name if self.is_integer or self.half_activations else self.kind

    def __str__(self) -> str:
        """The format's name."""
        return self.name

    def for_depth(self, depth: int) -> WeightFormat:
        """The same format with a group no larger than `depth` inputs need."""
        if not self.group or self.group == GROUPS[0]:
            return self
        fitting = next((g for g in GROUPS if g >= depth), GROUPS[-1])
        return replace(self, group=min(self.group, fitting))


F32 = WeightFormat("float32", 32)
BF16 = WeightFormat("bfloat16", 16)
BF16_A16 = WeightFormat("bfloat16", 16, half_activations=True)
F16 = WeightFormat("float16", 16)
F16_A16 = WeightFormat("float16", 16, half_activations=True)
I8 = WeightFormat("integer", 8, int8_activations=True)
I4 = WeightFormat("integer", 4, DEFAULT_GROUP, int8_activations=True)
I3 = WeightFormat("integer", 3, DEFAULT_GROUP, int8_activations=True)
I2 = WeightFormat("integer", 2, DEFAULT_GROUP, int8_activations=True)
TERNARY = WeightFormat("ternary", 2, DEFAULT_GROUP, int8_activations=True)

BASES = {
    "f32": F32, "bf16": BF16, "f16": F16, "i8": I8, "i4": I4, "i3": I3, "i2": I2,
    "ternary": TERNARY,
}  # fmt: skip
"""Formats by the first part of their names."""

OPTIONS = "g32, g64, g128, zp, a32"
STATIC = "static"


def parse(text: str) -> WeightFormat:
    """Read a format's name.

    Raises:
        OptionError: there is no such format, or an option that it does not have.
    """
    base, *options = text.split(".")
    if base not in BASES:
        raise OptionError(
            f"--precision {text}: there is no format '{base}'; formats are auto, "
            f"{', '.join(BASES)}, with options of integer formats behind dots ({OPTIONS}): i4.g64"
        )
    found = BASES[base]
    for option in options:
        group = option[1:]
        if found.bits == 16 and option == "a16":
            found = replace(found, half_activations=True)
            continue
        if not found.is_integer:
            has = "no options" if found.bits != 16 else f"no option '{option}', but a16"
            raise OptionError(f"--precision {text}: {base} has {has}; write {base}")
        if option == "zp" and found.kind != "ternary":
            found = replace(found, zero_points=True, group=found.group or GROUPS[-1])
        elif option == "a32":
            found = replace(found, int8_activations=False)
        elif option == STATIC and found.bits == 8:
            found = replace(found, static_activations=True)
        elif option[:1] == "g" and group.isdecimal() and int(group) in GROUPS:
            found = replace(found, group=int(group))
        else:
            has = OPTIONS.replace("zp, ", "") if found.kind == "ternary" else OPTIONS
            has += f", {STATIC}" if found.bits == 8 else ""
            raise OptionError(f"--precision {text}: {base} has no option '{option}', but {has}")
    if found.static_activations and found != replace(I8, static_activations=True):
        raise OptionError(
            f"--precision {text}: static activations have one scale per tensor, and weights one "
            f"per column\n  next: write i8.{STATIC}, or leave {STATIC} out"
        )
    return found
