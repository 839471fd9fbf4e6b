"""Weights of few bits in float programs: the same bits on both devices, near rounded weights."""

from __future__ import annotations

import numpy as np
import pytest

import edgemoe

pytest.importorskip("torch")


@pytest.mark.needs("cc", "arm-none-eabi-gcc", "qemu-system-arm")
@pytest.mark.parametrize(
    ("name", "precision", "share"),
    [("digits", "i8.a32", 0.3), ("digits", "i4.g64.zp.a32", 0.2), ("digits", "ternary.a32", 0.1),
     ("sensor_moe", "i8.a32", 0.3), ("sensor_moe", "i4.a32", 0.2)],
)  # fmt: skip
def test_codes_meet_floats(name, precision, share, mcu_model, mcu_artifact):
    """The self-test has what onnxruntime makes of the rounded weights."""
    plain, artifact = mcu_artifact(name, "cortex-m4"), mcu_artifact(
        name, "cortex-m4", precision=precision
    )  # fmt: skip
    flash = [
        sum(
            n for role, n in found.manifest["memory"]["flash"]["weights"].items()
            if role not in ("constant", "router")
        )
        for found in (plain, artifact)
    ]  # fmt: skip
    assert flash[1] < share * flash[0]
    feed = mcu_model(name).feed(5)
    results = []
    for device in ("host", "qemu"):
        with edgemoe.load(artifact.path, device=device, check=True) as session:
            results.append(session.run(feed))
    (output,) = results[0]
    np.testing.assert_array_equal(results[0][output], results[1][output])
