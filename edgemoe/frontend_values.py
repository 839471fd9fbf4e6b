"""Check types and shapes that a .onnx file declares: nothing negative, nothing absurdly large."""

from __future__ import annotations

import math

import onnx
import onnx_ir as ir

from edgemoe.errors import ModelError

INPUT_ELEMENTS = 1 << 32
"""Largest number of elements of an input or output; no device that we compile for holds more."""
_TYPED = {
    onnx.TensorProto.FLOAT: "float_data", onnx.TensorProto.COMPLEX64: "float_data",
    onnx.TensorProto.DOUBLE: "double_data", onnx.TensorProto.COMPLEX128: "double_data",
    onnx.TensorProto.INT64: "int64_data", onnx.TensorProto.UINT32: "uint64_data",
    onnx.TensorProto.UINT64: "uint64_data",
}  # fmt: skip


def check_inputs(graph: onnx.GraphProto) -> None:
    """Check the types of what the model takes and gives.

    Raises:
        ModelError: one is no tensor of numbers, or has an impossible shape.
    """
    if not graph.output:
        raise ModelError("the model has no outputs: there is nothing to compute; export it again")
    inner = {tensor.name for tensor in graph.initializer}
    for label, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            if not (label == "input" and value.name in inner):
                _check_value(label, value)


def _check_value(label: str, value: onnx.ValueInfoProto) -> None:
    kind = value.type.WhichOneof("value")
    title = f"{label} {value.name!r}"
    if kind is None:
        if label == "input":
            raise ModelError(f"{title} has no type; export the model again")
        return
    if kind != "tensor_type":
        what = kind.removesuffix("_type").replace("_", " ")
        raise ModelError(
            f"{title} is a {what}; models take and give tensors only\n"
            f"  next: export a version of the model with plain tensors instead of a {what}"
        )
    tensor = value.type.tensor_type
    dtype = tensor.elem_type
    if dtype == onnx.TensorProto.STRING:
        raise ModelError(
            f"{title} holds strings; tensors of numbers and booleans can be compiled\n"
            "  next: cut the text processing out of the graph and do it before the model"
        )
    if dtype not in ir.DataType.__members__.values() or dtype == onnx.TensorProto.UNDEFINED:
        raise ModelError(f"{title} has the unknown element type {dtype}; export the model again")
    if ir.DataType(dtype) in (ir.DataType.COMPLEX64, ir.DataType.COMPLEX128):
        raise ModelError(
            f"{title} holds complex numbers; give real and imaginary parts as two tensors"
        )
    extents = [d.dim_value for d in tensor.shape.dim if d.HasField("dim_value")]
    _check_extents(title, extents)
    if math.prod(extents) > INPUT_ELEMENTS:
        raise ModelError(
            f"{title} has shape {extents}, {math.prod(extents):,} elements; at most "
            f"{INPUT_ELEMENTS:,} can be compiled\n  next: export the model for a smaller input"
        )


def _check_extents(title: str, extents: list[int]) -> None:
    for axis, extent in enumerate(extents):
        if extent < 0:
            raise ModelError(
                f"{title} has extent {extent} at axis {axis}; extents are 0 or more\n"
                "  next: give the dimension a name if its size is free"
            )


def check_weight(tensor: onnx.TensorProto) -> None:
    """Check that a tensor has as many bytes as its type and shape say.

    Raises:
        ModelError: it has not, or the type is unknown.
    """
    title = f"tensor {tensor.name or '(in an attribute)'!r}"
    if tensor.data_type not in ir.DataType.__members__.values() or not tensor.data_type:
        raise ModelError(f"{title} has the unknown element type {tensor.data_type}")
    dtype = ir.DataType(tensor.data_type)
    _check_extents(title, list(tensor.dims))
    count = math.prod(tensor.dims)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return
    if dtype == ir.DataType.STRING:
        have, needed, unit = len(tensor.string_data), count, "strings"
    elif tensor.HasField("raw_data"):
        have, needed, unit = len(tensor.raw_data), -(-count * dtype.bitwidth // 8), "B"
    else:
        needed = count * (2 if dtype.name.startswith("COMPLEX") else 1)
        if dtype.bitwidth < 8:  # two, four or eight of them share an element of int32_data
            needed = -(-count * dtype.bitwidth // 8)
        have, unit = len(getattr(tensor, _TYPED.get(tensor.data_type, "int32_data"))), "values"
    if have != needed:
        raise ModelError(
            f"{title} {dtype}{list(tensor.dims)} needs {needed:,} {unit}, the file has {have:,}\n"
            "  next: copy or export the model again"
        )
