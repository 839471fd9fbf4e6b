"""Which products are tuned for: sizes that models have, those that a user names, or a model's."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgemoe.errors import OptionError
from edgemoe.targets.tuning.problem import Problem
from edgemoe.weight_format import WeightFormat, parse

Sizes = tuple[int, int, int]

ROWS = (1, 4, 16, 64)
SIZES = ((128, 128), (512, 512), (1024, 2048))
"""Rows, and (depth, columns), of the products that are tuned for by default."""

FORMATS = ("f32", "i8", "i4")


def formats_of(text: str) -> list[WeightFormat]:
    """Read "f32,i8,i4"; raises OptionError."""
    return [parse(name) for name in text.split(",")]


def sizes_of(text: str) -> list[Sizes]:
    """Read "ROWSxDEPTHxCOLUMNS,..."; raises OptionError."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,6})x(\d{1,6})x(\d{1,6})", part.strip())
        numbers = [int(n) for n in match.groups()] if match else [0]
        if min(numbers) < 1:
            raise OptionError(
                f"--shapes {part}: no shape; give ROWSxDEPTHxCOLUMNS, such as 8x512x1024"
            )
        found.append((numbers[0], numbers[1], numbers[2]))
    return found


def problems_of(sizes: Sequence[Sizes], formats: Sequence[WeightFormat]) -> list[Problem]:
    """Both kernels for every size and format."""
    return [
        Problem(kernel, given.for_depth(depth), rows, depth, columns)
        for given in formats for kernel in ("linear", "experts") for rows, depth, columns in sizes
    ]  # fmt: skip


def default_problems(formats: Sequence[WeightFormat]) -> list[Problem]:
    """What is tuned for when nothing is said: `linear` alone, which stands in for experts."""
    sizes = [(rows, depth, columns) for rows in ROWS for depth, columns in SIZES]
    return [p for p in problems_of(sizes, formats) if p.kernel == "linear"]
