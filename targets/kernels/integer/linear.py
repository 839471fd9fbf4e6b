"""`Linear` of an integer program: packs the weights, and appends the product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.plan import Pointer, Rows, WeightSection
from edgemoe.targets.kernels.integer import rows as row_forms
from edgemoe.targets.kernels.integer.cores import (
    COLUMNS,
    OFFSET,
    Array,
    core_of,
    padded,
    panel_bytes,
)
from edgemoe.targets.kernels.integer.product import Product, Queue
from edgemoe.targets.kernels.integer.site import BYTES, dtype_of, integer, scaling_of
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.site import Site, reader, shape_of, size_of

HANDLES = ("edgemoe.integer.Linear",)

FIXED = ("depth", "stride", "columns", "group", "shared", "chosen")
"""Integers of a product of experts that its kernel knows."""

SHORT = 64
"""Inputs of a row up to which vectors are so few that the kernel has to know their number."""


def weights_of(site: Site, w: ir.Value, experts: int) -> Pointer:
    """Pack weights; experts one behind the other, each a section."""
    node, program = site.node, site.program
    core = core_of(program.core)
    bits = int(graph_facts.attribute(node, "weight_bits", 8))
    rows, depth = shape_of(w)[-2:]
    size = padded(rows, COLUMNS) // COLUMNS * panel_bytes(core, depth, bits)
    stride = padded(size, 64) if experts else 0
    read = reader(w)
    digest = program.weights.digest(w, read)
    role = "expert" if experts else "linear"

    def packed(expert: int | None) -> Callable[[], Array]:
        def make() -> Array:
            flat = core.pack(read() if expert is None else read()[expert], bits)
            return np.pad(flat, (0, max(stride - size, 0)))

        return make

    parts = [
        (
            WeightSection(str(w.name), 0, stride or size, role, expert, f"i{bits}"),
            packed(expert),
        )
        for expert in (range(experts) if experts else [None])
    ]
    buffer = program.packed(str(w.name), ("integer", core.name, bits, digest), parts)
    return Pointer(buffer, 0, stride)


def channels_of(site: Site, value: ir.Value, experts: int) -> Pointer:
    """Biases or multipliers, int32 [..., N] with N padded to a multiple of a panel."""
    array = reader(value)()
    missing = -array.shape[-1] % COLUMNS
    wide = np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)]).astype(np.int32).reshape(-1)
    each = wide.nbytes // experts if experts else 0
    return Pointer(site.program.constant(str(value.name), wide, role="scale"), 0, each)


def factors_of(site: Site, groups: ir.Value, experts: int) -> Pointer:
    """The factors of groups, int8 [..., N padded, groups]."""
    array = reader(groups)()
    missing = -array.shape[-2] % COLUMNS
    wide = np.pad(array, [(0, 0)] * (array.ndim - 2) + [(0, missing), (0, 0)]).astype(np.int8)
    each = wide.nbytes // experts if experts else 0
    return Pointer(site.program.constant(str(groups.name), wide, role="scale"), 0, each)


def lower(site: Site) -> None:
    """Append the product, and what its inputs must go through first."""
    append(site)


def append(
    site: Site, queue: Queue | None = None, *, gathered: bool = False, scattered: bool = False,
    total: int | None = None,
) -> None:  # fmt: skip
    """Append a product with one matrix, or with that of an expert inside of its loop.

    Args:
        site: the node, `Linear`, `ExpertLinear` or `ExpertSum`.
        queue: of the experts.
        gathered: rows of inputs are those of the queue's slots.
        scattered: rows of results are.
        total: the buffer of the sums that an `ExpertSum` adds to, int32 [tokens, columns padded].
    """
    node, program = site.node, site.program
    core = core_of(program.core)
    bits = int(graph_facts.attribute(node, "weight_bits", 8))
    place = 1 if queue is None else 2 if total is None else 3
    x, w, bias, multiplier, groups = (*node.inputs[:1], *node.inputs[place:], None)[:5]
    assert x is not None and w is not None and bias is not None and multiplier is not None
    columns, depth = shape_of(w)[-2:]
    rows = size_of(shape_of(x)[:-1])
    results = rows if queue is None else queue.slots
    group = depth if groups is None else depth // shape_of(groups)[-1]
    experts = 0 if queue is None else queue.experts
    source = site.buffer(x)
    inputs, dtype, stride = row_forms.inputs_of(program, core, source, dtype_of(x), rows, depth)
    left, right, _, low, high = scaling_of(node)
    whole = 1 << (integer(node, "bits") - 1)
    shares = node.inputs[2] if total is not None and reader(bias)().any() else None
    given = {
        "depth": depth, "stride": stride, "columns": columns, "group": group, "left": left,
        "offset": offset_of(node), "right": right, "low": low, "high": high,
        "shared": integer(node, "shared") or 1, "chosen": integer(node, "chosen"),
        "shift": integer(node, "shift"), "zero_w": integer(node, "zero_w"),
    }  # fmt: skip
    few = core.name == "mve" and depth <= SHORT
    lone = queue is not None and queue.most == 1
    if lone and given["shared"] == results:  # the only row of inputs
        gathered = False
    if total is not None:  # the only row of sums, whose bias may ask for the slot
        scattered = not lone or shares is not None
    fixed = FIXED if queue is not None else ("depth", "stride") if few else ()
    spec = Product(
        core.name, bits, dtype, "int32" if total is not None else dtype_of(node.outputs[0]),
        groups is not None, gathered, scattered,
        limited=total is None and (low, high) != (-whole, whole - 1), added=total is not None,
        weighted="" if shares is None else dtype_of(shares), lone=lone,
        fixed=tuple((name, given[name]) for name in fixed if name != "group" or groups is not None),
    )  # fmt: skip
    pointers: dict[str, Pointer] = {
        "x": Pointer(inputs), "weights": weights_of(site, w, experts),
        "out": Pointer(site.outputs[0] if total is None else total),
    }  # fmt: skip
    if "bias" in spec.pointers:
        pointers["bias"] = channels_of(site, bias, experts)
    if "multiplier" in spec.pointers:
        pointers["multiplier"] = channels_of(site, multiplier, experts)
    if OFFSET[bits]:
        sums = row_forms.sums_of(program, source, dtype_of(x), rows, depth, group)
        pointers["sums"] = Pointer(sums)
    if groups is not None:
        pointers["factors"] = factors_of(site, groups, experts)
    if queue is not None and spec.queued:
        pointers |= {"order": Pointer(queue.order), "offsets": Pointer(queue.offsets, 0, 4)}
    if shares is not None:
        pointers["shares"] = site.pointers([shares])[0]
    of_row = {"x": stride, "out": columns, "sums": depth // group}  # elements of one row
    what = f"{experts} experts of " if experts else ""
    site.step(
        spec, "expert_linear" if experts else "linear",
        [*(pointers[name] for name in spec.pointers), *(given[name] for name in spec.integers)],
        tasks=results, label=f"{what}{depth} -> {columns}, {results} rows, i{bits}",
        macs=results * columns * depth,
        rows=None if queue is not None else Rows(
            rows,
            tuple(
                BYTES[spec.pointers[name]] * of_row.get(name, 0) for name in spec.pointers
            ) + (0,) * len(spec.integers),
        ),
        nbytes=rows * depth + results * columns
        + min(max(experts, 1), results) * columns * depth * bits // 8,
        reason=f"{core.name}, weights packed in panels of {COLUMNS} columns",
    )  # fmt: skip


def offset_of(node: ir.Node) -> int:
    """What is added before the last shift: half a step of the result, and its zero point."""
    _, right, zero, _, _ = scaling_of(node)
    offset = (1 << right >> 1) + (zero << right)
    if abs(offset) >= 1 << 30:
        raise AssertionError(f"{node.name}: the zero point {zero} does not fit before {right} bits")
    return offset
