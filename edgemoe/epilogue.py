"""Which elementwise operators can be computed on a product before it is stored."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import graph_facts

FUSABLE = frozenset(
    [
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Max",
        "Min",
        "Neg",
        "Abs",
        "Relu",
        "Clip",
        "LeakyRelu",
        "Elu",
        "HardSigmoid",
        "HardSwish",
        "Sigmoid",
        "Tanh",
        "Erf",
        "Exp",
        "Gelu",
        "Swish",
        "Sqrt",
        "Reciprocal",
        "Pow",
        "Identity",
    ]
)
"""Operators that kernels have emitters for (`targets/kernels/expression.py`)."""

LIMIT = 24
"""Most operators of one epilogue."""


@dataclass(frozen=True)
class Epilogue:
    """`value` is what the product becomes; `operands` are the other tensors that it reads."""

    value: ir.Value
    operands: list[ir.Value]


def indexing_of(operand: tuple[int, ...], result: tuple[int, ...]) -> str | None:
    """How an operand is read for a result [..., N], None where no kernel can.

    Gives "scalar", "column" ([N]), "row" (one value per row) or "full".
    """
    if _size(operand) == 1:
        return "scalar"
    padded = (1,) * (len(result) - len(operand)) + operand
    if len(padded) != len(result):
        return None
    if padded == result:
        return "full"
    if _size(padded) == padded[-1] == result[-1]:
        return "column"
    if padded[-1] == 1 and padded[:-1] == result[:-1]:
        return "row"
    if len(result) == 3 and padded[0] == 1 and padded[1:] == result[1:]:
        return "expert_column"  # [T, E, N] of scored blocks
    return None


def grow(graph: ir.Graph, product: ir.Node, *, rows_only_last: bool = False) -> Epilogue:
    """Find the longest run of elementwise operators after `product` that ends in one value.

    Args:
        graph: the graph that holds `product`.
        product: the node whose result the epilogue starts from.
        rows_only_last: "row" operands may have one value per row of the last matrix, the same for
            all matrices before it (a bias per token).
    """
    start = product.outputs[0]
    shape = graph_facts.shape_of(start)
    best = Epilogue(start, [])
    if shape is None:
        return best
    position = {node: index for index, node in enumerate(graph)}
    members: list[ir.Node] = []
    inside = [start]
    operands: list[ir.Value] = []
    while len(members) < LIMIT:
        node = _next(inside, members, shape, position, position[product], rows_only_last)
        if node is None:
            break
        members.append(node)
        inside.append(node.outputs[0])
        for value in node.inputs:
            if value is not None and value not in inside and value not in operands:
                operands.append(value)
        live = [
            v for v in inside if v.is_graph_output() or any(u not in members for u in _users(v))
        ]
        if len(live) == 1 and live[0] is inside[-1]:
            best = Epilogue(live[0], list(operands))
    return best


def _next(
    inside: list[ir.Value],
    members: list[ir.Node],
    shape: tuple[int, ...],
    position: dict[ir.Node, int],
    start: int,
    rows_only_last: bool,
) -> ir.Node | None:
    users = {user for value in inside for user in _users(value)} - set(members)
    for node in sorted(users & position.keys(), key=lambda n: position[n]):
        if _fits(node, inside, shape, rows_only_last) and not any(
            _depends(value, inside, position, start) for value in node.inputs if value not in inside
        ):
            return node
    return None


def _fits(
    node: ir.Node, inside: list[ir.Value], shape: tuple[int, ...], rows_only_last: bool
) -> bool:
    if not graph_facts.is_op(node, *FUSABLE) or len(node.outputs) != 1:
        return False
    if graph_facts.shape_of(node.outputs[0]) != shape:
        return False
    if node.outputs[0].dtype != ir.DataType.FLOAT:
        return False
    if node.op_type == "Pow":
        exponent = graph_facts.scalar_of(node.inputs[1])
        return node.inputs[0] in inside and exponent in (2.0, 3.0, 0.5)
    for value in node.inputs:
        if value is None or value in inside:
            continue
        operand = graph_facts.shape_of(value)
        if operand is None or value.dtype != ir.DataType.FLOAT:
            return False
        kind = indexing_of(operand, shape)
        kind = None if kind == "expert_column" else kind  # for regions only
        if rows_only_last and kind is None:
            kind = "row" if _size(operand) == operand[-2:][0] == shape[-2] else None
        elif rows_only_last and kind == "row" and _size(operand) != shape[-2]:
            kind = None
        if kind is None:
            return False
    return True


def _depends(
    value: ir.Value | None, inside: list[ir.Value], position: dict[ir.Node, int], start: int
) -> bool:
    """Tell whether `value` is computed from one of `inside`."""
    todo, seen = [value], set[ir.Node]()
    while todo:
        current = todo.pop()
        if current is None:
            continue
        if current in inside:
            return True
        node = current.producer()
        if node is None or node in seen or position.get(node, -1) <= start:
            continue
        seen.add(node)
        todo.extend(node.inputs)
    return False


def _users(value: ir.Value) -> list[ir.Node]:
    return [use.node for use in value.uses()]


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size
