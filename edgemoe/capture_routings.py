"""The routings that are tried on layers with a list of experts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

SCORES = ("softmax", "softmax after", "sigmoid", "sigmoid after", "relu", "none", "all relu")


@dataclass(frozen=True)
class Routing:
    """One way from logits to ids and weights, and what is done with the weights.

    `score` over all experts, or over the chosen ("after"); "all relu": every expert whose score is
    above zero. `bias` is added for the choice only. `applied` is "output", "input", or "inside":
    the expert takes the weight as its second argument.
    """

    score: str
    renormalise: bool
    scale: float
    bias: Tensor | None
    groups: tuple[int, int]  # how many, how many of them are kept
    applied: str
    shared: str  # "", "added" or "gated"

    def weigh(self, logits: Tensor, chosen: int) -> tuple[Tensor, Tensor]:
        """Logits [T, E] -> weights and ids [T, K]; -1 is nobody."""
        logits = logits.float()
        if self.score == "all relu":
            weights = torch.relu(logits)
            ids = torch.arange(logits.shape[-1]).expand_as(weights)
            return self._scaled(weights), torch.where(weights > 0, ids, -1)
        scores = self._scores(logits)
        choice = scores if self.bias is None else scores + self.bias
        ids = torch.topk(self._within_groups(choice), chosen, dim=-1).indices
        weights = scores.gather(-1, ids)
        if self.score == "softmax after":
            weights = torch.softmax(weights, dim=-1)
        elif self.score == "sigmoid after":
            weights = torch.sigmoid(weights)
        return self._scaled(weights), ids

    def _scaled(self, weights: Tensor) -> Tensor:
        if self.renormalise:
            weights = weights / (weights.sum(dim=-1, keepdim=True) + 1e-20)
        return weights * self.scale if self.scale != 1.0 else weights

    def _scores(self, logits: Tensor) -> Tensor:
        if self.score == "softmax":
            return torch.softmax(logits, dim=-1)
        if self.score == "sigmoid":
            return torch.sigmoid(logits)
        return torch.relu(logits) if self.score == "relu" else logits

    def _within_groups(self, choice: Tensor) -> Tensor:
        count, kept = self.groups
        if count < 2:
            return choice
        parts = choice.view(choice.shape[0], count, -1)
        best = parts.topk(2, dim=-1).values.sum(-1) if self.bias is not None else parts.amax(-1)
        top = torch.topk(best, kept, dim=-1).indices
        mask = torch.zeros_like(best).scatter(1, top, 1.0) == 0
        return parts.masked_fill(mask.unsqueeze(-1), float("-inf")).reshape(choice.shape)


@dataclass(frozen=True)
class Hints:
    """What a layer holds that its routing may use."""

    biases: tuple[Tensor, ...] = ()
    scales: tuple[float, ...] = ()
    groups: tuple[int, int] = (1, 1)
    shared: tuple[str, ...] = ("",)


def routings(hints: Hints) -> Iterator[Routing]:
    """Yield what to try, the usual first."""
    biases = (*hints.biases, None)
    scales = (*hints.scales, 1.0)
    groups = [hints.groups, (1, 1)] if hints.groups[0] > 1 else [(1, 1)]
    for applied, group, bias, scale, shared, again, score in product(
        ("output", "inside", "input"), groups, biases, scales, hints.shared, (True, False), SCORES
    ):
        useless = again and score in ("softmax after", "none")
        if not useless and not (score == "all relu" and (bias is not None or group[0] > 1)):
            yield Routing(score, again, scale, bias, group, applied, shared)
