"""The figures of the mixers whose data ships with the project, and the layout of their windows."""

import pytest

torch = pytest.importorskip("torch")

from edgemoe.models import checkpoint, digits_mixer, forecaster, series  # noqa: E402


def test_digits_accuracy_is_the_recorded_one():
    model, _ = digits_mixer.digits()
    images, labels = digits_mixer.held_out()
    accuracy = (model(images).argmax(dim=1) == labels).double().mean().item()
    assert images.shape == (450, 1, 8, 8)
    assert images.min() >= 0 and images.max() == 1
    assert accuracy >= 0.97
    assert accuracy == pytest.approx(checkpoint.read_record("digits")["value"], abs=5e-5)


def test_co2_error_is_the_recorded_one_and_beats_its_controls():
    model, _ = forecaster.co2()
    x, y = series.co2_series().windows("test", 104, 26)
    error = torch.nn.functional.mse_loss(model(x), y).item()
    record = checkpoint.read_record("co2")
    assert error == pytest.approx(record["value"], abs=2e-5)
    assert error < min(record["controls"].values())


def test_etth1_record_meets_its_bound():
    assert checkpoint.read_record("etth1")["value"] <= 0.385


def test_windows_of_a_split_have_their_targets_in_it():
    rows = torch.arange(20.0)[:, None]
    x, y = series.Series(rows, 10, 14, 19).windows("test", 4, 3)
    assert x[:, :, 0].tolist() == [[10, 11, 12, 13], [11, 12, 13, 14], [12, 13, 14, 15]]
    assert y[:, :, 0].tolist() == [[14, 15, 16], [15, 16, 17], [16, 17, 18]]


def test_the_filled_co2_record_has_no_gap():
    values = series.co2_series().values
    assert values.shape == (2284, 1)
    assert torch.isfinite(values).all()


@pytest.mark.parametrize("channels, inputs, outputs", [(1, 9, 7), (7, 33, 8)])
def test_both_forms_of_the_left_product_agree(channels, inputs, outputs):
    torch.manual_seed(0)
    layer = forecaster.LeftLinear(inputs, outputs).requires_grad_(False)
    layer.bias.uniform_()
    x = torch.randn(3, inputs, channels)
    expected = (x.transpose(1, 2) @ layer.weight.T).transpose(1, 2) + layer.bias
    torch.testing.assert_close(layer.train()(x), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(layer.eval()(x), expected, rtol=0, atol=1e-5)


def test_a_forecast_follows_a_shift_of_the_level():
    model, (x,) = forecaster.co2()
    torch.testing.assert_close(model(x + 2), model(x) + 2, rtol=0, atol=1e-4)
