"""Passes and router families from outside the tree: files that the user names, and packages.

A plug-in declares passes with `@graph_pass` and router families with `@router_family`. Whatever
goes wrong in one is reported with its file and line, as a mistake of the plug-in and not of ours.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from edgemoe.errors import EdgemoeError, OptionError
from edgemoe.graph_pass import GraphPass
from edgemoe.router_family import RouterFamily
from edgemoe.routing import Route

GROUP = "edgemoe.plugins"
"""Entry points of installed packages: each names a module that declares passes or families."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Plugin:
    """What one file declares; `sha256` is that of the file."""

    name: str  # the path as it was given, or the package's entry point
    file: str
    sha256: str
    passes: tuple[GraphPass, ...]
    routers: tuple[RouterFamily, ...]

    def describe(self) -> str:
        """Return what it declares and which file that was."""
        parts = [f"passes {', '.join(p.name for p in self.passes)}"] if self.passes else []
        parts += [f"routers {', '.join(r.name for r in self.routers)}"] if self.routers else []
        return f"{'; '.join(parts)}; sha256 {self.sha256}"


def load_plugins(files: Iterable[str | Path] = (), *, installed: bool = True) -> list[Plugin]:
    """Load the files that were named, in order, then what installed packages offer.

    Args:
        files: Python files.
        installed: also load the entry points of group `edgemoe.plugins`.

    Raises:
        OptionError: a file cannot be read, fails, or declares nothing; it names file and line.
    """
    found = [_from_file(Path(file)) for file in dict.fromkeys(map(str, files))]
    if installed:
        points = importlib.metadata.entry_points(group=GROUP)
        found += [_from_package(point) for point in sorted(points, key=lambda p: p.name)]
    return found


def _from_file(path: Path) -> Plugin:
    if not path.is_file():
        raise OptionError(f"plug-in {path} is no such Python file; give the path of a .py file")
    # The hash tells two files of one name apart; a second load of one file is a second module.
    name = f"edgemoe_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise OptionError(f"plug-in {path} is no Python file; give the path of a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look their module up
    _guarded(str(path), "loading it", functools.partial(spec.loader.exec_module, module))
    return _plugin(str(path), path, module)


def _from_package(point: importlib.metadata.EntryPoint) -> Plugin:
    label = f"{point.name} ({point.value})"
    module = _guarded(label, "loading it", lambda: importlib.import_module(point.module))
    return _plugin(label, Path(module.__file__ or ""), module)


def _plugin(name: str, file: Path, module: ModuleType) -> Plugin:
    own = [v for v in vars(module).values() if isinstance(v, GraphPass | RouterFamily)]
    passes = [v for v in own if isinstance(v, GraphPass) and v.run.__module__ == module.__name__]
    routers = [
        v for v in own
        if isinstance(v, RouterFamily) and v.match.__module__ == module.__name__
    ]  # fmt: skip
    if not passes and not routers:
        raise OptionError(
            f"plug-in {name} declares no pass and no router family\n"
            "  next: decorate a function with @graph_pass or @router_family "
            "(docs/writing-a-pass.md)"
        )
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    return Plugin(
        name, str(file), digest, tuple(_guard_pass(name, p) for p in passes),
        tuple(_guard_router(name, r) for r in routers),
    )  # fmt: skip


def _guard_pass(name: str, declared: GraphPass) -> GraphPass:
    @functools.wraps(declared.run)
    def run(model: Any, context: Any) -> int:
        what = f"pass {declared.name!r}"
        changes = _guarded(name, what, lambda: declared.run(model, context))
        if not isinstance(changes, int):
            raise OptionError(
                f"plug-in {name}: {what} returned {changes!r}; it must return the number of changes"
            )
        return changes

    return replace(declared, run=run)


def _guard_router(name: str, declared: RouterFamily) -> RouterFamily:
    @functools.wraps(declared.match)
    def match(site: Any) -> Route | str:
        what = f"router family {declared.name!r}"
        route = _guarded(name, what, lambda: declared.match(site))
        if not isinstance(route, Route | str):
            raise OptionError(
                f"plug-in {name}: {what} returned {route!r}; it must return a Route, or a string "
                "that says why not"
            )
        return route

    return replace(declared, match=match)


def _guarded(name: str, what: str, work: Callable[[], Result]) -> Result:
    """Run code of a plug-in; its exceptions become an OptionError with file and line."""
    try:
        return work()
    except EdgemoeError:
        raise
    except Exception as error:
        place = _place(error, name)
        raise OptionError(
            f"plug-in {place}: {what} raised {type(error).__name__}: {error}\n"
            "  next: -vv shows the traceback"
        ) from error


def _place(error: Exception, name: str) -> str:
    """Return file:line of the innermost line of the plug-in."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{error.filename or name}:{error.lineno}"
    path = name.rpartition(" (")[0] or name
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == Path(path).name or frame.filename == name
    ]  # fmt: skip
    return f"{name}:{lines[-1]}" if lines else name


def passes_of(plugins: Sequence[Plugin]) -> list[GraphPass]:
    """Return the passes of all plug-ins."""
    return [each for plugin in plugins for each in plugin.passes]


def routers_of(plugins: Sequence[Plugin]) -> dict[str, RouterFamily]:
    """Return the router families of all plug-ins by name.

    Raises:
        OptionError: two plug-ins declare the same name.
    """
    found: dict[str, RouterFamily] = {}
    for plugin in plugins:
        for family in plugin.routers:
            if family.name in found:
                raise OptionError(
                    f"plug-in {plugin.name}: another plug-in declares router family "
                    f"{family.name!r}; rename one of them"
                )
            found[family.name] = family
    return found
