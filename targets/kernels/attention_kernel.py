"""softmax(scale * q k^T + mask) v for any strides, grouped queries and key counts.

A task computes some rows of one key head; a row is one query of one of the heads that share it.
Keys come in blocks that start at multiples of `KEYS` whatever the mask: a block of keys is
transposed into a cache of the stack once for all rows of the task, scores are products of register
tiles, the softmax is an online one (`attention_softmax`), and results stay in the output while
they grow. Blocks that no row of the task sees are not touched (`mask_range`): the cost of a window
follows its width, that of a cache its length. The order of a row's sums depends on nothing but the
key numbers. Keys and values may be stored in 16 bits or in int8 with a scale per row
(`edgemoe.kv_cache`): elements are widened in registers, the scale of a key multiplies its finished
products, that of a value the weight that it gets. After FlashAttention-2 (Dao, 2023, section 3.1),
whose tiles these are.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import attention_form
from edgemoe.targets.generic import c_pointer
from edgemoe.targets.kernels import mask_range, turned_rows
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.attention_softmax import HIDDEN, SoftmaxStep
from edgemoe.targets.kernels.attention_tile import (
    DEPTH,
    KEYS,
    add_scores,
    add_values,
    for_row_tiles,
    widened,
)
from edgemoe.targets.kernels.mask_range import CLEAN, FIELDS
from edgemoe.targets.kernels.rotary import Rotary
from edgemoe.targets.kernels.transpose_block import transposed
from edgemoe.targets.kernels.vector_math import across, register
from edgemoe.targets.spec import Isa

ROWS = 24
"""Most rows of a task: a multiple of all tile heights, and ROWS * KEYS scores fit the stack."""

STRIDES = tuple(
    f"{tensor}_{axis}"
    for tensor in ("q", "k", "v", "o", "m", "r")
    for axis in ("batch", "head", "row")
)
"""Element strides, in the order of the kernel's integers; the last axis is contiguous."""

_ZERO = tirx.const(0.0, "float32")


@dataclass(frozen=True)
class Attention:
    """What distinguishes one kernel from another.

    `mask` is what the kernel has to read element by element; "none" with `ranged` is a mask that
    its ranges describe. `k` and `v` are the dtypes in which keys and values are stored. With
    `turns`, queries are written first, turned by their angles (`turned_rows`).
    """

    scale: float
    mask: attention_form.MaskKind
    ranged: bool = False
    k: str = "float32"
    v: str = "float32"
    turns: Rotary | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the parameters, in order.

        (q, k, v, out, k_scales?, v_scales?, ranges?, mask?, turned?, heads, group, queries, keys,
        size, value_size, strides, turned?); the scales of int8 are one per row of k and v.
        """
        stored = ("float*", c_pointer(self.k), c_pointer(self.v), "float*")
        scales = ("float*",) * ((self.k == "int8") + (self.v == "int8"))
        mask = {"none": (), "float": ("float*",)}.get(self.mask, ("int8_t*",))
        ranges = ("int32_t*",) if self.ranged else ()
        given, more = turned_rows.parameters(self.turns)
        return stored + scales + ranges + mask + given + ("int32_t",) * (6 + len(STRIDES)) + more

    @staticmethod
    def tasks(batch: int, heads: int, group: int, queries: int) -> int:
        """Number of tasks."""
        return batch * (heads // group) * -(-queries * group // ROWS)

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        step = f"{name}_softmax"
        softmax = SoftmaxStep(self.scale, self.mask).build(isa)
        return tiles.Built(_Main(self, isa, isa.symbol(step)).build(), {step: softmax})


class _Main:
    """Builds the kernel: one method per part of a task."""

    def __init__(self, spec: Attention, isa: Isa, step: str) -> None:
        self.spec, self.isa, self.step = spec, isa, step

    def build(self) -> tirx.PrimFunc:
        spec = self.spec
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = dict.fromkeys(("q", "k", "v", "out"), "float32")
            for tensor, dtype in (("k", spec.k), ("v", spec.v)):
                names[tensor] = tiles.STORED.get(dtype, dtype)
            for tensor, dtype in (("k", spec.k), ("v", spec.v)):
                if dtype == "int8":
                    names[f"{tensor}_scales"] = "float32"
            if spec.ranged:
                names["ranges"] = "int32"
            if spec.mask != "none":
                names["mask"] = "float32" if spec.mask == "float" else "int8"
            integers = ("heads", "group", "queries", "keys", "size", "value_size", *STRIDES)
            if spec.turns is not None:
                names |= dict.fromkeys(turned_rows.TENSORS, "float32")
                integers += turned_rows.INTEGERS
            self.buffers, numbers = tiles.parameters(names, integers)
            self.number = dict(zip(integers, numbers, strict=False))
            begin, end = numbers[-2:]
            with T.serial(begin, end) as task:
                self._task(task)
        return builder.get()

    def _task(self, task: Expr) -> None:
        number = self.number
        flat = tiles.local(number["queries"] * number["group"])
        blocks = tiles.local(tiles.row_blocks(flat, ROWS))
        pairs = tiles.local(tirx.truncdiv(number["heads"], number["group"]))
        first_row = tiles.local(tirx.truncmod(task, blocks) * ROWS)
        rest = tiles.local(tirx.truncdiv(task, blocks))
        key_head = tiles.local(tirx.truncmod(rest, pairs))
        batch = tiles.local(tirx.truncdiv(rest, pairs))
        self.rows = tiles.local(tirx.min(flat - first_row, ROWS))
        tables = ("q", "o", "first", "last", "kind", *(("m",) if self.spec.mask != "none" else ()))
        self.cells = {name: T.alloc_buffer((ROWS,), "int32") for name in tables}
        self.cells |= {
            "peak": T.alloc_buffer((ROWS,), "float32"),
            "shrink": T.alloc_buffer((ROWS,), "float32"),
            "total": T.alloc_buffer((ROWS * self.isa.lanes,), "float32"),
            "scores": T.alloc_buffer((ROWS * KEYS,), "float32"),
            "keys": T.alloc_buffer((DEPTH * KEYS,), "float32"),
        }
        if "int8" in (self.spec.k, self.spec.v):
            self.cells["scales"] = T.alloc_buffer((KEYS,), "float32")
        low, high = self._start_rows(batch, key_head, first_row)
        k_at = tiles.local(batch * number["k_batch"] + key_head * number["k_head"])
        v_at = tiles.local(batch * number["v_batch"] + key_head * number["v_head"])
        begin = tiles.local(tirx.truncdiv(low, KEYS))
        count = tiles.local(tirx.truncdiv(high + (KEYS - 1), KEYS) - begin)
        with T.serial(0, count) as block:
            base = tiles.local((begin + block) * KEYS)
            self._scores(k_at, base)
            if self.spec.k == "int8":
                self._scale("k", k_at, number["size"], base)
            cells = self.cells
            names = ["scores", "peak", "total", "shrink", "first", "last", "kind"]
            given = [T.address_of(cells[name][0]) for name in names]
            if self.spec.mask != "none":
                given += [T.address_of(self.buffers["mask"][0]), T.address_of(cells["m"][0])]
            tiles.call(self.step, *given, base, number["keys"], 0, self.rows)
            if self.spec.v == "int8":
                self._scale("v", v_at, number["value_size"], base)
            self._values(tiles.local(v_at + base * number["v_row"]), base)
        self._finish()

    def _start_rows(self, batch: Expr, key_head: Expr, first_row: Expr) -> tuple[Expr, Expr]:
        """Fill the tables of the rows; returns the first and last key that any of them sees."""
        number, cells = self.number, self.cells
        low, high = T.alloc_buffer((1,), "int32"), T.alloc_buffer((1,), "int32")
        T.buffer_store(low, number["keys"], [0])
        T.buffer_store(high, 0, [0])
        with T.serial(0, self.rows) as r:
            query = tiles.local(tirx.truncdiv(first_row + r, number["group"]))
            member = tirx.truncmod(first_row + r, number["group"])
            head = tiles.local(key_head * number["group"] + member)

            def start(tensor: str) -> Expr:
                return tiles.local(
                    batch * number[f"{tensor}_batch"] + head * number[f"{tensor}_head"]
                    + query * number[f"{tensor}_row"]
                )  # fmt: skip

            q_at = start("q")
            T.buffer_store(cells["q"], q_at, [r])
            if self.spec.turns is not None:
                turned_rows.turn(
                    self.spec.turns, self.isa, self.buffers, number, (batch, head, query),
                    (self.buffers["q"], q_at), number["size"],
                )  # fmt: skip
            if self.spec.mask != "none":
                T.buffer_store(cells["m"], start("m"), [r])
            out = start("o")
            T.buffer_store(cells["o"], out, [r])
            facts: list[Expr] = [
                tirx.const(0, "int32"), number["keys"], tirx.const(CLEAN, "int32")
            ]  # fmt: skip
            if self.spec.ranged:
                at = start("r")
                facts = [tiles.local(self.buffers["ranges"][at + i]) for i in range(FIELDS)]
            for name, value in zip(("first", "last", "kind"), facts, strict=True):
                T.buffer_store(cells[name], value, [r])
            T.buffer_store(low, tirx.min(low[0], facts[0]), [0])
            T.buffer_store(high, tirx.max(high[0], facts[1]), [0])
            T.buffer_store(cells["peak"], tirx.const(HIDDEN, "float32"), [r])
            lanes = self.isa.lanes
            tiles.store(cells["total"], r * lanes, tiles.splat(_ZERO, lanes), lanes)
            tiles.for_columns(
                number["value_size"], lanes,
                lambda j, n: tiles.store(self.buffers["out"], out + j, tiles.splat(_ZERO, n), n),
            )  # fmt: skip
        return low[0], high[0]

    def _scores(self, k_at: Expr, base: Expr) -> None:
        """Scores of all rows with the block of keys that begins at key `base`."""
        lanes, scores = self.isa.lanes, self.cells["scores"]
        with T.serial(0, self.rows * (KEYS // lanes)) as i:
            tiles.store(scores, i * lanes, tiles.splat(_ZERO, lanes), lanes)
        size = self.number["size"]
        with T.serial(0, tiles.row_blocks(size, DEPTH)) as part:
            start = tiles.local(part * DEPTH)
            depth = tiles.local(tirx.min(size - start, DEPTH))
            self._transpose(tiles.local(k_at + start), base, depth)

            def tile(row: Expr, height: int) -> None:
                q_at = [tiles.local(self.cells["q"][row + i] + start) for i in range(height)]
                add_scores(
                    self.isa, self.buffers["q"], q_at, self.cells["keys"], depth, scores, row
                )

            for_row_tiles(self.isa, self.rows, tile)

    def _scale(self, tensor: str, at: Expr, width: Expr, base: Expr) -> None:
        """Multiply the scores, or weights, of a block of keys by the scales of their rows.

        What stands there for keys behind the last is never used.
        """
        lanes, scores, scales = self.isa.lanes, self.cells["scores"], self.cells["scales"]
        first = tiles.local(tirx.truncdiv(at, width))
        step = tiles.local(tirx.truncdiv(self.number[f"{tensor}_row"], width))
        with T.serial(0, KEYS) as key:
            place = first + tirx.min(base + key, self.number["keys"] - 1) * step
            T.buffer_store(scales, self.buffers[f"{tensor}_scales"][place], [key])
        vectors = [register(tiles.load(scales, j, lanes)) for j in range(0, KEYS, lanes)]
        with T.serial(0, self.rows) as r:
            for number, vector in enumerate(vectors):
                place = tiles.local(r * KEYS + number * lanes)
                tiles.store(scores, place, tiles.load(scores, place, lanes) * vector, lanes)

    def _transpose(self, k_at: Expr, base: Expr, depth: Expr) -> None:
        """Write elements [k_at, k_at + depth) of a block of keys as [depth, KEYS].

        What stands there for keys behind the last is never used.
        """
        n = min(self.isa.lanes, 8)
        k, keys, target = self.buffers["k"], self.number["keys"], self.cells["keys"]

        def row(key: Expr) -> Expr:
            return tiles.local(k_at + tirx.min(base + key, keys - 1) * self.number["k_row"])

        with T.serial(0, KEYS // n) as group, T.If(base + group * n < keys), T.Then():
            rows = [row(group * n + i) for i in range(n)]
            kind = self.spec.k
            with T.serial(0, tirx.truncdiv(depth, n)) as column:
                block = transposed([register(widened(k, at + column * n, n, kind)) for at in rows])
                for i, vector in enumerate(block):
                    tiles.store(target, (column * n + i) * KEYS + group * n, vector, n)
            tail = tiles.local(tirx.truncmod(depth, n))
            with T.serial(0, tail) as j:
                d = tiles.local(depth - tail + j)
                for i, at in enumerate(rows):
                    T.buffer_store(target, widened(k, at + d, 1, kind), [d * KEYS + group * n + i])

    def _values(self, v_at: Expr, base: Expr) -> None:
        """Add the block's weighted values to the results of all rows."""
        cells = self.cells

        def tile(row: Expr, height: int) -> None:
            low, high = cells["first"][row], cells["last"][row]
            for i in range(1, height):
                low = tirx.min(low, cells["first"][row + i])
                high = tirx.max(high, cells["last"][row + i])
            begin = tiles.local(tirx.max(low - base, 0))
            end = tiles.local(tirx.min(high - base, KEYS))
            with T.If(begin < end), T.Then():
                add_values(
                    self.isa, cells["scores"], row,
                    [register(cells["shrink"][row + i]) for i in range(height)], (begin, end),
                    self.buffers["v"], v_at, self.number["v_row"], self.buffers["out"],
                    [tiles.local(cells["o"][row + i]) for i in range(height)],
                    self.number["value_size"], self.spec.v,
                )  # fmt: skip

        for_row_tiles(self.isa, self.rows, tile)

    def _finish(self) -> None:
        """Divide the results of all rows by the sums of their weights."""
        lanes, out = self.isa.lanes, self.buffers["out"]
        with T.serial(0, self.rows) as r:
            parts = register(tiles.load(self.cells["total"], r * lanes, lanes))
            factor = tirx.const(1.0, "float32") / across([parts], lambda a, b: a + b)
            zero = tirx.EQ(self.cells["kind"][r], mask_range.ZERO)
            factor = register(tirx.Select(zero, _ZERO, register(factor)))
            at = tiles.local(self.cells["o"][r])
            tiles.for_columns(
                self.number["value_size"], lanes,
                lambda j, n: tiles.store(
                    out, at + j, tiles.load(out, at + j, n) * tiles.splat(factor, n), n
                ),
            )  # fmt: skip
