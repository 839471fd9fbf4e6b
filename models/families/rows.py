"""Experts of one neuron: rows of tables (PEER, He 2024, arXiv 2407.04153, algorithm 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

T, H, HEADS, K, SIDE, KEY = 6, 16, 2, 3, 5, 8


class PEER(nn.Module):
    """Product keys choose K of SIDE^2 single-neuron experts for each head."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Linear(H, HEADS * 2 * KEY, bias=False)
        self.keys = nn.Parameter(torch.empty(2, HEADS, SIDE, KEY))
        self.down, self.up = nn.Embedding(SIDE**2, H), nn.Embedding(SIDE**2, H)

    def retrieve(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and ids, [T, heads, K] each."""
        q = self.queries(x).view(-1, 2, HEADS, KEY)
        sides = torch.einsum("tshd,shnd->tshn", q, self.keys)
        scores, ids = sides.topk(K, dim=-1)
        grid = (scores[:, 0, :, :, None] + scores[:, 1, :, None, :]).flatten(-2)
        numbers = (ids[:, 0, :, :, None] * SIDE + ids[:, 1, :, None, :]).flatten(-2)
        best, place = grid.topk(K, dim=-1)
        return best, numbers.gather(-1, place)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        scores, ids = self.retrieve(x)
        h = torch.einsum("th,tnkh->tnk", x, self.down(ids))
        h = F.gelu(h) * torch.softmax(scores, -1)
        return torch.einsum("tnk,tnkh->th", h, self.up(ids))


def _make() -> Made:
    return randomise(PEER()), (noise(T, H),)


CASES = (
    Case("peer", _make, ({"subject": "experts", "form": "rows", "E": SIDE**2, "k": HEADS * K},),
         lambda module, x: len(x) * HEADS * K * 2 * H, ({0: "T"},)),
)  # fmt: skip
