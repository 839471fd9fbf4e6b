"""Find the graph passes and put them in order; no list of passes exists anywhere."""

from __future__ import annotations

import graphlib
import importlib
import pkgutil
from collections.abc import Iterable, Sequence

from edgemoe.errors import OptionError
from edgemoe.graph_pass import PHASES, GraphPass


def discover(extra: Sequence[GraphPass] = ()) -> list[GraphPass]:
    """Return every pass of `edgemoe.passes`, and those from outside the tree.

    Raises:
        OptionError: two passes have the same name.
    """
    import edgemoe.passes

    found: dict[str, GraphPass] = {}
    for info in pkgutil.iter_modules(edgemoe.passes.__path__):
        if not info.ispkg:
            module = importlib.import_module(f"edgemoe.passes.{info.name}")
            _collect(vars(module).values(), module.__name__, found)
    _collect(extra, "", found)
    return list(found.values())


def _collect(values: Iterable[object], module: str, found: dict[str, GraphPass]) -> None:
    for value in values:
        if not isinstance(value, GraphPass):
            continue
        if module and value.run.__module__ != module:
            continue  # imported from the file that declares it
        if value.name in found and found[value.name] is not value:
            raise OptionError(f"two passes are named {value.name!r}; rename one of them")
        found[value.name] = value


def ordered(passes: Iterable[GraphPass]) -> list[GraphPass]:
    """Sort by phase, then so that `after` holds, then by name.

    Raises:
        OptionError: a pass follows one that does not exist, or of another phase, or itself.
    """
    passes = list(passes)
    result: list[GraphPass] = []
    for phase in PHASES:
        members = {p.name: p for p in passes if p.phase == phase}
        for member in members.values():
            for name in member.after:
                if name not in members:
                    raise OptionError(
                        f"pass {member.name!r} says after={name!r}, but no pass of phase "
                        f"{phase!r} has that name"
                    )
        sorter = graphlib.TopologicalSorter({p.name: sorted(p.after) for p in members.values()})
        try:
            sorter.prepare()
        except graphlib.CycleError as error:
            chain = " -> ".join(error.args[1])
            raise OptionError(f"passes follow each other in a circle: {chain}") from error
        ready: list[str] = []
        while sorter.is_active():
            ready = sorted([*ready, *sorter.get_ready()])
            if ready:
                name = ready.pop(0)
                result.append(members[name])
                sorter.done(name)
    return result
