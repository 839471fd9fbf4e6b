"""Every way to write a mixture of experts ends in the same region, with the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import graph_facts
from edgemoe.regions import EXPERT_LINEARS
from edgemoe.specialise import bind_shapes

INDEXED = ["gathered", "gathered_right", "gathered_einsum", "gathered_sum", "loop_mixtral",
           "loop_where", "loop_assign", "dense_scatter", "dense_one_hot", "stack_gather",
           "tiled_batch", "dense_einsum"]  # fmt: skip
SCORED = ["block_flat", "block_sum", "block_einsum", "block_batched"]


def the_body(model: ir.Model) -> tuple[ir.Node, ir.Function]:
    call = next(node for node in model.graph if graph_facts.kind_of(node) == "MoE")
    return call, model.functions[call.op_identifier()]


def check_indexed(model: ir.Model, tokens: int, experts: int, chosen: int, width: int) -> None:
    call, body = the_body(model)
    assert call.metadata_props["edgemoe.routing"] == "indexed"
    assert body.metadata_props["edgemoe.kind"] == "MoE"
    x, ids, weights = (graph_facts.shape_of(value) for value in call.inputs[:3])
    assert (x, ids, weights) == ((tokens, width), (tokens, chosen), (tokens, chosen))
    assert call.inputs[1].dtype == ir.DataType.INT64
    kinds = [graph_facts.kind_of(node) for node in body]
    assert kinds.count("Dispatch") == 1 and kinds.count("Combine") == 1
    linears = [node for node in body if graph_facts.kind_of(node) in EXPERT_LINEARS]
    assert len(linears) >= 2
    for node in linears:
        assert graph_facts.shape_of(node.inputs[1]) == (tokens * chosen,)
        assert (graph_facts.shape_of(node.inputs[2]) or (0,))[0] == experts
    others = {n.op_type for n in body if not graph_facts.kind_of(n)}
    allowed = graph_facts.ELEMENTWISE | {"Split", "Reshape", "Constant"}
    assert others <= allowed and body.metadata_props["edgemoe.body"] == "elementwise"
    assert graph_facts.kind_of(body.outputs[0].producer()) == "Combine"


def check_scored(model: ir.Model, tokens: int, experts: int, width: int) -> None:
    call, body = the_body(model)
    assert call.metadata_props["edgemoe.routing"] == "scored"
    assert graph_facts.shape_of(call.inputs[0]) == (tokens, width)
    assert graph_facts.shape_of(call.inputs[1]) == (tokens, experts)
    kinds = [graph_facts.kind_of(node) for node in body if graph_facts.kind_of(node)]
    assert kinds[-1] == "BlockDown" and set(kinds[:-1]) == {"BlockUp"}
    for node in body:
        if graph_facts.kind_of(node) == "BlockUp":
            assert (graph_facts.shape_of(node.inputs[1]) or (0,))[0] == experts
            assert node.inputs[0] is body.inputs[0]
    assert body.outputs[0].producer().inputs[1] is body.inputs[1]


@pytest.mark.parametrize("form", INDEXED)
def test_indexed_forms(tools: Any, form: str) -> None:
    width = tools.forms().HIDDEN
    for tokens in (1, 2, 7, 9):  # 2 tokens and 2 choices: square masks and matrices of ids
        model = bind_shapes(tools.export(form), {"T": tokens})
        tools.recognise(model)
        check_indexed(model, tokens, experts=3, chosen=2, width=width)
        assert [n.op_type for n in tools.regions(model, "Route")] == ["Route_0"]


@pytest.mark.parametrize("form", SCORED)
def test_scored_forms(tools: Any, form: str) -> None:
    for tokens in (1, 7, 8):
        model = bind_shapes(tools.export(form), {"T": tokens})
        tools.recognise(model)
        check_scored(model, tokens, experts=3, width=tools.forms().HIDDEN)
        assert len(tools.regions(model, "Route")) == 1


@pytest.mark.parametrize("form", ["gathered", "dense_einsum"])
def test_eight_experts_one_choice_and_opset_23(tools: Any, form: str) -> None:
    model = bind_shapes(tools.export(form, experts=8, chosen=1, opset=23), {"T": 5})
    tools.recognise(model)
    check_indexed(model, 5, experts=8, chosen=1, width=tools.forms().HIDDEN)


def test_bias_becomes_part_of_the_product(tools: Any) -> None:
    model = bind_shapes(tools.export("gathered", experts=8, bias=True), {"T": 7})
    tools.recognise(model)
    _, body = the_body(model)
    kinds = [graph_facts.kind_of(n) for n in body if graph_facts.kind_of(n) in EXPERT_LINEARS]
    assert kinds == ["ExpertLinearBias", "ExpertLinearBias"]


def test_one_expert_is_a_region_too(tools: Any) -> None:
    model = bind_shapes(tools.export("gathered", experts=1, chosen=1), {"T": 3})
    tools.recognise(model)
    check_indexed(model, 3, experts=1, chosen=1, width=tools.forms().HIDDEN)


@pytest.mark.parametrize("form", ["loop_where", "dense_scatter", "tiled_batch"])
def test_ties_and_experts_that_nobody_chose(tools: Any, form: str) -> None:
    model = bind_shapes(tools.export(form), {"T": 4})
    width = tools.forms().HIDDEN
    zeros = np.zeros((4, width), np.float32)  # all logits are equal: ties go to the lower number
    same = np.tile(np.linspace(-1, 1, width, dtype=np.float32), (4, 1))  # all choose alike
    tools.recognise(model, [{"x": zeros}, {"x": same}])
    check_indexed(model, 4, experts=3, chosen=2, width=width)


def test_weights_keep_their_layout(tools: Any) -> None:
    """[E, in, out] stays as it is and is not copied."""
    exported = tools.export("gathered_right")
    before = {id(v.const_value) for v in exported.graph.initializers.values()}
    model = bind_shapes(exported, {"T": 7})
    tools.recognise(model)
    call, body = the_body(model)
    kinds = [graph_facts.kind_of(n) for n in body if graph_facts.kind_of(n) in EXPERT_LINEARS]
    assert kinds == ["ExpertLinearT", "ExpertLinearT"]
    assert all(id(value.const_value) in before for value in call.inputs[3:])


def test_rows_of_one_tensor_are_put_back_together(tools: Any) -> None:
    """A loop that slices W[e] out of one parameter reads that parameter again, not a copy."""
    model = bind_shapes(tools.export("loop_mixtral"), {"T": 7})
    tools.recognise(model)
    call, _ = the_body(model)
    shapes = [graph_facts.shape_of(v) for v in call.inputs[3:]]
    forms = tools.forms()
    assert shapes == [(3, 2 * forms.INNER, forms.HIDDEN), (3, forms.HIDDEN, forms.INNER)]


def test_stacked_weights_are_named_after_the_originals(tools: Any) -> None:
    model = bind_shapes(tools.export("loop_where"), {"T": 7})
    tools.recognise(model)
    call, _ = the_body(model)
    assert call.inputs[3].name == "mlps.N.first.weight.stacked"
    assert call.metadata_props["edgemoe.origin"] == "mlps"


def test_a_soft_mixture_skips_nobody_and_says_so(tools: Any) -> None:
    model = bind_shapes(tools.export("dense_soft"), {"T": 7})
    report = tools.recognise(model)
    check_indexed(model, 7, experts=3, chosen=3, width=tools.forms().HIDDEN)
    forms = {note.subject: note.facts["form"] for note in report.notes if note.kind == "matched"}
    assert forms == {"experts": "soft", "router": "soft"}


@pytest.mark.parametrize("kind", ["dense", "gathered", "blocks"])
def test_batches_of_sequences(tools: Any, kind: str) -> None:
    import torch

    forms = tools.forms()
    module = forms.Batched3d(kind)
    exported = tools.export_module(module, (torch.randn(2, 3, forms.HIDDEN),), 18)
    model = bind_shapes(exported, {})
    tools.recognise(model)
    if kind == "blocks":
        check_scored(model, 6, experts=3, width=forms.HIDDEN)
    else:
        check_indexed(model, 6, experts=3, chosen=2, width=forms.HIDDEN)
    assert len(tools.regions(model, "Route")) == 1
    assert [n.op_type for n in model.graph].count("Add") == 1  # the residual stays outside


def test_weights_on_the_input(tools: Any) -> None:
    """f(w * x) is not w * f(x): the weights stay inside, and Combine sums."""
    for tokens in (1, 5):
        model = bind_shapes(tools.export("scaled_input"), {"T": tokens})
        tools.recognise(model)
        check_indexed(model, tokens, experts=3, chosen=2, width=tools.forms().HIDDEN)
        call, _ = the_body(model)
        assert (call.inputs[2].const_value.numpy() == 1).all()


def test_weights_on_the_input_of_experts_with_bias_stay_dense(tools: Any) -> None:
    model = bind_shapes(tools.export("scaled_input_bias"), {"T": 5})
    report = tools.recognise(model)
    assert not tools.regions(model)
    assert any("input is zero does not give zero" in note.text for note in report.notes)


def test_half_precision(tools: Any) -> None:
    import torch

    forms = tools.forms()
    example = torch.randn(5, forms.HIDDEN, dtype=torch.float16)
    model = bind_shapes(tools.export_module(forms.Gathered(3, 2).half(), (example,), 18), {})
    tools.recognise(model, tolerance=2e-2)
    check_indexed(model, 5, experts=3, chosen=2, width=forms.HIDDEN)
