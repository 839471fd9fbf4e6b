"""Every family of transformers: its layer is captured whole, its router understood, its values kept.

The layers stand alone here, with what their model calls them with; whole models are in
test_transformers.py. `pytest --slow` adds the families that repeat another one.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from edgemoe.export_module import export_module
from edgemoe.graph_facts import kind_of
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes
from edgemoe.specialise import bind_shapes

pytestmark = pytest.mark.needs("python:transformers")

QUICK = """afmoe aria_text axk2 dbrx deepseek_v3 deepseek_v4 ernie4_5_moe flint gemma4_text
    gpt_oss granitemoe hy_v4 inkling2_text inkling_text jetmoe kolibri1 llama4_text
    longcat_flash minimax_m3_vl_text mistral4 mixtral muse_spark_text nemotron_h nllb-moe
    olmoe openai_privacy_filter phimoe step3p7_text switch_transformers zaya""".split()
"""One family for each way to write experts and each router; the others repeat one of these."""

SLOW = """axk1 bailing_hybrid beam cohere2_moe deepseek_ocr2_text deepseek_v2 deepseek_v32
    diffusion_gemma_text dots1 dots3_note_text ernie4_5_vl_moe_text exaone_moe flex_olmo
    glm4_moe glm4_moe_lite glm4v_moe_text glm5_next_text glm_moe_dsa granitemoe_swa
    granitemoehybrid granitemoeshared hunyuan_v1_moe hy_v3 jamba kimi_linear laguna
    lfm2_moe mellum mimo_v2_flash minimax minimax_m2 mistral_large4_text qwen2_moe
    qwen3_5_moe_text qwen3_moe qwen3_next qwen3_omni_moe_talker_text qwen3_omni_moe_text
    qwen3_vl_moe_text solar_open unlimited_ocr_text""".split()
WHOLE = ("gemma4_text", "diffusion_gemma_text")  # router and experts have no module of their own


def layer(families, name):
    """A module, and its examples by argument name."""
    if name in WHOLE:
        return families.whole(name), {"input_ids": families.tokens()}
    block, args, kwargs = families.block_of(name)
    given = dict(zip(inspect.signature(block.forward).parameters, args, strict=False)) | kwargs
    return block, {key: value for key, value in given.items() if value is not None}


def test_all_families_are_listed(families):
    assert sorted(QUICK + SLOW) == sorted(families.FAMILIES)


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
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
