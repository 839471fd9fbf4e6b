"""The characters of the language models: newline and the 95 printable ones of ASCII."""

from __future__ import annotations

import torch
from torch import Tensor

CHARACTERS: list[str] = ["\n", *(chr(code) for code in range(32, 127))]
_NUMBER = {character: number for number, character in enumerate(CHARACTERS)}


def encode(text: str) -> Tensor:
    """Return the tokens of `text`, int64 [T]; raises ValueError for a character outside of it."""
    try:
        return torch.tensor([_NUMBER[character] for character in text], dtype=torch.int64)
    except KeyError as error:
        raise ValueError(
            f"character {error.args[0]!r} is not in the vocabulary, which is newline and printable "
            "ASCII; replace it before encoding"
        ) from error


def decode(tokens: Tensor) -> str:
    """Return the text of `tokens`, int64 [T]."""
    return "".join(CHARACTERS[number] for number in tokens.tolist())


def unigram(train: Tensor, test: Tensor) -> float:
    """Return the cross-entropy of tokens under the frequencies of others, nats per character."""
    counts = torch.bincount(train, minlength=len(CHARACTERS)) + 1.0
    logarithms = torch.log(counts / counts.sum())
    return -logarithms[test].mean().item()
