"""`edgemoe explain`: what the compiler recognises in a model, and what it does not."""

from __future__ import annotations

from typing import Annotated

import typer

from edgemoe.cli import values
from edgemoe.cli.console import Console
from edgemoe.cli.options import Json, Quiet, Verbose


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A .onnx, a .pt2 or package.module:factory.")
    ],
    tokens: Annotated[
        str | None, typer.Option("--tokens", help="Token counts to compile for: 1,8,64.")
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option("--shape", help="Bind a dimension (T=8) or an input (x=1x512x7)."),
    ] = None,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Say what the compiler recognises in a model, and the nearest miss for what it does not."""
    counts, bound = values.token_counts(tokens), values.shapes(shape or [])
    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)

    import edgemoe.compiler as compiler
    from edgemoe.explain import render

    explanation = compiler.explain(model, tokens=counts, shapes=bound)
    console.print(render(explanation))
    console.result(explanation)
