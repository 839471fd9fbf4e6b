"""Find and call a factory: `package.module:factory` or `path/to/file.py:factory`."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from edgemoe.errors import EdgemoeError, ExportError, ModelError

_SHAPE = "a factory takes nothing and returns (module, example_inputs)"


def call_factory(text: str) -> tuple[Any, str]:
    """Import and call the factory; returns what it gives, and its name.

    Raises:
        ModelError: it cannot be imported, is not there, or cannot be called.
        ExportError: it raises.
    """
    where, _, name = text.rpartition(":")
    if not where or not name:
        raise ModelError(f"{text!r} names no factory; write package.module:factory")
    with _importable(where):
        module = _load(where, text)
        found: Any = module
        for part in name.split("."):
            if not hasattr(found, part):
                raise ModelError(_no_attribute(text, where, module, part))
            found = getattr(found, part)
        if not callable(found):
            raise ModelError(f"{text}: {name} is a {type(found).__name__}; {_SHAPE}")
        try:
            return found(), name.rpartition(".")[2]
        except EdgemoeError:
            raise
        except Exception as error:
            raise ExportError(
                f"the factory {text} raised {type(error).__name__}: {error}{_at(error)}\n"
                f"  next: {_SHAPE}; call it in Python to see the whole traceback"
            ) from error


def _load(where: str, text: str) -> ModuleType:
    try:
        if where.endswith(".py"):
            return _load_file(Path(where))
        return importlib.import_module(where)
    except EdgemoeError:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or where
        if where == missing or where.startswith(f"{missing}."):
            raise ModelError(
                f"{text}: no module named {missing!r} in {Path.cwd()} or on the Python path\n"
                "  next: run in the folder that holds it, install it, or give path/to/file.py:name"
            ) from error
        raise ModelError(
            f"{text}: importing {where} needs the module {missing!r}, which is not installed"
        ) from error
    except BaseException as error:  # also SystemExit: a script without a main guard
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ModelError(
            f"{text}: importing {where} raised {type(error).__name__}: {error}{_at(error)}"
        ) from error


def _load_file(file: Path) -> ModuleType:
    if not file.is_file():
        raise ModelError(f"{file} does not exist; give path/to/file.py:factory")
    name = f"edgemoe_factory_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModelError(f"{file} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and torch look modules up by name
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _importable(where: str) -> Iterator[None]:
    """Put the current directory, or the folder of the file, in front of the path."""
    folder = str(Path(where).resolve().parent if where.endswith(".py") else Path.cwd())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _no_attribute(text: str, where: str, module: ModuleType, part: str) -> str:
    known = [n for n, v in vars(module).items()
             if callable(v) and not n.startswith("_") and getattr(v, "__module__", "") ==
             module.__name__]  # fmt: skip
    shown = ", ".join(sorted(known)[:12]) or "none"
    return f"{text}: {where} has no {part!r}; functions and classes in it: {shown}"


def _at(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"\n  at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
