"""Train `char_blockffn`: python -m edgemoe.models.train_char_blockffn --data tinyshakespeare.txt.

With `--control 512` it trains the dense model of as many parameters by the same recipe instead, and
with `--control 64` one as wide as the experts that are active at a token and the router; their
figures are added to the record.
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
    use_loss,
)
from edgemoe.models.train_language import (
    arguments,
    evaluate,
    record,
    record_control,
    split,
    train,
)
from edgemoe.models.vocabulary import unigram

LOCALITY, USE, SHARE = 1.5e-3, 0.05, 0.15
CHUNK_START, CHUNK_MOST, CHUNK_TARGET, CHUNK_STEP = 1e-3, 0.05, 0.4, 1.001


class Sparsity:
    """The losses on the routers; locality is ramped up over the first half of the steps.

    The coefficient of the chunk loss starts low and rises until its target is met.
    """

    def __init__(self, steps: int) -> None:
        self.ramp = 2 / steps
        self.locality = 0.0
        self.chunk = CHUNK_START

    def __call__(self, routers: list[Tensor]) -> Tensor:
        """Map the logits [B, T, E] of each layer to the weighted sum of the losses."""
        locality = torch.stack([locality_loss(logits) for logits in routers]).sum()
        chunk = torch.stack([chunk_loss(logits) for logits in routers])
        use = torch.stack([use_loss(logits, SHARE) for logits in routers]).sum()
        step = CHUNK_STEP if chunk.mean() > CHUNK_TARGET else 1 / CHUNK_STEP
        self.chunk = min(max(self.chunk * step, CHUNK_START), CHUNK_MOST)
        self.locality = min(self.locality + self.ramp * LOCALITY, LOCALITY)
        return self.locality * locality + self.chunk * chunk.sum() + USE * use


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
        record_control("char_blockffn", dense_control(options.control), options)
        return
    tokens, validate, test = split(options.data)
    model = untrained()
    penalty = Sparsity(options.steps)
    seconds = train(model, tokens, options.steps, penalty)
    checkpoint.save(model, "char_blockffn", torch.float16)
    checkpoint.load(model, "char_blockffn")
    value, routers = evaluate(model, test)
    details = {
        "validation": round(evaluate(model, validate)[0], 4),
        "layers on the test text": [activity(logits) for logits in routers],
        "last chunk coefficient": round(penalty.chunk, 4),
    }
    controls = {"unigram": round(unigram(tokens, test), 4)}
    parameters = checkpoint.parameters(model)
    record("char_blockffn", parameters, seconds, value, controls=controls, details=details)


if __name__ == "__main__":
    main()
