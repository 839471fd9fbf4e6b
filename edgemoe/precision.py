"""Which weights are stored how: one format for all, and another for some by name.

Lowering asks for the format of a *unit*: the weights that one kernel call reads as one packed
stream, which can only have one format. So the units of a model are what lowering asked for.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from numpy.typing import NDArray

from edgemoe.errors import OptionError
from edgemoe.integer.quantised import Quantised
from edgemoe.quantise import Codes, Rounder, quantise
from edgemoe.weight_format import F32, WeightFormat, parse

Array = NDArray[Any]

ExpertRounder = Callable[[int, Array, WeightFormat], Codes]
"""The same for expert number `e`; 0 where a weight has no experts."""

Role = Literal["linear", "router", "expert", "token_mix", "constant"]

KEPT = {"router": F32, "constant": F32}
"""Formats of roles that the default does not reach.

A router decides by small differences, and is a fraction of the bytes. Constants (biases, norms,
tables) in 16 bits are widened in every call, which a search may find to be worth it.
"""

LEAST_CONSTANT = 512
"""Elements of a constant that is a unit: smaller ones are not worth a step."""


TABLE = "constant:"
"""Before the name of a constant: a tied embedding is a table and the weight of a product."""


@dataclass(frozen=True)
class Unit:
    """Weights that have one format, because one kernel call reads them as one stream.

    `names` are the weights in the graph, `transposed` says of each whether its rows (the outputs)
    lie along the last axis; where `experts` is not 0, their first axis is the expert. `depth` are
    the inputs of an output, `columns` the outputs of all weights together, `macs` the
    multiply-accumulates of one call, `origin` the module.
    """

    names: tuple[str, ...]
    role: Role
    depth: int
    columns: int
    transposed: tuple[bool, ...]
    experts: int = 0
    macs: int = field(default=0, compare=False)
    origin: str = field(default="", compare=False)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self.depth * self.columns * max(1, self.experts)

    @property
    def title(self) -> str:
        """The first weight's name, for people."""
        return self.names[0] + (f" and {len(self.names) - 1} more" if len(self.names) > 1 else "")


@dataclass(frozen=True)
class Pin:
    """A format for all weights whose name, or module, matches a shell pattern."""

    pattern: str
    given: WeightFormat

    def matches(self, unit: Unit) -> bool:
        """Tell whether one of the weights, their module or their role has the pattern."""
        words = (*unit.names, unit.origin, unit.role)
        return any(fnmatch.fnmatchcase(word, self.pattern) for word in words)


@dataclass
class Precision:
    """Formats and roundings of the weights of a model; `asked` collects the units.

    A pin comes before a format by name, which comes before the default. `activations` are the
    scales of what is multiplied with a weight, by its name, for formats with static ones; a unit
    without, and experts, whose rows are rounded as they come, have the dynamic format.
    """

    default: WeightFormat = F32
    formats: Mapping[str, WeightFormat] = field(default_factory=dict)
    rounders: Mapping[str, ExpertRounder] = field(default_factory=dict)
    pins: Sequence[Pin] = ()
    activations: Mapping[str, Quantised] = field(default_factory=dict)
    asked: dict[tuple[str, ...], Unit] = field(default_factory=dict)
    matched: set[str] = field(default_factory=set)  # patterns of pins that were of use

    def choose(self, unit: Unit) -> WeightFormat:
        """The format of a unit; raises OptionError where its weights are given different ones."""
        self.asked.setdefault(unit.names, unit)
        found = self.wanted(unit)
        if found.static_activations and self.scale_of(unit) is None:
            return replace(found, static_activations=False)
        return found

    def scale_of(self, unit: Unit) -> Quantised | None:
        """The static scale of what is multiplied with a unit; None for a scale per row."""
        return None if unit.role == "expert" else self.activations.get(unit.names[0])

    def wanted(self, unit: Unit) -> WeightFormat:
        """The format of a unit before it is known whether its activations have static scales."""
        for pin in self.pins:
            if pin.matches(unit):
                self.matched.add(pin.pattern)
                return pin.given.for_depth(unit.depth)
        named = {self.formats[name] for name in unit.names if name in self.formats}
        if len(named) > 1:
            raise OptionError(
                f"{', '.join(unit.names)} are read as one stream and need one format, not "
                f"{', '.join(sorted(map(str, named)))}\n  next: give all of them the same"
            )
        found = named.pop() if named else KEPT.get(unit.role, self.default)
        return found.for_depth(unit.depth)

    def rounder(self, name: str, expert: int = 0) -> Rounder:
        """What rounds a weight to the codes of an integer format."""
        found = self.rounders.get(name)
        return quantise if found is None else partial(found, expert)

    def key(self, name: str) -> object:
        """What tells the packed bytes of a weight from those of another with equal elements."""
        return name if name in self.rounders else None

    @property
    def title(self) -> str:
        """The format of all units, or how many formats they have."""
        if not self.asked or not (self.formats or self.pins):
            return "mixed" if self.formats else self.default.stored
        chosen = {self.choose(unit).stored for unit in self.asked.values()}
        return chosen.pop() if len(chosen) == 1 else f"mixed ({', '.join(sorted(chosen))})"

    def refuse_unmatched_pins(self) -> None:
        """Raise OptionError for a pin that no weight matches, once lowering has asked for all."""
        for pin in self.pins:
            if pin.pattern not in self.matched:
                names = ", ".join(sorted(name for names in self.asked for name in names)[:12])
                raise OptionError(
                    f"--precision {pin.pattern}={pin.given}: no weight, module or role matches "
                    f"{pin.pattern!r}; weights: {names}, ..."
                )

    @property
    def rounds(self) -> bool:
        """Tell whether any unit that was asked for is stored as anything but float32."""
        return any(self.choose(unit) != F32 for unit in self.asked.values())

    def widest_error(self, bound: Callable[[WeightFormat], float]) -> float:
        """The largest `bound` over the formats of the units that were asked for."""
        chosen = {self.choose(unit) for unit in self.asked.values()}
        return max((bound(given) for given in chosen), default=bound(self.default))


def parse_pins(text: str) -> tuple[str, tuple[Pin, ...]]:
    """Read `i8,*.router=f32,layers.0.*=i4.g64` as the format for the rest and the pins.

    The format for the rest is "auto" where only pins are given.

    Raises:
        OptionError: two formats for the rest, or a format that does not exist.
    """
    rest: list[str] = []
    pins: list[Pin] = []
    for part in filter(None, (word.strip() for word in text.split(","))):
        pattern, equals, name = part.rpartition("=")
        if not equals:
            rest.append(name)
            continue
        if not pattern:
            raise OptionError(
                f"--precision {text}: a pattern is missing before '='; '*.router=f32'"
            )
        pins.append(Pin(pattern, parse(name)))
    if len(rest) > 1:
        raise OptionError(
            f"--precision {text}: {' and '.join(rest)} are two formats for the same weights; give "
            "one, and pins such as '*.router=f32' behind commas"
        )
    if rest and rest[0] != "auto":
        parse(rest[0])  # refused here, before a model is read
    return (rest[0] if rest else "auto"), tuple(pins)
