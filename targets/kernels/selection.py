"""Choosing the best of a few scores: the order of floats as integers, and the pick of the first.

As in onnxruntime, NaN is above every number, zeros of both signs are equal, and of equal scores
the one with the lower number is better.
"""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels import vector_math as vm

NEVER = -(2**31)
"""A key below those of all scores: what is taken, or is no score."""

_NAN = 2**31 - 2  # its complement is above NEVER too
_BEHIND = 2**31 - 1


def key(x: Expr, *, largest: bool) -> Expr:
    """An int32 that is larger where the float32 is better, lane by lane."""
    lanes = vm.lanes_of(x)
    integer = vm.typed("int32", lanes)

    def splat(value: int) -> Expr:
        return tiles.splat(tirx.const(value, "int32"), lanes)

    bits = vm.register(tirx.reinterpret(integer, x))
    # Negative floats are ordered the other way round: all bits but the sign are turned. That makes
    # -1 of -0, which becomes 0. (Its bits are -2**31: TVM takes no scalar to be equal to that.)
    turned = vm.register(bits ^ ((bits >> splat(31)) & splat(0x7FFFFFFF)))
    turned = tirx.Select(tirx.EQ(turned, splat(-1)), splat(0), turned)
    ordered = vm.register(tirx.Select(vm.is_nan(x), splat(_NAN), turned))
    return ordered if largest else ordered ^ splat(-1)


def pick(keys: tirx.Var, vectors: Expr | int, lanes: int) -> Expr:
    """Emit the search of the best of `vectors * lanes` keys; returns its number and takes it out.

    Three passes without a branch: the largest key, the first place that holds it, and all keys
    again without it. One store to that place would be faster, were it not that the vectors read
    next wait until it has left the core.
    """
    every = tiles.ramp(0, lanes)
    best, first = T.alloc_buffer((lanes,), "int32"), T.alloc_buffer((lanes,), "int32")
    T.buffer_store(best, keys[every], [every])
    with T.serial(0, vectors - 1) as i:
        other = keys[tiles.ramp((i + 1) * lanes, lanes)]
        T.buffer_store(best, tirx.max(best[every], other), [every])
    largest = tiles.splat(vm.across([best[every]], tirx.max), lanes)
    T.buffer_store(first, tiles.splat(tirx.const(_BEHIND, "int32"), lanes), [every])
    with T.serial(0, vectors) as i:
        place = tiles.ramp(i * lanes, lanes)
        found = tirx.Select(tirx.EQ(keys[place], largest), place, first[every])
        T.buffer_store(first, tirx.min(first[every], found), [every])
    number = vm.across([first[every]], tirx.min)
    taken, never = (
        tiles.splat(value, lanes) for value in (number, tirx.const(NEVER, "int32"))
    )  # fmt: skip
    with T.serial(0, vectors) as i:
        place = tiles.ramp(i * lanes, lanes)
        T.buffer_store(keys, tirx.Select(tirx.EQ(place, taken), never, keys[place]), [place])
    return number
