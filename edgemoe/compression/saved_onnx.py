"""A compressed model as ONNX that any runtime reads: codes behind DequantizeLinear.

Integer codes lie in blocks along the inputs of a product, as DequantizeLinear of opset 21 has them;
codes of 2 and 3 bits and ternary ones are stored in 4 bits. What runs is weight-only: activations
stay float32, so results are at least as exact as those of the artifact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.compression.trial import flat
from edgemoe.emit import add_constant
from edgemoe.errors import CheckError
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.precision import TABLE, Unit
from edgemoe.quantise import Codes, quantise
from edgemoe.weight_format import F32, WeightFormat
from edgemoe.write_onnx import write_onnx

if TYPE_CHECKING:
    from edgemoe.compression.compressed import Compressed

Array = NDArray[Any]

TOLERANCE = 1e-3
"""Largest difference from the candidate that was judged, relative to the largest output."""

OPSET = 21
"""The first with blocks and 4-bit integers."""


def save_onnx(found: Compressed, path: Path) -> str:
    """Write the compressed model to `path`; returns a sentence about its form.

    Where no expert was removed and every weight is found in the imported model, that model is
    written, with its dynamic axes and its own operators. Otherwise it is the graph that was
    compiled, for the token count of the calibration samples.

    Raises:
        CheckError: the file does not compute what was judged.
    """
    weights = dict(_chosen(found))
    model, form = None, "the imported model, with its own operators and dynamic axes"
    if not found.changes_graph:
        model = _imported(found, weights)
    if model is None:
        model = flat(found.option.graph)
        form = "the graph that was compiled, of static shapes"
        for name, (unit, given, codes) in weights.items():
            value = model.graph.initializers.get(name.removeprefix(TABLE))
            if value is not None:
                _replace(model, value, unit, given, codes, transposed=_is_transposed(unit, name))
    _check(found, model)
    write_onnx(model, path)
    return f"{path}: {form}; weights behind DequantizeLinear, activations float32"


def _chosen(found: Compressed) -> Iterator[tuple[str, tuple[Unit, WeightFormat, Codes | Array]]]:
    """By weight: codes for all experts one behind the other, or the float array."""
    search = found.search
    for unit, given in zip(search.units, found.chosen.candidate.formats, strict=True):
        for name in unit.names:
            weight = search.weights.originals.get(name)
            if weight is None or given == F32:
                continue
            if not given.is_integer:
                yield name, (unit, given, weight)
                continue
            matrices = weight if unit.experts else weight[None]
            rounder = search.weights.rounders.get(name)
            parts = []
            for expert, matrix in enumerate(matrices):
                rows = np.ascontiguousarray(matrix.T if _is_transposed(unit, name) else matrix)
                parts.append(
                    quantise(rows, given) if rounder is None else rounder(expert, rows, given)
                )
            yield name, (unit, given, _joined(parts))


def _joined(parts: list[Codes]) -> Codes:
    return Codes(
        np.stack([part.codes for part in parts]), np.stack([part.scales for part in parts]),
        np.stack([part.zeros for part in parts]),
    )  # fmt: skip


def _is_transposed(unit: Unit, name: str) -> bool:
    return unit.transposed[unit.names.index(name)]


def _imported(
    found: Compressed, weights: Mapping[str, tuple[Unit, WeightFormat, Codes | Array]]
) -> ir.Model | None:
    """The imported model with its weights replaced, None where one is not found in it."""
    model = found.task.source.model.clone()
    by_shape: dict[tuple[int, ...], list[ir.Value]] = {}
    for value in model.graph.initializers.values():
        by_shape.setdefault(graph_facts.shape_of(value) or (), []).append(value)
    for name, (unit, given, codes) in weights.items():
        weight, is_transposed = found.search.weights.originals[name], _is_transposed(unit, name)
        turned = np.swapaxes(weight, -1, -2)
        for array, transposed in ((weight, is_transposed), (turned, not is_transposed)):
            same = [v for v in by_shape.get(array.shape, ()) if _equal(v, array)]
            if same:
                for value in same:
                    _replace(model, value, unit, given, codes, transposed=transposed)
                break
        else:
            return None
    return model


def _equal(value: ir.Value, array: Array) -> bool:
    own = graph_facts.array_of(value)
    return own is not None and own.dtype == array.dtype and np.array_equal(own, array)


def _replace(
    model: ir.Model, value: ir.Value, unit: Unit, given: WeightFormat, codes: Codes | Array, *,
    transposed: bool,
) -> None:  # fmt: skip
    """Let products read a weight behind DequantizeLinear, or a cast from 16 bits."""
    users = [
        use for use in value.uses()
        if unit.experts
        or unit.role == "constant"
        or not graph_facts.is_op(use.node, "Gather")  # a table of embeddings
    ]  # fmt: skip
    if not users:
        return
    graph = model.graph
    if isinstance(codes, Codes):
        node = _dequantise(graph, value, unit, given, codes, transposed=transposed)
    else:
        kind = ir.DataType.BFLOAT16 if given.kind == "bfloat16" else ir.DataType.FLOAT16
        narrow = ir.tensor(codes.astype(kind.numpy()), dtype=kind)
        stored = add_constant(graph, narrow, f"{value.name}.{given}")
        node = ir.node("Cast", [stored], attributes={"to": int(ir.DataType.FLOAT)})
    graph.insert_before(graph[0], node)
    model.graph.opset_imports[""] = max(OPSET, model.graph.opset_imports.get("", 0))
    result = node.outputs[0]
    result.name = f"{value.name}.dequantised"
    result.type, result.shape = value.type, value.shape
    for use in users:
        use.node.replace_input_with(use.idx, result)
    if not value.uses():
        graph.initializers.pop(str(value.name), None)


def _dequantise(
    graph: ir.Graph, value: ir.Value, unit: Unit, given: WeightFormat, codes: Codes, *,
    transposed: bool,
) -> ir.Node:  # fmt: skip
    depth = unit.depth
    group = given.for_depth(depth).group or depth
    kind = ir.DataType.UINT8 if given.bits == 8 else ir.DataType.UINT4

    def laid(array: Array) -> Array:  # [experts, columns, n] -> as the weight lies
        turned = np.swapaxes(array, -1, -2) if transposed else array
        return np.ascontiguousarray(turned if unit.experts else turned[0])

    def constant(array: Array, dtype: ir.DataType, name: str) -> ir.Value:
        tensor = ir.tensor(laid(array).astype(dtype.numpy()), dtype=dtype)
        return add_constant(graph, tensor, f"{value.name}.{name}")

    inputs = [
        constant(codes.codes[..., :depth], kind, "codes"),
        constant(codes.scales, ir.DataType.FLOAT, "scales"),
        constant(codes.zeros, kind, "zeros"),
    ]
    axis = (1 if unit.experts else 0) + (0 if transposed else 1)
    return ir.node(
        "DequantizeLinear", inputs, attributes={"axis": axis, "block_size": min(group, depth)}
    )


def _check(found: Compressed, model: ir.Model) -> None:
    """Compare with the candidate as it was judged, without rounded activations, on one sample."""
    samples = found.task.samples
    feed = samples.feed(samples.numbers[0])
    arrays, _ = found.search.weights.of(found.chosen.candidate)
    wanted = found.search.trial.run(feed, arrays, {})
    names = [str(value.name) for value in model.graph.outputs]
    got = dict(zip(names, run_in_onnxruntime(model, feed), strict=True))
    for name in found.task.metrics:
        gap = float(np.abs(got[name] - wanted[name]).max())
        limit = TOLERANCE * float(np.abs(wanted[name]).max())
        if not gap <= limit:
            raise CheckError(
                f"the saved model's output {name!r} is off by {gap:.3g} (allowed {limit:.3g})"
            )
