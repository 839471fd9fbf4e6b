"""The workloads as torch modules with random weights; `form` chooses the graph that torch exports.

- `loop`: NonZero and index_add per expert, unrolled;
- `grouped`: rows sorted by expert, one product per expert, sorted back (transformers' default);
- `gather`: one gathered matrix per (token, choice), transformers' `batched_mm`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.cases import CONTEXT, HEADS, LAYERS, VOCABULARY, Moe


def random_weight(*shape: int) -> nn.Parameter:
    """Normal, scaled so that a product keeps the size of its input."""
    return nn.Parameter(torch.randn(*shape) / shape[-1] ** 0.5)


class Experts(nn.Module):
    """Softmax router, renormalised top-k, SwiGLU experts, perhaps a shared one: [T, H] to same."""

    def __init__(self, shape: Moe, form: str) -> None:
        super().__init__()
        self.router = random_weight(shape.experts, shape.hidden)
        self.gate_up = random_weight(shape.experts, 2 * shape.inner, shape.hidden)
        self.down = random_weight(shape.experts, shape.hidden, shape.inner)
        if shape.shared:
            self.shared_gate_up = random_weight(2 * shape.inner, shape.hidden)
            self.shared_down = random_weight(shape.hidden, shape.inner)
        if form == "grouped":  # the operator is known once this is imported
            from transformers.integrations import moe  # noqa: F401
        self.shape, self.form = shape, form

    def forward(self, x: Tensor) -> Tensor:
        weights, ids = torch.softmax(x @ self.router.T, -1).topk(self.shape.chosen, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        y: Tensor = getattr(self, self.form)(x, ids, weights)
        if self.shape.shared:
            y = y + swiglu(x @ self.shared_gate_up.T) @ self.shared_down.T
        return y

    def loop(self, x: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
        result = torch.zeros_like(x)
        for expert in range(self.shape.experts):
            token, slot = torch.where(ids == expert)
            out = swiglu(x[token] @ self.gate_up[expert].T) @ self.down[expert].T
            result = result.index_add(0, token, out * weights[token, slot, None])
        return result

    def grouped(self, x: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
        """As `grouped_mm_experts_forward` of transformers does it."""
        product = torch.ops.transformers.grouped_mm_fallback
        experts = self.shape.experts
        ordered, order = torch.sort(ids.reshape(-1))
        rows = x[order // self.shape.chosen]
        shares = weights.reshape(-1)[order]
        counts = torch.histc(ordered.float(), bins=experts, min=0, max=experts - 1)
        ends = torch.cumsum(counts, dim=0, dtype=torch.int32)
        inner = swiglu(product(rows, self.gate_up.transpose(1, 2), ends))
        out = product(inner, self.down.transpose(1, 2), ends) * shares[:, None]
        back = torch.empty_like(order)
        back[order] = torch.arange(order.numel())
        y: Tensor = out[back].view(x.shape[0], self.shape.chosen, -1).sum(1)
        return y

    def gather(self, x: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
        rows = x[:, None].expand(-1, self.shape.chosen, -1).reshape(-1, x.shape[1], 1)
        flat = ids.reshape(-1)
        inner = swiglu(torch.bmm(self.gate_up[flat], rows)[..., 0])
        out = torch.bmm(self.down[flat], inner[..., None])[..., 0]
        return (out.view(*ids.shape, -1) * weights[..., None]).sum(1)


def swiglu(x: Tensor) -> Tensor:
    """Map [.., 2I] = [gate, up] to silu(gate) * up."""
    gate, up = x.chunk(2, -1)
    return F.silu(gate) * up


class DecoderLayer(nn.Module):
    """Attention over a cache, then experts, each behind an RMS norm."""

    def __init__(self, shape: Moe, form: str) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.RMSNorm(shape.hidden) for _ in range(2)])
        self.qkv = random_weight(3 * shape.hidden, shape.hidden)
        self.out = random_weight(shape.hidden, shape.hidden)
        self.experts = Experts(shape, form)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        heads = (self.norms[0](x) @ self.qkv.T).view(x.shape[0], 3, HEADS, -1)
        q, k, v = heads.permute(1, 2, 0, 3)
        keys, values = torch.cat([keys, k], 1), torch.cat([values, v], 1)
        before = keys.shape[1] - x.shape[0]
        seen = torch.ones(x.shape[0], keys.shape[1], dtype=torch.bool).tril(before)
        scores = (q @ keys.transpose(1, 2)) / q.shape[-1] ** 0.5
        mixed = scores.masked_fill(~seen, -1e9).softmax(-1) @ values
        x = x + mixed.transpose(0, 1).reshape(x.shape) @ self.out.T
        return x + self.experts(self.norms[1](x)), keys, values


class Decoder(nn.Module):
    """Token numbers [T] and the cache of each layer to logits [T, V] and the longer caches."""

    def __init__(self, shape: Moe, form: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, shape.hidden)
        self.layers = nn.ModuleList([DecoderLayer(shape, form) for _ in range(LAYERS)])
        self.head = random_weight(VOCABULARY, shape.hidden)

    def forward(self, x: Tensor, caches: list[Tensor]) -> tuple[Tensor, ...]:
        x, longer = self.embedding(x), []
        for number, layer in enumerate(self.layers):
            x, *both = layer(x, *caches[2 * number : 2 * number + 2])
            longer += both
        return x @ self.head.T, *longer


class PlacedDecoder(Decoder):
    """The decoder with caches of a fixed size, [C, heads, width] each.

    The rows from `position` on are written in their place; what lies behind them is not seen.
    """

    def forward(  # type: ignore[override]
        self, x: Tensor, position: Tensor, caches: list[Tensor]
    ) -> tuple[Tensor, ...]:
        rows = position + torch.arange(x.shape[0])
        hidden = torch.arange(caches[0].shape[0])[None] > rows[:, None]
        x, updated = self.embedding(x), []
        for number, layer in enumerate(self.layers):
            keys, values = caches[2 * number : 2 * number + 2]
            heads = (layer.norms[0](x) @ layer.qkv.T).view(x.shape[0], 3, HEADS, -1)
            q, k, v = heads.unbind(1)
            keys, values = keys.index_put((rows,), k), values.index_put((rows,), v)
            updated += [keys, values]
            scores = q.transpose(0, 1) @ keys.permute(1, 2, 0) / q.shape[-1] ** 0.5
            mixed = scores.masked_fill(hidden, -1e9).softmax(-1) @ values.transpose(0, 1)
            x = x + mixed.transpose(0, 1).reshape(x.shape) @ layer.out.T
            x = x + layer.experts(layer.norms[1](x))
        return x @ self.head.T, position + x.shape[0], *updated


class Prefill(Decoder):
    """A decoder that starts with empty caches and gives the logits of all tokens."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        width = self.embedding.embedding_dim // HEADS
        empty = [torch.zeros(HEADS, 0, width)] * (2 * LAYERS)
        return super().forward(x, empty)[0]


class Block(nn.Module):
    """Token mixing, then channel mixing (Tolstikhin et al., 2021, eq. 1)."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.tokens = nn.Sequential(
            nn.Linear(tokens, 2 * tokens), nn.GELU(), nn.Linear(2 * tokens, tokens)
        )
        self.channels = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        y: Tensor = x + self.channels(self.norms[1](x))
        return y


class MlpMixer(nn.Module):
    """Images of 32x32 in patches of 4x4."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 256, 4, 4)
        self.blocks = nn.Sequential(*(Block(64, 256) for _ in range(8)))
        self.norm, self.head = nn.LayerNorm(256), nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.patches(x).flatten(2).transpose(1, 2))
        y: Tensor = self.head(self.norm(x).mean(1))
        return y


class Forecast(nn.Module):
    """PatchTSMixer of transformers without what it returns besides the forecast."""

    def __init__(self) -> None:
        from transformers import PatchTSMixerConfig, PatchTSMixerForPrediction

        super().__init__()
        self.model = PatchTSMixerForPrediction(
            PatchTSMixerConfig(
                context_length=512, prediction_length=96, num_input_channels=7, num_layers=8,
                d_model=64, patch_length=16, patch_stride=16,
            )
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.model(x).prediction_outputs
        return y


def caches() -> list[Tensor]:
    """Random keys and values of CONTEXT tokens, [heads, tokens, width] each."""
    return [torch.randn(HEADS, CONTEXT, 32) for _ in range(2 * LAYERS)]
