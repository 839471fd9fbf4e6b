"""Experts that differ: in width, in kind, or by being no computation at all.

Zero, copy and constant experts (MoE++, Jin et al. 2024, arXiv 2410.07348, section 3.1); small, big
and skip (Duo-LLM, Alizadeh et al. 2024, arXiv 2410.10846); a router over several widths.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise
from edgemoe.models.families.experts import SwiGLU

T, H, I, FULL, K = 6, 16, 12, 4, 2
PAIR = 3 * H * I


class Constant(nn.Module):
    """a0 * x + a1 * v with (a0, a1) = softmax(W x) (MoE++, eq. 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.vector = nn.Linear(H, 2, bias=False), nn.Parameter(torch.empty(H))

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., H] to the same."""
        share = torch.softmax(self.mix(x), -1)
        return share[..., :1] * x + share[..., 1:] * self.vector


class Zero(nn.Module):
    """Gives zeros."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., H] to zeros."""
        return torch.zeros_like(x)


class Mixed(nn.Module):
    """K of a list of any experts, as a loop over rows or densely."""

    def __init__(self, experts: list[nn.Module], how: str, chosen: int = K) -> None:
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.router = nn.Linear(H, len(experts), bias=False)
        self.how, self.chosen = how, chosen

    def full(self, x: Tensor) -> Tensor:
        """Return the weights [T, E]."""
        weights, ids = torch.softmax(self.router(x), -1).topk(self.chosen, -1)
        return torch.zeros(x.shape[0], len(self.experts)).scatter(1, ids, weights)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        y = torch.zeros_like(x)
        if self.how == "dense":
            full = self.full(x)
            for number, expert in enumerate(self.experts):
                y = y + full[:, number, None] * expert(x)
            return y
        weights, ids = torch.softmax(self.router(x), -1).topk(self.chosen, -1)
        for number, expert in enumerate(self.experts):
            rows, choice = torch.where(ids == number)
            y = y.index_add(0, rows, expert(x[rows]) * weights[rows, choice, None])
        return y


def macs(module: nn.Module, x: Tensor) -> int:
    """Sum over chosen experts of their own width; those without products cost nothing."""
    assert isinstance(module, Mixed)
    uses = (module.full(x) != 0).sum(0).tolist()
    widths = [e.up.out_features if isinstance(e, SwiGLU) else 0 for e in module.experts]
    return sum(3 * H * width * count for width, count in zip(widths, uses, strict=True))


def _plus_plus(how: str) -> Made:
    experts = [*(SwiGLU() for _ in range(FULL)), Zero(), nn.Identity(), Constant()]
    return randomise(Mixed(experts, how)), (noise(T, H),)


def _duo(how: str) -> Made:
    experts = [nn.Identity(), SwiGLU(inner=I // 2), SwiGLU(inner=2 * I)]
    return randomise(Mixed(experts, how, chosen=1)), (noise(T, H),)


def _widths(how: str) -> Made:
    experts: list[nn.Module] = [SwiGLU(inner=n) for n in (8, 16, 8, 24)]
    return randomise(Mixed(experts, how)), (noise(T, H),)


def _found(*counts: int) -> tuple[dict[str, object], ...]:
    return tuple({"subject": "experts", "E": count} for count in counts)


FREE = ({0: "T"},)
CASES = tuple(
    Case(f"{name}_{how}", lambda make=make, how=how: make(how), _found(*counts), macs, FREE)
    for how in ("dense", "loop")
    for name, make, counts in (
        ("moe_plus_plus", _plus_plus, (FULL,)), ("duo", _duo, (1, 1)),
        ("widths", _widths, (2, 1, 1)),
    )
)  # fmt: skip
