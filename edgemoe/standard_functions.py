"""Expand operators that the ONNX standard itself defines by other operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.regions import OPSET


def expand(emit: Emitter, node: ir.Node) -> Sequence[ir.Value | None] | None:
    """Emit the standard's definition of `node`; None when the standard has none for it.

    The definition may depend on which inputs are there and on their types, so both are passed on.
    """
    function = _definition(node)
    if function is None:
        return None
    wanted = list(function.output)
    made_names = {name for proto in function.node for name in proto.output} | set(function.input)
    del function.output[:]  # optional outputs that the node does not ask for are not made
    function.output.extend(name for name in wanted if name in made_names)
    body = ir.serde.deserialize_function(function)
    values: dict[ir.Value, ir.Value | None] = dict.fromkeys(body.inputs)
    values.update(zip(body.inputs, node.inputs, strict=False))
    for inner in body:
        attributes = {}
        for name, attribute in inner.attributes.items():
            given: ir.Attr | None = attribute
            if attribute.is_ref():
                given = node.attributes.get(str(attribute.ref_attr_name))
            if given is not None:
                attributes[name] = given.value
        operands = [None if value is None else values[value] for value in inner.inputs]
        while operands and operands[-1] is None:
            operands.pop()
        made = emit.node(inner.op_type, operands, attributes, outputs=len(inner.outputs))
        values.update(zip(inner.outputs, made.outputs, strict=True))
    results = {value.name: values[value] for value in body.outputs}
    return [results.get(name) for name in wanted]


def _definition(node: ir.Node) -> onnx.FunctionProto | None:
    schema: Any = onnx.defs.get_schema(node.op_type, OPSET, "")  # its stubs lack these methods
    if schema.has_context_dependent_function:
        types = [
            onnx.helper.make_tensor_type_proto(
                int(value.dtype or 0), graph_facts.shape_of(value)
            ).SerializeToString()
            if value is not None
            else b""
            for value in node.inputs
        ]
        text = schema.get_context_dependent_function(
            ir.serde.serialize_node(node).SerializeToString(), types
        )
        return onnx.FunctionProto.FromString(text) if text else None
    return schema.function_body if schema.has_function else None
