"""Anti-unification: the common template of E computations that look alike.

An unrolled loop over experts leaves E copies of the same nodes. Walking them backwards in step
gives one template whose leaves are values that all copies share, and constants that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import onnx_ir as ir

from edgemoe import graph_facts


@dataclass(eq=False)
class Template:
    """A node of the template: `values[e]` is what copy e has at this place."""

    kind: Literal["shared", "parameter", "op"]
    values: tuple[ir.Value, ...]
    children: list[Template | None] = field(default_factory=list)

    @property
    def node(self) -> ir.Node:
        """The node of the first copy (kind "op")."""
        node = self.values[0].producer()
        assert node is not None
        return node

    @property
    def value(self) -> ir.Value:
        """The value of the first copy; the only one where it is shared."""
        return self.values[0]

    def is_op(self, *op_types: str) -> bool:
        """Tell whether this is one of these standard operators."""
        return self.kind == "op" and graph_facts.is_op(self.node, *op_types)

    def find(self, test: Callable[[Template], bool]) -> list[Template]:
        """Return all nodes of the template that pass a test, each once."""
        found: list[Template] = []
        seen: set[int] = set()
        todo = [self]
        while todo:
            current = todo.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            if test(current):
                found.append(current)
            todo.extend(child for child in current.children if child is not None)
        return found


class AntiUnifier:
    """Builds templates; equal tuples of values give the same template object."""

    def __init__(self) -> None:
        self._memo: dict[tuple[int, ...], Template | None] = {}

    def unify(self, values: Sequence[ir.Value]) -> Template | None:
        """Return the template of these values, None where their computations differ.

        Graphs can be deeper than Python's stack, so this keeps a stack of its own.
        """
        stack = [_Frame(tuple(values))]
        while stack:
            frame = stack[-1]
            settled = frame.key in self._memo
            if settled or (frame.operands is None and not self._open(frame)):
                stack.pop()
            elif (following := self._advance(frame)) is not None:
                stack.append(_Frame(following))
        return self._memo[_key(values)]

    def _open(self, frame: _Frame) -> bool:
        """Find the operands of a frame; False where it is settled without them."""
        values = frame.values
        if all(value is values[0] for value in values):
            self._memo[frame.key] = Template("shared", values)
        elif all(graph_facts.is_constant(value) for value in values):
            alike = len({(value.dtype, graph_facts.shape_of(value)) for value in values}) == 1
            self._memo[frame.key] = Template("parameter", values) if alike else None
        elif (source := _split_up(values)) is not None:
            self._memo[frame.key] = Template("op", values, [source])
        else:
            frame.operands = _operands(values)
            if frame.operands is None:
                self._memo[frame.key] = None
        return frame.operands is not None

    def _advance(self, frame: _Frame) -> tuple[ir.Value, ...] | None:
        """Return the next operands to unify; None when the frame has its result."""
        operands = frame.operands or []
        while len(frame.children) < len(operands):
            following = operands[len(frame.children)]
            key = _key(following) if following is not None else ()
            if following is not None and key not in self._memo:
                return following
            child = self._memo[key] if following is not None else None
            if following is not None and child is None:
                self._memo[frame.key] = None
                return None
            frame.children.append(child)
        self._memo[frame.key] = Template("op", frame.values, frame.children)
        return None


def _split_up(values: tuple[ir.Value, ...]) -> Template | None:
    """Return what was split when the copies read the parts of one Split."""
    first = values[0].producer()
    if not graph_facts.is_op(first, "Split") or first is None or first.inputs[0] is None:
        return None
    if any(value.producer() is not first for value in values):
        return None
    return Template("shared", (first.inputs[0],) * len(values))


class _Frame:
    """Values whose template is being made; `operands` is None until they were looked at."""

    def __init__(self, values: tuple[ir.Value, ...]) -> None:
        self.values = values
        self.key = _key(values)
        self.operands: list[tuple[ir.Value, ...] | None] | None = None
        self.children: list[Template | None] = []


def _key(values: Sequence[ir.Value]) -> tuple[int, ...]:
    return tuple(id(value) for value in values)


def _operands(values: tuple[ir.Value, ...]) -> list[tuple[ir.Value, ...] | None] | None:
    """Return the operands of all copies, input by input; None where the operators differ."""
    nodes = [node for value in values if (node := value.producer()) is not None]
    if len(nodes) != len(values):
        return None
    if len({(_signature(n), v.index()) for n, v in zip(nodes, values, strict=True)}) != 1:
        return None
    result: list[tuple[ir.Value, ...] | None] = []
    for row in zip(*(node.inputs for node in nodes), strict=True):
        present = tuple(value for value in row if value is not None)
        if present and len(present) != len(row):
            return None
        result.append(present or None)
    return result


def _signature(node: ir.Node | None) -> tuple[object, ...]:
    assert node is not None
    attributes = tuple(
        (name, str(attribute.value))
        for name, attribute in sorted(node.attributes.items())
        if attribute.type != ir.AttributeType.GRAPH
    )
    graphs = any(a.type == ir.AttributeType.GRAPH for a in node.attributes.values())
    unique = id(node) if graphs else 0
    return node.domain, node.op_type, len(node.inputs), attributes, unique


def difference(values: Sequence[ir.Value], limit: int = 2000) -> str:
    """Say where computations that have no common template differ first, walking backwards."""
    todo, seen = [tuple(values)], set[tuple[int, ...]]()
    while todo and len(seen) < limit:
        current = todo.pop(0)
        key = tuple(id(value) for value in current)
        if key in seen or len(set(key)) == 1:
            continue
        seen.add(key)
        for value in current[1:]:
            reason = _differ(current[0], value)
            if reason:
                return reason
        nodes = [value.producer() for value in current]
        if nodes[0] is None or any(node is None for node in nodes):
            continue
        rows = [list(node.inputs) for node in nodes if node is not None]
        todo += [
            tuple(v for v in operands if v is not None)
            for operands in zip(*rows, strict=True)
            if all(v is not None for v in operands)
        ]
    return "in a way that only their constants show"


def _differ(first: ir.Value, other: ir.Value) -> str:
    one, two = first.producer(), other.producer()
    if graph_facts.is_constant(first) and graph_facts.is_constant(other):
        shapes = [graph_facts.shape_of(value) for value in (first, other)]
        if shapes[0] != shapes[1]:
            return f"{first.name} is {list(shapes[0] or ())}, {other.name} {list(shapes[1] or ())}"
        return ""
    if one is None or two is None:
        return "" if first is other else f"{first.name} stands where {other.name} stands"
    if one.op_type != two.op_type:
        return f"{one.name} is {one.op_type}, {two.name} is {two.op_type}"
    if _signature(one) != _signature(two) or first.index() != other.index():
        return f"the attributes or inputs of {one.name} and {two.name} ({one.op_type}) differ"
    return ""
