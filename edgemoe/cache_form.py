"""Recognises a KV cache: a state that is updated by whole rows and read by attention alone.

ScatterND(cache, rows, new)         cache.index_put, cache[rows] = new
Transpose(ScatterND(Transpose(..))) the same along an inner axis: cache.index_copy(2, rows, new)
ScatterElements(cache, rows, new)   cache.scatter
Concat(cache[T:], new)              a window that moves by T rows with every call
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import attention_form, graph_facts
from edgemoe.strided_view import view_of

_WRITERS = ("ScatterND", "ScatterElements", "Concat")


@dataclass(frozen=True)
class Writer:
    """What adds rows to a cache.

    `node` sees the axes of the cache in `order`; `result` is its output, which has that order.
    `updates` are the new rows, `indices` the places (None: at the end of `axis`, behind the rest).
    """

    node: ir.Node
    order: tuple[int, ...]
    updates: ir.Value
    indices: ir.Value | None
    axis: int = 0

    @property
    def result(self) -> ir.Value:
        """The cache with the new rows, axes in `order`."""
        return self.node.outputs[0]

    @property
    def inverse(self) -> list[int]:
        """The permutation that undoes `order`."""
        return [self.order.index(axis) for axis in range(len(self.order))]


@dataclass(frozen=True)
class Reader:
    """An attention that reads a cache as its input number `index`."""

    node: ir.Node
    index: int
    permuted: bool  # it reads `Writer.result`, not the cache with its own order of axes


def find_writer(state: ir.Value, output: ir.Value) -> Writer | str:
    """Read how `output` follows from `state` by adding rows, or say why it does not."""
    shape = graph_facts.shape_of(state)
    if shape is None or len(shape) < 2:
        return "it has no rows"
    node, after = _without_transpose(output)
    if not graph_facts.is_op(node, *_WRITERS):
        what = "it is handed on as it came" if node is None else f"{node.op_type} makes it"
        return f"no rows are added to it: {what}"
    assert node is not None
    source = node.inputs[0]
    assert source is not None
    if node.op_type == "Concat":
        rest = _rest_of(node, source)
        if rest is None:
            return "the concatenation that makes it does not move a window by the new rows"
        source = rest
    before = source.producer() if source is not state else None
    order = list(range(len(shape)))
    if graph_facts.is_op(before, "Transpose"):
        assert before is not None and before.inputs[0] is not None
        source, order = before.inputs[0], _permutation(before, len(shape))
    if source is not state:
        return "what is added to is not the cache of the call before"
    back = list(range(len(shape))) if after is None else _permutation(after, len(shape))
    if [order[axis] for axis in back] != list(range(len(shape))):
        return "it changes the order of its axes from call to call"
    if order[-1] != len(shape) - 1:
        return "its rows are not contiguous when they are written"
    if not _read_once(state, node):
        return "something else reads the cache of the call before"
    return _whole_rows(node, tuple(order), shape)


def _without_transpose(output: ir.Value) -> tuple[ir.Node | None, ir.Node | None]:
    """The node that makes a value before a transpose, and that transpose."""
    node = output.producer()
    if node is None or not graph_facts.is_op(node, "Transpose"):
        return node, None
    return (node.inputs[0].producer() if node.inputs[0] is not None else None), node


def _read_once(state: ir.Value, writer: ir.Node) -> bool:
    """Tell whether the way from the state to its writer has no branches."""
    value = state
    while True:
        uses = list(value.uses())
        if len(uses) != 1 or value.is_graph_output():
            return False
        if uses[0].node is writer:
            return True
        value = uses[0].node.outputs[0]


def _permutation(node: ir.Node, rank: int) -> list[int]:
    if "perm" in node.attributes:
        return list(node.attributes["perm"].as_ints())
    return list(range(rank))[::-1]


def _rest_of(node: ir.Node, first: ir.Value) -> ir.Value | None:
    """The cache whose last rows are the first part of a concatenation, if it keeps its length."""
    cut = graph_facts.made_by(first, "Slice")
    if cut is None or len(node.inputs) != 2 or cut.inputs[0] is None or node.inputs[1] is None:
        return None
    whole, part, new = (graph_facts.shape_of(v) for v in (cut.inputs[0], first, node.inputs[1]))
    if (
        whole is None
        or part is None
        or new is None
        or graph_facts.shape_of(node.outputs[0]) != whole
    ):
        return None
    axis = graph_facts.axis_of(node, 0, len(whole))
    starts = graph_facts.array_of(cut.inputs[1])
    same = all(a == b for i, (a, b) in enumerate(zip(whole, part, strict=True)) if i != axis)
    last = starts is not None and starts.size == 1 and (
        int(starts.reshape(-1)[0]) in (new[axis], -part[axis])
    )  # fmt: skip
    steps = graph_facts.array_of(cut.inputs[4]) if len(cut.inputs) > 4 else None
    forward = steps is None or bool((steps == 1).all())
    return cut.inputs[0] if same and last and forward else None


def _whole_rows(node: ir.Node, order: tuple[int, ...], shape: tuple[int, ...]) -> Writer | str:
    """The writer, if what it writes are whole rows of the last axis."""
    rank = len(shape)
    if node.op_type == "Concat":
        axis = graph_facts.axis_of(node, 0, rank)
        assert node.inputs[1] is not None
        if axis == rank - 1:
            return "columns are added to it, not rows"
        return Writer(node, order, node.inputs[1], None, axis)
    _, indices, updates = node.inputs
    assert indices is not None and updates is not None
    places, new = graph_facts.shape_of(indices), graph_facts.shape_of(updates)
    if graph_facts.text_attribute(node, "reduction", "none") != "none":
        return "new rows are combined with old ones"
    if not places or not new or 0 in new or new[-1] != shape[-1]:
        return "parts of rows are written to it"
    if node.op_type == "ScatterND":
        if places[-1] >= rank:
            return "single elements are written to it"
        return Writer(node, order, updates, indices)
    axis = graph_facts.axis_of(node, 0, rank)
    if axis == rank - 1 or view_of(indices).stride(rank - 1) != 0:
        return "single elements are written to it"
    return Writer(node, order, updates, indices, axis)


def find_readers(
    functions: dict[tuple[str, str, str], ir.Function], writer: Writer, output: ir.Value, *,
    whole_heads: bool,
) -> list[Reader] | str:  # fmt: skip
    """Every attention that reads a cache, or who else does.

    `whole_heads`: refuse rows that hold several heads, which cannot share a scale.
    """
    found: list[Reader] = []
    for value in dict.fromkeys([writer.result, output]):
        for use in value.uses():
            node = use.node
            if node is output.producer() and value is not output:
                continue  # the transpose between the two
            if graph_facts.kind_of(node) != "Attention":
                where = graph_facts.origin_of(node)
                return f"{graph_facts.name_of(node)} ({node.op_type}) reads it" + (
                    f" at {where}" if where else ""
                )
            function = functions[node.op_identifier()]
            reason = _cannot_read(function, function.inputs[use.idx], whole_heads)
            if reason is not None:
                return f"{graph_facts.name_of(node)}: {reason}"
            found.append(Reader(node, use.idx, value is writer.result and value is not output))
    return found or "no attention reads it"


def _cannot_read(function: ir.Function, formal: ir.Value, whole_heads: bool) -> str | None:
    region = attention_form.read_region(function)
    if region is None:
        return "the attention stays ordinary operators"
    found, _ = region
    mask = None if found.mask is None else found.mask.base
    if formal in (found.q.base, mask):
        return "the attention reads it as a query or a mask"
    for view in (found.k, found.v):
        row = graph_facts.shape_of(formal)
        if view.base is formal and whole_heads and row and row[-1] != view.shape[-1]:
            return f"{row[-1] // view.shape[-1]} heads share a row, and int8 has a scale per row"
    return None


@dataclass(frozen=True)
class Stored:
    """What an attention reads in the place of float32 [.., D]: rows, and int8's scales [.., 1]."""

    rows: ir.Value
    scales: ir.Value | None
    dtype: str


def stored(wide: ir.Value) -> Stored:
    """See through what `cache_rewrite` puts before the keys and values of an attention."""
    product = graph_facts.made_by(wide, "Mul")
    scales = None if product is None else product.inputs[1]
    source = wide if product is None else product.inputs[0]
    cast = graph_facts.made_by(source, "Cast")
    rows = None if cast is None else cast.inputs[0]
    known = (ir.DataType.BFLOAT16, ir.DataType.FLOAT16, ir.DataType.INT8)
    if rows is None or rows.producer() is not None or rows.dtype not in known:
        return Stored(wide, None, "float32")
    assert rows.dtype is not None
    return Stored(rows, scales, str(rows.dtype.numpy().name))
