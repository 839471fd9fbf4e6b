"""`Table` and `Curve` of an integer program: any function of one number."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer, Rows
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import extern, local, pointer
from edgemoe.targets.kernels.integer.finish import limited, round_shift
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.site import BYTES, dtype_of, integer, row_bytes, taken
from edgemoe.targets.kernels.integer.site import accepts as accepts
from edgemoe.targets.site import Site, shape_of, size_of

HANDLES = ("edgemoe.integer.Table", "edgemoe.integer.Curve")


@dataclass(frozen=True)
class Lookup(IntegerKernel):
    """The kernel: int8 takes an entry, int16 a point on a line between two; a task is a number.

    `values` of int8 points to the entry of 0, in the middle of its table. With `vectors` the core
    gathers 16 entries at a time.
    """

    x: str
    out: str
    vectors: bool = False

    @property
    def values(self) -> str:
        """Dtype of the table."""
        return "int16" if self.x == "int16" else self.out

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"x": self.x, "values": self.values, "out": self.out}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("right",) * (self.x == "int16")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per number."""
        begin, end, values = n["begin"], n["end"], buffers["values"]

        def entry(k: Expr) -> None:
            i = begin + k
            T.buffer_store(buffers["out"], values[tirx.Cast("int32", buffers["x"][i])], [i])

        if self.vectors:
            source, target = (pointer(buffers[name], begin) for name in ("x", "out"))
            middle = pointer(values, tirx.const(0, "int32"))
            T.evaluate(extern("em_table_s8", source, middle, target, end - begin))
        elif self.x == "int8":
            tiles.for_unrolled(local(end - begin), 4, entry)
        else:
            with T.serial(begin, end) as i:
                x = tirx.Cast("int32", buffers["x"][i])
                place = local(x + 32768)
                at, part = local(place >> 7), local(place & 127)
                low = local(tirx.Cast("int32", values[at]))
                high = local(tirx.Cast("int32", values[at + 1]))
                found = round_shift(local(low * 128 + (high - low) * part), n["right"])
                limit = 128 if self.out == "int8" else 32768
                least, most = tirx.const(-limit, "int32"), tirx.const(limit - 1, "int32")
                T.buffer_store(buffers["out"], limited(found, least, most, self.out), [i])


def _moves(spec: Lookup, width: int, integers: int) -> tuple[int, ...]:
    x, out = row_bytes((spec.x, width), (spec.out, width))
    return (x, 0, out, *([0] * integers))


def lower(site: Site) -> None:
    """Append the function."""
    node = site.node
    x, values = taken(node, 2)
    kinds = dtype_of(x), dtype_of(node.outputs[0])
    spec = Lookup(*kinds, site.program.core == "mve" and kinds == ("int8", "int8"))
    if dtype_of(values) != spec.values:
        raise AssertionError(f"{node.name}: a table of {dtype_of(values)}, not {spec.values}")
    *lead, width = shape_of(x) or (1,)
    rows = size_of(tuple(lead))
    count = rows * width
    source, table = site.pointers([x, values])
    if spec.x == "int8":
        table = replace(table, offset=table.offset + 128 * BYTES[spec.values])
    right = [integer(node, "right")] if spec.x == "int16" else []
    site.step(
        spec, "lookup", [source, table, Pointer(site.outputs[0]), *right],
        in_place=[(site.outputs[0], source.buffer)] if spec.x == spec.out else [], tasks=count,
        rows=Rows(rows, _moves(spec, width, len(right)), columns=width),
        label=f"table of {count}", nbytes=2 * count,
        reason="a function of one number",
    )  # fmt: skip
