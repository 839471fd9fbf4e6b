"""`gather_rows` and `scatter_rows`: whole rows of a table by row numbers.

An embedding reads rows, a KV cache writes them. Numbers may come from a user, so they are checked:
a negative one counts from the end, one beyond the table is clamped when reading and skipped when
writing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import graph_facts
from edgemoe.plan import DTYPE_BYTES, Pointer
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.copy import Copy
from edgemoe.targets.site import Site, shape_of, size_of
from edgemoe.targets.spec import Isa

HANDLES = ("Gather", "GatherND", "ScatterND")


@dataclass(frozen=True)
class Rows:
    """One kernel: `scatter` writes rows of the table, else they are read, one task per row."""

    scatter: bool
    numbers: str  # dtype of the row numbers

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (table, numbers, rows, row bytes, table rows, numbers of a scatter)."""
        pointers = ("int8_t*", f"{self.numbers}_t*", "int8_t*")
        return (*pointers, *["int32_t"] * (2 + self.scatter))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel; it is the same for every instruction set."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            integers = ("bytes", "count", *(["numbers_count"] if self.scatter else []))
            buffers, (nbytes, count, *more, begin, end) = tiles.parameters(
                {"table": "int8", "numbers": self.numbers, "rows": "int8"}, integers
            )
            first, last = (begin * more[0], end * more[0]) if self.scatter else (begin, end)
            with T.serial(first, last) as task:
                given = buffers["numbers"][task]
                # Limited before it is narrowed: the low half of a large number may look valid.
                limit = tirx.Cast(self.numbers, count)
                low, high = tirx.const(0, self.numbers) - limit - 1, limit
                near = tirx.Cast("int32", tirx.max(low, tirx.min(given, high)))
                number = tiles.local(tirx.Select(near < 0, near + count, near))

                def copy(target: str, to: Expr, source: str, at: Expr) -> None:
                    tiles.call(
                        "memcpy", T.address_of(buffers[target][to]),
                        T.address_of(buffers[source][at]), tirx.Cast("int64", nbytes),
                    )  # fmt: skip

                if self.scatter:
                    with T.If(tirx.all(number >= 0, number < count)), T.Then():
                        copy("table", number * nbytes, "rows", task * nbytes)
                else:
                    inside = tiles.local(tirx.max(0, tirx.min(number, count - 1)))
                    copy("rows", task * nbytes, "table", inside * nbytes)
        return tiles.Built(builder.get())


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the node moves whole rows of its first input."""
    del function
    table, numbers = node.inputs[:2]
    if table is None or numbers is None:
        return False
    if graph_facts.is_constant(numbers) and node.op_type != "ScatterND":
        return False  # a copy of known rows: what TVM makes of it is as good
    table_shape, shape = graph_facts.shape_of(table), graph_facts.shape_of(numbers)
    if table_shape is None or shape is None or not table_shape or numbers.dtype not in (
        ir.DataType.INT64, ir.DataType.INT32
    ):  # fmt: skip
        return False
    if str(table.dtype.numpy().name if table.dtype else "") not in DTYPE_BYTES:
        return False
    if node.op_type == "Gather":
        return graph_facts.axis_of(node, 0, len(table_shape)) == 0
    if node.op_type == "GatherND":
        return shape[-1:] == (1,) and graph_facts.attribute(node, "batch_dims", 0) == 0
    plain = graph_facts.text_attribute(node, "reduction", "none") == "none"
    return plain and shape[-1:] == (1,)


def lower(site: Site) -> None:
    """Append the movement; a scatter first copies the table to its result."""
    node = site.node
    table, numbers = node.inputs[:2]
    assert table is not None and numbers is not None and numbers.dtype is not None
    shape = shape_of(table)
    row = size_of(shape[1:]) * DTYPE_BYTES[str(table.dtype.numpy().name)]  # type: ignore[union-attr]
    count = size_of(shape_of(numbers))
    (out,) = site.outputs
    dtype = str(numbers.dtype.numpy().name)
    facts: dict[str, Any] = {"origin": site.origin, "nodes": site.nodes}
    if node.op_type != "ScatterND":
        site.program.step(
            Rows(False, dtype), "gather_rows",
            [*site.pointers([table, numbers]), Pointer(out), row, shape[0]],
            tasks=count, label=f"gather {count} rows of {row} B", nbytes=2 * count * row,
            reason="row numbers of the first axis", **facts,
        )  # fmt: skip
        return
    updates = node.inputs[2]
    assert updates is not None
    (source, new) = site.pointers([table, updates])
    Copy.append(site.program, source.buffer, out, shape[0] * row, **facts)
    site.program.step(
        Rows(True, dtype), "scatter_rows",
        [Pointer(out), *site.pointers([numbers]), new, row, shape[0], count],
        # One task: row numbers may repeat, and the last one wins.
        tasks=1, label=f"scatter {count} rows of {row} B", nbytes=2 * count * row,
        reason="row numbers of the first axis", **facts,
    )  # fmt: skip
