"""Mixture-of-experts layers as people write them; each maps x [T, H] to [T, H]."""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN, INNER = 12, 10


class Layer(nn.Module):
    """Router, expert weights, and what the forms share."""

    def __init__(self, experts: int = 8, chosen: int = 2, bias: bool = False) -> None:
        super().__init__()
        torch.manual_seed(experts * 10 + chosen)
        self.experts, self.chosen = experts, chosen
        self.router = nn.Linear(HIDDEN, experts, bias=False)
        self.up = nn.Parameter(torch.randn(experts, 2 * INNER, HIDDEN) * 0.3)
        self.down = nn.Parameter(torch.randn(experts, HIDDEN, INNER) * 0.3)
        self.up_bias = nn.Parameter(torch.randn(experts, 2 * INNER)) if bias else None
        self.down_bias = nn.Parameter(torch.randn(experts, HIDDEN)) if bias else None

    def route(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weights, ids = torch.topk(torch.softmax(self.router(x), dim=-1), self.chosen, dim=-1)
        return weights / weights.sum(dim=-1, keepdim=True), ids

    def gate(self, h: Tensor) -> Tensor:
        gate, up = h.chunk(2, dim=-1)
        return F.silu(gate) * up


class MLP(nn.Module):
    """One expert of a ModuleList."""

    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        self.first = nn.Linear(HIDDEN, INNER, bias=bias)
        self.second = nn.Linear(INNER, HIDDEN, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.gelu(self.first(x)))


class Listed(Layer):
    """Experts in a ModuleList."""

    def __init__(self, experts: int = 8, chosen: int = 2, bias: bool = True) -> None:
        super().__init__(experts, chosen)
        self.mlps = nn.ModuleList(MLP(bias) for _ in range(experts))


class Gathered(Layer):
    """W[ids] @ x[..., None], a row per choice (batched_mm)."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        flat = ids.reshape(-1)
        rows = x.repeat_interleave(self.chosen, dim=0)
        h = torch.bmm(self.up[flat], rows.unsqueeze(-1)).squeeze(-1)
        h = h if self.up_bias is None else h + self.up_bias[flat]
        y = torch.bmm(self.down[flat], self.gate(h).unsqueeze(-1)).squeeze(-1)
        y = y if self.down_bias is None else y + self.down_bias[flat]
        return (y * weights.reshape(-1, 1)).reshape(x.shape[0], self.chosen, -1).sum(dim=1)


class GatheredRight(Layer):
    """x[:, None] @ W[ids] with weights [E, in, out]."""

    def __init__(self, experts: int = 8, chosen: int = 2, bias: bool = False) -> None:
        super().__init__(experts, chosen, bias)
        self.up = nn.Parameter(self.up.detach().transpose(1, 2).contiguous())
        self.down = nn.Parameter(self.down.detach().transpose(1, 2).contiguous())

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        flat = ids.reshape(-1)
        rows = x[:, None].expand(-1, self.chosen, -1).flatten(0, 1)
        h = torch.bmm(rows.unsqueeze(1), self.up[flat]).squeeze(1)
        y = torch.bmm(self.gate(h).unsqueeze(1), self.down[flat]).squeeze(1)
        return (y.view(-1, self.chosen, HIDDEN) * weights.unsqueeze(-1)).sum(dim=1)


class GatheredEinsum(Layer):
    """Einsum over weights gathered per token and choice."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        h = self.gate(torch.einsum("th,tkoh->tko", x, self.up[ids]))
        y = torch.einsum("tki,tkhi->tkh", h, self.down[ids])
        return torch.einsum("tk,tkh->th", weights, y)


class GatheredSum(Layer):
    """(W[ids] * x).sum(-1), weights kept per token and choice."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        h = self.gate((self.up[ids] * x[:, None, None, :]).sum(dim=-1))
        y = (self.down[ids] * h[:, :, None, :]).sum(dim=-1)
        return (y * weights[..., None]).sum(dim=1)


class LoopMixtral(Layer):
    """The loop of transformers 4: one-hot mask, where, index_add."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        mask = F.one_hot(ids, self.experts).permute(2, 1, 0)
        y = torch.zeros_like(x)
        for expert in range(self.experts):
            choice, rows = torch.where(mask[expert])
            h = self.gate(F.linear(x[rows], self.up[expert]))
            out = F.linear(h, self.down[expert]) * weights[rows, choice, None]
            y.index_add_(0, rows, out)
        return y


class LoopWhere(Listed):
    """where(ids == e), index_add, experts in a ModuleList."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        y = torch.zeros_like(x)
        for expert, mlp in enumerate(self.mlps):
            rows, choice = torch.where(ids == expert)
            y = y.index_add(0, rows, mlp(x[rows]) * weights[rows, choice, None])
        return y


class LoopAssign(Listed):
    """results[rows] += weight * expert(x[rows]) (mistral-inference)."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        y = torch.zeros_like(x)
        for expert, mlp in enumerate(self.mlps):
            rows, choice = torch.where(ids == expert)
            y[rows] += weights[rows, choice, None] * mlp(x[rows])
        return y


class DenseScatter(Listed):
    """Every expert on every token, weighted by a matrix that was scattered from the top k."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        full = torch.zeros(x.shape[0], self.experts).scatter(1, ids, weights)
        start = torch.zeros_like(x)
        return sum((full[:, e, None] * mlp(x) for e, mlp in enumerate(self.mlps)), start)


class DenseOneHot(Listed):
    """The same with the matrix from one-hot vectors."""

    def matrix(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        return (F.one_hot(ids, self.experts).float() * weights[..., None]).sum(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        full = self.matrix(x)
        return sum(full[:, e : e + 1] * mlp(x) for e, mlp in enumerate(self.mlps))


class DenseSoft(DenseOneHot):
    """All experts count: nothing can be skipped."""

    def matrix(self, x: Tensor) -> Tensor:
        return torch.softmax(self.router(x), dim=-1)


class StackGather(Listed):
    """Outputs of all experts are stacked and the chosen ones gathered."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        every = torch.stack([mlp(x) for mlp in self.mlps], dim=1)
        y = torch.gather(every, 1, ids[..., None].expand(-1, -1, HIDDEN))
        return (y * weights[..., None]).sum(dim=1)


class TiledBatch(Layer):
    """x repeated for each expert, batched products, scattered weights (Llama 4, OpenVINO)."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        full = torch.zeros(x.shape[0], self.experts).scatter(1, ids, weights)
        rows = x.repeat(self.experts, 1).view(self.experts, -1, HIDDEN)
        y = torch.bmm(self.gate(torch.bmm(rows, self.up.mT)), self.down.mT)
        return (y * full.transpose(0, 1)[..., None]).sum(dim=0)


class DenseEinsum(Layer):
    """Einsum over all experts, then over the scattered weights."""

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = self.route(x)
        full = torch.zeros(x.shape[0], self.experts).scatter(1, ids, weights)
        h = self.gate(torch.einsum("th,eoh->teo", x, self.up))
        y = torch.einsum("tei,ehi->teh", h, self.down)
        return torch.einsum("te,teh->th", full, y)


def relu_rms(logits: Tensor, gamma: Tensor) -> Tensor:
    return gamma * (a := torch.relu(logits)) * torch.rsqrt((a * a).mean(-1, keepdim=True) + 1e-6)


class BlockFlat(Layer):
    """BlockFFN with flat weights [E*d, H] and [H, E*d]."""

    def __init__(self, experts: int = 8, chosen: int = 0, bias: bool = False) -> None:
        super().__init__(experts, 2)
        self.flat_up = nn.Linear(HIDDEN, experts * INNER, bias=bias)
        self.flat_down = nn.Linear(experts * INNER, HIDDEN, bias=bias)
        self.gamma = nn.Parameter(torch.rand(experts) + 0.5)

    def scores(self, x: Tensor) -> Tensor:
        return relu_rms(self.router(x), self.gamma)

    def forward(self, x: Tensor) -> Tensor:
        h = F.silu(self.flat_up(x)).reshape(-1, self.experts, INNER) * self.scores(x)[..., None]
        return self.flat_down(h.reshape(-1, self.experts * INNER))


class BlockSum(BlockFlat):
    """BlockFFN with scores that are divided by their sum."""

    def scores(self, x: Tensor) -> Tensor:
        a = torch.relu(self.router(x))
        return a / (a.sum(dim=-1, keepdim=True) + 1e-5)


class BlockEinsum(BlockFlat):
    """BlockFFN with weights [E, 2d, H] and [E, H, d], token-major."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.gate(torch.einsum("th,eoh->teo", x, self.up))
        y = torch.einsum("tei,ehi->teh", h, self.down)
        return (y * self.scores(x)[..., None]).sum(dim=1)


class BlockBatched(BlockFlat):
    """BlockFFN with batched products, expert-major."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.gate(x[None] @ self.up.transpose(1, 2)) @ self.down.transpose(1, 2)
        return (y * self.scores(x).transpose(0, 1)[..., None]).sum(dim=0)


class Batched3d(nn.Module):
    """A layer of another form on [B, L, H], written without flattening."""

    def __init__(self, kind: str, experts: int = 3, chosen: int = 2) -> None:
        super().__init__()
        self.kind, self.layer = kind, Listed(experts, chosen)
        self.blocks = BlockFlat(experts)

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        weights, ids = layer.route(x)
        if self.kind == "dense":
            full = (F.one_hot(ids, layer.experts).float() * weights[..., None]).sum(dim=-2)
            return x + sum(full[..., e : e + 1] * m(x) for e, m in enumerate(layer.mlps))
        if self.kind == "gathered":
            h = layer.gate(torch.einsum("blh,blkoh->blko", x, layer.up[ids]))
            y = torch.einsum("blki,blkhi->blkh", h, layer.down[ids])
            return x + (y * weights[..., None]).sum(dim=-2)
        blocks = self.blocks
        h = F.silu(blocks.flat_up(x)).unflatten(-1, (blocks.experts, INNER))
        scored = h * blocks.scores(x)[..., None]
        return x + blocks.flat_down(scored.flatten(-2))


class ScaledInput(Layer):
    """The weights scale what the experts read (Llama 4)."""

    def forward(self, x: Tensor) -> Tensor:
        top, ids = torch.topk(self.router(x), self.chosen, dim=-1)
        full = torch.zeros(x.shape[0], self.experts).scatter(1, ids, torch.sigmoid(top))
        rows = x.repeat(self.experts, 1) * full.transpose(0, 1).reshape(-1, 1)
        h = torch.bmm(rows.view(self.experts, -1, HIDDEN), self.up.transpose(1, 2))
        h = h if self.up_bias is None else h + self.up_bias[:, None]
        return torch.bmm(self.gate(h), self.down.transpose(1, 2)).sum(dim=0)


class ScaledInputBias(ScaledInput):
    """The same with a bias: experts that are not chosen give something else than zero."""

    def __init__(self, experts: int = 8, chosen: int = 2) -> None:
        super().__init__(experts, chosen, bias=True)


FORMS = {  # loop_where: LoopWhere, and so on
    re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): form
    for name, form in list(globals().items())
    if isinstance(form, type) and issubclass(form, Layer) and form not in (Layer, Listed)
}
