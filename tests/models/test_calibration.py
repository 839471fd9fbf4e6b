import numpy as np
import pytest

from edgemoe.models import calibration


def test_the_splits_of_the_digits_have_no_image_in_common():
    parts = [
        calibration.arrays("digits", split=s, samples=2000) for s in ("train", "validate", "test")
    ]
    assert [len(part["image"]) for part in parts] == [1347, 225, 225]
    for part in parts:
        assert part["target:logits"].shape == (len(part["image"]), 1)
        assert part["image"].max() == 1.0 and part["image"].dtype == np.float32
    calibrated, tested = ({image.tobytes() for image in p["image"]} for p in parts[1:])
    assert not calibrated & tested


def test_a_model_whose_data_is_missing():
    with pytest.raises(ValueError, match=r"etth1 needs its data: --data ETTh1\.csv"):
        calibration.arrays("etth1")
    with pytest.raises(ValueError, match="no model 'nobody'; there are etth1"):
        calibration.arrays("nobody")
