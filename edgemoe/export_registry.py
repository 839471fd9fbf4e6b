"""Keep torch's table of ONNX operators from one export to the next.

`torch.onnx.export` parses the sources of some five hundred functions at every call, which takes
longer than the export of a layer. The table depends on nothing but the opset and the extensions
that are loaded, so it is made once and each export gets a copy, to which it may add its own.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def kept_registry() -> Iterator[None]:
    """Hand out copies of one table inside the block; nothing, where torch has no such table."""
    kind = _registry_class()
    if kind is None:
        yield
        return
    original = vars(kind)["from_torchlib"]

    def from_torchlib(kind: Any, *args: Any, **kwargs: Any) -> Any:
        options = tuple(kwargs.items())
        return _copy(_whole(original, kind, args, options, "torchvision" in sys.modules))

    kind.from_torchlib = classmethod(from_torchlib)
    try:
        yield
    finally:
        kind.from_torchlib = original


def _registry_class() -> Any:
    """Return torch's class of tables, if it is made as `_copy` has to know it."""
    try:
        from torch.onnx._internal.exporter._registration import ONNXRegistry
    except ImportError:
        return None
    made = vars(ONNXRegistry).get("from_torchlib")
    known = set(vars(ONNXRegistry())) == {"_opset_version", "functions"}
    return ONNXRegistry if known and isinstance(made, classmethod) else None


def _copy(whole: Any) -> Any:
    made = type(whole)()
    made._opset_version = whole._opset_version
    made.functions = {target: list(found) for target, found in whole.functions.items()}
    return made


@functools.cache
def _whole(
    original: Any, kind: Any, args: tuple[Any, ...], options: tuple[Any, ...], vision: bool
) -> Any:
    """Make the table as torch does; torchvision's operators are in it once that is loaded."""
    del vision
    return original.__func__(kind, *args, **dict(options))
