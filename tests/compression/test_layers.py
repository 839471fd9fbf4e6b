"""Residual branches: which are found, what removing them computes, which matter least."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgemoe.compression.layers import (
    branch_costs,
    choose_branches,
    remove_branches,
    residual_branches,
)
from edgemoe.errors import InputError, OptionError
from edgemoe.models.families import noise, randomise
from edgemoe.models.moe_lm import MoE

H = 12


class Block(nn.Module):
    """x + MLP(norm(x)), then x + MoE(norm(x)); GELU by tanh has a sum with its own argument."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.norm, self.norm2 = nn.LayerNorm(H), nn.LayerNorm(H)
        self.up, self.down = nn.Linear(H, 7), nn.Linear(7, H)
        self.moe = MoE(H, 4, 2, 5)
        self.scale = scale

    def forward(self, x: Tensor, keep: tuple[bool, bool] = (True, True)) -> Tensor:
        h = nn.functional.gelu(self.up(self.norm(x)), approximate="tanh")
        x = x + self.scale * self.down(h) if keep[0] else x
        return x + self.moe(self.norm2(x)) if keep[1] else x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(1.0), Block(0.01)])
        self.head = nn.Linear(H, 3)
        self.export_options = {"input_names": ["x"], "output_names": ["y"]}

    def forward(self, x: Tensor, keep: Any = ((True, True), (True, True))) -> Tensor:
        for block, each in zip(self.blocks, keep, strict=True):
            x = block(x, each)
        y: Tensor = self.head(x)
        return y


@pytest.fixture(scope="module")
def net() -> Net:
    return randomise(Net())


NAMES = ["blocks.0", "blocks.0.moe", "blocks.1", "blocks.1.moe"]


def test_branches_have_the_names_of_their_modules(graphs: Any, net: Net) -> None:
    found = residual_branches(graphs.of(net, noise(5, H)))
    assert [branch.name for branch in found] == NAMES
    assert any("moe" in name or name.startswith("val") for name in found[1].weights)
    assert all(len(branch.weights) >= 2 for branch in found)


@pytest.mark.parametrize(
    ("names", "keep"),
    [
        (["blocks.0"], ((False, True), (True, True))),
        (["blocks.1.moe"], ((True, True), (True, False))),
        (["blocks.0.moe", "blocks.1"], ((True, False), (False, True))),
        (NAMES[:3], ((False, False), (False, True))),
    ],
)
def test_removed_branches(graphs: Any, net: Net, names: list[str], keep: Any) -> None:
    graph = graphs.of(net, noise(5, H))
    x = noise(5, H, seed=9)
    notes = remove_branches(graph, names)
    assert [note.origin for note in notes] == sorted(names, key=NAMES.index)
    with torch.no_grad():
        wanted = net(x, keep).numpy()
    np.testing.assert_allclose(graphs.run(graph, x.numpy()), wanted, rtol=1e-4, atol=1e-5)
    left = {str(v.name) for node in graph.graph for v in node.inputs if v is not None}
    assert not left.intersection(notes[0].facts["weights"])  # nothing is computed in vain
    graphs.lowered(graph)


def test_costs_are_errors_of_the_outputs(graphs: Any, net: Net) -> None:
    graph = graphs.of(net, noise(5, H))
    xs = [noise(5, H, seed=s) for s in range(3)]
    feeds = [graphs.feed(graph, x.numpy()) for x in xs]
    before = graphs.run(graph, xs[0].numpy())
    costs = branch_costs(graph, feeds)
    with torch.no_grad():
        whole = torch.cat([net(x) for x in xs])
        few = torch.cat([net(x, ((True, True), (False, True))) for x in xs])
    assert costs["blocks.1"] == pytest.approx(float((whole - few).norm() / whole.norm()), rel=1e-3)
    assert min(costs, key=lambda name: costs[name]) == "blocks.1"
    np.testing.assert_array_equal(graphs.run(graph, xs[0].numpy()), before)


def test_greedy_choice(graphs: Any, net: Net) -> None:
    graph = graphs.of(net, noise(5, H))
    feeds = [graphs.feed(graph, noise(5, H, seed=s).numpy()) for s in range(2)]
    (first, one), (second, both) = choose_branches(graph, feeds, 2)
    assert first == "blocks.1" and one < both
    assert branch_costs(graph, feeds, without=[first])[second] == pytest.approx(both)
    assert choose_branches(graph, feeds, 0) == []


def test_errors(graphs: Any, net: Net) -> None:
    graph = graphs.of(net, noise(5, H))
    feed = graphs.feed(graph, noise(5, H).numpy())
    with pytest.raises(OptionError, match=r"no residual branch 'blocks'\n  next: one of"):
        remove_branches(graph, ["blocks"])
    with pytest.raises(OptionError, match="5 residual branches cannot go, there are 4"):
        choose_branches(graph, [feed], 5)
    with pytest.raises(OptionError, match="'z' is no output of floats\n  next: one of y"):
        branch_costs(graph, [feed], outputs=["z"])
    with pytest.raises(InputError, match="no sample to measure layers on"):
        branch_costs(graph, [])


def test_a_branch_that_is_the_whole_model(graphs: Any) -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(H, H)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.linear(x)

    graph = graphs.of(randomise(Whole()), noise(5, H))
    (branch,) = residual_branches(graph)
    with pytest.raises(OptionError, match="would be an input or another output"):
        remove_branches(graph, [branch.name])


def test_broadcast_sums_are_no_branches(graphs: Any) -> None:
    class Broadcast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(H, H)

        def forward(self, x: Tensor) -> Tensor:
            last = x[-1:]
            return self.linear(x * last) + last

    assert residual_branches(graphs.of(randomise(Broadcast()), noise(5, H))) == []
