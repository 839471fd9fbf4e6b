"""A copy of a recognised graph that returns what its products and regions read and make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import NameFixPass

from edgemoe import graph_facts, regions
from edgemoe.compression.expert_loop import ExpertLoops
from edgemoe.compression.region_view import Key, RegionView, regions_of
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.errors import InputError
from edgemoe.pass_check import onnxruntime_session

Array = NDArray[Any]


@dataclass(frozen=True)
class RoutingTap:
    """Names of what says which rows count: ids and weights of an indexed product, or scores.

    `gate` differs from `weights` where a router weighs what goes into the experts (Llama 4).
    """

    ids: str = ""
    weights: str = ""
    scores: str = ""
    gate: str = ""


@dataclass(frozen=True)
class ProductTap:
    """A product with a constant: which values it reads and makes.

    `layout` says where the depth lies in `input`: on the last axis ("rows"), on the last but one
    ("columns": token mixing, the constant at the left).
    """

    weight: str
    kind: str
    input: str
    output: str
    layout: Literal["rows", "columns"]
    depth: int
    experts: int = 0
    routing: RoutingTap | None = None


@dataclass(frozen=True)
class RegionTap:
    """A region: its routing, and what the experts give before it is weighed.

    `rows` [T*K, H] for an indexed region; `hidden` [T, E, d] with the arrays `down` [E, H, d] and
    `bias` [E, H] for a scored one.
    """

    key: Key
    view: RegionView
    routing: RoutingTap
    rows: str = ""
    hidden: str = ""
    down: ir.Value | None = None
    bias: ir.Value | None = None


@dataclass
class Taps:
    """The tapped graph, opened in onnxruntime; `run` gives every tapped value by name."""

    products: list[ProductTap] = field(default_factory=list)
    regions: list[RegionTap] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    _session: Any = None
    _outputs: list[str] = field(default_factory=list)
    _constants: dict[str, Array] = field(default_factory=dict)

    def run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Return what one sample makes of every tapped value.

        Raises:
            InputError: onnxruntime refuses the sample.
        """
        wanted = {i.name for i in self._session.get_inputs()} if self._session else set()
        given = {name: array for name, array in feed.items() if name in wanted}
        try:
            made = self._session.run(None, given) if self._session else []
        except Exception as error:  # onnxruntime raises types of its own
            reason = (str(error).strip().splitlines() or [repr(error)])[0]
            raise InputError(
                f"a calibration sample does not run: {reason}\n"
                f"  next: give one array for each of {', '.join(sorted(wanted))}"
            ) from error
        found = dict(zip(self._outputs, (np.asarray(a) for a in made), strict=True))
        return {**self._constants, **feed, **found}


def open_taps(model: ir.Model) -> Taps:
    """Tap a graph after the phase recognise; it is left as it is."""
    keys = {str(view.node.name): view.key for view in regions_of(model)}
    copy = model.clone()
    views = regions_of(copy)
    taps = Taps()
    wanted: dict[str, ir.Value] = {}

    def tap(value: ir.Value | None) -> str:
        assert value is not None
        name = str(value.name)
        if graph_facts.is_constant(value):
            array = graph_facts.array_of(value)
            assert array is not None
            taps._constants[name] = array
        elif value.producer() is not None:
            wanted[name] = value
        return name

    for view in views:
        key = keys.get(str(view.node.name), view.key)
        _tap_region(copy, view, key, taps, tap)
    for node in copy.graph:
        _tap_product(node, taps, tap)
        if graph_facts.kind_of(node) == "Combine" and "edgemoe.routing" not in node.meta:
            taps.left_out.append(f"the experts summed by {node.name} belong to no region")
    for node in (n for graph in graph_facts.graphs_of(copy) for n in graph):
        if node.graph is not copy.graph and _constant_operand(node) is not None:
            taps.left_out.append(f"{node.name} ({node.op_type}) lies inside a loop or a branch")
    taps._outputs = list(wanted)
    if wanted:
        copy.graph.outputs[:] = list(wanted.values())
        remove_dead_nodes(copy.graph)
        ExpertLoops(copy).expand()
        NameFixPass()(copy)
        taps._session = onnxruntime_session(copy)
    return taps


def inline_call(model: ir.Model, node: ir.Node) -> list[ir.Node]:
    """Put the body of the function that `node` calls in its place; returns the new nodes."""
    function, graph = model.functions[node.op_identifier()], node.graph
    assert isinstance(graph, ir.Graph)
    for output in node.outputs:
        if not output.is_graph_output():
            output.name = f"{output.name}.call"  # the body's own result has the name
    taken = {str(o.name) for n in graph for o in n.outputs} | set(graph.initializers)
    inner: dict[ir.Value, ir.Value | None] = dict(zip(function.inputs, node.inputs, strict=True))
    made: list[ir.Node] = []
    for part in function:
        outputs = []
        for output in part.outputs:
            name = str(output.name)
            while name in taken:
                name += "_in"
            taken.add(name)
            outputs.append(ir.Value(name=name, shape=output.shape, type=output.type))
        inner.update(zip(part.outputs, outputs, strict=True))
        copy = ir.Node(
            part.domain, part.op_type, [None if v is None else inner[v] for v in part.inputs],
            list(part.attributes.values()), outputs=outputs, overload=part.overload,
            name=part.name, metadata_props=dict(part.metadata_props),
        )  # fmt: skip
        graph.insert_before(node, copy)
        made.append(copy)
    for old, formal in zip(node.outputs, function.outputs, strict=True):
        new = inner[formal]
        assert new is not None
        if old.is_graph_output():
            new.name, old.name = old.name, f"{old.name}.call"
        old.replace_all_uses_with(new, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    return made


def _tap_region(model: ir.Model, view: RegionView, key: Key, taps: Taps, tap: Any) -> None:
    node = view.node
    if view.routing == "indexed":
        routing = RoutingTap(
            ids=tap(view.ids), weights=tap(view.weights), gate=tap(_gate(view) or view.weights)
        )
    else:
        routing = RoutingTap(scores=tap(view.scores))
    body = inline_call(model, node)
    if view.routing == "indexed":
        last = next(n for n in reversed(body) if graph_facts.kind_of(n) == "Combine")
        taps.regions.append(RegionTap(key, view, routing, rows=tap(last.inputs[0])))
    else:
        last = next(n for n in reversed(body) if graph_facts.kind_of(n) == "BlockDown")
        taps.regions.append(
            RegionTap(key, view, routing, hidden=tap(last.inputs[0]), down=last.inputs[2],
                      bias=last.inputs[3] if len(last.inputs) > 3 else None)
        )  # fmt: skip
    for part in body:
        if graph_facts.kind_of(part):
            part.meta["edgemoe.routing"] = routing


def _gate(view: RegionView) -> ir.Value | None:
    """Return the factors [T*K, 1] of what goes into the experts, where a router makes them."""
    for value in view.node.inputs[3:]:
        if value is not None and not graph_facts.is_constant(value):
            route = graph_facts.called_by(graph_facts.before_reshapes(value), "Route")
            if route is not None and graph_facts.size_of(value) == view.tokens * view.chosen:
                return value
    return None


def _tap_product(node: ir.Node, taps: Taps, tap: Any) -> None:
    kind = graph_facts.kind_of(node)
    if kind in (*regions.EXPERT_LINEARS, "BlockUp", "BlockDown"):
        weight = node.inputs[1 if kind == "BlockUp" else 2]
        shape = graph_facts.shape_of(weight)
        if weight is None or shape is None or not graph_facts.is_constant(weight):
            taps.left_out.append(f"{node.name} ({node.op_type}) has no constant weight")
            return
        routing = node.meta.get("edgemoe.routing")
        if kind in regions.EXPERT_LINEARS and routing is None:
            routing = RoutingTap(ids=tap(node.inputs[1]))
        elif kind == "BlockDown" and routing is None:
            routing = RoutingTap(scores=tap(node.inputs[1]))
        depth = shape[1] if kind.startswith("ExpertLinearT") else shape[2]
        taps.products.append(
            ProductTap(str(weight.name), kind, tap(node.inputs[0]), tap(node.outputs[0]), "rows",
                       depth, shape[0], routing)
        )  # fmt: skip
        return
    if kind in ("RowDots", "RowSum"):
        taps.left_out.append(f"{node.name} ({kind}) reads rows of a table")
        return
    operand = _constant_operand(node)
    if operand is None:
        return
    number, weight = operand
    other = node.inputs[1 - number]
    shape, rank = graph_facts.shape_of(weight), len(graph_facts.shape_of(other) or ())
    if shape is None or other is None or not graph_facts.is_op(node, "MatMul", "Gemm"):
        taps.left_out.append(f"{node.name} ({node.op_type}) is no plain product of two matrices")
        return
    turned = graph_facts.attribute(node, "transA" if number == 1 else "transB", 0)
    at_end = number == 1 if not turned else number == 0
    layout: Literal["rows", "columns"] = "rows" if at_end or rank == 1 else "columns"
    extents = graph_facts.shape_of(other) or (1,)
    depth = extents[-1] if layout == "rows" else extents[-2]
    taps.products.append(
        ProductTap(str(weight.name), node.op_type, tap(other), tap(node.outputs[0]), layout, depth)
    )


def _constant_operand(node: ir.Node) -> tuple[int, ir.Value] | None:
    """Return the place and the value of the constant that a product multiplies with."""
    if not graph_facts.is_op(node, "MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum"):
        return None
    constants = [
        (number, value) for number, value in enumerate(node.inputs[:2])
        if value is not None and graph_facts.is_constant(value)
    ]  # fmt: skip
    return constants[0] if len(constants) == 1 else None
