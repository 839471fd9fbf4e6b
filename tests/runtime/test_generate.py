"""Text generation on a toy whose next letter is letter + position."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.errors import InputError
from edgemoe.runtime.generate import Vocabulary, generate, sample

LETTERS = "abcdefg"


def expected(prompt: str, count: int) -> str:
    numbers = [LETTERS.index(c) for c in prompt]
    for _ in range(count):
        numbers.append((numbers[-1] + len(numbers) - 1) % len(LETTERS))
    return "".join(LETTERS[n] for n in numbers[len(prompt) :])


@pytest.mark.parametrize("prompt", ["a", "bad", "abcdefgabc"])
def test_greedy(toy_artifact, prompt):
    session = toy_artifact("language").load()
    for _ in range(2):  # the states are reset
        assert "".join(generate(session, prompt, max_tokens=12)) == expected(prompt, 12)


def test_sampling_is_repeatable_and_follows_the_distribution(toy_artifact):
    session = toy_artifact("language", context=None).load()
    texts = ["".join(generate(session, "a", temperature=1.0, seed=s)) for s in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    generator = np.random.default_rng(0)
    logits = np.log(np.array([0.5, 0.25, 0.25, 1e-9], np.float32))
    counts = np.bincount([sample(logits, 1.0, generator) for _ in range(4000)], minlength=4)
    assert counts[3] == 0
    assert np.allclose(counts[:3] / 4000, [0.5, 0.25, 0.25], atol=0.03)


def test_ties_go_to_the_lower_token():
    assert sample(np.array([1.0, 2.0, 2.0]), 0.0, np.random.default_rng(0)) == 1


def test_it_stops_where_the_context_ends(toy_artifact):
    session = toy_artifact("language", context=5).load()
    assert len(list(generate(session, "abc"))) == 2
    with pytest.raises(InputError, match="the prompt has 5 tokens, the model's context holds 5"):
        list(generate(session, "abcde"))


def test_vocabulary_takes_the_longest_text():
    vocabulary = Vocabulary(["a", "ab", "b", "", "bc"])
    assert vocabulary.encode("aabbbc") == [0, 1, 2, 4]
    assert vocabulary.decode([0, 1, 4]) == "aabbc"


@pytest.mark.parametrize(
    ("name", "prompt", "message"),
    [
        ("language", "abXd", "character 'X' at place 2 of the prompt is not in the model's vocab"),
        ("language", "", "the prompt is empty"),
        ("mixer", "a", "'toy-mixer' has no vocabulary, so it cannot generate text"),
    ],
)
def test_errors(toy_artifact, name, prompt, message):
    with pytest.raises(InputError, match=message):
        list(generate(toy_artifact(name).load(), prompt))


def test_a_model_of_another_form(toys, tmp_path):
    toy = toys.mixer()
    artifact = toys.build(
        toys.Toy(toy.plan, toy.weights, vocabulary={"tokens": ["a"]}), tmp_path / "out"
    )
    with pytest.raises(InputError, match=r"cannot generate text: that needs one integer input"):
        list(generate(artifact.load(), "a"))
