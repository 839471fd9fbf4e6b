"""Drop what the outputs do not need."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import RemoveInitializersFromInputsPass

from edgemoe import graph_facts
from edgemoe.dead_code import remove_dead_nodes
from edgemoe.graph_pass import PassContext, graph_pass


@graph_pass(phase="import", after=("record_origins",))
def tidy(model: ir.Model, context: PassContext) -> int:
    """Remove unused nodes, weights, functions and opsets, and make listed weights constants.

    Given:  inputs x, w (w has an initialiser); y = Relu(x); z = Exp(w), unused
    Result: input x; y = Relu(x)
    """
    del context
    changes = len([v for v in model.graph.inputs if v.name in model.graph.initializers])
    RemoveInitializersFromInputsPass()(model)
    changes += sum(remove_dead_nodes(graph) for graph in list(graph_facts.graphs_of(model)))
    used = {(node.domain, node.op_type, node.overload) for node in model.graph.all_nodes()}
    todo = [model.functions[key] for key in used & set(model.functions)]
    while todo:
        function = todo.pop()
        called = {(n.domain, n.op_type, n.overload) for n in function.all_nodes()}
        todo += [model.functions[key] for key in (called - used) & set(model.functions)]
        used |= called
    for key in set(model.functions) - used:
        del model.functions[key]
        changes += 1
    for domain in set(model.opset_imports) - {domain for domain, _, _ in used} - {""}:
        del model.opset_imports[domain]
        changes += 1
    return changes
