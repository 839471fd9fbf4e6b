"""Reads the body of a MoE region backwards into stages.

Expert products that share their rows and meet in one elementwise expression (the gate and the up
product of a gated expert) are the ports of one stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.body import Body, NotElementwise, constant_of, shape_of
from edgemoe.targets.site import Array

LINEARS = ("ExpertLinear", "ExpertLinearT", "ExpertLinearBias", "ExpertLinearTBias")
"""The kinds of expert product."""


@dataclass(frozen=True)
class Port:
    """Columns `start + i * step` of an expert product."""

    weight: ir.Value  # inside the function
    transposed: bool  # stored as [E, in, out]
    start: int
    step: int
    columns: int

    def rows_of(self, weight: Array) -> Array:
        """The [columns, in] part of one expert's weight."""
        if self.transposed:
            weight = weight.T
        return weight[self.start : self.start + self.step * (self.columns - 1) + 1 : self.step]


@dataclass
class Stage:
    """One kernel call: products of shared rows, and the expression over them."""

    body: Body
    epilogue: ex.Node
    ports: list[Port]
    rows: ir.Value  # what the products multiply


@dataclass
class _Slice:
    """A value that is columns of a product."""

    node: ir.Node
    start: int
    step: int
    columns: int


@dataclass
class _Parser:
    """Reads the stages of a region function; `shape` is [slots, columns] or [T, E, columns]."""

    x: ir.Value
    ports: list[Port] = field(default_factory=list)
    rows: list[ir.Value] = field(default_factory=list)

    def stage(self, value: ir.Value, wrap: Callable[[Body, ex.Node], ex.Node]) -> Stage:
        """The stage that computes `value`; `wrap` may extend its expression."""
        self.ports, self.rows = [], []
        body = Body(shape_of(value), self._resolve)
        epilogue = wrap(body, body.parse(value))
        if not self.ports or any(row is not self.rows[0] for row in self.rows):
            raise NotElementwise("the products of one expression do not share their rows")
        if len(self.ports) not in (1, 2, 4):
            raise NotElementwise(f"{len(self.ports)} products meet in one expression")
        if len({port.columns for port in self.ports}) != 1:
            raise NotElementwise("the products of one expression differ in width")
        return Stage(body, epilogue, list(self.ports), self.rows[0])

    def _resolve(self, body: Body, value: ir.Value) -> ex.Node | None:
        part = _columns_of(value)
        if part is not None:
            return self._port(body, part)
        node = value.producer()
        if graph_facts.kind_of(node) == "Dispatch":
            assert node is not None and node.inputs[0] is not None
            width = shape_of(node.inputs[0])[-1]
            if width not in (1, body.shape[-1]):
                raise NotElementwise(f"tokens of {width} columns against {body.shape}")
            return body.operand(node.inputs[0], "token_row" if width == 1 else "token")
        if node is not None and node.op_type == "Gather" and _is_parameter(node):
            array = node.inputs[0]
            assert array is not None
            return body.operand(array, "expert_column")
        return None

    def _port(self, body: Body, part: _Slice) -> ex.Node:
        x, *_, weight = [v for v in part.node.inputs if v is not None][:3]
        kind = graph_facts.kind_of(part.node)
        bias = None
        if kind == "BlockUp":
            x, weight = part.node.inputs[:2]  # type: ignore[assignment]
            bias = part.node.inputs[2] if len(part.node.inputs) > 2 else None
        elif kind.endswith("Bias"):
            bias = part.node.inputs[3]
        port = Port(weight, kind.startswith("ExpertLinearT"), part.start, part.step, part.columns)
        if port not in self.ports:
            self.ports.append(port)
            self.rows.append(_rows_of(x))
        result: ex.Node = ex.Port(self.ports.index(port))
        if bias is not None:
            result = ex.Apply("Add", (result, body.operand(bias, _bias_indexing(part))))
        return result


def _bias_indexing(part: _Slice) -> str:
    """How the bias [E, out] of a product is read; slices are cut when the stage is lowered."""
    return f"expert_column:{part.start}:{part.step}:{part.columns}"


def _rows_of(x: ir.Value) -> ir.Value:
    """Look through reshapes that keep rows."""
    node = x.producer()
    while node is not None and node.op_type in ("Reshape", "Identity"):
        source = node.inputs[0]
        if source is None or shape_of(source)[-1] != shape_of(x)[-1]:
            break
        x, node = source, source.producer()
    return x


def _columns_of(value: ir.Value) -> _Slice | None:
    """Which columns of which product a value is, None if it is something else."""
    node = value.producer()
    if node is None:
        return None
    if graph_facts.kind_of(node) in (*LINEARS, "BlockUp"):
        return _Slice(node, 0, 1, shape_of(value)[-1])
    source = node.inputs[0] if node.inputs else None
    if source is None:
        return None
    if node.op_type in ("Reshape", "Identity") and shape_of(source)[-1] == shape_of(value)[-1]:
        return _columns_of(source)
    rank = len(shape_of(source))
    if node.op_type == "Split" and graph_facts.axis_of(node, 0, rank) == rank - 1:
        inner = _columns_of(source)
        if inner is None:
            return None
        before = sum(shape_of(o)[-1] for o in node.outputs[: value.index() or 0])
        start = inner.start + before * inner.step
        return _Slice(inner.node, start, inner.step, shape_of(value)[-1])
    if node.op_type == "Slice":
        return _sliced(node, source, shape_of(value)[-1])
    return None


def _sliced(node: ir.Node, source: ir.Value, columns: int) -> _Slice | None:
    given = [constant_of(v) for v in node.inputs[1:]]
    if any(g is None or g.size != 1 for g in given) or len(given) < 3:
        return None
    numbers = [int(g.reshape(-1)[0]) for g in given if g is not None]
    start, _, axis = numbers[:3]
    step = numbers[3] if len(numbers) > 3 else 1
    shape = shape_of(source)
    inner = _columns_of(source)
    if inner is None or axis % len(shape) != len(shape) - 1 or step < 1:
        return None
    start = start + shape[-1] if start < 0 else start
    return _Slice(inner.node, inner.start + start * inner.step, inner.step * step, columns)


def _is_parameter(node: ir.Node) -> bool:
    """Tell whether a Gather takes one row of constants per expert."""
    table = node.inputs[0]
    return (
        table is not None and table.producer() is None and len(table.shape or ()) == 2
        and graph_facts.axis_of(node, 0, 2) == 0
    )  # fmt: skip


def stages_of(function: ir.Function) -> list[Stage]:
    """The stages of a region, first to last.

    Raises:
        NotElementwise: the body is more than elementwise operators between products.
    """
    end = function.outputs[0].producer()
    x = function.inputs[0]
    parser = _Parser(x)
    if graph_facts.kind_of(end) == "Combine":
        assert end is not None
        y, weights = end.inputs
        assert y is not None and weights is not None

        def weighted(body: Body, node: ex.Node) -> ex.Node:
            return ex.Apply("Mul", (node, body.operand(weights, "row")))

        stages = [parser.stage(y, weighted)]
    elif graph_facts.kind_of(end) == "BlockDown":
        assert end is not None
        stages = [_block_down(end)]
    else:
        raise NotElementwise("the region does not end in a weighted sum")
    while not _is_token_rows(stages[0].rows, x):
        stages.insert(0, parser.stage(stages[0].rows, lambda _, node: node))
        if len(stages) > 4:
            raise NotElementwise("more than four products one after another")
    return stages


def _block_down(end: ir.Node) -> Stage:
    h, scores, weight = end.inputs[:3]
    bias = end.inputs[3] if len(end.inputs) > 3 else None
    assert h is not None and scores is not None and weight is not None
    tokens, experts, _ = shape_of(h)
    columns = shape_of(weight)[1]
    body = Body((tokens, experts, columns), lambda _, __: None)
    value: ex.Node = ex.Port()
    if bias is not None:
        value = ex.Apply("Add", (value, body.operand(bias, "expert_column")))
    epilogue = ex.Apply("Mul", (value, body.operand(scores, "row")))
    return Stage(body, epilogue, [Port(weight, False, 0, 1, columns)], h)


def _is_token_rows(rows: ir.Value, x: ir.Value) -> bool:
    node = rows.producer()
    if graph_facts.kind_of(node) == "Dispatch":
        assert node is not None
        return node.inputs[0] is x
    return rows is x
