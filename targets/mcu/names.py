"""Names in the generated C: of the model, its tensors and its macros."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgemoe.plan import Plan, TensorInfo

_KEYWORDS = frozenset(
    {
        *("auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else"),
        *("enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register"),
        *("restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch"),
        *("typedef", "union", "unsigned", "void", "volatile", "while", "asm", "bool", "true"),
        *("false", "arena", "main", "trip", "count"),
    }
)


def identifier(text: str) -> str:
    """The nearest C identifier: `my-model.2` -> `my_model_2`."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "model"
    name = f"m_{name}" if name[0].isdigit() else name
    return f"{name}_" if name in _KEYWORDS or name.startswith("em_") else name


@dataclass(frozen=True)
class Names:
    """`prefix` begins every symbol, `macro` every macro; tensors by their name in the model."""

    prefix: str
    macro: str
    tensors: dict[str, str]

    def macro_of(self, info: TensorInfo) -> str:
        """Beginning of the macros of a tensor: `DIGITS_IMAGE`."""
        return f"{self.macro}_{self.tensors[info.name].upper()}"


def names_of(plan: Plan) -> Names:
    """Names for a plan; equal ones get a number."""
    prefix = identifier(plan.name)
    return Names(prefix, prefix.upper(), _distinct([x.name for x in (*plan.inputs, *plan.outputs)]))


def _distinct(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, number = identifier(text), 1
        while name in found.values():
            number += 1
            name = f"{identifier(text)}_{number}"
        found[text] = name
    return found
