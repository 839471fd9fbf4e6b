"""`TopK` of an integer program: the k largest of a row with their numbers."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.norm import cell
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.kernels.integer.site import dtype_of, integer, taken
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.TopK",)


@dataclass(frozen=True)
class TopK(IntegerKernel):
    """The kernel; one task per row. The results so far are kept in order, equal ones as found."""

    x: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"x": self.x, "values": self.x, "ids": "int32"}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("width", "k")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        width, k, begin, end = n.values()
        values, ids = buffers["values"], buffers["ids"]
        with T.serial(begin, end) as row:
            start, out = local(row * width), local(row * k)
            with T.serial(0, width) as j:
                value = local(tirx.Cast("int32", buffers["x"][start + j]))
                kept = local(tirx.min(j, k))
                at = cell(0)
                T.buffer_store(at, kept, [0])
                # The element before is only read where there is one.
                moving = cell(1)
                with T.While(tirx.all(at[0] > 0, moving[0] > 0)):
                    last = local(tirx.Cast("int32", values[out + at[0] - 1]))
                    with T.If(last < value):
                        with T.Then():
                            with T.If(at[0] < k), T.Then():
                                T.buffer_store(values, values[out + at[0] - 1], [out + at[0]])
                                T.buffer_store(ids, ids[out + at[0] - 1], [out + at[0]])
                            T.buffer_store(at, at[0] - 1, [0])
                        with T.Else():
                            T.buffer_store(moving, tirx.const(0, "int32"), [0])
                with T.If(at[0] < k), T.Then():
                    T.buffer_store(values, tirx.Cast(self.x, value), [out + at[0]])
                    T.buffer_store(ids, tirx.Cast("int32", j), [out + at[0]])


def lower(site: Site) -> None:
    """Append the selection."""
    node = site.node
    (x,) = taken(node, 1)
    shape, k = shape_of(x), integer(node, "k")
    rows = size_of(shape[:-1])
    site.step(
        TopK(dtype_of(x)), "topk",
        [*site.pointers([x]), *(Pointer(b) for b in site.outputs), shape[-1], k], tasks=rows,
        label=f"top {k} of {rows} rows of {shape[-1]}",
        nbytes=size_of(shape), reason="a router's choice",
    )  # fmt: skip
