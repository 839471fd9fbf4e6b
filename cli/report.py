"""`edgemoe report`: an HTML page about an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgemoe.cli.console import Console
from edgemoe.cli.options import ArtifactPath, Json, Quiet, Verbose


def command(
    artifact: ArtifactPath,
    output: Annotated[Path, typer.Option("-o", "--output", help="The HTML file to write.")],
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Write a self-contained HTML page about an artifact."""
    from edgemoe.artifact import Artifact
    from edgemoe.errors import OptionError
    from edgemoe.html_report import html_report

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    opened = Artifact.open(artifact)
    report = opened.read_report()
    text = html_report(opened.plan, opened.manifest, report)
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise OptionError(
            f"{output} cannot be written: {error.strerror}; choose another -o"
        ) from error
    console.print(f"{output}: {len(text):,} B")
    console.result({"file": output, "report": report})
