"""What static scales of activations became of, as the text that `compile` and `inspect` print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORTH_SAYING = 1e-3
"""A product is named when more of its inputs than this saturate on calibration data."""

SHOWN = 8
"""Names that a line has at most."""


def static_text(report: Mapping[str, Any], *, verbose: bool) -> str:
    """How many products have static scales, which do not, and what calibration did not cover."""
    static, experts, unseen = report["static"], report["experts"], report["never_seen"]
    lines = [f"static scales from {report['samples']} samples for {len(static)} products"]
    if experts:
        lines[0] += f"; {len(experts)} products of experts round their rows as they come"
    beyond = [f"{row['weight']} {row['saturated']:.2%}" for row in static
              if row["saturated"] > WORTH_SAYING]  # fmt: skip
    if beyond:
        lines.append(f"beyond the range in calibration, saturated: {_some(beyond, verbose)}")
    if unseen:
        lines.append(
            f"{len(unseen)} products never seen in calibration round their rows as they come: "
            + _some(unseen, verbose)
        )
    if verbose:
        lines += [
            f"{row['weight']}: {row['low']:.6g} to {row['high']:.6g}, scale {row['scale']:.6g}, "
            f"zero point {row['zero_point']}" + (f", {row['origin']}" if row["origin"] else "")
            for row in static
        ]
    return "".join(f"  {line}\n" for line in lines)


def _some(names: list[str], verbose: bool) -> str:
    shown = names if verbose else names[:SHOWN]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
