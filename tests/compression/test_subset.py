"""The subset search against all subsets in torch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgemoe.compression.region_view import regions_of
from edgemoe.compression.subset import best_subset
from edgemoe.errors import InputError, OptionError
from edgemoe.models.blockffn_lm import BlockFFN
from edgemoe.models.families import noise, randomise, routers


def errors_of(module: nn.Module, gate: str, xs: list[torch.Tensor], experts: int, count: int,
              bias: torch.Tensor | None = None) -> dict[tuple[int, ...], float]:  # fmt: skip
    """|F(x) - F_{-D}(x)| / |F(x)| for every subset that stays."""
    own = getattr(module, gate)
    found = {}
    with torch.no_grad():
        whole = [module(x) for x in xs]
        start = None if bias is None else bias.clone()
        for kept in itertools.combinations(range(experts), count):
            mask = torch.full((experts,), float("-inf"))
            mask[list(kept)] = 0.0
            setattr(module, gate, nn.Sequential(own, _Add(mask)))
            if bias is not None and start is not None:
                bias.data[:] = start + mask
            gap = sum(float((module(x) - y).square().sum()) for x, y in zip(xs, whole, strict=True))
            found[kept] = (gap / sum(float(y.square().sum()) for y in whole)) ** 0.5
        setattr(module, gate, own)
        if bias is not None and start is not None:
            bias.data[:] = start
    return found


class _Add(nn.Module):
    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.mask = mask

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.mask


@pytest.mark.parametrize("route", [routers.softmax_first, routers.sigmoid_bias])
def test_top_k(graphs: Any, route: Any) -> None:
    layer = randomise(routers.Routed_(route))
    graph = graphs.of(layer, noise(routers.T, routers.H))
    (view,) = regions_of(graph)
    xs = [noise(routers.T, routers.H, seed=s) for s in range(4)]
    feeds = [graphs.feed(graph, x.numpy()) for x in xs]
    kept, error = best_subset(graph, view.key, 5, feeds)
    bias = layer.bias.data if route is routers.sigmoid_bias else None
    wanted = errors_of(layer, "gate", xs, routers.E, 5, bias)
    assert kept == min(wanted, key=lambda k: wanted[k])
    assert error == pytest.approx(wanted[kept], rel=1e-3)
    assert max(wanted.values()) > 1.5 * error  # the choice matters


def test_scored_blocks(graphs: Any) -> None:
    layer = randomise(BlockFFN(12, 5, 4))
    graph = graphs.of(layer, noise(7, 12))
    (view,) = regions_of(graph)
    xs = [noise(7, 12, seed=s) for s in range(3)]
    kept, error = best_subset(graph, view.key, 3, [graphs.feed(graph, x.numpy()) for x in xs])
    wanted = errors_of(layer, "router", xs, 5, 3)
    assert kept == min(wanted, key=lambda k: wanted[k])
    assert error == pytest.approx(wanted[kept], rel=1e-3)


def test_all_experts_and_the_reservoir(graphs: Any) -> None:
    layer = randomise(routers.Routed_(routers.softmax_first))
    graph = graphs.of(layer, noise(routers.T, routers.H))
    (view,) = regions_of(graph)
    stream = (graphs.feed(graph, noise(routers.T, routers.H, seed=s).numpy()) for s in range(30))
    kept, error = best_subset(graph, view.key, routers.E, stream, tokens=2 * routers.T)
    assert kept == tuple(range(routers.E)) and error == 0.0
    assert next(stream, None) is None  # the whole stream was read


def test_errors(graphs: Any) -> None:
    graph = graphs.of(
        randomise(routers.Routed_(routers.softmax_first)), noise(routers.T, routers.H)
    )
    (view,) = regions_of(graph)
    with pytest.raises(OptionError, match="70 subsets of 4 of 8 experts, the limit is 69"):
        best_subset(graph, view.key, 4, [], most=69)
    with pytest.raises(OptionError, match="its router needs 2"):
        best_subset(graph, view.key, 1, [])
    with pytest.raises(InputError, match="saw no sample"):
        best_subset(graph, view.key, 4, [])
    with pytest.raises(OptionError, match="no experts with the weights a"):
        best_subset(graph, ("a",), 4, [])
    layer = randomise(routers.Hash(scored=True))
    hashed = graphs.of(layer, torch.tensor([3, 1, 19, 7, 3, 0]))
    with pytest.raises(OptionError, match="cannot be tried out: a table of token ids"):
        best_subset(hashed, regions_of(hashed)[0].key, 4, [])


def test_the_graph_is_left_as_it_is(graphs: Any) -> None:
    layer = randomise(routers.Routed_(routers.softmax_first))
    x = noise(routers.T, routers.H)
    graph = graphs.of(layer, x)
    before = graphs.run(graph, x.numpy())
    best_subset(graph, regions_of(graph)[0].key, 6, [graphs.feed(graph, x.numpy())])
    np.testing.assert_array_equal(graphs.run(graph, x.numpy()), before)
