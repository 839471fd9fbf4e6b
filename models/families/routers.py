"""Routers: the same experts, chosen and weighted in every way that is known.

The equations are those of the papers and model cards that the classes name.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models.families import Case, Made, noise, randomise

T, H, I, E, K, VOCABULARY = 6, 16, 12, 8, 2, 20
Routed = tuple[Tensor, Tensor]


class Layer(nn.Module):
    """SwiGLU experts by gathered weights; `route` is what differs."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(H, E, bias=False)
        self.bias = nn.Parameter(torch.empty(E))
        self.gate_up = nn.Parameter(torch.empty(E, 2 * I, H))
        self.down = nn.Parameter(torch.empty(E, H, I))

    def experts(self, x: Tensor, weights: Tensor, ids: Tensor) -> Tensor:
        """Map [T, H] with weights and ids [T, K] to [T, H]."""
        gate, up = torch.einsum("th,tkoh->tko", x, self.gate_up[ids]).chunk(2, -1)
        y = torch.einsum("tki,tkhi->tkh", F.silu(gate) * up, self.down[ids])
        return (y * weights[..., None]).sum(1)


class Routed_(Layer):
    """A layer with one of the functions below."""

    def __init__(self, route: Callable[[Layer, Tensor], Routed]) -> None:
        super().__init__()
        self.route = route

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        return self.experts(x, *self.route(self, x))


def softmax_first(layer: Layer, x: Tensor) -> Routed:
    """Softmax, top-k, not renormalised (Time-MoE, OLMoE)."""
    return torch.softmax(layer.gate(x), -1).topk(K, -1)


def softmax_after(layer: Layer, x: Tensor) -> Routed:
    """Top-k of the logits, softmax over the chosen (Mixtral of mistral-inference)."""
    top, ids = layer.gate(x).topk(K, -1)
    return torch.softmax(top, -1), ids


def sigmoid_bias(layer: Layer, x: Tensor) -> Routed:
    """Sigmoid; a bias chooses and does not weigh; renormalised and scaled (DeepSeek-V3, 2.1.2)."""
    scores = layer.gate(x).sigmoid()
    ids = (scores + layer.bias).topk(K, -1).indices
    weights = scores.gather(1, ids)
    return weights / (weights.sum(-1, keepdim=True) + 1e-20) * 2.5, ids


def groups(layer: Layer, x: Tensor) -> Routed:
    """The two best of four groups, by the sum of the two best of each (DeepSeek-V3)."""
    scores = layer.gate(x).sigmoid()
    choice = scores + layer.bias
    best = choice.view(-1, 4, E // 4).topk(2, -1).values.sum(-1).topk(2, -1).indices
    mask = torch.zeros(x.shape[0], 4).scatter(1, best, 1.0)
    mask = mask[..., None].expand(-1, -1, E // 4).reshape(-1, E)
    ids = choice.masked_fill(mask == 0, float("-inf")).topk(K, -1).indices
    weights = scores.gather(1, ids)
    return weights / weights.sum(-1, keepdim=True), ids


def sqrt_softplus(layer: Layer, x: Tensor) -> Routed:
    """sqrt(softplus(logits)) (DeepSeek-V4)."""
    scores = F.softplus(layer.gate(x)).sqrt()
    weights, ids = scores.topk(K, -1)
    return weights / weights.sum(-1, keepdim=True), ids


def temperature(layer: Layer, x: Tensor) -> Routed:
    """softmax(logits / tau) (Nguyen et al. 2024, arXiv 2401.13875)."""
    return torch.softmax(layer.gate(x) / 0.7, -1).topk(K, -1)


def centroids(layer: Layer, x: Tensor) -> Routed:
    """The farthest centroids, as Moirai-MoE's code has it (Liu et al. 2024, arXiv 2410.10469)."""
    distance = (x[:, None] - layer.gate.weight).pow(2).sum(-1).sqrt()
    top, ids = distance.topk(K, -1)
    return torch.softmax(top, -1), ids


def nearest(layer: Layer, x: Tensor) -> Routed:
    """The nearest centroids."""
    distance = (x[:, None] - layer.gate.weight).square().sum(-1)
    top, ids = distance.topk(K, -1, largest=False)
    return torch.softmax(-top, -1), ids


def cosine(layer: Layer, x: Tensor) -> Routed:
    """Cosine similarity over a temperature (Chi et al. 2022, arXiv 2204.09179)."""
    logits = F.normalize(x, dim=-1) @ F.normalize(layer.gate.weight, dim=-1).t() / 0.3
    return torch.softmax(logits, -1).topk(K, -1)


def argmax(layer: Layer, x: Tensor) -> Routed:
    """Top-1 by argmax (Switch)."""
    scores = torch.softmax(layer.gate(x), -1)
    ids = scores.argmax(-1, keepdim=True)
    return scores.gather(1, ids), ids


def sparsemixer(layer: Layer, x: Tensor) -> Routed:
    """Two argmax with masked softmax (PhiMoE; Liu et al. 2023, arXiv 2310.00811)."""
    scores, epsilon, weights, ids = layer.gate(x), 0.01, [], []
    left = scores
    for _ in range(2):
        best, place = left.max(-1, keepdim=True)
        far = (best - scores) / scores.abs().clamp(min=best) > 2 * epsilon
        weights.append(torch.softmax(left.masked_fill(far, float("-inf")), -1).gather(1, place))
        ids.append(place)
        left = left.scatter(1, place, float("-inf"))
    return torch.cat(weights, 1), torch.cat(ids, 1)


class FixedRandom(Layer):
    """A random matrix that was never trained (SMoE-Dropout, Chen et al. 2023, arXiv 2303.01610)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fixed", torch.randn(H, E, generator=torch.Generator().manual_seed(3)))

    def forward(self, x: Tensor) -> Tensor:
        """Map [T, H] to the same."""
        return self.experts(x, *torch.softmax(x @ self.fixed, -1).topk(K, -1))


class Hash(Layer):
    """Experts by token id from a table (Roller et al. 2021, arXiv 2106.04426)."""

    def __init__(self, scored: bool) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(3)
        table = torch.stack([torch.randperm(E, generator=random)[:K] for _ in range(VOCABULARY)])
        self.register_buffer("table", table)
        self.embedding, self.scored = nn.Embedding(VOCABULARY, H), scored

    def forward(self, tokens: Tensor) -> Tensor:
        """Map token ids [T] to [T, H]."""
        x, ids = self.embedding(tokens), self.table[tokens]
        weights = torch.full(ids.shape, 1.0 / K)
        if self.scored:
            weights = torch.softmax(self.gate(x), -1).gather(1, ids)
        return self.experts(x, weights, ids)


def macs(module: nn.Module, x: Tensor) -> int:
    """K experts for each token."""
    return len(x) * K * 3 * H * I


def _case(route: Callable[[Layer, Tensor], Routed], family: str, chosen: int = K,
          **facts: object) -> Case:  # fmt: skip
    def made() -> Made:
        return randomise(Routed_(route)), (noise(T, H),)

    found = (
        {"subject": "experts", "form": "indexed", "E": E, "k": chosen},
        {"subject": "router", "form": family, **facts},
    )
    return Case(f"router_{route.__name__}", made, found,
                lambda module, x: macs(module, x) * chosen // K, ({0: "T"},))  # fmt: skip


def _hash(name: str, scored: bool) -> Case:
    def made() -> Made:
        return randomise(Hash(scored)), (torch.tensor([3, 1, 19, 7, 3, 0]),)

    found = ({"subject": "experts", "form": "indexed", "E": E, "k": K},
             {"subject": "router", "form": "token_table"})  # fmt: skip
    return Case(name, made, found, macs, ({0: "T"},))


CASES = (
    _case(softmax_first, "topk", score="softmax", renormalise="none"),
    _case(softmax_after, "topk", score="none", softmax_after=True),
    _case(sigmoid_bias, "topk", score="sigmoid", bias=True, scale=2.5, renormalise="sum"),
    _case(groups, "grouped_topk", score="sigmoid", groups=4, top_groups=2, group_score="sum2"),
    _case(sqrt_softplus, "topk", score="sqrt_softplus", renormalise="sum"),
    _case(temperature, "topk", score="softmax", temperature=0.7),
    _case(centroids, "centroids", largest=True),
    _case(nearest, "centroids", largest=False),
    _case(cosine, "topk", score="softmax"),
    _case(argmax, "argmax", 1),
    _case(sparsemixer, "sparsemixer"),
    Case("router_fixed_random", lambda: (randomise(FixedRandom()), (noise(T, H),)),
         ({"subject": "experts", "form": "indexed", "E": E, "k": K},
          {"subject": "router", "form": "topk"}), macs, ({0: "T"},)),
    _hash("router_hash", scored=False),
    _hash("router_hash_scored", scored=True),
)  # fmt: skip
