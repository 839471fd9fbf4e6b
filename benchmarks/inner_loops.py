"""Finds the inner loops of a tile's assembly, and counts their instructions and MACs.

An inner loop is a block that jumps back to its own label. The assembly is that of the compiler's
own LLVM: it does not depend on the tools or the CPU of the machine.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.codegen import compile_functions
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.fetch import Fetch, fetch_for
from edgemoe.targets.kernels.product import product_of
from edgemoe.targets.kernels.tuning import DEFAULT
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat

LABEL = re.compile(r"^(\.L\w+):")
JUMP = re.compile(r"^(?:b\.?\w*|cbn?z|tbn?z|j\w+)\s.*?(\.L\w+)$")
COMMENT = re.compile(r"\s*(//|#(NO_)?APP|#(?![-\w(]))")

MACS = (
    (r"fml[as] v\d+\.4s", 4), (r"sdot v", 16), (r"smmla v", 32), (r"bfdot v", 8),
    (r"bfmmla v", 16), (r"vdpbf16ps .*zmm", 32), (r"fmla v\d+\.8h", 8),
    (r"([su]m(ull|lal)2?|mla|mul) v\d+\.8h", 8),
    (r"vfn?m(add|sub)\d+ps .*zmm", 16), (r"vfn?m(add|sub)\d+ps .*ymm", 8),
    (r"(\{vex\} )?vpdpbusd .*zmm", 64), (r"(\{vex\} )?vpdpbusd .*ymm", 32),
    (r"vpmaddubsw .*ymm", 32),
)  # fmt: skip
"""Multiplications with an addition that an instruction does, by how it begins."""

SPILL = re.compile(r"^(st[pr]|ld[pr]) q.*\[sp|^vmov.*\(%rsp\)")
"""Vectors that go to or come from the stack: spilled sums, or a tile's float sums of groups."""


def macs(lines: tuple[str, ...]) -> int:
    """Multiplications with an addition that instructions do."""
    return sum(each for line in lines for begin, each in MACS if re.match(begin, line))


@dataclass(frozen=True)
class Loop:
    """The instructions of one turn of an inner loop, with the jump."""

    lines: tuple[str, ...]

    @property
    def macs(self) -> int:
        """Multiplications with an addition."""
        return macs(self.lines)

    @property
    def per_mac(self) -> float:
        """Instructions per MAC."""
        return len(self.lines) / self.macs

    @property
    def spills(self) -> int:
        """Instructions that move vectors to or from the stack."""
        return sum(bool(SPILL.search(line)) for line in self.lines)

    def __str__(self) -> str:
        """The instructions, one a line."""
        return "".join(f"    {line}\n" for line in self.lines)


def loops_of(given: WeightFormat, isa: Isa, height: int) -> list[Loop]:
    """Inner loops that multiply, in the tile of `height` rows; the most MACs first."""
    loops = inner_loops(assembly_of(given, isa, height))
    return sorted(loops, key=lambda loop: -loop.macs)


def inner_loops(assembly: str, macs_of: Callable[[tuple[str, ...]], int] = macs) -> list[Loop]:
    """Inner loops that do what `macs_of` counts, in their order."""
    found: list[Loop] = []
    label, lines = "", list[str]()
    for raw in assembly.splitlines():
        line = " ".join(COMMENT.split(raw, 1)[0].split())
        if match := LABEL.match(line):
            if not match[1].startswith((".Ltmp", ".Lfunc")):
                label, lines = match[1], []
        elif line and not line.startswith("."):
            lines.append(line)
            jump = JUMP.match(line)
            if jump is not None and jump[1] == label and macs_of(tuple(lines)):
                found.append(Loop(tuple(lines)))
    return found


def assembly_of(given: WeightFormat, isa: Isa, height: int) -> str:
    """The function of one tile."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tile.s"
        compile_functions({"tile": _tile(given, isa, height)}, isa, path)
        return path.read_text("utf-8")


def _tile(given: WeightFormat, isa: Isa, height: int) -> tirx.PrimFunc:
    """As `Linear` makes it, for one height only."""
    product = product_of(given)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        buffers, (row, first, last, panel, depth, *_) = tiles.parameters(
            {**product.pointers, "out": "float32"}, ("row", "first", "last", "panel", "depth")
        )

        def fetching(start: Expr, size: Expr) -> Fetch:
            itemsize, tallest = tiles.ITEMSIZE[product.pointers["weights"]], product.tallest(isa)
            return fetch_for(
                buffers["weights"],
                itemsize,
                DEFAULT,
                (height, tallest),
                (row, first, last),
                start,
                start + size,
                size,
            )

        rows = [tiles.local(row + i) for i in range(height)]
        values = product.emit(isa, buffers, rows, depth, panel, fetching)
        tiles.call("store", values, T.address_of(buffers["out"][0]), 0, height)
    return builder.get()
