"""Calibration and test data of the models that ship: python -m edgemoe.models.calibration NAME.

    python -m edgemoe.models.calibration etth1 --data ETTh1.csv -o etth1.npz
    python -m edgemoe.models.calibration char_moe --data tinyshakespeare.txt -o text.npz
    python -m edgemoe.models.calibration digits --split test -o digits-test.npz
    python -m edgemoe.models.calibration domain_moe --data FOLDER -o domains.npz

Calibration takes samples of the validation split, so that the test split says what a compressed
model is worth. Of the digits, which have none, every other held-out image is for calibration: on
images that it was trained on, a model is too sure of itself to show what it loses. `domain_moe` has
as many samples of each domain, for `--task domain=text` or `domain=series`; its folder holds
tinyshakespeare.txt and ETTh1.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NAMES = ("etth1", "co2", "char_moe", "char_blockffn", "digits", "sensor_moe",
         "domain_moe")  # fmt: skip
SEQUENCE = 128
"""Characters of one sample of the language models."""


def arrays(
    name: str, data: Path | None = None, *, split: str = "validate", samples: int = 256
) -> dict[str, NDArray[np.generic]]:
    """Inputs and targets with a sample axis, evenly spread over the split.

    Raises:
        ValueError: the model is unknown, or needs a file that is not given.
    """
    if name in ("etth1", "co2"):
        return _series(name, data, split, samples)
    if name in ("char_moe", "char_blockffn"):
        return _text(_given(name, data, "tinyshakespeare.txt"), split, samples)
    if name == "digits":
        return _digits(split, samples)
    if name == "sensor_moe":
        return _sensors(_given(name, data, "ETTh1.csv"), split, samples)
    if name == "domain_moe":
        return _domains(_given(name, data, "FOLDER"), split, samples)
    raise ValueError(f"no model {name!r}; there are {', '.join(NAMES)}")


def _given(name: str, data: Path | None, what: str) -> Path:
    if data is None:
        raise ValueError(f"{name} needs its data: --data {what}")
    return data


def _spread(count: int, samples: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, samples)).astype(np.int64))


def _series(
    name: str, data: Path | None, split: str, samples: int
) -> dict[str, NDArray[np.generic]]:
    from edgemoe.models import forecaster
    from edgemoe.models.series import co2_series, etth1_series

    series = co2_series() if name == "co2" else etth1_series(_given(name, data, "ETTh1.csv"))
    module, inputs = getattr(forecaster, name)()
    context, horizon = inputs[0].shape[1], module(*inputs).shape[1]
    x, y = series.windows(split, context, horizon)
    chosen = _spread(len(x), samples)
    return {"x": x[chosen][:, None].numpy(), "target:y": y[chosen][:, None].numpy()}


def _text(data: Path, split: str, samples: int) -> dict[str, NDArray[np.generic]]:
    from edgemoe.models.train_language import split as split_text

    tokens = dict(zip(("train", "validate", "test"), split_text(data), strict=True))[split].numpy()
    return _sequences(_rows(tokens, samples))


def _rows(tokens: NDArray[np.int64], samples: int) -> NDArray[np.int64]:
    starts = _spread(len(tokens) - SEQUENCE - 1, samples)
    return np.stack([tokens[s : s + SEQUENCE + 1] for s in starts])


def _sequences(rows: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
    return {"tokens": rows[:, :-1], "target:logits": rows[:, 1:]}


def _domains(folder: Path, split: str, samples: int) -> dict[str, NDArray[np.generic]]:
    from edgemoe.models.domain_data import DOMAINS, tokens_of

    parts = [_rows(tokens_of(folder, domain, split).numpy(), samples) for domain in DOMAINS]
    groups = [np.full(len(rows), domain) for rows, domain in zip(parts, DOMAINS, strict=True)]
    return {**_sequences(np.concatenate(parts)), "group:domain": np.concatenate(groups)}


def _digits(split: str, samples: int) -> dict[str, NDArray[np.generic]]:
    from edgemoe.models import train_digits

    x, held_x, y, held_y = train_digits.split()
    images, labels = {
        "train": (x, y),
        "validate": (held_x[::2], held_y[::2]),
        "test": (held_x[1::2], held_y[1::2]),
    }[split]
    chosen = _spread(len(images), samples)
    pixels = images[chosen][:, None].astype(np.float32) / 16
    return {"image": pixels, "target:logits": labels[chosen][:, None]}


def _sensors(data: Path, split: str, samples: int) -> dict[str, NDArray[np.generic]]:
    from edgemoe.models.sensor_data import windows
    from edgemoe.models.series import etth1_series

    x, y = windows(etth1_series(data), split)
    chosen = _spread(len(x), samples)
    return {"x": x[chosen][:, None].numpy(), "target:logits": y[chosen][:, None].numpy()}


def main() -> None:
    """Write an .npz."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", choices=("train", "validate", "test"), default="validate")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    try:
        found = arrays(given.name, given.data, split=given.split, samples=given.samples)
    except ValueError as error:
        parser.error(str(error))
    np.savez(given.output, **found)  # type: ignore[arg-type]
    shapes = ", ".join(f"{key} {list(array.shape)}" for key, array in found.items())
    print(f"{given.output}: {shapes}")


if __name__ == "__main__":
    main()
