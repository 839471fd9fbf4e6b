"""What a router is, once understood: its parameters, and the logits that it starts from.

s = score(logits); choice = s + bias; groups may be masked in `choice`; ids = top k of `choice`
w = s[ids]; w = softmax(w) or sigmoid(w); w = w / (sum(w) + eps); w = w * scale * expert_scale[ids]
classes from `skip_from` on are no experts: their id becomes one that nobody has, their weight 0
"""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from edgemoe import graph_facts

SCORES = ("none", "softmax", "sigmoid", "sqrt_softplus", "relu")


@dataclass(frozen=True)
class RouterSite:
    """Where a region gets its routing from.

    Indexed regions have `ids` and `weights` [tokens, chosen], scored ones `scores`
    [tokens, experts]; both kinds may be set. `factors` [tokens * chosen, 1] are other inputs of an
    indexed region: where all weights are 1, one of them may weigh the rows that go into the
    experts. `form` is how the experts were found ("indexed", "soft", "slotted", ..), `x` what they
    read.
    """

    tokens: int
    experts: int
    chosen: int = 0
    ids: ir.Value | None = None
    weights: ir.Value | None = None
    scores: ir.Value | None = None
    factors: tuple[ir.Value, ...] = ()
    form: str = "indexed"
    x: ir.Value | None = None


@dataclass
class Route:
    """An understood router; `tensors` are what else it reads: correction bias, gamma, a table.

    `outputs` replaces ids and weights of the site where the router makes something else. A router
    that is `described` only stays ordinary operators: no kernel could compute it better.
    """

    logits: ir.Value
    parameters: dict[str, object]
    tensors: list[ir.Value] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    outputs: list[ir.Value] = field(default_factory=list)
    described: bool = False


@dataclass
class Weighting:
    """How the chosen scores become weights; `score` is [T, E] and is gathered by the ids."""

    score: ir.Value
    softmax_after: bool = False
    sigmoid_after: bool = False
    renormalise: str = "none"
    eps: float = 0.0
    eps_mode: str = "add"
    scale: float = 1.0
    norm: float = 1.0  # the p of an L_p norm, for renormalise "norm"
    expert_scale: ir.Value | None = None

    def parameters(self) -> dict[str, object]:
        """Return the part of the route's parameters that is about weights."""
        return {
            "softmax_after": self.softmax_after, "sigmoid_after": self.sigmoid_after,
            "renormalise": self.renormalise, "eps": self.eps, "eps_mode": self.eps_mode,
            "scale": self.scale,
            **({"norm": self.norm} if self.renormalise == "norm" else {}),
            **({"expert_scale": True} if self.expert_scale is not None else {}),
        }  # fmt: skip

    def tensors(self, bias: ir.Value | None = None) -> tuple[list[ir.Value], list[str]]:
        """Return the constants that a route reads, bias first, and their names."""
        given = [("bias", bias), ("expert_scale", self.expert_scale)]
        kept = [(name, value) for name, value in given if value is not None]
        return [value for _, value in kept], [name for name, _ in kept]


def without_casts(value: ir.Value) -> ir.Value:
    """Go up through reshapes and casts between float types that lose nothing."""
    while True:
        value = graph_facts.before_reshapes(value)
        node = graph_facts.made_by(value, "Cast")
        source = node.inputs[0] if node is not None else None
        if source is None or source.dtype is None or value.dtype is None:
            return value
        if not (source.dtype.is_floating_point() and value.dtype.is_floating_point()):
            return value
        value = source


def understand_weights(weights: ir.Value, ids: ir.Value, topk: ir.Node | None) -> Weighting | str:
    """Take weights [T, K] apart; a string says what is in the way.

    Args:
        weights: the weights of a region.
        ids: its ids.
        topk: the TopK that made the ids, whose values may be the chosen scores.
    """
    found = Weighting(weights)
    value = without_casts(weights)
    value = _without_scales(value, ids, found)
    if (divided := normalised(value)) is not None:
        value, found.eps, found.eps_mode = divided
        found.renormalise = "sum"
        value = without_casts(value)
    elif (divided_by_norm := _divided_by_norm(value)) is not None:
        value, found.norm = divided_by_norm
        found.renormalise = "norm"
        value = without_casts(value)
    for op_type, attribute in (("Softmax", "softmax_after"), ("Sigmoid", "sigmoid_after")):
        node = graph_facts.made_by(value, op_type)
        shape = graph_facts.shape_of(value)
        if node is None or shape is None or node.inputs[0] is None:
            continue
        if op_type == "Softmax" and graph_facts.axis_of(node, -1, len(shape)) != len(shape) - 1:
            return f"{node.name} normalises across tokens"
        leaf = without_casts(node.inputs[0])
        if _chosen_scores(leaf, ids, topk) is not None:
            setattr(found, attribute, True)
            value = leaf
            break
    score = _chosen_scores(value, ids, topk)
    if score is None:
        node = value.producer()
        what = f"{node.name} ({node.op_type})" if node is not None else str(value.name)
        return f"the weights come from {what}, which is no choice of scores"
    found.score = score
    return found


def _without_scales(value: ir.Value, ids: ir.Value, found: Weighting) -> ir.Value:
    """Take off factors: numbers, and at most one that each expert has of its own."""
    while True:
        scaled = _scaled(value)
        if scaled is not None:
            value, factor = without_casts(scaled[0]), scaled[1]
            found.scale *= factor
            continue
        own = _scaled_by_expert(value, ids) if found.expert_scale is None else None
        if own is None:
            return value
        value, found.expert_scale = without_casts(own[0]), own[1]


def _scaled_by_expert(value: ir.Value, ids: ir.Value) -> tuple[ir.Value, ir.Value] | None:
    """X * scale[ids] -> (x, scale), a constant [E]."""
    node = graph_facts.made_by(value, "Mul")
    if node is None:
        return None
    for first, second in (node.inputs, tuple(reversed(node.inputs))):
        if first is None or second is None:
            continue
        gather = graph_facts.made_by(without_casts(second), "Gather", "GatherND")
        if gather is None or gather.inputs[0] is None or gather.inputs[1] is None:
            continue
        table = gather.inputs[0]
        if (
            graph_facts.is_constant(table)
            and len(graph_facts.shape_of(table) or ()) == 1
            and graph_facts.same_elements(gather.inputs[1], ids)
        ):
            return first, table
    return None


def _divided_by_norm(value: ir.Value) -> tuple[ir.Value, float] | None:
    """X / norm(x, p) along the last axis -> (x, p)."""
    node = graph_facts.made_by(value, "Div")
    if node is None or node.inputs[0] is None or node.inputs[1] is None:
        return None
    total, x, p = without_casts(node.inputs[1]), node.inputs[0], 1.0
    inner = total.producer()
    if graph_facts.is_op(inner, "Sqrt") and inner is not None:
        total, p = without_casts(inner.inputs[0] or total), 2.0
        inner = total.producer()
    if inner is None or not graph_facts.is_op(inner, "ReduceL1", "ReduceL2", "ReduceSum"):
        return None
    source = inner.inputs[0]
    if graph_facts.is_op(inner, "ReduceL2"):
        p = 2.0
    elif graph_facts.is_op(inner, "ReduceSum"):
        around = graph_facts.made_by(source, "Abs" if p == 1.0 else "Mul")
        if around is None or (p == 2.0 and around.inputs[0] is not around.inputs[1]):
            return None
        source = around.inputs[0]
    shape = graph_facts.shape_of(source)
    if source is None or shape is None or graph_facts.axes_of(inner) != [len(shape) - 1]:
        return None
    return (x, p) if graph_facts.same_elements(source, x) else None


def _scaled(value: ir.Value) -> tuple[ir.Value, float] | None:
    node = graph_facts.made_by(value, "Mul", "Div")
    if node is None:
        return None
    first, second = node.inputs
    factor = graph_facts.scalar_of(second)
    if factor is not None and first is not None:
        return first, factor if node.op_type == "Mul" else 1.0 / factor
    factor = graph_facts.scalar_of(first)
    if factor is not None and second is not None and node.op_type == "Mul":
        return second, factor
    return None


def normalised(value: ir.Value) -> tuple[ir.Value, float, str] | None:
    """X / (sum(x) + eps) or x / max(sum(x), eps) -> (x, eps, "add" or "max")."""
    node = graph_facts.made_by(value, "Div")
    if node is None or node.inputs[0] is None or node.inputs[1] is None:
        return None
    total, eps, mode = without_casts(node.inputs[1]), 0.0, "add"
    around = graph_facts.made_by(total, "Add", "Max", "Clip", "Expand")
    while around is not None:
        source, constant = around.inputs[0], around.inputs[1] if len(around.inputs) > 1 else None
        if graph_facts.is_op(around, "Clip") and len([v for v in around.inputs if v]) != 2:
            return None
        if not graph_facts.is_op(around, "Expand"):
            if graph_facts.is_constant(source):
                source, constant = constant, source
            number = graph_facts.scalar_of(constant)
            if number is None or eps:
                return None
            eps, mode = number, "add" if graph_facts.is_op(around, "Add") else "max"
        if source is None:
            return None
        total = without_casts(source)
        around = graph_facts.made_by(total, "Add", "Max", "Clip", "Expand")
    alone = (graph_facts.shape_of(node.inputs[0]) or (0,))[-1] == 1
    if alone and graph_facts.same_elements(total, node.inputs[0]):
        return node.inputs[0], eps, mode  # the sum of one weight
    summed = graph_facts.made_by(total, "ReduceSum")
    axes = graph_facts.axes_of(summed) if summed is not None else None
    if summed is None or axes is None or summed.inputs[0] is None:
        return None
    rank = len(graph_facts.shape_of(summed.inputs[0]) or ())
    if axes != [rank - 1] or not graph_facts.same_elements(summed.inputs[0], node.inputs[0]):
        return None
    return node.inputs[0], eps, mode


def _chosen_scores(value: ir.Value, ids: ir.Value, topk: ir.Node | None) -> ir.Value | None:
    """Return the [T, E] that `value` [T, K] was chosen from by the ids."""
    node = value.producer()
    if node is None:
        return None
    if node is topk and value.index() == 0:
        return node.inputs[0]
    if graph_facts.is_op(node, "GatherElements") and node.inputs[0] is not None:
        shape = graph_facts.shape_of(value)
        last = shape is not None and graph_facts.axis_of(node, 0, len(shape)) == len(shape) - 1
        if last and node.inputs[1] is not None and graph_facts.same_elements(node.inputs[1], ids):
            return node.inputs[0]
    return None


def understand_score(score: ir.Value) -> tuple[str, ir.Value] | str:
    """Split a score [T, E] into the function's name and the logits."""
    value = without_casts(score)
    node = value.producer()
    if node is not None and node.inputs and node.inputs[0] is not None:
        logits = node.inputs[0]
        if graph_facts.is_op(node, "Softmax"):
            rank = len(graph_facts.shape_of(value) or ())
            if graph_facts.axis_of(node, -1, rank) != rank - 1:
                return f"{node.name} normalises across tokens"
            return "softmax", without_casts(logits)
        if graph_facts.is_op(node, "Sigmoid"):
            return "sigmoid", without_casts(logits)
        inner = _softplus(logits) if graph_facts.is_op(node, "Sqrt") else None
        if inner is not None:
            return "sqrt_softplus", without_casts(inner)
    return "none", value


def temperature_of(logits: ir.Value) -> dict[str, object]:
    """Return {"temperature": tau} where the logits are others over tau, else {}."""
    scaled = _scaled(without_casts(logits))
    if scaled is None or scaled[1] in (0.0, 1.0):
        return {}
    return {"temperature": float(f"{1.0 / scaled[1]:.6g}")}


def _softplus(value: ir.Value) -> ir.Value | None:
    """Softplus(x), or PyTorch's Where(x > 20, x, Softplus(x)) -> x."""
    node = graph_facts.made_by(value, "Where")
    if node is not None:
        condition = graph_facts.made_by(node.inputs[0], "Greater")
        same = condition is not None and condition.inputs[0] is node.inputs[1]
        limit = graph_facts.scalar_of(condition.inputs[1]) if condition is not None else None
        if not same or limit is None or limit < 15 or node.inputs[2] is None:
            return None  # from 15 on softplus(x) is x in float32
        inner = graph_facts.made_by(node.inputs[2], "Softplus")
        return node.inputs[1] if inner is not None and inner.inputs[0] is node.inputs[1] else None
    node = graph_facts.made_by(value, "Softplus")
    return node.inputs[0] if node is not None else None


def chosen_by(ids: ir.Value) -> ir.Node | None:
    """Return the TopK along the last axis whose indices are these ids."""
    value = graph_facts.before_reshapes(ids)
    while (cast := graph_facts.made_by(value, "Cast")) is not None and cast.inputs[0] is not None:
        value = graph_facts.before_reshapes(cast.inputs[0])
    node = graph_facts.made_by(value, "TopK")
    if node is None or value.index() != 1 or not graph_facts.attribute(node, "largest", 1):
        return None
    rank = len(graph_facts.shape_of(value) or ())
    return node if graph_facts.axis_of(node, -1, rank) == rank - 1 else None
