"""Watch which parameters a forward really computes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode


class UsedParameters(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, `names` gathers the parameters of `module` that an operator reads.

    Views are followed by their storage, so reading one expert of a stack counts for the stack, and
    a parameter that is only asked for its shape does not count.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()
        self._owners: dict[int, list[str]] = {}
        for name, parameter in module.named_parameters(remove_duplicate=False):
            if parameter.numel():
                self._owners.setdefault(_storage(parameter), []).append(name)

    def __torch_dispatch__(
        self,
        function: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operator, and note the parameters among its arguments."""
        del types
        for leaf in pytree.tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor):
                self.names.update(self._owners.get(_storage(leaf), ()))
        return function(*args, **(kwargs or {}))


def _storage(tensor: Tensor) -> int:
    if tensor.layout is not torch.strided or tensor.device.type == "meta":
        return 0
    return tensor.untyped_storage().data_ptr()
