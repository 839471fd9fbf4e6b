"""A character language model with BlockFFN layers (Song et al. 2025, arXiv 2507.08771).

The router is ReLU and RMSNorm instead of top-k: an expert is active where its score is not zero, so
the number of active experts depends on the token. Two losses make that sparse and alike in time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models import checkpoint
from edgemoe.models.attention import DecoderConfig
from edgemoe.models.decoder import Decoder

EXPERTS, WIDTH = 32, 16
STEEPNESS = 100.0
CHUNK = 64


class BlockFFN(nn.Module):
    """y = sum_e s_e Down_e(silu(Up_e x)) with s = scale * a / rms(a), a = relu(router x).

    The experts are stored fused: up [E * d, H], down [H, E * d].
    """

    def __init__(self, hidden: int, experts: int, width: int) -> None:
        super().__init__()
        self.experts, self.width = experts, width
        self.router = nn.Linear(hidden, experts, bias=False)
        self.scale = nn.Parameter(torch.ones(experts))
        self.up = nn.Linear(hidden, experts * width, bias=False)
        self.down = nn.Linear(experts * width, hidden, bias=False)
        self.logits = torch.zeros(0, experts)

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., H] to the same; leaves the router's logits behind when training."""
        logits = self.router(x)
        if self.training:
            self.logits = logits
        inner = F.silu(self.up(x)).unflatten(-1, (self.experts, self.width))
        scored = inner * scores(logits, self.scale).unsqueeze(-1)
        y: Tensor = self.down(scored.flatten(-2))
        return y


def scores(logits: Tensor, scale: Tensor) -> Tensor:
    """Map the router's logits [.., E] to scores; zero means not active (section 3.1)."""
    a = torch.relu(logits)
    return scale * a * torch.rsqrt((a * a).mean(dim=-1, keepdim=True) + 1e-6)


def locality_loss(logits: Tensor) -> Tensor:
    """Ask neighbouring tokens of logits [B, T, E] for the same active experts (section 3.2)."""
    now, after = STEEPNESS * logits[:, :-1], torch.sigmoid(STEEPNESS * logits[:, 1:])
    return F.binary_cross_entropy_with_logits(now, after)


def chunk_loss(logits: Tensor) -> Tensor:
    """Return the mean chance that an expert is active anywhere in a chunk of logits [B, T, E].

    p is the activation over its sum; an expert rests in a chunk with the chance prod_t (1 - p_t).
    """
    a = torch.relu(logits)
    p = a / (a.sum(dim=-1, keepdim=True) + 1e-6)
    rests: Tensor = torch.log1p(1e-5 - p).unflatten(1, (-1, CHUNK)).sum(dim=2).exp()
    return 1 - rests.mean()


def use_loss(logits: Tensor, share: float) -> Tensor:
    """Ask every expert of logits [B, T, E] to be active at about this share of the tokens.

    Not in the paper: without it the other two settle for experts that are always or never active.
    """
    use = torch.sigmoid(10 * logits).flatten(0, -2).mean(dim=0)
    return (use - share).square().sum()


def sparsity(active: Tensor, chunk: int) -> float:
    """Return CLS: the share of experts that rest in a whole chunk of active, bool [T, E].

    With chunk 1 this is TLS, the share of experts that rest at a token.
    """
    whole = active[: len(active) // chunk * chunk].unflatten(0, (-1, chunk))
    return 1.0 - float(whole.any(dim=1).float().mean())


def dense_control(width: int) -> Decoder:
    """Return a model with one SiLU feed-forward; E d = 512 wide it has as many parameters."""
    config = DecoderConfig()
    return Decoder(
        config,
        lambda: nn.Sequential(
            nn.Linear(config.hidden, width, bias=False),
            nn.SiLU(),
            nn.Linear(width, config.hidden, bias=False),
        ),
    )


def untrained() -> Decoder:
    """Return the model with fresh weights."""
    config = DecoderConfig()
    return Decoder(config, lambda: BlockFFN(config.hidden, EXPERTS, WIDTH))


def char_blockffn() -> tuple[Decoder, tuple[Tensor, ...]]:
    """Return the trained model and the inputs that read a short text from an empty cache."""
    model = checkpoint.load(untrained(), "char_blockffn")
    return model, model.example("Shall I ")
