"""A router family from outside the tree: a function that understands, or declines, a router."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgemoe.routing import Route, RouterSite

Matcher = Callable[[RouterSite], Route | str]


@dataclass(frozen=True)
class RouterFamily:
    """A matcher and the name that explanations and artifacts give to what it matches."""

    name: str
    match: Matcher


def router_family(function: Matcher) -> RouterFamily:
    """Declare the decorated function to be a router family, named after the function.

    It gets a `RouterSite` and returns a `Route`, or a string: the reason for declining. Families of
    plug-ins are asked before ours.
    """
    return RouterFamily(function.__name__, function)
