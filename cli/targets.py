"""`edgemoe targets`: what can be compiled for, and which GPUs are here."""

from __future__ import annotations

from typing import Annotated

import typer

from edgemoe.cli.console import Console, size
from edgemoe.cli.options import Json, Quiet, Verbose


def command(
    devices: Annotated[
        bool, typer.Option("--devices", help="List the GPU devices of this machine instead.")
    ] = False,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """List the targets that can be compiled for, or the GPU devices of this machine."""
    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    if devices:
        list_devices(console)
        return
    from edgemoe.targets import catalogue

    specs = sorted(catalogue(), key=lambda spec: spec.name)
    console.table(
        ("target", "family", "instruction sets", "what"),
        [(s.name, s.family, ", ".join(isa.name for isa in s.isas), s.summary) for s in specs],
    )
    console.print("\ncpu stands for the target of this machine; a path to a .toml works too.")
    console.result(specs)


def list_devices(console: Console) -> None:
    """Print what the drivers of OpenCL and WebGPU offer."""
    from edgemoe.runtime.gpu_devices import gpu_devices

    found = gpu_devices()
    if found.devices:
        console.table(
            ("device", "kind", "name", "driver", "platform", "threads", "local", "buffers",
             "largest range", "memory", "fp16", "subgroups"),
            [(d.spec, d.kind, d.name, d.driver, d.platform, d.threads, size(d.local_bytes),
              "any" if d.storage_buffers is None else d.storage_buffers, size(d.binding_bytes),
              "?" if d.memory_bytes is None else size(d.memory_bytes),
              "yes" if d.fp16 else "no", "yes" if d.subgroups else "no") for d in found.devices],
        )  # fmt: skip
        console.print(
            "\nthreads: of one work-group; local: its memory; buffers: that one kernel may have"
        )
    else:
        console.print("this machine has no GPU device")
    for note in found.notes:
        console.print(note)
    console.result(found.to_dict())
