"""`route`: router logits to the k chosen experts of each token and their weights.

Ties go to the lower expert number. The parameters are those that the recogniser found; see
`edgemoe/routing.py` for their meaning.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import onnx_ir as ir
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from edgemoe.plan import Pointer
from edgemoe.targets.kernels import selection
from edgemoe.targets.kernels import tile as tiles
from edgemoe.targets.kernels import vector_math as vm
from edgemoe.targets.kernels.score_vectors import (
    copy_scores,
    softmax_of_few,
    softmax_vectors,
)
from edgemoe.targets.site import Site, shape_of
from edgemoe.targets.spec import Isa

MAX_EXPERTS = 512
"""Most experts of one router: scores of a token lie on the stack."""

PER_TOKEN, PER_EXPERT, PER_CHOICE = 100, 8, 350
"""`Step.work` of a token, a score of a token, and the search of one expert for it."""

F32_LOWEST = -3.4028234e38


@dataclass(frozen=True)
class Route:
    """The kernel for one kind of router; one task per token.

    With `known_experts`, their number is fixed, and the scores of a few vectors stay in registers;
    0 leaves it to the run-time parameter.
    """

    score: str  # "softmax", "sigmoid" or "none"
    bias: bool  # added for the selection, not for the weights
    groups: int
    top_groups: int
    group_score: str  # "max" or "sum2"
    softmax_after: bool
    sigmoid_after: bool
    renormalise: bool
    eps: float
    eps_mode: str  # "add" or "max"
    scale: float
    largest: bool
    norm: float = 0.0  # 1 or 2: weights are divided by their L_p norm
    expert_scale: bool = False  # a factor per expert, by its id
    skip_from: int = 0  # classes from here on are nobody; 0: every class is an expert
    known_experts: int = 0

    @property
    def parameters(self) -> tuple[str, ...]:
        """C types of (logits, bias?, expert_scale?, ids, weights, classes, chosen)."""
        given = ("float*",) * (self.bias + self.expert_scale)
        return ("float*", *given, "int64_t*", "float*", "int32_t", "int32_t")

    def build(self, name: str, isa: Isa) -> tiles.Built:
        """The kernel for one instruction set."""
        with IRBuilder() as builder, T.prim_func(s_tir=True):
            given = [n for n in ("bias", "expert_scale") if getattr(self, n)]
            names = dict.fromkeys(["logits", *given], "float32")
            names |= {"ids": "int64", "weights": "float32"}
            buffers, (experts, chosen, begin, end) = tiles.parameters(names, ("experts", "chosen"))
            lanes, vectors = self._vectors(isa, experts)
            room = vectors * lanes if isinstance(vectors, int) else MAX_EXPERTS
            scores = T.alloc_buffer((room,), "float32")
            ranks = T.alloc_buffer((room,), "float32")
            keys = T.alloc_buffer((room,), "int32")
            if self.known_experts:
                experts = tirx.const(self.known_experts, "int32")
            with T.serial(begin, end) as token:
                at = tiles.local(token * experts)
                self._scores(lanes, buffers["logits"], at, experts, vectors, scores)
                self._ranks(lanes, buffers, experts, vectors, scores, ranks)
                never = tiles.splat(tirx.const(selection.NEVER, "int32"), lanes)
                with T.serial(0, vectors) as v:
                    start = tiles.local(v * lanes)
                    rank = vm.register(tiles.load(ranks, start, lanes))
                    order = selection.key(rank, largest=self.largest or self.groups > 1)
                    known = tiles.ramp(start, lanes) < tiles.splat(experts, lanes)
                    tiles.store(keys, start, tirx.Select(known, order, never), lanes)
                out = tiles.local(token * chosen)
                with T.serial(0, chosen) as j:
                    best = selection.pick(keys, vectors, lanes)
                    T.buffer_store(buffers["ids"], tirx.Cast("int64", best), [out + j])
                    T.buffer_store(buffers["weights"], scores[best], [out + j])
                self._weights(buffers["weights"], out, chosen)
                self._by_expert(buffers, out, chosen)
        return tiles.Built(builder.get())

    def _vectors(self, isa: Isa, experts: Expr) -> tuple[int, Expr | int]:
        """Lanes of the vectors of scores, and how many of them a token has.

        A known number of experts fills one vector at least: see `copy_scores`.
        """
        if not self.known_experts:
            return isa.lanes, tiles.local(tirx.truncdiv(experts + (isa.lanes - 1), isa.lanes))
        lanes = min(isa.lanes, 1 << self.known_experts.bit_length() - 1)
        return lanes, -(-self.known_experts // lanes)

    def _scores(
        self, lanes: int, logits: tirx.Var, at: Expr, experts: Expr, vectors: Expr | int,
        scores: tirx.Var,
    ) -> None:  # fmt: skip
        """Scores of a token."""
        copy_scores(lanes, logits, at, experts, self.known_experts, vectors, scores)
        if self.score == "sigmoid":
            with T.serial(0, vectors) as v:
                value = vm.sigmoid(tiles.load(scores, v * lanes, lanes))
                tiles.store(scores, v * lanes, value, lanes)
        elif self.score == "softmax":
            softmax_vectors(lanes, scores, vectors)

    def _ranks(
        self, lanes: int, buffers: dict[str, tirx.Var], experts: Expr, vectors: Expr | int,
        scores: tirx.Var, ranks: tirx.Var,
    ) -> None:  # fmt: skip
        """What the selection compares: scores with a bias, or only those of the best groups."""

        def rank(j: Expr, n: int) -> None:
            value = tiles.load(scores, j, n)
            if self.bias:
                value = value + tiles.load(buffers["bias"], j, n)
            if self.groups > 1 and not self.largest:
                value = vm.constant(0.0, value) - value
            tiles.store(ranks, j, value, n)

        if self.bias:
            tiles.for_columns(experts, lanes, rank)
        else:  # what fills the last vector has scores as well
            with T.serial(0, vectors) as v:
                rank(tiles.local(v * lanes), lanes)
        if self.groups > 1:
            self._keep_groups(ranks, experts)

    def _keep_groups(self, ranks: tirx.Var, experts: Expr) -> None:
        """Only the `top_groups` best groups of experts stay eligible (DeepSeek-V3, 2.1.2)."""
        lowest = tirx.const(F32_LOWEST, "float32")
        size = tiles.local(tirx.truncdiv(experts, self.groups))
        marks = T.alloc_buffer((self.groups,), "float32")
        kept = T.alloc_buffer((self.groups,), "int32")
        with T.serial(0, self.groups) as g:
            first = T.alloc_buffer((1,), "float32")
            second = T.alloc_buffer((1,), "float32")
            T.buffer_store(first, lowest, [0])
            T.buffer_store(second, lowest, [0])
            with T.serial(0, size) as i:
                value = vm.register(ranks[g * size + i])
                with T.If(value > first[0]):
                    with T.Then():
                        T.buffer_store(second, first[0], [0])
                        T.buffer_store(first, value, [0])
                    with T.Else(), T.If(value > second[0]), T.Then():
                        T.buffer_store(second, value, [0])
            mark = first[0] + second[0] if self.group_score == "sum2" else first[0]
            T.buffer_store(marks, mark, [g])
            T.buffer_store(kept, 0, [g])
        with T.serial(0, self.top_groups):
            best = T.alloc_buffer((1,), "int32")
            T.buffer_store(best, -1, [0])
            with T.serial(0, self.groups) as g:
                better = tirx.any(best[0] < 0, marks[g] > marks[tirx.max(best[0], 0)])
                with T.If(tirx.all(tirx.EQ(kept[g], 0), better)), T.Then():
                    T.buffer_store(best, g, [0])
            T.buffer_store(kept, 1, [best[0]])
        with T.serial(0, experts) as e:
            dropped = T.If(tirx.EQ(kept[tirx.truncdiv(e, size)], 0))
            with dropped, T.Then():
                T.buffer_store(ranks, lowest, [e])

    def _weights(self, weights: tirx.Var, at: Expr, chosen: Expr) -> None:
        if self.softmax_after:
            softmax_of_few(weights, at, chosen, weights, at)
        if self.sigmoid_after:
            with T.serial(0, chosen) as j:
                T.buffer_store(weights, vm.sigmoid(weights[at + j]), [at + j])
        if self.renormalise:
            total = T.alloc_buffer((1,), "float32")
            T.buffer_store(total, tirx.const(0.0, "float32"), [0])
            with T.serial(0, chosen) as j:
                T.buffer_store(total, total[0] + weights[at + j], [0])
            eps = tirx.const(self.eps, "float32")
            if self.eps_mode == "add":
                T.buffer_store(total, total[0] + eps, [0])
            else:
                T.buffer_store(total, tirx.Select(total[0] > eps, total[0], eps), [0])
            with T.serial(0, chosen) as j:
                T.buffer_store(weights, weights[at + j] / total[0], [at + j])
        if self.norm:
            total = T.alloc_buffer((1,), "float32")
            T.buffer_store(total, tirx.const(0.0, "float32"), [0])
            with T.serial(0, chosen) as j:
                value = weights[at + j]
                size = value * value if self.norm == 2.0 else tirx.abs(value)
                T.buffer_store(total, total[0] + size, [0])
            if self.norm == 2.0:
                T.buffer_store(total, tirx.sqrt(total[0]), [0])
            with T.serial(0, chosen) as j:
                T.buffer_store(weights, weights[at + j] / total[0], [at + j])
        if self.scale != 1.0:
            with T.serial(0, chosen) as j:
                scaled = weights[at + j] * tirx.const(self.scale, "float32")
                T.buffer_store(weights, scaled, [at + j])

    def _by_expert(self, buffers: dict[str, tirx.Var], at: Expr, chosen: Expr) -> None:
        """Apply what depends on which expert was chosen."""
        ids, weights = buffers["ids"], buffers["weights"]
        if self.expert_scale:
            with T.serial(0, chosen) as j:
                factor = buffers["expert_scale"][tirx.Cast("int32", ids[at + j])]
                T.buffer_store(weights, weights[at + j] * factor, [at + j])
        if self.skip_from:
            with T.serial(0, chosen) as j:
                real = ids[at + j] < tirx.const(self.skip_from, "int64")
                with T.If(tirx.Not(real)), T.Then():
                    T.buffer_store(weights, tirx.const(0.0, "float32"), [at + j])
                    T.buffer_store(ids, tirx.const(-1, "int64"), [at + j])


HANDLES = ("Route",)
_KNOWN = frozenset(
    ["score", "select", "k", "bias", "groups", "top_groups", "group_score", "masked", "largest",
     "softmax_after", "sigmoid_after", "renormalise", "eps", "eps_mode", "scale", "norm",
     "expert_scale", "skip_from", "applied_to"]
)  # fmt: skip


def accepts(node: ir.Node, function: ir.Function | None) -> bool:
    """Tell whether the router is a top-k router of a kind that the kernel computes."""
    del function
    parameters = json.loads(node.metadata_props.get("edgemoe.route", "{}"))
    experts = shape_of(node.inputs[0])[-1]
    return (
        parameters.get("select") == "topk"
        and _KNOWN.issuperset(parameters)  # a router may be understood in more ways than these
        and parameters.get("score") in ("none", "softmax", "sigmoid")
        and parameters.get("renormalise") in ("none", "sum", "norm")
        and parameters.get("norm", 1.0) in (1.0, 2.0)
        and experts <= MAX_EXPERTS
        # Groups that were masked by zeros are out only where every score is above zero.
        and (parameters.get("masked", "-inf") == "-inf" or not parameters.get("bias"))
        and node.outputs[0].dtype == ir.DataType.INT64
    )


def lower(site: Site) -> None:
    """Append the router to the program."""
    node = site.node
    found = json.loads(node.metadata_props["edgemoe.route"])
    spec = Route(
        score=found["score"], bias=bool(found["bias"]), groups=found["groups"],
        top_groups=found["top_groups"], group_score=found["group_score"],
        softmax_after=found["softmax_after"], sigmoid_after=found["sigmoid_after"],
        renormalise=found["renormalise"] == "sum", eps=found["eps"],
        eps_mode=found.get("eps_mode", "add"), scale=found["scale"], largest=found["largest"],
        norm=found["norm"] if found["renormalise"] == "norm" else 0.0,
        expert_scale=bool(found.get("expert_scale")), skip_from=int(found.get("skip_from", 0)),
        known_experts=shape_of(node.inputs[0])[1],
    )  # fmt: skip
    tokens, experts = shape_of(node.inputs[0])
    chosen = found["k"]
    given = [v for v in node.inputs if v is not None][: 1 + spec.bias + spec.expert_scale]
    site.program.step(
        spec, "route",
        [*site.pointers(given), *(Pointer(b) for b in site.outputs), experts, chosen],
        tasks=tokens, label=f"route {tokens} tokens to {chosen} of {experts} experts",
        origin=site.origin, nodes=site.nodes, nbytes=4 * tokens * (experts + 3 * chosen),
        work=tokens * (PER_TOKEN + PER_EXPERT * experts + PER_CHOICE * chosen),
        reason=f"router understood: {spec.score}, top {chosen}",
    )  # fmt: skip
