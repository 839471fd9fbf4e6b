"""The loop of transformers 4 over a permuted one-hot mask, on [B, T, H] (Mixtral, Time-MoE)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise
from edgemoe.models.families.experts import SwiGLU

B, T, H, I, E = 2, 5, 16, 12, 4


class OneHotLoop(nn.Module):
    """Rows of an expert are picked behind an axis of one: x[None, rows]."""

    def __init__(self, chosen: int) -> None:
        super().__init__()
        self.chosen = chosen
        self.gate = nn.Linear(H, E, bias=False)
        self.experts = nn.ModuleList(SwiGLU() for _ in range(E))

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, H] to the same."""
        flat = x.reshape(-1, H)
        weights, ids = torch.softmax(self.gate(flat), -1).topk(self.chosen, -1)
        weights /= weights.sum(-1, keepdim=True)
        mask, y = F.one_hot(ids, E).permute(2, 1, 0), torch.zeros_like(flat)
        for number, expert in enumerate(self.experts):
            choice, rows = torch.where(mask[number])
            picked = flat[None, rows].reshape(-1, H)
            y.index_add_(0, rows, expert(picked) * weights[rows, choice, None])
        return y.reshape(x.shape)


def _case(name: str, chosen: int) -> Case:
    def made() -> Made:
        return randomise(OneHotLoop(chosen)), (noise(B, T, H),)

    found = ({"subject": "experts", "E": E},)
    return Case(name, made, found, lambda module, x: B * T * chosen * 3 * H * I, ({1: "T"},))


CASES = (_case("one_hot_loop", 2), _case("one_hot_loop_single", 1))
