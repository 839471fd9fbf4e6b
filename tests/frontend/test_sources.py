"""What `load_model` takes: files, programs, factories, modules, and what it finds in them."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from edgemoe.compiler import explain
from edgemoe.export_module import export_module
from edgemoe.frontend import Source, load_model
from edgemoe.pass_check import run_in_onnxruntime


def value(name: str, *shape: int | str, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model_of(nodes, inputs, outputs, weights=()) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture
def linear() -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.arange(32, dtype=np.float32).reshape(8, 4), name="w")
    return model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], [value("x", "T", 8)],
                    [value("y", "T", 4)], [weight])  # fmt: skip


def test_a_file(linear, tmp_path):
    onnx.save(linear, tmp_path / "linear.onnx")
    source = load_model(str(tmp_path / "linear.onnx"))
    assert (source.name, source.states, source.notes) == ("linear", {}, [])
    assert str(source.model.graph.inputs[0].shape) == "[T,8]"


def test_in_memory(linear):
    assert load_model(linear).name == "g"
    source = load_model(ir.from_proto(linear))
    assert load_model(source) is source and isinstance(source, Source)


def test_external_weights_stay_on_disk(linear, tmp_path):
    onnx.save(linear, tmp_path / "m.onnx", save_as_external_data=True, location="sub_weights.bin",
              size_threshold=0)  # fmt: skip
    source = load_model(tmp_path / "m.onnx")
    tensor = source.model.graph.initializers["w"].const_value
    assert isinstance(tensor, ir.ExternalTensor)
    array = tensor.numpy()
    assert not array.flags.owndata, "the weight was copied"
    assert array.sum() == 496


def test_big_weights_are_not_read(tmp_path):
    """512 MiB of holes: opening the model takes no memory for them."""
    size = 1 << 27
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(4 * size)
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[size // 8, 8],
                         data_location=TensorProto.EXTERNAL)  # fmt: skip
    for key, text in {"location": "w.bin", "offset": "0", "length": str(4 * size)}.items():
        weight.external_data.add(key=key, value=text)
    proto = model_of(
        [helper.make_node("Gather", ["w", "i"], ["y"])], [value("i", 3, dtype=TensorProto.INT64)],
        [value("y", 3, 8)], [weight],
    )  # fmt: skip
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    program = textwrap.dedent(f"""
        import resource
        from edgemoe.frontend import load_model
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        load_model({str(tmp_path / "m.onnx")!r})
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """)
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(result.stdout) < 150_000, "KiB"


def test_several_inputs_and_outputs(tmp_path):
    proto = model_of(
        [helper.make_node("Add", ["a", "b"], ["s"]), helper.make_node("Mul", ["a", "b"], ["p"])],
        [value("a", "B", "T"), value("b", "B", "T")], [value("s", "B", "T"), value("p", "B", "T")],
    )  # fmt: skip
    onnx.save(proto, tmp_path / "m.onnx")
    graph = load_model(tmp_path / "m.onnx").model.graph
    assert [v.name for v in graph.inputs] == ["a", "b"]
    assert [v.name for v in graph.outputs] == ["s", "p"]


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("cache", "cache_out"),
        ("past_key_values.0.key", "present.0.key"),
        ("past_key_values.11.value", "present.11.value"),
        ("past_key_values.0.key", "present_key_values.0.key"),
        ("past_conv", "present_conv"),
    ],
)
def test_states_by_name(name, new):
    source = load_model(model_of(
        [helper.make_node("Add", ["x", name], [new]), helper.make_node("Relu", [new], ["y"])],
        [value("x", 2, 3), value(name, 2, 3)], [value("y", 2, 3), value(new, 2, 3)],
    ))  # fmt: skip
    assert source.states == {name: new} and source.notes == []


def test_a_cache_that_grows_is_no_state():
    source = load_model(model_of(
        [helper.make_node("Concat", ["past_k", "x"], ["present_k"], axis=0)],
        [value("x", 1, 3), value("past_k", "P", 3)], [value("present_k", "Q", 3)],
    ))  # fmt: skip
    assert source.states == {}
    (note,) = source.notes
    assert note.startswith("past_k FLOAT[P,3] -> present_k FLOAT[Q,3] is not kept as a state: ")


class Recurrent(nn.Module):
    """tokens [T], state [4] -> logits [T, 4], state [4]."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(6, 4)
        self.export_options = {
            "input_names": ["tokens", "memory"], "output_names": ["logits", "memory_next"],
            "dynamic_shapes": ({0: "T"}, None), "states": {"memory": "memory_next"},
            "vocabulary": list("abcdef"),
        }  # fmt: skip

    def forward(self, tokens: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = self.table(tokens)
        return x + memory, memory * 0.5 + x.sum(dim=0)


def test_options_of_a_module():
    torch.manual_seed(0)
    module = Recurrent().train()
    source = load_model((module, (torch.tensor([1, 2, 3]), torch.zeros(4))))
    assert module.training, "the module was left in another mode"
    assert source.name == "recurrent"
    assert source.states == {"memory": "memory_next"}
    assert source.vocabulary == list("abcdef")
    assert {n: a.tolist() for n, a in source.examples.items()} == {
        "tokens": [1, 2, 3], "memory": [0, 0, 0, 0]}  # fmt: skip
    assert [str(v.shape) for v in source.model.graph.inputs] == ["[T]", "[4]"]
    assert [v.name for v in source.model.graph.outputs] == ["logits", "memory_next"]


def test_a_module_that_brings_its_examples():
    module = nn.Linear(3, 2)
    module.export_options = {"example_inputs": (torch.ones(5, 3),), "output_names": ["y"]}
    source = load_model(module)
    assert [v.name for v in source.model.graph.inputs] == ["input"]
    assert source.examples["input"].shape == (5, 3)


def test_keywords_and_argument_names():
    class Two(nn.Module):
        def forward(self, left, right, scale=2.0):
            return left * scale + right

    x, y = torch.ones(2, 3), torch.zeros(2, 3)
    for examples in ((x, y), {"right": y, "left": x}, (x, y, 3.0)):
        source = load_model((Two(), examples))
        assert sorted(str(v.name) for v in source.model.graph.inputs) == ["left", "right"]
        assert source.examples["left"].sum() == 6 and source.examples["right"].sum() == 0


@pytest.mark.parametrize(
    ("examples", "shapes"),
    [
        ({"tokens": torch.arange(5)}, {"tokens": "[T]"}),
        ({"tokens": torch.arange(10).view(2, 5)}, {"tokens": "[2,T]"}),
        ({"tokens": torch.randn(5, 8)}, {"tokens": "[T,8]"}),
        ({"tokens": torch.randn(2, 5, 8), "other": torch.ones(2, 5, dtype=torch.int64)},
         {"tokens": "[2,T,8]", "other": "[2,T]"}),
        ({"tokens": torch.randn(5, 8), "other": torch.tensor(3)},
         {"tokens": "[T,8]", "other": "[]"}),
    ],
)  # fmt: skip
def test_the_token_axis(examples, shapes):
    class Layer(nn.Module):
        def forward(self, tokens, other=None):
            y = tokens * 2
            if other is None:
                return y
            return y + (other[..., None] if other.dim() == 2 else other)

    source = load_model((Layer(), tuple(examples.values())), dynamic=True)
    found = {v.name: str(v.shape) for v in source.model.graph.inputs}
    assert found == shapes


def test_the_token_axis_beside_keywords_that_are_no_tensors():
    class Scaled(nn.Module):
        def forward(self, tokens, factor=1.0):
            return torch.cat([tokens, tokens * factor])

    examples = {"tokens": torch.randn(5, 8), "factor": 2.0}
    graph = load_model((Scaled(), examples), dynamic=True).model.graph
    assert (str(graph.inputs[0].shape), str(graph.outputs[0].shape)) == ("[T,8]", "[2*T,8]")


def test_a_tiny_epsilon_survives():
    """x / (sum + 1e-20): rows of zeros give zeros, not NaN."""

    class Normalise(nn.Module):
        def forward(self, x):
            x = torch.relu(x)
            return x / (x.sum(dim=-1, keepdim=True) + 1e-20)

    model = export_module(Normalise(), (torch.randn(3, 4),)).model
    (got,) = run_in_onnxruntime(model, {"x": -np.ones((3, 4), np.float32)})
    assert got.tolist() == np.zeros((3, 4)).tolist()


@pytest.mark.parametrize("p", [1.0, 2.0, float("inf")])
def test_distances(layers, p):
    torch.manual_seed(0)
    module, x = layers.Distances(p), torch.randn(5, layers.HIDDEN)
    model = export_module(module, (x,)).model
    with torch.no_grad():
        wanted = module(x).numpy()
    (got,) = run_in_onnxruntime(model, {"x": x.numpy()})
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6)


def test_weights_keep_their_names(layers):
    exported = export_module(layers.Holder(layers.Gathered()), (torch.randn(5, layers.HIDDEN),))
    named = {n for n in exported.model.graph.initializers if n.startswith("blocks")}
    assert named == {"blocks.0.up", "blocks.0.down", "blocks.0.router.weight"}


# Programs and factories.


def test_a_program(layers, tmp_path):
    torch.manual_seed(0)
    module, x = layers.Holder(layers.Gathered()).eval(), torch.randn(5, layers.HIDDEN)
    program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("T")},))
    torch.export.save(program, tmp_path / "layer.pt2")
    source = load_model(tmp_path / "layer.pt2")
    assert source.name == "layer" and list(source.examples) == ["x"]
    found = explain(source.model, tokens=[4])
    assert [c.matched for c in found.candidates if c.subject == "experts"] == [True]
    assert load_model(program).name == "model"


FACTORY = """
    import torch
    from torch import nn

    def tiny():
        return nn.Linear(3, 2), (torch.ones(4, 3),)

    class Models:
        @staticmethod
        def wide():
            return nn.Linear(3, 9), (torch.ones(4, 3),)
"""


def test_factories(tmp_path, monkeypatch):
    folder = tmp_path / "given_models"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "small.py").write_text(textwrap.dedent(FACTORY))
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert load_model("given_models.small:tiny").name == "tiny"
    wide = load_model("given_models.small:Models.wide")
    assert wide.name == "wide" and wide.model.graph.outputs[0].shape[1] == 9
    assert load_model(f"{folder / 'small.py'}:tiny").name == "tiny"
    assert load_model("given_models/small.py:tiny").name == "tiny"
    assert sys.path == before


def test_a_callable():
    def mine():
        return nn.Linear(3, 2), (torch.ones(4, 3),)

    assert load_model(mine).name == "mine"
