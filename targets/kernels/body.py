"""Reads the body of a region function as an elementwise expression over its products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgemoe.epilogue import indexing_of
from edgemoe.targets.kernels import expression as ex


class NotElementwise(Exception):
    """The body holds something that a kernel cannot compute on its products."""


Resolve = Callable[["Body", ir.Value], ex.Node | None]
"""Gives the expression of a value that the caller knows (a product, an operand), else None."""


@dataclass
class Body:
    """The parse of one region function.

    `operands` are values inside the function, or arrays; `indexing` says how each is read.
    """

    shape: tuple[int, ...]  # of the result
    resolve: Resolve
    operands: list[ir.Value | np.ndarray] = field(default_factory=list)
    indexing: list[str] = field(default_factory=list)
    memo: dict[ir.Value, ex.Node] = field(default_factory=dict)

    def parse(self, value: ir.Value) -> ex.Node:
        """The expression of `value`.

        Raises:
            NotElementwise: an operator has no emitter, or an operand cannot be indexed.
        """
        if value not in self.memo:
            known = self.resolve(self, value)
            self.memo[value] = known if known is not None else self._parse(value)
        return self.memo[value]

    def operand(self, value: ir.Value | np.ndarray, indexing: str | None = None) -> ex.Operand:
        """Declare `value` to be an extra pointer of the kernel."""
        if indexing is None:
            shape = value.shape if isinstance(value, np.ndarray) else shape_of(value)
            indexing = indexing_of(tuple(shape), self.shape)
        if indexing is None:
            raise NotElementwise(f"an operand of shape {value.shape} against {self.shape}")
        for number, known in enumerate(self.operands):
            if known is value and self.indexing[number] == indexing:
                return ex.Operand(number, indexing)  # type: ignore[arg-type]
        self.operands.append(value)
        self.indexing.append(indexing)
        return ex.Operand(len(self.operands) - 1, indexing)  # type: ignore[arg-type]

    def _parse(self, value: ir.Value) -> ex.Node:
        constant = constant_of(value)
        if constant is not None and constant.size == 1:
            return ex.Constant(float(constant.reshape(-1)[0]))
        node = value.producer()
        if node is None or constant is not None:
            return self.operand(value)
        if node.op_type in ("Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity", "Cast"):
            source = node.inputs[0]
            assert source is not None
            if shape_of(source)[-1:] == shape_of(value)[-1:] and source.dtype == value.dtype:
                return self.parse(source)
        return self._apply(node)

    def _apply(self, node: ir.Node) -> ex.Node:
        if node.op_type == "Pow":
            return self._power(node)
        if node.op_type not in ex.OPERATORS or node.domain not in ("", "ai.onnx"):
            raise NotElementwise(f"operator {node.op_type}")
        if node.op_type == "Clip":
            return self._clip(node)
        arguments = tuple(self.parse(v) for v in node.inputs if v is not None)
        if node.op_type in ("Max", "Min", "Add", "Mul") and len(arguments) > 2:
            result = arguments[0]
            for argument in arguments[1:]:
                result = ex.Apply(node.op_type, (result, argument))
            return result
        attributes = tuple(
            (name, attribute.value)
            for name, attribute in sorted(node.attributes.items())
            if name in ("alpha", "beta", "approximate")
        )
        return ex.Apply(node.op_type, arguments, attributes)

    def _power(self, node: ir.Node) -> ex.Node:
        base, exponent = node.inputs
        assert base is not None and exponent is not None
        constant = constant_of(exponent)
        power = None if constant is None or constant.size != 1 else float(constant.reshape(-1)[0])
        x = self.parse(base)
        if power == 2.0:
            return ex.Apply("Mul", (x, x))
        if power == 3.0:
            return ex.Apply("Mul", (ex.Apply("Mul", (x, x)), x))
        if power == 0.5:
            return ex.Apply("Sqrt", (x,))
        raise NotElementwise(f"Pow with exponent {power}")

    def _clip(self, node: ir.Node) -> ex.Node:
        x, *limits = [None if v is None else self.parse(v) for v in node.inputs]
        low, high = [*limits, None, None][:2]
        assert x is not None
        result = x if low is None else ex.Apply("Max", (x, low))
        return result if high is None else ex.Apply("Min", (result, high))


def constant_of(value: ir.Value | None) -> np.ndarray | None:
    """The elements of a value that is a constant inside a function."""
    if value is None:
        return None
    if value.const_value is not None and value.producer() is None:
        return value.const_value.numpy()
    node = value.producer()
    if node is not None and node.op_type == "Constant" and "value" in node.attributes:
        return node.attributes["value"].as_tensor().numpy()
    return None


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The static shape of a value inside a function."""
    if value.shape is None or not all(isinstance(d, int) for d in value.shape):
        raise NotElementwise(f"{value.name} has no static shape")
    return tuple(int(d) for d in value.shape)  # type: ignore[arg-type]
