"""`attention`: from a region to calls of the attention kernel and of what it reads its masks by."""

from __future__ import annotations

import onnx_ir as ir

from edgemoe import attention_form, cache_form
from edgemoe.plan import DTYPE_BYTES, Argument, Pointer
from edgemoe.strided_view import View, repeated
from edgemoe.targets.kernels import mask_range, turned_rows
from edgemoe.targets.kernels.attention_kernel import Attention
from edgemoe.targets.kernels.mask_range import FIELDS, MaskRange
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("Attention",)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the region is an attention that the kernel computes."""
    del node
    return function is not None and attention_form.read_region(function) is not None


def lower(site: Site) -> None:
    """Append the attention to the program."""
    assert site.function is not None
    read = attention_form.read_region(site.function)
    assert read is not None
    found, order = read
    rank = len(found.q.dims)
    batch, heads = (1, 1, *found.q.shape[:-2])[-2:]
    queries, keys = found.q.shape[-2], found.k.shape[-2]
    result = shape_of(site.node.outputs[0])
    # stored[i] is axis order[i] of the result: its stride belongs to that axis.
    contiguous = [size_of(result[i + 1 :]) for i in range(rank)]
    out = {axis: contiguous[i] for i, axis in enumerate(order)}
    views = [found.q, found.k, found.v]
    stored = [cache_form.stored(view.base) for view in views]
    pointers = [*site.pointers([each.rows for each in stored]), Pointer(site.outputs[0])]
    pointers += site.pointers([each.scales for each in stored if each.scales is not None])
    mask: attention_form.MaskKind = "none"
    strides = [0] * 6
    if found.mask is not None:
        assert found.mask_kind != "none"
        mask, given, strides = _mask(site, found.mask, found.mask_kind, found.guarded)
        pointers += given
    ranged = found.mask is not None
    left = turned_rows.left_at(site.program, pointers[0].buffer)
    turns, turning = None, list[Argument]()
    if left is not None:
        axes = turned_rows.axes_of(found.q)
        assert axes is not None
        turns, turning = left.kernel, left.arguments(axes)
        pointers += left.pointers
    spec = Attention(found.scale, mask, ranged, stored[1].dtype, stored[2].dtype, turns)
    size, value_size = found.q.shape[-1], found.v.shape[-1]
    macs = batch * heads * queries * keys * (size + value_size)
    site.program.step(
        spec, "attention",
        [*pointers, heads, found.group, queries, keys, size, value_size,
         *(number for view in views for number in _strides(view, rank)),
         *([0] * (4 - rank) + [out[a] for a in range(rank)])[:3], *strides, *turning],
        tasks=spec.tasks(batch, heads, found.group, queries), macs=macs,
        label=f"attention {heads} heads, {queries} queries, {keys} keys of {size}",
        origin=site.origin, nodes=site.nodes,
        nbytes=4 * batch * heads * 2 * queries * size + batch * (heads // found.group) * keys
        * (DTYPE_BYTES[spec.k] * size + DTYPE_BYTES[spec.v] * value_size),
        reason=f"softmax attention, mask {found.mask_kind}"
        + ("" if turns is None else "; rotary embedding of queries"),
    )  # fmt: skip


def _mask(
    site: Site, view: View, kind: attention_form.MaskKind, guarded: bool
) -> tuple[attention_form.MaskKind, list[Pointer], list[int]]:
    """What the kernel reads of a mask, the pointers to it, and strides of mask and ranges."""
    shape = shape_of(view.base)
    strides = _strides(view, len(view.dims))
    in_ranges = [stride // shape[-1] * FIELDS for stride in strides]
    array = site.array(view.base)
    if array is not None:
        found = mask_range.ranges(array, kind, guarded=guarded)
        pointers = site.pointers([found])
        if (found[..., 2] != mask_range.MIXED).all():
            return "none", pointers, [0, 0, 0, *in_ranges]
        return kind, [*pointers, *site.pointers([view.base])], [*strides, *in_ranges]
    (mask,) = site.pointers([view.base])
    ranges = _ranges_of(site, mask, MaskRange(kind, guarded), shape)
    return kind, [ranges, mask], [*strides, *in_ranges]


def _ranges_of(site: Site, mask: Pointer, spec: MaskRange, shape: tuple[int, ...]) -> Pointer:
    """The ranges of a mask that is computed at run time; layers that share it share them."""
    program, rows = site.program, size_of(shape[:-1])
    arguments = (mask, shape[-1])
    for entry in program.steps:
        step = entry.step
        if program.kernels.names.get(spec) == step.kernel and step.arguments[::2] == arguments:
            known = step.arguments[1]
            assert isinstance(known, Pointer)
            return known
    ranges = Pointer(program.buffer(f"{site.node.name}.ranges", "int32", (rows, FIELDS)))
    program.step(
        spec, "mask_range", [mask, ranges, shape[-1]], tasks=rows,
        label=f"which of {shape[-1]} keys {rows} rows see", origin=site.origin, nodes=site.nodes,
        nbytes=rows * (shape[-1] * (4 if spec.mask == "float" else 1) + 4 * FIELDS),
        reason="keys outside the range of a mask are skipped",
    )  # fmt: skip
    return ranges


def _strides(view: View, rank: int) -> list[int]:
    """Strides of batch, head and row; missing dimensions have stride 0."""
    found = []
    for axis in range(rank - 1):
        pair = repeated(view.dims[axis])
        assert pair is not None
        found.append(pair[0])
    return [0] * (3 - len(found)) + found
