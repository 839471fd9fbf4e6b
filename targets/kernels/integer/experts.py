"""`Experts` of an integer program: a layer's experts, one after the other.

Every expert that has tokens computes all of its products before the next one begins, so that its
weights are read once per call, and what lies between them needs room for the rows of one expert
(the order of Edge-MoE, Sarkar et al., 2023, 3.4). Rows that nobody computes are the zero point.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.integer.expert_groups import members_of
from edgemoe.integer.operators import DOMAIN
from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer import elementwise, linear, lookup, norm
from edgemoe.targets.kernels.integer import rows as row_forms
from edgemoe.targets.kernels.integer.cores import core_of
from edgemoe.targets.kernels.integer.linear import Queue
from edgemoe.targets.kernels.integer.queues import Queues
from edgemoe.targets.kernels.integer.site import C_TYPES, dtype_of, integer
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("edgemoe.integer.Experts",)

_OTHERS = {
    name.removeprefix(f"{DOMAIN}."): module
    for module in (elementwise, lookup, norm)
    for name in module.HANDLES
}


@dataclass(frozen=True)
class FillRows:
    """Fills rows with one number; one task per row."""

    dtype: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (out, width, value)."""
        return (C_TYPES[self.dtype], "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (width, value, begin, end) = tiles.parameters(
                {"out": self.dtype}, ("width", "value")
            )
            with T.serial(begin * width, end * width) as i:
                T.buffer_store(buffers["out"], tirx.Cast(self.dtype, value), [i])
        return tiles.Built(builder.get())


def lower(site: Site) -> None:
    """Append the queues of the experts, unless another layer has made them, and the loop."""
    program, members = site.program, members_of(site.node)
    products = [n for n in members if n.op_type == "ExpertLinear"]
    ids, w = products[0].inputs[1:3]
    assert ids is not None and w is not None
    experts, slots = shape_of(w)[0], size_of(shape_of(ids))
    queue, counts = _queue(site, site.buffer(ids), dtype_of(ids), slots, experts)
    last = members[-1]
    width, dtype = shape_of(last.outputs[0])[-1], dtype_of(last.outputs[0])
    if not _all_computed(ids, experts) and _is_read(site.node.outputs[0], ids):
        program.step(
            FillRows(dtype), "fill_rows", [Pointer(site.outputs[0]), width, integer(last, "zero")],
            tasks=slots, label=f"zeros in {slots} rows of {width}", origin=site.origin,
            nbytes=slots * width, reason="rows that no expert computes",
        )  # fmt: skip
    made = {v for n in members for v in n.outputs}
    for node in products:
        if node.inputs[0] not in made:  # all rows are prepared once, before the loop
            _prepare(site, node)
    most = slots // _distinct(ids)
    buffers = dict(site.buffers)
    with program.experts_loop(experts, counts, slots, most):
        for node in members:
            out = node.outputs[0]
            buffers[out] = (
                site.outputs[0]
                if node is last
                else program.buffer(str(out.name), dtype_of(out), (most, shape_of(out)[-1]))
            )
            inner = Site(node, None, program, buffers, (buffers[out],), site.functions)
            if node.op_type != "ExpertLinear":
                _OTHERS[node.op_type].lower(inner)
                continue
            gathered = node.inputs[0] not in made
            linear.append(inner, queue, gathered=gathered, scattered=node is last)


def _prepare(site: Site, node: ir.Node) -> None:
    """Bring the inputs of a product into the form that the core reads."""
    program, x, w = site.program, node.inputs[0], node.inputs[2]
    assert x is not None and w is not None
    rows, depth = size_of(shape_of(x)[:-1]), shape_of(w)[-1]
    source = site.buffer(x)
    row_forms.inputs_of(program, core_of(program.core), source, dtype_of(x), rows, depth)
    if integer(node, "weight_bits") in (4, 2):
        groups = node.inputs[5] if len(node.inputs) > 5 else None
        group = depth if groups is None else depth // shape_of(groups)[-1]
        row_forms.sums_of(program, source, dtype_of(x), rows, depth, group)


def _distinct(ids: ir.Value) -> int:
    """How many slots of a token are sure to have different experts.

    Those of a top-k, and those of scores, which have a slot for every expert.
    """
    node = _maker(ids)
    if node is not None and node.op_type == "TopK":
        return integer(node, "k")
    return shape_of(node.outputs[0])[-1] if node is not None else 1


def _maker(ids: ir.Value) -> ir.Node | None:
    """The operator that chose the experts."""
    node = ids.producer()
    while node is not None and node.op_type in ("Cast", "Reshape", "Identity", "Flatten"):
        source = node.inputs[0]
        node = source.producer() if source is not None else None
    known = node is not None and node.domain == DOMAIN and node.op_type in ("TopK", "ActiveIds")
    return node if known else None


def _all_computed(ids: ir.Value, experts: int) -> bool:
    """Whether each slot is sure to have an expert: a top-k chooses among no more than there are."""
    node = _maker(ids)
    scores = node.inputs[0] if node is not None and node.op_type == "TopK" else None
    return scores is not None and shape_of(scores)[-1] <= experts


def _is_read(rows: ir.Value, ids: ir.Value) -> bool:
    """Whether anybody reads the rows of nobody: not sums by the scores that chose the experts."""
    active = _maker(ids)
    if active is None or active.op_type != "ActiveIds" or rows.is_graph_output():
        return True
    scores = active.inputs[0]
    assert scores is not None
    for use in rows.uses():
        node = use.node
        weights = node.inputs[1] if node.op_type == "Combine" and use.idx == 0 else None
        if node.domain != DOMAIN or weights is None:
            return True
        alike = graph_facts.before_reshapes(weights) is graph_facts.before_reshapes(scores)
        if not alike or integer(node, "zero_w") != integer(active, "zero_x"):
            return True
    return False


def _queue(site: Site, ids: int, dtype: str, slots: int, experts: int) -> tuple[Queue, int]:
    """The queues of the experts, and the buffer of their lengths; see `group_tokens`."""
    program = site.program
    key = ("queues", ids, experts)
    if key not in program.quantised:
        sizes = {"order": slots, "offsets": experts + 1, "counts": experts}
        made = {
            name: program.buffer(f"{site.node.name}.{name}", "int32", (size,))
            for name, size in sizes.items()
        }
        program.step(
            Queues("int64" if dtype == "int64" else "int32"), "queues",
            [Pointer(ids), *(Pointer(b) for b in made.values()), slots, experts],
            label=f"queues of {experts} experts", origin=site.origin, nbytes=slots * 12,
            reason="experts run one after another",
        )  # fmt: skip
        queue = Queue(experts, slots, made["order"], made["offsets"])
        program.quantised[key] = (queue, made["counts"])
    found: tuple[Queue, int] = program.quantised[key]
    return found
