"""Whatever is recognised computes what the graph computed before, however it was changed.

The invariant is equality in onnxruntime, on inputs with ties too; never how much is recognised.
`EDGEMOE_EXAMPLES=1000` looks longer.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from edgemoe.explanation import explain_graph
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.pass_runner import run_passes
from edgemoe.specialise import bind_shapes

EXAMPLES = int(os.environ.get("EDGEMOE_EXAMPLES", "12"))
FORMS = (
    "gathered_sum", "loop_mixtral", "loop_assign", "dense_scatter", "stack_gather", "tiled_batch",
    "dense_einsum", "block_flat", "block_batched", "scaled_input",
)  # fmt: skip
TEXTS = ("GATHERED", "DENSE", "LOOP")


def beside(name: str) -> ModuleType:
    """Load a file that lies beside this one and in no package."""
    full = f"edgemoe_tests_passes_{name}"
    if full not in sys.modules:
        path = Path(__file__).with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location(full, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


MUTATIONS = beside("mutations").MUTATIONS


@functools.cache
def original(name: str) -> bytes:
    """A model of static shapes as bytes: a fresh copy for every example."""
    tools = beside("conftest").Tools
    if name in TEXTS:
        texts = beside("test_near_misses")
        source = getattr(texts, name)
        model = tools.text(source, texts.weights(source))
    else:
        model = bind_shapes(tools.export(name), {"T": 4})
    _whole_router(model)
    data: bytes = ir.to_proto(model).SerializeToString()
    return data


def _whole_router(model: ir.Model) -> None:
    """Give the router whole numbers, so that scores of whole inputs tie to the last bit."""
    for value in model.graph.initializers.values():
        if value.name in ("R", "router.weight", "layer.router.weight"):
            assert value.const_value is not None
            array = np.sign(np.round(value.const_value.numpy() * 2)).astype(np.float32)
            value.const_value = ir.tensor(array, name=value.name)


def feeds(model: ir.Model) -> list[dict[str, np.ndarray]]:
    """Random numbers, whole numbers with ties, and zeros, where everything ties."""
    random = np.random.default_rng(7)
    (x,) = model.graph.inputs
    shape = [int(d) for d in x.shape or ()]
    arrays = [
        random.standard_normal(shape),
        random.integers(-1, 2, shape),
        np.repeat(random.integers(-1, 2, [1, *shape[1:]]), shape[0], axis=0),
        np.zeros(shape),
    ]
    return [{str(x.name): array.astype(np.float32)} for array in arrays]


def again(model: ir.Model) -> ir.Model:
    """Read a changed model anew, so that no shape is remembered from before."""
    proto = ir.to_proto(model)
    del proto.graph.value_info[:]
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")
    return bind_shapes(ir.from_proto(proto), {})


def computed(model: ir.Model) -> list[list[np.ndarray]] | None:
    """Outputs on every feed; None where onnxruntime does not take the model."""
    try:
        return [run_in_onnxruntime(model, feed) for feed in feeds(model)]
    except Exception:
        return None


def mutated(name: str, changes: list[tuple[str, int]]) -> ir.Model | None:
    """The model after the changes; None where it is no valid model any more."""
    model = bind_shapes(ir.from_proto(_parse(original(name))), {})
    for mutation, seed in changes:
        MUTATIONS[mutation](model, np.random.default_rng(seed))
    return again(model) if computed(model) is not None else None


def _parse(data: bytes) -> Any:
    import onnx

    return onnx.load_from_string(data)


def difference(got: np.ndarray, want: np.ndarray) -> str:
    """What differs beyond the order of sums."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{got.shape} instead of {want.dtype}{want.shape}"
    if want.dtype.kind != "f":
        return "" if np.array_equal(got, want) else "other integers"
    limit = 1e-4 * max(1.0, float(np.abs(want).max(initial=0.0)))
    gap = float(np.abs(got.astype(np.float64) - want).max(initial=0.0))
    return "" if gap <= limit else f"off by {gap:.3g}"


def check(name: str, changes: list[tuple[str, int]]) -> None:
    model = mutated(name, changes)
    assume(model is not None)
    assert model is not None
    wanted = computed(model)
    assume(wanted is not None)
    assert wanted is not None
    # Skipping an expert drops its infinities as well: those are no results.
    assume(all(np.isfinite(a).all() for feed in wanted for a in feed if a.dtype.kind == "f"))
    report = run_passes(model, phases=("import", "canonicalise", "recognise"))
    explain_graph(model, report)  # whatever is left, it does not crash
    got = [run_in_onnxruntime(model, feed) for feed in feeds(model)]
    for number, (one, other) in enumerate(zip(got, wanted, strict=True)):
        for a, b in zip(one, other, strict=True):
            assert not (text := difference(a, b)), f"feed {number}: {text}"


CHANGES = st.lists(
    st.tuples(st.sampled_from(sorted(MUTATIONS)), st.integers(0, 10_000)), min_size=1, max_size=2
)


@pytest.mark.parametrize("name", (*TEXTS, *FORMS))
def test_what_is_recognised_computes_the_same(name: str) -> None:
    if name in FORMS:
        pytest.importorskip("torch")

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize="EDGEMOE_EXAMPLES" not in os.environ,
        database=None, print_blob=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )  # fmt: skip
    @given(CHANGES)
    def run(changes: list[tuple[str, int]]) -> None:
        check(name, changes)

    run()


def test_choices_that_are_taken_apart(tools: Any) -> None:
    """The largest over the choices is no sum: each choice is a token of its own."""
    texts = beside("test_near_misses")
    source = texts.changed(
        texts.GATHERED, ("y = ReduceSum <keepdims = 0>", "y = ReduceMax <keepdims = 0>")
    )
    model = tools.text(source, texts.weights(texts.GATHERED))
    report = tools.recognise(model)
    assert len(tools.regions(model)) == 1 and not tools.regions(model, "Route")
    (missed,) = [note for note in report.notes if note.kind == "missed"]
    assert "the logits [4, 3] are not 8 rows of 3" in missed.text


def test_a_reader_of_the_choices_before_their_sum(tools: Any) -> None:
    """A second region over [T*K, 1] choices gets the rows that were dispatched, not the tokens."""
    pytest.importorskip("torch")
    model = bind_shapes(tools.export("stack_gather"), {"T": 4})
    product = [n for n in model.graph if n.op_type == "Mul"][-1]
    node = ir.node("Abs", [product.outputs[0]])
    node.outputs[0].name = "read"
    node.outputs[0].type, node.outputs[0].shape = product.outputs[0].type, product.outputs[0].shape
    model.graph.append(node)
    model.graph.outputs.append(node.outputs[0])
    tools.recognise(model)
