"""Every reference model, however it was exported: recognised, sparse, and equal to torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgemoe.models.families import Case, cases

ALL = [(case, way) for case in cases().values() for way in case.ways]
IDS = [f"{case.name}-{way}" for case, way in ALL]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("case", "way"), ALL, ids=IDS)
def test_family(families: Any, tmp_path: Path, case: Case, way: str) -> None:
    family = families(case, way)
    check_found(case, family.explain())
    session = family.compile(tmp_path / "model.em")
    for inputs, feed in family.feeds():
        wanted = family.wanted(inputs)
        got = list(session.run(feed).values())
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            assert a.shape == b.shape
            limit = case.tolerance * max(1.0, float(np.abs(b).max(initial=0.0)))
            assert np.abs(a.astype(np.float64) - b).max(initial=0.0) <= limit
        if case.macs is not None:
            assert family.expert_macs(session, feed) == case.macs(family.module, *inputs)


def check_found(case: Case, explanation: Any) -> None:
    left = [
        {"subject": c.subject, **c.facts}
        for c in explanation.candidates if c.matched
    ]  # fmt: skip
    for wanted in case.found:
        hit = next((f for f in left if all(f.get(k) == v for k, v in wanted.items())), None)
        assert hit is not None, f"{dict(wanted)} is not among {left}"
        left.remove(hit)
    left = [f for f in left if f["subject"] != "router"]
    assert not left, f"matched, but not expected: {left}"
