"""A top-k mixture-of-experts character language model with a shared expert.

Router and experts as in Qwen2-MoE (Yang et al. 2024, arXiv 2407.10671, section 2.2.2): softmax over
all experts, the k best renormalised, SwiGLU experts, one shared expert behind a sigmoid gate.
Load-balancing loss of Switch Transformers (Fedus et al. 2021, arXiv 2101.03961, eq. 4-6).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models import checkpoint
from edgemoe.models.attention import DecoderConfig
from edgemoe.models.decoder import Decoder

EXPERTS, CHOSEN, INTERMEDIATE = 8, 2, 48


def swiglu(x: Tensor) -> Tensor:
    """Map [.., 2I] = [gate, up] to silu(gate) * up, [.., I]."""
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up


class SwiGLU(nn.Module):
    """A dense SwiGLU feed-forward [.., H] -> [.., H]: the shared expert, and the dense control."""

    def __init__(self, hidden: int, intermediate: int) -> None:
        super().__init__()
        self.gate_up = nn.Linear(hidden, 2 * intermediate, bias=False)
        self.down = nn.Linear(intermediate, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., H] to the same."""
        y: Tensor = self.down(swiglu(self.gate_up(x)))
        return y


class MoE(nn.Module):
    """K of E SwiGLU experts per token, weighted by the renormalised router, and a shared expert."""

    def __init__(self, hidden: int, experts: int, chosen: int, intermediate: int) -> None:
        super().__init__()
        self.experts, self.chosen = experts, chosen
        self.router = nn.Linear(hidden, experts, bias=False)
        self.gate_up = nn.Parameter(torch.empty(experts, 2 * intermediate, hidden))
        self.down = nn.Parameter(torch.empty(experts, hidden, intermediate))
        self.shared = SwiGLU(hidden, intermediate)
        self.shared_gate = nn.Linear(hidden, 1, bias=False)
        nn.init.uniform_(self.gate_up, -(hidden**-0.5), hidden**-0.5)
        nn.init.uniform_(self.down, -(intermediate**-0.5), intermediate**-0.5)
        self.logits = torch.zeros(0, experts)

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., H] to the same; leaves the router's logits behind when training."""
        logits = self.router(x)
        weights, ids = route(logits, self.chosen)
        if self.training:
            self.logits = logits
            flat = (a.flatten(0, -2) for a in (x, weights, ids))
            y = self.looped(*flat).view_as(x)
        else:
            y = self.gathered(x, weights, ids)
        shared: Tensor = self.shared(x)
        return y + torch.sigmoid(self.shared_gate(x)) * shared

    def gathered(self, x: Tensor, weights: Tensor, ids: Tensor) -> Tensor:
        """Multiply each (token, choice) pair by its own copy of the weights: no data in control."""
        flat = ids.reshape(-1)
        rows = x.repeat_interleave(self.chosen, dim=0).unsqueeze(-1)
        inner = swiglu(torch.bmm(self.gate_up[flat], rows).squeeze(-1))
        y = torch.bmm(self.down[flat], inner.unsqueeze(-1)).squeeze(-1)
        return (y * weights.reshape(-1, 1)).reshape(-1, self.chosen, x.shape[-1]).sum(dim=1)

    def looped(self, x: Tensor, weights: Tensor, ids: Tensor) -> Tensor:
        """Compute the same expert by expert over the tokens that chose it, which trains faster."""
        y = torch.zeros_like(x)
        for expert in range(self.experts):
            rows, choice = torch.where(ids == expert)
            inner = swiglu(F.linear(x[rows], self.gate_up[expert]))
            out = F.linear(inner, self.down[expert]) * weights[rows, choice, None]
            y = y.index_add(0, rows, out)
        return y


def route(logits: Tensor, chosen: int) -> tuple[Tensor, Tensor]:
    """Map the router's logits [.., E] to weights [.., K] that sum to 1 and experts int64."""
    weights, ids = torch.topk(torch.softmax(logits, dim=-1), chosen, dim=-1)
    return weights / weights.sum(dim=-1, keepdim=True), ids


def expert_load(logits: Tensor, chosen: int) -> Tensor:
    """Return the share of all choices that fall on each expert, [E]; even is 1 / E."""
    _, ids = route(logits, chosen)
    return torch.bincount(ids.flatten(), minlength=logits.shape[-1]) / ids.numel()


def balance_loss(logits: Tensor, chosen: int) -> Tensor:
    """Return E times the sum over experts of load and mean probability; 1 when both are even."""
    mean = torch.softmax(logits, dim=-1).flatten(0, -2).mean(dim=0)
    return len(mean) * (expert_load(logits, chosen) * mean).sum()


def untrained() -> Decoder:
    """Return the model with fresh weights."""
    config = DecoderConfig()
    return Decoder(config, lambda: MoE(config.hidden, EXPERTS, CHOSEN, INTERMEDIATE))


def dense_control(width: int) -> Decoder:
    """Return a dense model; (K + 1) I = 144 wide it has as many active parameters."""
    config = DecoderConfig()
    return Decoder(config, lambda: SwiGLU(config.hidden, width))


def char_moe() -> tuple[Decoder, tuple[Tensor, ...]]:
    """Return the trained model and the inputs that read a short text from an empty cache."""
    model = checkpoint.load(untrained(), "char_moe")
    return model, model.example("Shall I ")
