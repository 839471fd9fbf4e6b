"""Pruned graphs compute what torch computes with the logits of pruned experts at minus infinity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgemoe.buckets import feed_for
from edgemoe.compression.calibration import Calibration, calibrate
from edgemoe.compression.pruning import Pruning, apply_pruning, plan_pruning
from edgemoe.compression.region_statistics import RegionStatistics
from edgemoe.compression.region_view import regions_of
from edgemoe.errors import OptionError
from edgemoe.models.blockffn_lm import BlockFFN
from edgemoe.models.families import blocks, noise, randomise, routers
from edgemoe.models.moe_lm import MoE
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes

KEPT = (0, 3, 4, 7)
COLUMNS, MASK = "the router lost its columns", "the router is masked"


def minus_infinity(experts: int, kept: Any) -> torch.Tensor:
    mask = torch.full((experts,), float("-inf"))
    mask[list(kept)] = 0.0
    return mask


class Masked(nn.Module):
    """A gate with minus infinity at pruned experts: the definition."""

    def __init__(self, gate: nn.Module, mask: torch.Tensor) -> None:
        super().__init__()
        self.gate, self.mask = gate, mask

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.gate(x) + self.mask
        return logits


def check(graphs: Any, graph: Any, module: nn.Module, x: torch.Tensor, kept: Any) -> str:
    """Prune the only region, compare with the masked module, lower; returns how it was done."""
    (view,) = regions_of(graph)
    (note,) = apply_pruning(graph, Pruning({view.key: tuple(kept)}))
    with torch.no_grad():
        wanted = module(x).numpy()
    got = graphs.run(graph, x.numpy())
    np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5)
    (pruned,) = regions_of(graph)
    assert pruned.experts == len(kept) and pruned.key == view.key
    for place in pruned.owned:
        assert pruned.node.inputs[place].shape[0] == len(kept)
    lowered = graphs.lowered(graph)
    assert [r.experts for r in lowered.variants[0].regions] == [len(kept)]
    np.testing.assert_allclose(graphs.run(graph, x.numpy()), wanted, rtol=2e-5, atol=2e-5)
    assert note.kind == "matched"
    return str(note.facts["router"])


@pytest.mark.parametrize(
    ("route", "how"),
    [
        (routers.softmax_first, COLUMNS), (routers.softmax_after, COLUMNS),
        (routers.sigmoid_bias, COLUMNS), (routers.sqrt_softplus, COLUMNS),
        (routers.temperature, COLUMNS), (routers.argmax, COLUMNS),
        (routers.sparsemixer, COLUMNS),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_top_k_routers(graphs: Any, route: Any, how: str) -> None:
    layer = randomise(routers.Routed_(route))
    x = noise(routers.T, routers.H, seed=4)
    graph = graphs.of(layer, noise(routers.T, routers.H))
    mask = minus_infinity(routers.E, KEPT)
    layer.gate = Masked(layer.gate, mask)
    layer.bias.data += mask
    assert check(graphs, graph, layer, x, KEPT) == how


def test_groups_of_experts(graphs: Any) -> None:
    """Groups go altogether, or keep as many experts as their score is made of."""
    layer = randomise(routers.Routed_(routers.groups))
    x = noise(routers.T, routers.H, seed=4)
    graph = graphs.of(layer, noise(routers.T, routers.H))
    (view,) = regions_of(graph)
    with pytest.raises(OptionError, match=r"2 of 4 groups.* \[1, 1, 1, 1\] would stay"):
        apply_pruning(graph, Pruning({view.key: (0, 3, 4, 7)}))
    kept = (0, 1, 2, 3, 6, 7)
    mask = minus_infinity(routers.E, kept)
    layer.gate, layer.bias.data = Masked(layer.gate, mask), layer.bias.data + mask
    assert check(graphs, graph, layer, x, kept) == MASK


@pytest.mark.parametrize("kept", [(2, 5), (7, 0), ()])
def test_what_stays_must_fit(graphs: Any, kept: tuple[int, ...]) -> None:
    layer = randomise(routers.Routed_(routers.softmax_first))
    graph = graphs.of(layer, noise(routers.T, routers.H))
    (view,) = regions_of(graph)
    if kept == (2, 5):  # as many as are chosen: all that is left is a softmax over two
        assert apply_pruning(graph, Pruning({view.key: kept}))[0].kind == "matched"
        return
    with pytest.raises(OptionError, match="ascending order"):
        apply_pruning(graph, Pruning({view.key: kept}))


def test_fewer_than_are_chosen(graphs: Any) -> None:
    graph = graphs.of(
        randomise(routers.Routed_(routers.softmax_first)), noise(routers.T, routers.H)
    )
    (view,) = regions_of(graph)
    with pytest.raises(OptionError, match="needs 2 experts, 1 would stay"):
        apply_pruning(graph, Pruning({view.key: (3,)}))


@pytest.mark.parametrize("largest", [True, False])
def test_centroids_are_masked(graphs: Any, largest: bool) -> None:
    route = routers.centroids if largest else routers.nearest
    layer = randomise(routers.Routed_(route))
    x = noise(routers.T, routers.H)
    graph = graphs.of(layer, x)
    chosen = layer.gate.weight.data[list(KEPT)]
    distance = (x[:, None] - chosen).square().sum(-1)
    distance = distance.sqrt() if largest else distance
    top, ids = distance.topk(routers.K, -1, largest=largest)
    weights = torch.softmax(top if largest else -top, -1)

    class Reference(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return layer.experts(x, weights, torch.tensor(KEPT)[ids])

    assert check(graphs, graph, Reference(), x, KEPT) == MASK


def test_fixed_random_router(graphs: Any) -> None:
    layer = randomise(routers.FixedRandom())
    x = noise(routers.T, routers.H)
    graph = graphs.of(layer, x)
    mask = minus_infinity(routers.E, KEPT)

    class Reference(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores = torch.softmax(x @ layer.fixed + mask, -1)
            return layer.experts(x, *scores.topk(routers.K, -1))

    assert check(graphs, graph, Reference(), x, KEPT) == COLUMNS


def test_block_ffn_router_stays_understood(graphs: Any) -> None:
    graph = graphs.of(randomise(BlockFFN(12, 7, 5)), noise(9, 12))
    apply_pruning(graph, Pruning({regions_of(graph)[0].key: (1, 3)}))
    found = json.loads(graphs.calls(graph, "Route")[0].metadata_props["edgemoe.route"])
    assert found["eps"] == pytest.approx(1e-6 * 7 / 2, rel=1e-6) and found["gamma"] is True


@pytest.mark.parametrize("kept", [(0,), (1, 3), (0, 1, 2, 3, 5, 6)])
def test_block_ffn(graphs: Any, kept: tuple[int, ...]) -> None:
    """The mean of the squares is still over all E: gamma and eps make up for what is gone."""
    layer = randomise(BlockFFN(12, 7, 5))
    x = noise(9, 12, seed=2) * torch.logspace(-5, 1, 9)[:, None]  # eps dominates, or does not
    graph = graphs.of(layer, noise(9, 12))
    layer.router = Masked(layer.router, minus_infinity(7, kept))
    assert check(graphs, graph, layer, x, kept) == COLUMNS


def test_blocks_by_top_k(graphs: Any) -> None:
    """FactorLLM: scores that are N / k where chosen; the router is not outlined."""
    layer = randomise(blocks.FactorLLM())
    x = noise(blocks.T, blocks.H)
    graph = graphs.of(layer, x)
    layer.router = Masked(layer.router, minus_infinity(blocks.E, (1, 2, 3)))
    assert check(graphs, graph, layer, x, (1, 2, 3)) == MASK


def test_first_blocks(graphs: Any) -> None:
    """MatFormer: no router; the scores of pruned blocks are dropped."""
    layer = randomise(blocks.MatFormer())
    x, width = noise(blocks.T, blocks.H), torch.tensor([3])
    graph = graphs.of(layer, x, width)
    (view,) = regions_of(graph)
    (note,) = apply_pruning(graph, Pruning({view.key: (0, 2)}))
    assert note.facts["router"] == "no router chooses among them"
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0])
    with torch.no_grad():
        wanted = layer.masked(x, layer.scores(x, width) * mask).numpy()
    np.testing.assert_allclose(graphs.run(graph, x.numpy(), width.numpy()), wanted, atol=1e-5)
    graphs.lowered(graph)


def test_a_mask_over_neurons_is_cut_too(graphs: Any) -> None:
    layer = randomise(blocks.Slimmable())
    x, width = noise(blocks.T, blocks.H), torch.tensor([19])
    graph = graphs.of(layer, x, width)
    (view,) = regions_of(graph)
    assert view.experts == 2
    apply_pruning(graph, Pruning({view.key: (1,)}))
    mask = (torch.arange(32) < width) & (torch.arange(32) >= 16)
    with torch.no_grad():
        wanted = layer.down(torch.relu(layer.up(x)) * mask).numpy()
    np.testing.assert_allclose(graphs.run(graph, x.numpy(), width.numpy()), wanted, atol=1e-5)


def test_one_router_of_two_regions(graphs: Any) -> None:
    """Read-ME routes all layers at once; each layer may lose other blocks."""
    module = randomise(blocks.ReadMe())
    ids = torch.tensor([3, 1, 19, 7, 3, 0])
    graph = graphs.of(module, ids)
    first, second = regions_of(graph)
    apply_pruning(graph, Pruning({first.key: (0, 2), second.key: (1, 2, 3)}))

    def reference(ids: torch.Tensor) -> torch.Tensor:
        x, logits = module.embedding(ids), module.router(module.pre(ids))
        for block, shared, kept in zip(
            module.blocks, module.shared, [(0, 2), (1, 2, 3)], strict=True
        ):
            best = (logits + minus_infinity(blocks.E, kept)).argmax(-1)
            scores = torch.nn.functional.one_hot(best, blocks.E).float()
            x = x + shared(torch.relu(x)) + block.masked(x, scores)
        return x

    with torch.no_grad():
        wanted = reference(ids).numpy()
    np.testing.assert_allclose(graphs.run(graph, ids.numpy()), wanted, atol=1e-5)
    graphs.lowered(graph)


def test_declined_with_a_reason(graphs: Any) -> None:
    layer = randomise(routers.Hash(scored=True))
    ids = torch.tensor([3, 1, 19, 7, 3, 0])
    graph = graphs.of(layer, ids)
    before = graphs.run(graph, ids.numpy())
    (view,) = regions_of(graph)
    (note,) = apply_pruning(graph, Pruning({view.key: KEPT}))
    assert note.kind == "warning" and "table of token ids" in note.text
    assert regions_of(graph)[0].experts == routers.E
    np.testing.assert_array_equal(graphs.run(graph, ids.numpy()), before)


def test_every_bucket_alike_and_twice(graphs: Any) -> None:
    layer = randomise(MoE(16, 6, 2, 5))
    layer.export_options = {"input_names": ["x"], "dynamic_shapes": ({0: "T"},)}
    every = graphs.recognised((layer, (noise(4, 16),)), tokens=[1, 7])
    keys = [[view.key for view in regions_of(graph)] for graph in every]
    assert keys[0] == keys[1] and len(keys[0]) == 1
    pruning = Pruning({keys[0][0]: (1, 2, 5)})
    layer.router = Masked(layer.router, minus_infinity(6, (1, 2, 5)))
    for tokens, graph in zip((1, 7), every, strict=True):
        assert len(apply_pruning(graph, pruning)) == 1
        assert apply_pruning(graph, pruning) == []  # nothing is left to do
        x = noise(tokens, 16, seed=3)
        with torch.no_grad():
            wanted = layer(x).numpy()
        np.testing.assert_allclose(graphs.run(graph, x.numpy()), wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(OptionError, match="were pruned before"):
        apply_pruning(graph, Pruning({keys[0][0]: (1, 2)}))
    names = [{v.name for v in regions_of(graph)[0].node.inputs[3:]} for graph in every]
    assert names[0] == names[1]
    run_passes(every[0], phases=("fuse",))


@pytest.mark.parametrize(
    ("factory", "ratio", "chosen"),
    [("moe_lm:char_moe", 0.5, 2), ("blockffn_lm:char_blockffn", 0.5, 0)],
)
def test_shipped_models(
    graphs: Any, tmp_path: Path, factory: str, ratio: float, chosen: int
) -> None:
    """A whole artifact in two buckets computes what onnxruntime makes of the pruned graphs."""
    model = f"edgemoe.models.{factory}"
    every = graphs.recognised(model, [1, 8])
    feed = feed_for(every[1], {}, {}, seed=3)
    feed["position"] = np.zeros(1, np.int64)
    found = calibrate(every[1], [feed])
    plan = plan_pruning(found, ratio)
    assert len(plan.kept) == 2 and all(r.chosen == chosen for r in found.regions.values())
    for graph in every:
        apply_pruning(graph, plan)
        assert [v.experts for v in regions_of(graph)] == [len(k) for k in plan.kept.values()]
    session = graphs.compiled(
        model, tmp_path / "model.em", lambda graph: apply_pruning(graph, plan), [1, 8]
    )
    wanted = run_in_onnxruntime(every[1], feed, ["logits"])[0]
    states = {name: array for name, array in feed.items() if "cache" in name}
    got = session.run({**feed, **states})["logits"]
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)


def test_another_model(graphs: Any) -> None:
    graph = graphs.of(randomise(MoE(16, 6, 2, 5)), noise(4, 16))
    with pytest.raises(OptionError, match="no experts with the weights a, b"):
        apply_pruning(graph, Pruning({("a", "b"): (0,)}))


def region(name: str, contribution: list[float], **more: Any) -> RegionStatistics:
    found = RegionStatistics((name,), name, "indexed", len(contribution), 2, least=2)
    found.contribution[:] = contribution
    for key, value in more.items():
        setattr(found, key, value)
    return found


def test_a_ratio_for_each_layer() -> None:
    every = [region("a", [4, 1, 3, 2, 5]), region("b", [1, 1, 1, 9])]
    plan = plan_pruning(Calibration(regions={r.key: r for r in every}), 0.5)
    assert plan.kept == {("a",): (0, 2, 4), ("b",): (0, 3)}  # ties: the lower number stays
    assert plan.notes == ()


def test_global_budget_lets_layers_differ() -> None:
    every = [region("a", [10, 10, 10, 10]), region("b", [97, 1, 1, 1])]
    plan = plan_pruning(Calibration(regions={r.key: r for r in every}), 0.25, scope="global")
    assert plan.kept == {("b",): (0, 1)}  # shares .25 against .01: all from b, two must stay
    plan = plan_pruning(Calibration(regions={r.key: r for r in every}), 0.75, scope="global")
    assert plan.kept == {("a",): (0, 1), ("b",): (0, 1)}
    assert "2 experts more" in plan.notes[0]


def test_groups_keep_enough_experts() -> None:
    found = region("a", [9, 8, 7, 6, 1, 1, 1, 1], groups=2, least_per_group=2)
    plan = plan_pruning(Calibration(regions={found.key: found}), 0.5)
    assert plan.kept == {("a",): (0, 1, 4, 5)}


def test_declined_regions_are_named() -> None:
    found = region("a", [1, 2, 3], declined="every expert counts for every token")
    plan = plan_pruning(Calibration(regions={found.key: found}), 0.5)
    assert plan.kept == {} and plan.notes == ("a stays whole: every expert counts for every token",)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"ratio": 1.0}, "ratio of 1.0 is out of range"), ({"ratio": -0.1}, "out of range"),
        ({"method": "magic"}, "one of contribution, frequency"), ({"scope": "all"}, "layer or"),
    ],
)  # fmt: skip
def test_options(more: dict[str, Any], text: str) -> None:
    found = region("a", [1, 2, 3])
    with pytest.raises(OptionError, match=text):
        plan_pruning(Calibration(regions={found.key: found}), **{"ratio": 0.5, **more})
