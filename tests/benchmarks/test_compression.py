"""What the compression benchmarks compute, on made-up verdicts and small matrices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.compression.__main__ import PARTS, with_earlier
from benchmarks.compression.matrices import Matrix, put_back
from benchmarks.compression.row import difference, row, tells
from benchmarks.compression.summary import comparisons, pruned
from benchmarks.compression.summary import summary as table_of_models
from benchmarks.compression.tables import equal_bytes_table, promised_table, table, within
from benchmarks.compression.uniform import uniform
from benchmarks.compression_outputs import HEAD as OUTPUTS_HEAD
from benchmarks.compression_outputs import rows as outputs_rows
from benchmarks.compression_promise import HEAD, summary
from benchmarks.compression_time import text as time_text
from benchmarks.quantiser import Stored
from edgemoe.compression.judge import Verdict
from edgemoe.compression.metrics import METRICS
from edgemoe.precision import Unit
from edgemoe.weight_format import F32, I4, parse


def verdict(squares: list[float], baseline: float) -> Verdict:
    """Of one output whose metric is the mean of `squares`."""
    sums = np.stack([np.array(squares), np.ones(len(squares))], -1)[None]
    value = float(np.mean(squares))
    loss = (value - baseline) / baseline
    return Verdict(
        loss, (loss, loss), "y", "mse", value, baseline, 0.0, len(squares), sums, {"y": 0}
    )


class FakeSearch:
    """Units, weights and bytes of a search: one transposed linear, two experts, one router."""

    units = (
        Unit(("a",), "linear", 3, 2, (True,)),
        Unit(("e",), "expert", 3, 2, (False,), 2),
        Unit(("r",), "router", 3, 2, (True,)),
    )
    best = None

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        arrays = {"a": (3, 2), "e": (2, 2, 3), "r": (3, 2)}
        self.originals = {n: rng.standard_normal(s).astype(np.float32) for n, s in arrays.items()}
        self.weights = self

    def bytes_of(self, candidate: Any) -> int:
        return 1000

    def matrices(self) -> list[Matrix]:
        linear, experts = self.units[:2]
        own = [Matrix(experts, "e", e, self.originals["e"][e], None) for e in range(2)]
        return [Matrix(linear, "a", None, self.originals["a"].T, None), *own]


def test_a_difference_of_losses_is_paired() -> None:
    """Samples differ much, the two ways by 1% in each: the interval is as narrow as that."""
    squares = list(np.random.default_rng(1).uniform(0.1, 10.0, 64))
    one, other = verdict([1.01 * s for s in squares], 5.0), verdict(squares, 5.0)
    middle, low, high = difference(METRICS["mse"], one, other)
    assert middle == pytest.approx(0.01 * float(np.mean(squares)) / 5.0)
    assert 0.005 < low < middle < high < 0.015
    assert tells((middle, low, high)) == "more"
    assert tells(difference(METRICS["mse"], other, one)) == "less"
    assert tells(difference(METRICS["mse"], one, one)) == "same"


def test_a_difference_that_half_of_the_samples_deny_is_none() -> None:
    squares = np.ones(64)
    squares[::2] += 0.2
    noisy = verdict(list(squares), 1.0)
    gap = difference(METRICS["mse"], noisy, verdict([1.1] * 64, 1.0))
    assert gap[0] == pytest.approx(0.0, abs=1e-12)
    assert tells(gap) == "same"


def test_uniform_leaves_routers_and_if_asked_experts() -> None:
    search: Any = FakeSearch()
    formats = uniform(search, parse("i4.g128")).formats
    assert formats == (parse("i4"), parse("i4"), F32)  # a depth of 3 needs no larger group
    assert uniform(search, I4, experts=False).formats == (I4, F32, F32)


def test_matrices_come_back_where_they_were() -> None:
    search: Any = FakeSearch()
    matrices = search.matrices()
    halves = {n: Stored(m.rows / 2, 5) for n, m in enumerate(matrices)}
    arrays, nbytes, left = put_back(search, matrices, halves, experts=True)
    assert left == 0
    assert nbytes == 1000 + 3 * (5 - 4 * 6)
    for name in ("a", "e"):
        assert np.array_equal(arrays[name], search.originals[name] / 2)


def test_what_a_quantiser_leaves_out_stays_float() -> None:
    search: Any = FakeSearch()
    matrices = search.matrices()
    arrays, nbytes, left = put_back(search, matrices, {2: Stored(0 * matrices[2].rows, 5)},
                                    experts=True)  # fmt: skip
    assert (nbytes, left) == (1000 + 5 - 24, 12)
    assert set(arrays) == {"e"}
    assert np.array_equal(arrays["e"][0], search.originals["e"][0])
    assert not arrays["e"][1].any()
    assert search.originals["e"][1].any()  # the original was not written to
    halves = {n: Stored(m.rows / 2, 5) for n, m in enumerate(matrices)}
    arrays, nbytes, left = put_back(search, matrices, halves, experts=False)
    assert (set(arrays), nbytes, left) == ({"a"}, 1000 - 19, 12)


def test_tables_show_both_splits_and_what_failed() -> None:
    one = row("chosen", 250, 1000, verdict([1.2], 1.0), verdict([1.1], 1.0))
    text = promised_table({"failed": None, "rows": [one]})
    assert "| chosen | 250 | 4.00 | +10.000 % (+10.00 to +10.00) | +20.000 %" in text
    assert promised_table({"failed": "too small\n  try"}) == "no candidate: too small"
    assert within(None) == ""
    uniform_row = row("i8", 250, 1000, verdict([1.2], 1.0))
    shown = equal_bytes_table([{"uniform": uniform_row, "mixture": None}], ["i8"])
    assert "none as small" in shown


def test_the_summary_of_promises_counts_each_split_by_itself() -> None:
    def record(seed: int, test: float, *, proof: bool = True) -> dict[str, Any]:
        return {"model": "m", "confident": False, "seed": seed, "failed": None, "ratio": 4.0 + seed,
                "holds_on_proof": proof, "holds_on_test": test <= 0.005,
                "test": {"loss": test}}  # fmt: skip

    failed = {"model": "m", "confident": True, "seed": 0, "failed": "cannot be kept"}
    records = [record(0, 0.001), record(1, 0.02, proof=False), record(2, 0.003), failed]
    one, other = summary(records)
    assert one[:5] == ["m", "no", "3 of 3", "2 of 3", "2 of 3"]
    assert one[5:] == ["4.00, 5.00", "+0.300 %", "+2.000 %"]
    assert other[:3] == ["m", "yes", "none of 1"]


@pytest.mark.slow
@pytest.mark.needs("cc", "python:torch")
@pytest.mark.filterwarnings("ignore")
def test_a_model_from_its_search_to_the_table() -> None:
    from benchmarks.compression.budgets import original_bytes, promised
    from benchmarks.compression.equal_bits import OURS, compare
    from benchmarks.compression.equal_bytes import against_uniform
    from benchmarks.compression.shipped import shipped
    from edgemoe.compression.settings import Settings

    model = shipped("co2", {}, samples=48, test_samples=16)
    budget, found = promised(model, 0.05, Settings(seconds=2.0), "none")
    assert found is not None
    names = [r["name"] for r in budget["rows"]]
    assert names[:4] == ["chosen", "fp32", "uniform int8", "uniform int4"]
    whole = original_bytes(found)
    assert budget["rows"][1]["bytes"] == whole
    assert budget["rows"][0]["ratio"] == whole / found.chosen.nbytes > 1
    assert budget["rows"][1]["test"]["loss"] == 0.0
    for record in against_uniform(model, found, 0.5, ["i8", "i4"]):
        assert record["mixture"]["bytes"] <= record["uniform"]["bytes"]
        assert record["mixture"]["test"]["error"] < record["uniform"]["test"]["error"]
    compared = compare(model, found, peers=())
    assert len(compared["ours"]) == len(OURS)  # no experts: once
    errors = {(r["method"], r["bits"], r["block"]): r["test"]["error"] for r in compared["ours"]}
    assert errors["gptq", 4, 32] < errors["nearest", 4, 32]
    assert errors["gptq", 8, 32] < errors["gptq", 4, 32]


@pytest.mark.slow
@pytest.mark.needs("cc", "python:torch")
@pytest.mark.filterwarnings("ignore")
def test_a_second_search_goes_on_from_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import argparse

    from benchmarks import compression_time
    from benchmarks.cases import Moe

    monkeypatch.setattr(compression_time, "SHAPE", Moe(32, 64, 4, 2))
    given = argparse.Namespace(
        samples=16, tokens=8, seconds=5.0, threads=1, max_loss=0.05,
        search=tmp_path / "journal.jsonl",
    )  # fmt: skip
    first, second = compression_time.search(given), compression_time.search(given)
    assert first["reused"] == 0
    assert second["reused"] >= first["candidates"] - 1
    assert second["runs"] < first["runs"]


def test_the_summary_has_a_cell_for_every_control() -> None:
    def way(name: str, nbytes: int | None, squares: float) -> dict[str, Any]:
        return row(name, nbytes, 1000, verdict([squares], 1.0), verdict([squares], 1.0))

    kept = [{"weights": ["a"], "experts": [0, 1, 2]}]
    budget = {
        "failed": None, "prune": "auto", "decision": {"pruning": {"kept": kept}},
        "rows": [way("chosen", 250, 1.001), way("uniform int8", 300, 1.0),
                 way("uniform int4", 200, 1.1), way("mixed, by weight error alone", 250, 1.02),
                 way("pruned, fp32 weights", None, 1.002),
                 way("random pruning of as many, fp32 weights (median of 3)", None, 1.3)],
    }  # fmt: skip
    failed = {"failed": "too small", "prune": "none"}
    record = {"model": "m", "metric": "mse", "promised": [failed, budget]}
    none, found = table_of_models({"models": [record]}).splitlines()[2:]
    assert none.startswith("| `m` | MSE | none | none found |")
    assert found == (
        "| `m` | MSE | 3 experts stay | **4.00x** | +0.100 % | +0.100 % | 3.33x, +0.000 % | 5.00x, "
        "+10.000 % | 4.00x, +2.000 % | +30.000 %, chosen ones +0.200 % |"
    )


def test_parts_that_were_not_run_are_kept() -> None:
    earlier = {"model": "m", "command": "one", "promised": [1], "pruned": [2], "equal_bytes": [],
               "equal_bits": {}, "files": []}  # fmt: skip
    now = {"model": "m", "command": "two", "promised": [9], "pruned": [], "equal_bytes": [3],
           "equal_bits": {"peers": [4]}, "files": [5]}  # fmt: skip
    found = with_earlier(now, earlier, ["bytes", "bits"])
    assert found == {**now, "promised": [1], "pruned": [2], "command": "one; two"}
    assert with_earlier(now, None, ["bytes"]) == now
    assert with_earlier(now, earlier, PARTS) == now


RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "compression.json"


def test_the_readme_has_the_table_of_the_last_run() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    shown = readme.split("<!-- compression: begin -->\n")[1].split("\n<!-- compression: end -->")[0]
    assert shown == table_of_models(json.loads(RESULTS.read_text("utf-8")))


GUIDE = Path(__file__).parents[2] / "docs" / "compression.md"


@pytest.mark.parametrize(("block", "file"), [
    ("promise", "compression-promise.json"), ("time", "compression-time.json"),
    ("compared", "compression.json"), ("pruned", "compression.json"),
    ("outputs", "compression-outputs.json"),
])  # fmt: skip
def test_the_guide_has_the_tables_of_the_last_runs(block: str, file: str) -> None:
    document = json.loads((RESULTS.parent / file).read_text("utf-8"))
    text = {
        "promise": lambda: table(HEAD, summary(document["records"])),
        "time": lambda: time_text(document),
        "compared": lambda: comparisons(document),
        "pruned": lambda: pruned(document),
        "outputs": lambda: table(OUTPUTS_HEAD, outputs_rows(document)),
    }[block]()
    begin, end = f"<!-- {block}: begin -->\n", f"\n<!-- {block}: end -->"
    assert GUIDE.read_text("utf-8").split(begin)[1].split(end)[0] == text


@pytest.mark.needs("python:torch")
@pytest.mark.filterwarnings("ignore")
def test_a_dense_control_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.compression.dense import RECIPES, trained
    from benchmarks.compression.shipped import FACTORIES
    from edgemoe.models import dense_controls

    assert set(RECIPES) == set(FACTORIES)
    module, inputs = trained("co2", None, tmp_path)
    monkeypatch.delattr(dense_controls, "co2")
    again, _ = trained("co2", None, tmp_path)
    assert bool((module(*inputs) == again(*inputs)).all())


@pytest.mark.needs("python:torch")
@pytest.mark.filterwarnings("ignore")
def test_both_ways_to_limit_several_outputs_keep_the_promise() -> None:
    from benchmarks.compression_outputs import Case, record

    found = record(Case(2, 1, "mse", 0.05), seed=0, seconds=5.0)
    assert (found["outputs"], found["products"]) == (2, 3)
    for way in ("one", "each"):
        assert max(found[way]["counted"].values()) <= 0.05
        assert len(found[way]["counted"]) == 2 and found[way]["programs"]["runs"] > 0
    assert len(outputs_rows({"records": [found]})[0]) == len(OUTPUTS_HEAD)
