"""Experts on a shared base: low-rank deltas, and feature-wise modulation.

MixLoRA (Li et al. 2024, arXiv 2404.15159, section 3.2) and MoFME's FiLM experts (Zhang et al. 2023,
arXiv 2312.16610, section 3.3).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

T, H, I, E, K, RANK = 6, 16, 12, 4, 2, 3


class LoRA(nn.Module):
    """B A x."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(inner, RANK, bias=False), nn.Linear(RANK, outer, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., inner] to [.., outer]."""
        y: Tensor = self.b(self.a(x))
        return y


class MixLoRA(nn.Module):
    """SwiGLU whose three products have a delta for each expert: the base weights are shared."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.router = nn.Linear(H, E, bias=False)
        self.gate, self.up = nn.Linear(H, I, bias=False), nn.Linear(H, I, bias=False)
        self.down = nn.Linear(I, H, bias=False)
        self.deltas = nn.ModuleList(
            nn.ModuleList([LoRA(H, I), LoRA(H, I), LoRA(I, H)]) for _ in range(E)
        )

    def expert(self, number: int, x: Tensor, gate: Tensor, up: Tensor) -> Tensor:
        """Map [.., H] to the same; gate and up are the base's products."""
        first, second, third = self.deltas[number]
        h = F.silu(gate + 2.0 * first(x)) * (up + 2.0 * second(x))
        y: Tensor = self.down(h) + 2.0 * third(h)
        return y

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        weights, ids = torch.softmax(self.router(x), -1).topk(K, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        gate, up, y = self.gate(x), self.up(x), torch.zeros_like(x)
        if self.how == "dense":
            full = torch.zeros(x.shape[0], E).scatter(1, ids, weights)
            for number in range(E):
                y = y + full[:, number, None] * self.expert(number, x, gate, up)
            return y
        for number in range(E):
            rows, choice = torch.where(ids == number)
            out = self.expert(number, x[rows], gate[rows], up[rows])
            y = y.index_add(0, rows, out * weights[rows, choice, None])
        return y


class LoRAHead(nn.Module):
    """A product with gathered deltas on its output: y = W x + sum of w B_e A_e x."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(H, E, bias=False)
        self.base = nn.Linear(H, H)
        self.a = nn.Parameter(torch.empty(E, RANK, H))
        self.b = nn.Parameter(torch.empty(E, H, RANK))

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        weights, ids = torch.softmax(self.router(x), -1).topk(K, -1)
        inner = torch.einsum("th,tkrh->tkr", x, self.a[ids])
        delta = torch.einsum("tkr,tkhr->tkh", inner, self.b[ids])
        y: Tensor = self.base(x) + (delta * weights[..., None]).sum(1)
        return y


class FiLM(nn.Module):
    """One feed-forward; experts scale and shift its input features."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.router = nn.Linear(H, E)
        self.scale, self.shift = (nn.Parameter(torch.empty(E, H)) for _ in range(2))
        self.up, self.down = nn.Linear(H, I), nn.Linear(I, H)

    def ffn(self, x: Tensor) -> Tensor:
        """Map [.., H] to the same."""
        y: Tensor = self.down(F.gelu(self.up(x)))
        return y

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        weights, ids = torch.softmax(self.router(x), -1).topk(K, -1)
        if self.how == "gathered":
            y = self.ffn(x[:, None] * self.scale[ids] + self.shift[ids])
            return (y * weights[..., None]).sum(1)
        full, total = torch.zeros(x.shape[0], E).scatter(1, ids, weights), torch.zeros_like(x)
        for number in range(E):
            y = self.ffn(x * self.scale[number] + self.shift[number])
            total = total + full[:, number, None] * y
        return total


def _make(layer: nn.Module) -> Made:
    return randomise(layer), (noise(T, H),)


def _lora(module: nn.Module, x: Tensor) -> int:
    return len(x) * K * RANK * 3 * (H + I)


def _found(form: str) -> tuple[dict[str, object], ...]:
    return (
        {"subject": "experts", "form": form, "E": E, "k": K}, {"subject": "router", "form": "topk"},
    )  # fmt: skip


FREE = ({0: "T"},)
CASES = (
    Case("mixlora_dense", lambda: _make(MixLoRA("dense")), _found("indexed"), _lora, FREE),
    Case("mixlora_loop", lambda: _make(MixLoRA("loop")), _found("indexed"), _lora, FREE),
    Case("lora_head", lambda: _make(LoRAHead()), _found("indexed"),
         lambda module, x: len(x) * K * 2 * RANK * H, FREE),
    Case("film_dense", lambda: _make(FiLM("dense")), _found("modulated"), None, FREE),
    Case("film_gathered", lambda: _make(FiLM("gathered")), _found("modulated"), None, FREE),
)  # fmt: skip
