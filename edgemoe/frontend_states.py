"""Find the states of a foreign model by the names that exporters give to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import onnx_ir as ir

_PAST = re.compile(r"^past_key_values?([._])(.*)$")


def find_states(model: ir.Model) -> tuple[dict[str, str], list[str]]:
    """Pair inputs with the outputs that become them in the next call.

    `X` with `X_out`, `past_key_values.N.key` with `present.N.key`, `past_X` with `present_X`,
    where dtype and shape are the same. Returns the pairs, and a note on every pair of names whose
    shapes differ: a cache that grows with each call is no state of a static model.
    """
    outputs = {str(value.name): value for value in model.graph.outputs}
    states: dict[str, str] = {}
    notes: list[str] = []
    for value in model.graph.inputs:
        name = str(value.name)
        other = next((o for make in _PARTNERS for o in make(name) if o in outputs), None)
        if other is None or other in states.values():
            continue
        new = outputs[other]
        if value.dtype == new.dtype and _same_shape(value, new):
            states[name] = other
        else:
            notes.append(
                f"{name} {value.dtype}{value.shape} -> {other} {new.dtype}{new.shape} is not kept "
                "as a state: type or shape differ from call to call"
            )
    return states, notes


def _same_shape(one: ir.Value, other: ir.Value) -> bool:
    if one.shape is None or other.shape is None or len(one.shape) != len(other.shape):
        return False
    return all(
        a == b and not (isinstance(a, ir.SymbolicDim) and a.value is None)
        for a, b in zip(one.shape, other.shape, strict=True)
    )


def _suffixed(name: str) -> Iterator[str]:
    yield f"{name}_out"


def _cache(name: str) -> Iterator[str]:
    match = _PAST.match(name)
    if match is not None:
        yield f"present{match.group(1)}{match.group(2)}"
        yield f"present_key_values{match.group(1)}{match.group(2)}"


def _past(name: str) -> Iterator[str]:
    if name.startswith("past_"):
        yield f"present_{name.removeprefix('past_')}"


_PARTNERS: tuple[Callable[[str], Iterator[str]], ...] = (_suffixed, _cache, _past)
