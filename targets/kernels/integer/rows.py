"""Rows of inputs in the form that a core reads: words of two int16, and their sums."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer, Rows
from edgemoe.targets.kernels.integer.cores import Core, extern, local, padded, pointer
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers
from edgemoe.targets.kernels.integer.site import row_bytes
from edgemoe.targets.program import Program

PAIR_STEP = 16
"""Inputs that a row of pairs is padded to: what a word of the narrowest weights holds."""


@dataclass(frozen=True)
class Pairs(IntegerKernel):
    """Widens rows to int16 and packs two into a word; behind the last input there are zeros."""

    x: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"x": self.x, "out": "int32"}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("depth", "words")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        depth, words, begin, end = n.values()
        with T.serial(begin, end) as row:
            start, target = local(row * depth), local(row * words)

            def half(k: Expr) -> Expr:
                return local(tirx.Cast("int32", buffers["x"][start + k]))

            done: Expr = tirx.const(0, "int32")
            if self.x == "int8":
                fours = local(tirx.truncdiv(depth, 4))
                with T.serial(0, fours) as i:
                    word = local(extern("em_load4", pointer(buffers["x"], start + i * 4)))
                    even = local(extern("em_sxtb16", word))
                    odd = local(extern("em_sxtb16_ror8", word))
                    place = local(target + i * 2)
                    T.buffer_store(buffers["out"], extern("em_lows16", even, odd), [place])
                    T.buffer_store(buffers["out"], extern("em_highs16", even, odd), [place + 1])
                done = fours * 2
            whole = local(tirx.truncdiv(depth, 2))
            with T.serial(0, whole - done) as rest:
                i = local(done + rest)
                low, high = half(i * 2), half(i * 2 + 1)
                T.buffer_store(buffers["out"], (low & 0xFFFF) | high * 65536, [target + i])
            with T.serial(0, words - whole) as i:
                T.buffer_store(buffers["out"], 0, [target + whole + i])
            with T.If(whole * 2 < depth), T.Then():
                T.buffer_store(buffers["out"], half(whole * 2) & 0xFFFF, [target + whole])


@dataclass(frozen=True)
class RowSums(IntegerKernel):
    """Sums of groups of inputs of every row, int32; one task per row."""

    x: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"x": self.x, "out": "int32"}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("groups", "size")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per row."""
        groups, size, begin, end = n.values()
        with T.serial(begin * groups, end * groups) as number:
            total = T.alloc_buffer((1,), "int32")
            T.buffer_store(total, tirx.const(0, "int32"), [0])
            start = local(number * size)
            with T.serial(0, size) as k:
                value = tirx.Cast("int32", buffers["x"][start + k])
                T.buffer_store(total, total[0] + value, [0])
            T.buffer_store(buffers["out"], total[0], [number])


def inputs_of(
    program: Program, core: Core, source: int, dtype: str, rows: int, depth: int
) -> tuple[int, str, int]:
    """The buffer that a product reads, the dtype of its pointer, and elements per row.

    Products of the same rows share it.
    """
    if not core.paired:
        return source, dtype, depth
    if dtype == "int16" and depth % PAIR_STEP == 0:
        return source, "int32", depth // 2
    words = padded(depth, PAIR_STEP) // 2
    key = ("pairs", source)
    if key not in program.quantised:
        name = program.buffers[source].name
        target = program.buffer(f"{name}.pairs", "int32", (program.rows_held(rows), words))
        program.step(
            Pairs(dtype), "pairs", [Pointer(source), Pointer(target), depth, words], tasks=rows,
            label=f"{rows} rows of {depth} to pairs", nbytes=rows * depth * 3,
            rows=Rows(rows, (*row_bytes((dtype, depth), ("int32", words)), 0, 0)),
            reason="the multiplier takes two int16",
        )  # fmt: skip
        program.quantised[key] = target
    return program.quantised[key], "int32", words


def sums_of(program: Program, source: int, dtype: str, rows: int, depth: int, group: int) -> int:
    """The buffer of the sums of groups of inputs, int32 [rows, depth / group]."""
    key = ("sums", source, group)
    if key not in program.quantised:
        groups = depth // group
        name = program.buffers[source].name
        target = program.buffer(f"{name}.sums", "int32", (program.rows_held(rows), groups))
        program.step(
            RowSums(dtype), "row_sums", [Pointer(source), Pointer(target), groups, group],
            tasks=rows, label=f"sums of {rows} rows of {depth}", nbytes=rows * depth,
            rows=Rows(rows, (*row_bytes((dtype, depth), ("int32", groups)), 0, 0)),
            reason="codes are stored with an offset",
        )  # fmt: skip
        program.quantised[key] = target
    found: int = program.quantised[key]
    return found
