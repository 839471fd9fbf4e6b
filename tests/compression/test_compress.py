"""The whole way: budgets, proof, controls, the artifact, the saved ONNX, and what goes wrong."""

import json
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import edgemoe
from edgemoe.buckets import plan_buckets
from edgemoe.cli.main import app
from edgemoe.compression.compress import compress
from edgemoe.compression.option import OptionMaker
from edgemoe.compression.region_view import regions_of
from edgemoe.compression.settings import Settings
from edgemoe.compression.task import task_of
from edgemoe.errors import BudgetError, InputError, OptionError
from edgemoe.frontend import load_model
from edgemoe.html_report import html_report
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.precision import parse_pins
from edgemoe.weight_format import F32

QUICK = Settings(seconds=1.0, formats=("f16", "i8", "i4", "i2"))


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


@pytest.fixture(scope="module")
def searched(model):
    """What is decided, with no artifact made of it: most that can go wrong shows there."""
    source = load_model(model[0])
    buckets = plan_buckets(source.model, None, {})

    def run(data=None, only=None, max_loss=None, settings=QUICK, **options):
        task = task_of(source, buckets, data or model[1], "auto", only=only)
        return compress(task, settings.goal(max_loss, None), settings=settings, **options)

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
    assert 16 * 8 <= region["tokens"] <= 24 * 8  # as many as there was time for
    assert sum(region["uses"]) == region["tokens"] * 2 and 0 < region["TLS"] < 1
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


def test_a_budget_of_bytes(compiled, model):
    full = 4 * sum(parameter.numel() for parameter in model[0][0].parameters())
    artifact = compiled(max_bytes=full // 4)
    assert artifact.manifest["memory"]["weights_bytes"] <= full // 4
    assert artifact.manifest["accuracy"]["loss"] < 0.5


def test_what_is_made_small(searched):
    """On a device that multiplies int8 twice as fast, latency keeps more bytes than bytes do."""
    seconds = {32: 4e-3, 16: 4e-3, 8: 1e-3, 4: 2e-3, 2: 2e-3}

    def costs(units, choices, show):
        return lambda unit, given: seconds[given.bits] * unit.depth * unit.columns

    kinds, sizes = {}, {}
    for objective in ("bytes", "latency", "both"):
        settings = replace(QUICK, objective=objective)
        found = searched(max_loss=0.05, settings=settings, costs=costs)
        assert found.verdict.counted <= 0.05
        pairs = zip(found.search.units, found.chosen.candidate.formats, strict=True)
        kinds[objective] = {given.bits for unit, given in pairs if unit.role == "expert"}
        sizes[objective] = found.chosen.nbytes
    assert kinds["latency"] == {8} and max(kinds["bytes"]) < 8
    assert sizes["bytes"] <= sizes["both"] <= sizes["latency"]


def test_times_of_the_target_are_measured(compiled):
    artifact = compiled(
        max_loss=0.05, compression=replace(QUICK, objective="latency", formats=("i8",))
    )
    assert artifact.manifest["accuracy"]["loss"] <= 0.05


@pytest.mark.parametrize(
    ("setting", "value"), [("objective", "watts"), ("rounding", "up"), ("prune_method", "luck"),
                           ("prune_scope", "city"), ("skip", 1.5)],
)  # fmt: skip
def test_settings_that_do_not_exist(compiled, setting, value):
    with pytest.raises(OptionError, match=str(value)):
        compiled(prune="34%", compression=replace(QUICK, **{setting: value}))


@pytest.mark.parametrize("method", ["merge", "merge-weights", "naee", "reap", "gate"])
def test_every_method_decides(searched, method):
    found = searched(prune="50%", settings=replace(QUICK, prune_method=method))
    pruning = found.option.decision.summary()["pruning"]
    if method.startswith("merge"):
        (merge,) = pruning["merged"]
        assert len(set(merge["target"])) == 3
    else:
        (kept,) = pruning["kept"]
        assert len(kept["experts"]) == 3
    assert {u.experts for u in found.search.units if u.role == "expert"} == {3}
    assert found.verdict.loss < 1.0


def test_merged_experts_compile(compiled):
    artifact = compiled(prune="50%", compression=replace(QUICK, prune_method="merge"))
    assert artifact.plan.variants[0].regions[0].experts == 3
    report = artifact.report()["compression"]
    assert artifact.manifest["accuracy"]["loss"] == pytest.approx(report["proof"]["loss"], abs=1e-3)


def test_choices_are_skipped_and_sublayers_go(compiled, searched):
    skipped = compiled(compression=replace(QUICK, skip=0.5))
    (beta,) = skipped.report()["compression"]["skipping"]
    assert 0 < beta["below"] < 1
    with skipped.load() as session:
        assert np.isfinite(session.run({"x": X[0]})["y"]).all()
    dropped = searched(settings=replace(QUICK, drop_branches=1))
    assert len(dropped.option.decision.branches) == 1
    assert not regions_of(dropped.option.graph)  # the only branch was that of the experts


def test_one_task_of_the_data(model, searched, tmp_path):
    data = {**model[1], "group:domain": np.array(["a", "b"] * 24)}
    found = searched(data, {"domain": "a"}, max_loss=0.05)
    assert found.verdict.samples == 12
    assert {n % 2 for n in (*found.proof.samples.numbers, *found.search.judge.samples.numbers)} == {
        0
    }
    with pytest.raises(InputError, match="there are a, b"):
        edgemoe.compile(
            model[0], out=tmp_path / "n.em", calibration=data, max_loss=0.05,
            task_group={"domain": "c"},
        )  # fmt: skip


def test_experts_go_where_a_ratio_asks_for_it(compiled):
    artifact = compiled(prune="34%")
    report = artifact.report()["compression"]
    (kept,) = report["pruning"]["kept"]
    assert kept["experts"] == [0, 1, 2, 3]
    assert artifact.plan.variants[0].regions[0].experts == 4
    losses = {c["name"].split(",")[0].split(" of ")[0]: c["loss"] for c in report["controls"]}
    assert losses["pruned"] < losses["random pruning"]  # the task can tell
    assert artifact.manifest["accuracy"]["loss"] == pytest.approx(losses["pruned"], abs=1e-4)


def test_pruning_and_precision_under_one_promise(searched):
    found = searched(max_loss=0.05, prune="auto")
    assert found.tried and found.verdict.counted <= 0.05


def test_what_goes_for_free_is_gone_in_every_search(searched, monkeypatch):
    """Experts whose removal alone costs nearly nothing: no time is spent on searches with them."""
    decisions = []
    make = OptionMaker.option
    monkeypatch.setattr(
        OptionMaker, "option", lambda self, given: decisions.append(given) or make(self, given)
    )
    ample = replace(QUICK, seconds=600.0)  # swaps end long before
    searched(max_loss=5.0, prune="auto", settings=ample)
    assert decisions and all(decision.removes_experts for decision in decisions)
    decisions.clear()
    searched(max_loss=0.0005, prune="auto", settings=ample)
    assert not all(decision.removes_experts for decision in decisions)


def test_searches_that_there_is_no_time_for_are_counted(searched):
    hasty = replace(QUICK, seconds=0.0)
    found = searched(max_loss=0.5, prune="auto", settings=hasty)
    notes = [note for note in found.report()["notes"] if note.startswith("no time for")]
    assert len(notes) == 1 and notes[0].endswith("give --search-time more")
    assert found.verdict.counted <= 0.5


def test_pins_are_not_searched(searched):
    rest, pins = parse_pins("auto,head.*=f32,router=f32")
    found = searched(max_loss=0.05, precision=rest, pins=pins)
    formats = dict(zip(found.search.units, found.chosen.candidate.formats, strict=True))
    pinned = [unit for unit in formats if unit.role == "router" or "head" in unit.title]
    assert len(pinned) == 2 and all(formats[unit] == F32 for unit in pinned)
    assert any(given.is_integer for given in formats.values())


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
    losses = {}  # with time for all samples: on a busy machine fewer make worse Gram matrices
    for rounding in ("gptq", "nearest"):
        artifact = compiled(
            precision="i2", compression=Settings(seconds=60.0, rounding=rounding), metric="kl"
        )
        losses[rounding] = artifact.manifest["accuracy"]["loss"]
        assert {s.format for s in artifact.plan.weights if s.role == "expert"} == {"i2"}
    assert losses["gptq"] < losses["nearest"]


@pytest.mark.needs("aarch64-linux-gnu-gcc")
def test_a_device_that_is_not_here(compiled):
    artifact = compiled(target="aarch64", cpu="aarch64", max_loss=0.02)
    accuracy = artifact.manifest["accuracy"]
    assert accuracy["loss"] <= 0.02
    assert "samples that the search did not see, by a copy for" in accuracy["data"]
    assert "as aarch64 is not here" in accuracy["data"]


def test_too_few_samples(compiled, model):
    few = {name: array[:7] for name, array in model[1].items()}
    with pytest.raises(InputError, match="7 calibration samples are too few"):
        compiled(max_loss=0.01, calibration=few)


def test_the_command_line(model, tmp_path):
    torch.onnx.export(
        model[0][0].eval(), model[0][1], tmp_path / "m.onnx", dynamo=True, verbose=False,
        input_names=["x"], output_names=["y"],
    )  # fmt: skip
    np.savez(tmp_path / "c.npz", **model[1])
    result = CliRunner().invoke(app, [
        "compile", str(tmp_path / "m.onnx"), "-t", "cpu", "--cpu", "native", "-o",
        str(tmp_path / "m.em"), "--calibration", str(tmp_path / "c.npz"), "--max-loss", "2%",
        "--search-time", "1", "-v", "--json", str(tmp_path / "r.json"),
    ])  # fmt: skip
    assert result.exit_code == 0, result.output
    for word in ("cross-entropy of y: loss", "uniform int4", "average", "tokens per expert"):
        assert word in result.stdout
    assert json.loads((tmp_path / "r.json").read_text())["manifest"]["accuracy"]["loss"] <= 0.02
