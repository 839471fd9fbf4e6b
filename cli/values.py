"""Parses the values of options: ratios, sizes, token counts, shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import typer

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def ratio(text: str | None) -> float | None:
    """Parse "0.5%" or "0.005"."""
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise typer.BadParameter(f"{text!r} is no ratio; give for example 0.5% or 0.005")
    return value


def nbytes(text: str | None) -> int | None:
    """Parse "1000000", "500K", "1.5M" or "2MiB"."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size; give for example 1000000, 500K or 2M")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def token_counts(text: str | None) -> list[int] | None:
    """Parse "1,8,64"; ascending and without repetition."""
    if text is None:
        return None
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = [0]
    if counts[0] < 1:
        raise typer.BadParameter(f"{text!r} are no token counts; give for example 1,8,64")
    return counts


def shapes(items: Sequence[str]) -> dict[str, int | tuple[int, ...]]:
    """Parse "T=8" (a symbolic dimension) and "x=1x512x7" (an input)."""
    result: dict[str, int | tuple[int, ...]] = {}
    for item in items:
        match = re.fullmatch(r"([^=]+)=(\d+(?:x\d+)*)", item)
        if match is None:
            raise typer.BadParameter(f"{item!r} is no shape; give for example T=8 or x=1x512x7")
        extents = tuple(int(part) for part in match[2].split("x"))
        result[match[1]] = extents if "x" in match[2] else extents[0]
    return result


def pruning(text: str) -> str:
    """Check "auto", "none" or a ratio below 1."""
    if text not in ("auto", "none"):
        value = ratio(text)
        if value is None or value >= 1:
            raise typer.BadParameter(f"{text!r}: give auto, none or a ratio below 1, such as 25%")
    return text


def controls(items: Sequence[str]) -> dict[str, str]:
    """Parse "dense=small.onnx"; each name once."""
    result: dict[str, str] = {}
    for item in items:
        name, equals, model = item.partition("=")
        if not equals or not name or not model:
            raise typer.BadParameter(f"{item!r} is no control; give for example dense=small.onnx")
        if name in result:
            raise typer.BadParameter(f"{item!r}: there is another control of the name {name}")
        result[name] = model
    return result


def groups(items: Sequence[str]) -> dict[str, str]:
    """Parse "domain=code"."""
    result: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name or not value:
            raise typer.BadParameter(f"{item!r} is no group; give for example domain=code")
        result[name] = value
    return result
