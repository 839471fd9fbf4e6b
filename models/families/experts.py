"""Expert forms: one layer, computed in every way that people write and exporters produce."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

T, H, I, E, K = 6, 16, 12, 5, 2
PAIR = 3 * H * I
"""Multiply-accumulates of a SwiGLU expert for one token."""


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)) (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, hidden: int = H, inner: int = I, bias: bool = False) -> None:
        super().__init__()
        self.gate = nn.Linear(hidden, inner, bias=bias)
        self.up = nn.Linear(hidden, inner, bias=bias)
        self.down = nn.Linear(inner, hidden, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., H] to the same."""
        y: Tensor = self.down(F.silu(self.gate(x)) * self.up(x))
        return y


class Layer(nn.Module):
    """Softmax, the k best, renormalised; the experts as a list or as stacked weights."""

    def __init__(self, listed: bool) -> None:
        super().__init__()
        self.router = nn.Linear(H, E, bias=False)
        if listed:
            self.experts = nn.ModuleList(SwiGLU() for _ in range(E))
        else:
            self.gate_up = nn.Parameter(torch.empty(E, 2 * I, H))
            self.down = nn.Parameter(torch.empty(E, H, I))

    def route(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return weights [T, K] and ids [T, K]."""
        weights, ids = torch.topk(torch.softmax(self.router(x), -1), K, dim=-1)
        return weights / weights.sum(-1, keepdim=True), ids

    def full(self, x: Tensor) -> Tensor:
        """Return the weights as a matrix [T, E] with zeros."""
        weights, ids = self.route(x)
        return torch.zeros(x.shape[0], E).scatter(1, ids, weights)


class Gathered(Layer):
    """Weights gathered for each token and choice."""

    def __init__(self) -> None:
        super().__init__(listed=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        weights, ids = self.route(x)
        gate, up = torch.einsum("th,tkoh->tko", x, self.gate_up[ids]).chunk(2, -1)
        y = torch.einsum("tki,tkhi->tkh", F.silu(gate) * up, self.down[ids])
        return torch.einsum("tk,tkh->th", weights, y)


class Batched(Layer):
    """All experts in batched products, zero weights for those that were not chosen."""

    def __init__(self) -> None:
        super().__init__(listed=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        gate, up = torch.bmm(x.expand(E, -1, -1), self.gate_up.transpose(1, 2)).chunk(2, -1)
        y = torch.bmm(F.silu(gate) * up, self.down.transpose(1, 2))
        return (y * self.full(x).t()[..., None]).sum(0)


class Looped(Layer):
    """The loop of most training code: rows of each expert, index_add."""

    def __init__(self) -> None:
        super().__init__(listed=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        weights, ids = self.route(x)
        y = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, choice = torch.where(ids == number)
            y = y.index_add(0, rows, expert(x[rows]) * weights[rows, choice, None])
        return y


class LoopedByWeight(Layer):
    """A loop whose rows are where the matrix of weights is above zero."""

    def __init__(self) -> None:
        super().__init__(listed=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        full = self.full(x)
        y = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows = torch.where(full[:, number] > 0)[0]
            y = y.index_add(0, rows, expert(x[rows]) * full[rows, number, None])
        return y


class Dense(Layer):
    """Every expert on every token, weights zero for most; `matrix` says how they are made."""

    def __init__(self, matrix: str) -> None:
        super().__init__(listed=True)
        self.matrix = matrix

    def weigh(self, x: Tensor) -> Tensor:
        """Return the weights [T, E]."""
        scores = torch.softmax(self.router(x), -1)
        if self.matrix == "scatter":
            return self.full(x)
        if self.matrix == "one hot":
            weights, ids = self.route(x)
            return (F.one_hot(ids, E) * weights[..., None]).sum(1)
        kth = scores.topk(K, -1).values[:, -1:]
        kept = torch.where(scores >= kth, scores, 0.0)
        if self.matrix == "mask":
            mask = (scores >= kth).float()
            return scores * mask / (scores * mask).sum(-1, keepdim=True)
        return kept

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        full = self.weigh(x)
        y = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            y = y + full[:, number, None] * expert(x)
        return y


class Stacked(Layer):
    """Outputs of all experts are stacked, the chosen ones gathered."""

    def __init__(self) -> None:
        super().__init__(listed=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        weights, ids = self.route(x)
        every = torch.stack([expert(x) for expert in self.experts], 1)
        return (every.gather(1, ids[..., None].expand(-1, -1, H)) * weights[..., None]).sum(1)


def macs(module: nn.Module, x: Tensor) -> int:
    """K experts for each token."""
    return len(x) * K * PAIR


def _case(name: str, make: type[nn.Module], *args: str, router: str | None = "topk",
          form: str = "indexed", fails: dict[str, str] | None = None) -> Case:  # fmt: skip
    def made() -> Made:
        return randomise(make(*args)), (noise(T, H),)

    found: list[dict[str, object]] = [{"subject": "experts", "form": form, "E": E}]
    if router:
        found.append({"subject": "router", "form": router})
    return Case(name, made, tuple(found), macs, ({0: "T"},), fails or {})


TRACED = {"torchscript": "a trace keeps only the experts that its input reached"}
CASES = (
    _case("gathered", Gathered),
    _case("batched", Batched),
    _case("looped", Looped),
    _case("looped_by_weight", LoopedByWeight, form="scored", router=None),
    _case("dense_scatter", Dense, "scatter"),
    _case("dense_one_hot", Dense, "one hot"),
    _case("dense_threshold", Dense, "threshold", router="threshold", form="scored"),
    _case("dense_mask", Dense, "mask", router="threshold", form="scored"),
    _case("stacked", Stacked),
)
