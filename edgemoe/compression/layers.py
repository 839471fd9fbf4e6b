"""Remove whole sub-layers: residual branches y = x + f(x) whose f hardly changes the outputs.

FinerCut (Zhang et al. 2024, arXiv 2405.18218): attention and feed-forward sub-layers are candidates
of their own, and are removed one by one, the one first whose removal changes the output least.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts, regions
from edgemoe.emit import replace
from edgemoe.errors import InputError, OptionError
from edgemoe.graph_pass import Note
from edgemoe.pass_check import onnxruntime_session
from edgemoe.pass_runner import settle
from edgemoe.products import is_product

Array = NDArray[Any]


@dataclass(frozen=True)
class Branch:
    """A residual branch: `total` = `skipped` + f(`skipped`), all of one shape.

    `name` is the PyTorch path that its products have in common, the same in every token bucket;
    several of one path are NAME, NAME#2, ..
    """

    name: str
    total: ir.Value
    skipped: ir.Value
    weights: tuple[str, ...]


def residual_branches(model: ir.Model) -> list[Branch]:
    """Return the residual branches with a product in them, in the order of the graph.

    Args:
        model: after the phase recognise.
    """
    found: list[Branch] = []
    names: dict[str, int] = {}
    for node in model.graph:
        branch = _branch(node)
        if branch is None:
            continue
        names[branch.name] = names.get(branch.name, 0) + 1
        if (number := names[branch.name]) > 1:
            branch = Branch(f"{branch.name}#{number}", branch.total, branch.skipped, branch.weights)
        found.append(branch)
    return found


def _branch(node: ir.Node) -> Branch | None:
    if not graph_facts.is_op(node, "Add"):
        return None
    total = node.outputs[0]
    shape = graph_facts.shape_of(total)
    for skipped, end in (node.inputs, tuple(reversed(node.inputs))):
        if skipped is None or end is None or skipped is end or graph_facts.is_constant(skipped):
            continue
        if graph_facts.shape_of(skipped) != shape or graph_facts.shape_of(end) != shape:
            continue
        inside = _between(skipped, end)
        products = [n for n in inside if _multiplies(n)]
        if products:
            weights = dict.fromkeys(
                str(v.name) for n in products for v in n.inputs
                if v is not None and graph_facts.is_constant(v)
            )  # fmt: skip
            name = graph_facts.common_origin(products) or str(total.name)
            return Branch(name, total, skipped, tuple(weights))
    return None


def _between(start: ir.Value, end: ir.Value) -> list[ir.Node]:
    """Return the nodes on the ways from one value to the other; none where there is no way."""
    nodes = graph_facts.ancestors([end], frozenset([start]))
    reached: set[ir.Node] = set()
    todo = [start]
    while todo:
        for use in todo.pop().uses():
            if use.node in nodes and use.node not in reached:
                reached.add(use.node)
                todo.extend(use.node.outputs)
    return [n for n in reached if end.producer() in reached]


def _multiplies(node: ir.Node) -> bool:
    kinds = ("MoE", *regions.EXPERT_LINEARS, "BlockUp", "BlockDown", "RowDots", "RowSum")
    return is_product(node) or graph_facts.kind_of(node) in kinds


def remove_branches(model: ir.Model, names: Collection[str]) -> list[Note]:
    """Let y = x in these branches, in place; what only they read is gone.

    States that a branch writes (a cache) stay outputs of the graph, and are still computed.

    Raises:
        OptionError: there is no such branch, or its result is an output that would be an input.
    """
    known = {branch.name: branch for branch in residual_branches(model)}
    notes = []
    for name in dict.fromkeys(names):
        if name not in known:
            raise OptionError(
                f"there is no residual branch {name!r}\n  next: one of {', '.join(known) or 'none'}"
            )
    for name, branch in known.items():
        if name not in names:
            continue
        skipped = branch.skipped
        for other in known.values():  # what is skipped may be the sum of a branch that went before
            if other.total is skipped and other.name in names:
                skipped = _end_of(other, known, names)
        if not replace(branch.total, skipped):
            raise OptionError(
                f"residual branch {name!r} cannot go: output {branch.total.name!r} would be an "
                "input or another output\n  next: keep it"
            )
        text = f"residual branch {name} is removed"
        notes.append(Note("matched", "layers", text, origin=name,
                          facts={"weights": list(branch.weights)}))  # fmt: skip
    settle(model)
    return notes


def _end_of(branch: Branch, known: Mapping[str, Branch], names: Collection[str]) -> ir.Value:
    """Follow removed branches up to the value that is left."""
    before = next(
        (b for b in known.values() if b.total is branch.skipped and b.name in names), None
    )
    return branch.skipped if before is None else _end_of(before, known, names)


def branch_costs(
    model: ir.Model,
    feeds: Sequence[Mapping[str, Array]],
    *,
    outputs: Collection[str] | None = None,
    without: Collection[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, float]:
    """Measure in onnxruntime how much the outputs change when a branch is left out.

    Args:
        model: after the phase recognise; it is left as it is.
        feeds: arrays by input name, one feed per sample.
        outputs: names of the outputs that count; default: all of floats.
        without: branches that are left out throughout.
        progress: called with (name, done, total).

    Returns for each other branch |y - y'| / |y| (Frobenius, all samples and outputs together).

    Raises:
        InputError: there is no sample.
        OptionError: an output or branch is unknown.
    """
    wanted = _outputs(model, outputs)
    if not feeds:
        raise InputError("no sample to measure layers on\n  next: give at least one feed")
    whole = _run(model, feeds, wanted)
    size = np.sqrt(sum(float(np.square(y).sum()) for y in whole))
    names = [b.name for b in residual_branches(model) if b.name not in without]
    costs = {}
    for number, name in enumerate(names):
        copy = model.clone()
        remove_branches(copy, [*without, name])
        gap = sum(
            float(np.square(a - b).sum())
            for a, b in zip(whole, _run(copy, feeds, wanted), strict=True)
        )
        costs[name] = float(np.sqrt(gap) / size) if size else 0.0
        if progress is not None:
            progress(name, number + 1, len(names))
    return costs


def choose_branches(
    model: ir.Model,
    feeds: Sequence[Mapping[str, Array]],
    count: int,
    *,
    outputs: Collection[str] | None = None,
) -> list[tuple[str, float]]:
    """Choose `count` branches one after the other, each measured without those before it.

    Returns names with the relative error after each removal, in the order of removal.

    Raises:
        OptionError: there are fewer branches.
    """
    there = len(residual_branches(model))
    if not 0 <= count <= there:
        raise OptionError(
            f"{count} residual branches cannot go, there are {there}\n  next: 0 to {there}"
        )
    gone: list[tuple[str, float]] = []
    for _ in range(count):
        costs = branch_costs(model, feeds, outputs=outputs, without=[name for name, _ in gone])
        name = min(costs, key=lambda each: costs[each])
        gone.append((name, costs[name]))
    return gone


def _outputs(model: ir.Model, names: Collection[str] | None) -> list[str]:
    floats = [
        str(v.name) for v in model.graph.outputs
        if v.dtype is not None and v.dtype.is_floating_point()
    ]  # fmt: skip
    for name in names or ():
        if name not in floats:
            raise OptionError(
                f"{name!r} is no output of floats\n  next: one of {', '.join(floats) or 'none'}"
            )
    return floats if names is None else list(names)


def _run(
    model: ir.Model, feeds: Sequence[Mapping[str, Array]], outputs: Sequence[str]
) -> list[Array]:
    session = onnxruntime_session(model)
    inputs = {i.name for i in session.get_inputs()}
    found: list[Array] = []
    for feed in feeds:
        given = {name: array for name, array in feed.items() if name in inputs}
        found += [np.asarray(y, np.float64) for y in session.run(list(outputs), given)]
    return found
