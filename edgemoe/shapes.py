"""Keep shapes and types of values known, node by node, without touching big weights.

`onnx.shape_inference` on a whole model copies it; here every node is inferred alone, and small
integer results (the arithmetic that exporters leave around Reshape and Expand) are carried along.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts, microsoft_shapes

_CARRY = 1024  # elements of an integer result that is worth knowing
_TRIED = "edgemoe.inferred"  # node.meta: what was known of the inputs when it was inferred
_SHAPE_OPS = frozenset(
    [
        "Shape",
        "Size",
        "Gather",
        "Concat",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Mod",
        "Neg",
        "Cast",
        "Unsqueeze",
        "Squeeze",
        "Slice",
        "Range",
        "Reshape",
        "ReduceProd",
        "ReduceSum",
        "ReduceMax",
        "ReduceMin",
        "Min",
        "Max",
        "Where",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Not",
        "And",
        "Or",
        "ConstantOfShape",
        "Expand",
        "Identity",
        "Ceil",
        "Floor",
        "Constant",
        "Split",
    ]
)


class ShapeInference:
    """Walks a model in order and fills in what is unknown.

    Args:
        model: the model; its nodes must be in topological order.
        fresh: infer every node again, not only those whose outputs have no static shape.
    """

    def __init__(self, model: ir.Model, *, fresh: bool = False) -> None:
        self._model = model
        self._fresh = fresh
        self._opset = model.opset_imports.get("", 23)
        self.values: dict[ir.Value, np.ndarray] = {}

    def run(self) -> None:
        """Fill in shapes and types of the main graph and of the graphs inside its nodes."""
        self._walk(self._model.graph)

    def _walk(self, graph: ir.Graph) -> None:
        for node in graph:
            for attribute in node.attributes.values():
                if attribute.type == ir.AttributeType.GRAPH:
                    self._walk(attribute.as_graph())
            known = all(
                output.dtype is not None and graph_facts.shape_of(output) is not None
                for output in node.outputs
                if output.name
            )
            if self._fresh or not known:
                if node.op_identifier() in self._model.functions:
                    self._infer_call(node)
                else:
                    self._infer_if_new(node)
            self._carry(node)

    def _infer_if_new(self, node: ir.Node) -> None:
        """Infer a node, unless the same was tried in vain: counts that depend on data stay unknown.

        Without this, every pass that changes something would infer all rows that NonZero picks.
        """
        if node.op_type == "If":  # known from what its branches hold
            _infer(node, self._opset, self._value)
            return
        tried = (
            tuple(self._told(value) for value in node.inputs),
            tuple((name, id(attribute)) for name, attribute in node.attributes.items()),
        )
        if self._fresh or node.meta.get(_TRIED) != tried:
            node.meta[_TRIED] = tried
            _infer(node, self._opset, self._value)

    def _told(self, value: ir.Value | None) -> tuple[object, ...] | None:
        """What inference is told about an input."""
        if value is None:
            return None
        array = self._value(value)
        extents = None if value.shape is None else tuple(value.shape)
        return value.dtype, extents, None if array is None else array.tobytes()

    def _infer_call(self, node: ir.Node) -> None:
        """Infer the body of a function with the shapes of this call; the function stays as it is.

        Captured experts are calls before the number of tokens is bound.
        """
        body = self._model.functions[node.op_identifier()].graph.clone()
        if len(node.inputs) != len(body.inputs):
            return
        inner = ShapeInference(self._model, fresh=True)
        for formal, given in zip(body.inputs, node.inputs, strict=True):
            if given is None:
                return
            formal.shape, formal.type = given.shape, given.type
            if (array := self._value(given)) is not None:
                inner.values[formal] = array
        inner._walk(body)
        for output, result in zip(node.outputs, body.outputs, strict=True):
            if graph_facts.shape_of(result) is not None:
                output.shape, output.type = result.shape, result.type

    def _carry(self, node: ir.Node) -> None:
        if node.op_type not in _SHAPE_OPS or node.domain not in ("", "ai.onnx"):
            return
        outputs = [output for output in node.outputs if output.name]
        for output in outputs:
            size = graph_facts.size_of(output)
            if output.dtype is None:
                return
            if not output.dtype.is_integer() and output.dtype != ir.DataType.BOOL:
                return
            if size is None or size > _CARRY:
                return
        array = self._compute(node, outputs)
        if array is not None:
            self.values.update(zip(outputs, array, strict=True))

    def _compute(self, node: ir.Node, outputs: list[ir.Value]) -> list[np.ndarray] | None:
        source = node.inputs[0] if node.inputs else None
        shape = graph_facts.shape_of(source)
        if graph_facts.is_op(node, "Shape"):
            if shape is None:
                return None
            start = graph_facts.attribute(node, "start", 0)
            end = graph_facts.attribute(node, "end", len(shape))
            return [np.array(shape[start:end], np.int64)]
        if graph_facts.is_op(node, "Size"):
            size = graph_facts.size_of(source)
            return None if size is None else [np.array(size, np.int64)]
        known: dict[ir.Value, np.ndarray] = {}
        for value in node.inputs:
            if value is not None:
                array = self._value(value)
                if array is None:
                    return None
                known[value] = array
        try:
            return constant_eval.evaluate(outputs, known, self._opset)
        except Exception:  # an integer division by zero in a branch that never runs, for example
            return None

    def _value(self, value: ir.Value) -> np.ndarray | None:
        if value in self.values:
            return self.values[value]
        return _small(value)


def infer(model: ir.Model, *, fresh: bool = False) -> dict[ir.Value, np.ndarray]:
    """Fill in shapes and types; returns the small integer values that are known by now."""
    inference = ShapeInference(model, fresh=fresh)
    inference.run()
    return inference.values


def infer_one(node: ir.Node, opset: int = 23) -> None:
    """Fill in shapes and types of one new node; only constants are known."""
    _infer(node, opset, lambda value: _small(value))


def _infer(node: ir.Node, opset: int, known: Callable[[ir.Value], np.ndarray | None]) -> None:
    if node.domain == microsoft_shapes.DOMAIN:
        microsoft_shapes.infer_microsoft(node)
    if node.domain not in ("", "ai.onnx"):
        return
    if graph_facts.is_op(node, "If"):
        _from_branches(node)
        return
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for value in node.inputs:
        if value is None:
            continue
        if value.dtype is None:
            return
        types[str(value.name)] = _type(value)
        array = known(value)
        if array is not None:
            data[str(value.name)] = onnx.numpy_helper.from_array(array, value.name)
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
        inferred = onnx.shape_inference.infer_node_outputs(
            schema, ir.serde.serialize_node(node), types, data,
            opset_imports=[onnx.helper.make_opsetid("", opset)],
        )  # fmt: skip
    except onnx.defs.SchemaError:
        microsoft_shapes.infer_microsoft(node)
        return
    except (onnx.shape_inference.InferenceError, RuntimeError):
        return
    for output in node.outputs:
        found = inferred.get(str(output.name))
        if found is not None and found.HasField("tensor_type"):
            _apply(output, found.tensor_type)


def _small(value: ir.Value) -> np.ndarray | None:
    tensor = value.const_value if graph_facts.is_constant(value) else None
    if tensor is None or tensor.size > _CARRY or tensor.dtype == ir.DataType.STRING:
        return None
    return tensor.numpy()


def _type(value: ir.Value) -> onnx.TypeProto:
    shape = (
        None if value.shape is None else [d if isinstance(d, int) else None for d in value.shape]
    )
    return onnx.helper.make_tensor_type_proto(int(value.dtype or 0), shape)


def _apply(output: ir.Value, found: onnx.TypeProto.Tensor) -> None:
    if found.elem_type:
        output.type = ir.TensorType(ir.DataType(found.elem_type))
    if not found.HasField("shape"):
        return
    extents = [d.dim_value if d.HasField("dim_value") else None for d in found.shape.dim]
    old = graph_facts.shape_of(output)
    if None in extents and old is not None and len(old) == len(extents):
        return
    output.shape = ir.Shape(extents)


def _from_branches(node: ir.Node) -> None:
    branches = [node.attributes[name].as_graph().outputs for name in ("then_branch", "else_branch")]
    for output, then, other in zip(node.outputs, *branches, strict=True):
        output.type = then.type
        shape = graph_facts.shape_of(then)
        if shape is not None and shape == graph_facts.shape_of(other):
            output.shape = ir.Shape(shape)
