"""`Linear` of an integer program: rows of int8 or int16 times packed weights, rescaled.

Panels are the outer loop, so that a call reads every weight once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer, Rows, WeightSection
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer import rows as row_forms
from edgemoe.targets.kernels.integer.cores import (
    COLUMNS,
    OFFSET,
    Array,
    core_of,
    extern,
    local,
    padded,
    panel_bytes,
    pointer,
)
from edgemoe.targets.kernels.integer.site import BYTES, C_TYPES, dtype_of, integer, scaling_of
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.site import Site, reader, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("edgemoe.integer.Linear",)

INTEGERS = (
    "depth", "stride", "columns", "group", "left", "offset", "right", "low", "high",
)  # fmt: skip
"""Integer parameters of a product; `stride` of a row of inputs, in elements of its pointer,
`left` a power of two, `offset` half a step of the result and its zero point, before the last shift.
"""


@dataclass(frozen=True)
class Product:
    """What distinguishes products: the core, bits of weights, dtypes, groups, who has the rows.

    A task is a row. The rows of an expert are the first of its queue (see `group_tokens`): where it
    is `gathered`, row r of the inputs is that of slot `order`[`offsets`[0] + r], where it is
    `scattered` that slot is the row of the result.
    """

    core: str
    bits: int
    x: str  # dtype of the pointer to the inputs
    out: str
    grouped: bool = False
    gathered: bool = False
    scattered: bool = False

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes of the pointers, by name."""
        core = core_of(self.core)
        names = {
            "x": self.x, "weights": core.word(self.bits), "bias": "int32", "multiplier": "int32",
            "out": self.out,
        }  # fmt: skip
        if OFFSET[self.bits]:
            names["sums"] = "int32"
        if self.grouped:
            names["factors"] = "int8"
        if self.queued:
            names |= {"order": "int32", "offsets": "int32"}
        return names

    @property
    def queued(self) -> bool:
        """Whether rows are those of a queue."""
        return self.gathered or self.scattered

    @property
    def integers(self) -> tuple[str, ...]:
        """Names of the integer parameters."""
        used = [n for n in INTEGERS if self.grouped or n != "group"]
        return (*used, "shared") if self.gathered else tuple(used)

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the pointers, then of the integers."""
        return (*(C_TYPES[d] for d in self.pointers.values()), *["int32_t"] * len(self.integers))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, numbers = tiles.parameters(self.pointers, self.integers)
            n = dict(zip((*self.integers, "begin", "end"), numbers, strict=True))
            begin = local(buffers["offsets"][0]) if self.queued else None

            def rows(r: Expr) -> tuple[Expr, Expr]:
                if begin is None:
                    return r, r
                slot = local(buffers["order"][begin + r])
                source = local(tirx.truncdiv(slot, n["shared"])) if self.gathered else r
                return source, slot if self.scattered else r

            self._panels(isa, buffers, n, rows)
        return tiles.Built(builder.get())

    def _panels(
        self, isa: Isa, buffers: dict[str, tirx.Var], n: dict[str, Expr],
        rows: Callable[[Expr], tuple[Expr, Expr]],
    ) -> None:  # fmt: skip
        """Emit all panels; `rows` gives the places of a row of the inputs and of the result."""
        core = core_of(self.core)
        size = local(self._panel_size(n["depth"]))
        with T.serial(0, tiles.row_blocks(n["columns"], COLUMNS)) as panel:
            start, column = local(panel * size), local(panel * COLUMNS)

            def tile(row: Expr, height: int, start: Expr = start, column: Expr = column) -> None:
                places = [rows(local(row + i)) for i in range(height)]
                totals = self._totals(
                    isa, buffers, n, [source for source, _ in places], start, column
                )
                for i, (_, target) in enumerate(places):
                    self._store(buffers, n, totals, i, target, column)

            _for_tiles(core.tallest, n["begin"], n["end"], tile)

    def _panel_size(self, depth: Expr) -> Expr:
        """Elements of a packed panel."""
        core = core_of(self.core)
        step = core.step(self.bits)
        elements = step * COLUMNS * self.bits // 8 // _ITEMSIZE[core.word(self.bits)]
        if step == 1:
            elements_of_one = COLUMNS * self.bits // 8
            return depth * elements_of_one
        return tiles.row_blocks(depth, step) * elements

    def _totals(
        self, isa: Isa, buffers: dict[str, tirx.Var], n: dict[str, Expr],
        sources: Sequence[Expr], panel: Expr, channel: Expr,
    ) -> tirx.Var:  # fmt: skip
        """Sums of products without the bias, int32 [rows x COLUMNS]."""
        core = core_of(self.core)
        starts = [local(source * n["stride"]) for source in sources]
        offset = OFFSET[self.bits]
        x_dtype = "int16" if core.paired else self.x

        def part(first: Expr, last: Expr, number: Expr, groups: Expr) -> tirx.Var:
            found = core.accumulate(
                isa, self.bits, x_dtype, buffers["x"], starts, buffers["weights"], panel, first,
                last,
            )  # fmt: skip
            if offset:
                for i, source in enumerate(sources):
                    less = local(buffers["sums"][source * groups + number] * offset)
                    for j in range(COLUMNS):
                        at = i * COLUMNS + j
                        T.buffer_store(found, found[at] - less, [at])
            return found

        if not self.grouped:
            zero, one = tirx.const(0, "int32"), tirx.const(1, "int32")
            return part(zero, n["depth"], zero, one)
        totals = T.alloc_buffer((len(sources) * COLUMNS,), "int32")
        for at in range(len(sources) * COLUMNS):
            T.buffer_store(totals, tirx.const(0, "int32"), [at])
        groups = local(tirx.truncdiv(n["depth"], n["group"]))
        with T.serial(0, groups) as number:
            first = local(number * n["group"])
            found = part(first, local(first + n["group"]), number, groups)
            for j in range(COLUMNS):
                factor = local(
                    tirx.Cast("int32", buffers["factors"][(channel + j) * groups + number])
                )
                for i in range(len(sources)):
                    at = i * COLUMNS + j
                    T.buffer_store(totals, totals[at] + found[at] * factor, [at])
        return totals

    def _store(
        self, buffers: dict[str, tirx.Var], n: dict[str, Expr], totals: tirx.Var, row: int,
        target: Expr, column: Expr,
    ) -> None:  # fmt: skip
        at = target * n["columns"] + column
        T.evaluate(
            extern(
                f"em_finish4_s{self.out.removeprefix('int')}",
                *(totals[row * COLUMNS + j] for j in range(COLUMNS)),
                pointer(buffers["bias"], column), pointer(buffers["multiplier"], column),
                n["left"], n["offset"], n["right"], n["low"], n["high"],
                pointer(buffers["out"], at), n["columns"] - column,
            )
        )  # fmt: skip


def _for_tiles(tallest: int, begin: Expr, end: Expr, tile: Callable[[Expr, int], None]) -> None:
    """Emit tiles of `tallest` rows, and single rows for the rest."""
    whole = local(tirx.truncdiv(end - begin, tallest))
    with T.serial(0, whole) as number:
        tile(local(begin + number * tallest), tallest)
    rest = local(begin + whole * tallest)
    with T.serial(0, end - rest) as number:
        tile(local(rest + number), 1)


_ITEMSIZE = {"int8": 1, "uint8": 1, "int32": 4}


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
    spec = Product(core.name, bits, dtype, dtype_of(out), groups is not None, gathered, scattered)
    shared = integer(node, "shared") or 1
    left, right, zero, low, high = scaling_of(node)
    offset = (1 << right >> 1) + (zero << right)
    if abs(offset) >= 1 << 30:
        raise AssertionError(f"{node.name}: the zero point {zero} does not fit before {right} bits")
    given = dict(
        zip(INTEGERS, (depth, stride, columns, group, left, offset, right, low, high), strict=True)
    )
    given["shared"] = shared
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
