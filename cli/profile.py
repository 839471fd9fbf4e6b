"""`edgemoe profile`: where the time of a run goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgemoe.cli.console import Console, duration, size
from edgemoe.cli.options import ArtifactPath, Device, Inputs, Isa, Json, Quiet, Threads, Verbose

if TYPE_CHECKING:
    from edgemoe.runtime.mcu_profile import McuProfile
    from edgemoe.runtime.profile import Profile


def command(
    artifact: ArtifactPath,
    inputs: Inputs = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Medians are over this many.")] = 20,
    remeasure: Annotated[
        bool, typer.Option("--remeasure", help="Measure the machine's peak and bandwidth again.")
    ] = False,
    threads: Threads = 1,
    isa: Isa = None,
    device: Device = None,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Measure each step of a run against the machine, and count which experts were used."""
    from edgemoe.runtime.array_files import read_arrays
    from edgemoe.runtime.mcu_profile import is_mcu, profile_mcu
    from edgemoe.runtime.profile import profile
    from edgemoe.runtime.session import load

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    arrays = None if inputs is None else read_arrays(inputs)
    if is_mcu(artifact):
        counted = profile_mcu(artifact, arrays, device=device or "qemu", runs=runs)
        print_counts(counted, console)
        console.result(counted.to_dict())
        return
    with (
        load(artifact, threads=threads, isa=isa, device=device) as session,
        console.progress() as show,
    ):
        result = profile(
            session,
            arrays,
            runs=runs,
            measure_again=remeasure,
            progress=lambda done, total: show("runs", done, total),
        )
    print_profile(result, console)
    console.result(result.to_dict())


def print_counts(counted: McuProfile, console: Console) -> None:
    """Print the instructions of every step."""
    per_mac = f", {counted.instructions / counted.macs:.2f} per MAC" if counted.macs else ""
    console.print(
        f"{counted.name} for {counted.target}, {counted.device}: {counted.instructions:,.0f} "
        f"instructions per run{per_mac} (mean of {counted.runs} runs; instructions, not cycles)\n"
    )
    console.table(
        ("step", "instructions", "share", "MACs", "per MAC", "kernel", "origin", "what"),
        [
            (s.step, f"{s.instructions:,.0f}", f"{s.share:.1%}", f"{s.macs:,}",
             "" if s.per_mac is None else f"{s.per_mac:.2f}", s.kernel, s.origin, s.label)
            for s in counted.steps
        ],
    )  # fmt: skip
    console.print("\nMACs are the plan's worst case: every expert used.")


def print_profile(result: Profile, console: Console | None = None) -> None:
    """Print a profile for people."""
    console = console or Console()
    tokens = "" if result.tokens is None else f", {result.tokens} tokens"
    where = f" ({result.device})" if result.device else f", {result.threads} threads"
    console.print(
        f"{result.name} for {result.target}: {result.isa}{where}{tokens}, "
        f"median of {result.runs} runs {duration(result.run_nanoseconds)}"
    )
    machine = result.machine
    limits = f"{machine.gflops:.0f} GFLOP/s float32, {machine.read_gbps:.1f} GB/s read"
    if result.device:
        console.print(
            f"device: {machine.cpu}; {limits}, measured {machine.measured or 'now'} UTC\n"
            "times of steps are the device's, without submission and transfers\n"
        )
    else:
        console.print(
            f"machine: {machine.cpu}; {limits}, with these threads, measured "
            f"{machine.measured or 'now'} UTC\n"
        )
    several = len({step.variant for step in result.steps}) > 1
    console.table(
        ("step", "time", "share", "calls", "MACs", "bytes", "peak", "bandwidth", "kernel", "origin",
         "what"),
        [
            (f"variant {s.variant}, {s.step}" if several else s.step, duration(s.nanoseconds),
             f"{s.share:.1%}", s.calls, f"{s.macs:,}", f"{s.nbytes:,}", f"{s.peak_share:.1%}",
             f"{s.bandwidth_share:.1%}",
             s.kernel, s.origin, s.label)
            for s in result.steps
        ],
    )  # fmt: skip
    console.print(
        "\nMACs and bytes are the plan's worst case: every expert used. A bandwidth above 100% "
        "came from caches."
    )
    for region in result.regions:
        cls8 = "n/a" if region.cls8 is None else f"{region.cls8:.3f}"
        console.print(
            f"\nexperts of {region.origin or region.name}: {region.experts}, {region.tokens} "
            f"tokens, TLS {region.tls:.3f}, CLS_8 {cls8}, {region.unused} never used"
        )
        most = max(region.counts, default=0) or 1
        for expert, count in enumerate(region.counts):
            console.print(f"  {expert:4d}  {count:6d}  {'#' * round(40 * count / most)}".rstrip())
    memory = result.memory
    console.print(
        f"\nmemory: arena {size(memory['arena_bytes'])} (lower bound "
        f"{size(memory['lower_bound_bytes'])}), states {size(memory['state_bytes'])}, weights "
        f"{size(memory['weights_bytes'])}"
    )
