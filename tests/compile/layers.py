"""Small layers that compile in seconds; each maps x [T, H] to [T, H] unless it says otherwise."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN, INNER, EXPERTS, CHOSEN = 12, 20, 5, 2


class ById(nn.Module):
    """Experts that an input chooses: x [T, H], ids int64 [T, K] -> [T, H]."""

    def __init__(self, nan_expert: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.up = nn.Parameter(torch.randn(EXPERTS, INNER, HIDDEN) * 0.3)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, INNER) * 0.3)
        if nan_expert is not None:
            self.up.data[nan_expert] = torch.nan
            self.down.data[nan_expert] = torch.nan
        self.export_options = {
            "input_names": ["x", "ids"], "output_names": ["y"],
            "dynamic_shapes": ({0: "T"}, {0: "T"}),
        }  # fmt: skip

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        flat = ids.reshape(-1)
        rows = x.repeat_interleave(CHOSEN, dim=0).unsqueeze(-1)
        h = F.silu(torch.bmm(self.up[flat], rows))
        y = torch.bmm(self.down[flat], h).squeeze(-1)
        return y.view(-1, CHOSEN, HIDDEN).sum(dim=1)

    @staticmethod
    def example(tokens: int = 6) -> tuple[Tensor, Tensor]:
        return torch.randn(tokens, HIDDEN), torch.randint(0, EXPERTS, (tokens, CHOSEN))


class NormedExperts(nn.Module):
    """RMSNorm of each expert's output before the combine: a body over rows, not elements."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.router = nn.Linear(HIDDEN, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.randn(EXPERTS, INNER, HIDDEN) * 0.3)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, INNER) * 0.3)
        self.scale = nn.Parameter(torch.rand(HIDDEN) + 0.5)
        self.export_options = named("T")

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = torch.topk(torch.softmax(self.router(x), dim=-1), CHOSEN, dim=-1)
        flat = ids.reshape(-1)
        rows = x.repeat_interleave(CHOSEN, dim=0).unsqueeze(-1)
        h = F.gelu(torch.bmm(self.up[flat], rows))
        y = torch.bmm(self.down[flat], h).squeeze(-1)
        y = y * torch.rsqrt((y * y).mean(dim=-1, keepdim=True) + 1e-6) * self.scale
        return (y * weights.reshape(-1, 1)).view(-1, CHOSEN, HIDDEN).sum(dim=1)


class Attention(nn.Module):
    """One head over the whole call, without a cache; `causal` hides what comes later."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.causal = causal
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN)
        self.out = nn.Linear(HIDDEN, HIDDEN)
        self.export_options = named("T")

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(0, 1) / HIDDEN**0.5
        if self.causal:
            at = torch.arange(x.shape[0])
            scores = scores.masked_fill(at[None, :] > at[:, None], float("-inf"))
        return x + self.out(torch.softmax(scores, dim=-1) @ v)


class TwoByTwo(nn.Module):
    """x [T, H], y [T, 3] -> [T, 4], [T, H]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.first, self.second = nn.Linear(HIDDEN + 3, 4), nn.Linear(HIDDEN, HIDDEN)
        self.export_options = {
            "input_names": ["x", "y"], "output_names": ["a", "b"],
            "dynamic_shapes": ({0: "T"}, {0: "T"}),
        }  # fmt: skip

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        b = torch.relu(self.second(x)) + x
        return torch.tanh(self.first(torch.cat([b, y], dim=-1))), b


class Cosine(nn.Module):
    """An operator for which there is no kernel of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(HIDDEN, HIDDEN)
        self.export_options = named("T")

    def forward(self, x: Tensor) -> Tensor:
        return torch.cos(x) + self.linear(x).sum(dim=-1, keepdim=True)


class Wide(nn.Module):
    """A router and experts wide enough that weights, not constants, make the file."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        torch.manual_seed(9)
        self.width = width
        self.router = nn.Linear(width, 8, bias=False)
        self.up = nn.Parameter(torch.randn(8, 2 * width, width) / width**0.5)
        self.down = nn.Parameter(torch.randn(8, width, width) / width**0.5)
        self.export_options = named("T")

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = torch.topk(torch.softmax(self.router(x), dim=-1), 2, dim=-1)
        flat = ids.reshape(-1)
        rows = x.repeat_interleave(2, dim=0).unsqueeze(-1)
        gate, up = torch.bmm(self.up[flat], rows).squeeze(-1).chunk(2, dim=-1)
        y = torch.bmm(self.down[flat], (F.silu(gate) * up).unsqueeze(-1)).squeeze(-1)
        return (y * weights.reshape(-1, 1)).view(-1, 2, self.width).sum(dim=1)


class TokenMixer(nn.Module):
    """An MLP over tokens, as in a mixer, with its residual."""

    def __init__(self, tokens: int, hidden: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.up, self.down = nn.Linear(tokens, hidden), nn.Linear(hidden, tokens)
        self.export_options = {"input_names": ["x"], "output_names": ["y"]}

    def forward(self, x: Tensor) -> Tensor:
        h = F.gelu(self.up(x.transpose(1, 2)))
        y: Tensor = x + self.down(h).transpose(1, 2)
        return y


def named(dimension: str) -> dict[str, object]:
    return {"input_names": ["x"], "output_names": ["y"], "dynamic_shapes": ({0: dimension},)}
