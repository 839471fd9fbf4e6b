"""`WeighRows` of an integer program: rows times the weights of their experts, as int16."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import extern, local, pointer
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.product import Queue
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, taken
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.WeighRows",)


@dataclass(frozen=True)
class WeighRows(IntegerKernel):
    """The kernel of one width; a task is a row, where it is `queued` one of a queue.

    With `vectors` the core computes four numbers at a time.
    """

    x: str
    weights: str
    queued: bool
    width: int
    vectors: bool = False

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        queue = {"order": "int32", "offsets": "int32"} if self.queued else {}
        return {"x": self.x, "weights": self.weights, "out": "int16", **queue}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("zero_x", "zero_w", "right")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        zero_x, zero_w, right, begin, end = n.values()
        half = local(tirx.shift_right(tirx.shift_left(tirx.const(1, "int32"), right), 1))
        with T.serial(begin, end) as row:
            slot = row
            if self.queued:
                slot = local(buffers["order"][buffers["offsets"][0] + row])
            weight = local(tirx.Cast("int32", buffers["weights"][slot]) - zero_w)
            more = local(half - zero_x * weight)
            start = local(row * self.width)
            if self.vectors:
                source, target = (pointer(buffers[name], start) for name in ("x", "out"))
                name = f"em_weigh_s{self.x.removeprefix('int')}"
                T.evaluate(extern(name, source, weight, more, right, target, self.width))
            else:
                self._row(buffers, start, weight, more, right)

    def _row(
        self, buffers: dict[str, tirx.Var], start: Expr, weight: Expr, more: Expr, right: Expr
    ) -> None:
        def one(k: Expr) -> None:
            x = tirx.Cast("int32", buffers["x"][start + k])
            found = tirx.shift_right(x * weight + more, right)
            T.buffer_store(buffers["out"], tirx.Cast("int16", found), [start + k])

        tiles.for_unrolled(tirx.const(self.width, "int32"), 4, one)


def lower(site: Site) -> None:
    """Append the products."""
    append(site)


def append(site: Site, queue: Queue | None = None) -> None:
    """Append the products, of all slots or of those of an expert inside of its loop."""
    node = site.node
    x, weights = taken(node, 2)
    *lead, width = shape_of(x)
    rows = size_of(tuple(lead))
    queued = [] if queue is None else [Pointer(queue.order), Pointer(queue.offsets, 0, 4)]
    site.step(
        WeighRows(
            dtype_of(x), dtype_of(weights), queue is not None, width, site.program.core == "mve"
        ), "weigh_rows",
        [*site.pointers([x, weights]), Pointer(site.outputs[0]), *queued,
         integer(node, "zero_x"), integer(node, "zero_w"), integer(node, "right")],
        tasks=rows, label=f"{rows} rows of {width} times their weights",
        macs=rows * width, nbytes=3 * rows * width,
        reason="experts of a token are added up in one scale",
    )  # fmt: skip
