"""`Experts` of an integer program: a layer's experts, one after the other.

Every expert that has tokens computes all of its products before the next one begins, so that its
weights are read once per call, and what lies between them needs room for the rows of one expert
(the order of Edge-MoE, Sarkar et al., 2023, 3.4). Rows that nobody computes are the zero point.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.integer.expert_groups import PRODUCTS, members_of
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer import elementwise, linear, lookup, norm, weigh
from edgemoe.targets.kernels.integer import rows as row_forms
from edgemoe.targets.kernels.integer.cores import COLUMNS, core_of, local, padded
from edgemoe.targets.kernels.integer.finish_sums import FinishSums
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.product import Queue
from edgemoe.targets.kernels.integer.queues import Queues
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, scaling_of
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.Experts",)

_OTHERS = {
    name.removeprefix(f"{DOMAIN}."): module
    for module in (elementwise, lookup, norm)
    for name in module.HANDLES
}


@dataclass(frozen=True)
class FillRows(IntegerKernel):
    """Fills rows with one number; one task per row."""

    dtype: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"out": self.dtype}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("width", "value")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        width, value, begin, end = n.values()
        start, number = local(begin * width), local(tirx.Cast(self.dtype, value))
        tiles.for_unrolled(
            local((end - begin) * width), 8,
            lambda i: T.buffer_store(buffers["out"], number, [start + i]),
        )  # fmt: skip


def lower(site: Site) -> None:
    """Append the queues of the experts, unless another layer has made them, and the loop."""
    program, members = site.program, members_of(site.node)
    products = [n for n in members if n.op_type in PRODUCTS]
    ids, last = products[0].inputs[1], members[-1]
    assert ids is not None
    experts, slots = shape_of(_matrices(products[0]))[0], size_of(shape_of(ids))
    most = slots // _distinct(ids)
    queue, counts = _queue(site, site.buffer(ids), dtype_of(ids), slots, experts, most)
    total = None
    if last.op_type == "ExpertSum":
        total = _zero_sums(site, last)
    elif not _all_computed(ids, experts) and _is_read(site.node.outputs[0], ids):
        width = shape_of(last.outputs[0])[-1]
        _fill(site, site.outputs[0], dtype_of(last.outputs[0]), slots, width, integer(last, "zero"))
    made = {v for n in members for v in n.outputs}
    for node in products:
        if node.inputs[0] not in made:  # all rows are prepared once, before the loop
            _prepare(site, node)
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
            if node.op_type == "WeighRows":
                weigh.append(inner, queue)
            elif node.op_type not in PRODUCTS:
                _OTHERS[node.op_type].lower(inner)
            else:
                own = total if node is last else None
                gathered = node.inputs[0] not in made
                linear.append(inner, queue, gathered=gathered, scattered=node is last, total=own)
    if total is not None:
        _finish(site, last, total)


def _matrices(product: ir.Node) -> ir.Value:
    """The weights of a product, [E, N, K]."""
    w = product.inputs[3 if product.op_type == "ExpertSum" else 2]
    assert w is not None
    return w


def _fill(site: Site, buffer: int, dtype: str, rows: int, width: int, number: int) -> None:
    """Fill rows with a number."""
    site.program.step(
        FillRows(dtype), "fill_rows", [Pointer(buffer), width, number], tasks=rows,
        label=f"zeros in {rows} rows of {width}", origin=site.origin, nbytes=rows * width,
        reason="rows that no expert computes",
    )  # fmt: skip


def _zero_sums(site: Site, node: ir.Node) -> int:
    """A buffer of zeros for the sums of an `ExpertSum`, in whole panels."""
    tokens, columns = shape_of(node.outputs[0])
    width = padded(columns, COLUMNS)
    total = site.program.buffer(f"{node.outputs[0].name}.sums", "int32", (tokens, width))
    _fill(site, total, "int32", tokens, width, 0)
    return total


def _finish(site: Site, node: ir.Node, total: int) -> None:
    """Append the rescaling of the sums, once for each token."""
    out, multiplier = node.outputs[0], node.inputs[5]
    assert multiplier is not None
    tokens, columns = shape_of(out)
    left, right, _, low, high = scaling_of(node)
    whole = 1 << (integer(node, "bits") - 1)
    given = {
        "stride": padded(columns, COLUMNS), "columns": columns, "left": left,
        "offset": linear.offset_of(node), "right": right, "low": low, "high": high,
    }  # fmt: skip
    spec = FinishSums(dtype_of(out), (low, high) != (-whole, whole - 1))
    channels = linear.channels_of(site, multiplier, 0)
    site.step(
        spec, "finish_sums",
        [Pointer(total), channels, Pointer(site.outputs[0]), *(given[n] for n in spec.integers)],
        tasks=tokens, label=f"{tokens} rows of {columns}, rescaled",
        nbytes=5 * tokens * columns, reason="once for all experts of a token",
    )  # fmt: skip


def _prepare(site: Site, node: ir.Node) -> None:
    """Bring the inputs of a product into the form that the core reads."""
    program, x, w = site.program, node.inputs[0], _matrices(node)
    assert x is not None
    rows, depth = size_of(shape_of(x)[:-1]), shape_of(w)[-1]
    source = site.buffer(x)
    row_forms.inputs_of(program, core_of(program.core), source, dtype_of(x), rows, depth)
    if integer(node, "weight_bits") in (4, 2):
        place = node.inputs.index(w) + 3
        groups = node.inputs[place] if len(node.inputs) > place else None
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


def _queue(
    site: Site, ids: int, dtype: str, slots: int, experts: int, most: int
) -> tuple[Queue, int]:
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
        queue = Queue(experts, slots, most, made["order"], made["offsets"])
        program.quantised[key] = (queue, made["counts"])
    found: tuple[Queue, int] = program.quantised[key]
    return found
