"""Rewrites one KV cache of one graph: its state, its writer and the attention that reads it.

    Given:  c_out = ScatterND(c: f32[256,2,32], rows, new); y = Attention_0(q, c_out, v_out)
    Result: c_out: i8, s_out = Append_0(c: i8[256,2,32], s: f32[256,2,1], new, rows)
            y = Attention_0(q, c_out, v_out, s_out, t_out), which begins with a Cast and a Mul

The bodies are standard operators with the rounding of `edgemoe.kv_cache`, so that the graph still
runs in onnxruntime.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import emit, graph_facts, kv_cache
from edgemoe.cache_form import Reader, Writer
from edgemoe.graph_facts import DOMAIN, KIND, ORIGIN
from edgemoe.outline import free_name
from edgemoe.regions import OPSET

Array = NDArray[Any]

WRITER, ORDER, AXIS = "edgemoe.writer", "edgemoe.order", "edgemoe.axis"
"""Properties of an `Append`: the operator that writes, the order in which it sees the axes of the
cache, and the axis along which rows are added (of ScatterElements and Concat)."""

_DTYPES = {
    "bfloat16": ir.DataType.BFLOAT16, "float16": ir.DataType.FLOAT16, "int8": ir.DataType.INT8
}  # fmt: skip


@dataclass(frozen=True)
class NarrowCache:
    """A state that is stored in `dtype`; `scales` are input and output of int8's scales."""

    state: str
    output: str
    dtype: str
    scales: tuple[str, str] | None


def value_named(values: Sequence[ir.Value], name: str) -> ir.Value:
    """The input or output of that name."""
    return next(value for value in values if value.name == name)


class _Body:
    """Makes the nodes of a function, with their shapes."""

    def __init__(self) -> None:
        self.nodes: list[ir.Node] = []

    def op(
        self, op_type: str, *inputs: ir.Value, like: ir.Value | None = None,
        shape: Sequence[int] | None = None, dtype: ir.DataType | None = None, **attributes: Any,
    ) -> ir.Value:  # fmt: skip
        """A node whose result has the shape and dtype of `like`, but for what is given."""
        node = ir.node(op_type, list(inputs), attributes=attributes, num_outputs=1)
        (out,) = node.outputs
        like = like if like is not None else inputs[0]
        given = shape if shape is not None else graph_facts.shape_of(like)
        assert given is not None
        kind = dtype if dtype is not None else like.dtype
        assert kind is not None
        out.name = f"narrow.{len(self.nodes)}"
        out.shape, out.type = ir.Shape(given), ir.TensorType(kind)
        self.nodes.append(node)
        return out

    def constant(self, array: Array) -> ir.Value:
        """A constant inside the function."""
        node = ir.node("Constant", [], attributes={"value": ir.tensor(array)}, num_outputs=1)
        (out,) = node.outputs
        out.name = f"narrow.{len(self.nodes)}"
        out.shape, out.type = (
            ir.Shape(array.shape),
            ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        )
        self.nodes.append(node)
        return out

    def scalar(self, value: float) -> ir.Value:
        """A float32 constant."""
        return self.constant(np.array(value, np.float32))

    def transposed(self, value: ir.Value, order: Sequence[int]) -> ir.Value:
        """`value` with its axes in `order`; itself where that is their order."""
        shape = graph_facts.shape_of(value)
        assert shape is not None
        if list(order) == list(range(len(shape))):
            return value
        return self.op("Transpose", value, shape=[shape[a] for a in order], perm=list(order))


@dataclass(frozen=True)
class Rewriter:
    """Rewrites one cache of one variant."""

    model: ir.Model
    cache: NarrowCache

    def run(self, writer: Writer, readers: Sequence[Reader]) -> None:
        """Replace the writer by an `Append`, let the readers begin with what widens rows."""
        graph = self.model.graph
        state = value_named(graph.inputs, self.cache.state)
        output = value_named(graph.outputs, self.cache.output)
        shape = graph_facts.shape_of(state)
        assert shape is not None
        state.type = ir.TensorType(_DTYPES[self.cache.dtype])
        inputs = [state]
        if self.cache.scales is not None:
            scales = ir.Value(
                name=self.cache.scales[0], shape=ir.Shape([*shape[:-1], 1]),
                type=ir.TensorType(ir.DataType.FLOAT),
            )  # fmt: skip
            graph.inputs.append(scales)
            inputs.append(scales)
        inputs += [writer.updates, *([] if writer.indices is None else [writer.indices])]
        call = self._append(writer, inputs)
        for reader in readers:
            self._widen(writer, reader, call)
        old_type = call.outputs[0].type
        emit.replace(output, call.outputs[0])
        call.outputs[0].type = old_type
        if self.cache.scales is not None:
            call.outputs[1].name = self.cache.scales[1]
            graph.outputs.append(call.outputs[1])

    def _append(self, writer: Writer, inputs: Sequence[ir.Value]) -> ir.Node:
        formal = [
            ir.Value(name=name, shape=value.shape, type=value.type)
            for name, value in zip(self._names(writer), inputs, strict=True)
        ]
        body = _Body()
        dtype = _DTYPES[self.cache.dtype]
        indices = formal[-1] if writer.indices is not None else None
        if self.cache.scales is None:
            new = body.op("Cast", formal[1], dtype=dtype, to=int(dtype))
            results = [_updated(body, writer, formal[0], new, indices)]
        else:
            codes, scales = _quantised(body, formal[2])
            results = [_updated(body, writer, formal[0], codes, indices)]
            if indices is not None and writer.node.op_type == "ScatterElements":
                lead = graph_facts.shape_of(indices)
                assert lead is not None
                first, one, last = (body.constant(np.array([n], np.int64)) for n in (0, 1, -1))
                indices = body.op("Slice", indices, first, one, last, shape=[*lead[:-1], 1])
            results.append(_updated(body, writer, formal[1], scales, indices))
        inner = ir.Graph(formal, results, nodes=body.nodes, opset_imports={"": OPSET, DOMAIN: 1})
        name = free_name(self.model, "Append")
        function = ir.Function(DOMAIN, name, "", graph=inner, attributes=[])
        properties = {
            KIND: "Append", WRITER: writer.node.op_type,
            ORDER: ",".join(map(str, writer.order)), AXIS: str(writer.axis),
        }  # fmt: skip
        function.metadata_props.update(properties)
        self.model.functions[function.identifier()] = function
        self.model.opset_imports[DOMAIN] = 1
        call = ir.node(
            name, list(inputs), domain=DOMAIN, num_outputs=len(results),
            metadata_props={**properties, ORIGIN: graph_facts.origin_of(writer.node)},
        )  # fmt: skip
        self.model.graph.insert_after(writer.node, call)
        for out, result in zip(call.outputs, results, strict=True):
            out.shape, out.type = result.shape, result.type
            out.meta["emitted"] = True
        return call

    def _names(self, writer: Writer) -> Iterator[str]:
        yield "cache"
        if self.cache.scales is not None:
            yield "scales"
        yield "new"
        if writer.indices is not None:
            yield "rows"

    def _widen(self, writer: Writer, reader: Reader, call: ir.Node) -> None:
        """Let an attention read the narrow cache: its body begins with a Cast."""
        function = self.model.functions[reader.node.op_identifier()]
        old = function.inputs[reader.index]
        stored = call.outputs[0]
        formal = ir.Value(name=f"{old.name}.stored", shape=stored.shape, type=stored.type)
        body = _Body()
        wide = body.op("Cast", formal, dtype=ir.DataType.FLOAT, to=int(ir.DataType.FLOAT))
        if self.cache.scales is not None:
            scales = call.outputs[1]
            factor = ir.Value(name=f"{old.name}.scales", shape=scales.shape, type=scales.type)
            wide = body.op("Mul", wide, factor)
        if reader.permuted:
            wide = body.transposed(wide, writer.order)
        for number, node in enumerate(body.nodes):
            node.outputs[0].name = f"{old.name}.wide{number}"
        function.graph.insert_before(function.graph[0], body.nodes)
        old.replace_all_uses_with(wide)
        function.inputs[reader.index] = formal
        reader.node.replace_input_with(reader.index, stored)
        if self.cache.scales is not None:
            function.inputs.append(factor)
            reader.node.resize_inputs(len(reader.node.inputs) + 1)
            reader.node.replace_input_with(len(reader.node.inputs) - 1, scales)


def _quantised(body: _Body, rows: ir.Value) -> tuple[ir.Value, ir.Value]:
    """int8 codes of float32 rows [.., D], and their scales [.., 1]."""
    shape = graph_facts.shape_of(rows)
    assert shape is not None
    one = [*shape[:-1], 1]
    last = body.constant(np.array([-1], np.int64))
    largest = body.op("ReduceMax", body.op("Abs", rows), last, shape=one, keepdims=1)
    most = body.op("Max", largest, body.scalar(kv_cache.SMALLEST))
    # Zero times a NaN or an infinity is a NaN, which is what the scale of such a row has to be.
    spoilt = body.op(
        "ReduceSum", body.op("Mul", rows, body.scalar(0.0)), last, shape=one, keepdims=1
    )
    scales = body.op("Add", body.op("Mul", most, body.scalar(1.0 / 127.0)), spoilt)
    inverse = body.op("Div", body.scalar(127.0), most, like=most)
    rounded = body.op("Round", body.op("Mul", rows, inverse))
    codes = body.op("Cast", rounded, dtype=ir.DataType.INT8, to=int(ir.DataType.INT8))
    return codes, scales


def _updated(
    body: _Body, writer: Writer, cache: ir.Value, new: ir.Value, indices: ir.Value | None
) -> ir.Value:
    """A cache, or its scales, with the new rows: what the writer did with float32."""
    source = body.transposed(cache, writer.order)
    whole = graph_facts.shape_of(source)
    added = graph_facts.shape_of(new)
    assert whole is not None and added is not None
    if indices is not None:
        attributes: dict[str, Any] = (
            {"axis": writer.axis} if writer.node.op_type == "ScatterElements" else {}
        )
        result = body.op(writer.node.op_type, source, indices, new, like=source, **attributes)
    else:
        count = added[writer.axis]
        bounds = [
            body.constant(np.array([n], np.int64)) for n in (count, whole[writer.axis], writer.axis)
        ]
        rest = [d - count if a == writer.axis else d for a, d in enumerate(whole)]
        kept = body.op("Slice", source, *bounds, shape=rest)
        result = body.op("Concat", kept, new, like=source, shape=whole, axis=writer.axis)
    return body.transposed(result, writer.inverse)
