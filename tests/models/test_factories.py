"""Every shipped model loads, is small, and exports to ONNX without a change of its results."""

import importlib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

from edgemoe.models import accuracy_table, checkpoint  # noqa: E402

MODELS = Path(checkpoint.__file__).parent
FACTORIES = list(accuracy_table.FACTORIES.values())
LANGUAGE = [factory for factory in FACTORIES if "char" in factory or "domain" in factory]


def make(factory):
    module, function = factory.split(":")
    return getattr(importlib.import_module(f"edgemoe.models.{module}"), function)()


# torch's own exporter warns, about its copies of node metadata and about what it lacks
exports = pytest.mark.filterwarnings("ignore")


def close(actual, expected):
    # float32 sums in another order: a hundred thousandth of the largest value, which is order 10
    limit = 1e-5 * max(1.0, np.abs(expected).max())
    assert np.abs(actual - expected).max() <= limit


def other(inputs, tokens):
    """Inputs unlike the example's: noise, or other tokens that go on behind a filled cache."""
    generator = torch.Generator().manual_seed(7)
    if len(inputs) == 1:
        return (inputs[0] + torch.randn(inputs[0].shape, generator=generator),)
    caches = (torch.randn(cache.shape, generator=generator) for cache in inputs[2:])
    return torch.randint(96, (tokens,), generator=generator), torch.tensor([33]), *caches


def agrees(module, inputs, others, dynamic):
    options = module.export_options
    program = torch.onnx.export(
        module,
        inputs,
        dynamo=True,
        opset_version=20,
        input_names=options["input_names"],
        output_names=options["output_names"],
        dynamic_shapes=dynamic,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    assert [node.name for node in session.get_inputs()] == options["input_names"]
    assert [node.name for node in session.get_outputs()] == options["output_names"]
    for case in (inputs, *others):
        feeds = {
            name: value.numpy() for name, value in zip(options["input_names"], case, strict=True)
        }
        expected = module(*case)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for got, wanted in zip(session.run(None, feeds), expected, strict=True):
            close(got, wanted.numpy())
    return program


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_module_is_ready_to_run(factory):
    module, inputs = make(factory)
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert len({value.data_ptr() for value in inputs}) == len(inputs)
    assert len(module.export_options["input_names"]) == len(inputs)


@exports
@pytest.mark.parametrize("factory", FACTORIES)
def test_a_static_export_agrees_with_torch(factory):
    module, inputs = make(factory)
    agrees(module, inputs, [other(inputs, len(inputs[0]))], dynamic=None)


@exports
@pytest.mark.parametrize("factory", LANGUAGE)
def test_one_export_serves_any_number_of_tokens(factory):
    module, inputs = make(factory)
    others = [other(inputs, tokens) for tokens in (1, 33)]
    program = agrees(module, inputs, others, module.export_options["dynamic_shapes"])
    operators = {node.op_type for node in program.model.graph}
    assert "ScatterND" in operators
    assert not operators & {"If", "Loop", "NonZero"}


@pytest.mark.parametrize("name", accuracy_table.FACTORIES)
def test_the_checkpoint_is_under_a_megabyte_and_has_its_record(name):
    assert (checkpoint.CHECKPOINTS / f"{name}.safetensors").stat().st_size < 1_000_000
    record = checkpoint.read_record(name)
    module, _ = make(accuracy_table.FACTORIES[name])
    assert record["parameters"] == checkpoint.parameters(module)
    assert record["training_seconds"] < 600
    assert record["controls"]


def test_a_missing_checkpoint_says_what_to_do():
    with pytest.raises(FileNotFoundError, match=r"train it first, see models/README\.md"):
        checkpoint.load(torch.nn.Linear(1, 1), "no_such_model")


def test_every_file_is_under_150_lines():
    lengths = {path.name: len(path.read_text().splitlines()) for path in MODELS.glob("*.py")}
    assert not {name: lines for name, lines in lengths.items() if lines >= 150}


def test_the_readme_table_equals_the_records():
    assert accuracy_table.table() in accuracy_table.README.read_text()
