"""A tiny layer through export, preparation, workers, record and tables; times are not looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.cases import cases_of
from benchmarks.conductor import Worker, measure
from benchmarks.contestant import Contestant, Kit, peer_of
from benchmarks.record import measure_case
from benchmarks.table import best_table, case_table, document_text

pytestmark = pytest.mark.needs("cc")

NAMES = ("ours f32", "ours i9", "onnxruntime MoE op f32", "onnxruntime QMoE bs32 i8")


@pytest.fixture(scope="module")
def record(kit: Kit) -> dict[str, Any]:
    listed = peer_of("ours").contestants(kit.case) + peer_of("onnxruntime").contestants(kit.case)
    listed.append(Contestant("ours", "i9", "i8"))  # not in the list of the peer: a failure
    entered = [contestant for contestant in listed if contestant.name in NAMES]
    return measure_case(kit, entered, threads=1, rounds=3, milliseconds=1)


def rows(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in record["rows"]}


def test_errors_are_those_of_the_formats(record: dict[str, Any]) -> None:
    assert rows(record)["ours f32"]["error"] < 1e-5
    assert rows(record)["onnxruntime MoE op f32"]["error"] < 1e-5
    assert 1e-4 < rows(record)["onnxruntime QMoE bs32 i8"]["error"] < 5e-2


def test_every_round_was_measured(record: dict[str, Any]) -> None:
    ran = [row for row in record["rows"] if row["failed"] is None]
    assert len(ran) == 3
    assert all(len(row["rounds_us"]) == 3 and min(row["rounds_us"]) > 0 for row in ran)


def test_what_fails_is_a_row_with_a_reason(record: dict[str, Any]) -> None:
    assert "does not start" in rows(record)["ours i9"]["failed"]
    assert "ours i9: " in case_table(record)


def test_the_best_peer_of_ours_is_named(record: dict[str, Any]) -> None:
    (best,) = record["best"]
    assert (best["ours"], best["peer"]) == ("ours f32", "onnxruntime MoE op f32")
    assert best["ratio"] > 0


def test_shares_of_the_roof(record: dict[str, Any]) -> None:
    """All four experts are chosen by some token here, or three: with the shared one 4 or 5."""
    assert record["roofs"]["32"]["nbytes"] in [n * 3 * 32 * 64 * 4 for n in (3, 4, 5)]
    assert record["roofs"]["32"]["operations"] == 2 * 3 * 32 * 64 * 3 * (2 + 1)
    assert 0 < rows(record)["ours f32"]["bandwidth_share"] < 1


def test_the_document_survives_json(record: dict[str, Any]) -> None:
    machine = {"cpu": "a cpu", "cpus": 2, "flags": ["fma"], "caches": {"L3": 1 << 20},
               "load_average": 0.5}  # fmt: skip
    document = json.loads(
        json.dumps({"records": [record], "machine": machine, "versions": {"p": {"q": "1"}},
                    "command": "python -m benchmarks"})
    )  # fmt: skip
    text = document_text(document)
    assert "L3 1,024 KiB" in text
    assert "(onnxruntime MoE op f32)" in best_table(document)
    assert "| tiny.T3 | 1 |" in text


def test_a_worker_that_dies_leaves_its_reason(kit: Kit) -> None:
    worker = Worker(Contestant("ours", "nobody", "f32"), kit, 1)
    assert "StopIteration" in worker.answer()["failed"]
    with pytest.raises(RuntimeError, match="ended with code 0"):
        worker.answer()
    worker.close()


def test_nothing_to_measure(kit: Kit) -> None:
    assert measure(kit, [], threads=1, rounds=1, milliseconds=1) == []


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match="no workload W9; there are W1"):
        cases_of("W9", [1], [1])
    with pytest.raises(ValueError, match="no peer abacus; there are ours"):
        peer_of("abacus")
