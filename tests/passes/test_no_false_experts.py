"""What has the shape of experts, slots, selections or exits, and is none of them."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from edgemoe.specialise import bind_shapes  # noqa: E402

T, H = 6, 16


class OneKeyHead(nn.Module):
    """Attention with one key and value for all heads, and an output matrix for each head.

    The weighted means of tokens look like slots of Soft-MoE; their results are summed, not mixed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.q, self.kv = nn.Linear(H, 4 * 8), nn.Linear(H, 2 * 8)
        self.out = nn.Parameter(torch.randn(4, 8, H))

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(x).view(-1, 4, 8).transpose(0, 1)
        k, v = self.kv(x).chunk(2, -1)
        y = torch.softmax(q @ k.t(), -1) @ v
        return torch.einsum("htd,hdm->tm", y, self.out)


class Padding(nn.Module):
    """A product whose rows are zero where the input is padding."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(H, H)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        return x + self.linear(x).masked_fill(padding[:, None], 0.0)


class Gate(nn.Module):
    """One number per token weighs a single product."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.linear = nn.Linear(H, 1), nn.Linear(H, H)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sigmoid(self.gate(x)) * self.linear(x)


class Candidates(nn.Module):
    """Items are looked up and scored; nothing is looked up again."""

    def __init__(self) -> None:
        super().__init__()
        self.items = nn.Embedding(30, H)

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        return torch.softmax(torch.einsum("th,tkh->tk", x, self.items(ids)), -1)


class Branches(nn.Module):
    """Channels are split, each part has a product of its own, and they are joined again."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        parts = x.chunk(4, -1)
        return torch.cat([F.relu(f(p)) for f, p in zip(self.parts, parts, strict=True)], -1)


class Ensemble(nn.Module):
    """The mean of several networks: every weight is the same constant."""

    def __init__(self) -> None:
        super().__init__()
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(H, 8), nn.ReLU(), nn.Linear(8, H)) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([net(x) for net in self.nets], 1).mean(1)


class Heads(nn.Module):
    """Heads of one trunk are no exits: none computes on from where another begins."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(H, H)
        self.heads = nn.ModuleList(nn.Linear(H, 5) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        h = F.relu(self.trunk(x))
        return tuple(head(h) for head in self.heads)


CASES: dict[str, tuple[type[nn.Module], tuple[Tensor, ...]]] = {
    "one key head": (OneKeyHead, (torch.randn(T, H),)),
    "padding": (Padding, (torch.randn(T, H), torch.tensor([False] * 4 + [True] * 2))),
    "gate": (Gate, (torch.randn(T, H),)),
    "candidates": (Candidates, (torch.randn(T, H), torch.randint(0, 30, (T, 5)))),
    "branches": (Branches, (torch.randn(T, H),)),
    "ensemble": (Ensemble, (torch.randn(T, H),)),
    "heads": (Heads, (torch.randn(T, H),)),
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_matched(tools: Any, case: str) -> None:
    make, inputs = CASES[case]
    torch.manual_seed(0)
    model = bind_shapes(tools.export_module(make(), inputs, 18), {})
    report = tools.recognise(model)
    subjects = ("experts", "router", "exit")
    assert not [n for n in report.notes if n.kind == "matched" and n.subject in subjects]
    assert not tools.regions(model)
