import numpy as np
import pytest

from edgemoe.models import checkpoint, dense_controls, forecast_controls
from edgemoe.models.forecaster import CO2
from edgemoe.models.series import co2_series


def test_the_linear_model_forecasts_as_the_ridge_does():
    module, inputs = dense_controls.co2()
    assert module(*inputs).shape == (1, CO2.horizon, CO2.channels)
    x, y = co2_series().windows("test", CO2.context, CO2.horizon)
    error = float(np.mean((module(x).numpy() - y.numpy()) ** 2))
    assert error == pytest.approx(forecast_controls.ridge(co2_series(), CO2), rel=1e-3)
    assert error == pytest.approx(
        checkpoint.read_record("co2")["controls"]["ridge linear"], abs=5e-5
    )


def test_data_that_is_missing_is_named(monkeypatch):
    monkeypatch.delenv("EDGEMOE_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"tinyshakespeare\.txt; set EDGEMOE_DATA"):
        dense_controls.char()
