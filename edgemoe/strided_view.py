"""Values that are other values seen through transposes, reshapes and broadcasts, as strides."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgemoe import graph_facts

Factors = tuple[tuple[int, int], ...]
"""(size, stride in elements) pairs, outermost first: a dimension in mixed radix."""


@dataclass(frozen=True)
class View:
    """`base` seen with one factor list per dimension; strides count elements of `base`."""

    base: ir.Value
    dims: tuple[Factors, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents of the dimensions."""
        return tuple(_size(dim) for dim in self.dims)

    def stride(self, axis: int) -> int | None:
        """The stride of a dimension, None if it takes more than one."""
        factors = _merged(self.dims[axis])
        if not factors:
            return 0
        return factors[0][1] if len(factors) == 1 else None


def view_of(value: ir.Value) -> View:
    """See `value` as far up as movements of strides go."""
    return _through(value) or contiguous(value)


def contiguous(value: ir.Value) -> View:
    """A value as itself."""
    shape = graph_facts.shape_of(value)
    assert shape is not None
    return View(value, _row_major(shape))


def steps_up(value: ir.Value) -> list[View]:
    """Views of `value` over bases further and further up, the nearest first."""
    views = [contiguous(value)]
    current = value
    while True:
        node = current.producer()
        source = node.inputs[0] if node is not None and node.inputs else None
        if source is None or graph_facts.shape_of(source) is None:
            return views
        further = _view_over(value, source)
        if further is None:
            return views
        views.append(further)
        current = source


def _through(value: ir.Value) -> View | None:
    return steps_up(value)[-1]


def _view_over(value: ir.Value, base: ir.Value) -> View | None:
    """`value` as a view of `base`, which is some movements above it."""
    if value is base:
        return contiguous(base)
    node = value.producer()
    if node is None or not graph_facts.is_op(
        node, "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Expand", "Identity"
    ):
        return None
    source = node.inputs[0]
    shape = graph_facts.shape_of(value)
    if source is None or shape is None or graph_facts.shape_of(source) is None:
        return None
    inner = _view_over(source, base)
    if inner is None:
        return None
    if node.op_type == "Transpose":
        rank = len(inner.dims)
        order = node.attributes["perm"].as_ints() if "perm" in node.attributes else (
            list(range(rank))[::-1]
        )  # fmt: skip
        return View(base, tuple(inner.dims[axis] for axis in order))
    if node.op_type == "Expand":
        return _expanded(inner, shape)
    return _reshaped(inner, shape)


def _expanded(view: View, shape: tuple[int, ...]) -> View:
    padded = ((),) * (len(shape) - len(view.dims)) + view.dims
    return View(
        view.base,
        tuple(
            dim if _size(dim) == extent else ((extent, 0),)
            for dim, extent in zip(padded, shape, strict=True)
        ),
    )


def _reshaped(view: View, shape: tuple[int, ...]) -> View | None:
    """Regroup the factors of all dimensions; None where a factor would have to be cut unevenly."""
    left = [factor for dim in view.dims for factor in dim if factor[0] != 1]
    dims: list[Factors] = []
    for extent in shape:
        taken: list[tuple[int, int]] = []
        while _size(tuple(taken)) < extent:
            if not left:
                return None
            size, stride = left.pop(0)
            needed = extent // _size(tuple(taken))
            if size <= needed:
                taken.append((size, stride))
            elif size % needed == 0:
                inner = size // needed
                taken.append((needed, stride * inner))
                left.insert(0, (inner, stride))
            else:
                return None
        if _size(tuple(taken)) != extent:
            return None
        dims.append(tuple(taken))
    return View(view.base, tuple(dims))


def _row_major(shape: tuple[int, ...]) -> tuple[Factors, ...]:
    dims: list[Factors] = []
    stride = 1
    for extent in reversed(shape):
        dims.append(((extent, stride),) if extent != 1 else ())
        stride *= extent
    return tuple(reversed(dims))


def _merged(dim: Factors) -> Factors:
    """Join neighbouring factors that walk memory evenly."""
    result: list[tuple[int, int]] = []
    for size, stride in dim:
        if size == 1:
            continue
        if result and result[-1][1] == stride * size:
            result[-1] = (result[-1][0] * size, stride)
        else:
            result.append((size, stride))
    return tuple(result)


def _size(dim: Factors) -> int:
    size = 1
    for extent, _ in dim:
        size *= extent
    return size


def repeated(dim: Factors) -> tuple[int, int] | None:
    """(stride, times) when a dimension walks evenly and repeats each place `times` times."""
    factors = _merged(dim)
    if not factors:
        return 0, 1
    if len(factors) == 1:
        size, stride = factors[0]
        return (stride, 1) if stride else (0, size)
    if len(factors) == 2 and factors[1][1] == 0:
        return factors[0][1], factors[1][0]
    return None
