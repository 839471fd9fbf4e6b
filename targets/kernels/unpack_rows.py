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
from edgemoe.targets.kernels.dots import INPUTS, Dot, as_bytes, dot_of
from edgemoe.targets.kernels.integer_tile import blocks_of, groups_of
from edgemoe.targets.kernels.panels import block_inputs, block_words, group_count, group_inputs
from edgemoe.targets.kernels.product import C_TYPES
from edgemoe.targets.kernels.row_codes import pack_rows, part_bytes
from edgemoe.targets.kernels.tile import STORED
from edgemoe.targets.kernels.vector_math import across, register, typed
from edgemoe.targets.program import Program
from edgemoe.targets.site import Site, reader, shape_of
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import WeightFormat


def activation_format(given: WeightFormat) -> WeightFormat:
    """How activations lie as panels for int8 weights of a format: codes of 8 bits, its groups.

    Zero points below 8 bits are taken off the codes of weights when these become bytes; those of 8
    bits are not, as 9 bits would be needed.
    """
    zero_points = given.zero_points and given.bits == 8
    return WeightFormat(
        "integer", 8, given.group, zero_points, int8_activations=True,
        static_activations=given.static_activations,
    )  # fmt: skip


@dataclass(frozen=True)
class UnpackRows:
    """The kernel for the weights of one format."""

    given: WeightFormat

    @property
    def uses(self) -> tuple[str, ...]:
        """The dot product for which the result lies as it wants it."""
        return ("dot",) if self.given.int8_activations else ()

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
        given = self.given
        groups = tiles.local(groups_of(depth, given))
        blocks = tiles.local(blocks_of(depth, given))
        with T.serial(0, groups) as g:
            fact = tiles.local(row * groups + g)
            scale = buffers["packed_scales"][fact]
            if given.group:
                bits = tirx.shift_left(tirx.Cast("int32", scale), tirx.const(16, "int32"))
                scale = tirx.reinterpret("float32", bits)
            zero: Expr = tirx.const(given.zero if given.bits < 8 else 0, "int8")
            if given.zero_points:
                zero = register(buffers["packed_zeros"][fact])
            if given.int8_activations:
                T.buffer_store(buffers["scales"], scale, [fact])
                if "zeros" in self.made:
                    T.buffer_store(buffers["zeros"], tirx.Cast("int32", zero), [fact])
                    zero = tirx.const(0, "int8")
                self._bytes(isa, buffers, fact, blocks, zero)
            else:
                first = tiles.local(g * blocks * block_inputs(given))
                inputs = tiles.local(tirx.min(depth - first, blocks * block_inputs(given)))
                to = tiles.local(row * depth + first)
                self._floats(isa, buffers, fact * blocks, to, inputs, zero, register(scale))

    def _bytes(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], fact: Expr, blocks: Expr, zero: Expr
    ) -> None:
        """Words of four signed codes, each with the word of their magnitudes where wanted."""
        given, dot = self.given, dot_of(isa)
        panels = activation_format(given)
        copies, parts = 1 + dot.magnitudes(panels), block_inputs(given) // INPUTS
        total = T.alloc_buffer((isa.lanes,), "int32")
        T.buffer_store(total, _words(0, isa.lanes), [T.ramp(0, 1, isa.lanes)])
        start = tiles.local(fact * blocks)

        def visit(j: Expr, n: int) -> None:
            block = tiles.local(start + j)
            raw = self._raw(buffers["weights"], block, n)
            kept = []
            for part in range(parts):
                codes = register(Dot(n).take(raw, part, given))
                if given.bits < 8:
                    moved = register(as_bytes(codes, n) - tirx.Broadcast(zero, 4 * n))
                    codes = register(tirx.reinterpret(typed("int32", n), moved))
                kept.append(codes)
                if copies == 2:
                    signed = register(as_bytes(codes, n))
                    nothing = tirx.Broadcast(tirx.const(0, "int8"), 4 * n)
                    size = register(tirx.Select(signed < nothing, nothing - signed, signed))
                    kept.append(register(tirx.reinterpret(typed("int32", n), size)))
                if dot.bias(panels) or panels.static_activations:
                    at = T.ramp(0, 1, n) if n > 1 else 0
                    T.buffer_store(total, total[at] + _byte_sum(codes, n), [at])
            to = tiles.local(block * len(kept))
            if n == 1:
                for i, word in enumerate(kept):
                    T.buffer_store(buffers["a"], word, [to + i])
            else:
                order = [i * n + word for word in range(n) for i in range(len(kept))]
                whole = kept[0] if len(kept) == 1 else tirx.Shuffle(kept, order)
                tiles.store(buffers["a"], to, whole, n * len(kept))

        if block_words(given) == 1:
            tiles.for_columns(blocks, isa.lanes, visit)
        else:  # words of one block lie side by side: there are no vectors of blocks
            with T.serial(0, blocks) as number:
                visit(number, 1)
        sums = across([total[T.ramp(0, 1, isa.lanes)]], lambda one, other: one + other)
        T.buffer_store(buffers["sums"], sums, [fact])

    def _raw(self, weights: tirx.Var, block: Expr, n: int) -> list[Expr]:
        """The words of `n` blocks, which are one where a block has several."""
        words = block_words(self.given)
        at = tiles.local(block * words)
        return [register(tiles.load(weights, at + word, n)) for word in range(words)]

    def _floats(
        self, isa: Isa, buffers: Mapping[str, tirx.Var], start: Expr, to: Expr, inputs: Expr,
        zero: Expr, scale: Expr,
    ) -> None:  # fmt: skip
        """Block by block, four inputs at a time."""
        if isa.lanes == 1:
            self._scalars(buffers, start, to, inputs, zero, scale)
            return
        given, each = self.given, block_inputs(self.given)
        start = tiles.local(start)
        offset = register(tirx.Cast("float32", zero))

        def values(number: Expr) -> list[Expr]:
            raw = self._raw(buffers["weights"], start + number, 1)
            found = []
            for part in range(each // INPUTS):
                codes = tirx.Broadcast(Dot(1).take(raw, part, given), INPUTS)
                if given.bits == 8:  # to the top of a word, which keeps the sign, and back
                    codes = tirx.shift_left(codes, T.ramp(24, -8, INPUTS))
                    codes = tirx.shift_right(codes, _words(24, INPUTS))
                else:
                    codes = tirx.shift_right(codes, T.ramp(0, 8, INPUTS))
                    codes = tirx.bitwise_and(codes, _words(0xFF, INPUTS))
                moved = tirx.Cast("float32x4", codes) - tirx.Broadcast(offset, INPUTS)
                found.append(register(moved * tirx.Broadcast(scale, INPUTS)))
            return found

        whole = tiles.local(tirx.truncdiv(inputs, each))
        with T.serial(0, whole) as number:
            for part, value in enumerate(values(number)):
                tiles.store(buffers["rows"], to + number * each + part * INPUTS, value, INPUTS)
        done = tiles.local(whole * each)
        with T.If(done < inputs), T.Then():
            last = T.alloc_buffer((each,), "float32")
            for part, value in enumerate(values(whole)):
                tiles.store(last, part * INPUTS, value, INPUTS)
            with T.serial(0, inputs - done) as k:
                T.buffer_store(buffers["rows"], last[k], [to + done + k])

    def _scalars(
        self, buffers: Mapping[str, tirx.Var], start: Expr, to: Expr, inputs: Expr, zero: Expr,
        scale: Expr,
    ) -> None:  # fmt: skip
        """Likewise, for a core without vectors."""
        given, each = self.given, block_inputs(self.given)
        start, offset = tiles.local(start), register(tirx.Cast("float32", zero))
        with T.serial(0, tiles.row_blocks(inputs, each)) as number:
            raw = self._raw(buffers["weights"], start + number, 1)
            left = tiles.local(inputs - number * each)
            for part in range(each // INPUTS):
                codes = register(Dot(1).take(raw, part, given))
                for i in range(INPUTS):
                    code = tirx.shift_right(codes, _words(8 * i, 1))
                    if given.bits == 8:  # to the top of a word, which keeps the sign, and back
                        code = tirx.shift_right(tirx.shift_left(codes, _words(24 - 8 * i, 1)), 24)
                    else:
                        code = tirx.bitwise_and(code, _words(0xFF, 1))
                    value = (tirx.Cast("float32", code) - offset) * scale
                    place = part * INPUTS + i
                    with T.If(left > place), T.Then():
                        T.buffer_store(buffers["rows"], value, [to + number * each + place])


def _words(value: int, lanes: int) -> Expr:
    return tiles.splat(tirx.const(value, "int32"), lanes)


def _byte_sum(words: Expr, n: int) -> Expr:
    """The sum of the four signed bytes of every word."""
    total = tirx.shift_right(words, _words(24, n))
    for i in range(INPUTS - 1):
        left = tirx.shift_left(words, _words(24 - 8 * i, n))
        total = total + tirx.shift_right(left, _words(24, n))
    return total


def place(
    site: Site, weight: ir.Value, given: WeightFormat, program: Program
) -> tuple[int, tuple[object, ...]]:
    """Place a constant [rows, depth] in the weights; a buffer of `program`, and its key."""
    rows, depth = shape_of(weight)
    read, name, precision = reader(weight), str(weight.name), site.program.precision
    nbytes = sum(part_bytes(rows, depth, given))
    section = WeightSection(name, 0, nbytes, "token_mix", None, given.stored)
    digest = program.weights.digest(weight.const_value, read)
    key = ("rows", given, digest, precision.key(name))
    pack = [(section, lambda: pack_rows(read(), given, precision.rounder(name)))]
    return program.packed(name, key, pack), key


def append(site: Site, weight: ir.Value, given: WeightFormat) -> list[Pointer]:
    """Place a constant [rows, depth], append the step that unpacks it, return its results.

    A program for one block leaves the step to the program around it, where it runs once.
    """
    rows, depth = shape_of(weight)
    program, home = site.program, site.program.around or site.program
    packed, key = place(site, weight, given, home)
    if key in program.quantised:
        found: list[Pointer] = program.quantised[key]
        return found
    sizes = part_bytes(rows, depth, given)
    spec = UnpackRows(given)
    groups = group_count(depth, given) if given.is_integer else 0
    # For codes of 8 bits, some instruction sets need the magnitudes as well.
    words = 2 * groups * group_inputs(depth, given) // INPUTS if groups else 0
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
