"""What kernels of integer programs share: a C function over tasks, of pointers and numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.spec import Isa

Buffers = dict[str, tirx.Var]
Numbers = dict[str, Expr]

C_TYPES = {
    "int8": "int8_t*", "uint8": "uint8_t*", "int16": "int16_t*", "int32": "int32_t*",
    "int64": "int64_t*",
}  # fmt: skip
"""C types of pointers, by dtype."""


class IntegerKernel(ABC):
    """A kernel of pointers and int32 numbers; a frozen dataclass of what distinguishes it.

    The C function is `name(pointers..., integers..., begin, end)`, for the tasks begin <= t < end.
    """

    @property
    @abstractmethod
    def pointers(self) -> dict[str, str]:
        """Dtypes of the pointers, by name, in the order of the C function."""

    @property
    def integers(self) -> tuple[str, ...]:
        """Names of the integer parameters, in the order of the C function."""
        return ()

    @abstractmethod
    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """Write the body.

        Args:
            buffers: the pointers, as flat buffers by name.
            n: the integers by name, with `begin` and `end`.
        """

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of the pointers, then of the integers."""
        return (*(C_TYPES[d] for d in self.pointers.values()), *["int32_t"] * len(self.integers))

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel."""
        del name, isa
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            buffers, numbers = tiles.parameters(self.pointers, self.integers)
            self.emit(buffers, dict(zip((*self.integers, "begin", "end"), numbers, strict=True)))
        return tiles.Built(builder.get())
