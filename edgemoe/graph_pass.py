"""What a graph pass is: a function over a model that says when it runs and what it keeps.

A pass lives in one file of `passes/`; nothing else lists it. `edgemoe.pass_runner` finds it,
orders it and checks that it told the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import onnx_ir as ir

from edgemoe.router_family import Matcher

Phase = Literal["import", "canonicalise", "recognise", "decide", "fuse"]
PHASES: tuple[Phase, ...] = ("import", "canonicalise", "recognise", "decide", "fuse")

Exactness = Literal["bits", "reassociation"]
"""`bits`: every output bit is kept. `reassociation`: sums may be taken in another order."""


@dataclass
class Note:
    """Something that a pass wants the user to know.

    `kind` is "matched" (a candidate was recognised), "missed" (the nearest miss, with the reason)
    or "warning" (skipped, fell back, stayed dense).
    """

    kind: Literal["matched", "missed", "warning"]
    subject: str  # what was looked at: "router", "experts", "attention", ...
    text: str  # one sentence
    node: str = ""  # name of the node where it was decided
    origin: str = ""  # PyTorch module path, "" when the file has none
    facts: dict[str, object] = field(default_factory=dict)  # k, E, form, ... for --json


@dataclass
class PassContext:
    """What the runner hands to every pass; passes append to `notes`.

    `routers` are the matchers of plug-ins by the name of the family.
    """

    notes: list[Note] = field(default_factory=list)
    routers: Mapping[str, Matcher] = field(default_factory=dict)


PassFunction = Callable[[ir.Model, PassContext], int]


@dataclass(frozen=True)
class GraphPass:
    """A pass with what it declares about itself; calling it returns the number of changes."""

    name: str
    phase: Phase
    after: tuple[str, ...]
    exact: Exactness
    run: PassFunction

    def __call__(self, model: ir.Model, context: PassContext) -> int:
        """Run the pass over `model` in place."""
        return self.run(model, context)


def graph_pass(
    *, phase: Phase, after: tuple[str, ...] = (), exact: Exactness = "bits"
) -> Callable[[PassFunction], GraphPass]:
    """Declare the decorated function to be a graph pass, named after the function.

    Args:
        phase: the phase it belongs to; phases run in the order of `PHASES`.
        after: names of passes of the same phase that must have run before.
        exact: what the pass keeps; the runner checks it with `--check`.
    """

    def declare(function: PassFunction) -> GraphPass:
        return GraphPass(function.__name__, phase, after, exact, function)

    return declare
