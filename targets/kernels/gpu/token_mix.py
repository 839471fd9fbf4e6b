"""`token_mix` on a GPU: a product from the left, out[b] = epilogue(W x[b]), without transposes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.gpu.program import program_at
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import token_mix
from edgemoe.targets.kernels.gpu import grid, product
from edgemoe.targets.kernels.gpu.linear import evaluated, placed
from edgemoe.targets.kernels.gpu.weights import C_TYPE, ELEMENT, Layout
from edgemoe.targets.kernels.vector_math import register
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = token_mix.HANDLES
accepts = token_mix.accepts

_ZERO = tirx.const(0.0, "float32")


@dataclass(frozen=True)
class GpuTokenMix:
    """`layout` is of the weight: its columns are the rows of the result, its depth the tokens."""

    epilogue: ex.Node
    layout: Layout
    batch: int
    channels: int
    cut: product.Cut

    @property
    def threads(self) -> int:
        """Threads of a work-group."""
        return self.cut.threads

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (weights, x, out, operands...)."""
        return (
            C_TYPE,
            "float*",
            "float*",
            *["float*"] * len(ex.operands_of(self.epilogue)),
        )

    @property
    def _across(self) -> int:
        return -(-self.channels // self.cut.columns)

    @property
    def _down(self) -> int:
        return -(-self.layout.columns // self.cut.rows)

    @property
    def groups(self) -> int:
        """Work-groups of a launch."""
        return self.batch * self._down * self._across

    def function(self, device: Graphics) -> tirx.PrimFunc:
        """The kernel."""
        del device
        names = {"weights": ELEMENT, "x": "float32", "out": "float32"}
        names |= {f"operand{i}": "float32" for i in ex.operands_of(self.epilogue)}
        return grid.kernel(names, self.groups, self.threads, self._emit)

    def _emit(self, at: grid.Grid) -> None:
        layout, cut, channels = self.layout, self.cut, self.channels
        rows, depth = layout.columns, layout.depth
        first = register(tirx.truncmod(at.group, self._across) * cut.columns)
        rest = register(tirx.truncdiv(at.group, self._across))
        top = register(tirx.truncmod(rest, self._down) * cut.rows)
        batch = register(tirx.truncdiv(rest, self._down))
        x, words, base = at.buffers["x"], at.buffers["weights"], tirx.const(0, "int32")

        def fill(right: tirx.Var, start: Expr) -> None:
            def copy(i: Expr) -> None:
                k = register(start + tirx.truncdiv(i, cut.columns))
                column = register(first + tirx.truncmod(i, cut.columns))
                value = x[(batch * depth + k) * channels + column]
                inside = tirx.all(k < depth, column < channels)
                T.buffer_store(right, tirx.if_then_else(inside, value, _ZERO), [i])

            grid.strided(at.thread, cut.depth * cut.columns, cut.threads, copy)

        def store(i: Expr, column: Expr, values: Sequence[Expr]) -> None:
            row = register(top + i)
            with grid.when(row < rows):
                full = register((batch * rows + row) * channels + column)
                index = {"full": full, "column": column, "row": row,
                         "scalar": tirx.const(0, "int32")}  # fmt: skip
                T.buffer_store(
                    at.buffers["out"], evaluated(self.epilogue, at, index, values), [full]
                )

        weights = product.fill_weights(at, cut, layout, 1, words, base, top, as_rows=True)
        always = tirx.const(1, "bool")
        scale = product.scale_of(layout, words, base, 0, top, rows)
        product.tile(
            at, cut, depth, channels, 1, weights, fill, first, always, store, [scale],
            scaled_rows=True,
        )  # fmt: skip


def lower(site: Site) -> None:
    """Append the product to the program."""
    assert site.function is not None
    body, epilogue = token_mix.parse(site.function)
    weight, x = site.node.inputs[:2]
    assert weight is not None and x is not None
    rows, depth = shape_of(weight)
    batch, channels = size_of(shape_of(x)[:-2]), shape_of(x)[-1]
    unit = token_mix.unit_of(site, weight, batch * channels)
    given = program_at(site).precision.choose(unit)
    layout = Layout(given, depth, rows)
    cut = product.tile_for(program_at(site).gpu, layout.block_inputs, 1, rows)
    spec = GpuTokenMix(epilogue, layout, batch, channels, cut)
    program_at(site).multiplies_integers(given, "token mixing: rows of int8 would be columns of x")
    words = placed(site, weight, layout, unit.role)
    (source,) = site.pointers([x])
    program_at(site).step(
        spec, "token_mix",
        [Pointer(words), source, Pointer(site.outputs[0]), *site.operands(body)],
        label=f"mix {batch}x{depth} tokens -> {rows}, {channels} channels{ex.describe(epilogue)}",
        origin=site.origin, nodes=site.nodes, macs=batch * rows * depth * channels,
        nbytes=4 * batch * channels * (rows + depth) + 4 * layout.words,
        reason=f"constant weight from the left, {given}; no transposes",
    )  # fmt: skip
