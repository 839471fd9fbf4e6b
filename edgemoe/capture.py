"""Replace the forward of expert layers, while a module is exported, by one of expert products.

An adapter of one's own takes a few lines, in any file that is imported before the export:

    from edgemoe.capture import combine, expert_linear, register_adapter, rows_of

    def forward(self, x):  # self: the layer, x: float [T, H]
        weights, ids = self.route(x)  # [T, K] each
        up = expert_linear(rows_of(x, ids.shape[1]), ids.reshape(-1), self.up)
        return combine(expert_linear(up.relu(), ids.reshape(-1), self.down), weights)

    register_adapter("MyExperts", forward)  # every module whose class has that name
"""

from __future__ import annotations

import contextlib
import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from edgemoe.capture_op import combine, expert_linear, rows_of

__all__ = ["Adapter", "Captured", "captured", "combine", "expert_linear", "register_adapter",
           "rows_of"]  # fmt: skip

Forward = Callable[..., Any]


@dataclass(frozen=True)
class Adapter:
    """How one kind of expert layer is expressed by expert products.

    `make` returns the new forward of a module that `matches`, or None when it declines after all;
    it may register buffers, which `Captured.added` lists so that they are removed again.
    """

    name: str
    matches: Callable[[nn.Module], bool]
    make: Callable[[nn.Module, Captured], dict[str, Forward] | None]


@dataclass
class Captured:
    """What was replaced: adapters by module path, and which weights were stacked into which."""

    adapters: dict[str, str] = field(default_factory=dict)
    stacked: dict[int, str] = field(default_factory=dict)  # id of a parameter -> buffer name
    added: list[tuple[nn.Module, str]] = field(default_factory=list)
    path: str = ""  # of the module that is being looked at

    def stack(self, owner: nn.Module, name: str, parts: list[nn.Parameter]) -> Tensor:
        """Register one buffer that holds `parts`, which become views of it: nothing is kept twice.

        A parameter that is used elsewhere as well keeps working, as its values stay.
        """
        import torch

        if not hasattr(owner, name):
            whole = torch.stack([part.detach() for part in parts])
            for index, part in enumerate(parts):
                part.data = whole[index]
            owner.register_buffer(name, whole, persistent=False)
            self.added.append((owner, name))
        for part in parts:
            self.stacked[id(part)] = name
        stacked = getattr(owner, name)
        assert isinstance(stacked, Tensor)
        return stacked

    def view(self, owner: nn.Module, name: str, weight: Tensor) -> Tensor:
        """Register a view of a parameter as a buffer, so that it has a name in the graph."""
        if not hasattr(owner, name):
            owner.register_buffer(name, weight.detach(), persistent=False)
            self.added.append((owner, name))
        view = getattr(owner, name)
        assert isinstance(view, Tensor)
        return view

    def forget(self, kept: int = 0) -> None:
        """Remove the buffers that were added, all but the first `kept`."""
        for owner, name in self.added[kept:]:
            owner._buffers.pop(name, None)
            owner._non_persistent_buffers_set.discard(name)
        del self.added[kept:]


_REGISTERED: list[Adapter] = []


def register_adapter(which: str | Callable[[nn.Module], bool], forward: Forward) -> None:
    """Express an expert layer by `expert_linear`, `rows_of` and `combine` when it is exported.

    Args:
        which: the name of a class (its subclasses included), or a function that tells of a module
            whether the adapter is for it.
        forward: takes the module and the arguments of its own forward, and returns the same.

    The last one registered wins, also over those that edgemoe brings.
    """
    name = which if isinstance(which, str) else getattr(which, "__name__", "adapter")
    matches = of_class(which) if isinstance(which, str) else which
    _REGISTERED.insert(0, Adapter(name, matches, lambda module, log: {"forward": forward}))


def of_class(*names: str) -> Callable[[nn.Module], bool]:
    """Return a predicate: the module's class, or one it derives from, has one of these names."""
    return lambda module: any(base.__name__ in names for base in type(module).__mro__)


def _called_alike(function: Forward, original: Forward | None) -> Forward:
    """Let callers name arguments as the method that is replaced names them."""
    if original is None:
        return function
    signature = inspect.signature(original)

    def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        return function(*given.args, **given.kwargs)

    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


@contextlib.contextmanager
def captured(module: nn.Module) -> Iterator[Captured]:
    """Replace what the adapters know for the duration of the block."""
    from edgemoe.capture_lists import LISTS
    from edgemoe.capture_transformers import TRANSFORMERS

    log = Captured()
    replaced: list[tuple[nn.Module, str, Any]] = []
    try:
        for path, child in list(module.named_modules()):
            log.path = path
            for adapter in [*_REGISTERED, *TRANSFORMERS, *LISTS]:
                methods = adapter.make(child, log) if adapter.matches(child) else None
                if methods is None:
                    continue
                for name, function in methods.items():
                    replaced.append((child, name, vars(child).get(name)))
                    called = _called_alike(function, getattr(type(child), name, None))
                    setattr(child, name, types.MethodType(called, child))
                log.adapters[path] = adapter.name
                break
        yield log
    finally:
        for child, name, before in reversed(replaced):
            if before is None:
                vars(child).pop(name, None)
            else:
                vars(child)[name] = before
        log.forget()
