"""The language model that ships, typing on microcontrollers: what it needs, takes and loses.

    python -m benchmarks.microcontroller_text --text tinyshakespeare.txt --json F
    python -m benchmarks.microcontroller_text --table F

`char_blockffn` with int8 weights, calibrated on 256 windows of 128 characters of the validation
split, without a budget. Judged token by token on windows of the test split, evenly spread, by the C
that the device gets, compiled for this machine; the core in QEMU has to give the same bits on the
first of them. Instructions per character are QEMU's, at the place where a full window ends; they
are not cycles.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgemoe
from benchmarks.compression.tables import percent, table
from benchmarks.machine import facts
from edgemoe.models.calibration import arrays
from edgemoe.runtime.mcu_profile import profile_mcu

Array = NDArray[Any]

FACTORY = "edgemoe.models.blockffn_lm:char_blockffn"
TARGETS = ("cortex-m7", "cortex-m55", "rv32imc")
WINDOWS = 48
"""Of the test split."""
HEADS = (
    "core", "flash", "arena", "states", "stack", "instructions per character", "float32",
    "integers", "loss", "windows", "same bits in QEMU",
)  # fmt: skip


def in_float32(windows: Array) -> Array:
    """Logits [W, T, V] of whole windows, in PyTorch."""
    import torch

    from edgemoe.models.blockffn_lm import char_blockffn

    model, (_, *rest) = char_blockffn()
    found = []
    with torch.no_grad():
        for window in windows:
            logits = model.eval()(torch.from_numpy(window), *rest)[0]
            found.append(np.asarray(logits.numpy()))
    return np.stack(found)


def typed(session: Any, window: Array) -> Array:
    """Logits [T, V] as the device gives them, a character per call."""
    session.reset()
    made = [session.run({"tokens": window[n : n + 1]})["logits"][0] for n in range(len(window))]
    return np.stack(made)


def cross_entropy(logits: Array, targets: Array) -> float:
    """Mean over all characters, in nats."""
    flat, ids = logits.reshape(-1, logits.shape[-1]).astype(np.float64), targets.reshape(-1)
    top = flat.max(-1, keepdims=True)
    sums = np.log(np.exp(flat - top).sum(-1)) + top[:, 0]
    return float((sums - flat[np.arange(len(flat)), ids]).mean())


def measured(target: str, text: Path, folder: Path) -> dict[str, Any]:
    """Compile, judge and count the model on one core."""
    out = folder / target
    edgemoe.compile(
        FACTORY, target=target, out=out, precision="i8",
        calibration=arrays("char_blockffn", text, split="validate"),
    )  # fmt: skip
    test = arrays("char_blockffn", text, split="test", samples=WINDOWS)
    windows, targets = test["tokens"], test["target:logits"]
    with edgemoe.load(out, device="host") as host:
        integers = np.stack([typed(host, window) for window in windows])
    with edgemoe.load(out, device="qemu") as core:
        same = int((typed(core, windows[0]) == integers[0]).all(-1).sum())
    profile = profile_mcu(out, {"tokens": windows[0][-1:]})
    memory, flash = profile.memory, profile.memory["flash"]
    return {
        "target": target, "instructions": profile.instructions, "macs": profile.macs,
        "flash_bytes": flash["code"] + flash["constants"] + sum(flash["weights"].values()),
        "arena_bytes": memory["arena_bytes"], "state_bytes": memory["ram"]["states"],
        "stack": memory["stack"], "compiler": memory["compiler"], "windows": len(windows),
        "fp32": cross_entropy(in_float32(windows), targets),
        "integers": cross_entropy(integers, targets),
        "characters": len(windows[0]), "equal_characters": same,
    }  # fmt: skip


def rows_of(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The table's rows."""
    return [
        (
            r["target"], f"{r['flash_bytes']:,}", f"{r['arena_bytes']:,}", f"{r['state_bytes']:,}",
            f"{r['stack']['bytes']:,}" if r["stack"] else "unknown", f"{r['instructions']:,.0f}",
            f"{r['fp32']:.4f}", f"{r['integers']:.4f}", percent(r["integers"] / r["fp32"] - 1),
            str(r["windows"]), f"{r['equal_characters']} of {r['characters']}",
        )
        for r in results
    ]  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.microcontroller_text", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--text", type=Path, metavar="TXT", help="tinyshakespeare.txt")
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    given = parser.parse_args()
    if given.table:
        print(table(HEADS, rows_of(json.loads(given.table.read_text("utf-8"))["results"])))
        return
    if given.text is None:
        parser.error("--text tinyshakespeare.txt is missing")
    with tempfile.TemporaryDirectory() as room:
        results = [measured(target, given.text, Path(room)) for target in TARGETS]
    print(table(HEADS, rows_of(results)))
    if given.json:
        told = [Path(a).name if Path(a) == given.text else a for a in sys.argv[1:]]
        command = shlex.join(["python", "-m", "benchmarks.microcontroller_text", *told])
        document = {"command": command, "facts": facts(), "results": results}
        given.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
