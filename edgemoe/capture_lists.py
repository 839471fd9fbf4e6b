"""Capture layers that hold their experts as a list of modules and loop over them.

The forward of such a layer routes, loops and adds; only what it computes matters here. So the
usual routings are tried, each against the layer's own forward on random tokens, and one is taken
only when the results agree. No class has to be known.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.capture import Adapter, Captured, Forward
from edgemoe.capture_op import combine, expert_linear, rows_of

_CHOSEN = ("top_k", "num_experts_per_tok", "topk", "k", "chosen", "num_experts_per_token")
_SHARED = ("shared_expert", "shared_experts", "shared", "shared_mlp")
_SCORES = ("softmax", "sigmoid", "softmax after")
AGREES = 1e-4
"""Largest difference to the layer's own forward, relative to its largest output."""


def expert_list(module: nn.Module) -> list[nn.Module] | None:
    """Return the modules in a list or dict of two or more that hold equal parameters.

    What has none (a dropout beside the experts) is no expert.
    """
    if not isinstance(module, nn.ModuleList | nn.ModuleDict):
        return None
    experts = [child for child in module.children() if next(child.parameters(), None) is not None]
    if len(experts) < 2 or len({type(expert) for expert in experts}) != 1:
        return None
    shapes = {
        tuple((name, tuple(p.shape)) for name, p in expert.named_parameters()) for expert in experts
    }
    return experts if len(shapes) == 1 and shapes != {()} else None


@contextlib.contextmanager
def as_one_expert(
    owner: nn.Module, experts: Sequence[nn.Module], ids: Tensor, log: Captured
) -> Iterator[nn.Module]:
    """Yield the first expert with its linear layers computing expert `ids[s]` for row s."""
    first = experts[0]
    linears = {n: m for n, m in first.named_modules() if isinstance(m, nn.Linear)}
    try:
        for name, linear in linears.items():
            alike = [expert.get_submodule(name) for expert in experts]
            stem = name.replace(".", "_") or "linear"
            weight = log.stack(owner, f"{stem}_weight", [m.weight for m in alike])  # type: ignore[misc]
            bias = None
            if linear.bias is not None:
                bias = log.stack(owner, f"{stem}_bias", [m.bias for m in alike])  # type: ignore[misc]
            vars(linear)["forward"] = _bound(ids, weight, bias)
        yield first
    finally:
        for linear in linears.values():
            vars(linear).pop("forward", None)


def _bound(ids: Tensor, weight: Tensor, bias: Tensor | None) -> Forward:
    return lambda x: expert_linear(x, ids, weight, bias)


@dataclass(frozen=True)
class _Routing:
    """One way to route: how scores are made, whether they are renormalised, what is returned."""

    score: str
    renormalise: bool
    shared: str  # "", "added" or "gated"
    returns_logits: bool

    def weigh(self, logits: Tensor, chosen: int) -> tuple[Tensor, Tensor]:
        if self.score == "softmax after":
            top, ids = torch.topk(logits, chosen, dim=-1)
            return torch.softmax(top.float(), dim=-1), ids
        scores = torch.sigmoid if self.score == "sigmoid" else _softmax
        weights, ids = torch.topk(scores(logits.float()), chosen, dim=-1)
        if self.renormalise:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        return weights, ids


def _softmax(logits: Tensor) -> Tensor:
    return F.softmax(logits, dim=-1)


@dataclass(frozen=True)
class _Layer:
    """The parts of a layer: experts, router, shared expert, and how many experts are chosen."""

    module: nn.Module
    owner: nn.Module
    experts: list[nn.Module]
    router: nn.Linear
    chosen: int
    shared: nn.Module | None
    shared_gate: nn.Linear | None

    def forward(self, log: Captured, routing: _Routing) -> Forward:
        def run(module: nn.Module, x: Tensor) -> Any:
            del module
            flat = x.reshape(-1, x.shape[-1])
            logits = self.router(flat)
            weights, ids = routing.weigh(logits, self.chosen)
            with as_one_expert(self.owner, self.experts, ids.reshape(-1), log) as expert:
                y = expert(rows_of(flat, self.chosen))
            total = combine(y, weights.to(y.dtype))
            if routing.shared and self.shared is not None:
                extra = self.shared(flat)
                if routing.shared == "gated" and self.shared_gate is not None:
                    extra = torch.sigmoid(self.shared_gate(flat)) * extra
                total = total + extra
            total = total.reshape(x.shape)
            return (total, logits) if routing.returns_logits else total

        return run


def _layer(module: nn.Module) -> _Layer | None:
    """Find experts, a router with one output per expert, and the number of chosen experts."""
    lists = [(c, e) for c in module.children() if (e := expert_list(c)) is not None]
    chosen = next((n for name in _CHOSEN if isinstance(n := getattr(module, name, None), int)), 0)
    if len(lists) != 1 or chosen < 1:
        return None
    owner, experts = lists[0]
    linears = [c for c in module.children() if isinstance(c, nn.Linear)]
    routers = [c for c in linears if c.out_features == len(experts)]
    if len(routers) != 1 or chosen > len(experts):
        return None
    held = {n for n, _ in experts[0].named_parameters()}
    linear = {
        f"{n}.{p}" if n else p
        for n, m in experts[0].named_modules() if isinstance(m, nn.Linear)
        for p, _ in m.named_parameters()
    }  # fmt: skip
    if held != linear:
        return None
    shared = next((c for name in _SHARED if (c := getattr(module, name, None)) is not None), None)
    gates = [c for c in linears if c.out_features == 1 and c is not routers[0]]
    return _Layer(
        module, owner, experts, routers[0], chosen,
        shared if isinstance(shared, nn.Module) else None, gates[0] if gates else None,
    )  # fmt: skip


def _make(module: nn.Module, log: Captured) -> dict[str, Forward] | None:
    layer = _layer(module)
    if layer is None:
        return None
    generator = torch.Generator().manual_seed(0)
    width, dtype = layer.router.in_features, layer.router.weight.dtype
    samples = [torch.randn(shape, generator=generator).to(dtype)
               for shape in ((2, 7, width), (1, 1, width), (9, width))]  # fmt: skip
    wanted = [(x, y) for x in samples if (y := _try(module, x)) is not None]
    if not wanted:
        return None
    shared = [""] if layer.shared is None else ["added", ""]
    if layer.shared_gate is not None:
        shared.insert(0, "gated")
    logits, stacked = len(_parts(wanted[0][1])) == 2, len(log.added)
    for score, again, kind in product(_SCORES, (True, False), shared):
        routing = _Routing(score, again, kind, logits)
        forward = layer.forward(log, routing)
        if all(_agrees(_try(lambda x, f=forward: f(module, x), x), y) for x, y in wanted):
            return {"forward": forward}
    log.forget(stacked)
    return None


def _try(function: Any, x: Tensor) -> Any:
    try:
        with torch.no_grad():
            return function(x.clone())
    except Exception:  # the layer wants another rank, or other arguments: it is not one of these
        return None


def _parts(result: Any) -> list[Tensor]:
    return list(result) if isinstance(result, tuple) else [result]


def _agrees(got: Any, wanted: Any) -> bool:
    if got is None or type(got) is not type(wanted):
        return False
    pairs = list(zip(_parts(got), _parts(wanted), strict=False))
    return len(_parts(got)) == len(_parts(wanted)) and all(
        isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape
        and bool((a - b).abs().max() <= AGREES * b.abs().max())
        for a, b in pairs
    )  # fmt: skip


LISTS = [Adapter("list of experts", lambda module: _layer(module) is not None, _make)]
