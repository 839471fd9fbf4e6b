"""Train `char_blockffn`: python -m edgemoe.models.train_char_blockffn --data tinyshakespeare.txt.

With --control it trains the dense model of as many bytes by the same recipe instead.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgemoe.models import checkpoint
from edgemoe.models.blockffn_lm import (
    chunk_loss,
    dense_control,
    locality_loss,
    sparsity,
    untrained,
)
from edgemoe.models.train_language import (
    BATCH,
    LENGTH,
    arguments,
    evaluate,
    record,
    record_control,
    split,
    train,
    unigram,
)

LOCALITY = 2e-3


class Sparsity:
    """The two losses; the chunk coefficient starts low and follows the activation to a target."""

    def __init__(self, target: float) -> None:
        self.target = target
        self.coefficient = 1e-3

    def __call__(self, routers: list[Tensor]) -> Tensor:
        """Map the logits [N, E] of each layer to the weighted sum of both losses."""
        layers = [logits.unflatten(0, (BATCH, LENGTH)) for logits in routers]
        locality = torch.stack([locality_loss(logits) for logits in layers]).sum()
        chunk = torch.stack([chunk_loss(logits) for logits in layers])
        step = 1.005 if chunk.mean() > self.target else 1 / 1.005
        self.coefficient = min(max(self.coefficient * step, 1e-3), 0.2)
        return LOCALITY * locality + self.coefficient * chunk.sum()


def activity(logits: Tensor) -> dict[str, Any]:
    """Describe which experts logits [T, E] of consecutive tokens make active."""
    active = logits > 0
    use = active.float().mean(dim=0)
    return {
        "TLS": round(sparsity(active, 1), 4),
        "CLS_8": round(sparsity(active, 8), 4),
        "experts active at more than 95 % of the tokens": int((use > 0.95).sum()),
        "experts never active": int((use == 0).sum()),
        "share of the tokens at which each expert is active": [round(x, 3) for x in use.tolist()],
    }


def main() -> None:
    """Train, save as float16, and measure what was saved."""
    options = arguments()
    if options.control:
        record_control("char_blockffn", "dense, same parameters", dense_control(), options)
        return
    tokens, validate, test = split(options.data)
    model = untrained()
    penalty = Sparsity(target=0.5)
    seconds = train(model, tokens, options.steps, penalty)
    checkpoint.save(model, "char_blockffn", torch.float16)
    checkpoint.load(model, "char_blockffn")
    value, routers = evaluate(model, test)
    details = {
        "validation": round(evaluate(model, validate)[0], 4),
        "layers on the test text": [activity(logits) for logits in routers],
        "last chunk coefficient": round(penalty.coefficient, 4),
    }
    controls = {"unigram": round(unigram(tokens, test), 4)}
    record("char_blockffn", seconds, value, controls=controls, details=details)


if __name__ == "__main__":
    main()
