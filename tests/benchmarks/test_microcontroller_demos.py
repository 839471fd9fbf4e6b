"""The tables of the demos on microcontrollers, from made-up figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    microcontroller_blocks,
    microcontroller_interpreter,
    microcontroller_outliers,
    microcontroller_strips,
    microcontroller_text,
    microcontrollers,
)
from benchmarks.compression.tables import table
from benchmarks.microcontroller_demos import (
    HEADS,
    demo_rows,
    expert_rows,
    layers_of,
    loss,
    misses,
    text_of,
)
from edgemoe.runtime.mcu_profile import McuProfile, StepCount


def result(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "model": "etth1", "target": "cortex-m4", "flash_bytes": 230_000,
        "beyond_weights_bytes": 11_000, "arena_bytes": 40_000, "live_set_bytes": 40_000,
        "ram": {"arena": 40_000, "states": 0, "inputs and outputs, of the caller": 8_000},
        "stack": {"bytes": 300}, "instructions": 1e6, "metric": "mse", "fp32": 0.36,
        "integers": 0.36, "loss": 0.0, "samples": 2785, "qemu_samples": 200,
        "qemu_equal_samples": 200, "qemu_loss": 0.0,
    }  # fmt: skip
    return {**given, **changes}


def test_what_keeps_its_limits_misses_none() -> None:
    assert misses(result()) == []
    (row,) = demo_rows([result()])
    assert len(row) == len(HEADS)
    assert row[-2:] == ("200 of 200", "none")


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"loss": 0.011}, "loss"), ({"qemu_loss": 0.011}, "loss in QEMU"),
        ({"qemu_equal_samples": 199}, "bits"), ({"flash_bytes": 256 << 10}, "flash"),
        ({"arena_bytes": 60_000, "live_set_bytes": 60_000}, "RAM"),
        ({"beyond_weights_bytes": 24 << 10}, "code"), ({"live_set_bytes": 38_000}, "arena"),
    ],
)  # fmt: skip
def test_a_missed_limit_is_said(changes: dict[str, Any], missed: str) -> None:
    assert misses(result(**changes)) == [missed]
    assert demo_rows([result(**changes)])[0][-1] == missed


def test_a_model_without_a_limit_of_flash_has_none() -> None:
    assert misses(result(model="co2", flash_bytes=1 << 20, beyond_weights_bytes=1 << 19)) == []


def test_errors_lose_upwards_and_accuracy_downwards() -> None:
    assert loss("mse", 2.0, 2.1) == pytest.approx(0.05)
    assert loss("accuracy", 0.8, 0.6) == pytest.approx(0.25)


def profile(scale: float) -> McuProfile:
    steps = [
        ("queues_0", "queues of 2 experts", 10, 0), ("fill_rows_0", "zeros", 20, 0),
        ("expert_linear_0", "2 experts of 8 -> 8, 4 rows, i8", 300, 100),
        ("lookup_0", "table of 32", 30, 0), ("pairs_0", "4 rows of 8 to pairs", 40, 0),
        ("expert_linear_1", "2 experts of 8 -> 8, 4 rows, i8", 200, 100),
        ("combine_0", "weighted sum", 1000, 0),
    ]  # fmt: skip
    counts = tuple(
        StepCount(i, label, kernel, "layer", scale * n, 0.0, macs, 0, None)
        for i, (kernel, label, n, macs) in enumerate(steps)
    )
    return McuProfile("toy", "cortex-m4", "m4", "qemu", 1, 0.0, 200, counts, {})


def test_a_layer_is_what_lies_from_its_queues_to_its_last_product() -> None:
    (layer,) = layers_of([profile(1.0), profile(3.0)])
    assert layer["macs"] == 200
    assert sum(layer["steps"].values()) == 2 * 600
    dense = {"macs": 400, "instructions": 2000.0, "products": 1600.0}
    found = {"layers": [layer], "dense": {"all": dense, "rows": dense}}
    rows = expert_rows(found)
    assert [row[-3:] for row in rows] == [("1.20", "1.25", "3.20")] * 2
    assert "1.20" in text_of({"results": [result()], "experts": found})


def test_a_limit_that_cannot_be_kept_has_a_row_too() -> None:
    whole = {"precision": "i8", "max_ram": None, "choice": [], "arena_bytes": 4000, "macs": 200,
             "instructions": 900.0, "same": True}  # fmt: skip
    cut = {**whole, "max_ram": 3000, "arena_bytes": 2900, "macs": 210, "same": False,
           "choice": ["2 strips"]}  # fmt: skip
    refused = {"precision": "i8", "max_ram": 100, "refused": "needs 2,000 B"}
    assert microcontroller_strips.rows_of([whole, cut, refused]) == [
        ("i8", "none", "4,000", "200", "+0.000 %", "900", "+0.000 %", "yes", "whole"),
        ("i8", "3,000", "2,900", "210", "+5.000 %", "900", "+0.000 %", "NO", "2 strips"),
        ("i8", "100", *["-"] * 6, "refused"),
    ]


def test_the_readme_shows_the_results() -> None:
    root = Path(__file__).parents[2]
    readme = (root / "README.md").read_text("utf-8")
    results = root / "benchmarks" / "results"
    demos = json.loads((results / "microcontroller-demos.json").read_text("utf-8"))
    for part in text_of(demos).split("\n\n"):
        assert part in readme
    layers = json.loads((results / "microcontrollers.json").read_text("utf-8"))["results"]
    assert table(microcontrollers.HEADS, microcontrollers.rows_of(layers)) in readme
    for name, script in (
        ("interpreter", microcontroller_interpreter), ("text", microcontroller_text)
    ):  # fmt: skip
        found = json.loads((results / f"microcontroller-{name}.json").read_text("utf-8"))
        assert table(script.HEADS, script.rows_of(found["results"])) in readme
    docs = (root / "docs" / "integer.md").read_text("utf-8")
    blocks = json.loads((results / "microcontroller-blocks.json").read_text("utf-8"))["results"]
    rows = [microcontroller_blocks.row(r) for r in blocks]
    assert table(microcontroller_blocks.HEADS, rows) in docs
    guide = (root / "docs" / "microcontrollers.md").read_text("utf-8")
    strips = json.loads((results / "microcontroller-strips.json").read_text("utf-8"))["results"]
    assert table(microcontroller_strips.HEADS, microcontroller_strips.rows_of(strips)) in guide
    outliers = json.loads((results / "microcontroller-outliers.json").read_text("utf-8"))
    assert microcontroller_outliers.text_of(outliers) in guide
    some = [r for r in microcontroller_outliers.rows_of(outliers) if r[0] in ("none", "12,288")]
    assert table(microcontroller_outliers.HEADS, some) in readme


def test_controls_of_strips_have_rows_where_strips_were_tried() -> None:
    whole = {"max_ram": None, "scales": "of tensors", "arena_bytes": 4000, "flash_bytes": 9000,
             "macs": 5, "instructions": 70.0, "error": 0.0004, "accuracy": 0.5}  # fmt: skip
    row = {"error": 1e-3, "constant_bytes": 100, "arena_bytes": None}
    cut = {**whole, "max_ram": 2000, "strips": {"controls": {"all strips int16": row}}}
    found = {"float32": 0.75, "results": [whole, {**whole, "max_ram": 3000}, cut]}
    assert [r[0] for r in microcontroller_outliers.rows_of(found)] == ["none", "3,000", "2,000"]
    assert microcontroller_outliers.rows_of(found)[0][-2:] == ("2.00%", "0.5000")
    assert microcontroller_outliers.control_rows(found) == [
        ("2,000", "all strips int16", "1.00e-03", "100", "too large")
    ]
