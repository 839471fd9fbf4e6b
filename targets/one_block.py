"""A region over a batch of independent matrices, as a model of one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx_ir as ir

from edgemoe import graph_facts

Functions = Mapping[tuple[str, str, str], ir.Function]


def one_block(node: ir.Node, function: ir.Function, functions: Functions, lead: int) -> ir.Model:
    """Return the body of `function`, called by `node`, with leading `lead` axes of 1.

    Weights keep their shapes. Inputs and outputs of the model are those of the call that are no
    weights, each once, in its order.
    """
    values: dict[ir.Value, ir.Value] = {}
    made: dict[ir.Value, ir.Value] = {}
    computed = set()
    for formal, actual in zip(function.inputs, node.inputs, strict=True):
        assert actual is not None
        constant = graph_facts.is_constant(actual)
        if actual not in made:
            shape = actual.shape if constant else _single(actual, lead)
            made[actual] = ir.Value(
                name=actual.name, shape=shape, type=actual.type, const_value=actual.const_value
            )
        values[formal] = made[actual]
        if not constant:
            computed.add(formal)
    calls = _Copier(values, computed, lead)
    nodes = calls.copies(function)
    used = [
        _function(functions[call.op_identifier()], call, computed, lead)
        for call in function
        if call.op_identifier() in functions
    ]
    graph = ir.Graph(
        [v for a, v in made.items() if not graph_facts.is_constant(a)],
        [values[v] for v in function.outputs],
        nodes=nodes,
        initializers=[v for a, v in made.items() if graph_facts.is_constant(a)],
        opset_imports=dict(function.opset_imports),
        name="block",
    )
    return ir.Model(graph, ir_version=10, functions=used)


def _function(
    function: ir.Function, call: ir.Node, computed: set[ir.Value], lead: int
) -> ir.Function:
    """Return a copy of a function that is called with values of one block."""
    values, inside = {}, set()
    for formal, actual in zip(function.inputs, call.inputs, strict=True):
        is_computed = actual in computed
        shape = _single(formal, lead) if is_computed else formal.shape
        values[formal] = ir.Value(name=formal.name, shape=shape, type=formal.type)
        if is_computed:
            inside.add(formal)
    nodes = _Copier(values, inside, lead).copies(function)
    graph = ir.Graph(
        [values[v] for v in function.inputs], [values[v] for v in function.outputs], nodes=nodes,
        opset_imports=dict(function.opset_imports),
    )  # fmt: skip
    copy = ir.Function(
        function.domain, function.name, function.overload, graph=graph, attributes=[]
    )
    copy.metadata_props.update(function.metadata_props)
    return copy


class _Copier:
    """Copies nodes; what depends on a value of `computed` has leading axes of 1."""

    def __init__(
        self, values: dict[ir.Value, ir.Value], computed: set[ir.Value], lead: int
    ) -> None:
        self.values, self.computed, self.lead = values, computed, lead

    def copies(self, nodes: Iterable[ir.Node]) -> list[ir.Node]:
        return [self._copy(node) for node in nodes]

    def _copy(self, node: ir.Node) -> ir.Node:
        outputs = []
        depends = any(value in self.computed for value in node.inputs)
        for old in node.outputs:
            new = ir.Value(name=old.name, shape=old.shape, type=old.type)
            if depends:
                self.computed.add(old)
                new.shape = _single(old, self.lead)
            outputs.append(new)
            self.values[old] = new
        return ir.Node(
            node.domain, node.op_type, [None if v is None else self.values[v] for v in node.inputs],
            list(node.attributes.values()), outputs=outputs, overload=node.overload,
            name=node.name, metadata_props=dict(node.metadata_props),
        )  # fmt: skip


def _single(value: ir.Value, lead: int) -> ir.Shape | None:
    shape = graph_facts.shape_of(value)
    return None if shape is None else ir.Shape([1] * lead + list(shape[lead:]))
