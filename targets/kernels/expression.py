"""Elementwise expressions that kernels compute on their results before they store them.

An expression is a small tree of plain data (so that equal ones share a kernel) over *ports* (the
products that the kernel has just computed), *operands* (other tensors, by how they are indexed)
and constants. The operators are the elementwise operators of ONNX, under their ONNX names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tvm import tirx
from tvm.ir import Expr

from edgemoe.targets.kernels import vector_math as vm

Indexing = Literal["full", "column", "row", "scalar", "expert_column", "token", "token_row"]
"""How an operand of a [M, N] result is read.

At [m, n], [n], [m], [0], [expert of m, n], [token of m, n] or [token of m].
"""


@dataclass(frozen=True)
class Port:
    """Product number `index` of the kernel."""

    index: int = 0


@dataclass(frozen=True)
class Operand:
    """Another tensor; `index` numbers the kernel's extra pointers."""

    index: int
    indexing: Indexing


@dataclass(frozen=True)
class Constant:
    """A float32 constant."""

    value: float


@dataclass(frozen=True)
class Apply:
    """An ONNX elementwise operator on expressions."""

    op: str
    arguments: tuple[Node, ...]
    attributes: tuple[tuple[str, Any], ...] = ()


Node = Port | Operand | Constant | Apply


def operands_of(node: Node) -> dict[int, Operand]:
    """All operands below `node`, by index."""
    if isinstance(node, Operand):
        return {node.index: node}
    found: dict[int, Operand] = {}
    if isinstance(node, Apply):
        for argument in node.arguments:
            found.update(operands_of(argument))
    return dict(sorted(found.items()))


def describe(node: Node) -> str:
    """The operators of an expression in the order of evaluation, for step labels."""
    names: list[str] = []

    def visit(node: Node) -> None:
        if isinstance(node, Apply):
            for argument in node.arguments:
                visit(argument)
            names.append(node.op.lower())

    visit(node)
    return "".join(f", {name}" for name in dict.fromkeys(names))


def evaluate(node: Node, leaf: Callable[[Port | Operand], Expr], lanes: int) -> Expr:
    """Emit `node` at the current place of the builder; equal subtrees are computed once."""
    memo: dict[Node, Expr] = {}

    def emit(node: Node) -> Expr:
        if node not in memo:
            memo[node] = vm.register(_emit(node))
        return memo[node]

    def _emit(node: Node) -> Expr:
        if isinstance(node, Constant):
            scalar = tirx.const(node.value, "float32")
            return scalar if lanes == 1 else tirx.Broadcast(scalar, lanes)
        if isinstance(node, Port | Operand):
            return leaf(node)
        return OPERATORS[node.op](*(emit(a) for a in node.arguments), **dict(node.attributes))

    return emit(node)


def _relu(x: Expr) -> Expr:
    # A select keeps NaN, as onnxruntime does; max would drop it.
    return tirx.Select(x < vm.constant(0.0, x), vm.constant(0.0, x), x)


def _clip(x: Expr, low: Expr | None = None, high: Expr | None = None) -> Expr:
    if low is not None:
        x = vm.let(x, lambda x: tirx.Select(x < low, low, x))
    if high is not None:
        x = vm.let(x, lambda x: tirx.Select(x > high, high, x))
    return x


def _leaky_relu(x: Expr, alpha: float = 0.01) -> Expr:
    return tirx.Select(x < vm.constant(0.0, x), x * vm.constant(alpha, x), x)


def _elu(x: Expr, alpha: float = 1.0) -> Expr:
    negative = vm.constant(alpha, x) * (vm.exp(x) - vm.constant(1.0, x))
    return tirx.Select(x < vm.constant(0.0, x), negative, x)


def _hard_sigmoid(x: Expr, alpha: float = 0.2, beta: float = 0.5) -> Expr:
    return vm.clamp(x * vm.constant(alpha, x) + vm.constant(beta, x), 0.0, 1.0)


def _hard_swish(x: Expr) -> Expr:
    return x * _hard_sigmoid(x, 1.0 / 6.0, 0.5)


def _gelu(x: Expr, approximate: str = "none") -> Expr:
    return vm.gelu_tanh(x) if approximate == "tanh" else vm.gelu(x)


def _swish(x: Expr, alpha: float = 1.0) -> Expr:
    return vm.silu(x) if alpha == 1.0 else x * vm.sigmoid(x * vm.constant(alpha, x))


OPERATORS: dict[str, Callable[..., Expr]] = {
    "Identity": lambda x: x,
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
    "Max": lambda a, b: tirx.Select(a < b, b, a),
    "Min": lambda a, b: tirx.Select(a > b, b, a),
    "Neg": lambda x: vm.constant(0.0, x) - x,
    "Abs": lambda x: tirx.Select(x < vm.constant(0.0, x), vm.constant(0.0, x) - x, x),
    "Relu": _relu,
    "Clip": _clip,
    "LeakyRelu": _leaky_relu,
    "Elu": _elu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Sigmoid": vm.sigmoid,
    "Tanh": vm.tanh,
    "Erf": vm.erf,
    "Exp": vm.exp,
    "Gelu": _gelu,
    "Swish": _swish,
    "Sqrt": tirx.sqrt,
    "Reciprocal": lambda x: vm.constant(1.0, x) / x,
    "Square": lambda x: x * x,
}
"""Emitters by ONNX operator name; each keeps the shape of its (equally shaped) arguments."""
