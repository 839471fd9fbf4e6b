"""Two domains for one model: the digits of hours, the reward for telling domains apart."""

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgemoe.models import (  # noqa: E402
    calibration,
    checkpoint,
    domain_data,
    domain_moe,
    train_language,
)
from edgemoe.models.series import Series  # noqa: E402
from edgemoe.models.vocabulary import decode  # noqa: E402

HEADER = "date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT\n"


@pytest.fixture
def folder(tmp_path):
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(14400, 7)).cumsum(0)
    lines = (",".join(["2016-07-01", *(f"{x:.3f}" for x in row)]) for row in rows)
    (tmp_path / domain_data.SERIES).write_text(HEADER + "\n".join(lines))
    (tmp_path / domain_data.TEXT).write_text("To be, or not to be. " * 400)
    return tmp_path


def test_hours_become_lines_of_two_digits_per_sensor():
    values = torch.tensor([[0.0, 1.0, -1.0, 100.0, -100.0, 0.04, 2.06], [0.0] * 7])
    assert decode(domain_data.digits(values)) == "50653599005181\n50505050505050\n"


def test_both_domains_have_three_parts(folder):
    for domain in domain_data.DOMAINS:
        parts = [domain_data.tokens_of(folder, domain, s) for s in ("train", "validate", "test")]
        assert all(len(part) > 300 for part in parts)
    assert len(parts[2]) == 2880 * domain_data.LINE
    series = domain_data.series_of(folder)
    assert torch.equal(parts[2], domain_data.digits(series.values[11520:14400]))


def test_calibration_names_the_domain_of_every_sample(folder):
    found = calibration.arrays("domain_moe", folder, samples=6)
    assert found["group:domain"].tolist() == ["text"] * 6 + ["series"] * 6
    assert (found["tokens"][:, 1:] == found["target:logits"][:, :-1]).all()
    digits = [set(decode(torch.from_numpy(row))) for row in found["tokens"]]
    assert all(seen <= set("0123456789\n") for seen in digits[6:])
    assert not any(seen & set("0123456789") for seen in digits[:6])


def test_rows_begin_anywhere_and_none_is_like_the_next(monkeypatch):
    values = torch.randn(600, 7, generator=torch.Generator().manual_seed(0))
    series = Series(values, 400, 500, 600)
    draw = domain_data.hours_of(series, 5)
    rows = draw(torch.Generator().manual_seed(1))
    assert rows.shape == (5, train_language.LENGTH + 1)
    ends = [(row == domain_data.NEWLINE).nonzero()[:, 0] for row in rows]
    assert all((end.diff() == domain_data.LINE).all() for end in ends)
    assert len({int(end[0]) for end in ends}) > 1
    monkeypatch.setattr(domain_data, "SHIFT", 0.0)
    monkeypatch.setattr(domain_data, "SCALE", 0.0)
    small = replace(series, validate_from=20)  # one place to start from
    (row,) = domain_data.hours_of(small, 1)(torch.Generator().manual_seed(1))
    assert decode(row) in decode(domain_data.digits(values[:20]))


def test_the_reward_is_the_mutual_information_of_its_definition():
    domains = torch.tensor([0, 0, 0, 1, 1])
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    shares = torch.softmax(logits, -1).numpy()
    joint = np.stack([shares[:3].sum(0), shares[3:].sum(0)]) / 5
    wanted = sum(
        p * math.log(p / (joint[d].sum() * joint[:, e].sum()))
        for d in range(2) for e, p in enumerate(joint[d])
    )  # fmt: skip
    assert float(domain_moe.mutual_information(logits, domains)) == pytest.approx(wanted, rel=1e-5)
    apart = torch.tensor([[9.0, 9, -99, -99]] * 3 + [[-99.0, -99, 9, 9]] * 3)
    even = torch.tensor([0, 0, 0, 1, 1, 1])
    assert float(domain_moe.mutual_information(apart, even)) == pytest.approx(math.log(2))
    assert float(domain_moe.mutual_information(torch.zeros(6, 4), even)) == pytest.approx(0)


def test_every_expert_of_the_shipped_model_serves_one_domain():
    loads = checkpoint.read_record("domain_moe")["details"]["expert load on the test split"]
    for text, series in zip(loads["text"], loads["series"], strict=True):
        shared = [e for e in range(domain_moe.EXPERTS) if min(text[e], series[e]) > 0.001]
        assert shared == []
        assert sum(load > 0.01 for load in text) >= 4 <= sum(load > 0.01 for load in series)
