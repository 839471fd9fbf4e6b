"""`edgemoe passes`: the graph passes in the order in which they run."""

from __future__ import annotations

from edgemoe.cli.console import Console
from edgemoe.cli.options import Json, Plugins, Quiet, Verbose


def command(
    plugin: Plugins = None, json_file: Json = None, verbose: Verbose = 0, quiet: Quiet = False
) -> None:
    """List the graph passes in the order in which they run."""
    from edgemoe.pass_runner import all_passes
    from edgemoe.plugins import load_plugins

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    rows = [
        {"name": item.name, "phase": item.phase, "after": list(item.after), "exact": item.exact}
        for item in all_passes(load_plugins(plugin or []))
    ]
    console.table(
        ("pass", "phase", "keeps", "after"),
        [(r["name"], r["phase"], r["exact"], ", ".join(r["after"])) for r in rows],
    )
    console.result(rows)
