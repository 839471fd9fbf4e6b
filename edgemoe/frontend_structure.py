"""Check the structure of a .onnx file: versions, names, who makes what, calls of functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import onnx
from onnx import checker

from edgemoe.errors import ModelError
from edgemoe.regions import OPSET

OLDEST_OPSET = 17
OLDEST_IR, NEWEST_IR = 3, int(onnx.IR_VERSION)
NODES = 2_000_000
"""Largest number of nodes after all functions are inlined; more would take hours and gigabytes."""
DEPTH = 32  # of graphs inside nodes


def check_structure(proto: onnx.ModelProto) -> None:
    """Check versions, names and edges of the whole model.

    Raises:
        ModelError: with what is wrong and what to do.
    """
    if not OLDEST_IR <= proto.ir_version <= NEWEST_IR:
        raise ModelError(
            f"the file has ir_version {proto.ir_version}; {OLDEST_IR} to {NEWEST_IR} can be read\n"
            "  next: save it with an onnx of today, onnx.save(onnx.load(path), path)"
        )
    opsets = _check_opsets(proto.opset_import, "the model")
    context = checker.C.CheckerContext()
    context.ir_version = proto.ir_version
    context.opset_imports = opsets
    calls = _Calls(proto)
    _check_graph(proto.graph, set(), context, "the model", 0)
    for function in proto.functions:
        title = f"function {function.domain}::{function.name}"
        inner = _check_opsets(function.opset_import, title) if function.opset_import else opsets
        inside = checker.C.CheckerContext()
        inside.ir_version, inside.opset_imports = proto.ir_version, inner
        _unique([*function.input], "input", title)
        made = _check_nodes(function.node, set(function.input), inside, title, 0)
        _produced(function.output, made, title)
    calls.check()


def _check_opsets(imports: Iterable[onnx.OperatorSetIdProto], title: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in imports:
        domain = "" if entry.domain == "ai.onnx" else entry.domain
        if found.get(domain, entry.version) != entry.version:
            raise ModelError(
                f"{title} imports {domain or 'ai.onnx'} as version {found[domain]} and as version "
                f"{entry.version}; export it again"
            )
        found[domain] = entry.version
    if "" not in found:
        raise ModelError(
            f"{title} does not say which version of the ONNX operators it uses (no opset_import)\n"
            f"  next: export it again, with opset {OLDEST_OPSET} to {OPSET}"
        )
    if not OLDEST_OPSET <= found[""] <= OPSET:
        raise ModelError(
            f"{title} uses opset {found['']}; {OLDEST_OPSET} to {OPSET} are supported\n"
            f"  next: onnx.version_converter.convert_version(model, {OPSET}), or export it with "
            f"torch.onnx.export(..., dynamo=True, opset_version={OPSET})"
        )
    return found


def _check_graph(
    graph: onnx.GraphProto,
    outer: set[str],
    context: checker.C.CheckerContext,
    title: str,
    depth: int,
) -> None:
    if depth > DEPTH:
        raise ModelError(f"{title} nests graphs more than {DEPTH} deep; export it again")
    _unique([value.name for value in graph.input], "input", title)
    weights = [t.name for t in graph.initializer]
    weights += [t.values.name for t in graph.sparse_initializer]
    _unique(weights, "weight", title)
    _unique([value.name for value in graph.output], "output", title)
    if any(not name for name in weights):
        raise ModelError(f"{title} has a weight without a name; export it again")
    given = {value.name for value in graph.input} | set(weights)
    made = _check_nodes(graph.node, outer | given, context, title, depth, own=given)
    _produced([value.name for value in graph.output], made, title)


def _check_nodes(
    nodes: Sequence[onnx.NodeProto],
    given: set[str],
    context: checker.C.CheckerContext,
    title: str,
    depth: int,
    own: set[str] | None = None,
) -> set[str]:
    """Check every node; returns all names that exist at the end."""
    outputs = [name for node in nodes for name in node.output if name]
    for name, count in Counter(outputs).items():
        if count > 1 or name in (given if own is None else own):
            raise ModelError(
                f"{title} makes {name!r} twice: a name has one producer\n  next: export it again"
            )
    made = given | set(outputs)
    for index, node in enumerate(nodes):
        label = node.name or f"#{index}"
        for name in node.input:
            if name and name not in made:
                raise ModelError(
                    f"node {label!r} ({node.op_type}) of {title} reads {name!r}, which nobody "
                    "makes\n  next: export the model again"
                )
        graphs = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
        graphs += [g for a in node.attribute for g in a.graphs]
        for graph in graphs:
            _check_graph(graph, made, context, f"a graph inside node {label!r}", depth + 1)
        if not graphs:
            _check_node(node, label, context)
    _check_acyclic(nodes, title)
    return made


def _check_node(node: onnx.NodeProto, label: str, context: checker.C.CheckerContext) -> None:
    """Compare inputs, outputs and attributes with the operator's schema, where it has one."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    version = context.opset_imports.get(domain)
    if not node.op_type:
        raise ModelError(f"node {label!r} has no operator; export the model again")
    if domain or version is None or any(a.ref_attr_name for a in node.attribute):
        return
    try:
        onnx.defs.get_schema(node.op_type, version, domain)
    except onnx.defs.SchemaError:
        return  # onnxruntime puts operators of its own into this domain; lowering names them
    try:
        checker.check_node(node, context)
    except checker.ValidationError as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"node {label!r} ({node.op_type}) is not valid ONNX: {reason}\n"
            "  next: export the model again"
        ) from error


def _check_acyclic(nodes: Sequence[onnx.NodeProto], title: str) -> None:
    maker = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    if all(maker.get(name, -1) < i for i, node in enumerate(nodes) for name in _reads(node)):
        return
    waiting = [{maker[n] for n in _reads(node) if n in maker} for node in nodes]
    readers: list[list[int]] = [[] for _ in nodes]
    for index, needs in enumerate(waiting):
        for need in needs:
            readers[need].append(index)
    left = [len(needs) for needs in waiting]
    ready = [i for i, count in enumerate(left) if count == 0]
    done = 0
    while ready:
        done += 1
        for reader in readers[ready.pop()]:
            left[reader] -= 1
            if left[reader] == 0:
                ready.append(reader)
    if done < len(nodes):
        stuck = [nodes[i].name or f"#{i}" for i, count in enumerate(left) if count > 0]
        raise ModelError(
            f"{title} has nodes that wait for each other: {', '.join(stuck[:5])}\n"
            "  next: a graph has no cycles; write loops with Loop or Scan"
        )


def _reads(node: onnx.NodeProto) -> set[str]:
    """Names that a node needs, those that its inner graphs take from outside included."""
    found = {name for name in node.input if name}
    for attribute in node.attribute:
        graphs = [*attribute.graphs]
        if attribute.type == onnx.AttributeProto.GRAPH:
            graphs.append(attribute.g)
        for graph in graphs:
            found |= _taken_from_outside(graph)
    return found


def _taken_from_outside(graph: onnx.GraphProto) -> set[str]:
    own = {value.name for value in graph.input} | {t.name for t in graph.initializer}
    needed = {value.name for value in graph.output}
    for node in graph.node:
        own |= set(node.output)
        needed |= _reads(node)
    return needed - own


def _unique(names: Sequence[str], what: str, title: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ModelError(f"{title} has {count} {what}s named {name!r}; export it again")


def _produced(names: Iterable[str], made: set[str], title: str) -> None:
    for name in names:
        if name not in made:
            raise ModelError(
                f"{title} has the output {name!r}, which nobody makes\n  next: export it again"
            )


class _Calls:
    """Who calls whom among the functions: no cycles, and not too many nodes when inlined."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        self._proto = proto
        self._functions: dict[tuple[str, str, str], onnx.FunctionProto] = {}
        for function in proto.functions:
            key = (function.domain, function.name, function.overload)
            if key in self._functions:
                raise ModelError(
                    f"the model defines function {function.domain}::{function.name} twice"
                )
            self._functions[key] = function
        self._sizes: dict[tuple[str, str, str], int] = {}

    def check(self) -> None:
        total = self._count(self._proto.graph.node, ())
        if total > NODES:
            raise ModelError(
                f"the model has {total:,} nodes with its functions inlined; at most {NODES:,} are "
                "read\n  next: export it without nested functions"
            )

    def _count(
        self, nodes: Iterable[onnx.NodeProto], active: tuple[tuple[str, str, str], ...]
    ) -> int:
        total, todo = 0, list(nodes)
        while todo:
            node = todo.pop()
            total += 1
            for attribute in node.attribute:
                todo.extend(attribute.g.node)
                todo.extend(inner for graph in attribute.graphs for inner in graph.node)
            key = (node.domain, node.op_type, node.overload)
            if key in active:
                raise ModelError(f"function {key[0]}::{key[1]} calls itself; export it again")
            if key in self._functions:
                if len(active) > DEPTH * 4:
                    raise ModelError("functions call each other too deeply; export it again")
                if key not in self._sizes:
                    self._sizes[key] = self._count(self._functions[key].node, (*active, key))
                total += self._sizes[key]
        return total
