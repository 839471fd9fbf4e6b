"""A sensor-class mixture of experts: will the load of a transformer fall, stay or rise in 6 hours?

Windows of 96 hours of seven sensors become 12 tokens of 8 hours. Blocks mix over tokens (MLP-Mixer,
Tolstikhin et al. 2021, arXiv 2105.01601, section 2), then 2 of 8 experts work on each token:
softmax over all, the best renormalised, as in `moe_lm`; the experts are GELU layers with biases.
The window is centred on its last hour (arXiv 2205.13504), whose level has a layer of its own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.models import checkpoint
from edgemoe.models.moe_lm import route

CONTEXT, SENSORS, PATCH, CLASSES = 96, 7, 8, 3
TOKENS, WIDTH, TOKEN_WIDTH, BLOCKS = CONTEXT // PATCH, 32, 24, 2
EXPERTS, CHOSEN, INTERMEDIATE = 8, 2, 48


class Dense(nn.Module):
    """A dense GELU feed-forward [.., H] -> [.., H]: the control."""

    def __init__(self, intermediate: int) -> None:
        super().__init__()
        self.up = nn.Linear(WIDTH, intermediate)
        self.down = nn.Linear(intermediate, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Map [.., H] to the same."""
        y: Tensor = self.down(F.gelu(self.up(x)))
        return y


class Experts(nn.Module):
    """K of E GELU experts per token, weighted by the renormalised router."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.empty(EXPERTS, INTERMEDIATE, WIDTH))
        self.up_bias = nn.Parameter(torch.zeros(EXPERTS, INTERMEDIATE))
        self.down = nn.Parameter(torch.empty(EXPERTS, WIDTH, INTERMEDIATE))
        self.down_bias = nn.Parameter(torch.zeros(EXPERTS, WIDTH))
        nn.init.uniform_(self.up, -(WIDTH**-0.5), WIDTH**-0.5)
        nn.init.uniform_(self.down, -(INTERMEDIATE**-0.5), INTERMEDIATE**-0.5)
        self.logits = torch.zeros(0, EXPERTS)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, H] to the same; leaves the router's logits behind when training."""
        tokens = x.reshape(-1, WIDTH)
        logits = self.router(tokens)
        weights, ids = route(logits, CHOSEN)
        if self.training:
            self.logits = logits
            y = self.every(tokens, torch.zeros_like(logits).scatter(1, ids, weights))
        else:
            y = self.gathered(tokens, weights, ids)
        return y.reshape(x.shape)

    def gathered(self, x: Tensor, weights: Tensor, ids: Tensor) -> Tensor:
        """Multiply each (token, choice) pair by its own copy of the weights: no data in control."""
        flat = ids.reshape(-1)
        rows = x.repeat_interleave(CHOSEN, dim=0).unsqueeze(-1)
        inner = F.gelu(torch.bmm(self.up[flat], rows).squeeze(-1) + self.up_bias[flat])
        y = torch.bmm(self.down[flat], inner.unsqueeze(-1)).squeeze(-1) + self.down_bias[flat]
        return (y * weights.reshape(-1, 1)).reshape(-1, CHOSEN, WIDTH).sum(dim=1)

    def every(self, x: Tensor, weights: Tensor) -> Tensor:
        """Compute the same with all experts, weights [T, E] mostly 0: few large products."""
        inner = F.gelu(torch.einsum("th,eih->eti", x, self.up) + self.up_bias[:, None])
        y = torch.einsum("eti,ehi->eth", inner, self.down) + self.down_bias[:, None]
        return torch.einsum("eth,te->th", y, weights)


class Block(nn.Module):
    """x += token MLP(norm(x)^T)^T; x += feed-forward(norm(x))."""

    def __init__(self, feed_forward: nn.Module) -> None:
        super().__init__()
        self.token_norm = nn.LayerNorm(WIDTH)
        self.token_in = nn.Linear(TOKENS, TOKEN_WIDTH)
        self.token_out = nn.Linear(TOKEN_WIDTH, TOKENS)
        self.norm = nn.LayerNorm(WIDTH)
        self.feed_forward = feed_forward
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, T, H] to [B, T, H]."""
        y = self.token_out(F.gelu(self.token_in(self.token_norm(x).transpose(1, 2))))
        x = x + self.dropout(y.transpose(1, 2))
        update: Tensor = self.dropout(self.feed_forward(self.norm(x)))
        return x + update


class SensorModel(nn.Module):
    """Classify windows of sensors; `feed_forward` makes the second half of each block."""

    def __init__(self, width: int | None = None) -> None:
        super().__init__()
        self.patches = nn.Linear(PATCH * SENSORS, WIDTH)
        self.level = nn.Linear(SENSORS, WIDTH, bias=False)
        self.blocks = nn.ModuleList(
            Block(Experts() if width is None else Dense(width)) for _ in range(BLOCKS)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)
        self.export_options = {"input_names": ["x"], "output_names": ["logits"]}

    def forward(self, x: Tensor) -> Tensor:
        """Map standardised float32 [B, 96, 7] to logits [B, 3]: falls, stays, rises."""
        last = x[:, -1:, :]
        z = self.patches((x - last).reshape(-1, TOKENS, PATCH * SENSORS)) + self.level(last)
        for block in self.blocks:
            z = block(z)
        logits: Tensor = self.head(self.norm(z).mean(dim=1))
        return logits


def sensor_moe() -> tuple[SensorModel, tuple[Tensor, ...]]:
    """Return the trained model and a window like a daily cycle."""
    model = checkpoint.load(SensorModel(), "sensor_moe")
    hours = torch.arange(CONTEXT)[:, None] + 3.0 * torch.arange(SENSORS)
    return model, (torch.sin(hours * (torch.pi / 12)).unsqueeze(0),)
