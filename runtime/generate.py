"""Text generation with a language model whose manifest has a vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.runtime.errors import InputError
from edgemoe.runtime.frame import numpy_dtype
from edgemoe.runtime.manifest import TensorSpec

if TYPE_CHECKING:
    from edgemoe.runtime.session import Session

Array = NDArray[Any]


class Vocabulary:
    """Texts of the tokens; encoding takes the longest text that fits at each place."""

    def __init__(self, tokens: Sequence[str]) -> None:
        """Token number i has the text `tokens[i]`."""
        self.tokens = list(tokens)
        self._number = {text: number for number, text in enumerate(self.tokens) if text}
        self._longest = max(map(len, self._number), default=0)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of `text`; raises InputError for a character outside of them."""
        numbers, at = [], 0
        while at < len(text):
            for length in range(min(self._longest, len(text) - at), 0, -1):
                number = self._number.get(text[at : at + length])
                if number is not None:
                    numbers.append(number)
                    at += length
                    break
            else:
                raise InputError(
                    f"character {text[at]!r} at place {at} of the prompt is not in the model's "
                    f"vocabulary of {len(self.tokens)} tokens; leave it out"
                )
        return numbers

    def decode(self, numbers: Sequence[int]) -> str:
        """Return the text of `numbers`."""
        return "".join(self.tokens[number] for number in numbers)


def vocabulary_of(session: Session) -> Vocabulary:
    """Return the vocabulary of the session's model; raises InputError when it has none."""
    tokens = (session.manifest.data.get("vocabulary") or {}).get("tokens")
    if not tokens:
        raise InputError(
            f"artifact '{session.manifest.name}' has no vocabulary, so it cannot generate text; "
            "run it with `edgemoe run`, or compile a language model that declares one"
        )
    return Vocabulary(tokens)


def sample(logits: Array, temperature: float, generator: np.random.Generator) -> int:
    """Choose a token by logits [V]: the first largest for temperature 0, else at random."""
    if temperature <= 0:
        return int(np.argmax(logits))
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    return int(generator.choice(len(weights), p=weights / weights.sum()))


def generate(
    session: Session,
    prompt: str,
    *,
    max_tokens: int = 200,
    temperature: float = 0.0,
    seed: int | None = None,
) -> Iterator[str]:
    """Yield the text of one token after another, continuing `prompt`.

    A model with states reads each token once; one without reads as much of the text as its
    largest bucket holds for every token. The session's states are reset first. It stops where
    the context is full.

    Args:
        session: a language model: one integer input with a token axis, one output of floats, or of
            integers with a scale, whose last axis is the vocabulary.
        prompt: the text to continue; at least one token.
        max_tokens: how many tokens to add at most.
        temperature: 0 takes the likeliest token, 1 samples from the model's distribution.
        seed: makes sampling repeatable.

    Raises:
        InputError: the artifact is no language model, or the prompt does not fit it.
    """
    vocabulary = vocabulary_of(session)
    tokens_input, logits_output = _roles(session, len(vocabulary.tokens))
    numbers = vocabulary.encode(prompt)
    if not numbers:
        raise InputError("the prompt is empty; give at least one character")
    context = context_tokens(session)
    if context is not None:
        if len(numbers) >= context:
            raise InputError(
                f"the prompt has {len(numbers)} tokens, the model's context holds {context}; "
                "shorten it"
            )
        max_tokens = min(max_tokens, context - len(numbers))
    generator = np.random.default_rng(seed)
    session.reset()
    new = numbers
    for _ in range(max_tokens):
        if not session.manifest.states:
            new = numbers[-max(session.buckets, default=len(numbers)) :]
        for piece in _pieces(new, tokens_input):
            logits = session.run({tokens_input.name: piece})[logits_output.name]
        chosen = sample(logits.reshape(-1, len(vocabulary.tokens))[-1], temperature, generator)
        numbers.append(chosen)
        new = [chosen]
        yield vocabulary.tokens[chosen]


def context_tokens(session: Session) -> int | None:
    """Return how many tokens the states hold; None when nothing says so.

    Where the manifest is silent, the largest extent of the caches is taken: beyond it there is
    no room for a token in any of them.
    """
    known = session.manifest.data.get("context_tokens")
    if known is not None:
        return int(known)
    caches = [
        spec.shape
        for spec in session.inputs
        if spec.state_output is not None and len(spec.shape) > 1
    ]
    return min((max(shape) for shape in caches), default=None)


def _roles(session: Session, size: int) -> tuple[TensorSpec, TensorSpec]:
    """Find the input of tokens and the output of logits."""
    states = {spec.state_output for spec in session.inputs}
    inputs = [spec for spec in session.inputs if spec.state_output is None]
    outputs = [
        spec
        for spec in session.outputs
        if spec.name not in states
        and (spec.dtype == "float32" or spec.scale is not None)
        and spec.shape[-1:] == (size,)
    ]
    if len(inputs) != 1 or numpy_dtype(inputs[0].dtype).kind not in "iu" or len(outputs) != 1:
        raise InputError(
            f"artifact '{session.manifest.name}' cannot generate text: that needs one integer "
            f"input besides states and one float32 output whose last axis is {size}; it has "
            f"{'; '.join(map(str, inputs))} -> {'; '.join(map(str, session.outputs))}"
        )
    return inputs[0], outputs[0]


def _pieces(numbers: Sequence[int], spec: TensorSpec) -> Iterator[Array]:
    """Yield tokens as the input takes them: all at once, or one by one (a microcontroller)."""
    fixed = -1 not in spec.shape and len(numbers) > 1
    for piece in [[number] for number in numbers] if fixed else [numbers]:
        yield _shaped(piece, spec)


def _shaped(numbers: Sequence[int], spec: TensorSpec) -> Array:
    """Return tokens as the input wants them: other axes have extent 1."""
    array = np.asarray(numbers, numpy_dtype(spec.dtype))
    return array.reshape([-1 if extent < 0 else extent for extent in spec.shape])
