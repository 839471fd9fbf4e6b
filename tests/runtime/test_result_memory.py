"""Memory of results is used again, and never while anybody can still see the result."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.runtime.result_memory import ALIGNMENT, KEPT_FROM_BYTES, KEPT_TO_BYTES, ResultMemory

BIG = KEPT_FROM_BYTES


def address(array):
    return array.__array_interface__["data"][0]


def test_dropped_memory_is_taken_again():
    memory = ResultMemory()
    first = memory.take(BIG)
    place = address(first)
    assert place % ALIGNMENT == 0 and first.nbytes == BIG and first.flags.writeable
    del first
    assert address(memory.take(BIG)) == place


@pytest.mark.parametrize(
    "hold",
    [
        lambda a: a, lambda a: a[5:9], lambda a: a.view(np.float32).reshape(2, -1)[1],
        memoryview, lambda a: np.frombuffer(a, np.int8), lambda a: {"y": [a.T]},
    ],
    ids=["itself", "slice", "reshaped", "memoryview", "frombuffer", "inside"],
)  # fmt: skip
def test_what_is_held_stays(hold):
    memory = ResultMemory()
    first = memory.take(BIG)
    first[:] = 7
    held = hold(first)
    del first
    for number in range(4):
        memory.take(BIG)[:] = number
    flat = held["y"][0] if isinstance(held, dict) else held
    assert (np.asarray(flat).view(np.uint8) == 7).all()


def test_torch_tensors_hold_it():
    torch = pytest.importorskip("torch")
    memory = ResultMemory()
    first = memory.take(BIG)
    first[:] = 7
    tensor = torch.from_numpy(first)[3:]
    del first
    for number in range(4):
        memory.take(BIG)[:] = number
    assert bool((tensor == 7).all())


def test_a_loop_that_keeps_the_last_result_needs_two():
    memory, places = ResultMemory(), set()
    last = None
    for _ in range(6):
        result = memory.take(BIG)
        places.add(address(result))
        assert last is None or not np.shares_memory(last, result)
        last = result
    assert len(places) == 2


@pytest.mark.parametrize("nbytes", [KEPT_FROM_BYTES - 1, KEPT_TO_BYTES + 1])
def test_small_and_huge_results_are_not_kept(nbytes):
    memory = ResultMemory()
    memory.take(nbytes)
    assert not memory._blocks
