"""`linear` on a GPU: rows times packed weights, with any elementwise epilogue.

out[m, n] = epilogue(sum_k a[m, k] * w[n, k], operands at (m, n))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer, WeightSection
from edgemoe.precision import Role
from edgemoe.targets.gpu.program import program_at
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels import channel_mix, linear
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.body import Body, NotElementwise
from edgemoe.targets.kernels.gpu import few_rows, grid, integer_tile, product
from edgemoe.targets.kernels.gpu.quantise_rows import quantised, row_words
from edgemoe.targets.kernels.gpu.weights import C_TYPE, ELEMENT, Layout, element_of
from edgemoe.targets.kernels.vector_math import register
from edgemoe.targets.site import Array, Site, reader, shape_of, size_of

HANDLES = ("Linear", "ChannelMix")

_ZERO = tirx.const(0.0, "float32")


@dataclass(frozen=True)
class GpuLinear:
    """One product of `rows` rows; `cut` says how work-groups share it.

    `integer`: `a` are codes of int8, which have scales (`quantise_rows`).
    """

    epilogue: ex.Node
    layout: Layout
    rows: int
    cut: product.Cut
    integer: bool = False

    @property
    def threads(self) -> int:
        """Threads of a work-group."""
        return self.cut.threads

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (a, scales?, weights, out, operands...)."""
        rows = ("uint32_t*", "float*") if self.integer else ("float*",)
        operands = ["float*"] * len(ex.operands_of(self.epilogue))
        return (*rows, C_TYPE, "float*", *operands)

    @property
    def _parts(self) -> int:
        return -(-self.layout.columns // self.cut.columns)

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return -(-self.rows // self.cut.rows) * self._parts

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        names = {"a": "uint32", "scales": "float32"} if self.integer else {"a": "float32"}
        names |= {"weights": element_of(self.cut.wide), "out": "float32"}
        names |= {f"operand{i}": "float32" for i in ex.operands_of(self.epilogue)}
        return grid.kernel(names, self.groups, self.threads, self._emit)

    def _emit(self, at: grid.Grid) -> None:
        layout, cut, a = self.layout, self.cut, at.buffers["a"]
        block = register(tirx.truncdiv(at.group, self._parts) * cut.rows)
        first = register(tirx.truncmod(at.group, self._parts) * cut.columns)
        base, always = tirx.const(0, "int32"), tirx.const(1, "bool")
        exact = self.rows % cut.rows == 0

        def store(row: Expr, column: Expr, values: Sequence[Expr]) -> None:
            m = register(block + row)
            index = {"full": m * layout.columns + column, "column": column, "row": m,
                     "scalar": tirx.const(0, "int32")}  # fmt: skip

            def write() -> None:
                value = evaluated(self.epilogue, at, index, values)
                T.buffer_store(at.buffers["out"], value, [m * layout.columns + column])

            if exact:
                write()
            else:
                with grid.when(m < self.rows):
                    write()

        if not cut.is_tile:
            starts = [
                register(tirx.min(block + i, self.rows - 1) * layout.depth) for i in range(cut.rows)
            ]
            few_rows.emit(
                at, cut, layout, 1, at.buffers["weights"], base, a, starts, first, always, store
            )
            return

        if self.integer:
            self._integers(at, block, first, store)
            return

        def left(row: Expr, k: Expr) -> Expr:
            value = a[(block + row) * layout.depth + k]
            inside = tirx.all(block + row < self.rows, k < layout.depth)
            return tirx.if_then_else(inside, value, _ZERO)

        words = at.buffers["weights"]
        product.tile(
            at, cut, layout.depth, layout.columns, 1, product.fill_rows(at, cut, left),
            product.fill_weights(at, cut, layout, 1, words, base, first), first, always, store,
            [product.scale_of(layout, words, base, 0, first, layout.columns)],
        )  # fmt: skip

    def _integers(self, at: grid.Grid, block: Expr, first: Expr, store: product.Store) -> None:
        layout, cut, words = self.layout, self.cut, row_words(self.layout)

        def left(row: Expr, word: Expr) -> Expr:
            inside = tirx.all(block + row < self.rows, word < words)
            value = at.buffers["a"][(block + row) * words + word]
            return tirx.if_then_else(inside, value, tirx.const(0, "uint32"))

        def row_scale(row: Expr, group: Expr) -> Expr:
            safe = tirx.min(block + row, self.rows - 1)
            return at.buffers["scales"][safe * layout.groups + group]

        integer_tile.tile(
            at, cut, layout, 1, left, row_scale, at.buffers["weights"], tirx.const(0, "int32"),
            first, tirx.const(1, "bool"), store,
        )  # fmt: skip


def product_cut(
    device: Graphics, layout: Layout, ports: int, rows: float, sets: int = 1
) -> product.Cut:
    """The cut for `rows` rows that meet the same weights, on average.

    `sets` of columns are computed at the same time, where rows are few.
    """
    if rows <= few_rows.FEW:
        return few_rows.cut_for(device, layout, ports, rows, sets)
    return product.tile_for(device, layout.block_inputs, ports, rows)


def evaluated(
    epilogue: ex.Node, at: grid.Grid, index: dict[str, Expr], values: Sequence[Expr]
) -> Expr:
    """An epilogue at one result; `index` says where operands are read, by their indexing."""

    def leaf(node: ex.Port | ex.Operand) -> Expr:
        if isinstance(node, ex.Port):
            return values[node.index]
        return at.buffers[f"operand{node.index}"][index[node.indexing]]

    return ex.evaluate(epilogue, leaf, 1)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the region can be computed by this kernel."""
    assert function is not None
    try:
        _parse(node, function)
    except NotElementwise:
        return False
    return True


def _parse(node: ir.Node, function: ir.Function) -> tuple[Body, ex.Node]:
    of: Callable[[ir.Function], tuple[Body, ex.Node]] = (
        channel_mix.parse if graph_facts.kind_of(node) == "ChannelMix" else linear.parse
    )
    return of(function)


def lower(site: Site) -> None:
    """Append the product to the program."""
    assert site.function is not None
    body, epilogue = _parse(site.node, site.function)
    made = linear.product_node(site.function)
    x, weight = site.node.inputs[:2]
    assert x is not None and weight is not None
    transposed = made.op_type == "MatMul" or not graph_facts.attribute(made, "transB", 0)
    columns, depth = shape_of(weight)[::-1] if transposed else shape_of(weight)
    rows = size_of(shape_of(x)) // depth
    unit = linear.unit_of(site, weight, transposed, rows)
    given, role = program_at(site).precision.choose(unit), unit.role
    layout = Layout(given, depth, columns)
    device = program_at(site).gpu
    cut = product_cut(device, layout, 1, rows)
    integer = program_at(site).multiplies_integers(given, integer_tile.why_floats(device, cut))
    if integer:
        cut = integer_tile.cut_of(device, 1, rows)
    spec = GpuLinear(epilogue, layout, rows, cut, integer)
    (out,) = site.outputs
    source = site.pointers([x])
    if integer:
        source = quantised(program_at(site), source[0].buffer, rows, layout, origin=site.origin)
    program_at(site).step(
        spec, "linear",
        [*source, Pointer(placed(site, weight, layout, role, transposed=transposed)), Pointer(out),
         *site.operands(body)],
        label=f"linear {rows}x{depth} -> {columns}{ex.describe(epilogue)}",
        origin=site.origin, nodes=site.nodes, macs=rows * depth * columns,
        nbytes=4 * rows * (depth + columns) + 4 * layout.words,
        reason=f"constant weight, {given}; "
        + ("tiles of int8" if integer else "tiles" if cut.is_tile else "few rows"),
    )  # fmt: skip


def placed(
    site: Site, weight: ir.Value, layout: Layout, role: Role, *, transposed: bool = False
) -> int:
    """The buffer of a weight [columns, depth], or [depth, columns] where it is `transposed`."""
    read, name, given = reader(weight), str(weight.name), layout.given
    section = WeightSection(name, 0, 4 * layout.words, role, None, given.stored)
    precision = program_at(site).precision
    digest = program_at(site).weights.digest(weight.const_value, read)
    key = ("linear", transposed, given, digest, precision.key(name))

    def packed() -> Array:
        rows = read().T if transposed else read()
        return layout.pack([rows], [precision.rounder(name)])

    return program_at(site).words(name, key, [(section, packed)], ELEMENT)
