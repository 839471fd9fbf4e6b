from __future__ import annotations

import numpy as np
import pytest

from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.experts import Experts
from edgemoe.targets.kernels.group_tokens import GroupTokens
from edgemoe.targets.kernels.panels import pack_ports
from edgemoe.weight_format import F32

SWIGLU = ex.Apply("Mul", (ex.Apply("Swish", (ex.Port(0),)), ex.Port(1)))
WEIGHTED = ex.Apply("Mul", (ex.Port(), ex.Operand(0, "row")))
BIASED = ex.Apply("Relu", (ex.Apply("Add", (ex.Port(), ex.Operand(0, "expert_column"))),))

UP = Experts(SWIGLU, 2, "token", "sorted")
BLOCK_UP = Experts(BIASED, 1, "token", "sorted")
DOWN = Experts(WEIGHTED, 1, "sorted", "accumulate")


@pytest.fixture(scope="module")
def kernels(build):
    return build(
        {
            "group": GroupTokens("int64"), "scored": GroupTokens("scored"), "up": UP, "down": DOWN,
            "block_up": BLOCK_UP,
        }
    )  # fmt: skip


def silu(x):
    return x / (1 + np.exp(-x))


class Region:
    """A gated layer with `used` experts; the weights of all others are NaN."""

    def __init__(self, kernels, hidden, inner, experts, used=None, seed=0):
        chance = np.random.default_rng(seed)
        self.kernels, self.hidden, self.inner, self.experts = kernels, hidden, inner, experts
        scale = 1 / np.sqrt(hidden)
        self.gate, self.up = (
            (chance.standard_normal((experts, inner, hidden)) * scale).astype(np.float32)
            for _ in range(2)
        )
        self.down = (chance.standard_normal((experts, hidden, inner)) / np.sqrt(inner)).astype(
            np.float32
        )
        for expert in set(range(experts)) - set(used if used is not None else range(experts)):
            self.gate[expert] = self.up[expert] = self.down[expert] = np.nan

    def run(self, x, ids, weights):
        tokens, chosen = ids.shape
        slots = ids.size
        order = np.full(slots, -1, np.int32)
        offsets, active = (np.full(self.experts + 1, -1, np.int32) for _ in range(2))
        cursor = np.empty(self.experts, np.int32)
        self.kernels["group"](ids, order, offsets, active, cursor, slots, self.experts, 0, 1)
        hidden = np.full((slots, self.inner), np.nan, np.float32)
        out = np.full((tokens, self.hidden), np.nan, np.float32)
        ups = np.stack([pack_ports([g, u], F32) for g, u in zip(self.gate, self.up, strict=True)])
        downs = np.stack([pack_ports([d], F32) for d in self.down])
        tasks, per_active = UP.tasks(self.inner)
        assert per_active
        self.kernels["up"](
            x, ups, hidden, order, offsets, active, self.hidden, self.inner,
            UP.panels(self.inner), chosen, tokens, 0, tasks * active[0],
        )  # fmt: skip
        tasks, per_active = DOWN.tasks(self.hidden)
        assert not per_active
        self.kernels["down"](
            hidden, downs, out, order, offsets, active, weights, self.inner, self.hidden,
            DOWN.panels(self.hidden), chosen, tokens, 0, tasks,
        )  # fmt: skip
        return out, order, offsets, active

    def reference(self, x, ids, weights):
        out = np.zeros((len(x), self.hidden))
        for token, slot in np.ndindex(ids.shape):
            e = ids[token, slot]
            if 0 <= e < self.experts:
                row = x[token].astype(np.float64)
                inner = silu(self.gate[e] @ row) * (self.up[e] @ row)
                out[token] += weights[token, slot] * (self.down[e] @ inner)
        return out


def routed(tokens, experts, chosen, seed=1):
    chance = np.random.default_rng(seed)
    ids = np.stack([chance.permutation(experts)[:chosen] for _ in range(tokens)]).astype(np.int64)
    return ids, chance.random((tokens, chosen)).astype(np.float32)


@pytest.mark.parametrize("tokens", [1, 7, 8, 9, 33])
@pytest.mark.parametrize(("hidden", "inner", "experts", "chosen"), [
    (24, 40, 3, 2), (16, 16, 1, 1), (33, 17, 8, 3), (64, 32, 16, 1),
])  # fmt: skip
def test_against_the_reference(kernels, rms, tokens, hidden, inner, experts, chosen):
    region = Region(kernels, hidden, inner, experts)
    x = np.random.default_rng(2).standard_normal((tokens, hidden)).astype(np.float32)
    ids, weights = routed(tokens, experts, chosen)
    out, order, offsets, active = region.run(x, ids, weights)
    assert rms(out, region.reference(x, ids, weights)) < 2e-6
    assert sorted(order) == list(range(ids.size))
    assert offsets[-1] == ids.size
    assert list(active[1 : active[0] + 1]) == sorted(set(ids.reshape(-1)))


def test_experts_that_nobody_chose_are_not_touched(kernels):
    region = Region(kernels, 20, 24, 6, used=[1, 4])
    x = np.ones((5, 20), np.float32)
    ids = np.array([[1, 4]] * 5, np.int64)
    out, *_ = region.run(x, ids, np.full((5, 2), 0.5, np.float32))
    assert np.isfinite(out).all()


def test_all_tokens_to_one_expert(kernels, rms):
    region = Region(kernels, 20, 24, 6, used=[3])
    x = np.random.default_rng(3).standard_normal((40, 20)).astype(np.float32)
    ids, weights = np.full((40, 1), 3, np.int64), np.ones((40, 1), np.float32)
    out, *_ = region.run(x, ids, weights)
    assert rms(out, region.reference(x, ids, weights)) < 2e-6


def test_ids_that_name_no_expert_contribute_nothing(kernels, rms):
    region = Region(kernels, 20, 24, 4)
    x = np.random.default_rng(4).standard_normal((6, 20)).astype(np.float32)
    ids, weights = routed(6, 4, 2)
    ids[1], ids[3, 0] = (-1, 4), 1 << 40
    out, *_ = region.run(x, ids, weights)
    np.testing.assert_array_equal(out[1], 0)
    wanted = region.reference(x, ids, weights)
    assert rms(out, wanted) < 2e-6


def test_bits_of_a_token_do_not_depend_on_the_others(kernels):
    region = Region(kernels, 48, 40, 5)
    x = np.random.default_rng(5).standard_normal((29, 48)).astype(np.float32)
    ids, weights = routed(29, 5, 2)
    whole, *_ = region.run(x, ids, weights)
    for token in (0, 13, 28):
        part = slice(token, token + 1)
        one, *_ = region.run(x[part].copy(), ids[part].copy(), weights[part].copy())
        np.testing.assert_array_equal(one[0], whole[token])


def test_scored_routing_skips_exact_zeros(kernels, rms):
    chance = np.random.default_rng(6)
    tokens, hidden, width, experts = 9, 20, 8, 5
    scores = chance.random((tokens, experts)).astype(np.float32)
    scores[scores < 0.6] = 0
    scores[:, 2] = 0
    x = chance.standard_normal((tokens, hidden)).astype(np.float32)
    up = chance.standard_normal((experts, width, hidden)).astype(np.float32)
    down = chance.standard_normal((experts, hidden, width)).astype(np.float32)
    bias = chance.standard_normal((experts, width)).astype(np.float32)
    up[2] = down[2] = bias[2] = np.nan
    slots = tokens * experts
    order, cursor = np.empty(slots, np.int32), np.empty(experts, np.int32)
    offsets, active = (np.empty(experts + 1, np.int32) for _ in range(2))
    kernels["scored"](scores, order, offsets, active, cursor, slots, experts, 0, 1)
    assert offsets[-1] == np.count_nonzero(scores)
    inner = np.full((slots, width), np.nan, np.float32)
    tasks, _ = BLOCK_UP.tasks(width)
    packed = np.stack([pack_ports([u], F32) for u in up])
    kernels["block_up"](
        x, packed, inner, order, offsets, active, bias, hidden,
        width, BLOCK_UP.panels(width), experts, tokens, 0, tasks * active[0],
    )  # fmt: skip
    out = np.empty((tokens, hidden), np.float32)
    kernels["down"](
        inner, np.stack([pack_ports([d], F32) for d in down]), out, order, offsets, active, scores,
        width, hidden, DOWN.panels(hidden), experts, tokens, 0, DOWN.tasks(hidden)[0],
    )  # fmt: skip
    wanted = np.zeros((tokens, hidden))
    for t, e in zip(*np.nonzero(scores), strict=True):
        wanted[t] += scores[t, e] * (down[e] @ np.maximum(up[e] @ x[t] + bias[e], 0))
    assert rms(out, wanted) < 2e-6
