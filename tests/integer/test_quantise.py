"""From a model and samples to an integer model: shipped models, budgets, hostile input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe.buckets import plan_buckets
from edgemoe.compression.goal import Goal
from edgemoe.compression.judge import Judge
from edgemoe.compression.samples import Samples, samples_of
from edgemoe.compression.task import Task, task_of
from edgemoe.errors import BudgetError, InputError, OptionError
from edgemoe.frontend import load_model
from edgemoe.integer.model import IntegerModel
from edgemoe.integer.quantise import quantise
from edgemoe.models.calibration import arrays
from edgemoe.pass_runner import run_passes
from edgemoe.precision import parse_pins
from edgemoe.reference import Reference

TEXT = Path(__file__).parents[2] / "edgemoe" / "models" / "data" / "sonnet18.txt"


class Shipped:
    """A shipped model's fused graph, and judges on its data."""

    def __init__(self, factory: str, calibration: dict[str, Any], test: dict[str, Any]) -> None:
        self.source = load_model(f"edgemoe.models.{factory}")
        self.buckets = plan_buckets(self.source.model, None, {})
        self.task = task_of(self.source, self.buckets, calibration, "auto")
        self.graph = self.buckets.bind(self.task.count)
        run_passes(self.graph)
        reference = Reference(self.buckets)
        test_task = task_of(self.source, self.buckets, test, "auto")
        self.judge = Judge(
            test_task.samples, test_task.metrics, lambda f: reference.run(f, test_task.count)
        )


@pytest.fixture(scope="module")
def digits() -> Shipped:
    return Shipped(
        "digits_mixer:digits",
        arrays("digits", samples=16),
        arrays("digits", None, split="test", samples=100),
    )


@pytest.fixture(scope="module")
def plain(digits: Shipped) -> IntegerModel:
    return quantise(digits.graph, digits.task, precision="i8")


def test_digits(digits: Shipped, plain: IntegerModel) -> None:
    verdict = digits.judge.judge(plain.run)
    assert verdict.loss < 1.5 / 98  # floats recognise 98 of 100 images; see the next test
    assert 1e-3 < verdict.rms["logits"] < 0.05  # too good means that nothing was rounded
    report = plain.report
    assert report["islands"] == [] and report["proven_on_unseen_samples"]
    assert set(report["controls"]) == {"fp32", "all int8", "all int16"}
    assert report["controls"]["all int16"]["error"] < report["controls"]["all int8"]["error"]
    assert sum(report["bytes"].values()) == plain.weight_bytes < 24_000
    names = [str(v.name) for v in plain.model.graph.outputs]
    assert names == ["logits"] and plain.inputs["image"] is not None


def test_digits_that_are_lost_were_ties(digits: Shipped, plain: IntegerModel) -> None:
    """16 images say little of ranges: what integers take for another digit, floats nearly do."""
    reference = Reference(digits.buckets)
    changed = 0
    for image in arrays("digits", None, split="test", samples=100)["image"]:
        floats = reference.run({"image": image}, digits.task.count)["logits"].reshape(-1)
        integers = plain.run({"image": image})["logits"].reshape(-1)
        first, second = np.sort(floats)[::-1][:2]
        if floats.argmax() != integers.argmax():
            changed += 1
            assert first - second < 3 * np.sqrt(np.mean((floats - integers) ** 2))
    assert changed <= 3


def test_every_tensor_has_a_shape_a_type_and_a_scale(plain: IntegerModel) -> None:
    for node in plain.model.graph:
        for value in node.outputs:
            assert value.dtype in (ir.DataType.INT8, ir.DataType.INT16, ir.DataType.INT32)
            assert value.shape is not None and value.shape.is_static()
    names = [str(v.name) for node in plain.model.graph for v in node.outputs]
    assert len(names) == len(set(names))


def test_it_is_an_onnx_file(plain: IntegerModel, digits: Shipped, tmp_path: Path) -> None:
    ir.save(plain.model, tmp_path / "integer.onnx")
    again = replace(plain, model=ir.load(tmp_path / "integer.onnx"))
    codes = plain.encode(digits.task.samples.feed(1))
    got, wanted = again.run_integers(codes), plain.run_integers(codes)
    assert np.array_equal(got["logits"], wanted["logits"])


def test_transpositions_of_token_mixing_cancel(plain: IntegerModel) -> None:
    kinds = [node.op_type for node in plain.model.graph]
    assert kinds.count("Transpose") <= 1 + 2 * 3 + 2  # patches, and two around each token mixing


def test_equal_runs_are_equal(digits: Shipped, plain: IntegerModel) -> None:
    again = quantise(digits.graph, digits.task, precision="i8")
    assert again.report == plain.report
    feed = digits.task.samples.feed(0)
    assert np.array_equal(again.run(feed)["logits"], plain.run(feed)["logits"])


def test_pins(digits: Shipped) -> None:
    rest, pins = parse_pins("i8,head.weight=i4,*token_in*=ternary")
    found = quantise(digits.graph, digits.task, precision=rest, pins=pins, wide=["mean"])
    formats = found.report["formats"]
    assert formats["head.weight"] == "i4"
    assert sorted(formats.values()).count("ternary") == 3
    assert found.tensors["mean"].bits == 16
    for text in ("i8,nothing=i4", "i8,head.weight=f32", "i8,head.weight=i4.zp"):
        with pytest.raises(OptionError):
            quantise(digits.graph, digits.task, precision="i8", pins=parse_pins(text)[1])
    with pytest.raises(OptionError, match="no tensor"):
        quantise(digits.graph, digits.task, precision="i8", wide=["nothing"])
    with pytest.raises(OptionError, match="i8, i4, ternary"):
        quantise(digits.graph, digits.task, precision="f32")


def test_co2_reaches_beyond_what_calibration_saw() -> None:
    shipped = Shipped(
        "forecaster:co2", arrays("co2", samples=64), arrays("co2", split="test", samples=60)
    )
    found = quantise(shipped.graph, shipped.task, precision="i8")
    verdict = shipped.judge.judge(found.run)
    assert abs(verdict.loss) <= 0.01
    assert found.inputs["x"].bits == found.outputs["y"].bits == 16


def waves(count: int) -> dict[str, np.ndarray]:
    """Windows like those of a transformer: daily cycles of chance phases and noise."""
    chance = np.random.default_rng(0)
    hours = np.arange(96)[None, :, None] + 24 * chance.random((count, 1, 7))
    noise = 0.3 * chance.standard_normal((count, 96, 7))
    return {"x": (np.sin(hours * np.pi / 12) + noise).astype(np.float32)[:, None]}


def test_sensor_moe() -> None:
    shipped = Shipped("sensor_moe:sensor_moe", waves(8), waves(24))
    found = quantise(shipped.graph, shipped.task, precision="i8")
    kinds = {node.op_type for node in found.model.graph}
    assert kinds >= {"ExpertLinear", "TopK", "Shares", "WeighRows", "ExpertSum"}
    assert not found.islands
    verdict = shipped.judge.judge(found.run)
    assert 1e-3 < verdict.rms["logits"] < 0.05
    same_bits(found, [shipped.task.samples.feed(n) for n in range(5)])


def same_bits(model: IntegerModel, feeds: list[dict[str, np.ndarray]]) -> None:
    """Several samples at once give what each alone gives."""
    for feed, made in zip(feeds, model.run_many(feeds), strict=True):
        alone = model.run(feed)
        assert all(np.array_equal(alone[name], array) for name, array in made.items())


def test_char_moe_is_integers_throughout() -> None:
    source = load_model("edgemoe.models.moe_lm:char_moe", dynamic=True)
    buckets = plan_buckets(source.model, [24], {})
    letters = np.frombuffer(TEXT.read_bytes(), np.uint8).astype(np.int64) % 96
    given = {"tokens": np.stack([letters[n : n + 24] for n in range(0, 200, 20)])}
    task = task_of(source, buckets, given, "auto")
    graph = buckets.bind(24)
    run_passes(graph)
    # no search: what it decides is tested on smaller models
    few = Task(task.source, task.buckets, task.count, task.samples.some(range(4)), task.metrics)
    found = quantise(graph, few, precision="i8")
    assert not found.islands and not found.report["proven_on_unseen_samples"]
    assert found.inputs["tokens"] is None
    assert found.inputs["k_cache_0"] == found.outputs["k_cache_0_out"]
    assert found.inputs["k_cache_0"].bits == 8
    assert found.report["value"] < 0.1  # relative RMS error of the logits, by the metric "rms"
    same_bits(found, [few.samples.feed(n) for n in range(3)])


def tiny(
    text: str, arrays: dict[str, np.ndarray], constants: dict[str, np.ndarray] | None = None
) -> tuple[ir.Model, Samples]:
    model = ir.from_onnx_text('<ir_version: 10, opset_import: ["" : 23]>\n' + text)
    for value in list(model.graph.inputs):
        if constants and value.name in constants:
            value.const_value = ir.tensor(constants[str(value.name)].astype(np.float32))
            model.graph.inputs.remove(value)
            model.graph.register_initializer(value)
    return model, samples_of(arrays, model, {})


TANH = "g (float[1, 4] x) => (float[1, 4] y) { y = Tanh (x) }"


def perceptron() -> tuple[ir.Model, Samples]:
    """Two layers, the first with more weights than the second, and 24 samples."""
    chance = np.random.default_rng(0)
    samples = {"x": chance.standard_normal((24, 1, 32)).astype(np.float32)}
    model, found = tiny(
        """g (float[1, 32] x, float[32, 64] v, float[64, 8] w) => (float[1, 8] y) {
            m = MatMul (x, v)
            a = Gelu (m)
            y = MatMul (a, w)
        }""",
        samples,
        {"v": chance.standard_normal((32, 64)), "w": chance.standard_normal((64, 8))},
    )
    return model, found


def test_bytes_make_weights_narrow() -> None:
    model, samples = perceptron()
    whole = quantise(model, samples).weight_bytes
    limit = whole - 1200
    found = quantise(model, samples, goal=Goal(max_bytes=limit))
    assert limit - 1100 < found.weight_bytes <= limit
    assert "i4" in found.report["formats"].values() or "ternary" in found.report["formats"].values()
    with pytest.raises(BudgetError, match=r"nearest: [\d,]+ B with a loss of"):
        quantise(model, samples, goal=Goal(max_bytes=100))


def test_a_promise_is_proven_or_refused_with_what_comes_nearest() -> None:
    model, samples = perceptron()
    loose = quantise(model, samples, goal=Goal(max_loss=0.5))
    tight = quantise(model, samples, goal=Goal(max_loss=0.02))
    assert loose.report["loss"] <= 0.5 and tight.report["loss"] <= 0.02
    assert loose.weight_bytes < tight.weight_bytes
    with pytest.raises(BudgetError, match="max-loss"):
        quantise(model, samples, precision="ternary", goal=Goal(max_loss=0.01))


def test_a_promise_widens_tensors() -> None:
    model, samples = perceptron()
    eight = quantise(model, samples, goal=Goal(max_loss=0.05))
    sixteen = quantise(model, samples, goal=Goal(max_loss=0.015))
    assert not eight.report["tensors"]["widened_by_the_search"]
    assert sixteen.report["tensors"]["widened_by_the_search"] == ["a", "m"]
    assert sixteen.report["loss"] <= 0.015 < eight.report["loss"]


def test_hostile_samples() -> None:
    model, samples = tiny(TANH, {"x": np.full((3, 1, 4), np.nan, np.float32)})
    with pytest.raises(InputError, match="NaN"):
        quantise(model, samples)
    model, samples = tiny(TANH, {"x": np.zeros((3, 1, 4), np.float32)})
    with pytest.raises(InputError, match="no sample"):
        quantise(model, samples.some([]))
    with pytest.raises(InputError, match="8 calibration samples"):
        quantise(model, samples, goal=Goal(max_loss=0.1))
    found = quantise(model, samples)
    assert set(found.report["never_seen"]) == {"x", "y"}  # always 0


def test_a_nan_that_the_model_makes_is_named() -> None:
    model, samples = tiny(
        "g (float[1, 4] x) => (float[1, 4] y) { y = Log (x) }",
        {"x": np.full((3, 1, 4), -1.0, np.float32)},
    )
    with pytest.raises(InputError, match="makes y NaN"):
        quantise(model, samples)


def test_islands_are_reported_with_their_origin() -> None:
    model, samples = tiny(
        """g (float[1, 4] x) => (float[1, 4] y) {
            a = Constant <value_ints = [1]> ()
            z = Squeeze (a)
            c = CumSum (x, z)
            y = Tanh (c)
        }""",
        {"x": np.random.default_rng(0).standard_normal((12, 1, 4)).astype(np.float32)},
    )
    for node in model.graph:
        node.metadata_props["edgemoe.origin"] = f"layers.0.{node.op_type}"
    found = quantise(model, samples)
    (island,) = found.report["islands"]
    assert island["origin"] == "layers.0.CumSum" and island["why"]
    assert found.report["value"] < 0.05


def test_inputs_are_checked(plain: IntegerModel) -> None:
    with pytest.raises(InputError, match="missing"):
        plain.run({})
    codes = plain.encode({"image": np.zeros((1, 1, 8, 8), np.float32)})
    with pytest.raises(InputError, match="it takes"):
        plain.run_integers({"image": codes["image"].astype(np.int32)})
    with pytest.raises(InputError, match="shape"):
        plain.run_integers({"image": codes["image"][:, :, :4]})


def test_saturation_is_counted(digits: Shipped, plain: IntegerModel) -> None:
    feed = {"image": 100 * digits.task.samples.feed(0)["image"] + 50}
    shares = plain.saturation(feed)
    assert max(shares.values()) > 0.5
