"""Experts with a capacity: tokens beyond it are dropped, and the first come are served.

GShard's one-hot einsums (Lepikhin et al. 2020, arXiv 2006.16668, algorithm 1) and Switch's slots
(Fedus et al. 2021, arXiv 2101.03961, section 2.2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

T, H, I, E, CAPACITY = 9, 16, 12, 4, 3


class Experts(nn.Module):
    """Two-layer experts on slots [E, C, H]."""

    def __init__(self, bias: bool = False) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(E, H, I))
        self.down = nn.Parameter(torch.empty(E, I, H))
        self.up_bias = nn.Parameter(torch.empty(E, 1, I)) if bias else None
        self.down_bias = nn.Parameter(torch.empty(E, 1, H)) if bias else None

    def forward(self, slots: Tensor) -> Tensor:
        """Map [E, C, H] to the same."""
        h = torch.bmm(slots, self.up)
        h = F.relu(h if self.up_bias is None else h + self.up_bias)
        y = torch.bmm(h, self.down)
        return y if self.down_bias is None else y + self.down_bias


class GShard(nn.Module):
    """Top-2 gating, dispatch and combine as one-hot tensors [T, E, C]."""

    def __init__(self, bias: bool = False) -> None:
        super().__init__()
        self.router = nn.Linear(H, E, bias=False)
        self.experts = Experts(bias)

    def combine(self, x: Tensor) -> Tensor:
        """Return the weights [T, E, C] of token, expert and slot."""
        gates = torch.softmax(self.router(x), -1)
        first = F.one_hot(gates.argmax(-1), E)
        second = F.one_hot(gates.masked_fill(first.bool(), 0.0).argmax(-1), E)
        total = torch.zeros(x.shape[0], E, CAPACITY)
        before = torch.zeros(1, E, dtype=torch.long)
        for mask in (first, second):
            position = mask.cumsum(0) - 1 + before
            before = before + mask.sum(0, keepdim=True)
            kept = mask * (position < CAPACITY)
            weights = (gates * kept).sum(-1)
            slot = F.one_hot((position * kept).sum(-1), CAPACITY)
            total = total + weights[:, None, None] * kept[..., None] * slot[:, None, :]
        return total

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        combine = self.combine(x)
        slots = torch.einsum("sec,sm->ecm", (combine > 0).to(x.dtype), x)
        return torch.einsum("sec,ecm->sm", combine, self.experts(slots))


class Switch(nn.Module):
    """Top-1; tokens are written to numbered slots and read back, dropped ones to a spare slot."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(H, E, bias=False)
        self.experts = Experts()

    def slots(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return weights [T] and slot numbers [T], E * C for the dropped."""
        weights, ids = torch.softmax(self.router(x), -1).max(-1)
        mask = F.one_hot(ids, E)
        position = ((mask.cumsum(0) - 1) * mask).sum(-1)
        return weights, torch.where(position < CAPACITY, ids * CAPACITY + position, E * CAPACITY)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        weights, slot = self.slots(x)
        buffer = torch.zeros(E * CAPACITY + 1, H).index_put((slot,), x)
        y = self.experts(buffer[:-1].view(E, CAPACITY, H)).reshape(-1, H)
        y = torch.cat([y, torch.zeros(1, H)])
        return y[slot] * weights[:, None]


class ExpertChoice(nn.Module):
    """Experts choose their tokens (Zhou et al. 2022, arXiv 2202.09368, section 3.2)."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.router = nn.Linear(H, E, bias=False)
        self.experts = Experts()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        scores = torch.softmax(self.router(x), -1).t()
        weights, tokens = torch.topk(scores, CAPACITY, dim=-1)
        if self.how == "one hot":
            chosen = F.one_hot(tokens, x.shape[0]).to(x.dtype)
            y = self.experts(torch.einsum("ect,th->ech", chosen, x))
            return torch.einsum("ect,ec,ech->th", chosen, weights, y)
        y = self.experts(x[tokens]) * weights[..., None]
        return torch.zeros_like(x).index_add(0, tokens.reshape(-1), y.reshape(-1, H))


def _kept(module: nn.Module, x: Tensor) -> int:
    if isinstance(module, GShard):
        return int((module.combine(x) != 0).sum()) * 2 * H * I
    assert isinstance(module, Switch)
    return int((module.slots(x)[1] < E * CAPACITY).sum()) * 2 * H * I


def _all_slots(module: nn.Module, x: Tensor) -> int:
    return E * CAPACITY * 2 * H * I


def _make(layer: nn.Module) -> Made:
    return randomise(layer), (noise(T, H),)


FOUND = ({"subject": "experts", "form": "slotted", "E": E},)
CASES = (
    Case("gshard", lambda: _make(GShard()), FOUND, _kept, ({0: "T"},)),
    Case("gshard_bias", lambda: _make(GShard(bias=True)), FOUND, _kept, ({0: "T"},)),
    Case("switch_slots", lambda: _make(Switch()), FOUND, _kept, ({0: "T"},)),
    Case("expert_choice", lambda: _make(ExpertChoice("gather")), FOUND, _all_slots, ({0: "T"},),
         {"torchscript": "the older exporter takes the indices of index_add for distinct"}),
    Case("expert_choice_one_hot", lambda: _make(ExpertChoice("one hot")), FOUND, _all_slots,
         ({0: "T"},), {"dynamic": "torch makes the number of one-hot classes a constant"}),
)  # fmt: skip
