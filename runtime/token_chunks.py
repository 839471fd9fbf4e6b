"""How an input whose token count is no bucket runs: refused, padded, or split over calls.

The rules are those of `runtime/c/dispatch.c`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgemoe.runtime.errors import InputError


@dataclass(frozen=True)
class Chunk:
    """Tokens `begin` to `begin + take` of the caller run in variant `variant`."""

    variant: int
    begin: int
    take: int


@dataclass(frozen=True)
class Buckets:
    """The token counts of a model, ascending, and what happens with others.

    `dispatch` is "static", "pad" or "split"; with `pad_ok` the rest of a split that is below the
    smallest bucket may be padded. `tokens` is empty for a model of static shape.
    """

    model: str
    tokens: tuple[int, ...]
    dispatch: str
    pad_ok: bool

    def chunks(self, tokens: int | None) -> list[Chunk]:
        """Cover `tokens` tokens; None is a model of static shape.

        Raises:
            InputError: no sequence of variants runs this many.
        """
        if tokens is None:
            return [Chunk(0, 0, 0)]
        chunks, begin = [], 0
        while begin < tokens:
            variant, take = self._next(tokens, tokens - begin)
            chunks.append(Chunk(variant, begin, take))
            begin += take
        return chunks

    def _next(self, tokens: int, remaining: int) -> tuple[int, int]:
        below = _last(self.tokens, remaining)
        above = next((n for n, bucket in enumerate(self.tokens) if bucket > remaining), None)
        if below is not None and self.tokens[below] == remaining:
            return below, remaining
        if self.dispatch == "pad" and above is not None:
            return above, remaining
        if self.dispatch == "split" and below is not None:
            return below, self.tokens[below]
        if self.dispatch == "split" and self.pad_ok and above is not None:
            return above, remaining
        raise InputError(
            f"no variant of model '{self.model}' runs {tokens} tokens: it was compiled for "
            f"{', '.join(map(str, self.tokens))} tokens{_WHY[self.dispatch]}; give one of these, "
            f"or compile with --tokens ...,{tokens}"
        )


_WHY = {
    "static": "",
    "pad": " and pads up to the largest of them",
    "split": " and splits into these, but the rest is below the smallest and padding would change "
    "results",
}


def _last(buckets: Sequence[int], remaining: int) -> int | None:
    found = [number for number, bucket in enumerate(buckets) if bucket <= remaining]
    return found[-1] if found else None
