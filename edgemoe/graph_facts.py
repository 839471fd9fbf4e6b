"""Questions that several passes ask of a graph; nothing here changes it.

All shapes are static: a variant is specialised before the passes run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx_ir as ir

ORIGIN = "edgemoe.origin"
KIND = "edgemoe.kind"
DOMAIN = "edgemoe"

# Output element i depends only on the elements that broadcast to i.
ELEMENTWISE = frozenset(
    [
        "Abs",
        "Add",
        "And",
        "BitwiseAnd",
        "BitwiseNot",
        "BitwiseOr",
        "BitwiseXor",
        "Cast",
        "CastLike",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Cosh",
        "Div",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
        "GreaterOrEqual",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "IsInf",
        "IsNaN",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Min",
        "Mish",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "Pow",
        "PRelu",
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Sigmoid",
        "Sign",
        "Sin",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Swish",
        "Tan",
        "Tanh",
        "ThresholdedRelu",
        "Where",
        "Xor",
    ]
)

# The order of the elements in memory is kept.
RESHAPES = frozenset({"Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity"})

# The first input's elements are copied about; no value decides where.
MOVEMENTS = RESHAPES | {"Expand", "Tile", "Transpose", "Slice", "Split", "Concat"}


def graphs_of(model: ir.Model) -> Iterator[ir.Graph]:
    """Yield the main graph and the bodies of its If, Loop and Scan nodes."""
    yield model.graph
    inner = [
        attribute.as_graph()
        for node in model.graph
        for attribute in node.attributes.values()
        if attribute.type == ir.AttributeType.GRAPH
    ]
    for graph in inner:
        yield graph
        yield from graph.subgraphs()


def origin_of(node: ir.Node | None) -> str:
    """Return the PyTorch module path of a node, "" when the file has none."""
    return node.metadata_props.get(ORIGIN, "") if node is not None else ""


def name_of(node: ir.Node) -> str:
    """Return the name of a node; that of its first output where the file gives nodes none."""
    return node.name or str(node.outputs[0].name)


def common_origin(nodes: Iterable[ir.Node]) -> str:
    """Return the deepest module that holds all nodes, as far as they have one."""
    paths = [path.split(".") for node in nodes if (path := origin_of(node))]
    common: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return ".".join(common)


def kind_of(node: ir.Node | None) -> str:
    """Return which edgemoe primitive or region a node calls, "" for ordinary nodes."""
    if node is None or node.domain != DOMAIN:
        return ""
    return node.metadata_props.get(KIND, "")


def is_op(node: ir.Node | None, *op_types: str) -> bool:
    """Tell whether a node is one of these standard operators."""
    return node is not None and node.domain in ("", "ai.onnx") and node.op_type in op_types


def made_by(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """Return the node that makes `value` if it is one of these standard operators."""
    node = value.producer() if value is not None else None
    return node if is_op(node, *op_types) else None


def called_by(value: ir.Value | None, *kinds: str) -> ir.Node | None:
    """Return the node that makes `value` if it calls a primitive of one of these kinds."""
    node = value.producer() if value is not None else None
    return node if kind_of(node) in kinds else None


def is_constant(value: ir.Value | None) -> bool:
    """Tell whether a value is an initialiser that no caller can replace."""
    return (
        value is not None
        and value.const_value is not None
        and value.producer() is None
        and not value.is_graph_input()
    )


def array_of(value: ir.Value | None) -> np.ndarray | None:
    """Return the elements of a constant; ask only for what is small or needed."""
    if value is None or not is_constant(value) or value.const_value is None:
        return None
    return value.const_value.numpy()


def ints_of(value: ir.Value | None) -> list[int] | None:
    """Return a small integer constant as a flat list."""
    if value is None or not is_constant(value) or value.const_value is None:
        return None
    if value.const_value.size > 4096 or not value.const_value.dtype.is_integer():
        return None
    return [int(x) for x in value.const_value.numpy().reshape(-1)]


def scalar_of(value: ir.Value | None) -> float | None:
    """Return a constant of one element as a Python float."""
    if value is None or not is_constant(value) or value.const_value is None:
        return None
    if value.const_value.size != 1 or value.const_value.dtype == ir.DataType.STRING:
        return None
    return float(value.const_value.numpy().reshape(-1)[0])


def shape_of(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return a fully static shape, None when any extent is unknown."""
    if value is None or value.shape is None:
        return None
    extents = tuple(value.shape)
    if not all(isinstance(extent, int) for extent in extents):
        return None
    return tuple(int(extent) for extent in extents)  # type: ignore[arg-type]


def size_of(value: ir.Value | None) -> int | None:
    """Return the number of elements, None when the shape is not static."""
    shape = shape_of(value)
    return None if shape is None else int(np.prod(shape, dtype=np.int64))


def attribute(node: ir.Node, name: str, default: int) -> int:
    """Return an integer attribute."""
    found = node.attributes.get(name)
    return default if found is None else int(found.as_int())


def float_attribute(node: ir.Node, name: str, default: float) -> float:
    """Return a float attribute."""
    found = node.attributes.get(name)
    return default if found is None else float(found.as_float())


def text_attribute(node: ir.Node, name: str, default: str) -> str:
    """Return a string attribute."""
    found = node.attributes.get(name)
    return default if found is None else str(found.as_string())


def axis_of(node: ir.Node, default: int, rank: int) -> int:
    """Return the attribute `axis` counted from the front."""
    axis = attribute(node, "axis", default)
    return axis + rank if axis < 0 else axis


def axes_of(node: ir.Node) -> list[int] | None:
    """Return the constant axes of a reduction, Squeeze or Unsqueeze, counted from the front."""
    source = node.inputs[0]
    shape = source.shape if source is not None else None
    if shape is None:
        return None
    rank = len(shape)
    if len(node.inputs) < 2 or node.inputs[1] is None:
        return list(range(rank)) if attribute(node, "noop_with_empty_axes", 0) == 0 else []
    axes = ints_of(node.inputs[1])
    return None if axes is None else sorted(axis + rank if axis < 0 else axis for axis in axes)


def only_user(value: ir.Value) -> ir.Node | None:
    """Return the one node that reads a value, None if there are others or it is an output."""
    users = list(value.uses())
    if len(users) != 1 or value.is_graph_output():
        return None
    return users[0].node


def other_input(node: ir.Node, value: ir.Value) -> ir.Value | None:
    """Return the other operand of a node with two inputs."""
    first, second = node.inputs[0], node.inputs[1]
    return second if first is value else first


def before_reshapes(value: ir.Value) -> ir.Value:
    """Follow Reshape, Unsqueeze, Squeeze and the like upwards: the same elements in order."""
    while (node := made_by(value, *RESHAPES)) is not None and node.inputs[0] is not None:
        value = node.inputs[0]
    return value


def same_elements(first: ir.Value, second: ir.Value) -> bool:
    """Tell whether two values hold the same elements in order, integer casts aside."""
    one, other = _root(first), _root(second)
    return one is other or _moved_alike(one, other)


def _moved_alike(one: ir.Value, other: ir.Value) -> bool:
    """Tell whether two values are the same movement of the same elements."""
    a, b = one.producer(), other.producer()
    if a is None or b is None or not is_op(a, *MOVEMENTS) or a.op_type != b.op_type:
        return False
    if len(a.inputs) != len(b.inputs) or one.index() != other.index():
        return False
    if {n: str(v.value) for n, v in a.attributes.items()} != {
        n: str(v.value) for n, v in b.attributes.items()
    }:
        return False
    if shape_of(one) != shape_of(other) or shape_of(a.inputs[0]) != shape_of(b.inputs[0]):
        return False
    return all(
        x is y or (x is not None and y is not None and (_equal_ints(x, y) or same_elements(x, y)))
        for x, y in zip(a.inputs, b.inputs, strict=True)
    )


def _equal_ints(one: ir.Value, other: ir.Value) -> bool:
    numbers = ints_of(one) if is_constant(one) else None
    return numbers is not None and is_constant(other) and numbers == ints_of(other)


def _root(value: ir.Value) -> ir.Value:
    value = before_reshapes(value)
    while (node := made_by(value, "Cast")) is not None and node.inputs[0] is not None:
        source = node.inputs[0]
        if source.dtype is None or not source.dtype.is_integer():
            break
        value = before_reshapes(source)
    return value


def ancestors(values: list[ir.Value], stop: frozenset[ir.Value] = frozenset()) -> set[ir.Node]:
    """Return the nodes that `values` are computed from, not looking beyond `stop`."""
    found: set[ir.Node] = set()
    todo = [value for value in values if value not in stop]
    while todo:
        node = todo.pop().producer()
        if node is None or node in found:
            continue
        found.add(node)
        todo.extend(value for value in node.inputs if value is not None and value not in stop)
    return found
