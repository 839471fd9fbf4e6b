"""The edgemoe primitives: ONNX functions whose bodies are standard operators.

Every form of expert is rewritten to these, so a graph with experts still runs in any ONNX runtime.
T tokens, K chosen per token, S = T * K rows, E experts; weights keep the layout of the file.

    Dispatch(x[T,H], ids[T,K]) -> [S,H]                     row t*K+j is x[t]
    ExpertLinear(x[S,in], ids[S], W[E,out,in]) -> [S,out]   row s through expert ids[s]
    ExpertLinearBias(x, ids, W, b[E,out])                   plus b[ids[s]]
    ExpertLinearT, ExpertLinearTBias                        the same with W[E,in,out]
    Combine(y[S,H], weights[T,K]) -> [T,H]                  sum over j of weights[t,j] * y[t*K+j];
                                                            a row with weight 0 may hold anything
    BlockUp(x[T,H], W[E,d,H], b[E,d]?) -> [T,E,d]           every expert; a zero score skips it
    BlockDown(h[T,E,d], scores[T,E], W[E,H,d], b[E,H]?) -> [T,H]
                                                            sum_e scores[t,e] * (W_e h_te + b_e)
    RowDots(x[T,H], ids[T,K], U[N,H]) -> [T,K]              x[t] . U[ids[t,j]]
    RowSum(s[T,K], ids[T,K], V[N,H]) -> [T,H]               sum over j of s[t,j] * V[ids[t,j]]
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.emit import Emitter
from edgemoe.graph_facts import DOMAIN, KIND

GATHER_BYTES = 64 << 20  # above this, the body of ExpertLinear multiplies with every expert
OPSET = 23

EXPERT_LINEARS = ("ExpertLinear", "ExpertLinearBias", "ExpertLinearT", "ExpertLinearTBias")


def dispatch(emit: Emitter, x: ir.Value, ids: ir.Value) -> ir.Value:
    """Emit `Dispatch`: x [T,H], ids int64 [T,K] -> [T*K,H]."""
    (tokens, width), chosen = _static(x), _static(ids)[1]
    return _call(emit, "Dispatch", "Dispatch", [x, ids], (tokens * chosen, width), x.dtype)


def expert_linear(
    emit: Emitter,
    x: ir.Value,
    ids: ir.Value,
    weight: ir.Value,
    bias: ir.Value | None = None,
    *,
    transposed: bool = False,
) -> ir.Value:
    """Emit an expert product: x [S,in], ids int64 [S], weight [E,out,in] -> [S,out].

    Args:
        emit: where the node goes.
        x: rows.
        ids: the expert of each row.
        weight: [E,out,in], or [E,in,out] when `transposed`.
        bias: [E,out].
        transposed: how the weight lies in memory.
    """
    experts, first, second = _static(weight)
    rows, width = _static(x)
    out = second if transposed else first
    kind = "ExpertLinear" + ("T" if transposed else "") + ("Bias" if bias is not None else "")
    gathers = rows * width * out * 4 < GATHER_BYTES
    name = f"{kind}_{'gather' if gathers else 'product'}"
    inputs = [x, ids, weight] + ([] if bias is None else [bias])
    del experts
    return _call(emit, kind, name, inputs, (rows, out), x.dtype)


def combine(emit: Emitter, y: ir.Value, weights: ir.Value) -> ir.Value:
    """Emit `Combine`: y [T*K,H], weights [T,K] -> [T,H]."""
    shape = (_static(weights)[0], _static(y)[1])
    return _call(emit, "Combine", "Combine", [y, weights], shape, y.dtype)


def block_up(emit: Emitter, x: ir.Value, weight: ir.Value, bias: ir.Value | None) -> ir.Value:
    """Emit `BlockUp`: x [T,H], weight [E,d,H], bias [E,d] or None -> [T,E,d]."""
    experts, width, _ = _static(weight)
    inputs = [x, weight] + ([] if bias is None else [bias])
    name = "BlockUp" if bias is None else "BlockUp_bias"
    return _call(emit, "BlockUp", name, inputs, (_static(x)[0], experts, width), x.dtype)


def block_down(
    emit: Emitter, h: ir.Value, scores: ir.Value, weight: ir.Value, bias: ir.Value | None
) -> ir.Value:
    """Emit `BlockDown`: h [T,E,d], scores [T,E], weight [E,H,d], bias [E,H] or None -> [T,H]."""
    inputs = [h, scores, weight] + ([] if bias is None else [bias])
    name = "BlockDown" if bias is None else "BlockDown_bias"
    shape = (_static(h)[0], _static(weight)[1])
    return _call(emit, "BlockDown", name, inputs, shape, h.dtype)


def row_dots(emit: Emitter, x: ir.Value, ids: ir.Value, table: ir.Value) -> ir.Value:
    """Emit `RowDots`: x [T,H], ids int64 [T,K], table [N,H] -> [T,K]."""
    return _call(emit, "RowDots", "RowDots", [x, ids, table], _static(ids), x.dtype)


def row_sum(emit: Emitter, scores: ir.Value, ids: ir.Value, table: ir.Value) -> ir.Value:
    """Emit `RowSum`: scores [T,K], ids int64 [T,K], table [N,H] -> [T,H]."""
    shape = (_static(ids)[0], _static(table)[1])
    return _call(emit, "RowSum", "RowSum", [scores, ids, table], shape, scores.dtype)


def is_primitive(name: str) -> bool:
    """Tell whether a function of this name is a primitive, and not a region made of them."""
    return name in _BODIES


def add_bodies(model: ir.Model) -> None:
    """Give every primitive that the model calls its function, and forget those it does not."""
    called = {
        node.op_type
        for graph in _with_functions(model)
        for node in graph.all_nodes()
        if node.domain == DOMAIN
    }
    for name in called & set(_BODIES):
        if (DOMAIN, name, "") not in model.functions:
            function = _function(name)
            model.functions[function.identifier()] = function
    for identifier in list(model.functions):
        if identifier[0] == DOMAIN and identifier[1] not in called:
            del model.functions[identifier]
    if called:
        model.opset_imports[DOMAIN] = 1


def _with_functions(model: ir.Model) -> list[ir.Graph]:
    return [model.graph, *(function.graph for function in model.functions.values())]


def _static(value: ir.Value) -> tuple[int, ...]:
    shape = graph_facts.shape_of(value)
    assert shape is not None, f"{value.name} has no static shape"
    return shape


def _call(
    emit: Emitter,
    kind: str,
    name: str,
    inputs: list[ir.Value],
    shape: tuple[int, ...],
    dtype: ir.DataType | None,
) -> ir.Value:
    node = emit.node(name, inputs, domain=DOMAIN, metadata={KIND: kind})
    output = node.outputs[0]
    output.shape = ir.Shape(shape)
    output.type = ir.TensorType(dtype or ir.DataType.FLOAT)
    return output


class _Body:
    """Collects the nodes of a function; constants are Constant nodes, as functions need."""

    def __init__(self) -> None:
        self.nodes: list[ir.Node] = []

    def op(self, op_type: str, *inputs: ir.Value, **attributes: int) -> ir.Value:
        node = ir.node(op_type, list(inputs), attributes=dict(attributes))
        self.nodes.append(node)
        return node.outputs[0]

    def ints(self, *values: int) -> ir.Value:
        node = ir.node("Constant", [], attributes={"value": ir.tensor(np.array(values, np.int64))})
        self.nodes.append(node)
        return node.outputs[0]

    def extent(self, x: ir.Value, start: int, end: int) -> ir.Value:
        return self.op("Shape", x, start=start, end=end)

    def shape(self, *parts: ir.Value) -> ir.Value:
        return self.op("Concat", *parts, axis=0)


def _dispatch(b: _Body, x: ir.Value, ids: ir.Value) -> ir.Value:
    wide = b.op("Unsqueeze", x, b.ints(1))  # [T,1,H]
    target = b.shape(b.ints(1), b.extent(ids, 1, 2), b.ints(1))
    rows = b.op("Expand", wide, target)  # [T,K,H]
    return b.op("Reshape", rows, b.shape(b.ints(-1), b.extent(x, 1, 2)))


def _combine(b: _Body, y: ir.Value, weights: ir.Value) -> ir.Value:
    wide = b.op("Unsqueeze", weights, b.ints(2))  # [T,K,1]
    target = b.shape(b.extent(weights, 0, 2), b.extent(y, 1, 2))
    rows = b.op("Reshape", y, target)  # [T,K,H]
    product = b.op("Mul", rows, wide)
    zero = b.op("CastLike", b.op("Squeeze", b.ints(0)), weights)
    counted = b.op("Where", b.op("Equal", wide, zero), zero, product)
    return b.op("ReduceSum", counted, b.ints(1), keepdims=0)


def _gathering(*, transposed: bool, biased: bool) -> Callable[..., ir.Value]:
    def body(
        b: _Body, x: ir.Value, ids: ir.Value, weight: ir.Value, bias: ir.Value | None = None
    ) -> ir.Value:
        chosen = b.op("Gather", weight, ids, axis=0)
        axis = b.ints(1 if transposed else 2)
        wide = b.op("Unsqueeze", x, axis)
        product = b.op("MatMul", wide, chosen) if transposed else b.op("MatMul", chosen, wide)
        y = b.op("Squeeze", product, axis)
        return b.op("Add", y, b.op("Gather", bias, ids, axis=0)) if biased and bias else y

    return body


def _multiplying(*, transposed: bool, biased: bool) -> Callable[..., ir.Value]:
    def body(
        b: _Body, x: ir.Value, ids: ir.Value, weight: ir.Value, bias: ir.Value | None = None
    ) -> ir.Value:
        if transposed:
            every = b.op("MatMul", x, weight)  # [E,S,out]
        else:
            columns = b.op("MatMul", weight, b.op("Transpose", x))  # [E,out,S]
            node = ir.node("Transpose", [columns], attributes={"perm": [0, 2, 1]})
            b.nodes.append(node)
            every = node.outputs[0]
        count = b.op("Squeeze", b.extent(ids, 0, 1))
        zero, one = b.op("Squeeze", b.ints(0)), b.op("Squeeze", b.ints(1))
        rows = b.op("Range", zero, count, one)
        last = b.ints(1)
        where = b.op("Concat", b.op("Unsqueeze", ids, last), b.op("Unsqueeze", rows, last), axis=1)
        y = b.op("GatherND", every, where)
        return b.op("Add", y, b.op("Gather", bias, ids, axis=0)) if biased and bias else y

    return body


def _block_up(b: _Body, x: ir.Value, weight: ir.Value, bias: ir.Value | None = None) -> ir.Value:
    flat = b.op("Reshape", weight, b.shape(b.ints(-1), b.extent(weight, 2, 3)))  # [E*d,H]
    every = b.op("Gemm", x, flat, transB=1)
    h = b.op("Reshape", every, b.shape(b.ints(-1), b.extent(weight, 0, 2)))
    return h if bias is None else b.op("Add", h, bias)


def _block_down(
    b: _Body, h: ir.Value, scores: ir.Value, weight: ir.Value, bias: ir.Value | None = None
) -> ir.Value:
    scored = b.op("Mul", h, b.op("Unsqueeze", scores, b.ints(2)))
    rows = b.op("Reshape", scored, b.shape(b.extent(h, 0, 1), b.ints(-1)))  # [T,E*d]
    node = ir.node("Transpose", [weight], attributes={"perm": [1, 0, 2]})
    b.nodes.append(node)
    flat = b.op("Reshape", node.outputs[0], b.shape(b.extent(weight, 1, 2), b.ints(-1)))
    y = b.op("Gemm", rows, flat, transB=1)
    return y if bias is None else b.op("Add", y, b.op("MatMul", scores, bias))


def _row_dots(b: _Body, x: ir.Value, ids: ir.Value, table: ir.Value) -> ir.Value:
    rows = b.op("Gather", table, ids, axis=0)  # [T,K,H]
    return b.op("Squeeze", b.op("MatMul", rows, b.op("Unsqueeze", x, b.ints(2))), b.ints(2))


def _row_sum(b: _Body, scores: ir.Value, ids: ir.Value, table: ir.Value) -> ir.Value:
    rows = b.op("Gather", table, ids, axis=0)  # [T,K,H]
    return b.op("Squeeze", b.op("MatMul", b.op("Unsqueeze", scores, b.ints(1)), rows), b.ints(1))


_BODIES: dict[str, tuple[str, tuple[str, ...], Callable[..., ir.Value]]] = {
    "Dispatch": ("Dispatch", ("x", "ids"), _dispatch),
    "Combine": ("Combine", ("y", "weights"), _combine),
    "RowDots": ("RowDots", ("x", "ids", "table"), _row_dots),
    "RowSum": ("RowSum", ("scores", "ids", "table"), _row_sum),
    "BlockUp": ("BlockUp", ("x", "weight"), _block_up),
    "BlockUp_bias": ("BlockUp", ("x", "weight", "bias"), _block_up),
    "BlockDown": ("BlockDown", ("h", "scores", "weight"), _block_down),
    "BlockDown_bias": ("BlockDown", ("h", "scores", "weight", "bias"), _block_down),
}
for _kind in EXPERT_LINEARS:
    _flags = {"transposed": "T" in _kind[12:], "biased": _kind.endswith("Bias")}
    _names = ("x", "ids", "weight", "bias") if _flags["biased"] else ("x", "ids", "weight")
    _BODIES[f"{_kind}_gather"] = (_kind, _names, _gathering(**_flags))
    _BODIES[f"{_kind}_product"] = (_kind, _names, _multiplying(**_flags))


def _function(name: str) -> ir.Function:
    kind, names, build = _BODIES[name]
    body = _Body()
    inputs = [ir.val(n) for n in names]
    output = build(body, *inputs)
    graph = ir.Graph(inputs, [output], nodes=body.nodes, opset_imports={"": OPSET})
    function = ir.Function(DOMAIN, name, "", graph=graph, attributes=[])
    function.metadata_props[KIND] = kind
    return function
