"""From a flat float graph and what calibration saw of it to an integer graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.integer.cancel_transposes import cancel_transposes
from edgemoe.integer.converter import Converter
from edgemoe.integer.facts import Facts
from edgemoe.integer.model import IntegerModel
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.integer.quantised import Quantised
from edgemoe.integer.ranges import is_float
from edgemoe.integer.rules import all_rules
from edgemoe.regions import add_bodies
from edgemoe.weight_format import WeightFormat

OPSET = 23


def convert(
    facts: Facts,
    widths: Callable[[ir.Value], int],
    formats: Mapping[str, WeightFormat],
) -> IntegerModel:
    """Make the integer graph of one candidate.

    Args:
        facts: the flat graph with its calibration.
        widths: bits of a float value, 8 or 16.
        formats: weight formats by name; I8 for the others.

    Raises:
        IntegerError: a sum cannot be held.
    """
    source = facts.model.graph
    graph = ir.Graph(
        [], [], nodes=[], opset_imports={**source.opset_imports, DOMAIN: 1}, name=source.name
    )
    c = Converter(facts=facts, rules=all_rules(), widths=widths, formats=formats, graph=graph)
    for value in source.inputs:  # in their order, used or not
        if is_float(value):
            c.want(value)
        else:
            c.want_other(value)
    # Values that are read twice are wanted by somebody: asked for in order, the way down is short.
    for node in source:
        for value in node.outputs:
            if len(value.uses()) > 1 and is_float(value) and _stands_alone(value):
                c.want(value)
    outputs: dict[str, Quantised | None] = {}
    for value in source.outputs:
        name = str(value.name)
        if is_float(value):
            made = c.want(value)
            graph.outputs.append(_own(c, made.value, name, value))
            outputs[name] = made.quantised
        else:
            graph.outputs.append(_own(c, c.want_other(value), name, value))
            outputs[name] = None
    model = ir.Model(graph, ir_version=facts.model.ir_version)
    remove_dead_nodes(graph)
    for name in [n for n, v in graph.initializers.items() if not v.uses()]:
        del graph.initializers[name]
    cancel_transposes(graph)
    add_bodies(model)
    inputs = {str(v.name): c.roots[str(v.name)] if is_float(v) else None for v in source.inputs}
    present = {str(v.name) for node in graph for v in node.outputs}
    tensors = {n: q for n, q in c.roots.items() if n in present or n in inputs}
    left = {graph_facts.name_of(node) for node in graph}
    islands = tuple(i for i in c.islands if i.node in left)
    return IntegerModel(model, inputs, outputs, tensors, islands, c.stored)


def _stands_alone(value: ir.Value) -> bool:
    """Leave out what a larger pattern may swallow: it is asked for when it is needed."""
    node = value.producer()
    return not graph_facts.is_op(node, *graph_facts.ELEMENTWISE) or graph_facts.is_op(node, "Add")


def _own(c: Converter, made: ir.Value, name: str, value: ir.Value) -> ir.Value:
    """An output with its own name: never an input, a constant or another output."""
    if made.producer() is not None and made.name == name and made not in c.graph.outputs:
        return made
    node = ir.node("Identity", [made], name=f"{name}.output")
    c.graph.append(node)
    output = node.outputs[0]
    output.name, output.shape, output.type = name, value.shape, made.type
    return output
