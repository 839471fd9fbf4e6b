"""Capture layers that hold their experts as a list of modules and loop over them.

The forward of such a layer routes, loops and adds; only what it computes matters here. So the
usual routings (`edgemoe.capture_routings`) are tried, each against the layer's own forward on
random tokens, and one is taken only when the results agree. No class has to be known.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgemoe.capture import Adapter, Captured, Forward
from edgemoe.capture_op import combine, expert_linear, rows_of
from edgemoe.capture_routings import Hints, Routing, routings

_CHOSEN = ("top_k", "num_experts_per_tok", "topk", "k", "chosen", "num_experts_per_token",
           "num_selects", "n_activated_experts", "moe_top_k", "moe_topk", "moe_k")  # fmt: skip
_GROUPS = (("n_group", "topk_group"), ("n_groups", "topk_groups"),
           ("num_expert_group", "topk_group"), ("num_groups", "top_groups"))  # fmt: skip
_GUESSES = (2, 1)
"""How many experts are tried where no attribute says it."""
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
class _Router:
    """A matrix [E, H] that makes logits: of a linear layer, or of a module of its own."""

    holder: nn.Module
    weight: str
    bias: str | None

    def __call__(self, x: Tensor) -> Tensor:
        bias = getattr(self.holder, self.bias) if self.bias else None
        return F.linear(x, getattr(self.holder, self.weight), bias)


@dataclass(frozen=True)
class _Layer:
    """The parts of a layer: experts, router, shared expert, and how many experts are chosen."""

    module: nn.Module
    owner: nn.Module
    experts: list[nn.Module]
    router: _Router
    chosen: tuple[int, ...]
    shared: nn.Module | None
    shared_gate: nn.Linear | None

    def forward(
        self, log: Captured, routing: Routing, chosen: int, rest: tuple[str, ...]
    ) -> Forward:
        """Return a forward; `rest` says what comes after the result: "logits" or "none"."""

        def run(module: nn.Module, x: Tensor) -> Any:
            del module
            flat = x.reshape(-1, x.shape[-1])
            logits = self.router(flat)
            weights, ids = routing.weigh(logits, chosen)
            weights = weights.to(flat.dtype)
            rows, column = rows_of(flat, ids.shape[-1]), weights.reshape(-1, 1)
            with as_one_expert(self.owner, self.experts, ids.reshape(-1), log) as expert:
                if routing.applied == "inside":
                    y = expert(rows, column)
                else:
                    y = expert(rows * column if routing.applied == "input" else rows)
            ones = torch.ones_like(weights)
            total = combine(y, weights if routing.applied == "output" else ones)
            if routing.shared and self.shared is not None:
                extra = self.shared(flat)
                if routing.shared == "gated" and self.shared_gate is not None:
                    extra = torch.sigmoid(self.shared_gate(flat)) * extra
                total = total + extra
            total = total.reshape(x.shape)
            return (total, *(logits if r == "logits" else None for r in rest)) if rest else total

        return run

    def hints(self) -> Hints:
        """Look for what a routing may use in the layer and in its router."""
        places = [self.module, self.router.holder]
        count = len(self.experts)
        held = [t for place in places for t in (*place._parameters.values(),
                *place._buffers.values()) if t is not None]  # fmt: skip
        biases = [t for t in held if t.dim() == 1 and t.shape[0] == count]
        numbers = [v for place in places for v in vars(place).values() if isinstance(v, float)]
        groups = next(
            ((a, b) for place in places for names in _GROUPS
             if isinstance(a := getattr(place, names[0], None), int)
             and isinstance(b := getattr(place, names[1], None), int)
             and a > 1 and 0 < b < a and count % a == 0),
            (1, 1),
        )  # fmt: skip
        shared = [] if self.shared is None else ["added"]
        if self.shared is not None and self.shared_gate is not None:
            shared.insert(0, "gated")
        scales = dict.fromkeys(v for v in numbers if 1e-3 < v < 1e3 and v != 1.0)
        unique = list({id(bias): bias for bias in biases}.values())
        return Hints(tuple(unique), tuple(scales), groups, (*shared, ""))


def _layer(module: nn.Module) -> _Layer | None:
    """Find experts, a router with one output per expert, and the number of chosen experts."""
    lists = [(c, e) for c in module.children() if (e := expert_list(c)) is not None]
    if len(lists) != 1:
        return None
    owner, experts = lists[0]
    others = [m for c in module.children() if c is not owner for m in c.modules()]
    routers = [r for m in [module, *others] for r in _routers(m, len(experts))]
    if len(routers) != 1:
        return None
    held = {n for n, _ in experts[0].named_parameters()}
    linear = {
        f"{n}.{p}" if n else p
        for n, m in experts[0].named_modules() if isinstance(m, nn.Linear)
        for p, _ in m.named_parameters()
    }  # fmt: skip
    if held != linear:
        return None
    plain = [c for c in module.children() if c is not owner and routers[0].holder not in
             c.modules() and next(c.parameters(), None) is not None]  # fmt: skip
    gates = [c for c in plain if isinstance(c, nn.Linear) and c.out_features == 1]
    shared = [c for c in plain if c not in gates]
    return _Layer(
        module, owner, experts, routers[0], _chosen(module, routers[0].holder, len(experts)),
        shared[0] if len(shared) == 1 else None, gates[0] if len(gates) == 1 else None,
    )  # fmt: skip


def _routers(holder: nn.Module, experts: int) -> list[_Router]:
    """Return the matrices [E, H] of a module, with the bias that a linear layer adds."""
    bias = "bias" if isinstance(holder, nn.Linear) and holder.bias is not None else None
    return [
        _Router(holder, name, bias)
        for name, p in holder.named_parameters(recurse=False)
        if p.dim() == 2 and p.shape[0] == experts and p.is_floating_point()
    ]


def _chosen(module: nn.Module, router: nn.Module, experts: int) -> tuple[int, ...]:
    places = [module, router, getattr(module, "config", None)]
    found = [n for place in places for name in _CHOSEN
             if isinstance(n := getattr(place, name, None), int) and 0 < n <= experts]  # fmt: skip
    return tuple(dict.fromkeys(found)) or _GUESSES


def _make(module: nn.Module, log: Captured) -> dict[str, Forward] | None:
    layer = _layer(module)
    if layer is None:
        return None
    generator = torch.Generator().manual_seed(0)
    weight = getattr(layer.router.holder, layer.router.weight)
    samples = [torch.randn(shape, generator=generator).to(weight.dtype)
               for shape in ((2, 7, weight.shape[1]), (1, 1, weight.shape[1]),
                             (9, weight.shape[1]))]  # fmt: skip
    crowd = samples[0][:, :1] + 0.01 * samples[0].flatten(0, 1).repeat(2, 1)
    samples.append(crowd[:1].to(weight.dtype))  # all to the same experts: is there a capacity?
    wanted = [(x, y) for x in samples if (y := _try(module, x)) is not None]
    rest = _rest(wanted[0][1]) if wanted else None
    if rest is None:
        return None
    stacked, hints = len(log.added), layer.hints()
    for chosen in layer.chosen:
        for routing in routings(hints):
            forward = layer.forward(log, routing, chosen, rest)
            if all(_agrees(_try(lambda x, f=forward: f(module, x), x), y) for x, y in wanted):
                return {"forward": forward}
    log.forget(stacked)
    return None


def _rest(result: Any) -> tuple[str, ...] | None:
    """Say what a layer returns after its first tensor, None where it is not understood."""
    if isinstance(result, Tensor):
        return ()
    if not isinstance(result, tuple) or not isinstance(result[0], Tensor):
        return None
    return tuple("none" if part is None else "logits" for part in result[1:])


def _try(function: Any, x: Tensor) -> Any:
    try:
        with torch.no_grad():
            return function(x.clone())
    except Exception:  # the layer wants another rank, or other arguments: it is not one of these
        return None


def _agrees(got: Any, wanted: Any) -> bool:
    if got is None or type(got) is not type(wanted):
        return False
    ours, theirs = (r if isinstance(r, tuple) else (r,) for r in (got, wanted))
    return len(ours) == len(theirs) and all(
        a is b if a is None or b is None else a.shape == b.shape
        and bool((a - b).abs().max() <= AGREES * b.abs().max())
        for a, b in zip(ours, theirs, strict=True)
    )  # fmt: skip


LISTS = [Adapter("list of experts", lambda module: _layer(module) is not None, _make)]
