"""`edgemoe generate`: continue a text with a language model."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from edgemoe.cli.console import Console
from edgemoe.cli.options import ArtifactPath, Device, Isa, Json, Quiet, Threads, Verbose


def command(
    artifact: ArtifactPath,
    prompt: Annotated[str, typer.Option("--prompt", help="The text to continue.")],
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="How many to add.")] = 200,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, help="0: always the likeliest token.")
    ] = 0.0,
    seed: Annotated[int | None, typer.Option("--seed", help="Makes sampling repeatable.")] = None,
    threads: Threads = 1,
    isa: Isa = None,
    device: Device = None,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Continue a text with a language model."""
    from edgemoe.runtime.generate import generate
    from edgemoe.runtime.session import load

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    pieces = []
    with load(artifact, threads=threads, isa=isa, device=device) as session:
        start = time.perf_counter()
        stream = generate(
            session, prompt, max_tokens=max_tokens, temperature=temperature, seed=seed
        )
        for number, text in enumerate(stream):
            if number == 0:
                console.print(prompt, end="")
            pieces.append(text)
            console.print(text, end="")
        seconds = time.perf_counter() - start
    console.print()
    rate = len(pieces) / seconds if seconds > 0 else 0.0
    console.detail(f"{len(pieces)} tokens in {seconds:.3g} s, {rate:.3g} tokens/s")
    console.result(
        {
            "prompt": prompt,
            "text": "".join(pieces),
            "tokens": len(pieces),
            "seconds": seconds,
            "tokens_per_second": rate,
        }
    )
