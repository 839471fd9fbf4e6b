"""The models that ship, compiled: right numbers in every variant, little memory, the same bits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import edgemoe

pytest.importorskip("torch")
pytestmark = pytest.mark.needs("cc")

ALL = ["char_moe", "char_blockffn", "etth1", "co2", "digits"]
LANGUAGE = ["char_moe", "char_blockffn"]


@pytest.fixture
def model(shipped, request):
    return shipped(request.param)


every = pytest.mark.parametrize("model", ALL, indirect=True)
language = pytest.mark.parametrize("model", LANGUAGE, indirect=True)


@every
def test_every_variant_and_instruction_set_equals_onnxruntime(model, rms):
    for tokens in model.buckets.counts:
        feed = model.feed(tokens) if tokens is None else model.busy_feed(tokens)
        wanted = model.reference.run(feed, tokens)
        for isa, session in model.sessions().items():
            got = session.run(feed)
            for name, array in wanted.items():
                assert got[name].dtype == array.dtype
                assert rms(got[name], array) < 1e-5, (isa, tokens, name)


@every
def test_it_verifies_itself(model):
    for isa in model.sessions():
        edgemoe.load(model.artifact.path, isa=isa, check=True).close()


@every
def test_the_arena_is_close_to_its_lower_bound(model):
    for variant in model.plan.variants:
        assert variant.arena_bytes <= 1.05 * variant.lower_bound_bytes


@every
def test_threads_do_not_change_a_bit(model, same):
    tokens = model.buckets.counts[-1]
    feed = model.feed(tokens)
    for isa, session in model.sessions().items():
        session.threads = 1
        one = session.run(feed)
        session.threads = 2
        two = session.run(feed)
        session.threads = 1
        assert same(one, two), isa


@every
def test_a_second_run_gives_the_same_bits(model, same):
    feed = model.feed(model.buckets.counts[0])
    for session in model.sessions().values():
        assert same(session.run(feed), session.run(feed))


def in_pieces(model, session, feed, sizes):
    """The call as calls of exact buckets, the states handed on by hand."""
    states = model.source.states
    current, start, parts = dict(feed), 0, []
    for size in sizes:
        current["tokens"] = feed["tokens"][start : start + size]
        parts.append(session.run(current))
        current |= {name: parts[-1][out] for name, out in states.items()}
        start += size
    joined = dict(parts[-1])
    joined["logits"] = np.concatenate([part["logits"] for part in parts])
    return joined


@language
def test_every_count_is_bit_for_bit_what_the_buckets_give(model, same):
    assert model.plan.dispatch == "split"
    for isa, session in model.sessions().items():
        for tokens in range(1, 21):
            feed = model.busy_feed(tokens, seed=tokens)
            sizes = [8] * (tokens // 8) + [1] * (tokens % 8)
            assert same(session.run(feed), in_pieces(model, session, feed, sizes)), (isa, tokens)


@language
def test_counts_beyond_the_largest_bucket(model, rms):
    feed = model.feed(75)
    wanted = model.reference.run(feed, 75)
    got = model.best().run(feed)
    assert max(rms(got[name], wanted[name]) for name in wanted) < 1e-5


@language
def test_held_states_equal_explicit_ones(model):
    for session in model.sessions().values():
        session.reset()
        given = {n: a for n, a in model.feed(1).items() if n in model.source.states}
        for tokens in (3, 1, 8, 9, 1):
            text = model.feed(tokens, seed=tokens)["tokens"]
            explicit = session.run({"tokens": text, **given})
            held = session.run({"tokens": text})
            assert held.keys() == {"logits"}
            assert np.array_equal(held["logits"], explicit["logits"])
            given = {name: explicit[out] for name, out in model.source.states.items()}


@language
def test_a_call_leaves_the_states_that_it_was_given_alone(model):
    feed = model.busy_feed(8)
    before = {name: array.copy() for name, array in feed.items()}
    model.best().run(feed)
    assert all(np.array_equal(feed[name], before[name]) for name in feed)


@language
def test_reset_begins_anew(model, same):
    session = model.best()
    text = {"tokens": model.feed(9)["tokens"]}
    session.reset()
    first = session.run(text)
    assert not same(session.run(text), first)
    session.reset()
    assert same(session.run(text), first)


@language
def test_caches_are_written_in_place(model):
    caches = [name for name in model.source.states if "cache" in name]
    assert len(caches) == 4
    assert set(caches) <= set(model.plan.facts["in_place_states"])
    in_place = {s["input"] for s in model.artifact.manifest["states"] if s["in_place"]}
    assert set(caches) <= in_place
    sizes = [4 * int(np.prod(x.shape)) for x in model.plan.inputs if x.name in caches]
    session = model.best()
    session.run({"tokens": model.feed(1)["tokens"]})
    assert session.state_bytes < 1.1 * sum(sizes) + 4096, "a second copy of the caches is held"


@language
def test_the_regions_are_those_of_the_model(model):
    hidden, routing, experts, each = {
        "char_moe": (128, "indexed", 8, 3 * 48),
        "char_blockffn": (128, "scored", 32, 2 * 16),
    }[model.plan.name]
    for variant in model.plan.variants:
        assert len(variant.regions) == 2
        for number, region in enumerate(variant.regions):
            assert f"blocks.{number}" in region.origin
            assert (region.routing, region.experts) == (routing, experts)
            assert region.chosen == (2 if routing == "indexed" else experts)
            assert region.tokens == variant.tokens
            assert region.expert_macs == each * hidden
            assert region.expert_bytes == 4 * each * hidden


@language
def test_every_weight_is_stored_once(model):
    """Buckets share their weights: the file is little larger than the parameters."""
    from edgemoe.models.checkpoint import read_record

    parameters = read_record(model.plan.name)["parameters"]
    experts = [s for s in model.plan.weights if s.expert is not None]
    names = [(s.name, s.expert) for s in experts]
    assert len(set(names)) == len(names)
    spans = sorted((s.offset, s.offset + s.nbytes) for s in model.plan.weights)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    regions = model.plan.variants[0].regions
    plain = sum(region.expert_bytes * region.experts for region in regions)
    # Columns are packed in panels of 32; a product of 16 columns fills half of one.
    assert plain <= sum(s.nbytes for s in experts) <= 1.5 * plain
    assert 4 * parameters <= model.plan.weights_bytes < 1.5 * 4 * parameters


def test_co2_forecasts_as_its_record_says(shipped):
    from edgemoe.models.checkpoint import read_record
    from edgemoe.models.forecaster import CO2
    from edgemoe.models.series import co2_series

    x, y = (part.numpy() for part in co2_series().windows("test", CO2.context, CO2.horizon))
    record = read_record("co2")["value"]
    for session in shipped("co2").sessions().values():
        squares = [
            np.mean((session.run({"x": np.ascontiguousarray(a[None])})["y"][0] - b) ** 2)
            for a, b in zip(x, y, strict=True)
        ]
        assert np.mean(squares) == pytest.approx(record, abs=1e-4)


def test_digits_are_recognised_as_the_record_says(shipped):
    from edgemoe.models.checkpoint import read_record
    from edgemoe.models.digits_mixer import held_out

    images, labels = (part.numpy() for part in held_out())
    record = read_record("digits")["value"]
    for session in shipped("digits").sessions().values():
        found = [int(session.run({"image": image[None]})["logits"].argmax()) for image in images]
        assert np.mean(found == labels) == pytest.approx(record, abs=1e-4)


@language
def test_generated_text_is_that_of_torch(model):
    """Forty greedy tokens, one call each, against onnxruntime with its own caches."""
    from edgemoe.runtime.generate import generate, vocabulary_of

    session = model.best()
    vocabulary = vocabulary_of(session)
    text = "".join(generate(session, "ROMEO:", max_tokens=40))
    current = model.feed(1)
    numbers = vocabulary.encode("ROMEO:")
    new, said = list(numbers), []
    for _ in range(40):
        for number in new:
            result = model.reference.run({**current, "tokens": np.array([number])}, 1)
            current |= {name: result[out] for name, out in model.source.states.items()}
        new = [int(result["logits"][-1].argmax())]
        said += new
    assert text == vocabulary.decode(said)
