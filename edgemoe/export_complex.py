"""Real forms of Fourier transforms and complex arithmetic, for a model that is to be exported.

ONNX has no complex numbers. Inside `real_transforms()` the functions of `torch.fft` multiply by
constant matrices, and what they return carries its real and imaginary part as two real tensors, so
that an exporter meets real operators only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor


class Complex:
    """A complex tensor as two real ones; has the methods that mixers use."""

    __array_priority__ = 1000

    def __init__(self, real: Tensor, imag: Tensor) -> None:
        self.real, self.imag = real, imag

    @property
    def shape(self) -> torch.Size:
        """Extents of both parts."""
        return self.real.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.real.ndim

    dim = property(lambda self: lambda: self.real.ndim)

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        rule = _RULES.get(getattr(function, "__name__", ""))
        if rule is None:
            name = getattr(function, "__name__", function)
            raise NotImplementedError(f"{name} of complex numbers has no real form here")
        return rule(*args, **(kwargs or {}))

    def __mul__(self, other: Any) -> Complex:
        return _mul(self, other)

    def __add__(self, other: Any) -> Complex:
        return _add(self, other)

    def __sub__(self, other: Any) -> Complex:
        return _add(self, -_complex(other) if isinstance(other, Complex | Tensor) else -other)

    def __neg__(self) -> Complex:
        return Complex(-self.real, -self.imag)

    def __truediv__(self, other: Any) -> Complex:
        return Complex(self.real / other, self.imag / other)

    __rmul__, __radd__ = __mul__, __add__

    def __getitem__(self, index: Any) -> Complex:
        return Complex(self.real[index], self.imag[index])

    def __getattr__(self, name: str) -> Any:
        if name in _BOTH:
            return lambda *args, **kwargs: Complex(
                getattr(self.real, name)(*args, **kwargs), getattr(self.imag, name)(*args, **kwargs)
            )
        if name in _RULES:
            return lambda *args, **kwargs: _RULES[name](self, *args, **kwargs)
        raise AttributeError(f"{name} of complex numbers has no real form here")


_BOTH = frozenset(
    ["unsqueeze", "squeeze", "reshape", "view", "transpose", "permute", "flatten", "expand",
     "contiguous", "clone", "sum", "mean", "repeat", "flip", "float", "narrow"]
)  # fmt: skip
"""Methods that do the same to both parts."""


def _complex(value: Any) -> Complex:
    if isinstance(value, Complex):
        return value
    if isinstance(value, Tensor) and value.is_complex():
        parts = torch.view_as_real(value)
        return Complex(parts[..., 0], parts[..., 1])
    tensor = torch.as_tensor(value)
    return Complex(tensor, torch.zeros_like(tensor))


def _mul(first: Any, second: Any) -> Complex:
    if isinstance(second, Complex):
        first, second = second, first
    if isinstance(second, complex):
        second = Complex(torch.tensor(second.real), torch.tensor(second.imag))
    if not isinstance(second, Complex) and not (isinstance(second, Tensor) and second.is_complex()):
        return Complex(first.real * second, first.imag * second)
    a, b = _complex(first), _complex(second)
    return Complex(a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real)


def _add(first: Any, second: Any) -> Complex:
    a, b = _complex(first), _complex(second)
    return Complex(a.real + b.real, a.imag + b.imag)


def _magnitude(value: Complex) -> Tensor:
    return torch.sqrt(value.real * value.real + value.imag * value.imag)


def _matmul(first: Any, second: Any) -> Complex:
    a, b = _complex(first), _complex(second)
    return Complex(a.real @ b.real - a.imag @ b.imag, a.real @ b.imag + a.imag @ b.real)


_RULES: dict[str, Callable[..., Any]] = {
    "mul": _mul,
    "multiply": _mul,
    "__mul__": _mul,
    "__rmul__": _mul,
    "add": _add,
    "__add__": _add,
    "__radd__": _add,
    "abs": _magnitude,
    "matmul": _matmul,
    "__matmul__": _matmul,
    "conj": lambda x: Complex(x.real, -x.imag),
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "angle": lambda x: torch.atan2(x.imag, x.real),
    "view_as_real": lambda x: torch.stack([x.real, x.imag], -1),
    **{name: (lambda n: lambda x, *a, **k: getattr(x, n)(*a, **k))(name) for name in _BOTH},
}


def _matrix(size: int, count: int, length: int, like: Tensor, sign: float) -> Complex:
    """exp(sign * 2 pi i n k / length) for n < size, k < count, in `like`'s precision."""
    n = torch.arange(size, dtype=torch.float64)[:, None]
    k = torch.arange(count, dtype=torch.float64)[None, :]
    angle = 2 * torch.pi * torch.remainder(n * k, length) / length
    cos, sin = torch.cos(angle), sign * torch.sin(angle)
    return Complex(cos.to(like.dtype), sin.to(like.dtype))


def _fitted(x: Tensor, length: int, dim: int) -> Tensor:
    return x.narrow(dim, 0, length) if x.shape[dim] > length else x


def _along(x: Any, matrix: Complex, dim: int) -> Complex:
    """Multiply axis `dim` of x by a complex matrix."""
    parts = x if isinstance(x, Complex) else Complex(x, x)
    real, imag = parts.real.transpose(dim, -1), parts.imag.transpose(dim, -1)
    if not isinstance(x, Complex):
        y = Complex(real @ matrix.real, real @ matrix.imag)
    else:
        y = Complex(
            real @ matrix.real - imag @ matrix.imag, real @ matrix.imag + imag @ matrix.real
        )
    return Complex(y.real.transpose(dim, -1), y.imag.transpose(dim, -1))


def _scale(length: int, norm: str | None, inverse: bool) -> float:
    """`backward` scales the inverse, `forward` the transform, `ortho` both by the root."""
    if norm == "ortho":
        return float(length**-0.5)
    return 1 / length if (norm == "forward") != inverse else 1.0


def _transform(x: Any, n: int | None, dim: int, norm: str | None, count: str, sign: float) -> Any:
    length = int(n or x.shape[dim])
    size = min(int(x.shape[dim]), length)
    if isinstance(x, Complex):
        x = Complex(_fitted(x.real, length, dim), _fitted(x.imag, length, dim))
    else:
        x = _fitted(x, length, dim)
    outputs = length // 2 + 1 if count == "half" else length
    like = x.real if isinstance(x, Complex) else x
    y = _along(x, _matrix(size, outputs, length, like, sign), dim)
    scale = _scale(length, norm, inverse=sign > 0)
    return y if scale == 1.0 else y * scale


def _fft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    return _transform(input, n, dim, norm, "all", -1.0)


def _ifft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    return _transform(input, n, dim, norm, "all", 1.0)


def _rfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    return _transform(input, n, dim, norm, "half", -1.0)


def _irfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """Weights 1, 2, 2, .., 1: each frequency between stands for itself and its mirror image."""
    x = _complex(input)
    length = int(n or 2 * (x.shape[dim] - 1))
    size = min(int(x.shape[dim]), length // 2 + 1)
    weight = torch.full((size, 1), 2.0, dtype=x.real.dtype)
    weight[0] = 1.0
    if length % 2 == 0 and size == length // 2 + 1:
        weight[-1] = 1.0
    matrix = _matrix(size, length, length, x.real, 1.0)
    scale = _scale(length, norm, inverse=True)
    real = x.real.narrow(dim, 0, size).transpose(dim, -1)
    imag = x.imag.narrow(dim, 0, size).transpose(dim, -1)
    y = real @ (matrix.real * weight * scale) - imag @ (matrix.imag * weight * scale)
    return y.transpose(dim, -1)


def _over(one: Callable[..., Any], default: tuple[int, ...] | None) -> Callable[..., Any]:
    """The transform of several axes, one after the other."""

    def transform(input: Any, s: Any = None, dim: Any = default, norm: str | None = None) -> Any:
        axes = tuple(range(-len(s), 0)) if dim is None and s is not None else dim
        axes = axes if axes is not None else tuple(range(-input.ndim, 0))
        for i, axis in reversed(list(enumerate(axes))):
            input = one(input, None if s is None else s[i], axis, norm)
        return input

    return transform


def _rfft_over(default: tuple[int, ...] | None) -> Callable[..., Any]:
    def transform(input: Any, s: Any = None, dim: Any = default, norm: str | None = None) -> Any:
        axes = tuple(dim) if dim is not None else tuple(range(-input.ndim, 0))
        x = _rfft(input, None if s is None else s[-1], axes[-1], norm)
        return _over(_fft, None)(x, None if s is None else s[:-1], axes[:-1], norm)

    return transform


def _irfft_over(default: tuple[int, ...] | None) -> Callable[..., Any]:
    def transform(input: Any, s: Any = None, dim: Any = default, norm: str | None = None) -> Any:
        axes = tuple(dim) if dim is not None else tuple(range(-input.ndim, 0))
        x = _over(_ifft, None)(input, None if s is None else s[:-1], axes[:-1], norm)
        return _irfft(x, None if s is None else s[-1], axes[-1], norm)

    return transform


_TRANSFORMS: dict[str, Callable[..., Any]] = {
    "fft": _fft,
    "ifft": _ifft,
    "rfft": _rfft,
    "irfft": _irfft,
    "fft2": _over(_fft, (-2, -1)),
    "ifft2": _over(_ifft, (-2, -1)),
    "fftn": _over(_fft, None),
    "ifftn": _over(_ifft, None),
    "rfft2": _rfft_over((-2, -1)),
    "irfft2": _irfft_over((-2, -1)),
    "rfftn": _rfft_over(None),
    "irfftn": _irfft_over(None),
}

_FUNCTIONS = {
    "complex": Complex,
    "view_as_complex": lambda x: Complex(x[..., 0], x[..., 1]),
    "view_as_real": None,
    "real": None,
    "imag": None,
    "abs": None,
    "angle": None,
    "conj": None,
}


def _dispatching(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        rule = _RULES[name] if isinstance(input, Complex) else original
        return rule(input, *args, **kwargs)

    return function


@contextlib.contextmanager
def real_transforms() -> Iterator[None]:
    """Replace `torch.fft.*` and complex functions of torch while a model is exported.

    Lengths must be fixed. What has no real form raises NotImplementedError with its name.
    """
    with contextlib.ExitStack() as stack:
        for name, function in _TRANSFORMS.items():
            stack.enter_context(mock.patch.object(torch.fft, name, function))
        for name, replacement in _FUNCTIONS.items():
            new = replacement or _dispatching(getattr(torch, name), name)
            stack.enter_context(mock.patch.object(torch, name, new))
        yield
