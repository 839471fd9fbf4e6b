"""The register tile of the mixing products: sums begin at their addends and are stored as they are.

Unlike `tile.accumulate` there is no array of sums between the loop and the epilogue: what is added
to a product (a bias, a residual) is where its sums begin, so that a plain product needs no second
function. With the short depths of mixers the epilogue would take a third of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.spec import Isa


def width_of(isa: Isa) -> int:
    """Columns of one register tile: as many vectors as leave its sums in registers."""
    return tiles.SUMS[isa.lanes] // tiles.tallest_tile(isa) * isa.lanes


def height_of(isa: Isa) -> int:
    """Rows of the tallest register tile."""
    return tiles.tallest_tile(isa)


def product(
    isa: Isa,
    a: tirx.Var,
    row_starts: Sequence[Expr],
    depth: Expr,
    b: tirx.Var,
    b_start: Expr,
    b_stride: Expr | int,
    begin: Callable[[int, Expr, int], Expr],
    out: tirx.Var,
    out_starts: Sequence[Expr],
) -> None:
    """Emit out[i, :] = begin(i, :) + sum over k of a[row_starts[i] + k] * b[k, :], k ascending.

    Row k of `b` begins at b_start + k * b_stride. `begin(row, column, lanes)` gives what the sums
    begin with.
    """
    rows, lanes, width = len(row_starts), isa.lanes, width_of(isa)
    vectors = width // lanes
    acc = T.alloc_buffer((rows * width,), "float32")
    places = [[T.ramp(i * width + j * lanes, 1, lanes) for j in range(vectors)] for i in range(rows)]
    for i in range(rows):
        for j in range(vectors):
            T.buffer_store(acc, begin(i, tirx.const(j * lanes, "int32"), lanes), [places[i][j]])
    with T.serial(0, depth) as k:
        start = b_start + k * b_stride
        row = [T.bind(b[T.ramp(start + j * lanes, 1, lanes)]) for j in range(vectors)]
        for i in range(rows):
            value = T.bind(tirx.Broadcast(a[row_starts[i] + k], lanes))
            for j in range(vectors):
                T.buffer_store(acc, acc[places[i][j]] + value * row[j], [places[i][j]])
    for i in range(rows):
        for j in range(vectors):
            tiles.store(out, out_starts[i] + j * lanes, acc[places[i][j]], lanes)


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
