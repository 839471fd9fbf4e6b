"""A mixture of experts for two domains, of which a device often needs one.

The blocks are those of `moe_lm` with twice as many experts. In training the routers are rewarded
for the mutual information of domains and experts (Mod-Squad, Chen et al. 2022, arXiv 2212.08066,
section 3.3), so that each expert serves one domain; which it is, nobody prescribes. Nothing but the
characters goes in: a compiled model does not need to be told the domain.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgemoe.models import checkpoint
from edgemoe.models.attention import DecoderConfig
from edgemoe.models.decoder import Decoder
from edgemoe.models.moe_lm import MoE, SwiGLU

EXPERTS, CHOSEN, INTERMEDIATE = 16, 2, 40
CONFIG = DecoderConfig(hidden=96)


def mutual_information(logits: Tensor, domains: Tensor) -> Tensor:
    """Return I(domain; expert) in nats, 0 to the logarithm of the number of domains.

    Args:
        logits: of a router, [T, E].
        domains: int64 [T], all numbers from 0 on occur.
    """
    shares = torch.softmax(logits, dim=-1)
    count = int(domains.max()) + 1
    joint = torch.stack([shares[domains == n].sum(dim=0) for n in range(count)]) / len(logits)
    apart = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
    return (joint * (joint.clamp_min(1e-12) / apart.clamp_min(1e-12)).log()).sum()


def untrained() -> Decoder:
    """Return the model with fresh weights."""
    return Decoder(CONFIG, lambda: MoE(CONFIG.hidden, EXPERTS, CHOSEN, INTERMEDIATE))


def dense_control(width: int) -> Decoder:
    """Return a dense model; (K + 1) I = 120 wide it has as many active parameters."""
    return Decoder(CONFIG, lambda: SwiGLU(CONFIG.hidden, width))


def domain_moe() -> tuple[Decoder, tuple[Tensor, ...]]:
    """Return the trained model and the inputs that read a short text from an empty cache."""
    model = checkpoint.load(untrained(), "domain_moe")
    return model, model.example("Shall I ")
