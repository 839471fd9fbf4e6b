"""A control is another model: same samples, its own bytes; what does not fit is said with names."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

import edgemoe
from edgemoe.buckets import plan_buckets
from edgemoe.cli.compression_text import compression_text
from edgemoe.compression.judge import Judge
from edgemoe.compression.settings import Settings
from edgemoe.compression.task import task_of
from edgemoe.compression.trained_controls import stored_bytes, trained_controls
from edgemoe.errors import EdgemoeError, InputError, OptionError
from edgemoe.frontend import Source, load_model

CHANCE = np.random.default_rng(0)
X = CHANCE.normal(size=(32, 4, 16)).astype(np.float32)
W = CHANCE.normal(size=(16, 6)).astype(np.float32)
Y = (X @ W + CHANCE.normal(size=(32, 4, 6))).astype(np.float32)


def graph(body, x="float[4,16] x", y="float[4,6] y", **weights):
    model = ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["" : 21]> g ({x}) => ({y}) {{ {body} }}'
    )
    for name, array in weights.items():
        value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
        for node in model.graph:
            for place, source in enumerate(node.inputs):
                if source is not None and source.name == name:
                    node.replace_input_with(place, value)
        model.graph.inputs[:] = [v for v in model.graph.inputs if v.name != name]
        model.graph.register_initializer(value)
    return model


def product(x="float[4,16] x", y="float[4,6] y", weight=W, xs="x", ys="y"):
    shape = ",".join(map(str, weight.shape))
    return graph(f"{ys} = MatMul({xs}, w)", f"{x}, float[{shape}] w", y, w=weight)


@pytest.fixture
def task():
    source = load_model(product())
    given = {"x": X, "target:y": Y}
    return task_of(source, plan_buckets(source.model, None, {}), given, "auto")


def judged(task, model):
    (control,) = trained_controls({"dense": model}, task)
    return control.judged(Judge(task.samples, task.metrics, lambda feed: {"y": feed["x"] @ W}))


def test_a_control_is_judged_beside_fp32(task):
    small = (W * (np.arange(16) < 8)[:, None]).astype(np.float32)
    found = judged(task, product(weight=small))
    wanted = np.mean((X @ small - Y) ** 2) / np.mean((X @ W - Y) ** 2) - 1
    assert found.verdict.loss == pytest.approx(wanted, rel=1e-3)
    assert (found.name, found.nbytes) == ("dense", 4 * 16 * 6)


def test_dynamic_axes_are_bound_to_the_samples(task):
    assert judged(task, product("float[T,16] x", "float[T,6] y")).verdict.loss == 0.0


def test_bytes_are_those_that_are_stored():
    codes = np.zeros((16, 6), np.int8)
    model = graph(
        "d = DequantizeLinear(w, s) y = MatMul(x, d)",
        "float[4,16] x, int8[16,6] w, float s", w=codes, s=np.float32(0.5),
    )  # fmt: skip
    assert stored_bytes(model) == 16 * 6 + 4
    inside = graph("c = Constant <value = float[3] {1.0, 2.0, 3.0}> () y = Add(x, c)")
    assert stored_bytes(inside) == 12
    shared = ir.tensor(W, name="w")
    twice = product()
    twice.graph.initializers["w"].const_value = shared
    twice.graph.register_initializer(ir.Value(name="again", const_value=shared))
    assert stored_bytes(twice) == W.nbytes


CASES = {
    "input": (product("float[4,16] z", xs="z"), "dense: the model has no input 'x', which"),
    "shape": (product("float[5,16] x"), "dense: input 'x' is FLOAT [5,16], the compressed model's"),
    "rank": (product("float[1,4,16] x", "float[1,4,6] y"), "input 'x' is FLOAT [1,4,16]"),
    "output": (product(y="float[4,6] z", ys="z"), "dense: the model has no output 'y', which is"),
    "width": (product(y="float[4,5] y", weight=W[:, :5]), "dense: output 'y' is FLOAT [4,5], the"),
    "more": (graph("y = MatMul(x, z)", "float[4,16] x, float[16,6] z"),
             "dense: input 'z' is neither in the calibration data nor a state"),
    "open": (graph("s = ReduceSum <keepdims=0> (z) p = MatMul(x, w) y = Add(p, s)",
                   "float[4,16] x, float[Q] z, float[16,6] w", w=W),
             "dense: dimension 'Q' is of an input that the compressed model does not have"),
}  # fmt: skip


def test_a_state_is_the_control_s_own(task):
    """A narrower cache of the same name starts at zero and has nothing to fit."""
    model = graph(
        "p = MatMul(x, w) s = ReduceSum <keepdims=0> (past) y = Add(p, s) new = Identity(past)",
        "float[4,16] x, float[3] past, float[16,6] w", "float[4,6] y, float[3] new", w=W,
    )  # fmt: skip
    source = Source(model, "narrow", states={"past": "new"})
    wide = replace(task, samples=replace(task.samples, rest={"past": np.ones(5, np.float32)}))
    assert judged(wide, source).verdict.loss == 0.0


@pytest.mark.parametrize("case", CASES)
def test_models_that_do_not_fit(task, case):
    model, message = CASES[case]
    with pytest.raises(InputError) as caught:
        trained_controls({"dense": model}, task)
    assert message in str(caught.value)


def test_a_name_that_the_report_has(task):
    with pytest.raises(OptionError, match=r"uniform int8=.*the report has a row of that name"):
        trained_controls({"uniform int8": product()}, task)


def test_a_model_that_is_not_there(task):
    with pytest.raises(EdgemoeError, match=r"nowhere\.onnx"):
        trained_controls({"dense": "nowhere.onnx"}, task)


def test_the_report_has_a_row(tmp_path):
    options = {
        "out": tmp_path / "m", "cpu": "native", "calibration": {"x": X, "target:y": Y},
        "controls": {"dense": product(weight=np.zeros_like(W))},
    }  # fmt: skip
    quick = Settings(seconds=1.0, formats=("i8",))
    artifact = edgemoe.compile(product(), max_loss=0.05, compression=quick, **options)
    report = artifact.report()["compression"]
    row = next(c for c in report["controls"] if c["name"] == "dense")
    assert row["bytes"] == W.nbytes and row["loss"] > 1
    assert "dense" in compression_text(report, verbose=False)
    with pytest.raises(OptionError, match="--control dense: a control stands beside"):
        edgemoe.compile(product(), **options, precision="f32")
