"""Integer programs on their cores: the bits of the reference, on this machine and in QEMU."""

from __future__ import annotations

import re

import numpy as np
import pytest

import edgemoe
from edgemoe.runtime.selftest import run_cases
from tests.targets.integer_graphs import GraphOfOps, artifact_of
from tests.targets.test_integer_kernels import (
    chance,
    gated_experts,
    heads_of_a_cache,
    linear,
    weighted_experts,
)

pytestmark = pytest.mark.needs("cc")

QEMU = {"cortex-m4": "qemu-system-arm", "cortex-m55": "qemu-system-arm",
        "rv32imc": "qemu-system-riscv32"}  # fmt: skip


def on_core(target):
    needed = ["riscv64-unknown-elf-gcc" if target == "rv32imc" else "arm-none-eabi-gcc"]
    return pytest.param(target, marks=pytest.mark.needs(*needed, QEMU[target]))


@pytest.fixture
def exact(tmp_path):
    """`exact(path, device)`: the self-test of an artifact, without any tolerance."""

    def check(path, device):
        with edgemoe.load(path, device=device) as session:
            results = [c for result in run_cases(session) for c in result.comparisons]
        assert results and all(c.equal for c in results)

    return check


def every_product():
    """Products of all formats and widths, gated experts, and experts that are added up."""
    graph, outputs = GraphOfOps(), []
    for number, (k, x_bits) in enumerate(((50, 8), (23, 16), (130, 8))):
        reach = 127 if x_bits == 8 else 6000
        x = chance(number).integers(-reach, reach, (3, k)).astype(f"int{x_bits}")
        name = graph.input(f"rows{number}", x)
        outputs += [linear(graph, name, 9, k, bits, seed=10 * number + bits) for bits in (8, 4, 2)]
    return graph, [*outputs, gated_experts(graph, 4), weighted_experts(graph)]


@pytest.mark.parametrize("as_objects", [False, True])
@pytest.mark.parametrize("target", [on_core(t) for t in QEMU])
def test_products_on_the_core(exact, target, as_objects, tmp_path):
    graph, outputs = every_product()
    path = artifact_of(graph, outputs, target, tmp_path / "a", as_objects=as_objects)
    exact(path, "qemu")


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("target", [on_core(t) for t in QEMU])
def test_experts_of_one_token_on_the_core(exact, target, biased, tmp_path):
    """An expert has one row at most, and its products know it."""
    graph = GraphOfOps()
    outputs = [
        gated_experts(graph, 8, tokens=1),
        weighted_experts(graph, biased=biased, columns=30, depth=13, tokens=1),
    ]
    path = artifact_of(graph, outputs, target, tmp_path / "a")
    text = (path / "graph_kernels.c").read_text("utf-8")
    products = re.findall(r"void graph_expert_linear_\d+\((.*?)\)\n", text)
    # Rows that are scattered ask for the slot, and shares of a bias.
    assert sum("*order" in parameters for parameters in products) == 1 + biased
    exact(path, "qemu")


WHOLE_ROWS = (
    "em_across4_s8", "em_across4_s16", "em_add_short_s16", "em_table_s8", "em_weigh_s8",
    "em_weigh_s16",
)  # fmt: skip
"""Functions of `em_rows.h`, which kernels for a Cortex-M55 call."""


def every_row():
    """Heads in a cache, a table in front of experts, rows of 13 weighed inputs of experts."""
    graph, outputs = GraphOfOps(), []
    for kind in (np.int8, np.int16):
        outputs += heads_of_a_cache(graph, kind, (3, 9, 33))
    rows = graph.input("wide", chance(1).integers(-32768, 32768, (5, 21)).astype(np.int16))
    weights = graph.input("weights", chance(2).integers(0, 32768, (5, 1)).astype(np.int16))
    outputs += graph.node("WeighRows", [rows, weights], zero_x=0, zero_w=0, right=15)
    outputs += [gated_experts(graph, 8), weighted_experts(graph, biased=False, depth=13)]
    for name in outputs:  # results that would show a wrong loop
        assert np.unique(graph.arrays[name]).size > 20, name
    return graph, outputs


@pytest.mark.parametrize("as_objects", [False, True])
@pytest.mark.parametrize("target", [on_core(t) for t in QEMU])
def test_whole_rows_on_the_core(exact, target, as_objects, tmp_path):
    graph, outputs = every_row()
    path = artifact_of(graph, outputs, target, tmp_path / "a", as_objects=as_objects)
    if target == "cortex-m55":
        text = (path / "graph_kernels.c").read_text("utf-8")
        assert [name for name in WHOLE_ROWS if f"{name}(" not in text] == []
    exact(path, "qemu")


@pytest.fixture(scope="module")
def digits_data():
    """A few of the images that ship, with their labels: too few for a search."""
    pytest.importorskip("torch")
    from edgemoe.models.digits_mixer import held_out

    images, labels = held_out()
    return {
        "image": images[:6, None].numpy(), "target:logits": labels[:6, None].numpy(),
    }  # fmt: skip


def test_a_model_from_the_command_line_api(digits_data, tmp_path, exact):
    artifact = edgemoe.compile(
        "edgemoe.models.digits_mixer:digits", target="cortex-m4", out=tmp_path / "a",
        precision="i8", calibration=digits_data,
    )  # fmt: skip
    (image,) = artifact.plan.inputs
    (logits,) = artifact.plan.outputs
    assert image.dtype in ("int8", "int16") and image.scale is not None
    assert logits.scale is not None
    report = artifact.report()["integers"]
    assert report["islands"] == [] and set(report["formats"].values()) == {"i8"}
    exact(artifact.path, "host")
    with edgemoe.load(artifact.path) as session:
        floats = session.run({"image": digits_data["image"][3]})["logits"]
        assert floats.dtype == np.float32
        codes = (digits_data["image"][3] / image.scale).round() + image.zero_point
        limits = np.iinfo(image.dtype)
        given = np.clip(codes, limits.min, limits.max).astype(image.dtype)
        found = session.run({"image": given})["logits"]
        assert found.dtype == np.dtype(logits.dtype)
        np.testing.assert_allclose(
            (found.astype(np.float32) - logits.zero_point) * logits.scale, floats, rtol=1e-6
        )
        assert floats.argmax() == digits_data["target:logits"][3]


def test_integers_without_data_are_refused(tmp_path):
    pytest.importorskip("torch")
    from edgemoe.errors import OptionError

    with pytest.raises(OptionError, match="needs --calibration"):
        edgemoe.compile(
            "edgemoe.models.digits_mixer:digits", target="cortex-m4", out=tmp_path / "a",
            precision="i4",
        )  # fmt: skip
    assert not list(tmp_path.iterdir())
