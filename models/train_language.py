"""What both language models share: the text, its split, the recipe and the cross-entropy."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgemoe.models import checkpoint
from edgemoe.models.blockffn_lm import BlockFFN
from edgemoe.models.decoder import Decoder
from edgemoe.models.moe_lm import MoE
from edgemoe.models.vocabulary import encode

SEED, STEPS, BATCH, LENGTH, WARM_UP, RATE, DECAY = 0, 4000, 8, 256, 100, 4e-3, 0.1
Penalty = Callable[[list[Tensor]], Tensor]
Draw = Callable[[torch.Generator], Tensor]
"""Makes a batch of rows, int64 [B, LENGTH + 1]."""


def arguments() -> argparse.Namespace:
    """Read --data, --steps and --control."""
    parser = argparse.ArgumentParser()
    default = os.environ.get("EDGEMOE_DATA")
    needed = default is None
    parser.add_argument("--data", type=Path, default=default, required=needed, help="a text file")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--control", type=int, metavar="WIDTH", help="train a dense model instead")
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    return parser.parse_args()


def split(path: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Return the tokens to train (the first 90 %), to validate (5 %) and to test (the last 5 %)."""
    tokens = encode(path.read_text())
    train, validate = int(0.9 * len(tokens)), int(0.95 * len(tokens))
    return tokens[:train], tokens[train:validate], tokens[validate:]


def routers(model: Decoder) -> list[Tensor]:
    """Return the router's logits [B, T, E] that each layer left behind; none in a dense model."""
    return [layer.logits for layer in model.modules() if isinstance(layer, MoE | BlockFFN)]


@torch.no_grad()
def evaluate(model: Decoder, tokens: Tensor) -> tuple[float, list[Tensor]]:
    """Return the cross-entropy over whole windows of C tokens, and each router's logits [N, E].

    The model is in training mode, in which its layers leave their logits behind; they compute the
    same in both modes.
    """
    model.train()
    shape = ((len(tokens) - 1) // model.config.capacity, model.config.capacity)
    x = tokens[: shape[0] * shape[1]].unflatten(0, shape)
    y = tokens[1 : shape[0] * shape[1] + 1].unflatten(0, shape)
    total, seen = 0.0, []
    for inputs, targets in zip(x.split(8), y.split(8), strict=True):
        logits = model.score(inputs).flatten(0, 1)
        total += F.cross_entropy(logits, targets.flatten(), reduction="sum").item()
        seen.append(routers(model))
    model.eval()
    return total / y.numel(), [torch.cat(layer).flatten(0, 1) for layer in zip(*seen, strict=True)]


def windows_of(tokens: Tensor, rows: int = BATCH) -> Draw:
    """Draw rows that start anywhere in tokens, int64 [T]."""

    def draw(chance: torch.Generator) -> Tensor:
        starts = torch.randint(len(tokens) - LENGTH, (rows, 1), generator=chance)
        return tokens[starts + torch.arange(LENGTH + 1)]

    return draw


def train(model: Decoder, tokens: Tensor, steps: int, penalty: Penalty) -> float:
    """Fit `model` to tokens, int64 [T]; see `fit`."""
    return fit(model, windows_of(tokens), steps, penalty)


def fit(model: Decoder, draw: Draw, steps: int, penalty: Penalty) -> float:
    """Fit `model` with AdamW and a cosine schedule; return the seconds of CPU that it took."""
    start = time.process_time()  # one thread: what else the machine does is no part of it
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98))
    random = torch.Generator().manual_seed(SEED)
    model.train()
    for step in range(steps):
        schedule = 0.51 + 0.49 * math.cos(math.pi * step / steps)
        for group in optimizer.param_groups:
            group["lr"] = RATE * schedule * min(1.0, (step + 1) / WARM_UP)
        rows = draw(random)
        loss = F.cross_entropy(model.score(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        extra = penalty(routers(model))
        optimizer.zero_grad(set_to_none=True)
        torch.add(loss, extra).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0:
            spent = time.process_time() - start
            print(f"{step:5d} loss {loss:.3f} penalty {extra:.4f} {spent:.0f} s", flush=True)
    return time.process_time() - start


def record_control(name: str, model: Decoder, options: argparse.Namespace) -> None:
    """Train the dense `model` by the same recipe and add its figure to the record of `name`."""
    label = f"dense, {options.control} wide"
    tokens, _, test = split(options.data)
    seconds = train(model, tokens, options.steps, lambda _: torch.zeros(()))
    value = round(evaluate(model, test)[0], 4)
    record = checkpoint.read_record(name)
    record["controls"][label] = value
    record["details"][f"{label}: parameters"] = checkpoint.parameters(model)
    record["details"][f"{label}: training seconds"] = round(seconds)
    checkpoint.write_record(name, record)


def record(name: str, parameters: int, seconds: float, value: float, **more: Any) -> None:
    """Write the record of a language model; a control that was measured before stays."""
    known = checkpoint.CHECKPOINTS / f"{name}.json"
    old = checkpoint.read_record(name) if known.exists() else {"controls": {}, "details": {}}
    checkpoint.write_record(
        name,
        {
            "data": "tinyshakespeare",
            "split": "last 5 % of the characters, whole windows of 256",
            "metric": "cross-entropy, nats per character",
            "value": round(value, 4),
            "controls": old["controls"] | more["controls"],
            "parameters": parameters,
            "seed": SEED,
            "training_seconds": round(seconds),
            "command": f"python -m edgemoe.models.train_{name} --data tinyshakespeare.txt",
            "details": old["details"] | more["details"],
        },
    )
