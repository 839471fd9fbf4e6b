"""Experts on [B, T, H], stacked or in batched products, batch and tokens never made one axis."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

B, T, H, I, E, K = 2, 5, 16, 12, 4, 2


class Stacked(nn.Module):
    """Outputs of all experts are stacked per token; `how` says what becomes of them."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.router = nn.Linear(H, E)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(H, I), nn.GELU(), nn.Linear(I, H)) for _ in range(E)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, H] to the same."""
        logits = self.router(x)
        top, ids = logits.topk(K, -1)
        weights = torch.softmax(top, -1)
        every = [expert(x) for expert in self.experts]
        if self.how == "gather":
            index = ids[..., None].expand(-1, -1, -1, H)
            return (torch.stack(every, 2).gather(2, index) * weights[..., None]).sum(2)
        if self.how == "einsum":
            full = (F.one_hot(ids, E) * weights[..., None]).sum(-2)
            return torch.einsum("bteh,bte->bth", torch.stack(every, 2), full)
        least = torch.full_like(logits, float("-inf"))
        full = torch.softmax(least.scatter(-1, ids, top), -1)
        return (torch.stack(every, -1) * full[:, :, None]).sum(-1)


class Batched(nn.Module):
    """Interleaved gate and up with biases and clamps, weights as [E, B, T, 1] (gpt-oss)."""

    def __init__(self, equations: bool) -> None:
        super().__init__()
        self.equations = equations
        self.router = nn.Linear(H, E)
        self.gate_up, self.gate_up_bias = _parameter(E, H, 2 * I), _parameter(E, 1, 2 * I)
        self.down, self.down_bias = _parameter(E, I, H), _parameter(E, 1, H)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, H] to the same."""
        logits = self.router(x)
        top, ids = logits.topk(K, -1)
        full = torch.zeros_like(logits).scatter(-1, ids, torch.softmax(top, -1))
        if self.equations:
            h = F.gelu(torch.einsum("bth,ehi->btei", x, self.gate_up[..., ::2]))
            return torch.einsum("bteh,bte->bth", torch.einsum("btei,eih->bteh", h, self.down), full)
        rows = x.reshape(-1, H).repeat(E, 1).view(E, -1, H)
        both = torch.bmm(rows, self.gate_up) + self.gate_up_bias
        gate, up = both[..., ::2].clamp(max=7.0), both[..., 1::2].clamp(-7.0, 7.0)
        y = torch.bmm((up + 1) * gate * torch.sigmoid(1.702 * gate), self.down) + self.down_bias
        return (y.view(E, *x.shape) * full.permute(2, 0, 1)[..., None]).sum(0)


def _parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape))


def _case(name: str, make: type[nn.Module], how: object, products: int) -> Case:
    def made() -> Made:
        return randomise(make(how)), (noise(B, T, H),)

    found = ({"subject": "experts", "E": E, "k": K},)
    return Case(name, made, found, lambda module, x: B * T * K * products * H * I, ({1: "T"},))


CASES = (
    *(_case(f"batch_{how}", Stacked, how, 2) for how in ("gather", "einsum", "softmax")),
    _case("batch_clamped", Batched, False, 3),
    _case("batch_equations", Batched, True, 2),
)
