"""`Linear` of an integer program: packs the weights, and appends the product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
from edgemoe.targets.kernels.integer.product import INTEGERS, Product
from edgemoe.targets.kernels.integer.site import BYTES, dtype_of, integer, scaling_of
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.site import Site, reader, shape_of, size_of

HANDLES = ("edgemoe.integer.Linear",)


@dataclass(frozen=True)
class Queue:
    """The rows of the experts: `order` and `offsets` as of `group_tokens`, results of `slots`."""

    experts: int
    slots: int
    order: int
    offsets: int


def weights_of(site: Site, place: int, experts: int) -> list[Pointer]:
    """Pack weights, bias and multipliers; experts one behind the other, each a section."""
    node, program = site.node, site.program
    core = core_of(program.core)
    bits = int(graph_facts.attribute(node, "weight_bits", 8))
    w, bias, multiplier = node.inputs[place : place + 3]
    assert w is not None and bias is not None and multiplier is not None
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
    found = [Pointer(buffer, 0, stride)]
    for value in (bias, multiplier):
        array = _padded_channels(reader(value)())
        each = array.nbytes // experts if experts else 0
        found.append(Pointer(program.constant(str(value.name), array, role="scale"), 0, each))
    return found


def _padded_channels(array: Array) -> Array:
    """int32 [..., N] with N a multiple of a panel, flat."""
    missing = -array.shape[-1] % COLUMNS
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)]).astype(np.int32).reshape(-1)


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
    site: Site, queue: Queue | None = None, *, gathered: bool = False, scattered: bool = False
) -> None:
    """Append a product with one matrix, or with that of an expert inside of its loop."""
    node, program = site.node, site.program
    core = core_of(program.core)
    bits = int(graph_facts.attribute(node, "weight_bits", 8))
    place = 1 if queue is None else 2
    x, w, out = node.inputs[0], node.inputs[place], node.outputs[0]
    assert x is not None and w is not None
    columns, depth = shape_of(w)[-2:]
    rows = size_of(shape_of(x)[:-1])
    results = rows if queue is None else queue.slots
    groups = node.inputs[place + 3] if len(node.inputs) > place + 3 else None
    group = depth if groups is None else depth // shape_of(groups)[-1]
    experts = 0 if queue is None else queue.experts
    source = site.buffer(x)
    inputs, dtype, stride = row_forms.inputs_of(program, core, source, dtype_of(x), rows, depth)
    pointers = [Pointer(inputs), *weights_of(site, place, experts), Pointer(site.outputs[0])]
    if OFFSET[bits]:
        sums = row_forms.sums_of(program, source, dtype_of(x), rows, depth, group)
        pointers.append(Pointer(sums))
    if groups is not None:
        pointers.append(factors_of(site, groups, experts))
    if queue is not None and (gathered or scattered):
        pointers += [Pointer(queue.order), Pointer(queue.offsets, 0, 4)]
    shared = integer(node, "shared") or 1
    left, right, zero, low, high = scaling_of(node)
    whole = 1 << (integer(node, "bits") - 1)
    spec = Product(
        core.name, bits, dtype, dtype_of(out), groups is not None, gathered, scattered,
        limited=(low, high) != (-whole, whole - 1),
    )  # fmt: skip
    offset = (1 << right >> 1) + (zero << right)
    if abs(offset) >= 1 << 30:
        raise AssertionError(f"{node.name}: the zero point {zero} does not fit before {right} bits")
    numbers = (depth, stride, columns, group, left, offset, right, low, high, shared)
    given = dict(zip(INTEGERS, numbers, strict=True))
    of_row = {"x": stride, "out": columns, "sums": depth // group}  # elements of one row
    what = f"{experts} experts of " if experts else ""
    program.step(
        spec, "expert_linear" if experts else "linear",
        [*pointers, *(given[name] for name in spec.integers)], tasks=results,
        label=f"{what}{depth} -> {columns}, {results} rows, i{bits}", origin=site.origin,
        nodes=site.nodes, macs=results * columns * depth,
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
