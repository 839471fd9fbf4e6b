"""`edgemoe compile`: make an artifact of a model."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from edgemoe.cli import values
from edgemoe.cli.compression_text import accuracy_lines, compression_text
from edgemoe.cli.console import Console, size, wants_colour
from edgemoe.cli.integer_text import integer_text
from edgemoe.cli.memory_text import memory_lines
from edgemoe.cli.options import Json, Plugins, Quiet, Verbose
from edgemoe.cli.static_text import static_text


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A .onnx, a .pt2 or package.module:factory.")
    ],
    target: Annotated[str, typer.Option("-t", "--target", help="See `edgemoe targets`.")],
    out: Annotated[Path, typer.Option("-o", "--output", help="The artifact to write.")],
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", help="An .npz; arrays have a sample axis first."),
    ] = None,
    max_loss: Annotated[
        str | None, typer.Option("--max-loss", help="Accuracy that may be lost, such as 0.5%.")
    ] = None,
    max_bytes: Annotated[
        str | None, typer.Option("--max-bytes", help="Bytes of weights allowed, such as 2M.")
    ] = None,
    max_ram: Annotated[
        str | None,
        typer.Option("--max-ram", help="Microcontrollers: bytes of arena and states, such as 64K."),
    ] = None,
    expert_slots: Annotated[
        int | None,
        typer.Option("--expert-slots", min=1, help="Microcontrollers: experts copied to RAM."),
    ] = None,
    objects: Annotated[
        bool, typer.Option("--objects", help="Microcontrollers: kernels as objects by LLVM.")
    ] = False,
    precision: Annotated[
        str, typer.Option("--precision", help="auto, f32, bf16, i8, i4, ...")
    ] = "auto",
    kv_cache: Annotated[
        str, typer.Option("--kv-cache", help="How KV caches are stored: f32, bf16, f16 or i8.")
    ] = "f32",
    prune: Annotated[
        str | None,
        typer.Option(
            "--prune", help="auto (default with --precision auto), none or a ratio such as 25%."
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option("--metric", help="auto, mse, accuracy, cross-entropy, kl or rms.")
    ] = "auto",
    prune_method: Annotated[
        str,
        typer.Option("--prune-method", help="contribution, frequency, gate, reap, man, random."),
    ] = "contribution",
    skip_experts: Annotated[
        str, typer.Option("--skip-experts", help="Share of tokens that may skip their last expert.")
    ] = "0%",
    drop_layers: Annotated[
        int, typer.Option("--drop-layers", help="Residual sub-layers to remove.")
    ] = 0,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", help="NAME=VALUE: samples whose array group:NAME has the value."),
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option("--control", help="NAME=MODEL: a trained model to judge on the same samples."),
    ] = None,
    prune_scope: Annotated[
        str, typer.Option("--prune-scope", help="global (experts of all layers compete) or layer.")
    ] = "global",
    objective: Annotated[
        str, typer.Option("--objective", help="What to make small: bytes, latency or both.")
    ] = "bytes",
    runner: Annotated[
        str, typer.Option("--runner", help="Where products are timed for it; see `edgemoe tune`.")
    ] = "local",
    rounding: Annotated[
        str, typer.Option("--rounding", help="gptq or nearest, for what the search chooses.")
    ] = "gptq",
    save_onnx: Annotated[
        Path | None, typer.Option("--save-onnx", help="Write the compressed model as .onnx too.")
    ] = None,
    confident: Annotated[
        bool,
        typer.Option("--confident", help="The upper end of the 95% interval keeps --max-loss."),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Splits the data, and drives swaps.")] = 0,
    search_time: Annotated[
        float, typer.Option("--search-time", help="Seconds for the search of formats.")
    ] = 240.0,
    tokens: Annotated[
        str | None, typer.Option("--tokens", help="Token counts to compile for: 1,8,64.")
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option("--shape", help="Bind a dimension (T=8) or an input (x=1x512x7)."),
    ] = None,
    cpu: Annotated[
        str, typer.Option("--cpu", help="native, all or an instruction set: x86-64-v3, ...")
    ] = "all",
    tuning: Annotated[
        str, typer.Option("--tuning", help="auto, none or a file that `edgemoe tune` wrote.")
    ] = "auto",
    name: Annotated[str | None, typer.Option("--name", help="Name of the model.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with onnxruntime after every pass.")
    ] = False,
    dump: Annotated[
        Path | None, typer.Option("--dump", help="Write the graph around every pass here.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say first what was recognised and what was not.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="An error for what falls back or is skipped.")
    ] = False,
    zipped: Annotated[bool, typer.Option("--zip", help="Pack the artifact into one file.")] = False,
    time_passes: Annotated[
        bool, typer.Option("--time-passes", help="Print the seconds of every stage and pass.")
    ] = False,
    plugin: Plugins = None,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Compile a model for a device."""
    from edgemoe.artifact import refuse_strangers
    from edgemoe.compression.settings import Settings
    from edgemoe.errors import OptionError
    from edgemoe.precision import parse_pins

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    options: dict[str, Any] = {
        "shapes": values.shapes(shape or []),
        "tokens": values.token_counts(tokens),
        "plugins": plugin or [],
    }
    if calibration is not None and not calibration.is_file():
        raise OptionError(f"--calibration {calibration} does not exist; give an .npz")
    settings: dict[str, Any] = {
        "calibration": calibration,
        "max_loss": values.ratio(max_loss),
        "max_bytes": values.nbytes(max_bytes),
        "max_ram": values.nbytes(max_ram),
        "expert_slots": expert_slots,
        "objects": objects,
        "precision": precision,
        "kv_cache": kv_cache,
        "prune": values.pruning(
            prune or ("auto" if parse_pins(precision)[0] == "auto" else "none")
        ),
        "metric": metric,
        "runner": runner,
        "task_group": values.groups(task or []),
        "controls": values.controls(control or []),
        "save_onnx": save_onnx,
        "compression": Settings(
            prune_method=prune_method,
            prune_scope=prune_scope,
            objective=objective,
            rounding=rounding,
            seed=seed,
            seconds=search_time,
            confident=confident,
            skip=values.ratio(skip_experts) or 0.0,
            drop_branches=drop_layers,
        ),
        "tuning": tuning,
    }
    if name is not None:
        settings["name"] = name
    if zipped and out.suffix != ".zip":
        out = out.with_name(out.name + ".zip")

    refuse_strangers(out)

    import edgemoe.compiler as compiler

    if explain:
        from edgemoe.explanation_text import render

        found = compiler.explain(model, **options)
        colour = wants_colour(sys.stdout)
        console.print(render(found, verbose=verbose > 0, colour=colour), end="")
    with console.progress() as show:
        artifact = compiler.compile(
            model, target=target, out=out, **options, **settings, cpu=cpu, check=check, dump=dump,
            strict=strict, command=shlex.join(["edgemoe", *sys.argv[1:]]), progress=show,
        )  # fmt: skip
        show("done", 1, 1)
    if time_passes:
        stages = sorted(console.stages.items(), key=lambda item: -item[1])
        console.table(("seconds", "stage"), [(f"{time:.3f}", stage) for stage, time in stages])
        passes = sorted(artifact.report().get("passes", ()), key=lambda row: -row["seconds"])
        console.table(
            ("seconds", "changes", "pass"),
            [(f"{row['seconds']:.3f}", row["changes"], row["name"]) for row in passes],
        )
    manifest = artifact.manifest
    memory = manifest["memory"]
    console.print(f"{artifact.path}: {manifest['name']} for {manifest['target']}")
    console.print(
        f"  weights {size(memory['weights_bytes'])}, arena {size(memory['arena_bytes'])} (lower "
        f"bound {size(memory['lower_bound_bytes'])}), {', '.join(manifest['isas'])}"
        + (
            f", the CPU's arena {size(memory['host_arena_bytes'])}"
            if "host_arena_bytes" in memory
            else ""
        )
    )
    for line in memory_lines(memory):
        console.print(f"  {line}")
    for line in accuracy_lines(manifest["accuracy"]):
        console.print("  " + line.replace("\n", "\n  "))
    if "compression" in (report := artifact.report()):
        console.print(compression_text(report["compression"], verbose=verbose > 0), end="")
    if "static_activations" in report:
        console.print(static_text(report["static_activations"], verbose=verbose > 0), end="")
    if "integers" in report:
        console.print(integer_text(report["integers"], verbose=verbose > 0), end="")
    for decision in artifact.plan.decisions:
        console.detail(f"  {decision.subject}: {decision.choice}, because {decision.reason}")
    console.result({"path": artifact.path, "manifest": manifest, "seconds": console.stages})
