"""The recipes on toy data, and the controls on series that they can forecast without an error."""

import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from edgemoe.models import (  # noqa: E402  # noqa: E402  # noqa: E402
    blockffn_lm,
    forecast_controls,
    forecaster,
    moe_lm,
    train_char_blockffn,
    train_char_moe,
    train_forecaster,
    train_language,
)
from edgemoe.models.series import Series  # noqa: E402
from edgemoe.models.vocabulary import CHARACTERS, encode, unigram  # noqa: E402

WAVE = torch.sin(torch.arange(400.0) * (2 * math.pi / 13))[:, None]
LINE = 0.01 * torch.arange(400.0)[:, None]
SMALL = replace(forecaster.CO2, context=26, horizon=9)


def series(values):
    return Series(values, 280, 320, 400)


def test_the_season_is_repeated():
    error = forecast_controls.seasonal(series(WAVE), SMALL, 13, drift=False)
    assert error == pytest.approx(0, abs=1e-9)


def test_the_drift_is_added():
    error = forecast_controls.seasonal(series(WAVE + LINE), SMALL, 13, drift=True)
    assert error == pytest.approx(0, abs=1e-9)


def test_ridge_finds_a_linear_map():
    assert forecast_controls.ridge(series(WAVE), SMALL) < 1e-6


def test_the_forecaster_learns_a_wave():
    recipe = replace(train_forecaster.RECIPES["co2"], config=SMALL, rate=1e-2, average=0.9)
    model = train_forecaster.train(recipe, series(WAVE))
    assert train_forecaster.mse(model, series(WAVE), "test") < 0.1  # variance: 0.5


def test_the_split_keeps_the_order_and_loses_nothing(tmp_path):
    (tmp_path / "text").write_text("ab" * 100)
    parts = train_language.split(tmp_path / "text")
    assert [len(part) for part in parts] == [180, 10, 10]
    assert torch.equal(torch.cat(parts), encode("ab" * 100))


def test_unigram_of_an_even_text_is_the_logarithm_of_its_alphabet():
    tokens = encode("".join(CHARACTERS) * 3)
    assert unigram(tokens, tokens) == pytest.approx(math.log(96))


@pytest.mark.parametrize(
    "make, penalty",
    [
        (moe_lm.untrained, train_char_moe.penalty),
        (blockffn_lm.untrained, train_char_blockffn.Sparsity(8)),
        (lambda: moe_lm.dense_control(16), lambda _: torch.zeros(())),
    ],
)
def test_a_few_steps_of_the_recipe_learn_a_repetition(make, penalty):
    torch.manual_seed(0)
    tokens, model = encode("to be or not to be, " * 60), make()
    before, _ = train_language.evaluate(model, tokens)
    train_language.train(model, tokens, 8, penalty)
    after, routers = train_language.evaluate(model, tokens)
    assert after < before - 0.5
    assert all(logits.dim() == 2 for logits in routers)
    assert not model.training


def test_locality_prefers_neighbours_that_agree():
    same = torch.tensor([[[1.0, -1.0]] * 4])
    other = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]] * 2])
    assert blockffn_lm.locality_loss(same) < 1e-6 < blockffn_lm.locality_loss(other)


def test_the_chunk_loss_counts_the_experts_of_a_chunk():
    logits = -torch.ones(1, 64, 4)
    logits[..., 0] = 1.0
    assert blockffn_lm.chunk_loss(logits).item() == pytest.approx(1 / 4, abs=1e-3)


def test_even_use_is_the_least_loss():
    even = torch.zeros(1, 8, 4)
    stuck = torch.tensor([9.0, 9.0, -9.0, -9.0]).expand(1, 8, 4)
    assert blockffn_lm.use_loss(even, 0.5).item() == pytest.approx(0)
    assert blockffn_lm.use_loss(stuck, 0.5).item() == pytest.approx(1)
