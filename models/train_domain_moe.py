"""Train `domain_moe`: python -m edgemoe.models.train_domain_moe --data FOLDER.

The folder holds tinyshakespeare.txt and ETTh1.csv. With `--control 120` it trains the dense model
of as many active parameters on both domains instead; with `--only series` (or `text`) beside it, on
one domain, which is what a compiled model has to beat there. Figures are added to the record.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgemoe.models import checkpoint
from edgemoe.models.decoder import Decoder
from edgemoe.models.domain_data import DOMAINS, draws_of, tokens_of
from edgemoe.models.domain_moe import CHOSEN, dense_control, mutual_information, untrained
from edgemoe.models.moe_lm import balance_loss, expert_load
from edgemoe.models.train_language import (
    BATCH,
    LENGTH,
    SEED,
    STEPS,
    evaluate,
    fit,
)
from edgemoe.models.vocabulary import unigram

ROWS = {"text": 5, "series": 3}
"""Sequences of each domain in a batch of `BATCH`."""

BALANCE, MUTUAL = 0.01, 0.1


def penalty(routers: list[Tensor]) -> Tensor:
    """Ask every layer for an even load of all experts, and for experts that know one domain."""
    rows = torch.tensor(list(ROWS.values()))
    domains = torch.arange(len(rows)).repeat_interleave(rows * LENGTH)
    total = torch.zeros(())
    for logits in routers:
        flat = logits.flatten(0, -2)
        total = total + BALANCE * balance_loss(flat, CHOSEN)
        total = total - MUTUAL * mutual_information(flat, domains)
    return total


def losses(model: Decoder, folder: Path, split: str) -> dict[str, float]:
    """Cross-entropy of each domain, nats per character."""
    return {d: round(evaluate(model, tokens_of(folder, d, split))[0], 4) for d in DOMAINS}


def unigrams(folder: Path) -> dict[str, float]:
    """Cross-entropy of each domain under its own character frequencies, nats per character."""
    parts = ((d, tokens_of(folder, d, "train"), tokens_of(folder, d, "test")) for d in DOMAINS)
    return {f"unigram, {d}": round(unigram(train, test), 4) for d, train, test in parts}


def loads(model: Decoder, folder: Path) -> dict[str, list[list[float]]]:
    """The share of the choices on the test split that fall on each expert, per domain and layer."""
    found = {}
    for domain in DOMAINS:
        routers = evaluate(model, tokens_of(folder, domain, "test"))[1]
        found[domain] = [
            [round(x, 4) for x in expert_load(logits, CHOSEN).tolist()] for logits in routers
        ]
    return found


def control(given: argparse.Namespace) -> None:
    """Train a dense model by the same recipe and add its figures to the record."""
    rows = {given.only: BATCH} if given.only else ROWS
    model = dense_control(given.control)
    seconds = fit(model, draws_of(given.data, rows), given.steps, lambda _: torch.zeros(()))
    found = losses(model, given.data, "test")
    record = checkpoint.read_record("domain_moe")
    for domain in [given.only] if given.only else DOMAINS:
        trained = f" trained on {given.only} alone" if given.only else ""
        record["controls"][f"dense, {given.control} wide{trained}, {domain}"] = found[domain]
    label = f"dense, {given.control} wide" + (f", {given.only}" if given.only else "")
    record["details"][f"{label}: parameters"] = checkpoint.parameters(model)
    record["details"][f"{label}: training seconds"] = round(seconds)
    checkpoint.write_record("domain_moe", record)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("EDGEMOE_DATA")
    parser.add_argument("--data", type=Path, default=default, required=default is None)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--control", type=int, metavar="WIDTH", help="train a dense model instead")
    parser.add_argument("--only", choices=DOMAINS, help="train the control on one domain")
    return parser.parse_args()


def main() -> None:
    """Train, save as float16, and measure what was saved."""
    given = parse()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    if given.control:
        control(given)
        return
    model = untrained()
    seconds = fit(model, draws_of(given.data, ROWS), given.steps, penalty)
    checkpoint.save(model, "domain_moe", torch.float16)
    checkpoint.load(model, "domain_moe")
    found = losses(model, given.data, "test")
    record: dict[str, Any] = {
        "data": "tinyshakespeare, and ETTh1 written as digits",
        "split": "text: last 5 % of the characters; series: hours 11,520 to 14,400",
        "metric": "cross-entropy, nats per character: text, series",
        "value": ", ".join(str(value) for value in found.values()),
        "controls": unigrams(given.data),
        "parameters": checkpoint.parameters(model),
        "seed": SEED,
        "training_seconds": round(seconds),
        "command": "python -m edgemoe.models.train_domain_moe --data FOLDER",
        "details": {
            "validation": losses(model, given.data, "validate"),
            "expert load on the test split": loads(model, given.data),
        },
    }
    checkpoint.write_record("domain_moe", record)


if __name__ == "__main__":
    main()
