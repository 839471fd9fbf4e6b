import itertools

import numpy as np
import pytest

from edgemoe.compression.assignment import assign, dominated


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_best_of_all(seed):
    chance = np.random.default_rng(seed)
    cost, weight = chance.random((5, 3)), chance.random((5, 3)) * 10.0 ** chance.integers(-6, 6)
    allowed = chance.random((5, 3)) < 0.8
    allowed[:, 0] = True
    limit = float(np.quantile(weight.sum(1), 0.6) * 2)

    def sums(choice):
        return sum(cost[u, f] for u, f in enumerate(choice)), sum(
            weight[u, f] for u, f in enumerate(choice)
        )

    every = [c for c in itertools.product(range(3), repeat=5)
             if all(allowed[u, f] for u, f in enumerate(c)) and sums(c)[1] <= limit]  # fmt: skip
    found = assign(cost, weight, limit, allowed)
    if not every:
        assert found is None
    else:
        assert found is not None
        assert sums(found)[1] <= limit * (1 + 1e-6)
        assert sums(found)[0] == pytest.approx(min(sums(c)[0] for c in every), rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_best_of_all_within_a_limit_per_metric(seed):
    chance = np.random.default_rng(seed)
    scales = 10.0 ** chance.integers(-6, 6, 3)
    cost, weight = chance.random((5, 3)), chance.random((5, 3, 3)) * scales
    limits = np.quantile(weight.sum(1), 0.6, axis=0) * 2
    every = {c: weight[range(5), c].sum(0) for c in itertools.product(range(3), repeat=5)}
    fitting = [cost[range(5), c].sum() for c, sums in every.items() if (sums <= limits).all()]
    assert len(fitting) < sum(sums[0] <= limits[0] for sums in every.values())
    found = assign(cost, weight, limits, np.ones((5, 3), bool))
    assert (every[tuple(found.tolist())] <= limits * (1 + 1e-6)).all()
    assert cost[range(5), found].sum() == pytest.approx(min(fitting), rel=1e-3)


def test_a_format_that_spares_one_metric_is_no_dominated_one():
    cost = np.array([[1.0, 1.0, 1.0, 2.0]])
    weight = np.array([[[5.0, 1.0], [1.0, 5.0], [5.0, 2.0], [1.0, 5.0]]])
    allowed = np.ones((1, 4), bool)
    assert dominated(cost, weight, allowed).tolist() == [[False, False, True, True]]


def test_nothing_keeps_the_limit():
    assert assign(np.ones((2, 2)), np.full((2, 2), 5.0), 9.9, np.ones((2, 2), bool)) is None


def test_what_is_dominated_is_no_part_of_a_program():
    cost = np.array([[1.0, 2.0, 2.0, 3.0, 0.5]])
    weight = np.array([[5.0, 4.0, 4.0, 4.5, 1.0]])
    allowed = np.array([[True, True, True, True, False]])
    assert dominated(cost, weight, allowed).tolist() == [[False, False, True, True, False]]


def test_what_native_code_prints_does_not_reach_the_standard_output(capfd, monkeypatch):
    """HiGHS writes a line at times, by C's buffered streams and by the descriptor itself."""
    import ctypes
    import os

    import scipy.optimize

    solve = scipy.optimize.milp

    def noisy(*arguments, **options):
        ctypes.CDLL(None).puts(b"a line that C buffers")
        os.write(1, b"a line past all buffers\n")
        return solve(*arguments, **options)

    print("before", flush=False)
    monkeypatch.setattr(scipy.optimize, "milp", noisy)
    found = assign(np.eye(2), 1 - np.eye(2), 2.0, np.ones((2, 2), bool))
    print("after")
    ctypes.CDLL(None).fflush(None)
    assert found is not None and found.tolist() == [1, 0]
    assert capfd.readouterr().out == "before\nafter\n"
