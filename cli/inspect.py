"""`edgemoe inspect`: what is inside an artifact."""

from __future__ import annotations

from edgemoe.cli.compression_text import compression_text
from edgemoe.cli.console import Console
from edgemoe.cli.integer_text import integer_text
from edgemoe.cli.memory_text import memory_lines
from edgemoe.cli.options import ArtifactPath, Json, Quiet, Verbose
from edgemoe.cli.static_text import static_text


def command(
    artifact: ArtifactPath, json_file: Json = None, verbose: Verbose = 0, quiet: Quiet = False
) -> None:
    """Show variants, steps, the arena as a picture, weights and decisions of an artifact."""
    import dataclasses

    from edgemoe.artifact import Artifact
    from edgemoe.plan_text import describe

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    opened = Artifact.open(artifact)
    manifest = opened.manifest
    console.print(describe(opened.plan), end="")
    for number, line in enumerate(memory_lines(manifest["memory"])):
        console.print(line if number else f"\n{line}")
    compression = opened.read_report().get("compression")
    if compression is not None:
        console.print("\n" + compression_text(compression, verbose=verbose > 0), end="")
    static = opened.read_report().get("static_activations")
    if static:
        console.print("\n" + static_text(static, verbose=verbose > 0), end="")
    integers = opened.read_report().get("integers")
    if integers:
        console.print("\n" + integer_text(integers, verbose=verbose > 0), end="")
    if verbose:
        console.print("\nweight sections:")
        rows = [(s.name, s.role, "" if s.expert is None else s.expert, s.format, f"{s.offset:,}",
                 f"{s.nbytes:,}") for s in opened.plan.weights]  # fmt: skip
        console.table(("name", "role", "expert", "format", "offset", "bytes"), rows)
    console.print(f"\nmachine {manifest['machine']}, format {manifest['format']}")
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    console.print(f"made with {versions}")
    if manifest["command"]:
        console.print(f"by {manifest['command']}")
    console.result({"manifest": manifest, "plan": dataclasses.asdict(opened.plan)})
