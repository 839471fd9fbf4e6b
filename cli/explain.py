"""`edgemoe explain`: what the compiler recognises in a model, and what it does not."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from edgemoe.cli import values
from edgemoe.cli.console import Console, wants_colour
from edgemoe.cli.options import Json, Plugins, Quiet, Verbose


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
    strict: Annotated[
        bool, typer.Option("--strict", help="An error for misses, dense experts, generic products.")
    ] = False,
    require_coverage: Annotated[
        float | None,
        typer.Option(
            "--require-coverage",
            min=0,
            max=1,
            metavar="SHARE",
            help="Exit 3 where less than this share, such as 0.95, is covered.",
        ),
    ] = None,
    plugin: Plugins = None,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Say what the compiler recognises in a model, and the nearest miss for what it does not."""
    counts, bound = values.token_counts(tokens), values.shapes(shape or [])
    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)

    import edgemoe.compiler as compiler
    from edgemoe.errors import EdgemoeError
    from edgemoe.explanation_text import render

    explanation = compiler.explain(model, tokens=counts, shapes=bound, plugins=plugin or [])
    console.print(render(explanation, verbose=verbose > 0, colour=wants_colour(sys.stdout)), end="")
    try:
        explanation.check(strict=strict, require_coverage=require_coverage)
    except EdgemoeError as error:
        console.refuse(explanation, error)
    console.result(explanation)
