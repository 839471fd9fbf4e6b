"""The whole way: budgets, proof, controls, the artifact, the saved ONNX, and what goes wrong."""

import json

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import edgemoe
from edgemoe.cli.main import app
from edgemoe.compression.settings import Settings
from edgemoe.errors import BudgetError, InputError, OptionError
from edgemoe.html_report import html_report
from edgemoe.pass_check import run_in_onnxruntime

QUICK = Settings(seconds=4.0, formats=("f16", "i8", "i4", "i2"))


class MoE(nn.Module):
    """x [T, 32] -> [T, 6]; experts 4 and 5 are hardly ever chosen."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.router = nn.Linear(32, 6)
        self.router.bias.data[4:] = -4.0
        self.up = nn.Parameter(torch.randn(6, 32, 64) * 0.2)
        self.down = nn.Parameter(torch.randn(6, 64, 32) * 0.2)
        self.head = nn.Linear(32, 6)
        self.export_options = {"input_names": ["x"], "output_names": ["y"]}

    def forward(self, x):
        w, ids = self.router(x).softmax(-1).topk(2, -1)
        h = torch.relu(torch.einsum("th,tkhi->tki", x, self.up[ids]))
        y = (torch.einsum("tki,tkih->tkh", h, self.down[ids]) * w.unsqueeze(-1)).sum(1)
        return self.head(x + y)


X = np.random.default_rng(0).normal(size=(48, 8, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    module = MoE()
    with torch.no_grad():
        logits = module(torch.from_numpy(X).reshape(-1, 32)).reshape(48, 8, 6).numpy()
    labels = (logits + np.random.default_rng(1).gumbel(size=logits.shape)).argmax(-1)
    return (module, (torch.from_numpy(X[0]),)), {"x": X, "target:y": labels}


@pytest.fixture
def compiled(model, tmp_path):
    def run(**options):
        given = {"cpu": "native", "calibration": model[1], "compression": QUICK, **options}
        return edgemoe.compile(model[0], out=tmp_path / "m.em", **given)

    return run


def test_a_promise_is_kept_and_proved(compiled, tmp_path):
    artifact = compiled(max_loss=0.02, save_onnx=tmp_path / "m.onnx")
    accuracy, report = artifact.manifest["accuracy"], artifact.report()["compression"]
    assert accuracy["metric"] == "cross-entropy" and accuracy["loss"] <= 0.02
    assert accuracy["data"] == "24 samples that the search did not see"
    # what the trial foresaw is what the kernels do
    assert accuracy["loss"] == pytest.approx(report["proof"]["loss"], abs=2e-4)
    f32 = next(c for c in report["controls"] if c["name"] == "fp32")
    assert artifact.manifest["memory"]["weights_bytes"] < f32["bytes"] / 3
    assert {c["name"] for c in report["controls"]} >= {"uniform int8", "uniform int4"}
    assert report["total"]["after"] == pytest.approx(
        artifact.manifest["memory"]["weights_bytes"], abs=64 * len(artifact.plan.weights)
    )
    (region,) = report["calibration"]["regions"]
    assert sum(region["uses"]) == 24 * 8 * 2 and 0 < region["TLS"] < 1
    assert not list(tmp_path.glob(".*.jsonl"))  # the journal goes when the search is done
    _runs_in_onnxruntime(tmp_path / "m.onnx", artifact)
    page = html_report(artifact.plan, artifact.manifest, artifact.read_report())
    assert "Compression" in page and "uniform int4" in page and "head.weight" in page
    shown = CliRunner().invoke(app, ["inspect", str(artifact.path)])
    assert shown.exit_code == 0 and "on the proof part" in shown.stdout


def _runs_in_onnxruntime(path, artifact):
    saved = ir.load(path)
    dequantised = [n for n in saved.graph if n.op_type == "DequantizeLinear"]
    assert dequantised
    with artifact.load() as session:
        got = session.run({"x": X[0]})["y"]
    wanted = run_in_onnxruntime(saved, {"x": X[0]})[0]
    assert np.sqrt(np.mean((got - wanted) ** 2) / np.mean(wanted**2)) < 0.1


def test_a_budget_of_bytes(compiled):
    full = compiled(precision="f32").manifest["memory"]["weights_bytes"]
    artifact = compiled(max_bytes=full // 4)
    assert artifact.manifest["memory"]["weights_bytes"] <= full // 4
    assert artifact.manifest["accuracy"]["loss"] < 0.5


def test_what_is_made_small(compiled):
    """Latency may keep more bytes; both lie between; times are measured, so only bounds hold."""
    from dataclasses import replace

    found = {
        objective: compiled(max_loss=0.05, compression=replace(QUICK, objective=objective))
        for objective in ("bytes", "latency", "both")
    }
    size = {name: a.manifest["memory"]["weights_bytes"] for name, a in found.items()}
    assert size["bytes"] <= min(size["latency"], size["both"])
    assert all(a.manifest["accuracy"]["loss"] <= 0.05 for a in found.values())


@pytest.mark.parametrize(
    ("setting", "value"), [("objective", "watts"), ("rounding", "up"), ("prune_method", "luck"),
                           ("prune_scope", "city"), ("skip", 1.5)],
)  # fmt: skip
def test_settings_that_do_not_exist(compiled, setting, value):
    from dataclasses import replace

    with pytest.raises(OptionError, match=str(value)):
        compiled(prune="34%", compression=replace(QUICK, **{setting: value}))


@pytest.mark.parametrize("method", ["merge", "merge-weights", "naee", "reap", "gate"])
def test_every_method_compiles(compiled, method):
    from dataclasses import replace

    artifact = compiled(prune="50%", compression=replace(QUICK, prune_method=method))
    report = artifact.report()["compression"]
    if method.startswith("merge"):
        (merge,) = report["pruning"]["merged"]
        assert len(set(merge["target"])) == 3
    else:
        (kept,) = report["pruning"]["kept"]
        assert len(kept["experts"]) == 3
    assert artifact.plan.variants[0].regions[0].experts == 3
    assert artifact.manifest["accuracy"]["loss"] < 1.0


def test_choices_are_skipped_and_sublayers_go(compiled):
    from dataclasses import replace

    skipped = compiled(compression=replace(QUICK, skip=0.5))
    (beta,) = skipped.report()["compression"]["skipping"]
    assert 0 < beta["below"] < 1
    with skipped.load() as session:
        assert np.isfinite(session.run({"x": X[0]})["y"]).all()
    dropped = compiled(compression=replace(QUICK, drop_branches=1))
    assert len(dropped.report()["compression"]["branches"]) == 1
    assert not dropped.plan.variants[0].regions  # the only branch was that of the experts


def test_one_task_of_the_data(model, tmp_path):
    data = {**model[1], "group:domain": np.array(["a", "b"] * 24)}
    options = {"cpu": "native", "calibration": data, "compression": QUICK, "max_loss": 0.05}
    artifact = edgemoe.compile(
        model[0], out=tmp_path / "m.em", task_group={"domain": "a"}, **options
    )
    assert artifact.manifest["accuracy"]["data"] == "12 samples that the search did not see"
    with pytest.raises(InputError, match="there are a, b"):
        edgemoe.compile(model[0], out=tmp_path / "n.em", task_group={"domain": "c"}, **options)


def test_experts_go_where_a_ratio_asks_for_it(compiled):
    artifact = compiled(prune="34%")
    report = artifact.report()["compression"]
    (kept,) = report["pruning"]["kept"]
    assert kept["experts"] == [0, 1, 2, 3]
    assert artifact.plan.variants[0].regions[0].experts == 4
    losses = {c["name"].split(",")[0].split(" of ")[0]: c["loss"] for c in report["controls"]}
    assert losses["pruned"] < losses["random pruning"]  # the task can tell
    assert artifact.manifest["accuracy"]["loss"] == pytest.approx(losses["pruned"], abs=1e-4)


def test_pruning_and_precision_under_one_promise(compiled):
    both = compiled(max_loss=0.05, prune="auto")
    assert both.report()["compression"]["tried"]
    assert both.manifest["accuracy"]["loss"] <= 0.05


def test_pins_are_not_searched(compiled):
    artifact = compiled(max_loss=0.05, precision="auto,head.*=f32,router=f32")
    formats = {s.name: s.format for s in artifact.plan.weights}
    assert next(f for n, f in formats.items() if n.startswith("head")) == "float32"
    assert {s.format for s in artifact.plan.weights if s.role == "router"} == {"float32"}
    assert any(f.startswith("i") for f in formats.values())


def test_a_loss_that_bytes_do_not_allow(compiled, tmp_path):
    with pytest.raises(BudgetError) as caught:
        compiled(max_loss=0.0005, max_bytes=3000)
    for word in ("0.050%", "--max-bytes allows 3,000 B", "nearest", "try"):
        assert word in str(caught.value)
    assert caught.value.exit_code == 3 and not (tmp_path / "m.em").exists()


def test_bytes_that_no_format_reaches(compiled):
    with pytest.raises(BudgetError, match="the smallest that the formats allow is"):
        compiled(max_bytes=500)


def test_a_format_that_breaks_the_promise(compiled, tmp_path):
    with pytest.raises(BudgetError, match=r"--max-loss 0[.]010% cannot be kept: even with i2"):
        compiled(precision="i2", max_loss=0.0001)
    assert not (tmp_path / "m.em").exists()


def test_a_format_by_name_is_rounded_by_gptq_and_measured(compiled):
    losses = {}
    for rounding in ("gptq", "nearest"):
        artifact = compiled(
            precision="i2", compression=Settings(seconds=4.0, rounding=rounding), metric="kl"
        )
        losses[rounding] = artifact.manifest["accuracy"]["loss"]
        assert {s.format for s in artifact.plan.weights if s.role == "expert"} == {"i2"}
    assert losses["gptq"] < losses["nearest"]


@pytest.mark.needs("aarch64-linux-gnu-gcc")
def test_a_device_that_is_not_here(compiled):
    artifact = compiled(target="aarch64", cpu="aarch64", max_loss=0.02)
    accuracy = artifact.manifest["accuracy"]
    assert accuracy["loss"] <= 0.02 and "in onnxruntime" in accuracy["data"]


def test_too_few_samples(compiled, model):
    few = {name: array[:7] for name, array in model[1].items()}
    with pytest.raises(InputError, match="7 calibration samples are too few"):
        compiled(max_loss=0.01, calibration=few)


def test_a_search_that_was_killed_goes_on(compiled, tmp_path, monkeypatch):
    from edgemoe.compression import option

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(option, "evolve", killed)
        with pytest.raises(KeyboardInterrupt):
            compiled(max_loss=0.02)
    (journal,) = tmp_path.glob(".*.jsonl")
    known = journal.read_text().count('"verdict"')
    assert known > 5
    report = compiled(max_loss=0.02).report()["compression"]
    assert report["reused"] >= known


def test_the_command_line(model, tmp_path):
    torch.onnx.export(
        model[0][0].eval(), model[0][1], tmp_path / "m.onnx", dynamo=True, verbose=False,
        input_names=["x"], output_names=["y"],
    )  # fmt: skip
    np.savez(tmp_path / "c.npz", **model[1])
    result = CliRunner().invoke(app, [
        "compile", str(tmp_path / "m.onnx"), "-t", "cpu", "--cpu", "native", "-o",
        str(tmp_path / "m.em"), "--calibration", str(tmp_path / "c.npz"), "--max-loss", "2%",
        "--search-time", "4", "-v", "--json", str(tmp_path / "r.json"),
    ])  # fmt: skip
    assert result.exit_code == 0, result.output
    for word in ("cross-entropy of y: loss", "uniform int4", "average", "tokens per expert"):
        assert word in result.stdout
    assert json.loads((tmp_path / "r.json").read_text())["manifest"]["accuracy"]["loss"] <= 0.02
