"""Experts on GPUs: slots grouped on the device, every format, gated bodies, nobody's slots."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.quantise import quantise
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.gpu.combine import Combine
from edgemoe.targets.kernels.gpu.experts import GpuExperts
from edgemoe.targets.kernels.gpu.group import TILE, GroupSlots, most_tiles
from edgemoe.targets.kernels.gpu.linear import product_cut
from edgemoe.targets.kernels.gpu.weights import Layout
from edgemoe.targets.spec import load_target
from edgemoe.weight_format import parse
from tests.gpu.launch import DEVICES, launch
from tests.gpu.test_linear import stored

pytestmark = pytest.mark.needs("device:opencl", "device:webgpu")

GATED = ex.Apply("Mul", (ex.Apply("Swish", (ex.Port(0),)), ex.Port(1)))
WEIGHTED = ex.Apply("Mul", (ex.Port(), ex.Operand(0, "row")))


def grouped(
    device: str, routes: np.ndarray, slots: int, experts: int, height: int
) -> list[np.ndarray]:
    """(order, tiles) as the device makes them."""
    scored = routes.dtype == np.float32
    tiles = np.zeros(1 + TILE * most_tiles(slots, experts, height), np.int32)
    kernel = GroupSlots(scored, slots, experts, height, 8)
    return launch(device, kernel, [routes, np.full(slots, -1, np.int32), tiles])[1:]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("height", [1, 4])
@pytest.mark.parametrize("scored", [False, True])
def test_slots_are_grouped_in_their_order(device: str, height: int, scored: bool) -> None:
    chance = np.random.default_rng(height)
    tokens, experts = 11, 13
    if scored:
        routes = np.maximum(chance.standard_normal((tokens, experts)), 0).astype(np.float32)
        owners = np.where(routes != 0, np.arange(experts), -1).reshape(-1)
    else:
        routes = chance.integers(-1, experts, (tokens, 3)).astype(np.int32)
        owners = routes.reshape(-1)
    order, tiles = grouped(device, routes, owners.size, experts, height)
    wanted = [s for e in range(experts) for s in np.flatnonzero(owners == e)]
    assert order[: len(wanted)].tolist() == wanted
    found = tiles[1 : 1 + TILE * tiles[0]].reshape(-1, TILE)
    expected, row = [], 0
    for e in range(experts):
        count = int((owners == e).sum())
        expected += [[e, row + i, min(height, count - i)] for i in range(0, count, height)]
        row += count
    assert found.tolist() == expected


CASES = [("opencl", name, tokens) for name in ("f32", "i4", "i3") for tokens in (1, 70)]
CASES += [("opencl", "i8", 3), ("webgpu", "i4.zp", 1), ("webgpu", "f16", 70)]


@pytest.mark.parametrize(("device", "name", "tokens"), CASES)
def test_a_gated_layer(device: str, name: str, tokens: int) -> None:
    hidden, inner, experts, chosen = 48, 72, 5, 2
    chance = np.random.default_rng(tokens)
    facts = load_target(device).gpu
    assert facts is not None
    given = parse(name)
    x = chance.standard_normal((tokens, hidden)).astype(np.float32)
    up = [chance.standard_normal((experts, inner, hidden)).astype(np.float32) for _ in range(2)]
    down = chance.standard_normal((experts, hidden, inner)).astype(np.float32)
    ids = np.argsort(chance.random((tokens, experts)), -1)[:, :chosen].astype(np.int32)
    if tokens > 1:
        ids[1, 1] = -1  # nobody
    shares = chance.random((tokens, chosen)).astype(np.float32)
    slots, direct = tokens * chosen, tokens == 1
    layouts = [Layout(given, hidden, 2 * inner), Layout(given, inner, hidden)]
    packed = []
    for e in range(experts):
        parts = [layouts[0].pack([u[e] for u in up], [quantise] * 2),
                 layouts[1].pack([down[e]], [quantise])]  # fmt: skip
        packed.append([np.pad(p, (0, layout.stride - layout.words))
                       for p, layout in zip(parts, layouts, strict=True)])  # fmt: skip
    words = [np.concatenate([p[i] for p in packed]) for i in range(2)]
    rows = 1 if direct else slots / experts
    cuts = [product_cut(facts, layout, ports, rows)
            for layout, ports in zip(layouts, (2, 1), strict=True)]  # fmt: skip
    lists = [[ids]] * 2 if direct else [
        grouped(device, ids, slots, experts, cut.rows) for cut in cuts
    ]  # fmt: skip
    first = GpuExperts(GATED, layouts[0], 2, "token", "sorted", slots, experts, chosen, cuts[0],
                       direct)  # fmt: skip
    middle = np.zeros((slots, inner), np.float32)
    middle = launch(device, first, [x, words[0], middle, *lists[0]])[2]
    second = GpuExperts(WEIGHTED, layouts[1], 1, "sorted", "slot", slots, experts, chosen, cuts[1],
                        direct)  # fmt: skip
    y = np.zeros((slots, hidden), np.float32)
    y = launch(device, second, [middle, words[1], y, *lists[1], shares])[2]
    combine = Combine(False, tokens, chosen, experts, hidden, 64)
    out = launch(device, combine, [ids, y, np.zeros((tokens, hidden), np.float32)])[2]
    wanted = np.zeros((tokens, hidden))
    kept = [np.stack([stored(m, name) for m in w]).astype(np.float64) for w in (*up, down)]
    for t in range(tokens):
        for j, e in enumerate(ids[t]):
            if e < 0:
                continue
            gate, value = kept[0][e] @ x[t], kept[1][e] @ x[t]
            wanted[t] += shares[t, j] * (kept[2][e] @ (gate / (1 + np.exp(-gate)) * value))
    np.testing.assert_allclose(out, wanted, atol=3e-5 * np.abs(wanted).max())
