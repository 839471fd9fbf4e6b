import numpy as np
import pytest

from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Judge
from edgemoe.compression.metrics import metrics_of
from edgemoe.compression.samples import Samples, samples_of
from edgemoe.errors import InputError
from edgemoe.measured_loss import _refusal

CHANCE = np.random.default_rng(1)
X = CHANCE.normal(size=(40, 3)).astype(np.float32)
Y = (X + CHANCE.normal(size=X.shape)).astype(np.float32)


@pytest.fixture
def samples():
    return Samples({"x": X}, {"y": Y}, {"state": np.zeros(2)}, tuple(range(40)))


@pytest.fixture
def judge(samples):
    return Judge(samples, metrics_of("auto", {"y": (3,)}, {"y": Y}), lambda feed: {"y": feed["x"]})


def noisy(scale):
    return lambda feed: {"y": feed["x"] * (1 + scale)}


def test_fp32_loses_nothing(judge):
    found = judge.fp32()
    assert (found.loss, found.interval, found.error) == (0.0, (0.0, 0.0), 0.0)
    assert found.value == pytest.approx(np.mean((X - Y) ** 2), rel=1e-6)


def test_the_loss_is_that_of_the_metric(judge):
    found = judge.judge(noisy(0.1))
    wanted = np.mean((1.1 * X - Y) ** 2) / np.mean((X - Y) ** 2) - 1
    assert found.loss == pytest.approx(wanted, rel=1e-4)
    assert found.rms == {"y": pytest.approx(0.1, rel=1e-4)}
    assert found.error == pytest.approx(0.01, rel=1e-3)
    assert found.interval[0] < found.loss < found.interval[1]


def test_the_interval_is_paired(judge):
    """A change that hits all samples alike has a narrow interval, however far samples spread."""
    base = judge.fp32().value
    spread = judge.judge(lambda feed: {"y": feed["x"] + 1e-4})
    unpaired = np.std([np.mean((x - y) ** 2) for x, y in zip(X, Y, strict=True)]) / np.sqrt(40)
    assert spread.interval[1] - spread.interval[0] < 0.01 * unpaired / base


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    hits = 0
    for seed in range(60):
        chance = np.random.default_rng(seed)
        x = chance.normal(size=(60, 4)).astype(np.float32)
        y = (x + chance.normal(size=x.shape)).astype(np.float32)
        samples = Samples({"x": x}, {"y": y}, {}, tuple(range(60)))
        judge = Judge(samples, metrics_of("mse", {"y": (4,)}, {"y": y}), lambda f: {"y": f["x"]})
        low, high = judge.judge(noisy(0.3)).interval
        hits += low <= 0.09 <= high  # E (0.3 x - e)^2 / E e^2 - 1
    assert 50 <= hits <= 60


def test_the_first_samples(judge):
    found = judge.judge(noisy(0.1), most=5)
    assert found.samples == 5
    wanted = np.mean((1.1 * X[:5] - Y[:5]) ** 2) / np.mean((X[:5] - Y[:5]) ** 2) - 1
    assert found.loss == pytest.approx(wanted, rel=1e-4)


def test_the_worst_output_counts(samples):
    metrics = metrics_of("rms", {"a": (3,), "b": (3,)}, {})
    judge = Judge(samples, metrics, lambda feed: {"a": feed["x"], "b": feed["x"]})
    found = judge.judge(lambda feed: {"a": feed["x"] * 1.1, "b": feed["x"] * 1.3})
    assert (found.output, round(found.loss, 4)) == ("b", 0.3)


def test_a_promise_holds_for_every_output(samples):
    """Of two outputs one may lose more, and the other have the wider interval."""
    metrics = metrics_of("rms", {"a": (3,), "b": (3,)}, {})
    judge = Judge(samples, metrics, lambda feed: {"a": feed["x"], "b": feed["x"]})
    first = X[np.abs(X).max(1).argmax()]

    def run(feed):  # b is moved in one sample alone, a in all
        scale = 1.6 if (feed["x"] == first).all() else 1.0
        return {"a": feed["x"] * 1.25, "b": feed["x"] * scale}

    found = judge.judge(run)
    a, b = found.losses["a"], found.losses["b"]
    assert found.output == "a" and a.loss > b.loss and b.interval[1] > a.interval[1]
    assert found.counted_high == b.interval[1] and found.standard_error == a.standard_error
    assert found.shifted(1.0) == max(a.shifted(1.0), b.shifted(1.0)) == b.shifted(1.0)
    promised = (a.interval[1] + b.interval[1]) / 2
    goal = Goal(max_loss=promised, confident=True)
    assert goal.broken(found) == ["b"] and not goal.holds(found)
    assert Goal(max_loss=promised).holds(found)
    with_nan = judge.judge(lambda feed: {"a": feed["x"], "b": feed["x"] * np.nan})
    assert with_nan.output == "b" and Goal(max_loss=1e9).broken(with_nan) == ["b"]
    refused = _refusal(found, "samples", goal)
    assert "output 'b' loses" in refused and "at the upper end" in refused


def test_nan_is_worse_than_everything(judge):
    found = judge.judge(lambda feed: {"y": feed["x"] * np.nan})
    assert not found.loss <= 1e9


def test_halves_have_nothing_in_common_and_follow_the_seed(samples):
    one, other = samples.split(0)
    assert sorted(one.numbers + other.numbers) == list(range(40)) and len(one) == 20
    assert samples.split(0)[0].numbers == one.numbers != samples.split(1)[0].numbers
    with pytest.raises(InputError, match="7 calibration samples are too few"):
        samples.some(range(7)).split(0)


def test_feeds_hold_the_rest(samples):
    feed = samples.feed(3)
    assert feed["x"] is not None and (feed["x"] == X[3]).all() and feed["state"].shape == (2,)
    assert (samples.target(3)["y"] == Y[3]).all()


def graph(dtype="float"):
    import onnx_ir as ir

    return ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["" : 21]> g ({dtype}[1,3] x) => ({dtype}[1,3] y)'
        "{ y = Identity(x) }"
    )


def test_a_leading_axis_of_one_may_be_left_out_and_types_are_widened():
    found = samples_of({"x": np.zeros((9, 3))}, graph(), {})
    assert found.arrays["x"].shape == (9, 1, 3) and found.arrays["x"].dtype == np.float32
    with pytest.raises(InputError, match="give integers"):
        samples_of({"x": np.zeros((9, 1, 3), np.float32)}, graph("int64"), {})


def test_a_gain_by_chance_is_not_counted(samples):
    """Outputs that move towards these targets would, of others, lose their squared distance."""
    lucky = {"y": (X + 0.1 * (Y - X)).astype(np.float32)}
    targets = {"y": Y}
    judge = Judge(samples, metrics_of("mse", {"y": (3,)}, targets), lambda feed: {"y": feed["x"]})
    at = {sample.tobytes(): number for number, sample in enumerate(X)}
    found = judge.judge(lambda feed: {"y": lucky["y"][at[feed["x"].tobytes()]]})
    assert found.loss == pytest.approx(-0.19, abs=1e-4)
    assert found.floor == found.counted == pytest.approx(0.01, abs=1e-4)
    assert found.counted_high == found.floor > found.interval[1]
    for confident in (False, True):
        assert not Goal(max_loss=0.009, confident=confident).holds(found)
        assert Goal(max_loss=0.011, confident=confident).holds(found)


def test_a_loss_above_the_floor_is_counted_as_it_is(judge):
    found = judge.judge(lambda feed: {"y": feed["x"] + 0.2 * np.sign(feed["x"])})
    assert found.counted == max(found.loss, found.floor)
    nothing = judge.judge(lambda feed: {"y": feed["x"] * np.nan})
    assert not Goal(max_loss=1e9).holds(nothing)


def test_the_floor_is_what_other_targets_cost_on_average():
    """Of targets that the fp32 model describes, the mean loss is the floor."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=(400, 5)).astype(np.float32)
    moved = x + 0.5 * chance.normal(size=x.shape).astype(np.float32)
    at = {sample.tobytes(): number for number, sample in enumerate(x)}
    drawn = {
        "mse": lambda: (x + chance.normal(size=x.shape)).astype(np.float32),
        "cross-entropy": lambda: (x + chance.gumbel(size=x.shape)).argmax(-1)[:, None],
        "accuracy": lambda: (x + chance.gumbel(size=x.shape)).argmax(-1)[:, None],
    }
    for name, targets in drawn.items():
        losses, floors = [], []
        for _ in range(20):
            y = targets()
            samples = Samples({"x": x}, {"y": y}, {}, tuple(range(400)))
            metrics = metrics_of(name, {"y": (1, 5) if name != "mse" else (5,)}, {"y": y})
            judge = Judge(samples, metrics, lambda feed: {"y": feed["x"][None]})
            found = judge.judge(lambda feed: {"y": moved[at[feed["x"].tobytes()]][None]})
            losses.append(found.loss)
            floors.append(found.floor)
        error = np.std(losses) / np.sqrt(len(losses))
        assert abs(np.mean(losses) - np.mean(floors)) < 4 * error < 0.6 * np.mean(floors), name


def test_distances_from_fp32_have_no_floor(samples):
    judge = Judge(samples, metrics_of("rms", {"y": (3,)}, {}), lambda feed: {"y": feed["x"]})
    assert judge.judge(noisy(0.1)).floor == 0.0
