"""How float operators become integer ones: one file per rule, found by itself.

A rule module has `ORDER`, a number (the least is tried first), and `rule(converter, value,
target)`, which makes `value` and returns it, or says why it cannot, or returns None where the value
is none of its business. See docs/integer.md.
"""

from __future__ import annotations

import importlib
import pkgutil

from edgemoe.integer.converter import Rule


def all_rules() -> list[Rule]:
    """Every rule of this package, in order."""
    found = []
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found.append((module.ORDER, info.name, module.rule))
    return [rule for _, _, rule in sorted(found, key=lambda each: each[:2])]
