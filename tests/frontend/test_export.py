"""`edgemoe.export`: files, casts, remedies, and what must not be refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import edgemoe
from edgemoe.compiler import explain
from edgemoe.errors import ExportError, ModelError
from edgemoe.export_remedies import REMEDIES
from edgemoe.frontend import load_model
from edgemoe.graph_facts import kind_of
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes
from edgemoe.regions import EXPERT_LINEARS
from edgemoe.specialise import bind_shapes
from edgemoe.used_parameters import UsedParameters
from edgemoe.write_onnx import write_onnx


def values(model, x):
    return run_in_onnxruntime(model, {str(model.graph.inputs[0].name): x})[0]


def test_in_memory_and_as_a_file(layers, tmp_path):
    torch.manual_seed(0)
    module, x = layers.Holder(layers.MixtralSparseMoeBlock()), torch.randn(2, 5, layers.HIDDEN)
    exported = edgemoe.export(module, (x,), path=tmp_path / "m.onnx", dynamic=True)
    assert [file.name for file in exported.files] == ["m.onnx"]
    assert load_model(exported).name == "holder"
    for model in (exported, exported.files[0]):
        found = explain(model, tokens=[5])
        assert [c.matched for c in found.candidates if c.subject == "experts"] == [True]
    weights = next(c.facts["weights"] for c in found.candidates if c.subject == "experts")
    assert weights == [f"blocks.0.experts.w{i}_weight" for i in (1, 3, 2)]
    with torch.no_grad():
        wanted = module(x).numpy()
    np.testing.assert_allclose(values(load_model(exported.files[0]).model, x.numpy()), wanted,
                               rtol=0, atol=2e-6)  # fmt: skip


def test_weights_beside_the_file(layers, tmp_path):
    """The mechanism of models above 2 GB, with a lower limit."""
    torch.manual_seed(0)
    module, x = layers.Gathered(), torch.randn(5, layers.HIDDEN)
    exported = edgemoe.export(module, (x,))
    files = write_onnx(exported.model, tmp_path / "m.onnx", inline_bytes=1000)
    assert [file.name for file in files] == ["m.onnx", "m.onnx.data"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert files[1].stat().st_size >= 4 * module.up.numel() + 4 * module.down.numel()
    got = values(load_model(files[0]).model, x.numpy())
    np.testing.assert_allclose(got, values(exported.model, x.numpy()), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [("m.txt", "does not end in .onnx"), ("missing/m.onnx", "cannot be written")],
)
def test_where_it_cannot_be_written(layers, tmp_path, name, message):
    model = edgemoe.export(nn.Linear(3, 2), (torch.ones(4, 3),)).model
    with pytest.raises(ModelError, match=message):
        write_onnx(model, tmp_path / name)


def test_without_examples():
    with pytest.raises(ExportError, match="came without example inputs"):
        edgemoe.export(nn.Linear(3, 2))


def test_bfloat16_becomes_float32_and_stays_in_the_module(layers):
    torch.manual_seed(0)
    module = layers.Holder(layers.Gathered()).to(torch.bfloat16)
    x = torch.randn(5, layers.HIDDEN, dtype=torch.bfloat16)
    before = module.blocks[0].up.data_ptr()
    exported = edgemoe.export(module, (x,))
    assert [n for n in exported.notes if n.startswith("bfloat16 weights")]
    assert module.blocks[0].up.dtype == torch.bfloat16
    assert module.blocks[0].up.data_ptr() == before
    weight = exported.model.graph.initializers["blocks.0.up"].const_value.numpy()
    assert weight.dtype == np.float32
    assert np.array_equal(weight, module.blocks[0].up.detach().float().numpy())


class Unused(nn.Module):
    """Holds 3-D weights with as many matrices as experts, and computes with others."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.router = nn.Linear(8, 4, bias=False)
        self.spare = nn.Parameter(torch.randn(4, 5, 8))

    def forward(self, x):
        return self.layer(x) + self.router(x).sum() * self.spare.shape[0]


def test_weights_that_nobody_reads_are_not_missed(layers):
    torch.manual_seed(0)
    module = Unused(layers.Gathered())
    used = UsedParameters(module)
    with used, torch.no_grad():
        module(torch.randn(5, layers.HIDDEN))
    assert used.names == {"layer.up", "layer.down", "layer.router.weight", "router.weight"}
    exported = edgemoe.export(module, (torch.randn(5, layers.HIDDEN),))
    assert "spare" not in exported.model.graph.initializers


def test_weights_that_the_trace_did_not_reach_are_missed(layers):
    with pytest.raises(ExportError, match="expert weights of Forgetful are not in the exported"):
        edgemoe.export(layers.Forgetful(), (torch.randn(5, layers.HIDDEN),))


LISTS = ["ReluLoop", "AllPositive", "DeepSeekLoop", "WeighsItself", "Guarded"]


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_experts_with_other_routings(layers, name):
    torch.manual_seed(0)
    module, x = layers.Holder(getattr(layers, name)()), torch.randn(2, 6, layers.HIDDEN)
    exported = edgemoe.export(module, (x,))
    assert exported.notes == []
    assert sum(kind_of(n) in EXPERT_LINEARS for n in exported.model.graph) == 3
    graph = bind_shapes(exported.model, {})
    run_passes(graph, phases=("import", "canonicalise", "recognise"))
    assert [n.op_type for n in graph.graph if kind_of(n) == "MoE"] == ["MoE_0"]
    with torch.no_grad():
        wanted = module(x).numpy()
    np.testing.assert_allclose(values(graph, x.numpy()), wanted, rtol=0, atol=5e-6)


def test_remedies_leave_modules_alone_that_they_do_not_concern():
    for remedy in REMEDIES[2:]:  # the first two replace operators, whatever the module
        context = remedy.apply(nn.ReLU())
        assert context is None, remedy.name


class Named(nn.Module):
    """Returns its tensors by name, as the models of transformers do; `same` is an input's too."""

    def __init__(self, same):
        super().__init__()
        self.linear, self.same = nn.Linear(3, 4), same

    def forward(self, x):
        return {"logits": self.linear(x), ("x" if self.same else "aux"): x + 1}


def test_outputs_have_the_keys_of_the_mapping_that_the_module_returns():
    module, x = Named(same=False), torch.randn(2, 3)
    model = edgemoe.export(module, (x,)).model
    names = [str(value.name) for value in model.graph.outputs]
    assert sorted(names) == ["aux", "logits"]
    got = dict(zip(names, run_in_onnxruntime(model, {"x": x.numpy()}), strict=True))
    np.testing.assert_allclose(got["aux"], x.numpy() + 1)


def test_a_key_that_is_an_inputs_name_is_not_taken():
    model = edgemoe.export(Named(same=True), (torch.randn(2, 3),)).model
    assert len({str(v.name) for v in (*model.graph.inputs, *model.graph.outputs)}) == 3
