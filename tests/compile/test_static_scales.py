"""Int8 models with scales of activations from calibration: errors, chains of codes, the report."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import edgemoe
from edgemoe.artifact import Artifact
from edgemoe.cli.static_text import static_text
from edgemoe.compression.settings import Settings
from edgemoe.errors import OptionError, StrictError
from edgemoe.static_scales import find_scales

TOKENS, CHANNELS = 12, 40


class Mixer(nn.Module):
    """Token mixing, channel mixing, a branch on an input of its own, a gate after the norm."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(CHANNELS) for _ in range(3))
        self.mix = nn.ModuleList([nn.Linear(TOKENS, 24), nn.Linear(24, TOKENS)])
        self.channels = nn.ModuleList([nn.Linear(CHANNELS, 70), nn.Linear(70, CHANNELS)])
        self.side = nn.Linear(9, CHANNELS)
        self.gate, self.value = nn.Linear(CHANNELS, 33), nn.Linear(CHANNELS, 33)

    def forward(self, x, side):
        mixed = self.mix[1](F.gelu(self.mix[0](self.norms[0](x).transpose(1, 2)))).transpose(1, 2)
        x = x + mixed
        x = x + self.channels[1](F.gelu(self.channels[0](self.norms[1](x))))
        x = x + self.side(side)[:, None]
        z = self.norms[2](x)
        return torch.sigmoid(self.gate(z)) * self.value(z)


def samples(count=24, seed=0):
    chance = np.random.default_rng(seed)
    return {
        "x": chance.standard_normal((count, 2, TOKENS, CHANNELS)).astype(np.float32),
        "side": np.zeros((count, 2, 9), np.float32),  # never seen
    }


@pytest.fixture(scope="module")
def mixer():
    torch.manual_seed(0)
    return Mixer().eval()


def compiled(module, folder, precision, **options):
    example = (torch.randn(2, TOKENS, CHANNELS), torch.zeros(2, 9))
    return edgemoe.compile(
        (module, example), precision=precision, calibration=samples(), cpu="native",
        out=folder / f"{precision}.em", compression=Settings(rounding="nearest"), **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def artifact(mixer, tmp_path_factory) -> Artifact:
    return compiled(mixer, tmp_path_factory.mktemp("static"), "i8.static")


def error_of(artifact, module):
    data = samples(1, seed=1)
    x, side = data["x"][0], data["side"][0]
    with torch.no_grad():
        wanted = module(torch.from_numpy(x), torch.from_numpy(side)).numpy()
    with edgemoe.load(artifact.path, verify=True) as session:
        (result,) = session.run({"x": x, "side": side}).values()
        return float(np.sqrt(np.mean((result - wanted) ** 2) / np.mean(wanted**2)))


def test_the_error_is_that_of_eight_bits(artifact, mixer):
    assert 2e-3 < error_of(artifact, mixer) < 3e-2


def steps_of(artifact):
    return [step.kernel.rsplit("_", 1)[0] for step in artifact.plan.variants[0].steps]


def test_norms_and_products_write_what_the_next_product_reads(artifact):
    """No row is rounded on its own: the norms before products, and the product before one."""
    written = [s for s in artifact.plan.variants[0].steps if "written as codes" in s.reason]
    kinds = [step.kernel.rsplit("_", 1)[0] for step in written]
    assert kinds == ["norm", "linear", "norm"]
    assert "quantise_static" not in steps_of(artifact)


def test_weights_that_meet_static_scales_have_their_sums(artifact):
    stored = {s.name: s for s in artifact.plan.weights if s.name.endswith(".sums")}
    assert len(stored) == 4  # of products of rows; mixing over tokens sums its own rows up
    assert {s.format for s in stored.values()} == {"int32"}


def test_the_report_says_what_became_static(artifact):
    report = artifact.report()["static_activations"]
    assert report["samples"] == 24 and len(report["static"]) == 6
    assert len(report["never_seen"]) == 1 and "side" in report["never_seen"][0]
    assert "quantise_rows" in steps_of(artifact), "the branch that was never seen is dynamic"
    for row in report["static"]:
        assert row["low"] < 0 < row["high"] and row["saturated"] < 0.1
        assert row["scale"] * 254 <= (row["high"] - row["low"]) * 1.001
    text = static_text(report, verbose=False)
    assert "static scales from 24 samples for 6 products" in text
    assert "1 products never seen in calibration round their rows as they come: " in text
    assert "zero point" in static_text(report, verbose=True)


def test_strict_refuses_what_was_never_seen(mixer, tmp_path):
    with pytest.raises(StrictError, match=r"input never seen in calibration: .*side"):
        compiled(mixer, tmp_path, "i8.static", strict=True)


def test_some_products_may_be_static(mixer, tmp_path):
    made = compiled(mixer, tmp_path, "i8,channels*=i8.static")
    assert len(made.report()["static_activations"]["static"]) == 2
    assert "quantise_panels" in steps_of(made)


class Routed(nn.Module):
    """A linear layer before experts of one layer."""

    def __init__(self, experts):
        super().__init__()
        self.before, self.experts = nn.Linear(64, 64), experts

    def forward(self, x):
        return self.experts(self.before(x))


def test_rows_of_experts_are_rounded_as_they_come(layers, tmp_path):
    torch.manual_seed(0)
    module = Routed(layers.Wide()).eval()
    x = np.random.default_rng(0).standard_normal((16, 6, 64)).astype(np.float32)
    made = edgemoe.compile(
        (module, (torch.randn(6, 64),)), precision="i8.static", calibration={"x": x},
        cpu="native", out=tmp_path / "m.em", compression=Settings(rounding="nearest"),
    )  # fmt: skip
    report = made.report()["static_activations"]
    assert report["experts"] and len(report["static"]) == 1 and not report["never_seen"]
    assert f"{len(report['experts'])} products of experts" in static_text(report, verbose=False)
    with edgemoe.load(made.path, verify=True) as session, torch.no_grad():
        (result,) = session.run({"x": x[0]}).values()
        wanted = module(torch.from_numpy(x[0])).numpy()
    assert 1e-3 < np.sqrt(np.mean((result - wanted) ** 2) / np.mean(wanted**2)) < 6e-2


def test_a_sample_that_makes_a_nan_is_refused(mixer, tmp_path):
    data = samples()
    data["x"][3, 0, 0, 0] = np.nan
    with pytest.raises(edgemoe.EdgemoeError, match="NaN"):
        edgemoe.compile(
            (mixer, (torch.randn(2, TOKENS, CHANNELS), torch.zeros(2, 9))), calibration=data,
            precision="i8.static", out=tmp_path / "m.em", compression=Settings(rounding="nearest"),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision": "i8.static"}, ["--calibration", "fixed when the model is compiled"]),
        ({"precision": "f32,*mix*=i8.static"}, ["--calibration"]),
        ({"precision": "i8.static", "target": "opencl"}, ["for CPU targets", "--precision i8"]),
        ({"precision": "i8.static", "target": "cortex-m4"}, ["static scales always"]),
        ({"precision": "i4.static"}, ["no option 'static'"]),
        ({"precision": "i8.g32.static"}, ["one scale per tensor", "i8.static"]),
        ({"precision": "i8.a32.static"}, ["i8.static"]),
    ],
)
def test_messages(mixer, tmp_path, options, words):
    with pytest.raises(OptionError) as caught:
        edgemoe.compile("nowhere.onnx", out=tmp_path / "m.em", **options)
    for word in words:
        assert word in str(caught.value)


def test_scales_are_known_by_the_weight(mixer):
    """Values of one tensor give all products that read it the same scale."""
    from edgemoe.buckets import plan_buckets
    from edgemoe.frontend import load_model
    from edgemoe.pass_runner import run_passes

    example = (torch.randn(2, TOKENS, CHANNELS), torch.zeros(2, 9))
    buckets = plan_buckets(load_model((mixer, example)).model, None, {}, None)
    graph = buckets.bind(buckets.counts[-1])
    run_passes(graph)
    data = samples(4)
    feeds = [{name: array[n] for name, array in data.items()} for n in range(4)]
    found = find_scales(graph, feeds)
    assert found.samples == 4 and len(found.seen) == 7 and len(found.scales) == 6
    assert len(set(found.scales.values())) == 5  # the gate reads what the value reads
