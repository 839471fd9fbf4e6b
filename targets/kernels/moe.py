"""Lowers a MoE region: tokens grouped by expert, one call per product, sums without atomics.

The region's body is read backwards from its result. Expert products that share their rows and meet
in one elementwise expression (the gate and the up product of a gated expert) become one stage:
their columns are packed side by side, so that the expression is computed where the products are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.plan import DTYPE_BYTES, Pointer, Region, WeightSection
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.body import Body, NotElementwise, constant_of, shape_of
from edgemoe.targets.kernels.experts import Experts, Result, Source, pack_expert
from edgemoe.targets.kernels.group_tokens import GroupTokens
from edgemoe.targets.site import Array, Site, reader, size_of

HANDLES = ("MoE", "ExpertLinear", "ExpertLinearT", "ExpertLinearBias", "ExpertLinearTBias")

_LINEARS = HANDLES[1:]


@dataclass(frozen=True)
class _Port:
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
class _Stage:
    """One kernel call: products of shared rows, and the expression over them."""

    body: Body
    epilogue: ex.Node
    ports: list[_Port]
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
    ports: list[_Port] = field(default_factory=list)
    rows: list[ir.Value] = field(default_factory=list)

    def stage(self, value: ir.Value, wrap: Callable[[Body, ex.Node], ex.Node]) -> _Stage:
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
        return _Stage(body, epilogue, list(self.ports), self.rows[0])

    def _resolve(self, body: Body, value: ir.Value) -> ex.Node | None:
        part = _columns_of(value)
        if part is not None:
            return self._port(body, part)
        node = value.producer()
        if graph_facts.kind_of(node) == "Dispatch":
            assert node is not None and node.inputs[0] is not None
            return body.operand(node.inputs[0], "token")
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
        port = _Port(weight, kind.startswith("ExpertLinearT"), part.start, part.step, part.columns)
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
    if graph_facts.kind_of(node) in (*_LINEARS, "BlockUp"):
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


def _stages(function: ir.Function) -> list[_Stage]:
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


def _block_down(end: ir.Node) -> _Stage:
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
    return _Stage(body, epilogue, [_Port(weight, False, 0, 1, columns)], h)


def _is_token_rows(rows: ir.Value, x: ir.Value) -> bool:
    node = rows.producer()
    if graph_facts.kind_of(node) == "Dispatch":
        assert node is not None
        return node.inputs[0] is x
    return rows is x


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the region can be computed by these kernels."""
    if graph_facts.kind_of(node) in _LINEARS:
        return all(graph_facts.is_constant(v) for v in node.inputs[2:])
    assert function is not None
    try:
        stages = _stages(function)
    except NotElementwise:
        return False
    formal = dict(zip(function.inputs, node.inputs, strict=False))
    return all(
        graph_facts.is_constant(formal.get(port.weight)) for stage in stages for port in stage.ports
    )


def lower(site: Site) -> None:
    """Append the region, or a single expert product, to the program."""
    if graph_facts.kind_of(site.node) in _LINEARS:
        _lower_single(site)
        return
    assert site.function is not None
    routing = site.node.metadata_props["edgemoe.routing"]
    stages = _stages(site.function)
    route = site.node.inputs[1]
    assert route is not None
    tokens, width = shape_of(route)
    experts = shape_of(site.actual(stages[-1].ports[0].weight))[0]
    group = _Group(site, route, tokens * width, experts, routing)
    rows = site.buffer(site.node.inputs[0])  # type: ignore[arg-type]
    number = len(site.program.regions)
    bytes_before, macs = 0, 0
    for position, stage in enumerate(stages):
        last = position == len(stages) - 1
        columns = stage.ports[0].columns
        source: Source = "sorted" if position else "token"
        result: Result = "accumulate" if last else "sorted"
        out = site.outputs[0] if last else site.program.buffer(
            f"{site.node.name}.hidden{position}", "float32", (tokens * width, columns)
        )  # fmt: skip
        depth = _depth(site, stage)
        group.product(stage, rows, out, source, result, depth, width, tokens, number)
        macs += depth * columns * len(stage.ports)
        bytes_before += depth * columns * len(stage.ports)
        rows = out
    site.program.regions.append(
        Region(
            name=site.node.op_type, origin=site.origin,
            routing="scored" if routing == "scored" else "indexed",
            buffer=site.buffer(route), routed_at=group.step, tokens=tokens, experts=experts,
            chosen=width, expert_bytes=bytes_before * DTYPE_BYTES[site.program.weight_dtype],
            expert_macs=macs,
        )
    )  # fmt: skip


def _depth(site: Site, stage: _Stage) -> int:
    port = stage.ports[0]
    return shape_of(site.actual(port.weight))[1 if port.transposed else 2]


class _Group:
    """The grouped order of the slots of one routing, and products that follow it."""

    def __init__(self, site: Site, route: ir.Value, slots: int, experts: int, routing: str) -> None:
        self.site, self.slots, self.experts = site, slots, experts
        program, name = site.program, site.node.name
        self.order = program.buffer(f"{name}.order", "int32", (slots,))
        self.offsets = program.buffer(f"{name}.offsets", "int32", (experts + 1,))
        self.active = program.buffer(f"{name}.active", "int32", (experts + 1,))
        cursor = program.buffer(f"{name}.cursor", "int32", (experts,))
        dtype = "scored" if routing == "scored" else str(route.dtype.numpy().name)  # type: ignore[union-attr]
        spec = GroupTokens(dtype)  # type: ignore[arg-type]
        self.step = program.step(
            spec, "group_tokens",
            [*site.pointers([route, self.order, self.offsets, self.active, cursor]), slots,
             experts],
            label=f"group {slots} slots by {experts} experts", origin=site.origin,
            nodes=site.nodes, nbytes=12 * slots + 16 * experts, reason="counting sort by expert",
            region=len(program.regions),
        )  # fmt: skip

    def product(
        self, stage: _Stage, rows: int, out: int, source: Source, result: Result, depth: int,
        chosen: int, tokens: int, region: int | None,
    ) -> None:  # fmt: skip
        """Append one stage."""
        site, program = self.site, self.site.program
        dtype = program.weight_dtype
        columns = stage.ports[0].columns
        epilogue = _plain_indexing(stage.epilogue)
        spec = Experts(epilogue, len(stage.ports), source, result, dtype)
        weights = _place(site, stage, spec, depth, dtype)
        tasks, per_active = spec.tasks(columns)
        operands = [
            site.pointers([_cut(site, value, indexing)])[0]
            for value, indexing in zip(stage.body.operands, stage.body.indexing, strict=True)
        ]
        pairs = min(self.slots, self.slots) if result != "accumulate" else self.slots
        active = min(self.experts, self.slots)
        each = depth * columns * len(stage.ports)
        program.step(
            spec, "experts",
            [Pointer(rows), Pointer(weights), Pointer(out), Pointer(self.order),
             Pointer(self.offsets), Pointer(self.active), *operands, depth, columns,
             spec.panels(columns), chosen, tokens],
            tasks=tasks, tasks_from=self.active if per_active else None,
            label=f"experts {pairs} rows x {depth} -> {columns}{ex.describe(epilogue)}",
            origin=site.origin, nodes=site.nodes, macs=pairs * each, region=region,
            nbytes=active * each * DTYPE_BYTES[dtype] + 4 * pairs * (depth + columns),
            reason=f"{len(stage.ports)} product(s) per expert, {dtype}",
        )  # fmt: skip


def _plain_indexing(node: ex.Node) -> ex.Node:
    """Drop the column ranges that `_bias_indexing` added: the operands are cut instead."""
    if isinstance(node, ex.Operand) and node.indexing.startswith("expert_column"):
        return ex.Operand(node.index, "expert_column")
    if isinstance(node, ex.Apply):
        return replace(node, arguments=tuple(_plain_indexing(a) for a in node.arguments))
    return node


def _cut(site: Site, value: ir.Value | Array, indexing: str) -> ir.Value | Array:
    """The columns of an operand that a port needs."""
    if not indexing.startswith("expert_column:"):
        return value
    start, step, columns = (int(part) for part in indexing.split(":")[1:])
    array = value if isinstance(value, np.ndarray) else site.array(value)
    assert array is not None
    return np.ascontiguousarray(array[:, start : start + step * (columns - 1) + 1 : step])


def _place(site: Site, stage: _Stage, spec: Experts, depth: int, dtype: str) -> int:
    """Put the packed weights of a stage into the weight table, one section per expert."""
    weights = [site.actual(port.weight) for port in stage.ports]
    readers = [reader(weight) for weight in weights]
    experts = shape_of(weights[0])[0]
    name = str(weights[0].name)
    nbytes = spec.panels(stage.ports[0].columns) * depth * 32 * DTYPE_BYTES[dtype]
    layout = tuple((p.transposed, p.start, p.step, p.columns) for p in stage.ports)
    digests = tuple(
        site.program.weights.digest(weight.const_value, read)
        for weight, read in zip(weights, readers, strict=True)
    )

    def packed(expert: int) -> Array:
        parts = [
            port.rows_of(read()[expert]) for port, read in zip(stage.ports, readers, strict=True)
        ]
        return pack_expert(parts, dtype)

    parts = [
        (
            WeightSection(f"{name}[{e}]", 0, nbytes, "expert", e, dtype),
            partial(packed, e),
        )
        for e in range(experts)
    ]
    return site.program.packed(name, ("experts", dtype, layout, digests), parts)


def _lower_single(site: Site) -> None:
    """One expert product whose layer has a body that the kernels do not compute."""
    x, ids, weight = site.node.inputs[:3]
    assert x is not None and ids is not None and weight is not None
    slots = size_of(shape_of(ids))
    kind = graph_facts.kind_of(site.node)
    port = _Port(weight, kind.startswith("ExpertLinearT"), 0, 1, shape_of(site.node.outputs[0])[-1])
    body = Body(shape_of(site.node.outputs[0]), lambda _, __: None)
    epilogue: ex.Node = ex.Port()
    if kind.endswith("Bias"):
        bias = site.node.inputs[3]
        assert bias is not None
        epilogue = ex.Apply("Add", (epilogue, body.operand(bias, "expert_column")))
    stage = _Stage(body, epilogue, [port], x)
    group = _Group(site, ids, slots, shape_of(weight)[0], "indexed")
    depth = _depth(site, stage)
    group.product(stage, site.buffer(x), site.outputs[0], "slot", "slot", depth, 1, slots, None)
