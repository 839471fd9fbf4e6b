"""Feed-forwards whose hidden layer is cut into blocks, of which some are active.

FactorLLM (Zhao et al. 2024, arXiv 2408.11855), MatFormer (Devvrat et al. 2023, arXiv 2310.07707),
adaptive computation modules (Wojcik et al. 2023, arXiv 2312.10193), Read-ME's pre-gating (Cai et
al. 2024, arXiv 2410.19123). BlockFFN has a trained model of its own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

T, H, E, D, K, VOCABULARY = 6, 16, 4, 8, 2, 20


class Blocks(nn.Module):
    """SwiGLU (or SiLU) with a score for each block of neurons."""

    def __init__(self, gated: bool = False) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(H, E * D, bias=False), nn.Linear(E * D, H, bias=False)
        self.gate = nn.Linear(H, E * D, bias=False) if gated else None

    def masked(self, x: Tensor, scores: Tensor) -> Tensor:
        """Map [T, H] with scores [T, E] to [T, H]."""
        h = self.up(x) if self.gate is not None else F.silu(self.up(x))
        if self.gate is not None:
            h = F.silu(self.gate(x)) * h
        h = h.view(-1, E, D) * scores[..., None]
        y: Tensor = self.down(h.flatten(1))
        return y


class FactorLLM(Blocks):
    """A linear router keeps the top k of N equal parts, times N / k."""

    def __init__(self) -> None:
        super().__init__(gated=True)
        self.router = nn.Linear(H, E, bias=False)

    def scores(self, x: Tensor) -> Tensor:
        """Return 0 or N / k for each token and part."""
        ids = self.router(x).topk(K, -1).indices
        return torch.zeros(x.shape[0], E).scatter(1, ids, E / K)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        return self.masked(x, self.scores(x))


class Adaptive(Blocks):
    """The first n(x) learners are added up; a gate chooses n."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_of = nn.Linear(H, E + 1)

    def scores(self, x: Tensor) -> Tensor:
        """Return 1 for the first n learners of each token."""
        count = self.gate_of(x).argmax(-1, keepdim=True)
        return (torch.arange(E) < count).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        return self.masked(x, self.scores(x))


class MatFormer(Blocks):
    """A nested feed-forward whose width, 0 .. E blocks, is an input."""

    def forward(self, x: Tensor, width: Tensor) -> Tensor:
        """Map tokens [T, H] and the number of blocks int64 [1] to [T, H]."""
        return self.masked(x, self.scores(x, width))

    def scores(self, x: Tensor, width: Tensor) -> Tensor:
        """Return 1 for the blocks in use, the same for all tokens."""
        return (torch.arange(E) < width).to(x.dtype).expand(x.shape[0], -1)


class Slimmable(nn.Module):
    """The mask covers neurons, not blocks: h * (arange(I) < width)."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(H, E * D), nn.Linear(E * D, H)

    def forward(self, x: Tensor, width: Tensor) -> Tensor:
        """Map tokens [T, H] and the number of neurons int64 [1] to [T, H]."""
        h = F.relu(self.up(x)) * (torch.arange(E * D) < width).to(x.dtype)
        y: Tensor = self.down(h)
        return y


class ReadMe(nn.Module):
    """One router for all layers that sees token ids only; a shared part beside the experts."""

    def __init__(self, layers: int = 2) -> None:
        super().__init__()
        self.embedding, self.pre = nn.Embedding(VOCABULARY, H), nn.Embedding(VOCABULARY, H)
        self.router = nn.Linear(H, E, bias=False)
        self.blocks = nn.ModuleList(Blocks() for _ in range(layers))
        self.shared = nn.ModuleList(nn.Linear(H, H) for _ in range(layers))

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids [T] to [T, H]."""
        x = self.embedding(ids)
        scores = F.one_hot(self.router(self.pre(ids)).argmax(-1), E).to(x.dtype)
        for block, shared in zip(self.blocks, self.shared, strict=True):
            x = x + shared(F.relu(x)) + block.masked(x, scores)  # type: ignore[operator]
        return x


def _make(layer: nn.Module, *more: Tensor) -> Made:
    return randomise(layer), (noise(T, H), *more)


def _active(each: int = 2) -> object:
    def macs(module: nn.Module, *inputs: Tensor) -> int:
        return int((module.scores(*inputs) != 0).sum()) * each * H * D  # type: ignore[operator]

    return macs


def _slim(module: nn.Module, x: Tensor, width: Tensor) -> int:
    return len(x) * -(-int(width) // 16) * 2 * H * 16  # blocks of 16 neurons


FREE, FIRST = ({0: "T"},), ({0: "T"}, None)
FOUND = ({"subject": "experts", "E": E},)
CASES = (
    Case("factor_llm", lambda: _make(FactorLLM()), FOUND, _active(3), FREE),
    Case("adaptive_computation", lambda: _make(Adaptive()), FOUND, _active(), FREE),
    Case("matformer", lambda: _make(MatFormer(), torch.tensor([2])), FOUND, _active(), FIRST),
    Case("slimmable", lambda: _make(Slimmable(), torch.tensor([11])),
         ({"subject": "experts", "form": "scored", "E": 2},), _slim, FIRST),
    Case("read_me", lambda: (randomise(ReadMe()), (torch.tensor([3, 1, 19, 7, 3, 0]),)),
         (*FOUND, *FOUND), lambda module, ids: 2 * len(ids) * 2 * H * D, FREE),
)  # fmt: skip
