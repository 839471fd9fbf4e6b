"""Train `char_moe`: python -m edgemoe.models.train_char_moe --data tinyshakespeare.txt.

With `--control 144` it trains the dense model of as many active parameters by the same recipe
instead, and adds its figure to the record.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgemoe.models import checkpoint
from edgemoe.models.moe_lm import CHOSEN, balance_loss, dense_control, expert_load, untrained
from edgemoe.models.train_language import (
    arguments,
    evaluate,
    record,
    record_control,
    split,
    train,
)
from edgemoe.models.vocabulary import unigram

BALANCE = 0.01


def penalty(routers: list[Tensor]) -> Tensor:
    """Ask every layer for an even load."""
    return BALANCE * torch.stack([balance_loss(logits, CHOSEN) for logits in routers]).sum()


def main() -> None:
    """Train, save as float16, and measure what was saved."""
    options = arguments()
    if options.control:
        record_control("char_moe", dense_control(options.control), options)
        return
    tokens, validate, test = split(options.data)
    model = untrained()
    seconds = train(model, tokens, options.steps, penalty)
    checkpoint.save(model, "char_moe", torch.float16)
    checkpoint.load(model, "char_moe")
    value, routers = evaluate(model, test)
    loads = [expert_load(logits, CHOSEN) for logits in routers]
    details = {
        "validation": round(evaluate(model, validate)[0], 4),
        "expert load on the test text": [[round(x, 3) for x in load.tolist()] for load in loads],
    }
    controls = {"unigram": round(unigram(tokens, test), 4)}
    parameters = checkpoint.parameters(model)
    record("char_moe", parameters, seconds, value, controls=controls, details=details)


if __name__ == "__main__":
    main()
