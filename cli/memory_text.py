"""The memory of a microcontroller's artifact as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgemoe.cli.console import size


def memory_lines(memory: Mapping[str, Any]) -> Iterator[str]:
    """Lines for flash, RAM and stack; nothing for artifacts that have none of these."""
    if "flash" not in memory:
        return
    flash, ram, stack = memory["flash"], memory["ram"], memory["stack"]
    known = [flash[name] for name in ("code", "constants") if flash[name] is not None]
    total = sum(known) + sum(flash["weights"].values())
    parts = [f"{name} {_bytes(flash[name])}" for name in ("code", "constants")]
    parts += [f"{role} weights {_bytes(nbytes)}" for role, nbytes in flash["weights"].items()]
    yield f"flash {_bytes(total)}{'' if known else ' without code'}: {', '.join(parts)}"
    own = {name: nbytes for name, nbytes in ram.items() if nbytes}
    yield f"RAM {_bytes(sum(own.values()))}: " + ", ".join(
        f"{name} {_bytes(nbytes)}" for name, nbytes in own.items()
    )
    if memory["compiler"] is None:
        yield "stack and code unknown: the target's compiler is not installed"
    elif stack is None:
        yield "stack unknown: the kernels are object files"
    else:
        beyond = f", beyond what {', '.join(stack['not counted'])} use" * bool(stack["not counted"])
        yield f"stack {_bytes(stack['bytes'])} at most below {stack['entry']}{beyond}"
        yield f"measured with {memory['compiler']}"


def _bytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,} B" if count < 10000 else size(count)
