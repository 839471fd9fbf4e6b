"""Experts that the input chooses: by modality, by task, by a condition on the whole sequence.

Mixture of Transformers (Liang et al. 2024, arXiv 2411.04996), the task gates of M3ViT (Liang et
al. 2022, arXiv 2210.14793), and one of two branches for a sequence.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

T, H, I, M, E, K, TASKS = 6, 16, 12, 3, 4, 2, 2
PAIR = 2 * H * I


class MLP(nn.Module):
    """down(gelu(up(x))), with an RMS norm before where asked for."""

    def __init__(self, norm: bool = False, inner: int = I) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(H, eps=1e-6) if norm else nn.Identity()
        self.up, self.down = nn.Linear(H, inner), nn.Linear(inner, H)

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., H] to the same."""
        y: Tensor = self.down(F.gelu(self.up(self.norm(x))))
        return y


class Modality(nn.Module):
    """One feed-forward for each modality, chosen by the type of the token."""

    def __init__(self, how: str, norm: bool = False) -> None:
        super().__init__()
        self.how = how
        self.experts = nn.ModuleList(MLP(norm) for _ in range(M))
        if how == "gather":
            del self.experts
            self.up = nn.Parameter(torch.empty(M, I, H))
            self.down = nn.Parameter(torch.empty(M, H, I))

    def forward(self, x: Tensor, modality: Tensor) -> Tensor:
        """Map tokens [T, H] of types int64 [T] to [T, H]."""
        if self.how == "gather":
            h = F.gelu(torch.einsum("th,tih->ti", x, self.up[modality]))
            return torch.einsum("ti,thi->th", h, self.down[modality])
        y = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            if self.how == "mask":
                rows = modality == number
                y[rows] = expert(x[rows])
            else:
                y = torch.where((modality == number)[:, None], expert(x), y)
        return y


class TwoModalities(nn.Module):
    """Text and image tokens by one boolean mask."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.text, self.image = MLP(), MLP()

    def forward(self, x: Tensor, is_image: Tensor) -> Tensor:
        """Map tokens [T, H] with a boolean mask [T] to [T, H]."""
        if self.how == "where":
            return torch.where(is_image[:, None], self.image(x), self.text(x))
        y = torch.empty_like(x)
        y[is_image] = self.image(x[is_image])
        y[~is_image] = self.text(x[~is_image])
        return y


class ScalarChoice(nn.Module):
    """One expert for the whole sequence, chosen by a number that comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(M, I, H))
        self.down = nn.Parameter(torch.empty(M, H, I))

    def forward(self, x: Tensor, task: Tensor) -> Tensor:
        """Map tokens [T, H] and a task int64 [1] to [T, H]."""
        h = F.gelu(x @ self.up[task[0]].t())
        return h @ self.down[task[0]].t()


class TaskGate(nn.Module):
    """Each task has a gate of its own over shared experts; softmax, then top-k, no more."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.gates = nn.Parameter(torch.empty(TASKS, E, H))
        self.experts = nn.ModuleList(MLP() for _ in range(E))

    def forward(self, x: Tensor, task: Tensor) -> Tensor:
        """Map tokens [T, H] and a task int64 [1] to [T, H]."""
        weights, ids = torch.softmax(x @ self.gates[task[0]].t(), -1).topk(K, -1)
        if self.how == "dense":
            full = torch.zeros(x.shape[0], E).scatter(1, ids, weights)
            return sum(
                (full[:, e, None] * expert(x) for e, expert in enumerate(self.experts)),
                torch.zeros_like(x),
            )
        y = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, choice = torch.where(ids == number)
            y = y.index_add(0, rows, expert(x[rows]) * weights[rows, choice, None])
        return y


class Condition(nn.Module):
    """The better of two branches for the whole sequence (torch.cond); `wide`: of unequal size."""

    def __init__(self, wide: bool = False) -> None:
        super().__init__()
        self.router = nn.Linear(H, 2)
        self.first, self.second = MLP(), MLP(inner=2 * I if wide else I)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        logits = self.router(x.mean(0))
        y: Tensor = torch.cond(logits[0] > logits[1], self.first, self.second, (x,))
        return y


def _every_token(module: nn.Module, x: Tensor, *rest: Tensor) -> int:
    return len(x) * PAIR


def _typed(layer: nn.Module) -> Made:
    return randomise(layer), (noise(T, H), torch.tensor([0, 2, 1, 1, 0, 2]))


def _masked(layer: nn.Module) -> Made:
    return randomise(layer), (noise(T, H), torch.tensor([True, False, False, True, True, False]))


def _tasked(layer: nn.Module) -> Made:
    return randomise(layer), (noise(T, H), torch.tensor([1]))


def _branch(module: nn.Module, x: Tensor) -> int:
    assert isinstance(module, Condition)
    logits = module.router(x.mean(0))
    branch = module.first if logits[0] > logits[1] else module.second
    return len(x) * 2 * H * branch.up.out_features


def _experts(count: int, **facts: object) -> tuple[dict[str, object], ...]:
    return ({"subject": "experts", "E": count, **facts},)


BOTH, FIRST = ({0: "T"}, {0: "T"}), ({0: "T"}, None)
TOPK = ({"subject": "router", "form": "topk"},)
NO_COND = {"torchscript": "the older exporter knows no torch.cond"}
CASES = (
    Case("modality_mask", lambda: _typed(Modality("mask")), _experts(M), _every_token, BOTH),
    Case("modality_where", lambda: _typed(Modality("where")), _experts(M), _every_token, BOTH),
    Case("modality_gather", lambda: _typed(Modality("gather")), _experts(M), _every_token, BOTH),
    Case("modality_norm", lambda: _typed(Modality("mask", norm=True)), _experts(M), _every_token,
         BOTH, {"torchscript": "the older exporter has no RMS norm"}),
    Case("two_modalities_mask", lambda: _masked(TwoModalities("mask")), _experts(2), _every_token,
         BOTH),
    Case("two_modalities_where", lambda: _masked(TwoModalities("where")), _experts(2),
         _every_token, BOTH),
    Case("scalar_choice", lambda: _tasked(ScalarChoice()), _experts(M), _every_token, FIRST),
    Case("task_gate_dense", lambda: _tasked(TaskGate("dense")), _experts(E) + TOPK,
         lambda module, x, task: len(x) * K * PAIR, FIRST),
    Case("task_gate_loop", lambda: _tasked(TaskGate("loop")), _experts(E) + TOPK,
         lambda module, x, task: len(x) * K * PAIR, FIRST),
    Case("condition", lambda: (randomise(Condition()), (noise(T, H),)), _experts(2), _branch,
         ({0: "T"},), NO_COND),
    Case("condition_wide", lambda: (randomise(Condition(wide=True)), (noise(T, H),)),
         (*_experts(1), *_experts(1)), _branch, ({0: "T"},), NO_COND),
)  # fmt: skip
