"""`depthwise_conv`: every channel with a filter of its own, in one or two dimensions.

out[b, c, y, x] = bias[c] + sum over (i, j) of w[c, i, j] * x[b, c, y*s + i*d - p, x*s + j*d - p]

A plane (one channel of one sample) is copied between zeros first; then every tap is one scalar
times vectors along x, for several rows or vectors at once. Long convolutions (Monarch mixers,
Hyena) are the case of one row and a filter as long as the sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

MAX_TASKS = 64
"""Most tasks, each of which has room for a padded plane."""

_SIZES = (
    "channels", "height", "width", "out_height", "out_width", "taps_y", "taps_x",
    "step_y", "step_x", "apart_y", "apart_x", "top", "left", "padded", "plane", "planes", "tasks",
)  # fmt: skip


@dataclass(frozen=True)
class DepthwiseConv:
    """The kernel: `rows` x `vectors` outputs at a time; `dense` when x advances by one."""

    bias: bool
    dense: bool
    rows: int
    vectors: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (x, weights, out, scratch, bias?, sizes...)."""
        return ("float*",) * (4 + self.bias) + ("int32_t",) * len(_SIZES)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        plane = f"{name}_plane"
        return tiles.Built(self._main(isa, isa.symbol(plane)), {plane: self._plane(isa)})

    def _main(self, isa: Isa, plane: str) -> tirx.PrimFunc:
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["x", "weights", "out", "scratch", *(["bias"] if self.bias else [])]
            buffers, numbers = tiles.parameters(dict.fromkeys(names, "float32"), _SIZES)
            size = dict(zip(_SIZES, numbers, strict=False))
            begin, end = numbers[-2:]
            each = tiles.local(tirx.truncdiv(size["planes"], size["tasks"]))
            extra = tiles.local(size["planes"] - each * size["tasks"])
            scratch = tiles.local(begin * size["plane"])
            _zero(buffers["scratch"], scratch, size["plane"])
            first = tiles.local(begin * each + tirx.min(begin, extra))
            last = tiles.local(end * each + tirx.min(end, extra))
            with T.serial(first, last) as number:
                channel = tiles.local(tirx.truncmod(number, size["channels"]))
                inside = tiles.local(scratch + size["top"] * size["padded"] + size["left"])
                with T.serial(0, size["height"]) as y:
                    from_row = tiles.local((number * size["height"] + y) * size["width"])
                    to_row = tiles.local(inside + y * size["padded"])
                    copy = _copier(buffers["x"], from_row, buffers["scratch"], to_row)
                    # Planes are small: a loop takes less time than a call of memcpy per row.
                    tiles.for_columns(size["width"], isa.lanes, copy)
                taps = size["taps_y"] * size["taps_x"]
                first_value = [buffers["bias"][channel]] if self.bias else []
                tiles.call(
                    plane, T.address_of(buffers["scratch"][scratch]),
                    T.address_of(buffers["weights"][channel * taps]),
                    T.address_of(buffers["out"][number * size["out_height"] * size["out_width"]]),
                    *[T.address_of(b) for b in first_value],
                    *[size[n] for n in _SIZES[4:11]], size["padded"], 0, size["out_height"],
                )  # fmt: skip
        return builder.get()

    def _plane(self, isa: Isa) -> tirx.PrimFunc:
        """Rows begin..end of one output plane from one padded plane."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = ["x", "weights", "out", *(["bias"] if self.bias else [])]
            integers = (*_SIZES[4:11], "padded")
            buffers, numbers = tiles.parameters(dict.fromkeys(names, "float32"), integers)
            size = dict(zip(integers, numbers, strict=False))
            width = size["out_width"]

            def rows(row: Expr, height: int) -> None:
                def strip(column: Expr, vectors: int, lanes: int) -> None:
                    self._strip(buffers, size, row, height, column, vectors, lanes)

                wide = self.vectors * isa.lanes
                with T.serial(0, tirx.truncdiv(width, wide)) as j:
                    strip(tiles.local(j * wide), self.vectors, isa.lanes)
                done = tiles.local(tirx.truncdiv(width, wide) * wide)
                rest = tiles.local(width - done)
                whole = tiles.local(tirx.Select(width >= isa.lanes, rest, tirx.const(0, "int32")))
                # The last vector reaches back over columns that are stored already.
                with T.serial(0, tiles.row_blocks(whole, isa.lanes)) as j:
                    at = tirx.min(done + j * isa.lanes, width - isa.lanes)
                    strip(tiles.local(at), 1, isa.lanes)
                with T.serial(0, rest - whole) as j:
                    strip(tiles.local(j), 1, 1)

            tiles.for_row_blocks(self.rows, numbers[-2], numbers[-1], rows)
        return builder.get()

    def _strip(
        self, buffers: dict[str, tirx.Var], size: dict[str, Expr], row: Expr, height: int,
        column: Expr, vectors: int, lanes: int,
    ) -> None:  # fmt: skip
        """Emit height x vectors outputs; sums over the taps in order, in one chain per output."""
        x, out = buffers["x"], buffers["out"]
        acc = T.alloc_buffer((height * vectors * lanes,), "float32")
        places = [
            [tiles.ramp((i * vectors + j) * lanes, lanes) for j in range(vectors)]
            for i in range(height)
        ]
        begin = buffers["bias"][0] if self.bias else tirx.const(0.0, "float32")
        for i in range(height):
            for j in range(vectors):
                T.buffer_store(acc, tiles.splat(begin, lanes), [places[i][j]])
        padded = size["padded"]
        step = 1 if self.dense else size["step_x"]
        starts = [
            tiles.local((row + i) * size["step_y"] * padded + column * step) for i in range(height)
        ]
        with T.serial(0, size["taps_y"]) as ky:
            above = tiles.local(ky * size["apart_y"] * padded)
            with T.serial(0, size["taps_x"]) as kx:
                weight = tiles.splat(buffers["weights"][ky * size["taps_x"] + kx], lanes)
                weight = T.bind(weight)
                shift = above + kx * size["apart_x"]
                for i in range(height):
                    for j in range(vectors):
                        at = starts[i] + shift + j * lanes * step
                        value = x[T.ramp(at, step, lanes)] if lanes > 1 else x[at]
                        T.buffer_store(acc, acc[places[i][j]] + value * weight, [places[i][j]])
        for i in range(height):
            for j in range(vectors):
                to = (row + i) * size["out_width"] + column + j * lanes
                tiles.store(out, to, acc[places[i][j]], lanes)


def _copier(
    source: tirx.Var, start: Expr, target: tirx.Var, to: Expr
) -> Callable[[Expr, int], None]:
    return lambda j, lanes: tiles.store(target, to + j, tiles.load(source, start + j, lanes), lanes)


def _zero(buffer: tirx.Var, start: Expr, count: Expr) -> None:
    """Emit zeros: what lies around the planes stays so."""
    tiles.call(
        "memset", T.address_of(buffer[start]), tirx.const(0, "int32"), tirx.Cast("int64", count * 4)
    )


HANDLES = ("Conv",)


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the node convolves every channel of a float32 tensor with a constant filter."""
    del function
    x, weight = node.inputs[:2]
    shape, filters = graph_facts.shape_of(x), graph_facts.shape_of(weight)
    if x is None or x.dtype != ir.DataType.FLOAT or shape is None or filters is None:
        return False
    if len(shape) not in (3, 4) or not graph_facts.is_constant(weight):
        return False
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    automatic = graph_facts.text_attribute(node, "auto_pad", "NOTSET")
    return (
        graph_facts.attribute(node, "group", 1) == shape[1] == filters[0]
        and filters[1] == 1
        and automatic in ("NOTSET", "VALID")
        and (bias is None or graph_facts.is_constant(bias))
    )


def _two(node: ir.Node, name: str, default: int, rank: int) -> tuple[int, ...]:
    """An attribute with one value per dimension, for two dimensions."""
    given = node.attributes[name].as_ints() if name in node.attributes else [default] * rank
    return (*([default] * (2 - rank)), *given)


def lower(site: Site) -> None:
    """Append the convolution to the program."""
    node = site.node
    x, weight, *more = [v for v in node.inputs if v is not None]
    batch, channels, *extent = shape_of(x)
    rank = len(extent)
    height, width = ([1] * (2 - rank)) + extent
    taps_y, taps_x = ([1] * (2 - rank)) + list(shape_of(weight)[2:])
    out_height, out_width = ([1] * (2 - rank)) + list(shape_of(node.outputs[0])[2:])
    (step_y, step_x), (apart_y, apart_x) = (
        _two(node, "strides", 1, rank), _two(node, "dilations", 1, rank)
    )  # fmt: skip
    pads = node.attributes["pads"].as_ints() if "pads" in node.attributes else [0] * 2 * rank
    if graph_facts.text_attribute(node, "auto_pad", "NOTSET") == "VALID":
        pads = [0] * 2 * rank
    top, left = (0, pads[0]) if rank == 1 else (pads[0], pads[1])
    # All that any output reads, and all of the plane; a cache line more for whole vectors.
    padded = max(left + width, (out_width - 1) * step_x + (taps_x - 1) * apart_x + 1) + 16
    rows = max(top + height, (out_height - 1) * step_y + (taps_y - 1) * apart_y + 1)
    planes, plane = batch * channels, padded * rows
    tasks = min(planes, MAX_TASKS)
    tall = out_height > 1
    spec = DepthwiseConv(bool(more), step_x == 1, 4 if tall else 1, 2 if tall else 8)
    scratch = site.program.buffer(f"{node.name}.padded", "float32", (tasks, plane))
    pointers = site.pointers([x, weight])
    (out,) = site.outputs
    macs = planes * out_height * out_width * taps_y * taps_x
    site.program.step(
        spec, "depthwise_conv",
        [*pointers, Pointer(out), Pointer(scratch), *site.pointers(more), channels, height, width,
         out_height, out_width, taps_y, taps_x, step_y, step_x, apart_y, apart_x, top, left, padded,
         plane, planes, tasks],
        tasks=tasks, macs=macs, origin=site.origin, nodes=site.nodes,
        label=f"depthwise convolution {planes}x{height}x{width} by {taps_y}x{taps_x}",
        nbytes=4 * (size_of(shape_of(x)) + planes * out_height * out_width),
        reason="a filter per channel",
    )  # fmt: skip
