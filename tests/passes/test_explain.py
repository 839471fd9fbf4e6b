"""`explain` counts weights and MACs by role, and says why something was not recognised."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgemoe.explanation import Explanation
from edgemoe.explanation import explain_graph as explain
from edgemoe.explanation_text import render
from edgemoe.pass_runner import run_passes
from edgemoe.specialise import bind_shapes


def explained(tools: Any, form: str, tokens: int = 5) -> Explanation:
    model = bind_shapes(tools.export(form), {"T": tokens})
    return explain(model, run_passes(model, phases=tools.recognise_phases))


def test_census_of_a_layer(tools: Any) -> None:
    forms = tools.forms()
    found = explained(tools, "gathered")
    roles = {role.role: role for role in found.census}
    experts, hidden, inner = 3, forms.HIDDEN, forms.INNER
    assert set(roles) == {"expert", "router"}
    assert roles["expert"].nbytes == 4 * experts * hidden * inner * 3
    assert roles["router"].nbytes == 4 * experts * hidden
    assert roles["expert"].macs == 5 * 2 * hidden * inner * 3  # two of three for each token
    assert roles["router"].macs == 5 * hidden * experts
    assert found.tokens == 5 and not found.warnings


def test_census_of_scored_blocks_counts_the_worst_case(tools: Any) -> None:
    forms = tools.forms()
    roles = {role.role: role for role in explained(tools, "block_flat").census}
    assert roles["expert"].macs == 5 * 3 * 2 * forms.HIDDEN * forms.INNER
    assert roles["router"].weights == 2  # the matrix and gamma


def test_shared_expert_attention_and_embedding(tools: Any) -> None:
    torch = pytest.importorskip("torch")
    from edgemoe.models import moe_lm

    model = moe_lm.untrained()
    graph = tools.export_module(model, model.example("To be"), 18, input_names=["tokens"])
    bound = bind_shapes(graph, {})
    found = explain(bound, run_passes(bound, phases=tools.recognise_phases))
    roles = {role.role: role for role in found.census}
    config = model.config
    shared = 3 * config.hidden * moe_lm.INTERMEDIATE + config.hidden  # gate, up, down; its gate
    assert roles["shared expert"].nbytes == 4 * 2 * shared
    kv = config.kv_heads * config.head
    assert roles["attention"].nbytes == 4 * 2 * (2 * config.hidden**2 + 2 * config.hidden * kv)
    assert roles["embedding"].nbytes == 4 * config.vocabulary * config.hidden
    assert roles["router"].weights == 2 and roles["expert"].weights == 4
    assert [c.matched for c in found.candidates].count(True) == 4
    assert isinstance(model, torch.nn.Module)


def test_dense_experts_are_a_warning_with_the_reason(tools: Any) -> None:
    found = explained(tools, "scaled_input_bias")
    assert [candidate.matched for candidate in found.candidates] == [False]
    assert any("computed for every token" in text for text in found.warnings)
    assert any("no experts were recognised" in text for text in found.warnings)
    text = render(found)
    assert "Not recognised (nearest miss)" in text and "whose input is zero" in text


def test_text_and_json_say_the_same(tools: Any) -> None:
    found = explained(tools, "gathered")
    text, data = render(found), json.loads(json.dumps(found.to_json()))
    assert "MoE_0: 3 experts, 2 chosen for each of 5 tokens" in text
    assert "score softmax, k 2, renormalise sum" in text
    assert data["candidates"][0]["facts"]["E"] == 3
    assert max(map(len, text.splitlines())) <= 100


def test_a_pass_that_fails_is_a_warning(tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours in a matcher hides its form, and not the explanation."""
    from edgemoe import compiler
    from edgemoe.passes import recognise_batched

    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("integer modulo by zero")

    monkeypatch.setattr(recognise_batched, "_weighted_sum", broken)
    found = compiler.explain(tools.export("tiled_batch"), tokens=[5])
    (text,) = [text for text in found.warnings if "recognise_batched failed" in text]
    assert "ZeroDivisionError: integer modulo by zero" in text
    (miss,) = found.candidates
    assert not miss.matched and miss.facts["form"] == "stacked" and miss.facts["E"] == 3
