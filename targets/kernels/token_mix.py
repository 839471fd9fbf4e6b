"""`token_mix`: constant weights times activations from the left, without transposing anything.

out[b, m, n] = epilogue(sum_k w[m, k] * x[b, k, n], operands at (b, m, n))

The mixing product of MLP-Mixer (Tolstikhin et al., 2021, eq. 1) as it is, where exporters write a
transpose before and after. Channels n are contiguous, so that vectors run along them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.precision import Unit
from edgemoe.targets.kernels import (
    columns,
    mix_tile,
    quantise_panels,
    static_panels,
    static_rows,
    unpack_rows,
)
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.body import Body, NotElementwise
from edgemoe.targets.kernels.body import shape_of as shape_of_inner
from edgemoe.targets.kernels.token_mix_int8 import TokenMixInt8
from edgemoe.targets.kernels.unpack_rows import activation_format
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import F32

ROW_BLOCK = 48
"""Rows m of one task."""

COLUMNS = 64
"""Channels of one task, at least those of a register tile; the last one takes the rest too."""


@dataclass(frozen=True)
class TokenMix:
    """What distinguishes one kernel from another; needs the channels of a register tile.

    With `depth` it is for that depth only.
    """

    epilogue: ex.Node
    depth: int | None = None

    @property
    def operands(self) -> tuple[ex.Operand, ...]:
        """Extra tensors, in the order of the kernel's pointers."""
        return tuple(ex.operands_of(self.epilogue).values())

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (weights, x, out, operands..., rows, depth, channels)."""
        return ("float*", "float*", "float*", *["float*"] * len(self.operands), *["int32_t"] * 3)

    def tasks(self, batch: int, rows: int, channels: int) -> int:
        """Number of independent tasks."""
        return batch * -(-rows // ROW_BLOCK) * max(1, channels // COLUMNS)

    def in_place(self, channels: int) -> list[int]:
        """Numbers of the operands whose memory the result may take.

        They are read before the sums are stored and never again, also not where the last register
        tile covers columns a second time.
        """
        addends, rest = mix_tile.split_addends(self.epilogue)
        later = ex.operands_of(rest)
        first = [o.index for o in addends if o.indexing == "full" and o.index not in later]
        return first if channels % tiles.PANEL == 0 else []

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        tile, store = f"{name}_tile", f"{name}_store"
        addends, rest = mix_tile.split_addends(self.epilogue)
        others = {tile: mix_tile.function(isa, addends, a_stride=self.depth)}
        if not isinstance(rest, ex.Port):
            others[store] = self._store(isa, rest)
        after = isa.symbol(store) if store in others else None
        return tiles.Built(self._main(isa, addends, isa.symbol(tile), after), others)

    def _main(
        self, isa: Isa, addends: list[ex.Operand], tile: str, store: str | None
    ) -> tirx.PrimFunc:
        width = mix_tile.width_of(isa)
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["weights", "x", "out", *(f"operand{o.index}" for o in self.operands)]
            buffers, (rows, depth, channels, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32"), ("rows", "depth", "channels")
            )
            blocks = tiles.local(tiles.row_blocks(rows, ROW_BLOCK))
            each = tiles.local(tirx.truncdiv(rows + blocks - 1, blocks))
            panels = tiles.local(tirx.max(1, tirx.truncdiv(channels, COLUMNS)))
            with T.serial(begin, end) as task:
                batch = tiles.local(tirx.truncdiv(task, blocks * panels))
                rest = tiles.local(tirx.truncmod(task, blocks * panels))
                panel = tiles.local(tirx.truncdiv(rest, blocks))
                first = tiles.local(tirx.min(rows, tirx.truncmod(rest, blocks) * each))
                last = tiles.local(tirx.min(rows, first + each))
                x_start = tiles.local(batch * depth * channels)
                left = tiles.local(panel * COLUMNS)
                right = tiles.local(
                    tirx.Select(tirx.EQ(panel, panels - 1), channels, left + COLUMNS)
                )
                with T.serial(0, tirx.truncdiv(right - left + (width - 1), width)) as number:
                    # The last one ends where the columns end, over columns of the one before.
                    column = tiles.local(tirx.min(left + number * width, right - width))

                    def block(row: Expr, height: int) -> None:
                        full = tiles.local((batch * rows + row) * channels + column)
                        index = {
                            "full": full, "column": column, "row": row,
                            "scalar": tirx.const(0, "int32"),
                        }  # fmt: skip
                        places = {"weights": row * depth, "x": x_start + column, "out": full}
                        mix_tile.call(
                            tile, buffers, places, addends, index,
                            [depth, depth, channels, channels], height,
                        )  # fmt: skip

                    tiles.for_row_blocks(mix_tile.height_of(isa), first, last, block)
                if store is not None:
                    addresses = [T.address_of(buffers[n][0]) for n in names[2:]]
                    tiles.call(
                        store, *addresses, left, right, channels, batch * rows,
                        first, last,
                    )  # fmt: skip
        return builder.get()

    def _store(self, isa: Isa, rest: ex.Node) -> tirx.PrimFunc:
        """What follows the sums, in place, for rows begin..end and columns left..right."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["out", *(f"operand{o.index}" for o in self.operands)]
            buffers, (left, right, channels, before, begin, end) = tiles.parameters(
                dict.fromkeys(names, "float32"), ("left", "right", "channels", "before")
            )
            with T.serial(begin, end) as row:

                def vector(j: Expr, lanes: int) -> None:
                    column = tiles.local(left + j)
                    index = {
                        "full": tiles.local((before + row) * channels + column),
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

                columns.for_columns(tiles.local(right - left), isa.lanes, vector)
        return builder.get()


HANDLES = ("TokenMix",)


def parse(function: ir.Function) -> tuple[Body, ex.Node]:
    """The region's expression over its product; raises NotElementwise where it is none."""
    product = next(n for n in function if n.op_type == "MatMul" and not n.domain)
    shape = shape_of(product.outputs[0])

    def resolve(body: Body, value: ir.Value) -> ex.Node | None:
        if value is product.outputs[0]:
            return ex.Port()
        if value.producer() is None and value in function.inputs:
            # A bias has one value per mixed row, the same in every batch.
            operand = shape_of_inner(value)
            if size_of(operand) == shape[-2] == operand[-2:][0] and operand[-1] == 1:
                return body.operand(value, "row")
        return None

    body = Body(shape, resolve)
    return body, body.parse(function.outputs[0])


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the region can be computed by this kernel."""
    del node
    assert function is not None
    try:
        body, _ = parse(function)
    except NotElementwise:
        return False
    rows = body.shape[-2]
    return all(
        kind != "row" or size_of(_extent(value)) == rows
        for value, kind in zip(body.operands, body.indexing, strict=True)
    )


def _extent(value: ir.Value | np.ndarray) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, np.ndarray) else shape_of_inner(value)


def unit_of(site: Site, weight: ir.Value, columns: int) -> Unit:
    """The weight as a unit of precision: its outputs are tokens."""
    rows, depth = shape_of(weight)
    return Unit(
        (str(weight.name),), "token_mix", depth, rows, (False,), macs=rows * depth * columns,
        origin=site.origin,
    )  # fmt: skip


def lower(site: Site) -> None:
    """Append the product to the program."""
    assert site.function is not None
    body, epilogue = parse(site.function)
    weight, x = site.node.inputs[:2]
    assert weight is not None and x is not None
    rows, depth = shape_of(weight)
    batch, channels = size_of(shape_of(x)[:-2]), shape_of(x)[-1]
    unit = unit_of(site, weight, batch * channels)
    given = site.program.precision.choose(unit)
    origin, nodes = site.origin, site.nodes
    if given == F32:
        left = [Pointer(unpack_rows.place(site, weight, given, site.program)[0])]
    else:
        left = list(unpack_rows.append(site, weight, given))
    (right,), operands = site.pointers([x]), site.operands(body)
    spec: TokenMix | TokenMixInt8
    if given.int8_activations:
        panels = activation_format(given)
        spec, places = TokenMixInt8(epilogue, panels), site.full_operands(body, operands)
        if given.static_activations:
            facts = static_rows.input_of(site, unit, batch * channels).facts(site.program)
            right = static_panels.append(
                site.program, right, facts, batch, depth, channels, origin=origin, nodes=nodes
            )
            left.append(facts)
        else:
            right = quantise_panels.append(
                site.program, right, batch, depth, channels, panels, origin=origin, nodes=nodes
            )
    else:
        spec = TokenMix(epilogue, mix_tile.known_depth(site.program, depth))
        places = [operands[i].buffer for i in spec.in_place(channels)]
    (out,) = site.outputs
    site.program.step(
        spec, "token_mix", [*left, right, Pointer(out), *operands, rows, depth, channels],
        in_place=[(out, place) for place in places],
        tasks=spec.tasks(batch, rows, channels), macs=batch * rows * depth * channels,
        label=f"mix {batch}x{depth} tokens -> {rows}, {channels} channels{ex.describe(epilogue)}",
        origin=origin, nodes=nodes,
        nbytes=4 * batch * channels * (rows + depth) + rows * depth * given.bits // 8,
        reason=f"constant weight from the left, {given}; no transposes",
    )  # fmt: skip
