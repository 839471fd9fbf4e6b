"""The operators of an integer program by name; those of `operators` and `expert_operators`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

DOMAIN = "edgemoe.integer"

OPERATORS: dict[str, Callable[..., Array | tuple[Array, ...]]] = {}


def operator(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register a function under its name in CamelCase."""
    name = "".join(part.capitalize() for part in function.__name__.split("_"))
    OPERATORS[name] = function
    return function


def evaluate(name: str, inputs: Sequence[Array | None], attributes: dict[str, Any]) -> list[Array]:
    """The outputs of one node."""
    from edgemoe.integer import expert_operators, operators  # they register themselves

    del expert_operators, operators
    found = OPERATORS[name](*inputs, **attributes)
    return list(found) if isinstance(found, tuple) else [found]


def dtype_of(bits: int) -> str:
    """int8 or int16."""
    return f"int{bits}"
