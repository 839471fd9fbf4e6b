"""Merged experts against averages in torch."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from edgemoe.compression.calibration import calibrate
from edgemoe.compression.merging import cluster, merge_of, plan_merging
from edgemoe.compression.pruning import Merge, Pruning, apply_pruning
from edgemoe.compression.region_view import regions_of
from edgemoe.errors import OptionError
from edgemoe.models.blockffn_lm import BlockFFN
from edgemoe.models.families import noise, randomise
from edgemoe.models.moe_lm import MoE


def test_clusters_are_numbered_by_their_first_experts() -> None:
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    features = np.stack([b, a, 3 * b, 2 * a + 0.1 * b, 0 * a])
    assert cluster(features, 3).tolist() == [0, 1, 0, 1, 2]
    assert cluster(features, 5).tolist() == [0, 1, 2, 3, 4]
    assert cluster(features, 1).tolist() == [0] * 5
    assert cluster(features[:1], 1).tolist() == [0]


def test_shares_follow_the_uses() -> None:
    merge = merge_of(np.array([0, 1, 0, 2, 2]), np.array([3, 5, 1, 0, 0]))
    assert merge == Merge((0, 1, 0, 2, 2), (0.75, 1.0, 0.25, 0.5, 0.5))


@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_top_k(graphs: Any, ratio: float) -> None:
    """Two chosen experts may fall into one cluster: the same id twice in a row."""
    layer = randomise(MoE(12, 6, 3, 5))
    x = noise(9, 12)
    graph = graphs.of(layer, x)
    found = calibrate(graph, [graphs.feed(graph, x.numpy())])
    plan = plan_merging(graph, found, ratio)
    (merge,) = plan.merged.values()
    assert max(merge.target) + 1 == (3 if ratio < 1 else 1)
    reference = copy.deepcopy(layer)
    for weight in (reference.gate_up, reference.down):
        averages = [
            sum(weight.data[e] * merge.share[e] for e in range(6) if merge.target[e] == n)
            for n in merge.target
        ]
        weight.data = torch.stack(averages)
    with torch.no_grad():
        wanted = reference(x).numpy()
    (note,) = apply_pruning(graph, plan)
    assert note.text.endswith(f"6 experts become {max(merge.target) + 1}")
    assert apply_pruning(graph, plan) == []
    np.testing.assert_allclose(graphs.run(graph, x.numpy()), wanted, rtol=1e-4, atol=1e-5)
    lowered = graphs.lowered(graph)
    assert lowered.variants[0].regions[0].experts == max(merge.target) + 1


def test_scored_blocks(graphs: Any) -> None:
    layer = randomise(BlockFFN(12, 5, 4))
    x = noise(7, 12)
    graph = graphs.of(layer, x)
    (view,) = regions_of(graph)
    merge = Merge((0, 1, 0, 1, 1), (0.25, 0.0, 0.75, 0.5, 0.5))
    apply_pruning(graph, Pruning(merged={view.key: merge}))
    up, down = layer.up.weight.view(5, 4, 12), layer.down.weight.view(12, 5, 4)
    for old in ((0, 2), (1, 3, 4)):
        mean = sum(up.data[e] * merge.share[e] for e in old)
        mean_down = sum(down.data[:, e] * merge.share[e] for e in old)
        for e in old:
            up.data[e], down.data[:, e] = mean, mean_down
    with torch.no_grad():
        wanted = layer(x).numpy()
    np.testing.assert_allclose(graphs.run(graph, x.numpy()), wanted, rtol=1e-4, atol=1e-5)
    graphs.lowered(graph)


def test_by_weights_finds_the_copies(graphs: Any) -> None:
    layer = randomise(MoE(12, 4, 2, 5))
    for weight in (layer.gate_up, layer.down):
        weight.data[3] = weight.data[1]
    x = noise(9, 12)
    graph = graphs.of(layer, x)
    before = graphs.run(graph, x.numpy())
    found = calibrate(graph, [graphs.feed(graph, x.numpy())])
    plan = plan_merging(graph, found, 0.25, by="weights")
    (merge,) = plan.merged.values()
    assert merge.target == (0, 1, 2, 1)
    apply_pruning(graph, plan)
    np.testing.assert_allclose(graphs.run(graph, x.numpy()), before, rtol=1e-4, atol=1e-5)


def test_options(graphs: Any) -> None:
    graph = graphs.of(randomise(MoE(12, 4, 2, 5)), noise(9, 12))
    found = calibrate(graph, [graphs.feed(graph, noise(9, 12).numpy())])
    with pytest.raises(OptionError, match=r"ratio of 1\.5 is out of range"):
        plan_merging(graph, found, 1.5)
    with pytest.raises(OptionError, match="outputs or weights"):
        plan_merging(graph, found, 0.5, by="names")  # type: ignore[arg-type]
    (view,) = regions_of(graph)
    with pytest.raises(OptionError, match="merge of 3 experts to 2 does not fit the 4"):
        apply_pruning(graph, Pruning(merged={view.key: Merge((0, 1, 0), (0.5, 1.0, 0.5))}))


def test_what_was_not_calibrated_is_named(graphs: Any) -> None:
    one, two = (graphs.of(randomise(MoE(12, e, 2, 5)), noise(9, 12)) for e in (4, 5))
    found = calibrate(one, [graphs.feed(one, noise(9, 12).numpy())])
    plan = plan_merging(two, found, 0.5)
    assert not plan.merged and "was not calibrated" in plan.notes[0]
