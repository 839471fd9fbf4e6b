"""Skipped choices against torch, and that the compiled code does less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgemoe.compression.calibration import Calibration, calibrate
from edgemoe.compression.pruning import Pruning, apply_pruning
from edgemoe.compression.region_view import regions_of
from edgemoe.compression.skipping import Skipping, apply_skipping, plan_skipping
from edgemoe.errors import OptionError
from edgemoe.models.blockffn_lm import BlockFFN
from edgemoe.models.families import noise, randomise, routers


def skipped(weights: torch.Tensor, beta: float, keep_sum: bool) -> torch.Tensor:
    low = weights.abs() < beta * weights.abs().max(-1, keepdim=True).values
    left = weights.masked_fill(low, 0.0)
    return left * (weights.sum(-1, keepdim=True) / left.sum(-1, keepdim=True)) if keep_sum else left


@pytest.mark.parametrize(
    ("route", "keep_sum"),
    [(routers.softmax_first, False), (routers.softmax_after, True), (routers.sigmoid_bias, True)],
)
@pytest.mark.parametrize("beta", [0.0, 0.7, 1.0])
def test_weights_below_beta(graphs: Any, route: Any, keep_sum: bool, beta: float) -> None:
    layer = randomise(routers.Routed_(route))
    x = noise(routers.T, routers.H, seed=5)
    graph = graphs.of(layer, noise(routers.T, routers.H))
    (view,) = regions_of(graph)
    (note,) = apply_skipping(graph, Skipping({view.key: beta}))
    assert note.kind == "matched"
    assert apply_skipping(graph, Skipping({view.key: beta})) == []
    with pytest.raises(OptionError, match="skips experts already"):
        apply_skipping(graph, Skipping({view.key: 0.123}))
    with torch.no_grad():
        weights, ids = route(layer, x)
        few = skipped(weights, beta, keep_sum)
        wanted = layer.experts(x, few, ids).numpy()
    assert bool((few == 0).any()) == (beta > 0)  # the case tells
    np.testing.assert_allclose(graphs.run(graph, x.numpy()), wanted, rtol=1e-4, atol=1e-5)
    graphs.lowered(graph)


def test_beta_is_the_median_of_the_ratios(graphs: Any) -> None:
    layer = randomise(routers.Routed_(routers.softmax_after))
    graph = graphs.of(layer, noise(routers.T, routers.H))
    xs = [noise(routers.T, routers.H, seed=s) for s in range(20)]
    found = calibrate(graph, [graphs.feed(graph, x.numpy()) for x in xs])
    with torch.no_grad():
        ratios = torch.cat([w[:, 1] / w[:, 0] for w, _ in (routers.softmax_after(layer, x)
                                                           for x in xs)])  # fmt: skip
    (beta,) = plan_skipping(found).beta.values()
    assert beta == pytest.approx(float(ratios.quantile(0.5)), abs=0.01)
    (few,) = plan_skipping(found, share=0.1).beta.values()
    assert few == pytest.approx(float(ratios.quantile(0.1)), abs=0.01)


def test_after_pruning(graphs: Any) -> None:
    """A masked router's ids are renumbered; whether it renormalises is still known."""
    layer = randomise(routers.Routed_(routers.groups))
    x = noise(routers.T, routers.H, seed=5)
    graph = graphs.of(layer, x)
    (view,) = regions_of(graph)
    apply_pruning(graph, Pruning({view.key: tuple(range(6))}))
    pruned = graphs.run(graph, x.numpy())
    apply_skipping(graph, Skipping({view.key: 0.95}))
    mask = torch.tensor([0.0] * 6 + [float("-inf")] * 2)
    gate = torch.nn.Linear(routers.H, routers.E)
    gate.weight, gate.bias.data = layer.gate.weight, mask
    layer.gate, layer.bias.data = gate, layer.bias.data + mask
    with torch.no_grad():
        weights, ids = routers.groups(layer, x)
        wanted = layer.experts(x, skipped(weights, 0.95, True), ids).numpy()
    assert np.abs(pruned - wanted).max() > 1e-3
    np.testing.assert_allclose(graphs.run(graph, x.numpy()), wanted, rtol=1e-4, atol=1e-5)


def test_what_cannot_skip(graphs: Any) -> None:
    scored = graphs.of(randomise(BlockFFN(12, 5, 4)), noise(7, 12))
    found = calibrate(scored, [graphs.feed(scored, noise(7, 12).numpy())])
    plan = plan_skipping(found)
    assert not plan.beta and "skips nothing" in plan.notes[0]
    with pytest.raises(OptionError, match="an indexed region"):
        apply_skipping(scored, Skipping({regions_of(scored)[0].key: 0.5}))
    with pytest.raises(OptionError, match="no experts with the weights a"):
        apply_skipping(scored, Skipping({("a",): 0.5}))
    with pytest.raises(OptionError, match=r"share of 0\.0 skipped tokens"):
        plan_skipping(Calibration(), 0.0)


def test_compiled_code_skips(graphs: Any, tmp_path: Path) -> None:
    from edgemoe.runtime.profile import profile

    layer = randomise(routers.Routed_(routers.softmax_first))
    x = noise(routers.T, routers.H, seed=5)
    graph = graphs.of(layer, x)
    (view,) = regions_of(graph)
    apply_skipping(graph, Skipping({view.key: 0.7}))
    wanted = graphs.run(graph, x.numpy())
    with torch.no_grad():
        weights, _ = routers.softmax_first(layer, x)
    chosen = int((skipped(weights, 0.7, False) != 0).sum())
    session = graphs.compiled(
        (layer, (x,)), tmp_path / "model.em",
        lambda graph: apply_skipping(graph, Skipping({view.key: 0.7})),
    )  # fmt: skip
    name = str(graph.graph.inputs[0].name)
    (got,) = session.run({name: x.numpy()}).values()
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    macs = sum(use.macs for use in profile(session, {name: x.numpy()}, runs=1).regions)
    assert macs == chosen * 3 * routers.H * routers.I < len(x) * 2 * 3 * routers.H * routers.I
