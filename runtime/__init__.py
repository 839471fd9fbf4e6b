"""What runs on the device side of Python: needs NumPy and nothing of the compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgemoe.runtime.session import Session, load

__all__ = ["Session", "load"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'edgemoe.runtime' has no attribute {name!r}")
    from edgemoe.runtime import session

    return getattr(session, name)
