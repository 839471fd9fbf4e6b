"""Controls go by the formats that they have."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgemoe.compression import controls
from edgemoe.compression.candidates import Candidate
from edgemoe.weight_format import F32, I4, I8


@pytest.mark.parametrize(
    ("possible", "wanted"),
    [((F32, I8, I4), ["fp32", "uniform int8", "uniform int4"]), ((I8,), ["fp32", "uniform int8"]),
     ((I4,), ["fp32", "uniform int4"])],
)  # fmt: skip
def test_a_format_that_no_product_may_have_is_no_control(possible, wanted, monkeypatch):
    def uniform(given):  # the next better one where it is not possible
        return Candidate((given if given in possible else possible[0],))

    search = SimpleNamespace(
        units=("product",), uniform=uniform, judge_on=lambda proof, candidate: candidate.formats,
        bytes_of=lambda candidate: candidate.formats[0].bits,
    )  # fmt: skip
    monkeypatch.setattr(controls, "by_weight_error", lambda search, limit: None)
    proof = SimpleNamespace(fp32=lambda: (F32,))
    found = controls.controls_of(
        search, proof, SimpleNamespace(nbytes=1), 32, lambda what, done, total: None
    )
    assert [c.name for c in found] == wanted
    assert [c.nbytes for c in found] == [{"fp32": 32}.get(n, int(n[-1])) for n in wanted]
