"""`edgemoe tune`: measure which numbers of the kernels suit a processor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgemoe.cli import values
from edgemoe.cli.console import Console
from edgemoe.cli.options import Json, Quiet, Verbose


def command(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="See `edgemoe targets`.")],
    formats: Annotated[
        str, typer.Option("--formats", help="Formats of weights, as for `compile --precision`.")
    ] = "f32,i8,i4",
    shapes: Annotated[
        str | None, typer.Option("--shapes", help="Products: ROWSxDEPTHxCOLUMNS,...")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Take the products of this model instead.")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", help="Token counts of --model: 1,8,64.")
    ] = None,
    budget: Annotated[
        float, typer.Option("--budget", min=0, help="Seconds after which less is measured.")
    ] = 100.0,
    runner: Annotated[
        str, typer.Option("--runner", help="local, ssh:USER@HOST, rpc:HOST:PORT/KEY or emulator.")
    ] = "local",
    allow_emulator: Annotated[
        bool, typer.Option("--allow-emulator", help="Let an emulator's times stand, for a trial.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file; default: in the user's cache folder."),
    ] = None,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Measure on the device which tiles, unrolling and prefetch suit it, for later compilations."""
    from edgemoe.errors import OptionError
    from edgemoe.targets import load_target
    from edgemoe.targets.kernels.tuning import DEFAULT
    from edgemoe.targets.tuning import results, search
    from edgemoe.targets.tuning import shapes as products
    from edgemoe.targets.tuning.runners import runner_of
    from edgemoe.targets.tuning.tunings import user_file

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    spec = load_target(target)
    place = runner_of(runner, spec, allow_emulator=allow_emulator)
    if allow_emulator and out is None:
        raise OptionError("--allow-emulator: an emulator's times are only kept where -o says")
    if shapes is not None and model is not None:
        raise OptionError("--shapes and --model both say what to measure; give one of them")
    if tokens is not None and model is None:
        raise OptionError("--tokens belongs to --model; give the rows in --shapes instead")
    given = products.formats_of(formats)
    with console.progress() as show:
        if shapes is not None:
            problems = products.problems_of(products.sizes_of(shapes), given)
        elif model is not None:
            from edgemoe.model_products import products_of_model

            show("products of the model", 0, 0)
            problems = products_of_model(model, given, values.token_counts(tokens))
        else:
            problems = products.default_problems(given)
        if not problems:
            raise OptionError(f"--model {model} has no products with constant weights")
        found, left_out = search.tune(spec, problems, place, budget=budget, show=show)
        show("done", 1, 1)
    path = out or user_file(spec, found.machine)
    results.write(found, path)

    rows = [
        (isa, result.shape, f"{result.default_microseconds:.1f}", f"{result.microseconds:.1f}",
         f"{result.default_microseconds / result.microseconds:.2f}x", result.tuning)
        for isa, of_isa in found.by_isa.items()
        for result in of_isa
        if verbose or result.tuning != DEFAULT
    ]  # fmt: skip
    if rows:
        console.table(("instruction set", "class", "default us", "us", "gain", "tuning"), rows)
    total = sum(map(len, found.by_isa.values()))
    better = sum(r.tuning != DEFAULT for of_isa in found.by_isa.values() for r in of_isa)
    console.print(
        f"{path}: {found.machine.cpu}, {found.runner}; {better} of {total} classes of shapes gain "
        "more than 3% over the defaults"
    )
    if left_out:
        console.print(f"{left_out} products were left out: --budget {budget:g} was used up")
    console.result({"path": path, "left_out": left_out, **vars(found)})
