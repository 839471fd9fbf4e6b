"""`edgemoe export`: write the graph of a PyTorch model as a .onnx file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgemoe.cli.console import Console
from edgemoe.cli.options import Json, Quiet, Verbose


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="package.module:factory, a .pt2 or a .onnx.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .onnx file to write.")],
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="Leave the number of tokens free.")
    ] = False,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Export a model with all its experts, compare it with PyTorch, and write a .onnx file."""
    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)

    from edgemoe.frontend import load_model
    from edgemoe.write_onnx import write_onnx

    source = load_model(model, dynamic=dynamic)
    files = write_onnx(source.model, out)
    for note in source.notes:
        console.print(f"note: {note}")
    for file in files:
        console.print(f"{file}  {file.stat().st_size:,} B")
    console.result({"files": [str(file) for file in files], "notes": source.notes})
