"""One step of the online softmax: scores of a block of keys become weights, in place.

Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018. With m the largest score
of a row so far and m' the one after this block, earlier results shrink by exp(m - m').
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe import attention_form
from edgemoe.attention_form import LOWEST
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels import vector_math as vm
from edgemoe.targets.kernels.attention_tile import KEYS
from edgemoe.targets.kernels.mask_range import CLEAN, MIXED
from edgemoe.targets.spec import Isa

HIDDEN = -3.4e38
"""Score of a key that is not seen; nothing that a product gives is lower and finite."""

_THRESHOLD = -3.39e38


@dataclass(frozen=True)
class SoftmaxStep:
    """A function of the object file of stores, called by the attention kernel for every block.

    (scores [rows, KEYS], peak [rows], total [rows, lanes], shrink [rows], first, last, kind [rows],
    mask?, m_at? [rows], base, keys): `base` is the number of the block's first key.
    """

    scale: float
    mask: attention_form.MaskKind

    def build(self, isa: Isa) -> tirx.PrimFunc:
        """The function for one instruction set; its tasks are rows."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            names = dict.fromkeys(("scores", "peak", "total", "shrink"), "float32")
            names |= dict.fromkeys(("first", "last", "kind"), "int32")
            if self.mask != "none":
                names |= {"mask": "float32" if self.mask == "float" else "int8", "m_at": "int32"}
            buffers, (base, keys, begin, end) = tiles.parameters(names, ("base", "keys"))
            with T.serial(begin, end) as row:
                low = tiles.local(tirx.max(buffers["first"][row] - base, 0))
                high = tiles.local(tirx.min(buffers["last"][row] - base, KEYS))
                at = tiles.local(row * KEYS)
                with T.If(low < high):
                    with T.Then():
                        self._row(isa, buffers, row, at, low, high, base, keys)
                    with T.Else():
                        self._nothing(isa, buffers, row, at)
        return builder.get()

    def _nothing(self, isa: Isa, buffers: dict[str, tirx.Var], row: Expr, at: Expr) -> None:
        """The row sees no key of this block: all weights are 0."""
        zero = tiles.splat(tirx.const(0.0, "float32"), isa.lanes)
        _for_keys(isa, lambda j: tiles.store(buffers["scores"], at + j, zero, isa.lanes))
        T.buffer_store(buffers["shrink"], tirx.const(1.0, "float32"), [row])

    def _row(
        self, isa: Isa, buffers: dict[str, tirx.Var], row: Expr, at: Expr, low: Expr, high: Expr,
        base: Expr, keys: Expr,
    ) -> None:  # fmt: skip
        lanes, scores = isa.lanes, buffers["scores"]
        kind = tiles.local(buffers["kind"][row])
        edge = tiles.local(
            tirx.Cast("int32", tirx.any(low > 0, high < KEYS, tirx.Not(tirx.EQ(kind, CLEAN))))
        )
        with T.If(edge > 0), T.Then():
            scale = vm.register(tirx.const(self.scale, "float32"))
            if self.mask != "none":
                with T.If(tirx.EQ(kind, MIXED)), T.Then():
                    self._mask(isa, buffers, row, at, low, high, base, keys)
                scale = vm.register(tirx.Select(tirx.EQ(kind, MIXED), _one(), scale))

            def limit(j: int | Expr, scale: Expr = scale) -> None:
                value = vm.register(tiles.load(scores, at + j, lanes) * tiles.splat(scale, lanes))
                # A row that sees nothing weighs all keys alike.
                value = tirx.Select(tiles.splat(kind > CLEAN, lanes), _splat(0.0, lanes), value)
                place = tirx.const(j, "int32") if isinstance(j, int) else j
                number = tiles.ramp(place, lanes)
                seen = tirx.And(
                    number >= tiles.splat(low, lanes), number < tiles.splat(high, lanes)
                )
                value = tirx.Select(seen, value, _splat(HIDDEN, lanes))
                tiles.store(scores, at + j, value, lanes)

            _for_keys(isa, limit)
        # What the edge has changed is scaled already.
        factor = vm.register(tirx.Select(edge > 0, _one(), tirx.const(self.scale, "float32")))
        weigh = self._weigh_scalars if lanes == 1 else self._weigh
        weigh(isa, buffers, row, at, factor)

    def _weigh(
        self, isa: Isa, buffers: dict[str, tirx.Var], row: Expr, at: Expr, factor: Expr
    ) -> None:
        """Scores of a row become weights; a block is held in registers."""
        lanes, scores = isa.lanes, buffers["scores"]
        places = range(0, KEYS, lanes)
        values = [
            vm.register(tiles.load(scores, at + j, lanes) * tiles.splat(factor, lanes))
            for j in places
        ]
        peak = vm.register(buffers["peak"][row])
        new = vm.register(_larger(peak, vm.across(values, _larger)))
        weights = []
        for j, value in zip(places, values, strict=True):
            weights.append(vm.register(_weight(value, new, lanes)))
            tiles.store(scores, at + j, weights[-1], lanes)
        shrink = vm.register(vm.exp(peak - new))
        T.buffer_store(buffers["peak"], new, [row])
        T.buffer_store(buffers["shrink"], shrink, [row])
        total = tiles.load(buffers["total"], row * lanes, lanes) * tiles.splat(shrink, lanes)
        for weight in weights:
            total = total + weight
        tiles.store(buffers["total"], row * lanes, total, lanes)

    def _weigh_scalars(
        self, isa: Isa, buffers: dict[str, tirx.Var], row: Expr, at: Expr, factor: Expr
    ) -> None:
        """Likewise without vectors: loops, with what is known so far in the block's own place."""
        del isa
        scores, total = buffers["scores"], buffers["total"]
        largest = T.alloc_buffer((1,), "float32")
        T.buffer_store(largest, scores[at] * factor, [0])
        with T.serial(0, KEYS) as j:
            value = vm.register(scores[at + j] * factor)
            T.buffer_store(scores, value, [at + j])
            T.buffer_store(largest, _larger(largest[0], value), [0])
        peak = vm.register(buffers["peak"][row])
        new = vm.register(_larger(peak, largest[0]))
        shrink = vm.register(vm.exp(peak - new))
        T.buffer_store(buffers["peak"], new, [row])
        T.buffer_store(buffers["shrink"], shrink, [row])
        T.buffer_store(total, total[row] * shrink, [row])
        with T.serial(0, KEYS) as j:
            weight = vm.register(_weight(vm.register(scores[at + j]), new, 1))
            T.buffer_store(scores, weight, [at + j])
            T.buffer_store(total, total[row] + weight, [row])

    def _mask(
        self, isa: Isa, buffers: dict[str, tirx.Var], row: Expr, at: Expr, low: Expr, high: Expr,
        base: Expr, keys: Expr,
    ) -> None:  # fmt: skip
        """Scale the scores of a row and apply the elements of the mask to them."""
        mask, start = buffers["mask"], tiles.local(buffers["m_at"][row] + base)

        def apply(j: Expr, lanes: int) -> None:
            given = vm.register(tiles.load(mask, start + j, lanes))
            score = tiles.load(buffers["scores"], at + j, lanes) * _splat(self.scale, lanes)
            hidden = _splat(HIDDEN, lanes)
            if self.mask == "float":
                value = tirx.Select(given > _splat(LOWEST, lanes), score + given, hidden)
            else:
                zero = tiles.splat(tirx.const(0, "int8"), lanes)
                seen = given != zero if self.mask == "seen" else tirx.EQ(given, zero)
                value = tirx.Select(seen, vm.register(score), hidden)
            tiles.store(buffers["scores"], at + j, value, lanes)

        with T.If(base + KEYS <= keys):  # the mask has no elements behind the last key
            with T.Then():
                _for_keys(
                    isa,
                    lambda j: apply(tirx.const(j, "int32") if isinstance(j, int) else j, isa.lanes),
                )
            with T.Else(), T.serial(0, high - low) as j:
                apply(tiles.local(low + j), 1)


def _for_keys(isa: Isa, visit: Callable[[int | Expr], None]) -> None:
    """Vector after vector of a block; a loop where a vector is one key."""
    if isa.lanes == 1:
        with T.serial(0, KEYS) as j:
            visit(j)
        return
    for j in range(0, KEYS, isa.lanes):
        visit(j)


def _weight(value: Expr, peak: Expr, lanes: int) -> Expr:
    """exp(value - peak), 0 for what is hidden."""
    weight = vm.register(vm.exp(value - tiles.splat(peak, lanes)))
    return tirx.Select(value < _splat(_THRESHOLD, lanes), _splat(0.0, lanes), weight)


def _larger(a: Expr, b: Expr) -> Expr:
    """The larger; a NaN on the right stays."""
    return tirx.Select(a > b, a, b)


def _one() -> Expr:
    return tirx.const(1.0, "float32")


def _splat(value: float, lanes: int) -> Expr:
    return tiles.splat(tirx.const(value, "float32"), lanes)
