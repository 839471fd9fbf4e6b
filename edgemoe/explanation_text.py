"""An explanation as text for people: at most 100 columns, what is alike in all layers only once."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from edgemoe.explanation import Candidate, Explanation, percent
from edgemoe.fold_layers import Folded, fold, place_of

WIDTH = 100
_BOLD, _YELLOW = 1, 33
_GENERIC_SHOWN = 8


class _Text:
    """Collects lines."""

    def __init__(self, colour: bool) -> None:
        self.lines: list[str] = []
        self._colour = colour

    def title(self, text: str, code: int = _BOLD) -> None:
        self.lines.append(f"\033[{code}m{text}\033[0m" if self._colour else text)

    def add(self, text: str, indent: int = 2, hang: int = 2) -> None:
        self.lines += textwrap.wrap(
            text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + hang),
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip

    def warn(self, text: str) -> None:
        lines = textwrap.wrap(f"warning: {text}", WIDTH, subsequent_indent="  ",
                              break_long_words=False, break_on_hyphens=False)  # fmt: skip
        head = lines[0]
        if self._colour:
            head = head.replace("warning:", f"\033[{_YELLOW}mwarning:\033[0m", 1)
        self.lines += [head, *lines[1:]]


def render(explanation: Explanation, *, verbose: bool = False, colour: bool = False) -> str:
    """Return an explanation as text.

    Args:
        explanation: what was found.
        verbose: show every layer and every generic node.
        colour: with ANSI colours, for a terminal.
    """
    text = _Text(colour)
    for matched, title in ((True, "Recognised"), (False, "Not recognised (nearest miss)")):
        found = [c for c in explanation.candidates if c.matched is matched]
        if found:
            text.title(title, _BOLD if matched else _YELLOW)
        for entry in [Folded((c,), place_of(c)) for c in found] if verbose else fold(found):
            _entry(text, entry)
    _census(text, explanation)
    _coverage(text, explanation, verbose)
    for warning in explanation.warnings:
        text.warn(warning)
    return "\n".join(text.lines) + "\n"


def _entry(text: _Text, entry: Folded) -> None:
    first = entry.candidates[0]
    text.add(f"{first.subject:8} {first.text}", hang=9)
    if entry.where:
        text.add(_where(entry), indent=11)
    for line in _details(first):
        text.add(line, indent=11)


def _where(entry: Folded) -> str:
    first, count = entry.candidates[0], len(entry.candidates)
    if count > 1:
        return f"{count} layers: {entry.where}"
    named = first.origin and first.node and not first.matched
    return f"at {entry.where}, node {first.node}" if named else f"at {entry.where}"


def _details(candidate: Candidate) -> list[str]:
    facts = candidate.facts
    lines = []
    if candidate.subject == "router" and candidate.matched and (line := _router(facts)):
        lines.append(line)
    reasons = facts.get("reasons")
    if isinstance(reasons, dict):
        lines += [f"{family}: {reason}" for family, reason in sorted(reasons.items())]
    weights = facts.get("weights")
    if isinstance(weights, list | tuple) and weights:
        nbytes = facts.get("weight_nbytes")
        size = f", {nbytes:,} B" if isinstance(nbytes, int) else ""
        lines.append(f"weights {_some(weights)}{size}")
    shared = facts.get("shared_experts")
    if isinstance(shared, dict):
        gated = "gated by a sigmoid" if shared["gated"] else "added as they are"
        lines.append(
            f"shared experts: {shared['count']}, {gated}; weights {_some(shared['weights'])}, "
            f"{shared['weight_nbytes']:,} B"
        )
    return lines


def _some(names: Sequence[Any], most: int = 6) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + rest


def _router(facts: dict[str, Any]) -> str:
    shown = ("score", "k", "bias", "groups", "top_groups", "group_score", "masked", "renormalise",
             "eps", "eps_mode", "scale", "softmax_after", "sigmoid_after", "gamma", "norm",
             "expert_scale", "skip_from", "applied_to", "jitter", "shared", "capacity",
             "temperature", "threshold", "select")  # fmt: skip
    plain = {"groups": 1, "top_groups": 1, "scale": 1.0, "renormalise": "none", "eps": 0.0,
             "select": "topk"}  # fmt: skip
    hidden = {name for name in ("group_score", "masked") if facts.get("groups", 1) == 1}
    hidden |= {"eps_mode"} if not facts.get("eps") else set()
    return ", ".join(
        f"{name} {facts[name]}"
        for name in shown
        if name not in hidden and facts.get(name) not in (None, False, plain.get(name))
    )


def _census(text: _Text, explanation: Explanation) -> None:
    roles = explanation.census
    if not roles:
        return
    total = sum(role.nbytes for role in roles) or 1
    macs = sum(role.macs for role in roles) or 1
    rows = f" for {explanation.tokens} tokens" if explanation.tokens else ""
    text.title("Weights")
    text.lines.append(
        f"  {'role':14} {'count':>6} {'bytes':>15} {'share':>7} {'MACs' + rows:>28} {'share':>7}"
    )
    text.lines += [
        f"  {r.role:14} {r.weights:6d} {r.nbytes:15,d} {r.nbytes / total:7.1%} "
        f"{r.macs:28,d} {r.macs / macs:7.1%}"
        for r in roles
    ]


def _coverage(text: _Text, explanation: Explanation, verbose: bool) -> None:
    c = explanation.coverage
    text.title("Coverage")
    rows = (
        ("expert weights recognised", c.expert_share, c.expert_nbytes, "B"),
        ("MACs on kernels of ours", c.macs_share, c.macs, "MACs"),
        ("weights on kernels of ours", c.weight_share, c.weight_nbytes, "B"),
    )
    for name, share, whole, unit in rows:
        if share is not None:
            text.lines.append(f"  {name:27} {percent(share):>6} of {whole:,} {unit}")
    generic = explanation.generic
    if generic:
        text.add("on generic kernels, by MACs:")
    shown = generic if verbose else generic[:_GENERIC_SHOWN]
    for node in shown:
        where = f"{node.node}" + (f" at {node.origin}" if node.origin else "")
        text.add(f"{node.macs / (c.macs or 1):6.1%}  {node.op} {where}", indent=4, hang=8)
    if len(generic) > len(shown):
        text.add(f"and {len(generic) - len(shown)} more; -v lists them", indent=4)
    if explanation.generic_ops:
        names = ", ".join(
            f"{count} {op}" if count > 1 else op for op, count in explanation.generic_ops.items()
        )
        text.add(f"operators on generic kernels: {names}")
    if explanation.plugins:
        text.add(f"plug-ins: {', '.join(explanation.plugins)}")
