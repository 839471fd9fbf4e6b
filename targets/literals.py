"""Float constants in generated text: TVM prints seven digits, which is not always enough."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np
from tvm import tirx
from tvm.ir import Expr

LITERAL = "EM_LITERAL_"
"""`EM_LITERAL_3()` in the generated text stands for literal number 3."""


@dataclass
class Literals:
    """The float constants of a module as C text, by number."""

    texts: list[str] = field(default_factory=list)

    def call(self, value: tirx.FloatImm) -> Expr:
        """An expression that the generator prints as a place holder."""
        dtype = str(value.ty)
        self.texts.append(float_literal(float(value.value), dtype))
        return tirx.call_pure_extern(dtype, f"{LITERAL}{len(self.texts) - 1}")

    def restore(self, text: str) -> str:
        """`text` with the literals in their places."""
        return re.sub(rf"{LITERAL}(\d+)\(\)", lambda m: self.texts[int(m[1])], text)


def float_literal(value: float, dtype: str = "float32") -> str:
    """The shortest C99 text that gives back the very float."""
    suffix = "f" if dtype == "float32" else ""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    text = str(np.float32(value)) if suffix else repr(value)
    if "." not in text and "e" not in text:
        text += ".0"
    text += suffix
    return f"({text})" if text.startswith("-") else text
