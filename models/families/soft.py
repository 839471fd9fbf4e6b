"""Soft mixtures: every expert counts, so nothing may be skipped.

Soft-MoE's slots (Puigcerver et al. 2023, arXiv 2308.00951, section 2.1), multi-gate mixtures (MMoE,
Ma et al. 2018), mixtures of domain adapters (Diao et al. 2023, arXiv 2306.05406).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

T, H, I, E, SLOTS = 6, 16, 12, 4, 3


class SoftMoE(nn.Module):
    """Slots are weighted means of all tokens; tokens are weighted means of all slots."""

    def __init__(self, listed: bool) -> None:
        super().__init__()
        self.phi = nn.Parameter(torch.empty(H, E, SLOTS))
        self.listed = listed
        if listed:
            self.experts = nn.ModuleList(
                nn.Sequential(nn.Linear(H, I), nn.GELU(), nn.Linear(I, H)) for _ in range(E)
            )
        else:
            self.up = nn.Parameter(torch.empty(E, H, I))
            self.down = nn.Parameter(torch.empty(E, I, H))

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        logits = torch.einsum("th,hes->tes", x, self.phi)
        dispatch = torch.softmax(logits, 0)
        combine = torch.softmax(logits.flatten(1), -1).view_as(logits)
        slots = torch.einsum("tes,th->esh", dispatch, x)
        if self.listed:
            y = torch.stack([expert(slots[e]) for e, expert in enumerate(self.experts)])
        else:
            y = torch.bmm(F.gelu(torch.bmm(slots, self.up)), self.down)
        return torch.einsum("tes,esh->th", combine, y)


class MMoE(nn.Module):
    """One gate for each task over the same experts."""

    def __init__(self, tasks: int = 2) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(H, I), nn.ReLU(), nn.Linear(I, I), nn.ReLU()) for _ in range(E)
        )
        self.gates = nn.ModuleList(nn.Linear(H, E) for _ in range(tasks))
        self.towers = nn.ModuleList(nn.Linear(I, 1) for _ in range(tasks))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map [T, H] to one [T, 1] for each task."""
        every = torch.stack([expert(x) for expert in self.experts], 1)
        outputs = []
        for gate, tower in zip(self.gates, self.towers, strict=True):
            weights = torch.softmax(gate(x), -1)
            outputs.append(tower((weights[..., None] * every).sum(1)))
        return tuple(outputs)


class DomainAdapters(nn.Module):
    """A frozen feed-forward beside small adapters, all of them weighted."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(H, 2 * I), nn.Linear(2 * I, H)
        self.adapters = nn.ModuleList(
            nn.Sequential(nn.Linear(H, 4), nn.ReLU(), nn.Linear(4, H)) for _ in range(E)
        )
        self.gate = nn.Linear(H, E)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        weights = torch.softmax(self.gate(x), -1)
        y: Tensor = self.down(F.gelu(self.up(x)))
        for number, adapter in enumerate(self.adapters):
            y = y + weights[:, number : number + 1] * adapter(x)
        return y


def _make(layer: nn.Module) -> Made:
    return randomise(layer), (noise(T, H),)


def _slots(module: nn.Module, x: Tensor) -> int:
    return E * SLOTS * 2 * H * I


FREE = ({0: "T"},)
SLOTTED = ({"subject": "experts", "form": "slotted", "E": E},)
CASES = (
    Case("soft_moe", lambda: _make(SoftMoE(listed=False)), SLOTTED, _slots, FREE),
    Case("soft_moe_listed", lambda: _make(SoftMoE(listed=True)), SLOTTED, _slots, FREE),
    Case("mmoe", lambda: _make(MMoE()), ({"subject": "experts", "form": "soft", "E": E},),
         lambda module, x: len(x) * E * I * (H + I), FREE),
    Case("domain_adapters", lambda: _make(DomainAdapters()),
         ({"subject": "experts", "form": "soft", "E": E},),
         lambda module, x: len(x) * E * 2 * H * 4, FREE),
)  # fmt: skip
