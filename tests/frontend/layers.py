"""Hand-written expert layers in the styles that people write; imported by path."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN, INNER, EXPERTS, CHOSEN = 8, 12, 4, 2


class GatedMLP(nn.Module):
    def __init__(self, bias: bool = False) -> None:
        super().__init__()
        self.w1 = nn.Linear(HIDDEN, INNER, bias=bias)
        self.w2 = nn.Linear(INNER, HIDDEN, bias=bias)
        self.w3 = nn.Linear(HIDDEN, INNER, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class MixtralSparseMoeBlock(nn.Module):
    """The loop of transformers 4: the logits are returned too."""

    def __init__(self, bias: bool = False) -> None:
        super().__init__()
        self.top_k, self.num_experts = CHOSEN, EXPERTS
        self.gate = nn.Linear(HIDDEN, EXPERTS, bias=False)
        self.experts = nn.ModuleList(GatedMLP(bias) for _ in range(EXPERTS))

    def route(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        weights, chosen = torch.topk(F.softmax(logits, dim=1, dtype=torch.float), self.top_k)
        return weights / weights.sum(dim=-1, keepdim=True), chosen

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        batch, length, width = hidden.shape
        flat = hidden.view(-1, width)
        logits = self.gate(flat)
        weights, chosen = self.route(logits)
        total = torch.zeros_like(flat)
        mask = F.one_hot(chosen, num_classes=self.num_experts).permute(2, 1, 0)
        for expert in range(self.num_experts):
            choice, rows = torch.where(mask[expert])
            if rows.shape[0] == 0:
                continue
            y = self.experts[expert](flat[rows]) * weights[rows, choice, None]
            total.index_add_(0, rows, y.to(hidden.dtype))
        return total.reshape(batch, length, width), logits


class TimeMoeLayer(MixtralSparseMoeBlock):
    """Not renormalised, and a shared expert behind a sigmoid gate."""

    def __init__(self) -> None:
        super().__init__()
        self.shared_expert = GatedMLP()
        self.shared_expert_gate = nn.Linear(HIDDEN, 1, bias=False)

    def route(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        weights, chosen = torch.topk(F.softmax(logits, dim=1, dtype=torch.float), self.top_k)
        return weights, chosen

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        total, logits = super().forward(hidden)
        shared = F.sigmoid(self.shared_expert_gate(hidden)) * self.shared_expert(hidden)
        return total + shared, logits


class SoftmaxAfter(MixtralSparseMoeBlock):
    """Mistral's own: a softmax over the chosen, a plain tensor comes back."""

    def route(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        top, chosen = torch.topk(logits, self.top_k)
        return F.softmax(top, dim=1, dtype=torch.float), chosen

    def forward(self, hidden: Tensor) -> Tensor:
        return super().forward(hidden)[0]


class OddRouting(MixtralSparseMoeBlock):
    """Weights that no known routing gives; the loop depends on the data."""

    def route(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        top, chosen = torch.topk(logits, self.top_k)
        return torch.tanh(top) * 0.3, chosen


class ExportableOdd(OddRouting):
    """The same without the `if`: it can be traced, every expert in turn."""

    def forward(self, hidden: Tensor) -> Tensor:
        flat = hidden.reshape(-1, HIDDEN)
        weights, chosen = self.route(self.gate(flat))
        total = torch.zeros_like(flat)
        for expert in range(self.num_experts):
            rows, choice = torch.where(chosen == expert)
            y = self.experts[expert](flat[rows]) * weights[rows, choice, None]
            total = total.index_add(0, rows, y)
        return total.view(hidden.shape)


class Gathered(nn.Module):
    """Stacked weights, gathered per row: exports without any help."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(HIDDEN, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.randn(EXPERTS, INNER, HIDDEN) / HIDDEN**0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, INNER) / INNER**0.5)

    def route(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weights, ids = torch.topk(torch.softmax(self.router(x), dim=-1), CHOSEN)
        return weights, ids

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        flat = ids.reshape(-1)
        rows = x.repeat_interleave(CHOSEN, dim=0).unsqueeze(-1)
        inner = torch.relu(torch.bmm(self.up[flat], rows))
        y = torch.bmm(self.down[flat], inner).squeeze(-1)
        return (y * weights.reshape(-1, 1)).view(-1, CHOSEN, HIDDEN).sum(dim=1)


class Forgetful(Gathered):
    """Reads the routing in Python: only the experts of the first call are in the trace."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(GatedMLP() for _ in range(EXPERTS))
        self.active: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        if not self.active:
            self.active = sorted(set(ids.flatten().tolist()))[:2]
        scores = torch.zeros(x.shape[0], EXPERTS).scatter(1, ids, weights)
        return sum(scores[:, e, None] * self.experts[e](x) for e in self.active)


class Counting(nn.Module):
    """A plain layer whose result depends on how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(HIDDEN, HIDDEN)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(x) * self.calls


class Distances(nn.Module):
    def __init__(self, p: float = 2.0) -> None:
        super().__init__()
        self.centroids = nn.Parameter(torch.randn(EXPERTS, HIDDEN))
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.centroids, p=self.p)


class ByValue(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(HIDDEN, HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return self.inner(x)
        return x


class Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvals(x.T @ x).real


class Holder(nn.Module):
    """A layer inside a model, so that it has a path."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([layer])

    def forward(self, x: Tensor) -> Tensor:
        y = self.blocks[0](x)
        return x + (y[0] if isinstance(y, tuple) else y)


class Guarded(MixtralSparseMoeBlock):
    """A loop with `if mask.any()`; routes as subclasses say, by default without renormalising."""

    def choose(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        return torch.topk(F.softmax(self.gate(flat), dim=-1), 2)

    def weighed(self, expert: int, x: Tensor, weight: Tensor) -> Tensor:
        return self.experts[expert](x) * weight

    def forward(self, hidden: Tensor) -> Tensor:
        flat = hidden.reshape(-1, HIDDEN)
        weights, ids = self.choose(flat)
        total = torch.zeros_like(flat)
        for expert in range(EXPERTS):
            mask = (ids == expert) & (weights != 0)
            if mask.any():
                rows, choice = torch.where(mask)
                y = self.weighed(expert, flat[rows], weights[rows, choice, None])
                total.index_add_(0, rows, y)
        return total.view(hidden.shape)


class ReluLoop(Guarded):
    def choose(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        return torch.topk(F.relu(self.gate(flat)), 2)


class AllPositive(Guarded):
    """As many experts as have a positive score."""

    def choose(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        weights = F.relu(self.gate(flat))
        return weights, torch.arange(EXPERTS).expand_as(weights)


class WeighsItself(Guarded):
    """Experts that take their weight as a second argument."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(WeighedMLP() for _ in range(EXPERTS))

    def weighed(self, expert: int, x: Tensor, weight: Tensor) -> Tensor:
        return self.experts[expert](x, weight)


class WeighedMLP(GatedMLP):
    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        return super().forward(x) * weight


class DeepSeekGate(nn.Module):
    """A router with a name of its own: sigmoid, bias for the choice, groups, scale."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(EXPERTS, HIDDEN))
        self.e_score_correction_bias = nn.Parameter(torch.randn(EXPERTS) * 0.2)
        self.routed_scaling_factor, self.top_k, self.n_group, self.topk_group = 2.5, 2, 2, 1

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores = F.linear(x, self.weight).sigmoid()
        choice = (scores + self.e_score_correction_bias).view(-1, 2, EXPERTS // 2)
        best = choice.topk(2, dim=-1).values.sum(-1).argmax(-1, keepdim=True)
        mask = torch.arange(2) != best
        ids = choice.masked_fill(mask.unsqueeze(-1), float("-inf")).flatten(1).topk(2).indices
        weights = scores.gather(1, ids)
        return weights / weights.sum(-1, keepdim=True) * self.routed_scaling_factor, ids


class DeepSeekLoop(Guarded):
    def __init__(self) -> None:
        super().__init__()
        del self.top_k
        self.gate, self.shared_experts = DeepSeekGate(), GatedMLP()

    def choose(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        return self.gate(flat)

    def forward(self, hidden: Tensor) -> Tensor:
        return super().forward(hidden) + self.shared_experts(hidden)
