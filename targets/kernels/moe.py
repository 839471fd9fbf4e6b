"""Lowers a MoE region: tokens grouped by expert, one call per product, sums without atomics.

The region's body is read backwards from its result. Expert products that share their rows and meet
in one elementwise expression (the gate and the up product of a gated expert) become one stage:
their columns are packed side by side, so that the expression is computed where the products are.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import onnx_ir as ir

from edgemoe import constant_eval, graph_facts
from edgemoe.plan import Pointer, Region, WeightSection
from edgemoe.precision import Unit
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.body import Body, NotElementwise, shape_of
from edgemoe.targets.kernels.experts import Experts, Result, Source
from edgemoe.targets.kernels.fill import Fill
from edgemoe.targets.kernels.group_tokens import GroupTokens
from edgemoe.targets.kernels.moe_stages import LINEARS, Port, Stage, stages_of
from edgemoe.targets.kernels.panels import pack_ports, panel_bytes
from edgemoe.targets.kernels.product import row_pointers, work_of
from edgemoe.targets.site import Array, Site, reader, size_of
from edgemoe.weight_format import WeightFormat

HANDLES = ("MoE", *LINEARS)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the region can be computed by these kernels."""
    if graph_facts.kind_of(node) in LINEARS:
        return all(graph_facts.is_constant(v) for v in node.inputs[2:])
    assert function is not None
    try:
        stages = stages_of(function)
    except NotElementwise:
        return False
    formal = dict(zip(function.inputs, node.inputs, strict=False))
    return all(
        graph_facts.is_constant(formal.get(port.weight)) for stage in stages for port in stage.ports
    )


def lower(site: Site) -> None:
    """Append the region, or a single expert product, to the program."""
    if graph_facts.kind_of(site.node) in LINEARS:
        _lower_single(site)
        return
    assert site.function is not None
    routing = site.node.metadata_props["edgemoe.routing"]
    stages = stages_of(site.function)
    route = site.node.inputs[1]
    assert route is not None
    tokens, width = shape_of(route)
    experts = shape_of(site.actual(stages[-1].ports[0].weight))[0]
    group = _Group(site, route, tokens * width, experts, routing)
    rows = site.buffer(site.node.inputs[0])  # type: ignore[arg-type]
    number = len(site.program.regions)
    nbytes, macs = 0, 0
    for position, stage in enumerate(stages):
        last = position == len(stages) - 1
        columns = stage.ports[0].columns
        source: Source = "sorted" if position else "token"
        result: Result = "accumulate" if last else "sorted"
        out = site.outputs[0] if last else site.program.buffer(
            f"{site.node.name}.hidden{position}", "float32", (tokens * width, columns)
        )  # fmt: skip
        depth = depth_of(site, stage)
        given = group.product(stage, rows, out, source, result, depth, width, tokens, number)
        each = depth * columns * len(stage.ports)
        macs += each
        nbytes += each * given.bits // 8
        rows = out
    site.program.regions.append(
        Region(
            name=site.node.op_type, origin=site.origin,
            routing="scored" if routing == "scored" else "indexed",
            buffer=site.buffer(route), routed_at=group.step, tokens=tokens, experts=experts,
            chosen=width, expert_bytes=nbytes,
            expert_macs=macs, constant_ids=constant_ids(route),
        )
    )  # fmt: skip


def constant_ids(route: ir.Value) -> tuple[int, ...]:
    """The ids of a routing that does not depend on the input, else nothing."""
    try:
        (array,) = constant_eval.evaluate([route])
    except ValueError:  # they depend on the input
        return ()
    return tuple(int(number) for number in array.reshape(-1))


def depth_of(site: Site, stage: Stage) -> int:
    """Inputs of the products of a stage."""
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
        self, stage: Stage, rows: int, out: int, source: Source, result: Result, depth: int,
        chosen: int, tokens: int, region: int | None,
    ) -> WeightFormat:  # fmt: skip
        """Append one stage; returns the format of its weights."""
        site, program = self.site, self.site.program
        given = program.precision.choose(unit_of(site, stage, self.slots))
        columns = stage.ports[0].columns
        epilogue = plain_indexing(stage.epilogue)
        active = min(self.experts, self.slots)
        tuned, why = program.tunings.find(
            "experts", given, -(-self.slots // active), depth, columns * len(stage.ports)
        )
        spec = Experts(epilogue, len(stage.ports), source, result, given, tuned, chosen)
        weights = _place(site, stage, spec, depth, given)
        count = tokens if source == "token" else self.slots
        taken = row_pointers(
            program, Pointer(rows), count, depth, given, origin=site.origin, nodes=site.nodes,
            region=region,
        )  # fmt: skip
        tasks, per_active = spec.tasks(columns)
        operands = [
            site.pointers([cut(site, value, indexing)])[0]
            for value, indexing in zip(stage.body.operands, stage.body.indexing, strict=True)
        ]
        each = depth * columns * len(stage.ports)
        nbytes = active * each * given.bits // 8 + 4 * self.slots * (depth + columns)
        program.step(
            spec, "experts",
            [*taken, Pointer(weights), Pointer(out), Pointer(self.order),
             Pointer(self.offsets), Pointer(self.active), *operands, depth, columns,
             spec.panels(columns), chosen, tokens],
            tasks=tasks, tasks_from=self.active if per_active else None,
            even=not per_active, work=work_of(given, self.slots * each, nbytes),
            label=f"experts {self.slots} rows x {depth} -> {columns}{ex.describe(epilogue)}",
            origin=site.origin, nodes=site.nodes, macs=self.slots * each, region=region,
            nbytes=nbytes,
            reason=f"{len(stage.ports)} product(s) per expert, {given}{why}",
        )  # fmt: skip
        return given


def unit_of(site: Site, stage: Stage, slots: int) -> Unit:
    """The weights of a stage: its ports are read as one stream."""
    weights = {site.actual(port.weight): port.transposed for port in stage.ports}
    depth, columns = depth_of(site, stage), stage.ports[0].columns * len(stage.ports)
    return Unit(
        tuple(str(weight.name) for weight in weights), "expert", depth, columns,
        tuple(weights.values()), experts=shape_of(next(iter(weights)))[0],
        macs=slots * depth * columns, origin=site.origin,
    )  # fmt: skip


def plain_indexing(node: ex.Node) -> ex.Node:
    """Drop the column ranges that `_bias_indexing` added: the operands are cut instead."""
    if isinstance(node, ex.Operand) and node.indexing.startswith("expert_column"):
        return ex.Operand(node.index, "expert_column")
    if isinstance(node, ex.Apply):
        return replace(node, arguments=tuple(plain_indexing(a) for a in node.arguments))
    return node


def cut(site: Site, value: ir.Value | Array, indexing: str) -> ir.Value | Array:
    """The columns of an operand that a port needs."""
    if not indexing.startswith("expert_column:"):
        return value
    start, step, columns = (int(part) for part in indexing.split(":")[1:])
    array = value if isinstance(value, np.ndarray) else site.array(value)
    assert array is not None
    return np.ascontiguousarray(array[:, start : start + step * (columns - 1) + 1 : step])


def _place(site: Site, stage: Stage, spec: Experts, depth: int, given: WeightFormat) -> int:
    """Put the packed weights of a stage into the weight table, one section per expert."""
    weights = [site.actual(port.weight) for port in stage.ports]
    readers = [reader(weight) for weight in weights]
    experts = shape_of(weights[0])[0]
    name = str(weights[0].name)
    nbytes = spec.panels(stage.ports[0].columns) * panel_bytes(depth, given)
    layout = tuple((p.transposed, p.start, p.step, p.columns) for p in stage.ports)
    digests = tuple(
        site.program.weights.digest(weight.const_value, read)
        for weight, read in zip(weights, readers, strict=True)
    )

    precision = site.program.precision

    def packed(expert: int) -> Array:
        parts = [
            port.rows_of(read()[expert]) for port, read in zip(stage.ports, readers, strict=True)
        ]
        rounders = [precision.rounder(str(weight.name), expert) for weight in weights]
        return pack_ports(parts, given, rounders)

    parts = [
        (
            WeightSection(f"{name}[{e}]", 0, nbytes, "expert", e, given.stored),
            partial(packed, e),
        )
        for e in range(experts)
    ]
    named = tuple(precision.key(str(weight.name)) for weight in weights)
    return site.program.packed(name, ("experts", given, layout, digests, named), parts)


def single_stage(site: Site) -> tuple[Stage, ir.Value, int, int]:
    """A single expert product as a stage; its ids, slots and experts."""
    x, ids, weight = site.node.inputs[:3]
    assert x is not None and ids is not None and weight is not None
    slots = size_of(shape_of(ids))
    kind = graph_facts.kind_of(site.node)
    port = Port(weight, kind.startswith("ExpertLinearT"), 0, 1, shape_of(site.node.outputs[0])[-1])
    body = Body(shape_of(site.node.outputs[0]), lambda _, __: None)
    epilogue: ex.Node = ex.Port()
    if kind.endswith("Bias"):
        bias = site.node.inputs[3]
        assert bias is not None
        epilogue = ex.Apply("Add", (epilogue, body.operand(bias, "expert_column")))
    stage = Stage(body, epilogue, [port], x)
    return stage, ids, slots, shape_of(weight)[0]


def _lower_single(site: Site) -> None:
    """One expert product whose layer has a body that the kernels do not compute."""
    stage, ids, slots, experts = single_stage(site)
    (port,) = stage.ports
    group = _Group(site, ids, slots, experts, "indexed")
    depth = depth_of(site, stage)
    if may_be_nobody(ids):
        Fill.append(site.program, site.outputs[0], 4 * slots * port.columns, origin=site.origin)
    number = len(site.program.regions)
    given = group.product(
        stage, site.buffer(stage.rows), site.outputs[0], "slot", "slot", depth, 1, slots, number
    )
    each = depth * port.columns
    site.program.regions.append(
        Region(
            name=str(site.node.name or site.node.op_type), origin=site.origin, routing="indexed",
            buffer=site.buffer(ids), routed_at=group.step, tokens=slots,
            experts=experts, chosen=1, expert_macs=each,
            expert_bytes=each * given.bits // 8,
            constant_ids=constant_ids(ids),
        )
    )  # fmt: skip


def may_be_nobody(ids: ir.Value) -> bool:
    """Tell whether an id may name no expert: not where they are chosen, or written down."""
    value = graph_facts.before_reshapes(ids)
    while (cast := graph_facts.made_by(value, "Cast")) is not None and cast.inputs[0] is not None:
        value = graph_facts.before_reshapes(cast.inputs[0])
    if numbers := constant_ids(value):
        return min(numbers) < 0
    node = value.producer()
    chosen = graph_facts.is_op(node, "TopK", "ArgMax", "ArgMin")
    return not chosen and graph_facts.kind_of(node) != "Route"
