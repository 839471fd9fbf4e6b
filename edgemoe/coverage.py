"""How much of a model runs on kernels of ours, and what no kernel at all can compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.census import is_weight, nbytes_of
from edgemoe.errors import EdgemoeError
from edgemoe.macs import macs_of
from edgemoe.pass_runner import run_passes, settle
from edgemoe.plugins import Plugin
from edgemoe.products import is_product


@dataclass(frozen=True)
class GenericNode:
    """A node that TVM's generic code computes."""

    node: str
    op: str
    origin: str
    macs: int
    nbytes: int  # of the weights that it reads


@dataclass(frozen=True)
class UnsupportedNode:
    """A node that neither our kernels nor TVM's importer know."""

    node: str
    op: str
    origin: str
    reason: str


@dataclass(frozen=True)
class Kernels:
    """Multiply-accumulates and weight bytes by who computes them, after the phase fuse."""

    fast_macs: int
    total_macs: int
    fast_nbytes: int
    total_nbytes: int
    generic: tuple[GenericNode, ...]  # those with multiply-accumulates, the largest first
    generic_ops: dict[str, int]  # how many nodes of each operator run on generic kernels
    unsupported: tuple[UnsupportedNode, ...]
    unknown_products: int = 0  # products of sizes that depend on data: they count nowhere
    failure: str = ""  # why the graph could not be fused, "" when it was


def kernels_of(model: ir.Model, plugins: Sequence[Plugin] = ()) -> Kernels:
    """Fuse a copy of a recognised graph and ask for the kernel of every node."""
    copy = model.clone()
    failure = ""
    try:
        run_passes(copy, phases=("decide", "fuse"), extra=plugins, survive=True)
        _inline_refused(copy)
    except EdgemoeError as error:
        failure = str(error).splitlines()[0]
    return _counted(copy, failure)


def _inline_refused(model: ir.Model) -> None:
    from edgemoe.targets.lowering import inline_regions

    inline_regions(model)
    settle(model)


def _counted(model: ir.Model, failure: str) -> Kernels:
    from edgemoe.targets.lowering import handler_of
    from edgemoe.targets.middle import importable

    generic: list[GenericNode] = []
    unsupported: list[UnsupportedNode] = []
    generic_ops: dict[str, int] = {}
    fast_macs = total_macs = unknown = 0
    fast, read = set[ir.Value](), set[ir.Value]()
    for node in model.graph:
        macs = macs_of(model, node)
        unknown += is_product(node) and not all(map(_is_static, node.outputs))
        total_macs += macs
        weights = _weights(node)
        read |= weights
        if handler_of(model, node) is not None:
            fast_macs += macs
            fast |= weights
            continue
        name, origin, op = graph_facts.name_of(node), graph_facts.origin_of(node), _op(node)
        generic_ops[op] = generic_ops.get(op, 0) + 1
        if not importable(node):
            reason = "no kernel and no lowering exists for it"
            unsupported.append(UnsupportedNode(name, op, origin, reason))
        elif not all(map(_is_static, node.outputs)) and all(map(_is_static, node.inputs)):
            # those that follow are its fault
            tensors = all(isinstance(v.type, ir.TensorType) for v in node.outputs)
            reason = "the size of its result depends on data" if tensors else "it makes no tensor"
            unsupported.append(UnsupportedNode(name, op, origin, reason))
        if macs:
            nbytes = sum(nbytes_of(value) for value in weights)
            generic.append(GenericNode(name, op, origin, macs, nbytes))
    return Kernels(
        fast_macs, total_macs, sum(map(nbytes_of, fast)), sum(map(nbytes_of, read)),
        tuple(sorted(generic, key=lambda node: -node.macs)),
        dict(sorted(generic_ops.items(), key=lambda item: (-item[1], item[0]))),
        tuple(unsupported), unknown, failure,
    )  # fmt: skip


def _is_static(value: ir.Value | None) -> bool:
    return value is None or not value.name or graph_facts.shape_of(value) is not None


def _weights(node: ir.Node) -> set[ir.Value]:
    return {
        v for v in node.inputs
        if v is not None and graph_facts.is_constant(v) and is_weight(v)
    }  # fmt: skip


def _op(node: ir.Node) -> str:
    kind = graph_facts.kind_of(node)
    return kind or (f"{node.domain}::{node.op_type}" if node.domain else node.op_type)
