"""Messages about PyTorch models: what cannot be exported, where, and what was lost."""

from __future__ import annotations

import importlib.util
import sys
import textwrap
from pathlib import Path

import pytest

from edgemoe.errors import ExportError, ModelError
from edgemoe.frontend import load_model

pytestmark = pytest.mark.needs("python:torch")
torch = pytest.importorskip("torch")
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def layers():
    name = "edgemoe_tests_frontend_layers"
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "frontend" / "layers.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def refuse(model, message, error=ExportError, **options):
    torch.manual_seed(0)
    with pytest.raises(error, match=message) as caught:
        load_model(model, **options)
    return str(caught.value)


def test_a_loop_that_depends_on_the_data(layers):
    model = (layers.Holder(layers.OddRouting()), (torch.randn(1, 6, 8),))
    text = refuse(model, "OddRouting depends on its data in a way that cannot be exported: Guard")
    assert "\n  at blocks.0 (" in text and "layers.py:" in text
    assert ": if rows.shape[0] == 0:)" in text
    assert 'set_experts_implementation("batched_mm")' in text
    assert 'register_adapter("OddRouting", forward)' in text


def test_a_branch_on_a_value(layers):
    model = (layers.Holder(layers.ByValue()), (torch.randn(5, 8),))
    refuse(model, r"ByValue depends on its data.*\n  at blocks.0 \(.*layers.py:\d+: if x.sum\(\) >")


def test_experts_that_the_trace_did_not_reach(layers):
    text = refuse((layers.Holder(layers.Forgetful()), (torch.randn(5, 8),)),
                  "expert weights of Holder are not in the exported graph")  # fmt: skip
    assert "blocks.0.experts.3.w1.weight" in text and "next: compute the experts without" in text


def test_a_graph_that_computes_something_else(layers):
    refuse((layers.Holder(layers.Counting()), (torch.randn(5, 8),)),
           "does not compute what the module computes: output '.*' is off by .* RMS")  # fmt: skip


def test_an_operator_without_onnx_form(layers):
    refuse((layers.Spectrum(), (torch.randn(5, 8),)),
           r"operator aten.linalg_eig has no ONNX form\n  at the module .*layers.py")  # fmt: skip


def test_complex_numbers():
    class Rotate(torch.nn.Module):
        def forward(self, x):
            return torch.view_as_real(torch.view_as_complex(x.view(5, 4, 2)).unsqueeze(0).sqrt())

    text = refuse((Rotate(), (torch.rand(5, 8),)), "with complex numbers has no ONNX form")
    assert "next: rewrite it with real numbers" in text


def test_something_else_than_tensors():
    class Holds:
        pass

    class Odd(torch.nn.Module):
        def forward(self, x):
            held = Holds()
            held.x = x
            return x, held

    refuse((Odd(), (torch.ones(2),)), "Odd returns a Holds; an exported module returns tensors")


def test_the_module_itself_fails():
    refuse((torch.nn.Linear(3, 2), (torch.ones(5, 4),)),
           "Linear fails on its own example inputs: RuntimeError: mat1 and mat2")  # fmt: skip


def test_a_token_axis_that_became_constant():
    class Fixed(torch.nn.Module):
        def forward(self, x):
            return x.view(5, 8) * 2

    message = "the chosen token axis cannot stay free: .* static shape of 5 for .*\n  next: declare"
    refuse((Fixed(), (torch.ones(5, 8),)), message, dynamic=True)
    module = Fixed()
    module.export_options = {"dynamic_shapes": ({0: "T"},)}
    message = "an axis of dynamic_shapes cannot stay free: .*\n  next: remove sizes"
    refuse((module, (torch.ones(5, 8),)), message)


def test_no_token_axis():
    class Image(torch.nn.Module):
        def forward(self, image):
            return image * 2

    image = (Image(), (torch.ones(1, 3, 8, 8),))
    refuse(image, r"no example input has a token axis: {'image': \[1, 3, 8, 8\]}", dynamic=True)
    single = (torch.nn.Linear(8, 2), (torch.ones(1, 8),))
    message = r"example input 'input' has 1 token .*\n  next: give examples with two or more"
    refuse(single, message, dynamic=True)


def test_options(layers):
    linear = torch.nn.Linear(3, 2)
    given = (linear, (torch.ones(4, 3),))
    linear.export_options = {"inputs": ["x"]}
    refuse(given, "Linear.export_options has 'inputs'; it may have dynamic_shapes, example_inputs")
    linear.export_options = ["x"]
    refuse(given, "Linear.export_options is a list; it must be a dict")
    linear.export_options = {"input_names": ["x", "y"]}
    refuse(given, r"names 2 inputs \(x, y\), the example inputs have 1 tensors")
    linear.export_options = {"states": {"s": "t"}}
    refuse(given, "state 's' -> 't': the model has no input 's'; it has input")
    refuse((linear, "x"), "the example inputs of Linear are a str; give a tuple")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "a int is no model; give the path of a .onnx or .pt2"),
        ((1, 2), r"a tuple of \(int, int\) is no model"),
        (torch.nn.Linear(3, 2), "Linear came without example inputs\n  next: give the tuple"),
        (lambda: 3, "the factory returned a int, not"),
    ],
)
def test_no_models(given, message):
    refuse(given, message, ModelError)


def test_a_callable_that_raises():
    def broken():
        raise ValueError("no weights here")

    refuse(broken, "the factory broken raised ValueError: no weights here")


FACTORIES = """
    import torch

    def raises():
        raise KeyError("layers.0")

    def nothing():
        pass

    def only_module():
        return torch.nn.Linear(3, 2)

    def three():
        return torch.nn.Linear(3, 2), (torch.ones(1, 3),), "more"

    def wants(size):
        return size

    SIZE = 3
"""


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("raises", ExportError, r"raised KeyError: 'layers.0'\n  at .*zoo_of_factories.py:5"),
        (
            "nothing",
            ModelError,
            r"returned None; it must return a tuple \(module, example_inputs\)",
        ),
        ("only_module", ModelError, "Linear came without example inputs"),
        ("three", ModelError, r"returned a tuple of \(Linear, tuple, str\); it must return"),
        ("wants", ExportError, r"raised TypeError: wants\(\) missing 1 required"),
        ("SIZE", ModelError, "SIZE is a int; a factory takes nothing and returns"),
        ("lost", ModelError, "has no 'lost'; functions and classes in it: nothing, only_module, r"),
        ("", ModelError, "names no factory; write package.module:factory"),
    ],
)
def test_factories(tmp_path, monkeypatch, name, error, message):
    (tmp_path / "zoo_of_factories.py").write_text(textwrap.dedent(FACTORIES))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "zoo_of_factories", raising=False)
    refuse(f"zoo_of_factories:{name}", message, error)


def test_modules_that_cannot_be_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = "no module named 'no_such_package' in .*\n  next: run in the folder that holds it"
    refuse("no_such_package.module:f", message, ModelError)
    (tmp_path / "needs_more.py").write_text("import a_module_that_is_missing\n")
    message = "importing needs_more needs the module 'a_module_that_is_missing', which is not"
    refuse("needs_more:f", message, ModelError)
    (tmp_path / "is_broken.py").write_text("def f(:\n")
    refuse("is_broken:f", "importing is_broken raised SyntaxError", ModelError)
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n")
    refuse("leaves:f", r"importing leaves raised SystemExit: 3\n  at .*leaves.py:1", ModelError)
    refuse("lost.py:f", r"lost.py does not exist; give path/to/file.py:factory", ModelError)


def test_programs(tmp_path):
    path = tmp_path / "m.pt2"
    refuse(path, "m.pt2 does not exist; torch.export.save", ModelError)
    path.write_bytes(b"not a zip")
    refuse(path, r"is no .pt2 file, or was cut off \(9 bytes\)\n  next: write it again", ModelError)
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.ones(4, 3),))
    torch.export.save(program, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refuse(path, "is no .pt2 file, or was cut off", ModelError)
    torch.save({"weight": torch.ones(2)}, path)
    refuse(path, "m.pt2 cannot be loaded by torch .*\n  next: write it again", ModelError)


def test_damaged_programs_never_crash(tmp_path):
    path = tmp_path / "m.pt2"
    torch.export.save(torch.export.export(torch.nn.Linear(3, 2), (torch.ones(4, 3),)), path)
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 6)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            load_model(path)
        except ModelError as error:
            assert str(error)
