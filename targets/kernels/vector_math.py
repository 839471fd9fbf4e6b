"""Elementary functions on float32 vectors as TensorIR expressions, without calls to libm.

Each takes and returns a float32 expression of any lane count, so that scalar tails and vectors
give the same bits. The stated errors are the largest seen over a dense sweep of the range
(`tests/targets/test_vector_math.py` repeats the sweep).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T
from tvm.tirx import Let, Var, const

_NATIVE: ContextVar[bool] = ContextVar("native", default=False)


@contextmanager
def native_functions() -> Iterator[None]:
    """Emit the device's own exponential meanwhile, in place of the polynomial: GPUs have one."""
    token = _NATIVE.set(True)
    try:
        yield
    finally:
        _NATIVE.reset(token)


def lanes_of(value: Expr) -> int:
    """Lane count of an expression, 1 for a scalar."""
    text = str(value.ty)
    return int(text.rsplit("x", 1)[1]) if "x" in text else 1


def typed(dtype: str, lanes: int) -> str:
    """TVM name of `dtype` with `lanes` lanes."""
    return dtype if lanes == 1 else f"{dtype}x{lanes}"


def ramp(start: Expr | int, lanes: int) -> Expr | int:
    """`start`, `start + 1`, ... in `lanes` lanes; `start` itself where there is one."""
    return T.ramp(start, 1, lanes) if lanes > 1 else start


def broadcast(value: Expr, lanes: int) -> Expr:
    """A scalar in every lane."""
    return tirx.Broadcast(value, lanes) if lanes > 1 else value


def constant(value: float, like: Expr) -> Expr:
    """A float32 constant with the lanes of `like`."""
    return broadcast(const(value, "float32"), lanes_of(like))


def let(value: Expr, body: Callable[[Expr], Expr]) -> Expr:
    """`body(value)` with `value` computed once."""
    if IRBuilder.is_in_scope():
        return body(register(value))
    var = Var("t", str(value.ty))
    return Let(var, value, body(var))


def register(value: Expr) -> Expr:
    """`value`, computed at this place of the builder and kept in a register.

    An array rather than `T.bind`: TVM's simplifier substitutes bound values into each other, which
    takes seconds per kernel and duplicates `Let`s; LLVM promotes the array.
    """
    lanes = lanes_of(value)
    scalar = str(value.ty).removesuffix(f"x{lanes}")
    cell = T.alloc_buffer((lanes,), scalar)
    at = ramp(0, lanes)
    T.buffer_store(cell, value, [at])
    return cell[at]


def across(values: Sequence[Expr], combine: Callable[[Expr, Expr], Expr]) -> Expr:
    """Combine all elements of some vectors, in a fixed order."""
    (first, *rest) = values
    for value in rest:
        first = register(combine(first, value))
    lanes = lanes_of(first)
    while lanes > 1:
        lanes //= 2
        low, high = (
            register(
                tirx.Shuffle([first], [const(i, "int32") for i in range(begin, begin + lanes)])
            )
            for begin in (0, lanes)
        )
        first = register(combine(low, high))
    return first


def is_nan(x: Expr) -> Expr:
    """Whether a float32 or float64 is NaN, by its bits: TVM takes `x == x` for true."""
    wide = str(x.ty).startswith("float64")
    scalar = "int64" if wide else "int32"
    infinity = 0x7FF << 52 if wide else 0xFF << 23
    lanes = lanes_of(x)

    def splat(value: int) -> Expr:
        return broadcast(const(value, scalar), lanes)

    bits = tirx.reinterpret(typed(scalar, lanes), x)
    return (bits & splat(2 ** (63 if wide else 31) - 1)) > splat(infinity)


def magnitude(x: Expr) -> Expr:
    """|x|, by its bits."""
    lanes = lanes_of(x)
    mask = const(0x7FFFFFFF, "int32")
    bits = tirx.reinterpret(typed("int32", lanes), x)
    kept = tirx.bitwise_and(bits, broadcast(mask, lanes))
    return tirx.reinterpret(typed("float32", lanes), kept)


def polynomial(x: Expr, coefficients: Sequence[float]) -> Expr:
    """Horner form; `coefficients` from the highest power down."""
    result = constant(coefficients[0], x)
    for coefficient in coefficients[1:]:
        result = result * x + constant(coefficient, x)
    return result


def clamp(x: Expr, low: float, high: float) -> Expr:
    """`x` limited to [low, high]; NaN stays NaN."""
    lower = tirx.Select(x < constant(low, x), constant(low, x), x)
    return let(lower, lambda y: tirx.Select(y > constant(high, x), constant(high, x), y))


_SHIFT = 1.5 * 2**23 + 127
"""A float32 near it ends in the bits of 127 plus the integer that was added to it."""


def exp(x: Expr) -> Expr:
    """e**x within 1 ULP on [-87.33, 88.37]; limited to that range outside (1.2e-38, 2.4e38).

    x = n ln 2 + r, with n rounded to nearest by adding and taking away a number whose last bits
    then are the exponent of 2**n (Cephes `expf`, S. Moshier, 1989, splits ln 2 so); times a
    polynomial for e**r with a relative error of at most 4e-9 (minimax, by linear programming).
    """
    if _NATIVE.get():
        return tirx.exp(x)

    def reduced(y: Expr) -> Expr:
        shifted = y * constant(1.0 / math.log(2.0), y) + constant(_SHIFT, y)
        return let(shifted, lambda shifted: power(y, shifted))

    def power(y: Expr, shifted: Expr) -> Expr:
        def remainder(n: Expr) -> Expr:
            return y - n * constant(0.693359375, y) - n * constant(-2.12194440e-4, y)

        n = shifted - constant(_SHIFT, y)
        return let(n, lambda n: let(remainder(n), lambda r: scaled(r, shifted)))

    def scaled(r: Expr, shifted: Expr) -> Expr:
        mantissa = polynomial(
            r,
            (1.3814703142487278e-3, 8.368744154152024e-3, 4.166838822171069e-2,
             1.666652041326593e-1, 4.9999993439692675e-1, 1.0, 1.0),
        )  # fmt: skip
        lanes = lanes_of(r)
        bits = const(23, "int32")
        exponent = tirx.shift_left(
            tirx.reinterpret(typed("int32", lanes), shifted),
            broadcast(bits, lanes),
        )
        # A product, not an addition to the exponent: NaN must stay NaN whatever its bits are.
        return mantissa * tirx.reinterpret(typed("float32", lanes), exponent)

    return let(clamp(x, -87.33654, 88.37626), reduced)


def sigmoid(x: Expr) -> Expr:
    """1 / (1 + e**-x) within 3 ULP where the result is above 1e-37."""
    return constant(1.0, x) / (constant(1.0, x) + exp(constant(0.0, x) - x))


def silu(x: Expr) -> Expr:
    """X * sigmoid(x) within 3 ULP where the result is normal and |x| < 80."""
    return let(x, lambda x: x / (constant(1.0, x) + exp(constant(0.0, x) - x)))


def tanh(x: Expr) -> Expr:
    """Tanh within 5 ULP: the odd rational minimax function of degree 13/6 that Eigen uses."""

    def rational(y: Expr) -> Expr:
        def quotient(s: Expr) -> Expr:
            p = polynomial(
                s,
                (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11,
                 5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04,
                 4.89352455891786e-03),
            )  # fmt: skip
            q = polynomial(
                s,
                (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03,
                 4.89352518554385e-03),
            )  # fmt: skip
            return y * p / q

        return let(y * y, quotient)

    return let(clamp(x, -7.90531110763549805, 7.90531110763549805), rational)


def erf(x: Expr) -> Expr:
    """Erf within 6 ULP: the odd rational minimax function of degree 13/8 used by XLA."""

    def rational(y: Expr) -> Expr:
        def quotient(s: Expr) -> Expr:
            p = polynomial(
                s,
                (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06,
                 -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03,
                 -1.60960333262415e-02),
            )  # fmt: skip
            q = polynomial(
                s,
                (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03,
                 -7.37332916720468e-03, -1.42647390514189e-02),
            )  # fmt: skip
            return y * p / q

        return let(y * y, quotient)

    return let(clamp(x, -4.0, 4.0), rational)


def gelu(x: Expr) -> Expr:
    """The exact GELU, x (1 + erf(x / sqrt 2)) / 2, within 3 * 2**-24 |x|.

    It is max(x, 0) - |x| Q(|x|), with Q the upper tail of the normal distribution. The fourth root
    of Q is so smooth that a polynomial of degree 8 is enough (minimax in the error of Q, by linear
    programming), and nothing is divided. Beyond 5.6, Q is 0.
    """

    def body(x: Expr) -> Expr:
        zero, end = constant(0.0, x), constant(5.6, x)
        size = let(magnitude(x), lambda u: tirx.Select(u > end, end, u))
        return let(size, lambda u: tirx.Select(x < zero, zero, x) - u * tail(u))

    def tail(u: Expr) -> Expr:
        root = polynomial(
            u,
            (-3.4017859888990643e-06, 5.843334656674415e-05, -3.074637787788613e-04,
             -3.5318505979375914e-05, 3.7960547488182783e-03, 4.649358801543713e-03,
             -5.019768327474594e-02, -1.6773401200771332e-01, 8.408964276313782e-01),
        )  # fmt: skip
        return let(root, lambda p: let(p * p, lambda square: square * square))

    return let(x, body)


def gelu_tanh(x: Expr) -> Expr:
    """The tanh form of GELU (Hendrycks and Gimpel, 2016, section 2), within 4 * 2**-24 |x|."""

    def body(x: Expr) -> Expr:
        inner = x * (constant(1.0, x) + constant(0.044715, x) * (x * x))
        return constant(0.5, x) * x * (
            constant(1.0, x) + tanh(constant(math.sqrt(2.0 / math.pi), x) * inner)
        )  # fmt: skip

    return let(x, body)
