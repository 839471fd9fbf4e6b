"""The product kernel of integer programs: rows of int8 or int16 times packed weights, rescaled.

Panels are the outer loop, so that a call reads every weight once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.integer.cores import (
    COLUMNS,
    OFFSET,
    core_of,
    extern,
    local,
    pointer,
)
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.mve import LANES

INTEGERS = (
    "depth", "stride", "columns", "group", "left", "offset", "right", "low", "high", "shared",
    "chosen", "shift", "zero_w",
)  # fmt: skip
"""Integer parameters of a product; `stride` of a row of inputs, in elements of its pointer,
`left` a power of two, `offset` half a step of the result and its zero point, before the last shift,
`shared` rows of the results of one row of inputs, `chosen` rows that are added up to one of the
results, `shift` and `zero_w` of a weighted bias.
"""


@dataclass(frozen=True)
class Product(IntegerKernel):
    """What distinguishes products: the core, bits of weights, dtypes, groups, who has the rows.

    A task is a row. The rows of an expert are the first of its queue (see `group_tokens`): where it
    is `gathered`, row r of the inputs is that of slot `order`[`offsets`[0] + r], where it is
    `scattered` that slot is the row of the result. No call of a `lone` product has two rows.
    """

    core: str
    bits: int
    x: str  # dtype of the pointer to the inputs
    out: str
    grouped: bool = False
    gathered: bool = False
    scattered: bool = False
    limited: bool = False
    added: bool = False
    weighted: str = ""
    lone: bool = False
    fixed: tuple[tuple[str, int], ...] = ()

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes of the pointers, by name."""
        core = core_of(self.core)
        names = {"x": self.x, "weights": core.word(self.bits)}
        if self.weighted or not self.added:
            names["bias"] = "int32"
        if not self.added:
            names["multiplier"] = "int32"
        names["out"] = self.out
        if OFFSET[self.bits]:
            names["sums"] = "int32"
        if self.grouped:
            names["factors"] = "int8"
        if self.queued:
            names |= {"order": "int32", "offsets": "int32"}
        if self.weighted:
            names["shares"] = self.weighted
        return names

    @property
    def queued(self) -> bool:
        """Whether rows are those of a queue."""
        return self.gathered or self.scattered

    @property
    def integers(self) -> tuple[str, ...]:
        """Names of the integer parameters."""
        used = {name: True for name in INTEGERS} | {
            "group": self.grouped, "low": self.limited, "high": self.limited,
            "shared": self.gathered, "left": not self.added, "offset": not self.added,
            "right": not self.added, "chosen": self.added, "shift": bool(self.weighted),
            "zero_w": bool(self.weighted),
        }  # fmt: skip
        known = {name for name, _ in self.fixed}
        return tuple(n for n, is_used in used.items() if is_used and n not in known)

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        n = n | {name: tirx.const(value, "int32") for name, value in self.fixed}
        begin = local(buffers["offsets"][0]) if self.queued else None

        def rows(r: Expr) -> tuple[Expr, Expr]:
            if begin is None:
                return r, r
            slot = local(buffers["order"][begin + r])
            source = local(tirx.truncdiv(slot, n["shared"])) if self.gathered else r
            return source, slot if self.scattered else r

        (self._short if self.is_short else self._panels)(buffers, n, rows)

    @property
    def is_short(self) -> bool:
        """Whether a row of inputs stays in vectors while all columns are added to."""
        plain = self.added and not (self.weighted or self.grouped) and self.bits == 8
        known = dict(self.fixed).get("depth", LANES + 1)
        return self.core == "mve" and plain and self.x == "int16" and known <= LANES

    def _short(
        self, buffers: Buffers, n: Numbers,
        rows: Callable[[Expr], tuple[Expr, Expr]],
    ) -> None:  # fmt: skip
        """Emit rows of one vector of bytes; panels lie column by column then."""
        columns = local(tiles.row_blocks(n["columns"], COLUMNS) * COLUMNS)
        weights = pointer(buffers["weights"], tirx.const(0, "int32"))

        def one(row: Expr) -> None:
            source, slot = rows(row)
            x = pointer(buffers["x"], local(source * n["stride"]))
            out = pointer(buffers["out"], local(tirx.truncdiv(slot, n["chosen"]) * columns))
            T.evaluate(extern("em_add_short_s16", x, n["depth"], weights, out, columns))

        if self.lone:
            with T.If(n["begin"] < n["end"]), T.Then():
                one(n["begin"])
        else:
            with T.serial(n["begin"], n["end"]) as row:
                one(row)

    def _panels(
        self, buffers: Buffers, n: Numbers,
        rows: Callable[[Expr], tuple[Expr, Expr]],
    ) -> None:  # fmt: skip
        """Emit all panels; `rows` gives the places of a row of the inputs and of the result."""
        size = local(self._panel_size(n["depth"]))
        count = tiles.row_blocks(n["columns"], COLUMNS)
        store = self._add if self.added else self._store

        def begin(panel: Expr) -> tuple[Expr, Expr]:
            return local(panel * size), local(panel * COLUMNS)

        def tile(start: Expr, column: Expr, places: Sequence[tuple[Expr, Expr]]) -> None:
            totals = self._totals(buffers, n, [source for source, _ in places], start, column)
            for i, (_, target) in enumerate(places):
                store(buffers, n, totals, i, target, column)

        if self.lone:
            with T.If(n["begin"] < n["end"]), T.Then():
                place = rows(n["begin"])
                with T.serial(0, count) as panel:
                    tile(*begin(panel), [place])
            return
        with T.serial(0, count) as panel:
            start, column = begin(panel)
            _for_tiles(
                core_of(self.core).tallest, n["begin"], n["end"],
                lambda row, height: tile(
                    start, column, [rows(local(row + i)) for i in range(height)]
                ),
            )  # fmt: skip

    def _panel_size(self, depth: Expr) -> Expr:
        """Elements of a packed panel."""
        core = core_of(self.core)
        step = core.step(self.bits)
        elements = step * COLUMNS * self.bits // 8 // _ITEMSIZE[core.word(self.bits)]
        if step == 1:
            elements_of_one = COLUMNS * self.bits // 8
            return depth * elements_of_one
        return tiles.row_blocks(depth, step) * elements

    def _totals(
        self, buffers: Buffers, n: Numbers,
        sources: Sequence[Expr], panel: Expr, channel: Expr,
    ) -> tirx.Var:  # fmt: skip
        """Sums of products without the bias, int32 [rows x COLUMNS]."""
        core = core_of(self.core)
        starts = [local(source * n["stride"]) for source in sources]
        offset = OFFSET[self.bits]
        x_dtype = "int16" if core.paired else self.x

        def part(first: Expr, last: Expr, number: Expr, groups: Expr) -> tirx.Var:
            found = core.accumulate(
                self.bits, x_dtype, buffers["x"], starts, buffers["weights"], panel, first,
                last,
            )  # fmt: skip
            if offset:
                for i, source in enumerate(sources):
                    less = local(buffers["sums"][source * groups + number] * offset)
                    for j in range(COLUMNS):
                        at = i * COLUMNS + j
                        T.buffer_store(found, found[at] - less, [at])
            return found

        if not self.grouped:
            zero, one = tirx.const(0, "int32"), tirx.const(1, "int32")
            return part(zero, n["depth"], zero, one)
        totals = T.alloc_buffer((len(sources) * COLUMNS,), "int32")
        for at in range(len(sources) * COLUMNS):
            T.buffer_store(totals, tirx.const(0, "int32"), [at])
        groups = local(tirx.truncdiv(n["depth"], n["group"]))
        with T.serial(0, groups) as number:
            first = local(number * n["group"])
            found = part(first, local(first + n["group"]), number, groups)
            for j in range(COLUMNS):
                factor = local(
                    tirx.Cast("int32", buffers["factors"][(channel + j) * groups + number])
                )
                for i in range(len(sources)):
                    at = i * COLUMNS + j
                    T.buffer_store(totals, totals[at] + found[at] * factor, [at])
        return totals

    def _add(
        self, buffers: Buffers, n: Numbers, totals: tirx.Var, row: int,
        slot: Expr, column: Expr,
    ) -> None:  # fmt: skip
        padded = tiles.row_blocks(n["columns"], COLUMNS) * COLUMNS
        start = local(tirx.truncdiv(slot, n["chosen"]) * padded + column)
        sums = [totals[row * COLUMNS + j] for j in range(COLUMNS)]
        more: list[Expr] = []
        if self.weighted:
            share = local(tirx.Cast("int32", buffers["shares"][slot]) - n["zero_w"])
            more = [pointer(buffers["bias"], column), share, n["shift"]]
        name = "em_add4_weighted" if self.weighted else "em_add4"
        T.evaluate(extern(name, *sums, *more, pointer(buffers["out"], start)))

    def _store(
        self, buffers: Buffers, n: Numbers, totals: tirx.Var, row: int,
        target: Expr, column: Expr,
    ) -> None:  # fmt: skip
        at = target * n["columns"] + column
        limits = (n["low"], n["high"]) if self.limited else ()
        T.evaluate(
            extern(
                f"em_{'limit' if self.limited else 'finish'}4_s{self.out.removeprefix('int')}",
                *(totals[row * COLUMNS + j] for j in range(COLUMNS)),
                pointer(buffers["bias"], column), pointer(buffers["multiplier"], column),
                n["left"], n["offset"], n["right"], *limits, pointer(buffers["out"], at),
                n["columns"] - column,
            )
        )  # fmt: skip


@dataclass(frozen=True)
class Queue:
    """The rows of the experts: `order` and `offsets` as of `group_tokens`, results of `slots`.

    An expert has `most` rows at most.
    """

    experts: int
    slots: int
    most: int
    order: int
    offsets: int


def _for_tiles(tallest: int, begin: Expr, end: Expr, tile: Callable[[Expr, int], None]) -> None:
    """Emit tiles of `tallest` rows, and single rows for the rest."""
    whole = local(tirx.truncdiv(end - begin, tallest))
    with T.serial(0, whole) as number:
        tile(local(begin + number * tallest), tallest)
    rest = local(begin + whole * tallest)
    with T.serial(0, end - rest) as number:
        tile(local(rest + number), 1)


_ITEMSIZE = {"int8": 1, "uint8": 1, "int32": 4}
