"""Models of transformers: exported, every region found, compiled, equal to torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import edgemoe
from edgemoe.capture import captured
from edgemoe.compiler import explain
from edgemoe.export_module import export_module
from edgemoe.graph_facts import kind_of
from edgemoe.regions import EXPERT_LINEARS

pytestmark = pytest.mark.needs("python:transformers")

KINDS = {
    "mixtral": ["ExpertLinear"] * 2,
    "gpt_oss": ["ExpertLinearTBias"] * 2,
    "deepseek_v3": ["ExpertLinear"] * 2,
    "jetmoe": ["ExpertLinear"] * 4,
    "llama4_text": ["ExpertLinearT"] * 2,
    "deepseek_v2": ["ExpertLinear"] * 2,  # complex rotation: replaced by transformers' own patch
}


@pytest.mark.parametrize("family", KINDS)
def test_exported_with_its_experts(tiny, family):
    exported = export_module(tiny.model(family), (tiny.tokens(),))
    products = [node for node in exported.model.graph if kind_of(node) in EXPERT_LINEARS]
    assert [kind_of(node) for node in products] == KINDS[family]
    for node in products:
        assert node.inputs[2].name.startswith("model.model.layers.0."), "a copy of the weight"
    found = explain(exported.model)
    regions = [c for c in found.candidates if c.subject == "experts" and c.matched]
    assert len(regions) == (2 if family == "jetmoe" else 1)  # its attention has experts too


@pytest.mark.parametrize(
    "family", ["qwen2_moe", "qwen3_moe", "olmoe", "granitemoe", "phimoe", "minimax_m2"]
)
def test_captured(tiny, family):
    """The registry's layers compute the same with our forward in eager mode."""
    model, x = tiny.model(family), tiny.tokens(9)
    with torch.no_grad():
        wanted = model(x)
        with captured(model) as log:
            assert list(log.adapters.values()) == ["transformers experts"]
            got = model(x)
    assert float((got - wanted).norm() / wanted.norm()) < 1e-6


def test_switch_and_dbrx(tiny):
    """Layers outside the registry, alone: a token beyond the capacity gets nothing."""
    del tiny
    from transformers.models.dbrx.modeling_dbrx import DbrxExperts
    from transformers.models.switch_transformers import SwitchTransformersConfig
    from transformers.models.switch_transformers.modeling_switch_transformers import (
        SwitchTransformersSparseMLP,
    )

    torch.manual_seed(0)
    config = SwitchTransformersConfig(
        d_model=16, d_ff=24, num_experts=4, expert_capacity=2, dropout_rate=0.0
    )
    switch = SwitchTransformersSparseMLP(config).eval()

    class Config:
        hidden_size, ffn_hidden_size, moe_num_experts, ffn_act_fn = 16, 24, 4, {"name": "silu"}

    dbrx = DbrxExperts(Config())
    for parameter in [*switch.parameters(), *dbrx.parameters()]:
        torch.nn.init.normal_(parameter, std=0.3)
    x, ids = torch.randn(2, 9, 16), torch.randint(0, 4, (18, 2))
    weights = torch.rand(18, 2)
    with torch.no_grad():
        first, second = switch(x), dbrx(x, ids, weights)
        with captured(switch) as log, captured(dbrx) as other:
            assert [*log.adapters.values(), *other.adapters.values()] == ["switch", "dbrx"]
            torch.testing.assert_close(switch(x), first, rtol=0, atol=2e-6)
            torch.testing.assert_close(dbrx(x, ids, weights), second, rtol=0, atol=2e-6)
    assert bool((first == 0).all(dim=-1).any()), "no token was beyond the capacity"


def test_the_implementation_can_be_set_by_name(tiny):
    from edgemoe.capture_transformers import IMPLEMENTATION, register

    assert register()
    model, x = tiny.model("mixtral"), tiny.tokens()
    with torch.no_grad():
        wanted = model(x)
        model.model.set_experts_implementation(IMPLEMENTATION)
        got = model(x)
    assert float((got - wanted).norm() / wanted.norm()) < 1e-6


@pytest.mark.filterwarnings("ignore:.*Bad node spec for node:UserWarning")
@pytest.mark.parametrize(
    ("family", "tokens"), [("mixtral", None), ("qwen3_moe", [1, 6])], ids=["mixtral", "qwen3_moe"]
)
def test_compiled(tiny, tmp_path, family, tokens):
    model = tiny.model(family)
    artifact = edgemoe.compile(
        (model, (tiny.tokens(),)), tokens=tokens, cpu="native", out=tmp_path / "m.em"
    )
    session = edgemoe.load(artifact.path)
    for count in (6,) if tokens is None else (1, 4, 6):
        x = tiny.tokens(count, seed=1)
        with torch.no_grad():
            wanted = model(x).numpy()
        got = session.run({"input_ids": x.numpy()})["logits"]
        assert np.linalg.norm(got - wanted) / np.linalg.norm(wanted) < 1e-5
