"""Every family of transformers: the layer is captured, the router understood, the values kept.

The layers stand alone here, with what their model calls them with; whole models are in
test_transformers.py. `pytest --slow` adds the families that repeat another one.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from edgemoe.export_module import export_module
from edgemoe.graph_facts import kind_of
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes
from edgemoe.specialise import bind_shapes

pytestmark = pytest.mark.needs("python:transformers")

FAMILIES_FILE = Path(__file__).with_name("families.py")
NAMES = re.findall(r'^    "([\w-]+)": Family\(', FAMILIES_FILE.read_text(), re.M)
QUICK = [
    "afmoe",
    "aria_text",
    "axk2",
    "dbrx",
    "deepseek_v3",
    "deepseek_v4",
    "ernie4_5_moe",
    "flint",
    "gemma4_text",
    "gpt_oss",
    "granitemoe",
    "hy_v4",
    "inkling2_text",
    "inkling_text",
    "jetmoe",
    "kolibri1",
    "llama4_text",
    "longcat_flash",
    "minimax_m3_vl_text",
    "mistral4",
    "mixtral",
    "muse_spark_text",
    "nemotron_h",
    "nllb-moe",
    "olmoe",
    "openai_privacy_filter",
    "phimoe",
    "step3p7_text",
    "switch_transformers",
    "zaya",
]
"""One family for each way to write experts and each router; the others repeat one of these."""
WHOLE = ("gemma4_text", "diffusion_gemma_text")  # router and experts have no module of their own


def layer(families, name):
    """A module, and its examples by argument name."""
    if name in WHOLE:
        return families.whole(name), {"input_ids": families.tokens()}
    block, args, kwargs = families.block_of(name)
    given = dict(zip(inspect.signature(block.forward).parameters, args, strict=False)) | kwargs
    return block, {key: value for key, value in given.items() if value is not None}


def test_all_families_are_listed(families):
    assert set(NAMES) == set(families.FAMILIES)
    assert set(QUICK) <= set(NAMES)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in NAMES]
)
def test_a_layer(families, name):
    block, examples = layer(families, name)
    exported = export_module(block, examples)
    assert not [note for note in exported.notes if "captured" in note]
    graph = bind_shapes(exported.model, {})
    run_passes(graph, phases=("import", "canonicalise", "recognise"))
    regions = [node for node in graph.graph if kind_of(node) == "MoE"]
    assert len(regions) == 1
    weights = [v for v in regions[0].inputs[3:] if v is not None and v.const_value is not None]
    large = [v for v in weights if len(v.shape) == 3]
    assert len(large) == (3 if name == "dbrx" else 2), [v.name for v in large]
    assert all(v.shape[0] == 8 and not v.name.startswith("val_") for v in large)
    routes = [n.metadata_props["edgemoe.family"] for n in graph.graph if kind_of(n) == "Route"]
    assert routes == [r for r in [families.FAMILIES[name].router] if r]
    feed = {key: value.numpy() for key, value in examples.items()}
    wanted = run_in_onnxruntime(exported.model, feed)
    for got, want in zip(run_in_onnxruntime(graph, feed), wanted, strict=True):
        scale = float(np.abs(want).max()) or 1.0
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * scale)
