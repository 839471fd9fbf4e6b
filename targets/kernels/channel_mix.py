"""`channel_mix`: rows times packed weights, for the short sums of mixers.

out[m, n] = epilogue(sum_k a[m, k] * w[n, k], operands at (m, n))

The right multiplication that belongs to `token_mix`, with the same register tile. While a panel of
weights is used, the next one is fetched, a line now and then: fetched at once it would hold up the
first rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer, WeightSection
from edgemoe.targets.kernels import columns as wide
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import linear, mix_tile
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.body import Body, NotElementwise
from edgemoe.targets.kernels.panels import pack_lines
from edgemoe.targets.kernels.product import C_TYPES, STORED
from edgemoe.targets.site import Site, reader, shape_of, size_of
from edgemoe.targets.spec import Isa

ROW_BLOCK = 48
"""Rows of one task: they stay in L2 while all panels of weights pass, each used for all of them."""


@dataclass(frozen=True)
class ChannelMix:
    """What distinguishes one kernel from another; with `depth` it is for that depth only."""

    epilogue: ex.Node
    kind: str = "float32"
    depth: int | None = None

    @property
    def operands(self) -> tuple[ex.Operand, ...]:
        """Extra tensors, in the order of the kernel's pointers."""
        return tuple(ex.operands_of(self.epilogue).values())

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (a, weights, out, operands..., rows, depth, columns)."""
        weights = C_TYPES[STORED[self.kind]]
        return ("float*", weights, "float*", *["float*"] * len(self.operands), *["int32_t"] * 3)

    def tasks(self, rows: int, columns: int) -> int:
        """Number of independent tasks."""
        return -(-rows // ROW_BLOCK) * (columns // tiles.PANEL)

    @property
    def in_place(self) -> list[int]:
        """Numbers of the operands whose memory the result may take: those read before the sums."""
        addends, rest = mix_tile.split_addends(self.epilogue)
        later = ex.operands_of(rest)
        return [o.index for o in addends if o.indexing == "full" and o.index not in later]

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        tile, store = f"{name}_tile", f"{name}_store"
        addends, rest = mix_tile.split_addends(self.epilogue)
        others = {
            tile: mix_tile.function(isa, addends, self.kind, packed=True, a_stride=self.depth)
        }
        if not isinstance(rest, ex.Port):
            others[store] = self._store(isa, rest)
        after = isa.symbol(store) if store in others else None
        return tiles.Built(self._main(isa, addends, isa.symbol(tile), after), others)

    def _main(
        self, isa: Isa, addends: list[ex.Operand], tile: str, store: str | None
    ) -> tirx.PrimFunc:
        width, parts = mix_tile.width_of(isa), tiles.PANEL // mix_tile.width_of(isa)
        stored = STORED[self.kind]
        height = mix_tile.height_of(isa)
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["a", "weights", "out", *(f"operand{o.index}" for o in self.operands)]
            buffers, (rows, depth, columns, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32") | {"weights": stored}, ("rows", "depth", "columns")
            )
            blocks = tiles.local(tiles.row_blocks(rows, ROW_BLOCK))
            each = tiles.local(tirx.truncdiv(rows + blocks - 1, blocks))
            panels = tiles.local(tirx.truncdiv(columns, tiles.PANEL))
            with T.serial(begin, end) as task:
                # A block of rows meets all panels: it is read from memory once, and the panels,
                # which are fetched ahead, once per block.
                panel = tiles.local(tirx.truncmod(task, panels))
                first = tiles.local(tirx.min(rows, tirx.truncdiv(task, panels) * each))
                last = tiles.local(tirx.min(rows, first + each))
                size = tiles.local(depth * tiles.PANEL)  # of a panel
                # Bytes of the next panel per step, so that it is there when this one is done.
                line = tiles.STORED_BYTES[self.kind] * width
                ahead = mix_tile.fetches(isa)
                steps = [tirx.truncdiv(line * height, tirx.max(1, last - first)) + 1] * ahead
                steps = [tiles.local(step) for step in steps]
                with T.serial(0, parts) as part:
                    column = tiles.local(panel * tiles.PANEL + part * width)
                    begun = tiles.local((panel + 1) * size + part * depth * width) if ahead else 0

                    def block(row: Expr, rows_of_tile: int) -> None:
                        full = tiles.local(row * columns + column)
                        index = {
                            "full": full, "column": column, "row": row,
                            "scalar": tirx.const(0, "int32"),
                        }  # fmt: skip
                        start = panel * size + part * (depth * width)
                        places = {"a": row * depth, "weights": start, "out": full}
                        done = tirx.truncdiv((row - first) * (depth * width), last - first)
                        mix_tile.call(
                            tile, buffers, places, addends, index,
                            [depth, depth, tirx.const(mix_tile.LINE, "int32"), columns, *steps],
                            rows_of_tile,
                            T.address_of(buffers["weights"][begun + done]) if ahead else None,
                        )  # fmt: skip

                    tiles.for_row_blocks(height, first, last, block)
                if store is not None:
                    addresses = [T.address_of(buffers[n][0]) for n in names[2:]]
                    tiles.call(store, *addresses, panel * tiles.PANEL, columns, first, last)
        return builder.get()

    def _store(self, isa: Isa, rest: ex.Node) -> tirx.PrimFunc:
        """What follows the sums, in place, for rows begin..end of one panel."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["out", *(f"operand{o.index}" for o in self.operands)]
            buffers, (left, columns, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32"), ("left", "columns")
            )
            with T.serial(begin, end) as row:

                def vector(j: Expr, lanes: int) -> None:
                    column = tiles.local(left + j)
                    index = {
                        "full": tiles.local(row * columns + column),
                        "column": column,
                        "row": row,
                        "scalar": tirx.const(0, "int32"),
                    }

                    def leaf(node: ex.Port | ex.Operand) -> Expr:
                        if isinstance(node, ex.Port):
                            return tiles.load(buffers["out"], index["full"], lanes)
                        return tiles.operand(
                            buffers[f"operand{node.index}"], node.indexing, index, lanes
                        )

                    value = ex.evaluate(rest, leaf, lanes)
                    tiles.store(buffers["out"], index["full"], value, lanes)

                wide.for_columns(tirx.const(tiles.PANEL, "int32"), isa.lanes, vector)
        return builder.get()


HANDLES = ("ChannelMix",)


def parse(function: ir.Function) -> tuple[Body, ex.Node]:
    """The region's expression over its product; raises NotElementwise where it is none."""
    product = next(n for n in function if n.op_type == "MatMul" and not n.domain)

    def resolve(body: Body, value: ir.Value) -> ex.Node | None:
        del body
        return ex.Port() if value is product.outputs[0] else None

    body = Body(shape_of(product.outputs[0]), resolve)
    return body, body.parse(function.outputs[0])


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the region can be computed by this kernel."""
    assert function is not None
    try:
        parse(function)
    except NotElementwise:
        return False
    return shape_of(node.outputs[0])[-1] % tiles.PANEL == 0


def lower(site: Site) -> None:
    """Append the product to the program."""
    x, weight = site.node.inputs[:2]
    assert x is not None and weight is not None
    depth, columns = shape_of(weight)
    rows = size_of(shape_of(x)) // depth
    given = site.program.precision.choose(linear.unit_of(site, weight, True, rows))
    if given.is_integer or given.half_activations:
        linear.lower(site)
        return
    assert site.function is not None
    body, epilogue = parse(site.function)
    spec = ChannelMix(epilogue, given.kind, mix_tile.known_depth(site.program, depth))
    read = reader(weight)
    nbytes = depth * columns * given.bits // 8
    section = WeightSection(str(weight.name), 0, nbytes, "linear", None, given.stored)
    key = ("channel_mix", given, site.program.weights.digest(weight.const_value, read))
    weights = site.program.packed(
        str(weight.name), key, [(section, lambda: pack_lines(read().T, given))]
    )
    operands = site.operands(body)
    (out,) = site.outputs
    site.program.step(
        spec, "channel_mix",
        [*site.pointers([x]), Pointer(weights), Pointer(out), *operands, rows, depth, columns],
        in_place=[(out, operands[i].buffer) for i in spec.in_place],
        tasks=spec.tasks(rows, columns), macs=rows * depth * columns,
        label=f"mix {rows}x{depth} channels -> {columns}{ex.describe(epilogue)}",
        origin=site.origin, nodes=site.nodes,
        nbytes=4 * rows * (depth + columns) + nbytes,
        reason=f"constant weight from the right, {given}",
        rows=linear.rows_of(body, rows, depth, columns, ROW_BLOCK),
    )  # fmt: skip
