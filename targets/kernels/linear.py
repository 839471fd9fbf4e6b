"""`linear`: rows times packed weights, with any elementwise epilogue.

out[m, n] = epilogue(sum_k a[m, k] * w[n, k], operands at (m, n))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer, Rows, WeightSection
from edgemoe.precision import Unit
from edgemoe.targets.kernels import columns as wide
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import static_rows
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.body import Body, NotElementwise
from edgemoe.targets.kernels.fetch import Fetch, fetch_for
from edgemoe.targets.kernels.panels import LINE, pack_ports, panel_bytes
from edgemoe.targets.kernels.product import Product, c_types, product_of, row_pointers, work_of
from edgemoe.targets.kernels.static_product import column_sums
from edgemoe.targets.kernels.tuning import UNTUNED, Tuned
from edgemoe.targets.site import Array, Site, reader, shape_of, size_of
from edgemoe.targets.spec import Isa, dots_of
from edgemoe.weight_format import F32, WeightFormat


@dataclass(frozen=True)
class Linear:
    """What distinguishes one linear kernel from another; sizes are run-time parameters.

    `narrow` says that there are at most LINE columns.
    """

    epilogue: ex.Node
    given: WeightFormat = F32
    tuned: Tuned = UNTUNED
    narrow: bool = False

    @property
    def operands(self) -> tuple[ex.Operand, ...]:
        """Extra tensors, in the order of the kernel's pointers."""
        return tuple(ex.operands_of(self.epilogue).values())

    @property
    def uses(self) -> tuple[str, ...]:
        """The dot products that it depends on."""
        return dots_of(self.given)

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (rows..., weights, out, operands..., rows, depth, columns)."""
        operands = ["float*"] * len(self.operands)
        return (*c_types(self.given), "float*", *operands, *["int32_t"] * 3)

    def tasks(self, rows: int, columns: int) -> int:
        """Number of independent tasks."""
        return -(-rows // self.tuned.row_block) * -(-columns // tiles.PANEL)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        store = f"{name}_store"
        tallest = self._product(isa).tallest(isa)
        functions = tiles.tile_functions(name, tallest)
        symbols = {isa.symbol(tile): height for tile, height in functions.items()}
        return tiles.Built(
            self._main(isa, symbols), {store: self._store(isa)},
            {
                tile: self._tile(isa, isa.symbol(store), height)
                for tile, height in functions.items()
            },
        )  # fmt: skip

    def _product(self, isa: Isa) -> Product:
        return product_of(self.given, self.tuned.of(isa), self.narrow)

    @property
    def _pointers(self) -> dict[str, str]:
        operands = {f"operand{o.index}": "float32" for o in self.operands}
        return {**product_of(self.given).pointers, "out": "float32", **operands}

    def _main(self, isa: Isa, functions: Mapping[str, int]) -> tirx.PrimFunc:
        """The loops over tasks and tiles."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = self._pointers
            buffers, (rows, depth, columns, begin, end) = tiles.parameters(
                names, ("rows", "depth", "columns")
            )
            blocks = tiles.local(tiles.row_blocks(rows, self.tuned.row_block))
            each = tiles.local(tirx.truncdiv(rows + blocks - 1, blocks))
            panels = tiles.local(tiles.row_blocks(columns, tiles.PANEL))
            with T.serial(begin, end) as task:
                # A block of rows meets all panels: it is read from memory once, and the panels,
                # which are fetched ahead, once per block.
                panel = tiles.local(tirx.truncmod(task, panels))
                first = tiles.local(tirx.min(rows, tirx.truncdiv(task, panels) * each))
                last = tiles.local(tirx.min(rows, first + each))
                addresses = [T.address_of(buffers[n][0]) for n in names]
                tiles.for_tiles(
                    self._product(isa).tallest(isa), first, last,
                    lambda row, height: tiles.call_tile(
                        functions, height, *addresses, row, first, last, panel, depth, columns, 0
                    ),
                )  # fmt: skip
        return builder.get()

    def _tile(self, isa: Isa, store: str, height: int) -> tirx.PrimFunc:
        """`height` rows from `row` on, and panel number `panel`."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            product = self._product(isa)
            names = self._pointers
            buffers, (row, first, last, panel, depth, columns, *_) = tiles.parameters(
                names, ("row", "first", "last", "panel", "depth", "columns")
            )
            tallest = product.tallest(isa)
            itemsize = tiles.ITEMSIZE[product.pointers["weights"]]
            tuning, block = self.tuned.of(isa), (row, first, last)

            def fetching(start: Expr, size: Expr) -> Fetch:
                return fetch_for(
                    buffers["weights"], itemsize, tuning, (height, tallest), block, start,
                    start + size, size,
                )  # fmt: skip

            rows = [tiles.local(row + i) for i in range(height)]
            values = product.emit(isa, buffers, rows, depth, panel, fetching)
            addresses = [T.address_of(buffers[n][0]) for n in names if n not in product.pointers]
            tiles.call(store, values, *addresses, row, panel, columns, 0, height)
        return builder.get()

    def _store(self, isa: Isa) -> tirx.PrimFunc:
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = {"values": "float32", "out": "float32"}
            names.update({f"operand{o.index}": "float32" for o in self.operands})
            buffers, (row, panel, columns, begin, end) = tiles.parameters(
                names, ("row", "panel", "columns")
            )
            width = tiles.local(tirx.min(columns - panel * tiles.PANEL, tiles.PANEL))
            with T.serial(begin, end) as i:

                def vector(j: Expr, lanes: int) -> None:
                    index, value = self._value(buffers, row, i, panel, columns, j, lanes)
                    tiles.store(buffers["out"], index["full"], value, lanes)

                wide.for_panel(width, tiles.PANEL, isa.lanes, vector)
        return builder.get()

    def _value(
        self, buffers: Mapping[str, tirx.Var], row: Expr, i: Expr, panel: Expr, columns: Expr,
        j: Expr, lanes: int,
    ) -> tuple[dict[str, Expr], Expr]:  # fmt: skip
        """Where results of row i of a tile lie, from column j of its panel on, and their values."""
        column = tiles.local(panel * tiles.PANEL + j)
        index = {
            "full": tiles.local((row + i) * columns + column),
            "column": column,
            "row": row + i,
            "scalar": tirx.const(0, "int32"),
        }

        def leaf(node: ex.Port | ex.Operand) -> Expr:
            if isinstance(node, ex.Port):
                return tiles.load(buffers["values"], i * tiles.PANEL + j, lanes)
            return tiles.operand(buffers[f"operand{node.index}"], node.indexing, index, lanes)

        return index, ex.evaluate(self.epilogue, leaf, lanes)


HANDLES = ("Linear",)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the region can be computed by this kernel."""
    assert function is not None
    try:
        parse(function)
    except NotElementwise:
        return False
    return True


def product_node(function: ir.Function) -> ir.Node:
    """The product of a region."""
    return next(n for n in function if n.op_type in ("MatMul", "Gemm") and not n.domain)


def parse(function: ir.Function) -> tuple[Body, ex.Node]:
    """The region's expression over its product; raises NotElementwise where it is none."""
    product = product_node(function)

    def resolve(body: Body, value: ir.Value) -> ex.Node | None:
        if value is not product.outputs[0]:
            return None
        bias = product.inputs[2] if len(product.inputs) > 2 else None
        return ex.Port() if bias is None else ex.Apply("Add", (ex.Port(), body.operand(bias)))

    result = function.outputs[0]
    body = Body(shape_of(product.outputs[0]), resolve)
    return body, body.parse(result)


def lower(site: Site) -> None:
    """Append the product to the program."""
    assert site.function is not None
    body, epilogue = parse(site.function)
    x, weight = site.node.inputs[:2]
    assert x is not None and weight is not None
    transposed = is_transposed(site)
    columns, depth = shape_of(weight)[::-1] if transposed else shape_of(weight)
    rows = size_of(shape_of(x)) // depth
    unit = unit_of(site, weight, transposed, rows)
    given = site.program.precision.choose(unit)
    tuned, why = site.program.tunings.find("linear", given, rows, depth, columns)
    floats = not given.is_integer and not given.half_activations
    spec = Linear(epilogue, given, tuned, narrow=floats and columns <= LINE)
    weights = _place(site, weight, transposed, unit, given)
    operands = site.operands(body)
    (out,) = site.outputs
    (source,) = site.pointers([x])
    nbytes = 4 * (rows * (depth + columns)) + depth * columns * given.bits // 8
    if given.static_activations:
        panels = -(-columns // tiles.PANEL) * panel_bytes(depth, given)
        taken = static_rows.pointers(site, source, unit, rows, weights, panels)
    else:
        taken = row_pointers(
            site.program, source, rows, depth, given, origin=site.origin, nodes=site.nodes
        )
    results, codes = [Pointer(out)], static_rows.written_as_codes(site)
    if codes is not None:
        from edgemoe.targets.kernels.linear_codes import LinearCodes

        spec = LinearCodes(epilogue, given, tuned, spec.narrow)
        results = [codes.new_codes(site.program, out), codes.facts(site.program)]
    site.program.step(
        spec, "linear",
        [*taken, Pointer(weights), *results, *operands, rows, depth, columns],
        in_place=[(out, b) for b in site.full_operands(body, operands)] if codes is None else [],
        tasks=spec.tasks(rows, columns),
        label=f"linear {rows}x{depth} -> {columns}{ex.describe(epilogue)}",
        origin=site.origin, nodes=site.nodes, macs=rows * depth * columns, nbytes=nbytes,
        work=work_of(given, rows * depth * columns, nbytes),
        reason=f"constant weight, {given}{why}" + (", written as codes" if codes else ""),
        rows=None if given.int8_activations or given.half_activations or codes is not None
        else rows_of(body, rows, depth, columns, tuned.row_block),
    )  # fmt: skip


def rows_of(body: Body, rows: int, depth: int, columns: int, block: int) -> Rows:
    """How a product (rows, weights, out, operands..., rows, depth, columns) is cut into rows."""
    by_kind = {"full": 4 * columns, "row": 4}
    operands = [by_kind.get(kind, 0) for kind in body.indexing]
    return Rows(
        rows, (4 * depth, 0, 4 * columns, *operands, 0, 0, 0), 3 + len(operands), block,
        -(-columns // tiles.PANEL),
    )  # fmt: skip


def is_transposed(site: Site) -> bool:
    """Tell whether the inputs of the weight's columns lie along its first axis."""
    assert site.function is not None
    product = product_node(site.function)
    return product.op_type == "MatMul" or not graph_facts.attribute(product, "transB", 0)


def unit_of(site: Site, weight: ir.Value, transposed: bool, rows: int) -> Unit:
    """The weight of a product of `rows` rows as a unit of precision."""
    columns, depth = shape_of(weight)[::-1] if transposed else shape_of(weight)
    routes = any(graph_facts.kind_of(use.node) == "Route" for use in site.node.outputs[0].uses())
    return Unit(
        (str(weight.name),), "router" if routes else "linear", depth, columns, (transposed,),
        macs=rows * depth * columns, origin=site.origin,
    )  # fmt: skip


def _place(site: Site, weight: ir.Value, transposed: bool, unit: Unit, given: WeightFormat) -> int:
    read, name = reader(weight), str(weight.name)
    nbytes = -(-unit.columns // tiles.PANEL) * panel_bytes(unit.depth, given)
    section = WeightSection(name, 0, nbytes, unit.role, None, given.stored)
    precision = site.program.precision
    key = (
        "linear", transposed, given, site.program.weights.digest(weight.const_value, read),
        precision.key(name),
    )  # fmt: skip

    made: list[Array] = []

    def packed() -> Array:
        rows = read().T if transposed else read()
        panels = pack_ports([rows], given, [precision.rounder(name)])
        made[:] = [column_sums(panels)] if given.static_activations else []
        return panels

    parts: list[tuple[WeightSection, Callable[[], Array]]] = [(section, packed)]
    if given.static_activations:
        size = -(-unit.columns // tiles.PANEL) * tiles.PANEL * 4
        behind = WeightSection(f"{name}.sums", 0, size, unit.role, None, "int32")
        parts.append((behind, lambda: made[0]))  # sections are made in their order
    return site.program.packed(name, key, parts)
