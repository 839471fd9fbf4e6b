"""Statistics against sums that are written out, on graphs whose routing is known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgemoe.compression.calibration import calibrate
from edgemoe.compression.pruning import apply_pruning, plan_pruning
from edgemoe.compression.region_statistics import RegionStatistics
from edgemoe.compression.scores import METHODS, scores
from edgemoe.compression.statistics import BINS, Histogram, ProductStatistics, TensorStatistics
from edgemoe.errors import InputError, OptionError
from edgemoe.models.blockffn_lm import BlockFFN
from edgemoe.models.blockffn_lm import scores as block_scores
from edgemoe.models.families import noise, randomise, soft, unequal
from edgemoe.models.moe_lm import MoE, route

H, I = 12, 5  # noqa: E741


def feeds(count: int, tokens: int) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    return [{"x": random.standard_normal((tokens, H)).astype(np.float32)} for _ in range(count)]


def moe(experts: int, chosen: int) -> MoE:
    layer = randomise(MoE(H, experts, chosen, I))
    layer.export_options = {"input_names": ["x"]}
    return layer


def outputs(layer: MoE, x: np.ndarray) -> np.ndarray:
    """f [T, E, H]: what every expert gives for every token."""
    rows = torch.from_numpy(x)
    each = [
        torch.einsum("oi,ti->to", layer.down[e], _swiglu(rows @ layer.gate_up[e].T))
        for e in range(layer.experts)
    ]
    return torch.stack(each, 1).detach().numpy().astype(np.float64)


def _swiglu(x: torch.Tensor) -> torch.Tensor:
    gate, up = x.chunk(2, dim=-1)
    return nn.functional.silu(gate) * up


@pytest.mark.parametrize(("experts", "chosen", "tokens"), [(7, 2, 33), (3, 3, 8), (5, 1, 1)])
def test_indexed_region(graphs: Any, experts: int, chosen: int, tokens: int) -> None:
    layer = moe(experts, chosen)
    graph = graphs.of(layer, noise(tokens, H))
    data = feeds(3, tokens)
    found = calibrate(graph, iter(data))
    assert found.samples == 3
    (region,) = found.regions.values()
    assert (region.experts, region.chosen, region.least) == (experts, chosen, chosen)
    gate, use = np.zeros(experts), np.zeros(experts, int)
    contribution, norm = np.zeros(experts), np.zeros(experts)
    together = np.zeros((experts, experts), int)
    ratios = []
    for feed in data:
        with torch.no_grad():
            weights, ids = route(layer.router(torch.from_numpy(feed["x"])), chosen)
        f = np.linalg.norm(outputs(layer, feed["x"]), axis=-1)
        for t in range(tokens):
            row = ids[t].tolist()
            together[np.ix_(row, row)] += 1
            ratios.append(float(weights[t, -1] / weights[t, 0]))
            for e, w in zip(row, weights[t].tolist(), strict=True):
                use[e] += 1
                gate[e] += w
                norm[e] += f[t, e]
                contribution[e] += w * f[t, e]
    assert region.tokens == 3 * tokens
    np.testing.assert_array_equal(region.uses, use)
    np.testing.assert_array_equal(region.together, together)
    for got, wanted in ((region.gate, gate), (region.norm, norm),
                        (region.contribution, contribution)):  # fmt: skip
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
    assert region.unseen == np.flatnonzero(use == 0).tolist()
    if chosen > 1:
        below = np.sort(ratios)
        assert region.gap() == pytest.approx(below[(len(below) - 1) // 2], abs=0.05)
    else:
        assert region.gap() is None
    json.dumps(found.summary())


def test_scored_region(graphs: Any) -> None:
    layer = randomise(BlockFFN(H, 7, I))
    layer.export_options = {"input_names": ["x"]}
    graph = graphs.of(layer, noise(17, H))
    data = feeds(2, 17)
    found = calibrate(graph, iter(data), grams=list(calibrate(graph, data[:1]).products))
    (region,) = found.regions.values()
    up = layer.up.weight.view(7, I, H)
    down = layer.down.weight.view(H, 7, I)
    wanted = np.zeros(7)
    active = []
    gram = np.zeros((7, I, I))
    with torch.no_grad():
        for feed in data:
            x = torch.from_numpy(feed["x"])
            s = block_scores(layer.router(x), layer.scale)
            h = nn.functional.silu(torch.einsum("th,edh->ted", x, up))
            f = torch.einsum("ted,hed->teh", h, down)
            wanted += (s.abs() * f.norm(dim=-1)).sum(0).numpy()
            active.append((s != 0).numpy())
            scaled = (h * s[..., None]).numpy().astype(np.float64)
            gram += np.einsum("tei,tej->eij", scaled, scaled)
    np.testing.assert_allclose(region.contribution, wanted, rtol=1e-4)
    every = np.concatenate(active)
    assert region.sparsity(1) == pytest.approx(1 - every.mean())
    chunks = np.stack([a[:16].reshape(2, 8, 7).any(1) for a in active])
    assert region.sparsity(8) == pytest.approx(1 - chunks.mean())
    assert region.sparsity(32) is None  # no sample has 32 tokens
    name = region.key[1]
    np.testing.assert_allclose(found.grams[name].matrix, gram, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.grams[name].rows, every.sum(0))


def test_grams_of_experts_and_of_token_mixing(graphs: Any) -> None:
    class Mix(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = nn.Parameter(torch.empty(4, 9))
            self.right = nn.Linear(H, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.right(torch.matmul(self.left, x))
            return y

    layer = randomise(Mix())
    layer.export_options = {"input_names": ["x"]}
    x = noise(2, 9, H)
    graph = graphs.of(layer, x)
    found = calibrate(graph, [{"x": x.numpy()}], grams=["left"])
    columns = x.numpy().transpose(0, 2, 1).reshape(-1, 9).astype(np.float64)
    np.testing.assert_allclose(found.grams["left"].of(), columns.T @ columns, rtol=1e-5)
    assert found.products["left"].layout == "columns" and found.products["left"].rows == 2 * H
    np.testing.assert_allclose(
        found.products["left"].channel_absmax, np.abs(columns).max(0), rtol=1e-6
    )
    with pytest.raises(OptionError, match="no product has a weight named 'lefd'"):
        calibrate(graph, [], grams=["lefd"])


def test_experts_share_a_gram_that_is_too_large(graphs: Any) -> None:
    layer = moe(4, 2)
    graph = graphs.of(layer, noise(6, H))
    data = feeds(2, 6)
    name = next(n for n, p in calibrate(graph, data).products.items() if p.experts)
    apart = calibrate(graph, data, grams=[name])
    shared = calibrate(graph, data, grams=[name], gram_bytes=100)
    assert shared.grams[name].shared and "share one Gram matrix" in shared.notes[0]
    np.testing.assert_allclose(shared.grams[name].of(3), apart.grams[name].matrix.sum(0), rtol=1e-6)
    assert apart.grams[name].rows.sum() == shared.grams[name].rows[0] == 2 * 6 * 2


def test_all_tokens_to_one_expert_and_others_are_named(graphs: Any) -> None:
    layer = moe(4, 1)
    layer.router = nn.Linear(H, 4)
    layer.router.weight.data[:] = 0.0
    layer.router.bias.data = torch.tensor([3.0, 0.0, 0.0, 0.0])
    graph = graphs.of(layer, noise(8, H))
    found = calibrate(graph, feeds(2, 8))
    (region,) = found.regions.values()
    assert region.uses.tolist() == [16, 0, 0, 0] and region.unseen == [1, 2, 3]
    assert region.sparsity(1) == region.sparsity(8) == 0.75
    assert region.unions[8].tolist() == [0, 2, 0, 0, 0]
    unseen = found.unseen()
    assert [f"expert {e} of {region.label}" for e in (1, 2, 3)] == unseen
    assert found.notes == [f"never seen in calibration: {name}" for name in unseen]
    for method in METHODS[:-1]:
        assert scores(region, method).argmax() == 0
        assert scores(region, method)[1:].tolist() == [0.0, 0.0, 0.0]


def test_one_expert(graphs: Any) -> None:
    layer = moe(1, 1)
    graph = graphs.of(layer, noise(5, H))
    found = calibrate(graph, feeds(1, 5))
    for region in found.regions.values():  # a layer of one expert may be left dense
        assert region.uses.tolist() == [5]
    assert all(p.rows == 5 for p in found.products.values())


def test_regions_that_differ(graphs: Any) -> None:
    """Experts of three widths are three regions; tokens of the others are nobody in each."""
    case = next(c for c in unequal.CASES if c.name == "widths_loop")
    module, inputs = case.make()
    graph = graphs.of(module, *inputs)
    name = str(graph.graph.inputs[0].name)
    found = calibrate(graph, [{name: inputs[0].numpy()}])
    assert sorted(r.experts for r in found.regions.values()) == [1, 1, 2]
    use = (module.full(inputs[0]) != 0).sum(0)
    assert sum(int(r.uses.sum()) for r in found.regions.values()) == int(use.sum())
    assert all(r.declined for r in found.regions.values())


def test_soft_mixtures_are_declined(graphs: Any) -> None:
    declined = set()
    for case in soft.CASES[1:]:
        module, inputs = case.make()
        graph = graphs.of(module, *inputs)
        feed = {str(v.name): x.numpy() for v, x in zip(graph.graph.inputs, inputs, strict=True)}
        found = calibrate(graph, [feed])
        declined |= {region.declined for region in found.regions.values()}
        apart = [text for text in found.notes if "belong to no region" in text]
        assert len(apart) == (2 if case.name == "mmoe" else 0), case.name
    assert declined == {
        "every expert counts for every token", "experts work on slots, which would stay empty"
    }  # fmt: skip


def test_no_samples_and_samples_that_do_not_fit(graphs: Any) -> None:
    graph = graphs.of(moe(3, 2), noise(4, H))
    with pytest.raises(InputError, match="calibration saw no sample"):
        calibrate(graph, [])
    with pytest.raises(InputError, match="give one array for each of x"):
        calibrate(graph, [{"x": np.zeros((4, H + 1), np.float32)}])


def test_progress_and_the_graph_is_left_as_it_is(graphs: Any) -> None:
    graph = graphs.of(moe(3, 2), noise(4, H))
    data = feeds(3, 4)
    before = graphs.run(graph, data[0]["x"])
    seen: list[int] = []
    calibrate(graph, data, progress=seen.append)
    assert seen == [1, 2, 3]
    np.testing.assert_array_equal(graphs.run(graph, data[0]["x"]), before)


def test_histogram_doubles_its_range() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.standard_normal(999) * s for s in (0.01, 1.0, 40.0)])
    streamed, whole = Histogram(), Histogram()
    streamed.add(np.zeros(3))
    for part in np.split(values, 9):
        streamed.add(part)
    whole.add(np.concatenate([values, np.zeros(3)]))
    assert streamed.limit == whole.limit == 128.0
    np.testing.assert_array_equal(streamed.counts, whole.counts)
    assert streamed.counts.sum() == values.size + 3
    exact = np.quantile(np.abs(values), 0.99)
    assert abs(streamed.magnitude(0.99) - exact) <= 3 * 2 * 128.0 / BINS
    assert streamed.magnitude(1.0) >= np.abs(values).max()


def test_what_is_not_finite_is_counted_apart() -> None:
    found = TensorStatistics("x")
    found.add(np.array([1.0, -np.inf, np.nan, -3.0], np.float32))
    assert (found.count, found.not_finite, found.minimum, found.maximum) == (2, 2, -3.0, 1.0)
    assert found.absmax == 3.0 and found.rms == pytest.approx(5**0.5)
    assert TensorStatistics("y").summary()["min"] is None


def test_outlier_channels() -> None:
    found = ProductStatistics("w", "Gemm", "x", "y", "rows", 0, np.zeros(50), np.zeros(50))
    rows = np.ones((100, 50))
    rows[3, 7] = -40.0
    found.add(rows)
    assert found.outliers() == [7] and found.outliers(factor=50.0) == []


def test_duplicate_ids_of_a_token_add_up() -> None:
    region = RegionStatistics(("w",), "moe", "indexed", 3, 2)
    ids, weights = np.array([[1, 1], [2, -1]]), np.array([[0.25, 0.75], [1.0, 0.0]])
    region.add_indexed(ids, weights, weights, np.ones((2, 2, 4)))
    assert region.uses.tolist() == [0, 1, 1]  # tokens, not choices
    assert region.gate.tolist() == [0.0, 1.0, 1.0]
    assert region.contribution.tolist() == [0.0, 2.0, 2.0]


def test_random_is_a_control_that_differs_between_regions() -> None:
    one, other = (RegionStatistics((name,), name, "indexed", 9, 2) for name in "ab")
    np.testing.assert_array_equal(scores(one, "random", 3), scores(one, "random", 3))
    assert not np.array_equal(scores(one, "random", 3), scores(other, "random", 3))
    assert not np.array_equal(scores(one, "random", 3), scores(one, "random", 4))
    with pytest.raises(OptionError, match="'magic' is unknown"):
        scores(one, "magic")


class TaskGates(nn.Module):
    """Edge-MoE (arXiv 2305.18691): a gate for each task, softmax over all, not renormalised."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.Parameter(torch.empty(2, 4, H))
        self.up, self.down = nn.Parameter(torch.empty(4, I, H)), nn.Parameter(torch.empty(4, H, I))
        self.export_options = {"input_names": ["x", "task"]}

    def forward(self, x: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
        return self.experts(x, x @ self.gates[task][0].t())

    def experts(self, x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        weights, ids = torch.softmax(logits, -1).topk(2, -1)
        h = nn.functional.gelu(torch.einsum("th,tkih->tki", x, self.up[ids]))
        return (torch.einsum("tki,tkhi->tkh", h, self.down[ids]) * weights[..., None]).sum(1)


def test_experts_of_one_task(graphs: Any) -> None:
    """Calibrated on the samples of a task, the plan keeps the experts that this task uses."""
    layer = randomise(TaskGates())
    layer.gates.data *= 0.3
    layer.gates.data[0, :2, 0], layer.gates.data[1, 2:, 0] = 9.0, 9.0
    graph = graphs.of(layer, noise(8, H), torch.tensor([0]))
    for task, wanted in ((0, (0, 1)), (1, (2, 3))):
        data = [
            {"x": np.abs(feed["x"]), "task": np.array([task], np.int64)} for feed in feeds(3, 8)
        ]
        found = calibrate(graph, data)
        plan = plan_pruning(found, 0.5)
        assert list(plan.kept.values()) == [wanted]
        pruned = graphs.of(layer, noise(8, H), torch.tensor([0]))
        before = graphs.run(pruned, data[0]["x"], data[0]["task"])
        (note,) = apply_pruning(pruned, plan)
        assert note.kind == "matched"
        x, kept = torch.from_numpy(data[0]["x"]), list(wanted)
        with torch.no_grad():
            mask = torch.full((4,), float("-inf"))
            mask[kept] = 0.0
            exact = layer.experts(x, x @ layer.gates[task].t() + mask).numpy()
        got = graphs.run(pruned, data[0]["x"], data[0]["task"])
        np.testing.assert_allclose(got, exact, rtol=1e-4, atol=1e-5)
        assert np.linalg.norm(got - before) < 0.2 * np.linalg.norm(before)  # others count little
