"""Captured layers compute what they computed, and come out as calls of the expert product."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgemoe.capture import captured, combine, expert_linear, register_adapter, rows_of
from edgemoe.export_module import export_module
from edgemoe.graph_facts import DOMAIN, KIND, kind_of
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes
from edgemoe.specialise import bind_shapes


def calls(model):
    return [node for node in model.graph if node.domain == DOMAIN]


def regions(model, **extents):
    graph = bind_shapes(model, extents)
    run_passes(graph, phases=("import", "canonicalise", "recognise"))
    return [node for node in graph.graph if kind_of(node) == "MoE"]


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_the_product_itself(transposed, biased):
    """Expert 2 is chosen by nobody, expert 0 by most."""
    torch.manual_seed(0)
    weight, bias = torch.randn(4, 7, 5), torch.randn(4, 5 if transposed else 7)
    x, ids = torch.randn(9, 7 if transposed else 5), torch.tensor([0, 0, 3, 0, 1, 0, 3, 0, 0])
    y = expert_linear(x, ids, weight, bias if biased else None, transposed=transposed)
    for row, expert in enumerate(ids.tolist()):
        matrix = weight[expert] if transposed else weight[expert].T
        wanted = x[row] @ matrix + (bias[expert] if biased else 0)
        torch.testing.assert_close(y[row], wanted, rtol=0, atol=2e-6)


def test_rows_and_their_sum():
    x, weights = torch.arange(6.0).reshape(3, 2), torch.tensor([[1.0, 2.0], [0.5, 0.0], [3.0, 1.0]])
    rows = rows_of(x, 2)
    assert rows.tolist() == [[0, 1], [0, 1], [2, 3], [2, 3], [4, 5], [4, 5]]
    assert combine(rows, weights).tolist() == [[0, 3], [1, 1.5], [16, 20]]


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_every_kind_has_its_function(transposed, biased):
    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.randn(4, 7, 5))
            self.b = torch.nn.Parameter(torch.randn(4, 5 if transposed else 7))

        def forward(self, x, ids):
            return expert_linear(x, ids, self.w, self.b if biased else None, transposed=transposed)

    torch.manual_seed(0)
    examples = (torch.randn(6, 7 if transposed else 5), torch.tensor([0, 3, 3, 1, 0, 2]))
    model = export_module(Layer(), examples).model
    (call,) = calls(model)
    kind = "ExpertLinear" + "T" * transposed + "Bias" * biased
    assert call.metadata_props[KIND] == kind
    function = model.functions[call.op_identifier()]
    assert function.metadata_props[KIND] == kind
    assert call.inputs[2].name == "w" and list(call.inputs[2].shape) == [4, 7, 5]
    assert (len(call.inputs) == 4 and call.inputs[3].name == "b") is biased


@pytest.mark.parametrize("name", ["MixtralSparseMoeBlock", "TimeMoeLayer", "SoftmaxAfter"])
def test_lists_of_experts(layers, name):
    torch.manual_seed(0)
    module = layers.Holder(getattr(layers, name)())
    x = torch.randn(2, 5, layers.HIDDEN)
    with torch.no_grad():
        wanted = module(x)
        before = {n: p.clone() for n, p in module.state_dict().items()}
        with captured(module) as log:
            assert log.adapters == {"blocks.0": "list of experts"}
            torch.testing.assert_close(module(x), wanted, rtol=0, atol=1e-6)
        assert torch.equal(module(x), wanted)
    assert module.state_dict().keys() == before.keys()
    assert all(torch.equal(p, before[n]) for n, p in module.state_dict().items())
    assert "forward" not in vars(module.blocks[0])


def test_a_list_becomes_three_products_with_stacked_weights(layers):
    torch.manual_seed(0)
    module = layers.Holder(layers.MixtralSparseMoeBlock(bias=True))
    exported = export_module(module, (torch.randn(2, 5, layers.HIDDEN),))
    names = [call.inputs[2].name for call in calls(exported.model)]
    assert names == [f"blocks.0.experts.w{i}_weight" for i in (1, 3, 2)]
    assert {kind_of(call) for call in calls(exported.model)} == {"ExpertLinearBias"}
    assert not any(".experts.0." in name for name in exported.model.graph.initializers)
    (region,) = regions(exported.model)
    assert region.metadata_props["edgemoe.experts"] == "4"


def test_an_unknown_routing_is_not_captured(layers):
    module = layers.Holder(layers.OddRouting())
    with captured(module) as log:
        assert log.adapters == {} and log.added == []


def test_what_is_not_captured_is_traced_and_recognised(layers):
    torch.manual_seed(0)
    module = layers.Holder(layers.ExportableOdd())
    exported = export_module(module, (torch.randn(1, 6, layers.HIDDEN),))
    assert calls(exported.model) == []
    assert len(regions(exported.model)) == 1


def test_free_tokens_leave_bodies_that_are_recognised(layers):
    torch.manual_seed(0)
    module = layers.Holder(layers.TimeMoeLayer())
    exported = export_module(module, (torch.randn(2, 5, layers.HIDDEN),), dynamic=True)
    assert str(exported.model.graph.inputs[0].shape) == "[2,T,8]"
    assert "blocks.0.experts.w1_weight" in exported.model.graph.initializers
    for count in (1, 5, 9):
        assert len(regions(exported.model, T=count)) == 1
        x = torch.randn(2, count, layers.HIDDEN)
        with torch.no_grad():
            wanted = module(x).numpy()
        (got,) = run_in_onnxruntime(exported.model, {"x": x.numpy()})
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6)


def test_an_adapter_of_ones_own(layers):
    class Mine(layers.OddRouting):
        pass

    def forward(self, hidden):
        flat = hidden.reshape(-1, layers.HIDDEN)
        weights, ids = self.route(self.gate(flat))
        each, rows = ids.reshape(-1), rows_of(flat, ids.shape[1])
        w1, w2, w3 = (torch.stack([getattr(e, n).weight for e in self.experts])
                      for n in ("w1", "w2", "w3"))  # fmt: skip
        inner = torch.nn.functional.silu(expert_linear(rows, each, w1))
        y = combine(expert_linear(inner * expert_linear(rows, each, w3), each, w2), weights)
        return y.view(hidden.shape), None

    torch.manual_seed(0)
    module = layers.Holder(Mine())
    register_adapter("Mine", forward)
    with captured(module) as log:
        assert log.adapters == {"blocks.0": "Mine"}
    exported = export_module(module, (torch.randn(1, 6, layers.HIDDEN),))
    assert len(calls(exported.model)) == 3
    assert len(regions(exported.model)) == 1


def test_an_adapter_that_computes_something_else_is_dropped(layers):
    """The plain export is right, so it is taken, and a note says why."""

    class Wrong(layers.Gathered):
        pass

    register_adapter("Wrong", lambda self, x: expert_linear(x, self.route(x)[1][:, 0],
                     torch.zeros(layers.EXPERTS, layers.HIDDEN, layers.HIDDEN)))  # fmt: skip
    torch.manual_seed(0)
    exported = export_module(layers.Holder(Wrong()), (torch.randn(5, layers.HIDDEN),))
    assert calls(exported.model) == []
    assert exported.notes[0].startswith("experts were not captured (adapter Wrong): ")
