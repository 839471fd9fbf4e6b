"""Small random changes of a graph: near misses of the forms that passes recognise.

A mutation returns False where it finds nothing to change. What it leaves need not be a valid model;
the test asks onnxruntime. Lies beside the tests and in no package: it is loaded by its path.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgemoe.graph_facts import is_constant, shape_of

Random = np.random.Generator
Mutation = Callable[[ir.Model, Random], bool]

_SWAPS = {
    "Relu": ("Tanh", "Sigmoid", "Softplus"), "Sigmoid": ("Tanh", "Relu"), "Add": ("Sub", "Mul"),
    "Mul": ("Add", "Div"), "Div": ("Mul", "Sub"), "ReduceSum": ("ReduceMax", "ReduceMean"),
    "Equal": ("GreaterOrEqual", "Less"), "Softmax": ("Sigmoid", "Identity", "LogSoftmax"),
    "Erf": ("Tanh",), "Sqrt": ("Abs",), "Sub": ("Add",), "Pow": ("Mul",),
}  # fmt: skip


def _some(items: list[ir.Node], random: Random) -> ir.Node | None:
    return items[int(random.integers(len(items)))] if items else None


def _fresh(model: ir.Model, value: ir.Value, array: np.ndarray, random: Random) -> ir.Value:
    new = ir.Value(name=f"{value.name}.mutated{random.integers(1 << 30)}",
                   const_value=ir.tensor(array))  # fmt: skip
    new.shape, new.type = ir.Shape(array.shape), ir.TensorType(ir.DataType.from_numpy(array.dtype))
    new.const_value.name = new.name
    model.graph.register_initializer(new)
    return new


def change_axis(model: ir.Model, random: Random) -> bool:
    """Let a node work along another axis."""
    nodes = [n for n in model.graph if "axis" in n.attributes and n.op_type != "Constant"]
    node = _some(nodes, random)
    if node is None:
        return False
    rank = len(shape_of(node.inputs[0]) or (0,))
    old = node.attributes["axis"].as_int()
    node.attributes["axis"] = ir.AttrInt64("axis", int((old + 1) % max(rank, 1)))
    return True


def swap_operands(model: ir.Model, random: Random) -> bool:
    """Exchange two operands of an operator for which that matters."""
    nodes = [
        n for n in model.graph if n.op_type in ("Sub", "Div", "MatMul", "Where", "Pow", "Less")
    ]
    node = _some(nodes, random)
    if node is None:
        return False
    first, second = (1, 2) if node.op_type == "Where" else (0, 1)
    one, two = node.inputs[first], node.inputs[second]
    node.replace_input_with(first, two)
    node.replace_input_with(second, one)
    return True


def change_operator(model: ir.Model, random: Random) -> bool:
    """Put another operator in the place of one of the same signature."""
    node = _some([n for n in model.graph if n.op_type in _SWAPS], random)
    if node is None:
        return False
    choices = _SWAPS[node.op_type]
    node.op_type = choices[int(random.integers(len(choices)))]
    if node.op_type in ("Sigmoid", "Identity"):
        node.attributes.clear()
    return True


def change_selection(model: ir.Model, random: Random) -> bool:
    """Take the smallest, scatter without adding, count from the other end."""
    nodes = [n for n in model.graph if n.op_type in ("TopK", "ArgMax", "ScatterND",
                                                     "ScatterElements", "CumSum")]  # fmt: skip
    node = _some(nodes, random)
    if node is None:
        return False
    if node.op_type == "TopK":
        node.attributes["largest"] = ir.AttrInt64("largest", 0)
    elif node.op_type == "ArgMax":
        node.attributes["select_last_index"] = ir.AttrInt64("select_last_index", 1)
    elif node.op_type == "CumSum":
        node.attributes["exclusive"] = ir.AttrInt64("exclusive", 1)
    else:
        reductions = ("none", "add", "mul", "max")
        chosen = reductions[int(random.integers(len(reductions)))]
        node.attributes["reduction"] = ir.AttrString("reduction", chosen)
    return True


def permute(model: ir.Model, random: Random) -> bool:
    """Let a transpose move the axes otherwise."""
    node = _some([n for n in model.graph if n.op_type == "Transpose"], random)
    if node is None:
        return False
    rank = len(shape_of(node.inputs[0]) or (0, 0))
    node.attributes["perm"] = ir.AttrInt64s("perm", random.permutation(rank).tolist())
    return True


def change_integers(model: ir.Model, random: Random) -> bool:
    """Change an element of a small integer constant: expert numbers, axes, bounds, extents."""
    uses = [
        (node, index) for node in model.graph for index, value in enumerate(node.inputs)
        if value is not None and is_constant(value) and value.const_value.dtype.is_integer()
        and 0 < value.const_value.size <= 64
    ]  # fmt: skip
    if not uses:
        return False
    node, index = uses[int(random.integers(len(uses)))]
    value = node.inputs[index]
    assert value is not None and value.const_value is not None
    array = value.const_value.numpy().copy()
    place = int(random.integers(array.size))
    flat = array.reshape(-1)
    flat[place] += int(random.choice([-1, 1]))
    if random.random() < 0.3:
        random.shuffle(flat)
    node.replace_input_with(index, _fresh(model, value, flat.reshape(array.shape), random))
    return True


def change_weights(model: ir.Model, random: Random) -> bool:
    """Make zeros something else, or columns alike so that scores tie."""
    uses = [
        (node, index) for node in model.graph for index, value in enumerate(node.inputs)
        if value is not None and is_constant(value)
        and value.const_value.dtype == ir.DataType.FLOAT and value.const_value.size > 1
    ]  # fmt: skip
    if not uses:
        return False
    node, index = uses[int(random.integers(len(uses)))]
    value = node.inputs[index]
    assert value is not None and value.const_value is not None
    array = value.const_value.numpy().copy()
    if array.any() and array.ndim > 1:
        array[..., 0] = array[..., -1]
    else:
        array.reshape(-1)[int(random.integers(array.size))] += 0.5
    node.replace_input_with(index, _fresh(model, value, array, random))
    return True


def add_reader(model: ir.Model, random: Random) -> bool:
    """Give a value inside a second reader that leads to an output of its own."""
    values = [
        v for n in model.graph for v in n.outputs
        if v.dtype == ir.DataType.FLOAT and v.shape is not None and not v.is_graph_output()
    ]  # fmt: skip
    if not values:
        return False
    value = values[int(random.integers(len(values)))]
    node = ir.node("Abs", [value], name=f"reader_{random.integers(1 << 30)}")
    node.outputs[0].name = f"read_{random.integers(1 << 30)}"
    node.outputs[0].type = value.type
    node.outputs[0].shape = value.shape
    model.graph.insert_after(value.producer(), node)
    model.graph.outputs.append(node.outputs[0])
    return True


def add_residual(model: ir.Model, random: Random) -> bool:
    """Add an earlier value of the same shape in a place where none was."""
    seen: dict[tuple[int, ...], list[ir.Value]] = {}
    pairs = []
    values = [*model.graph.inputs, *(v for n in model.graph for v in n.outputs)]
    for value in values:
        shape = shape_of(value)
        if shape is None or value.dtype != ir.DataType.FLOAT:
            continue
        if value.producer() is not None and not value.is_graph_output():
            pairs += [(earlier, value) for earlier in seen.get(shape, [])]
        seen.setdefault(shape, []).append(value)
    if not pairs:
        return False
    earlier, value = pairs[int(random.integers(len(pairs)))]
    op = ["Add", "Mul", "Sub"][int(random.integers(3))]
    node = ir.node(op, [value, earlier], name=f"residual_{random.integers(1 << 30)}")
    result = node.outputs[0]
    result.name, result.type, result.shape = (
        f"res_{random.integers(1 << 30)}",
        value.type,
        value.shape,
    )
    uses = list(value.uses())
    if random.random() < 0.5:
        uses = uses[:1]
    for use in uses:
        use.node.replace_input_with(use.idx, result)
    model.graph.insert_after(value.producer(), node)
    return True


def exchange(model: ir.Model, random: Random) -> bool:
    """Let a node read another value of the same shape and type that is there already."""
    known: dict[tuple[object, ...], list[ir.Value]] = {}
    choices = []
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        known.setdefault((value.dtype, shape_of(value)), []).append(value)
    for node in model.graph:
        for index, value in enumerate(node.inputs):
            if value is None or shape_of(value) is None:
                continue
            others = [v for v in known.get((value.dtype, shape_of(value)), []) if v is not value]
            choices += [(node, index, other) for other in others]
        for output in node.outputs:
            known.setdefault((output.dtype, shape_of(output)), []).append(output)
    if not choices:
        return False
    node, index, other = choices[int(random.integers(len(choices)))]
    node.replace_input_with(index, other)
    return True


MUTATIONS: dict[str, Mutation] = {
    function.__name__: function
    for function in (
        change_axis, swap_operands, change_operator, change_selection, permute, change_integers,
        change_weights, add_reader, add_residual, exchange,
    )
}  # fmt: skip
