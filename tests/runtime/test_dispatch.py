"""Token counts that are no bucket: padded, split or refused, with the bits of an exact bucket."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.errors import InputError


def tokens(n, width=6, seed=0):
    return np.random.default_rng(seed).standard_normal((n, width)).astype(np.float32)


def reference(artifact, toys, x):
    w, b = toys.mixer().weights
    return x * w + b


@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("dispatch", ["static", "pad", "split"])
def test_a_bucket_runs_directly(toy_artifact, toys, dispatch, n):
    session = toy_artifact("mixer", dispatch=dispatch).load()
    x = tokens(n)[None]
    assert np.array_equal(session.run({"x": x})["y"], reference(session, toys, x))


@pytest.mark.parametrize("n", [1, 3, 4])
def test_pad_has_the_bits_of_the_bucket(toy_artifact, toys, n):
    session = toy_artifact("mixer", dispatch="pad").load()
    x = tokens(5)[None]
    exact = session.run({"x": x})["y"]
    assert np.array_equal(session.run({"x": x[:, :n].copy()})["y"], exact[:, :n])


@pytest.mark.parametrize("n", [4, 7, 9, 12, 33])
def test_split_concatenates_chunks(toy_artifact, toys, n):
    session = toy_artifact("mixer", dispatch="split", buckets=(1, 5)).load()
    x = tokens(n)[None]
    assert np.array_equal(session.run({"x": x})["y"], reference(session, toys, x))


@pytest.mark.parametrize("n", [1, 3, 6, 8, 11])
def test_split_pads_the_rest_where_the_plan_allows_it(toy_artifact, toys, n):
    session = toy_artifact("mixer", dispatch="split", facts={"pad_ok": True}).load()
    x = tokens(n)[None]
    assert np.array_equal(session.run({"x": x})["y"], reference(session, toys, x))


@pytest.mark.parametrize("n", [2, 3, 4, 7, 8])
@pytest.mark.parametrize("dispatch", ["split", "pad"])
def test_a_token_axis_that_is_not_the_first(toy_artifact, dispatch, n):
    if dispatch == "pad" and n > 5:
        pytest.skip("above the largest bucket")
    facts = {"pad_ok": True}
    session = toy_artifact("columns", dispatch=dispatch, facts=facts).load()
    x = tokens(3, n)
    expected = 2 * x + np.arange(3, dtype=np.float32)[:, None]
    assert np.array_equal(session.run({"x": x})["y"], expected)


def test_static_lists_the_buckets(toy_artifact):
    session = toy_artifact("mixer").load()
    with pytest.raises(InputError, match=r"no variant .* runs 3 tokens.* 2, 5 tokens.*--tokens"):
        session.run({"x": tokens(3)[None]})


def test_pad_refuses_more_than_the_largest(toy_artifact):
    session = toy_artifact("mixer", dispatch="pad").load()
    with pytest.raises(InputError, match=r"runs 6 tokens.*pads up to the largest"):
        session.run({"x": tokens(6)[None]})


def test_split_refuses_a_rest_that_may_not_be_padded(toy_artifact):
    session = toy_artifact("mixer", dispatch="split").load()
    with pytest.raises(InputError, match=r"runs 6 tokens.*the rest is below the smallest"):
        session.run({"x": tokens(6)[None]})


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("chunks", [[1], [3], [1, 1, 1], [3, 3], [7], [2, 5, 4], [10, 1]])
def test_held_states_are_chained(toy_artifact, in_place, chunks):
    session = toy_artifact("running", in_place=in_place).load()
    x = tokens(sum(chunks))
    expected = np.cumsum(x, axis=0, dtype=np.float32)
    parts = np.split(x, np.cumsum(chunks)[:-1])
    got = [session.run({"x": part.copy()})["y"] for part in parts]
    assert np.array_equal(np.concatenate(got), expected)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 6, 8])
def test_given_states_are_read_and_returned(toy_artifact, in_place, n):
    session = toy_artifact("running", in_place=in_place).load()
    x, start = tokens(n), tokens(1, seed=9)[0]
    before = start.copy()
    result = session.run({"x": x, "sum": start})
    expected = np.cumsum(np.concatenate([start[None], x]), axis=0, dtype=np.float32)[1:]
    assert np.array_equal(result["y"], expected)
    assert np.array_equal(result["next"], expected[-1])
    assert np.array_equal(start, before)  # the caller's array is not written
    held = session.run({"x": x})["y"]  # and the held state was not touched
    assert np.array_equal(held, np.cumsum(x, axis=0, dtype=np.float32))


def test_reset_goes_back_to_zeros(toy_artifact):
    session = toy_artifact("running").load()
    x = tokens(3)
    first = session.run({"x": x})["y"]
    assert not np.array_equal(session.run({"x": x})["y"], first)
    session.reset()
    assert np.array_equal(session.run({"x": x})["y"], first)


def test_a_held_state_can_be_read_with_out(toy_artifact):
    session = toy_artifact("running").load()
    x, room = tokens(4), np.empty(6, np.float32)
    result = session.run({"x": x}, out={"next": room})
    assert result["next"] is room
    assert np.array_equal(room, np.cumsum(x, axis=0, dtype=np.float32)[-1])
    assert "next" not in session.run({"x": x})


def test_sessions_have_their_own_states(toy_artifact):
    artifact = toy_artifact("running")
    a, b = artifact.load(), artifact.load()
    x = tokens(3)
    first = a.run({"x": x})["y"]
    a.run({"x": x})
    assert np.array_equal(b.run({"x": x})["y"], first)


@pytest.mark.parametrize("n", [1, 4, 9])
@pytest.mark.parametrize("pattern", ["all to one", "spread"])
def test_tasks_from_runs_only_chosen_experts(toy_artifact, toys, n, pattern):
    session = toy_artifact("routed").load(threads=2)
    x = tokens(n)
    if pattern == "all to one":
        x[:, 2] = 10
    w = np.stack(toys.routed().weights)
    assert np.array_equal(session.run({"x": x})["y"], x * w[np.argmax(x[:, :4], axis=1)])
