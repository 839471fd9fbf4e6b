import numpy as np
import pytest

from edgemoe.compression.metrics import METRICS, log_softmax, metrics_of
from edgemoe.errors import InputError, OptionError


def value(name, output, fp32, target=None):
    metric = METRICS[name]
    measured, weight = metric.measure(np.asarray(output), np.asarray(fp32), target)
    return float(metric.value(np.array(measured), np.array(weight)))


def test_mse_is_the_mean_of_squares():
    assert value("mse", [[1.0, 4.0]], [[0.0, 0.0]], np.array([[1.0, 2.0]])) == 2.0


def test_accuracy_counts_rows():
    logits = np.array([[3.0, 1.0], [0.0, 1.0], [5.0, 1.0]])
    assert value("accuracy", logits, logits, np.array([0, 1, 1])) == pytest.approx(2 / 3)


def test_cross_entropy_of_a_fair_coin():
    assert value("cross-entropy", [[0.0, 0.0]], [[0.0, 0.0]], np.array([1])) == pytest.approx(
        np.log(2)
    )


def test_kl_is_zero_for_equal_distributions_and_positive_otherwise():
    logits = np.random.default_rng(0).normal(size=(5, 7))
    assert value("kl", logits + 3.0, logits) == pytest.approx(0.0, abs=1e-12)  # a shift is nothing
    p, q = np.exp(log_softmax(logits)), np.exp(log_softmax(2 * logits))
    assert value("kl", 2 * logits, logits) == pytest.approx((p * np.log(p / q)).sum(-1).mean())


def test_rms_is_relative_to_fp32():
    assert value("rms", [3.0, 4.4], [3.0, 4.0]) == pytest.approx(0.4 / 5.0)


@pytest.mark.parametrize(
    ("name", "candidate", "fp32", "lost"),
    [("mse", 1.1, 1.0, 0.1), ("accuracy", 0.8, 1.0, 0.2), ("kl", 0.3, 0.0, 0.3)],
)
def test_losses(name, candidate, fp32, lost):
    assert METRICS[name].loss(np.array(candidate), np.array(fp32)) == pytest.approx(lost)


def test_the_metric_follows_the_targets():
    outputs = {"a": (1, 5), "b": (4, 5), "c": (1, 5)}
    targets = {
        "a": np.zeros((3, 1), np.int64), "b": np.zeros((3, 4), np.int64),
        "c": np.zeros((3, 1, 5), np.float32),
    }  # fmt: skip
    found = {name: m.name for name, m in metrics_of("auto", outputs, targets).items()}
    assert found == {"a": "accuracy", "b": "cross-entropy", "c": "mse"}
    assert {m.name for m in metrics_of("auto", outputs, {}).values()} == {"rms"}
    assert set(metrics_of("kl", outputs, {"b": targets["b"]})) == {"b"}


@pytest.mark.parametrize(
    ("name", "targets", "error", "words"),
    [
        ("bleu", {}, OptionError, ["bleu", "cross-entropy"]),
        ("mse", {}, OptionError, ["target:NAME"]),
        ("auto", {"z": np.zeros((3, 1))}, InputError, ["target:z"]),
        ("auto", {"a": np.zeros((3, 2, 5))}, InputError, ["10 values", "5"]),
        ("auto", {"a": np.full((3, 1), 5)}, InputError, ["0 to 4"]),
        ("auto", {"a": np.full((3, 1), -1)}, InputError, ["0 to 4"]),
    ],
)
def test_targets_that_do_not_fit(name, targets, error, words):
    with pytest.raises(error) as caught:
        metrics_of(name, {"a": (1, 5)}, targets)
    for word in words:
        assert word in str(caught.value)


def test_a_flip_costs_what_fp32_believed():
    fp32 = np.log([[0.5, 0.5, 1e-9], [0.7, 0.2, 0.1], [0.7, 0.2, 0.1]])
    flipped = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert METRICS["accuracy"].distance(flipped, fp32) == pytest.approx(0.0 + 0.6 + 0.0)


def test_a_floor_is_relative_to_what_fp32_gets():
    metric = METRICS["mse"]
    assert metric.distance(np.array([1.0, 3.0]), np.array([1.0, 1.0])) == 4.0
    assert metric.floor(4.0, 2.0, 8.0) == 0.25
    assert METRICS["kl"].floor(4.0, 2.0, 8.0) == 0.0  # it is a distance itself
