"""`--max-ram`: row-wise steps in pieces, the same bits, a refusal with the nearest point."""

from __future__ import annotations

import numpy as np
import pytest

import edgemoe
from edgemoe.errors import BudgetError, OptionError
from edgemoe.plan import Plan

pytest.importorskip("torch")
pytestmark = pytest.mark.needs("cc")


def test_a_budget_cuts_rows_and_changes_no_bit(mcu_model, mcu_artifact):
    whole = mcu_artifact("etth1", "cortex-m4")
    small = mcu_artifact("etth1", "cortex-m4", max_ram=48 * 1024)
    (variant,) = small.plan.variants
    assert whole.plan.variants[0].arena_bytes > 64 * 1024
    assert variant.arena_bytes <= 48 * 1024
    assert variant.arena_bytes <= 1.05 * variant.lower_bound_bytes
    assert {loop.kind for loop in variant.loops} == {"rows"}
    assert Plan.from_json(small.plan.to_json()) == small.plan
    feed = mcu_model("etth1").feed(5)
    with edgemoe.load(whole.path) as one, edgemoe.load(small.path) as other:
        assert one.run(feed)["y"].tobytes() == other.run(feed)["y"].tobytes()


def test_the_report_says_what_it_costs(mcu_artifact):
    decisions = mcu_artifact("etth1", "cortex-m4", max_ram=48 * 1024).plan.decisions
    (found,) = (d for d in decisions if d.subject == "max-ram")
    assert "in 4 pieces of 128" in found.choice
    assert "0 MACs are computed twice" in found.reason and "read again" in found.reason


def test_a_budget_that_cannot_be_met_names_the_nearest_point(mcu_model, tmp_path):
    model, out = mcu_model("etth1"), tmp_path / "no"
    with pytest.raises(BudgetError, match="--max-ram allows 20,000 B") as caught:
        model.compile("cortex-m4", out, max_ram=20_000)
    assert not list(tmp_path.iterdir())
    nearest = int(str(caught.value).rsplit("--max-ram ", 1)[1])
    assert caught.value.exit_code == 3
    artifact = model.compile("cortex-m4", out, max_ram=nearest)
    assert artifact.plan.variants[0].arena_bytes == nearest


def test_a_budget_that_is_large_enough_cuts_nothing(mcu_artifact):
    artifact = mcu_artifact("digits", "cortex-m4", max_ram=64 * 1024)
    assert not artifact.plan.variants[0].loops


@pytest.mark.parametrize("option", [{"max_ram": 1000}, {"expert_slots": 2}, {"objects": True}])
def test_it_is_for_microcontrollers(option, mcu_model, tmp_path):
    with pytest.raises(OptionError, match="is for microcontrollers, target x86-64 is none"):
        mcu_model("digits").compile("x86-64", tmp_path / "x", **option)


def test_integers_are_quantised_for_and_dequantised(mcu_artifact):
    from edgemoe.runtime.manifest import TensorSpec
    from edgemoe.runtime.mcu_arrays import dequantised, prepared, quantised

    spec = TensorSpec("x", "int8", (4,), scale=0.5, zero_point=3)
    real = np.array([0.0, 0.74, -100.0, 1000.0], np.float32)
    codes = quantised(real, spec)
    assert codes.dtype == np.int8 and codes.tolist() == [3, 4, -128, 127]
    np.testing.assert_allclose(dequantised(codes, spec)[:2], [0.0, 0.5])
    arrays, floats, states = prepared([spec], {"x": real}, strict=False)
    assert floats and not states and arrays["x"].tolist() == codes.tolist()
    _, floats, _ = prepared([spec], {"x": codes}, strict=False)
    assert not floats
