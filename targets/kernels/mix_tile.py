"""The register tile of the mixing products: addends are joined to the sums in registers.

Unlike `tile.accumulate` there is no array of sums between the loop and the epilogue: what is added
to a product (a bias, a residual) is added when the sums are stored, so that a plain product needs
no second function. With the short depths of mixers the epilogue would take a third of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.panels import LINE as LINE
from edgemoe.targets.kernels.tile import STORED
from edgemoe.targets.program import Program
from edgemoe.targets.spec import Isa


def width_of(isa: Isa) -> int:
    """Columns of one register tile: as many vectors as leave its sums in registers."""
    return tiles.SUMS[isa.lanes] // tiles.tallest_tile(isa) * isa.lanes


def height_of(isa: Isa) -> int:
    """Rows of the tallest register tile."""
    return tiles.tallest_tile(isa)


def known_depth(program: Program, depth: int) -> int | None:
    """`depth`, where a kernel may be made for it alone; where flash is scarce they share one."""
    return None if program.core else depth


def fetches(isa: Isa) -> bool:
    """Tell whether a tile fetches weights ahead: microcontrollers have nothing to fetch into."""
    return isa.lanes > 1


def function(
    isa: Isa, addends: Sequence[ex.Operand], dtype: str = "float32", *, packed: bool = False,
    a_stride: int | None = None,
) -> tirx.PrimFunc:  # fmt: skip
    """The tile as a C function (a, b, out, addends..., depth, strides of a, b, out, 0, rows).

    out[i, :] = sum over k of a[i, k] * b[k, :], k ascending, + the addends at (i, :), for
    `width_of(isa)` columns. All pointers are those of the tile's
    first element. It is a function because LLVM would otherwise keep what the loops around it need
    in the registers that the addresses of the rows should have. With `packed`, b is in panels of
    `LINE` columns, [panel][k][LINE]; if the processor `fetches`, there are another pointer behind
    the addends and another integer behind the strides: step k fetches the byte at pointer + k *
    integer into the cache. With `a_stride` that stride is known, whatever the argument says: the
    addresses of all rows then take one register, and none of them lives on the stack.
    """
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        names = ["a", "b", "out", *(f"addend{i}" for i in range(len(addends)))]
        types = dict.fromkeys(names, "float32") | {"b": STORED[dtype]}
        ahead = packed and fetches(isa)
        types |= {"ahead": "int8"} if ahead else {}
        integers = ("depth", "a_stride", "b_stride", "out_stride", *(["step"] if ahead else []))
        buffers, (depth, given, b_stride, out_stride, *more, begin, end) = tiles.parameters(
            types, integers
        )
        known = given if a_stride is None else tirx.const(a_stride, "int32")
        height = tiles.local(end - begin)
        for candidate in range(height_of(isa), 0, -1):
            with T.If(tirx.EQ(height, candidate)), T.Then():
                strides = (known, b_stride, out_stride)
                _tile(isa, candidate, buffers, addends, depth, strides, dtype, more, packed=packed)
    return builder.get()


def _tile(
    isa: Isa,
    rows: int,
    buffers: Mapping[str, tirx.Var],
    addends: Sequence[ex.Operand],
    depth: Expr,
    strides: tuple[Expr, Expr, Expr],
    dtype: str,
    step: Sequence[Expr],
    *,
    packed: bool,
) -> None:
    a, b, out = buffers["a"], buffers["b"], buffers["out"]
    a_stride, b_stride, out_stride = strides
    lanes, width = isa.lanes, width_of(isa)
    vectors = width // lanes
    acc = T.alloc_buffer((rows * width,), "float32")
    starts = [i * a_stride for i in range(rows)]
    if not isinstance(a_stride, tirx.IntImm):
        starts = [tiles.local(start) for start in starts]
    places: list[Expr | int] = [j * lanes for j in range(vectors)]
    if packed:
        places = [place // LINE * (depth * LINE) + place % LINE for place in places]
    zero = tiles.splat(tirx.const(0.0, "float32"), lanes)
    for place in range(0, rows * width, lanes):
        T.buffer_store(acc, zero, [tiles.ramp(place, lanes)])
    with T.serial(0, depth) as k:
        start = k * b_stride
        row = [T.bind(tiles.load_weights(b, start + place, lanes, dtype)) for place in places]
        if step:
            fetch(buffers["ahead"], k * step[0])
        for i in range(rows):
            value = T.bind(tiles.splat(a[starts[i] + k], lanes))
            for j in range(vectors):
                at = tiles.ramp(i * width + j * lanes, lanes)
                T.buffer_store(acc, acc[at] + value * row[j], [at])
    for i in range(rows):
        for j in range(vectors):
            index: dict[str, Expr] = {
                "full": i * out_stride + j * lanes, "column": tirx.const(j * lanes, "int32"),
                "row": tirx.const(i, "int32"), "scalar": tirx.const(0, "int32"),
            }  # fmt: skip
            total: Expr = acc[tiles.ramp(i * width + j * lanes, lanes)]
            for n, o in enumerate(addends):
                total = total + tiles.operand(buffers[f"addend{n}"], o.indexing, index, lanes)
            tiles.store(out, i * out_stride + j * lanes, total, lanes)


def fetch(buffer: tirx.Var, place: Expr) -> None:
    """Emit a prefetch of a cache line for reading, into all caches."""
    read, all_caches, data = 0, 3, 1
    address = T.address_of(buffer[place])
    T.evaluate(T.call_llvm_intrin("void", "llvm.prefetch.p0", address, read, all_caches, data))


def call(
    symbol: str,
    buffers: Mapping[str, tirx.Var],
    places: Mapping[str, Expr],
    addends: Sequence[ex.Operand],
    index: Mapping[str, Expr],
    integers: Sequence[Expr | int],
    height: int,
    ahead: Expr | None = None,
) -> None:
    """Emit a call of the tile function; `index` says where the tile's first element is."""
    pointers = [T.address_of(buffers[name][place]) for name, place in places.items()]
    pointers += [T.address_of(buffers[f"operand{o.index}"][index[o.indexing]]) for o in addends]
    if ahead is not None:
        pointers.append(ahead)
    tiles.call(symbol, *pointers, *integers, 0, height)


def split_addends(node: ex.Node) -> tuple[list[ex.Operand], ex.Node]:
    """Split an epilogue into what is added to the product first, and the rest around that sum.

    Gives (operands, rest): the epilogue is `rest` with Port + operands in the place of Port.
    """
    path = _path(node)
    operands: list[ex.Operand] = []
    inner: ex.Node | None = None
    for parent in reversed(path):
        if not isinstance(parent, ex.Apply) or parent.op != "Add" or len(parent.arguments) != 2:
            break
        others = [a for a in parent.arguments if not _holds_port(a)]
        if len(others) != 1 or not isinstance(others[0], ex.Operand):
            break
        operands.append(others[0])
        inner = parent
    if inner is None or _count(node, inner) != _ports(node):
        return [], node
    return operands, _replace(node, inner)


def _holds_port(node: ex.Node) -> bool:
    if isinstance(node, ex.Apply):
        return any(_holds_port(a) for a in node.arguments)
    return isinstance(node, ex.Port)


def _path(node: ex.Node) -> list[ex.Node]:
    """The nodes above the first port, from the root down."""
    if not isinstance(node, ex.Apply):
        return []
    below = next((a for a in node.arguments if _holds_port(a)), None)
    return [node] if below is None else [node, *_path(below)]


def _ports(node: ex.Node) -> int:
    if isinstance(node, ex.Apply):
        return sum(_ports(a) for a in node.arguments)
    return int(isinstance(node, ex.Port))


def _count(node: ex.Node, wanted: ex.Node) -> int:
    if node == wanted:
        return 1
    return sum(_count(a, wanted) for a in node.arguments) if isinstance(node, ex.Apply) else 0


def _replace(node: ex.Node, old: ex.Node) -> ex.Node:
    """`node` with a port in the place of `old`."""
    if node == old:
        return ex.Port()
    if not isinstance(node, ex.Apply):
        return node
    return ex.Apply(node.op, tuple(_replace(a, old) for a in node.arguments), node.attributes)
