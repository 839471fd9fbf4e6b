"""What LLVM gets for a function of `em_core.h`: expressions, and statements where it stores.

The definitions are those of the header, and the bits are the same.
"""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx
from tvm.ir import Call, Expr
from tvm.script.ir_builder import tirx as T
from tvm.tirx import BufferStore, IfThenElse, SeqStmt, Stmt

LANES = 16
"""Bytes of a vector of Helium."""


def _const(value: int) -> Expr:
    return tirx.const(value, "int32")


# ---- halves and bytes of words; `dsp` says that the core has instructions for them ----


def _low(dsp: bool, word: Expr) -> Expr:
    del dsp
    return tirx.shift_right(tirx.shift_left(word, _const(16)), _const(16))


def _high(dsp: bool, word: Expr) -> Expr:
    del dsp
    return tirx.shift_right(word, _const(16))


def _lows(dsp: bool, a: Expr, b: Expr) -> Expr:
    del dsp
    return (a & _const(0xFFFF)) | tirx.shift_left(b, _const(16))


def _highs(dsp: bool, a: Expr, b: Expr) -> Expr:
    del dsp
    return (tirx.shift_right(a, _const(16)) & _const(0xFFFF)) | (b & _const(-0x10000))


def _smlad(dsp: bool, a: Expr, b: Expr, acc: Expr) -> Expr:
    if dsp:
        return T.call_llvm_pure_intrin("int32", "llvm.arm.smlad", a, b, acc)
    return acc + _low(dsp, a) * _low(dsp, b) + _high(dsp, a) * _high(dsp, b)


def _byte(word: Expr, number: int) -> Expr:
    return tirx.shift_right(tirx.shift_left(word, _const(24 - 8 * number)), _const(24))


def _sxtb16(dsp: bool, word: Expr) -> Expr:
    if dsp:
        return T.call_llvm_pure_intrin("int32", "llvm.arm.sxtb16", word)
    return _lows(dsp, _byte(word, 0), _byte(word, 2))


def _sxtb16_ror8(dsp: bool, word: Expr) -> Expr:
    if dsp:
        turned = T.call_llvm_pure_intrin("int32", "llvm.fshr.i32", word, word, _const(8))
        return _sxtb16(dsp, turned)
    return _lows(dsp, _byte(word, 1), _byte(word, 3))


def _codes(bits: int, place: int) -> Callable[[bool, Expr], Expr]:
    def codes(dsp: bool, word: Expr) -> Expr:
        del dsp
        mask = (1 << bits) - 1
        return tirx.shift_right(word, _const(bits * place)) & _const(mask << 16 | mask)

    return codes


def _load4(dsp: bool, address: Expr) -> Expr:
    del dsp
    word = _const(0)
    for number in range(4):  # one load: LLVM sees that they are neighbours, aligned or not
        byte = tirx.Cast("int32", tirx.Cast("uint8", _element(address, number)))
        word = word | tirx.shift_left(byte, _const(8 * number))
    return word


def _load2(dsp: bool, address: Expr) -> Expr:
    return _lows(dsp, *(tirx.Cast("int32", _element(address, number)) for number in (0, 1)))


# ---- products and limits ----


def _smmul(dsp: bool, a: Expr, b: Expr) -> Expr:
    del dsp
    wide = tirx.Cast("int64", a) * tirx.Cast("int64", b)
    return tirx.Cast("int32", tirx.shift_right(wide, tirx.const(32, "int64")))


def _smmla(dsp: bool, a: Expr, b: Expr, total: Expr) -> Expr:
    return _smmul(dsp, a, b) + total


def _limit(dsp: bool, value: Expr, low: Expr, high: Expr) -> Expr:
    del dsp
    return tirx.max(tirx.min(value, high), low)


def _whole(bits: int) -> Callable[[bool, Expr], Expr]:
    def whole(dsp: bool, value: Expr) -> Expr:
        limit = 1 << (bits - 1)
        return _limit(dsp, value, _const(-limit), _const(limit - 1))

    return whole


EXPRESSIONS: dict[str, Callable[..., Expr]] = {
    "em_low16": _low,
    "em_high16": _high,
    "em_lows16": _lows,
    "em_highs16": _highs,
    "em_smlad": _smlad,
    "em_sxtb16": _sxtb16,
    "em_sxtb16_ror8": _sxtb16_ror8,
    **{
        f"em_codes{bits}_{place}": _codes(bits, place)
        for bits in (4, 2)
        for place in range(16 // bits)
    },
    "em_load4": _load4,
    "em_load2": _load2,
    "em_smmul": _smmul,
    "em_smmla": _smmla,
    "em_limit": _limit,
    "em_whole_s8": _whole(8),
    "em_whole_s16": _whole(16),
}
"""What to put for a call, from (dsp, its arguments), by the name of the function."""


# ---- what stores ----


def _element(address: Expr, number: Expr | int) -> Expr:
    """An element behind an address."""
    (first,) = address.args
    return first.source[first.indices[0] + number]


def _store(address: Expr, number: Expr | int, value: Expr) -> Stmt:
    (first,) = address.args
    return BufferStore(first.source, value, [first.indices[0] + number])


def _four(bits: int, limited: bool) -> Callable[..., Stmt]:
    def four(*arguments: Expr) -> Stmt:
        sums, (bias, multiplier, left, offset, right) = arguments[:4], arguments[4:9]
        out, count = arguments[-2:]
        parts: list[Stmt] = []
        for number, total in enumerate(sums):
            scaled = (total + _element(bias, number)) * left
            value = _smmla(False, scaled, _element(multiplier, number), offset)
            value = tirx.shift_right(value, right)
            limits = arguments[9:11] if limited else ()
            value = _limit(False, value, *limits) if limited else _whole(bits)(False, value)
            stored = _store(out, number, tirx.Cast(f"int{bits}", value))
            parts.append(IfThenElse(count > number, stored, None) if number else stored)
        return SeqStmt(parts)

    return four


def _add4(*arguments: Expr) -> Stmt:
    sums, out = arguments[:4], arguments[-1]
    return SeqStmt([_store(out, n, _element(out, n) + total) for n, total in enumerate(sums)])


def _add4_weighted(*arguments: Expr) -> Stmt:
    sums, (bias, share, shift) = arguments[:4], arguments[4:7]
    half = tirx.shift_right(tirx.shift_left(_const(1), shift), _const(1))
    more = [
        total + tirx.shift_right(_element(bias, n) * share + half, shift)
        for n, total in enumerate(sums)
    ]
    return _add4(*more, arguments[-1])


# ---- whole rows: plain loops, which LLVM makes vectors of where it can ----


def _loop(count: Expr | int, body: Callable[[Expr], Stmt]) -> Stmt:
    place = tirx.Var("i", "int32")
    extent = _const(count) if isinstance(count, int) else count
    return tirx.For(place, _const(0), extent, tirx.ForKind.SERIAL, body(place))


def _wide(address: Expr, place: Expr) -> Expr:
    return tirx.Cast("int32", _element(address, place))


def _across4(a: Expr, b: Expr, step: Expr, depth: Expr, sums: Expr) -> Stmt:
    def column(j: Expr) -> Stmt:
        def add(k: Expr) -> Stmt:
            product = _wide(a, k) * _wide(b, k * step + j)
            return _store(sums, j, _element(sums, j) + product)

        return SeqStmt([_store(sums, j, _const(0)), _loop(depth, add)])

    return _loop(4, column)


def _add_short(x: Expr, depth: Expr, w: Expr, sums: Expr, columns: Expr) -> Stmt:
    def column(j: Expr) -> Stmt:
        def add(k: Expr) -> Stmt:
            return _store(sums, j, _element(sums, j) + _wide(x, k) * _wide(w, j * LANES + k))

        return _loop(depth, add)

    return _loop(columns, column)


def _table(x: Expr, values: Expr, out: Expr, count: Expr) -> Stmt:
    return _loop(count, lambda i: _store(out, i, _element(values, _wide(x, i))))


def _weigh(x: Expr, weight: Expr, more: Expr, right: Expr, out: Expr, count: Expr) -> Stmt:
    def one(i: Expr) -> Stmt:
        value = tirx.shift_right(_wide(x, i) * weight + more, right)
        return _store(out, i, tirx.Cast("int16", value))

    return _loop(count, one)


CALLS: dict[str, Callable[..., Stmt]] = {
    **dict.fromkeys(("em_across4_s8", "em_across4_s16"), _across4),
    "em_add_short_s16": _add_short,
    "em_table_s8": _table,
    **dict.fromkeys(("em_weigh_s8", "em_weigh_s16"), _weigh),
    **{f"em_finish4_s{bits}": _four(bits, limited=False) for bits in (8, 16)},
    **{f"em_limit4_s{bits}": _four(bits, limited=True) for bits in (8, 16)},
    "em_add4": _add4,
    "em_add4_weighted": _add4_weighted,
}
"""What to put for a call that is a statement, from its arguments."""


def _vectors(bits: int, part: int, wide: bool) -> Callable[[BufferStore], Stmt]:
    """Acc + x[i] * code[i] over `n` of 16 inputs, with the codes in bits `bits` * `part`."""

    def code(stored: Expr, dtype: str) -> Expr:
        if bits == 8:
            return stored
        shift, mask = tirx.const(bits * part, dtype), tirx.const((1 << bits) - 1, dtype)
        return tirx.shift_right(stored, shift) & mask

    def some(store: BufferStore) -> Stmt:
        acc, x, w, count = store.value.args[1:]
        name = T.call_llvm_pure_intrin
        signs = [_const(0)] * 3  # signed, added, not crossed
        if isinstance(count, tirx.IntImm) and int(count) >= LANES:
            lanes = 8 if wide else LANES
            for first in range(0, LANES, lanes):
                values = _ramp(x, first, lanes)
                codes = code(_ramp(w, first, lanes), _dtype(w))
                vector = f"int{16 if wide else 8}x{lanes}"
                codes = tirx.Cast(vector, codes) if wide else tirx.reinterpret(vector, codes)
                intrinsic = f"llvm.arm.mve.vmldava.v{lanes}i{16 if wide else 8}"
                acc = name("int32", intrinsic, *signs, acc, values, codes)
            return BufferStore(store.buffer, acc, list(store.indices))
        place = tirx.Var("i", "int32")
        value = tirx.Cast("int32", _element(x, place))
        product = value * code(tirx.Cast("int32", _element(w, place)), "int32")
        total = BufferStore(
            store.buffer, store.buffer[store.indices[0]] + product, list(store.indices)
        )
        return tirx.For(place, _const(0), count, tirx.ForKind.SERIAL, total)

    return some


def _ramp(address: Expr, first: int, lanes: int) -> Expr:
    (element,) = address.args
    return element.source[T.ramp(element.indices[0] + first, 1, lanes)]


def _dtype(address: Expr) -> str:
    (element,) = address.args
    return str(element.source.dtype)


STORED: dict[str, Callable[[BufferStore], Stmt]] = {
    f"em_mve_{'s16' if wide else 's8'}_w{bits}_{part}": _vectors(bits, part, wide)
    for wide in (False, True)
    for bits in (8, 4, 2)
    for part in range(8 // bits)
}
"""What to put for an element that a call computes from itself (its first argument)."""


def name_of(value: Expr) -> str:
    """The function of `em_core.h` that an expression calls; "" where it calls none."""
    if not isinstance(value, Call):
        return ""
    if str(getattr(value.op, "name", "")) not in ("tirx.call_extern", "tirx.call_pure_extern"):
        return ""
    name = str(value.args[0].value)
    return name if name.startswith("em_") else ""
