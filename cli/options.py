"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ArtifactPath = Annotated[
    Path, typer.Argument(metavar="OUT", help="The artifact: a folder or a .zip.")
]
Inputs = Annotated[
    Path | None,
    typer.Option("--inputs", help="An .npz with an array per input; default: the self-test's."),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="cpu; opencl or webgpu, of several opencl:1; microcontrollers: host or qemu.",
    ),
]
Threads = Annotated[int, typer.Option("--threads", help="Threads of a run; -1: one per CPU.")]
Isa = Annotated[
    str | None, typer.Option("--isa", help="Instruction set; default: the best that the CPU has.")
]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is the output."),
]
Verbose = Annotated[
    int, typer.Option("-v", "--verbose", count=True, help="Say more; -vv shows tracebacks.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="A .py with passes or router families of yours."),
]
