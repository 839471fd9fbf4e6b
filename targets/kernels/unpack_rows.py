"""`unpack_rows`: weights that multiply from the left, as the register tiles want their rows.

They are stored as small as their format allows (`row_codes`) and unpacked in every call, once for
all channels and batches: next to the product that is nothing. With int8 activations the result is
what `quantise_rows` makes of activations, codes with scales and sums per row and group; otherwise
it is float32 [rows, depth]. One task per row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer, WeightSection
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels.dots import INPUTS, as_bytes, dot_of
from edgemoe.targets.kernels.integer_tile import groups_of, words_of
from edgemoe.targets.kernels.panels import group_count, group_words, inputs_per_word
from edgemoe.targets.kernels.product import C_TYPES
from edgemoe.targets.kernels.row_codes import pack_rows, part_bytes
from edgemoe.targets.kernels.tile import STORED
from edgemoe.targets.kernels.vector_math import across, register, typed
from edgemoe.targets.site import Site, reader, shape_of
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat


def activation_format(given: WeightFormat) -> WeightFormat:
    """How activations lie as panels for int8 weights of a format: codes of 8 bits, its groups.

    Zero points below 8 bits are taken off the codes of weights when these become bytes; those of 8
    bits are not, as 9 bits would be needed.
    """
    zero_points = given.zero_points and given.bits == 8
    return WeightFormat("integer", 8, given.group, zero_points, int8_activations=True)


@dataclass(frozen=True)
class UnpackRows:
    """The kernel for the weights of one format."""

    given: WeightFormat

    @property
    def uses_dot(self) -> bool:
        """Tell whether the result lies as the dot product wants it."""
        return self.given.int8_activations

    @property
    def taken(self) -> dict[str, str]:
        """Names and dtypes of the parts of the packed weights."""
        given = self.given
        if not given.is_integer:
            return {"weights": STORED[given.kind]}
        found = {"weights": "int32", "packed_scales": "uint16" if given.group else "float32"}
        return found | ({"packed_zeros": "int8"} if given.zero_points else {})

    @property
    def made(self) -> dict[str, str]:
        """Names and dtypes of the results, as the products call them."""
        if not self.given.int8_activations:
            return {"rows": "float32"}
        found = {"a": "int32", "scales": "float32", "sums": "int32"}
        zero_points = activation_format(self.given).zero_points
        return found | ({"zeros": "int32"} if zero_points else {})

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (weights, scales?, zeros?, results..., depth)."""
        return (*(C_TYPES[dtype] for dtype in (self.taken | self.made).values()), "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        del name
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, (depth, begin, end) = tiles.parameters(self.taken | self.made, ("depth",))
            with T.serial(begin, end) as row:
                if self.given.is_integer:
                    self._groups(isa, buffers, row, depth)
                else:
                    self._widen(isa, buffers, row, depth)
        return tiles.Built(builder.get())

    def _widen(self, isa: Isa, buffers: Mapping[str, tirx.Var], row: Expr, depth: Expr) -> None:
        start = tiles.local(row * depth)

        def visit(k: Expr, n: int) -> None:
            value = tiles.load_weights(buffers["weights"], start + k, n, self.given.kind)
            tiles.store(buffers["rows"], start + k, value, n)

        tiles.for_columns(depth, isa.lanes, visit)

    def _groups(self, isa: Isa, buffers: Mapping[str, tirx.Var], row: Expr, depth: Expr) -> None:
        groups = tiles.local(groups_of(depth, self.given))
        words = tiles.local(words_of(depth, self.given))
        with T.serial(0, groups) as g:
            fact = tiles.local(row * groups + g)
            scale = buffers["packed_scales"][fact]
            if self.given.group:
                bits = tirx.shift_left(tirx.Cast("int32", scale), tirx.const(16, "int32"))
                scale = tirx.reinterpret("float32", bits)
            zero: Expr = tirx.const(self.given.zero if self.given.bits < 8 else 0, "int8")
            if self.given.zero_points:
                zero = register(buffers["packed_zeros"][fact])
            if self.given.int8_activations:
                T.buffer_store(buffers["scales"], scale, [fact])
                if "zeros" in self.made:
                    T.buffer_store(buffers["zeros"], tirx.Cast("int32", zero), [fact])
                    zero = tirx.const(0, "int8")
                self._bytes(isa, buffers, fact, words, zero)
            else:
                first = tiles.local(g * words * inputs_per_word(self.given))
                self._floats(buffers, fact * words, row * depth + first, depth - first,
                             words, zero, register(scale))  # fmt: skip

    def _bytes(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], fact: Expr, words: Expr, zero: Expr
    ) -> None:
        """Words of four signed codes, each with the word of their magnitudes where wanted."""
        given, dot = self.given, dot_of(isa)
        panels = activation_format(given)
        copies, parts = 1 + dot.magnitudes(panels), 8 // given.bits
        total = T.alloc_buffer((isa.lanes,), "int32")
        T.buffer_store(total, _words(0, isa.lanes), [T.ramp(0, 1, isa.lanes)])
        start = tiles.local(fact * words)

        def visit(j: Expr, n: int) -> None:
            raw = register(tiles.load(buffers["weights"], start + j, n))
            kept = []
            for part in range(parts):
                codes = raw
                if given.bits < 8:
                    mask = _words(((1 << given.bits) - 1) * 0x01010101, n)
                    shifted = tirx.shift_right(raw, _words(part * given.bits, n))
                    off = tirx.Broadcast(zero, 4 * n)
                    moved = as_bytes(tirx.bitwise_and(shifted, mask), n) - off
                    codes = register(tirx.reinterpret(typed("int32", n), register(moved)))
                kept.append(codes)
                if copies == 2:
                    signed = register(as_bytes(codes, n))
                    nothing = tirx.Broadcast(tirx.const(0, "int8"), 4 * n)
                    size = register(tirx.Select(signed < nothing, nothing - signed, signed))
                    kept.append(register(tirx.reinterpret(typed("int32", n), size)))
                if dot.bias(panels):
                    at = T.ramp(0, 1, n) if n > 1 else 0
                    T.buffer_store(total, total[at] + _byte_sum(codes, n), [at])
            to = tiles.local((start + j) * len(kept))
            if n == 1:
                for i, word in enumerate(kept):
                    T.buffer_store(buffers["a"], word, [to + i])
            else:
                order = [i * n + word for word in range(n) for i in range(len(kept))]
                whole = kept[0] if len(kept) == 1 else tirx.Shuffle(kept, order)
                tiles.store(buffers["a"], to, whole, n * len(kept))

        tiles.for_columns(words, isa.lanes, visit)
        sums = across([total[T.ramp(0, 1, isa.lanes)]], lambda one, other: one + other)
        T.buffer_store(buffers["sums"], sums, [fact])

    def _floats(
        self, buffers: Mapping[str, tirx.Var], start: Expr, to: Expr, inputs: Expr, words: Expr,
        zero: Expr, scale: Expr,
    ) -> None:  # fmt: skip
        """Word by word: its bits, shifted by as many places as there are inputs in a word."""
        bits, each = self.given.bits, inputs_per_word(self.given)
        start, to, inputs = tiles.local(start), tiles.local(to), tiles.local(inputs)
        whole = tiles.local(tirx.min(words, tirx.truncdiv(inputs, each)))
        floats = typed("float32", each)
        offset = register(tirx.Cast("float32", zero))
        # Codes of 8 bits are moved to the top of their words, which keeps their signs.
        shifts = [T.ramp(24, -8, 4)] if bits == 8 else [
            T.ramp(part * bits, 8, 4) for part in range(8 // bits)
        ]  # fmt: skip
        by = shifts[0] if len(shifts) == 1 else tirx.Shuffle(shifts, list(range(each)))

        def value(number: Expr) -> Expr:
            raw = tirx.Broadcast(buffers["weights"][start + number], each)
            if bits == 8:
                codes = tirx.shift_right(tirx.shift_left(raw, by), _words(24, each))
            else:
                codes = tirx.bitwise_and(tirx.shift_right(raw, by), _words((1 << bits) - 1, each))
            moved = tirx.Cast(floats, codes) - tirx.Broadcast(offset, each)
            return register(moved * tirx.Broadcast(scale, each))

        with T.serial(0, whole) as number:
            tiles.store(buffers["rows"], to + number * each, value(number), each)
        done = tiles.local(whole * each)
        with T.If(tirx.And(whole < words, done < inputs)), T.Then():
            last = T.alloc_buffer((each,), "float32")
            tiles.store(last, 0, value(whole), each)
            with T.serial(0, inputs - done) as k:
                T.buffer_store(buffers["rows"], last[k], [to + done + k])


def _words(value: int, lanes: int) -> Expr:
    return tiles.splat(tirx.const(value, "int32"), lanes)


def _byte_sum(words: Expr, n: int) -> Expr:
    """The sum of the four signed bytes of every word."""
    total = tirx.shift_right(words, _words(24, n))
    for i in range(INPUTS - 1):
        left = tirx.shift_left(words, _words(24 - 8 * i, n))
        total = total + tirx.shift_right(left, _words(24, n))
    return total


def append(site: Site, weight: ir.Value, given: WeightFormat) -> list[Pointer]:
    """Place a constant [rows, depth] in the weights, append the step, return its results.

    A program for one block leaves the step to the program around it, where it runs once.
    """
    rows, depth = shape_of(weight)
    read, program = reader(weight), site.program
    sizes = part_bytes(rows, depth, given)
    section = WeightSection(str(weight.name), 0, sum(sizes), "linear", None, given.stored)
    key = ("rows", given, program.weights.digest(weight.const_value, read))
    if key in program.quantised:
        found: list[Pointer] = program.quantised[key]
        return found
    home = program.around or program
    packed = home.packed(str(weight.name), key, [(section, lambda: pack_rows(read(), given))])
    spec = UnpackRows(given)
    groups = group_count(depth, given) if given.is_integer else 0
    # For codes of 8 bits, some instruction sets need the magnitudes as well.
    words = 2 * groups * group_words(depth, given) * (8 // given.bits) if groups else 0
    shapes = {"rows": (rows, depth), "a": (rows, words)}
    made = [
        home.buffer(f"{weight.name}.{name}", dtype, shapes.get(name, (rows, groups)))
        for name, dtype in spec.made.items()
    ]
    taken = [Pointer(packed, sum(sizes[:number])) for number in range(len(sizes))]
    home.step(
        spec, "unpack_rows", [*taken, *map(Pointer, made), depth], tasks=rows,
        label=f"unpack {rows}x{depth} weights", origin=site.origin, nodes=site.nodes,
        nbytes=sum(sizes), reason=f"stored as {given}, multiplied as "
        + ("int8" if given.int8_activations else "float32"),
    )  # fmt: skip
    pointers = [Pointer(program.from_around(number)) for number in made]
    program.quantised[key] = pointers
    return pointers
