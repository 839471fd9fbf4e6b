"""The middle of the compiler: a graph through TVM's ONNX importer and Relax to a straight list.

Nodes that our own kernels compute pass through Relax as opaque calls; all else is legalised to
TensorIR functions and fused. Weights of our kernels never enter TVM, other large weights enter as
parameters, so that nothing is copied.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import tvm
from tvm import relax, tirx
from tvm.relax.frontend.onnx import from_onnx, onnx_frontend

from edgemoe import graph_facts
from edgemoe.errors import UnsupportedOpError
from edgemoe.targets.culprit import unsupported
from edgemoe.targets.tvm_log import without_harmless_lines

FOLDABLE_ELEMENTS = 256
"""Weights up to this size become constants of Relax, which folds shapes and scalars."""

_KEPT = ("relax.reshape", "relax.expand_dims", "relax.squeeze", "relax.flatten")
"""Operators that only rename memory: they stay out of the kernels and become views."""

_CALL = "edgemoe.call"


@dataclass(frozen=True)
class Opaque:
    """A node of the graph that a kernel of ours computes."""

    node: ir.Node
    inputs: tuple[int, ...]  # values of the node's inputs that are no constants, in order
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Generic:
    """A call of a TensorIR function that TVM made."""

    function: tirx.PrimFunc
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    integers: tuple[int, ...] = ()


@dataclass(frozen=True)
class View:
    """`output` is the memory of `input` under another shape."""

    input: int
    output: int


@dataclass
class Value:
    """A tensor of the straight list; exactly one of the last three may be set."""

    shape: tuple[int, ...]
    dtype: str
    name: str
    graph_input: int | None = None
    weight: ir.Value | None = None
    constant: np.ndarray | None = None


@dataclass
class StraightList:
    """What Relax leaves: values, and the operations over them in order."""

    values: list[Value] = field(default_factory=list)
    operations: list[Opaque | Generic | View] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)


def lower_to_list(model: ir.Model, is_ours: Callable[[ir.Node], bool]) -> StraightList:
    """Lower a graph of static shapes; `is_ours` tells which nodes our kernels compute.

    Raises:
        UnsupportedOpError: TVM's importer has no converter for an operator, or it fails.
    """
    ours = {f"EdgeMoE_{i}": node for i, node in enumerate(model.graph) if is_ours(node)}
    proto, weights = _to_onnx(model, {node: name for name, node in ours.items()})
    with without_harmless_lines():
        module = _legalised(_import(proto, ours, model))
    return _Reader(module, model, ours, weights).read()


def _legalised(module: tvm.IRModule) -> tvm.IRModule:
    return tvm.ir.transform.Sequential(
        [
            relax.transform.LegalizeOps(skip_ops=list(_KEPT)),
            relax.transform.AnnotateTIROpPattern(),
            relax.transform.FoldConstant(),
            relax.transform.DeadCodeElimination(),
            relax.transform.FuseOps(),
            relax.transform.FuseTIR(),
            relax.transform.DeadCodeElimination(),
        ]
    )(module)


def _to_onnx(
    model: ir.Model, names: Mapping[ir.Node, str]
) -> tuple[onnx.ModelProto, list[ir.Value]]:
    """The graph with our nodes under unique names and large weights as inputs."""
    graph = model.graph
    used = {v for node in graph if node not in names for v in node.inputs if v is not None}
    used |= set(graph.outputs)
    constants = [v for v in graph.initializers.values() if v in used and v not in graph.inputs]
    weights = [v for v in constants if (graph_facts.size_of(v) or 0) > FOLDABLE_ELEMENTS]
    small = [v for v in constants if (graph_facts.size_of(v) or 0) <= FOLDABLE_ELEMENTS]
    nodes = []
    for node in graph:
        if node in names:
            proto = onnx.helper.make_node(
                names[node],
                [str(v.name) for v in dynamic_inputs(node)],
                [str(v.name) for v in node.outputs],
                name=node.name,
            )
        else:
            proto = ir.serde.serialize_node(node)
        nodes.append(proto)
    result = onnx.helper.make_graph(
        nodes,
        "main",
        [ir.serde.serialize_value(v) for v in [*graph.inputs, *weights]],
        [ir.serde.serialize_value(v) for v in graph.outputs],
        [_tensor(v) for v in small],
    )
    opset = model.opset_imports.get("", 23)
    proto = onnx.helper.make_model(result, opset_imports=[onnx.helper.make_opsetid("", opset)])
    proto.ir_version = 10
    return proto, weights


def _tensor(value: ir.Value) -> onnx.TensorProto:
    assert value.const_value is not None
    tensor = value.const_value
    # A reference to a file would be looked for in the current directory.
    proto = ir.serde.serialize_tensor(ir.tensor(tensor.numpy(), dtype=tensor.dtype))
    proto.name = str(value.name)
    return proto


def dynamic_inputs(node: ir.Node) -> list[ir.Value]:
    """The inputs of a node that are computed or given at run time, each once."""
    found: dict[ir.Value, None] = {}
    for value in node.inputs:
        if value is not None and not graph_facts.is_constant(value):
            found[value] = None
    return list(found)


def importable(node: ir.Node) -> bool:
    """Tell whether TVM's importer has a converter for a node; it may still refuse its shapes."""
    return node.domain in ("", "ai.onnx") and node.op_type in onnx_frontend._get_convert_map()


def _import(proto: onnx.ModelProto, ours: Mapping[str, ir.Node], model: ir.Model) -> tvm.IRModule:
    original = onnx_frontend._get_convert_map
    for node in model.graph:
        if node not in ours.values() and not importable(node):
            raise UnsupportedOpError(unsupported(node, "no kernel and no lowering exists for it"))
    converters = {name: _converter(name, node) for name, node in ours.items()}
    # There is no public way to add a converter; the map is looked up anew by every import.
    onnx_frontend._get_convert_map = lambda: {**original(), **converters}
    try:
        with warnings.catch_warnings():
            # It checks the graph and warns of every operator of ours, which onnx does not know.
            warnings.simplefilter("ignore")
            return from_onnx(proto, keep_params_in_input=False)
    except Exception as error:  # TVM raises many types, all of them mean the same to a user
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
        raise UnsupportedOpError(
            f"the graph cannot be lowered: {reason}\n"
            "  next: `edgemoe explain MODEL` shows the graph; simplify the operator that the "
            "message names, or export with another opset"
        ) from error
    finally:
        onnx_frontend._get_convert_map = original


def _converter(name: str, node: ir.Node) -> type:
    types = [
        relax.TensorType([int(d) for d in graph_facts.shape_of(v) or ()], _dtype(v))
        for v in node.outputs
    ]

    class Call(onnx_frontend.OnnxOpConverter):  # type: ignore[misc]
        @classmethod
        def _impl_v1(cls, bb: Any, inputs: Any, attr: Any, params: Any) -> Any:
            arguments = relax.Tuple(list(inputs))
            result = types[0] if len(types) == 1 else types
            return bb.emit(relax.call_dps_packed(f"{_CALL}.{name}", arguments, out_ty=result))

    return Call


def _dtype(value: ir.Value) -> str:
    assert value.dtype is not None
    return str(value.dtype.numpy().name)


class _Reader:
    """Reads the bindings of the Relax main function."""

    def __init__(
        self, module: tvm.IRModule, model: ir.Model, ours: Mapping[str, ir.Node],
        weights: list[ir.Value],
    ) -> None:  # fmt: skip
        self.module, self.model, self.ours, self.weights = module, model, ours, weights
        self.list = StraightList()
        self.of: dict[Any, int] = {}
        self.tuples: dict[Any, list[int]] = {}

    def read(self) -> StraightList:
        main = self.module["main"]
        count = len(self.model.graph.inputs)
        for number, parameter in enumerate(main.params):
            index = self._new(parameter.ty, str(parameter.name))
            self.of[parameter] = index
            if number < count:
                self.list.values[index].graph_input = number
            else:
                self.list.values[index].weight = self.weights[number - count]
        for block in main.body.blocks:
            for binding in block.bindings:
                self._bind(binding.var, binding.value)
        body = main.body.body
        if body in self.tuples:
            self.list.outputs = self.tuples[body]
        else:
            self.list.outputs = [self._value(body)]
        return self.list

    def _bind(self, var: Any, value: Any) -> None:
        if isinstance(value, relax.Tuple):
            self.tuples[var] = [self._value(item) for item in value.fields]
        elif isinstance(value, relax.TupleGetItem):
            self._same(var, self.tuples[value.tuple_value][value.index])
        elif isinstance(value, tvm.ir.Call):
            self._call(var, value)
        else:
            self._same(var, self._value(value))

    def _same(self, var: Any, index: int) -> None:
        self.of[var] = index

    def _call(self, var: Any, call: Any) -> None:
        name = str(getattr(call.op, "name", ""))
        if name == "relax.call_tir":
            function = call.args[0]
            inputs = tuple(self._value(a) for a in _fields(call.args[1]))
            integers = tuple(int(v) for v in call.args[2].values) if len(call.args) > 2 else ()
            outputs = self._outputs(var)
            self.list.operations.append(
                Generic(self.module[function], function.name_hint, inputs, outputs, integers)
            )
        elif name == "relax.call_dps_packed":
            node = self.ours[str(call.args[0].global_symbol).removeprefix(f"{_CALL}.")]
            inputs = tuple(self._value(a) for a in _fields(call.args[1]))
            outputs = self._outputs(var)
            for index, result in zip(outputs, node.outputs, strict=False):
                self.list.values[index].name = str(result.name)
            self.list.operations.append(Opaque(node, inputs, outputs))
        elif name in _KEPT:
            source = self._value(call.args[0])
            output = self._outputs(var)[0]
            self.list.operations.append(View(source, output))
        else:
            raise UnsupportedOpError(
                f"the graph cannot be lowered: Relax left {name or type(call.op).__name__}\n"
                "  next: simplify the model, or export it with static shapes"
            )

    def _outputs(self, var: Any) -> tuple[int, ...]:
        if isinstance(var.ty, relax.TupleType):
            self.tuples[var] = [self._new(t, f"{var.name}_{i}") for i, t in
                                enumerate(var.ty.fields)]  # fmt: skip
            return tuple(self.tuples[var])
        self.of[var] = self._new(var.ty, str(var.name))
        return (self.of[var],)

    def _value(self, expr: Any) -> int:
        if expr in self.of:
            return self.of[expr]
        if isinstance(expr, tvm.ir.GenericConst):
            array = expr.value.numpy()
            index = self._new(expr.ty, f"constant_{len(self.list.values)}")
            self.list.values[index].constant = array
            self.of[expr] = index
            return index
        if isinstance(expr, relax.ShapeExpr):
            array = np.array([int(extent) for extent in expr.values], np.int64)
            name = f"constant_{len(self.list.values)}"
            self.list.values.append(Value(array.shape, "int64", name, constant=array))
            return len(self.list.values) - 1
        raise UnsupportedOpError(
            f"the graph cannot be lowered: Relax left a value of type {type(expr).__name__}"
        )

    def _new(self, ty: Any, name: str) -> int:
        try:
            shape = tuple(int(d) for d in ty.shape.values)
        except (AttributeError, TypeError) as error:
            raise UnsupportedOpError(
                f"value {name} has a shape that depends on data: {ty}\n"
                "  next: bind dynamic dimensions with --tokens or --shape; operators such as "
                "NonZero cannot be compiled unless they belong to a recognised expert loop"
            ) from error
        self.list.values.append(Value(shape, str(ty.dtype), name))
        return len(self.list.values) - 1


def _fields(expr: Any) -> list[Any]:
    return list(expr.fields) if isinstance(expr, relax.Tuple) else [expr]
