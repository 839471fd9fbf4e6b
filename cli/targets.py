"""`edgemoe targets`: what can be compiled for."""

from __future__ import annotations

from edgemoe.cli.console import Console
from edgemoe.cli.options import Json, Quiet, Verbose


def command(json_file: Json = None, verbose: Verbose = 0, quiet: Quiet = False) -> None:
    """List the targets that can be compiled for."""
    from edgemoe.targets import catalogue

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    specs = sorted(catalogue(), key=lambda spec: spec.name)
    console.table(
        ("target", "family", "instruction sets", "what"),
        [(s.name, s.family, ", ".join(isa.name for isa in s.isas), s.summary) for s in specs],
    )
    console.print("\ncpu stands for the target of this machine; a path to a .toml works too.")
    console.result(specs)
