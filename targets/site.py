"""Where a kernel is asked for: one node of the graph, with its place in the program."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.plan import Argument, Pointer
from edgemoe.targets.kernel_table import KernelSpec
from edgemoe.targets.kernels.body import Body, constant_of
from edgemoe.targets.program import Program

Array = NDArray[Any]


@dataclass
class Site:
    """A node that a kernel computes.

    `function` is the region function that the node calls, None for a standard operator. `buffers`
    are the program's buffers of the inputs that are no constants, `functions` those of the model.
    """

    node: ir.Node
    function: ir.Function | None
    program: Program
    buffers: dict[ir.Value, int]
    outputs: tuple[int, ...]
    functions: Mapping[tuple[str, str, str], ir.Function] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """PyTorch module path of the node."""
        return graph_facts.origin_of(self.node)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the ONNX nodes that the site covers."""
        inside = [] if self.function is None else [str(n.name) for n in self.function]
        return (str(self.node.name), *inside)

    def actual(self, value: ir.Value) -> ir.Value:
        """The value outside for a formal parameter of the function, else `value` itself."""
        if self.function is not None:
            for formal, outer in zip(self.function.inputs, self.node.inputs, strict=False):
                if formal is value and outer is not None:
                    return outer
        return value

    def array(self, value: ir.Value) -> Array | None:
        """The elements of a constant, inside or outside the function."""
        outer = self.actual(value)
        if outer is not value or self.function is None:
            return graph_facts.array_of(outer)
        return constant_of(value)

    def buffer(self, value: ir.Value) -> int:
        """The buffer of a value; constants are placed in the weights as they are."""
        outer = self.actual(value)
        if outer in self.buffers:
            return self.buffers[outer]
        array = self.array(value)
        if array is None:
            raise AssertionError(f"{self.node.name}: {value.name} has no buffer")
        return self.program.constant(str(outer.name), np.ascontiguousarray(array))

    def pointers(self, values: Sequence[int | ir.Value | Array]) -> list[Pointer]:
        """Kernel arguments for buffers, values, or arrays that become constants."""
        found = []
        for value in values:
            if isinstance(value, np.ndarray):
                name = f"{self.node.name}.constant"
                found.append(Pointer(self.program.constant(name, np.ascontiguousarray(value))))
            else:
                number = self.buffer(value) if isinstance(value, ir.Value) else value
                found.append(Pointer(number))
        return found

    def step(
        self, spec: KernelSpec, template: str, arguments: Sequence[Argument], **facts: Any
    ) -> int:
        """Append a call that computes the whole site: `Program.step` with its origin and nodes."""
        return self.program.step(
            spec, template, arguments, origin=self.origin, nodes=self.nodes, **facts
        )

    def operands(self, body: Body) -> list[Pointer]:
        """The arguments for the operands of a body."""
        return self.pointers(body.operands)

    def full_operands(self, body: Body, pointers: Sequence[Pointer]) -> list[int]:
        """Buffers of operands that are read exactly where the result is written."""
        return [p.buffer for p, kind in zip(pointers, body.indexing, strict=True) if kind == "full"]


def shape_of(value: ir.Value | None) -> tuple[int, ...]:
    """The static shape of a value of the graph."""
    shape = graph_facts.shape_of(value)
    assert shape is not None
    return shape


def size_of(shape: Sequence[int]) -> int:
    """Number of elements."""
    return int(np.prod(shape, dtype=np.int64))


@lru_cache(maxsize=2)
def _numpy(tensor: Any) -> Array:
    return np.asarray(tensor.numpy())


def reader(value: ir.Value) -> Callable[[], Array]:
    """Reads a weight when it is asked for; the last two stay in memory."""
    tensor = value.const_value
    assert tensor is not None
    return lambda: _numpy(cast("Hashable", tensor))
