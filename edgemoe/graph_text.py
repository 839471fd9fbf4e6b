"""Print a graph as text that people can read and diff."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import graph_facts

_SHORT = {
    "FLOAT": "f32", "DOUBLE": "f64", "FLOAT16": "f16", "BFLOAT16": "bf16", "INT64": "i64",
    "INT32": "i32", "INT8": "i8", "UINT8": "u8", "BOOL": "bool", "INT4": "i4", "UINT4": "u4",
}  # fmt: skip


def to_text(model: ir.Model) -> str:
    """Return one line per input, node and output, then the functions; weights by shape only."""
    lines = [f"input {_typed(value)}" for value in model.graph.inputs]
    lines += _nodes(model.graph, "")
    lines += [f"output {_typed(value)}" for value in model.graph.outputs]
    for function in sorted(model.functions.values(), key=lambda f: f.name):
        kind = function.metadata_props.get(graph_facts.KIND, "")
        inputs = ", ".join(_typed(value) for value in function.inputs)
        lines += ["", f"function {function.domain}::{function.name}({inputs})  # {kind}"]
        lines += _nodes(function.graph, "  ")
        lines += ["  return " + ", ".join(str(value.name) for value in function.outputs)]
    return "\n".join(lines) + "\n"


def _nodes(graph: ir.Graph, indent: str) -> list[str]:
    lines = []
    for node in graph:
        outputs = ", ".join(_typed(value) for value in node.outputs)
        inputs = ", ".join(_operand(value) for value in node.inputs)
        attributes = ", ".join(
            f"{name}={_attribute(value)}"
            for name, value in sorted(node.attributes.items())
            if value.type != ir.AttributeType.GRAPH
        )
        name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        origin = graph_facts.origin_of(node)
        line = f"{indent}{outputs} = {name}({inputs})"
        line += f" {{{attributes}}}" if attributes else ""
        lines.append(line + (f"  # {origin}" if origin else ""))
        for label, value in sorted(node.attributes.items()):
            if value.type == ir.AttributeType.GRAPH:
                lines.append(f"{indent}  {label}:")
                lines += _nodes(value.as_graph(), indent + "    ")
    return lines


def _typed(value: ir.Value) -> str:
    dtype = "?" if value.dtype is None else _SHORT.get(value.dtype.name, value.dtype.name.lower())
    extents = "?" if value.shape is None else ",".join(
        str(d) if isinstance(d, int) else str(d.value or "?") for d in value.shape)  # fmt: skip
    return f"{value.name}: {dtype}[{extents}]"


def _operand(value: ir.Value | None) -> str:
    if value is None:
        return "-"
    if not graph_facts.is_constant(value) or value.const_value is None:
        return str(value.name)
    if value.const_value.size <= 8 and value.const_value.dtype != ir.DataType.STRING:
        flat = value.const_value.numpy().reshape(-1).tolist()
        return repr(flat[0]) if value.const_value.size == 1 else repr(flat)
    return "*" + _typed(value).replace(": ", ":")


def _attribute(attribute: ir.Attr) -> str:
    value = attribute.value
    if attribute.type == ir.AttributeType.TENSOR and value is not None:
        tensor = attribute.as_tensor()
        return str(tensor.numpy().tolist()) if tensor.size <= 8 else f"tensor{list(tensor.shape)}"
    return str(list(value)) if isinstance(value, (list, tuple)) else repr(value)
