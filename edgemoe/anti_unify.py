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
        """Return the template of these values, None where their computations differ."""
        key = tuple(id(value) for value in values)
        if key not in self._memo:
            self._memo[key] = self._unify(tuple(values))
        return self._memo[key]

    def _unify(self, values: tuple[ir.Value, ...]) -> Template | None:
        if all(value is values[0] for value in values):
            return Template("shared", values)
        if all(graph_facts.is_constant(value) for value in values):
            alike = len({(value.dtype, graph_facts.shape_of(value)) for value in values}) == 1
            return Template("parameter", values) if alike else None
        nodes = [value.producer() for value in values]
        first = nodes[0]
        if graph_facts.is_op(first, "Split") and all(node is first for node in nodes):
            assert first is not None and first.inputs[0] is not None
            return Template("op", values, [Template("shared", (first.inputs[0],) * len(values))])
        if first is None or any(node is None for node in nodes):
            return None
        if len({(_signature(node), value.index()) for node, value in zip(nodes, values, strict=True)
                if node is not None}) != 1:  # fmt: skip
            return None
        children: list[Template | None] = []
        for index in range(len(first.inputs)):
            operands = [node.inputs[index] for node in nodes if node is not None]
            present = [value for value in operands if value is not None]
            if not present:
                children.append(None)
                continue
            child = self.unify(present) if len(present) == len(operands) else None
            if child is None:
                return None
            children.append(child)
        return Template("op", values, children)


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
