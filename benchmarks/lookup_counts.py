"""2-bit weights by multiplications and by tables: instructions per MAC of the inner loops, one row.

    python -m benchmarks.lookup_counts

Tables are those of T-MAC (arXiv 2407.00088): `lookup_trial.c`, built by gcc with the loop unrolled
eight times, as an inner loop of a group of 32 inputs would be. It is also run, where it can be.
Ours are the loops of `benchmarks.instruction_counts`; with AVX-512 the whole group and its scaling
are one loop. Not counted: making the tables, 16 entries for four inputs, rounded to int8.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.inner_loops import inner_loops, loops_of
from edgemoe.targets import load_target
from edgemoe.weight_format import parse

TRIAL = Path(__file__).with_name("lookup_trial.c")
UNROLL = ("-O3", "-funroll-all-loops", "--param", "max-unroll-times=8")

LOOKUPS = ((r"tbl\s+v\d+\.16b", 32), (r"vpshufb\s.*zmm", 128), (r"vpshufb\s.*ymm", 64))
"""MACs of one look-up instruction: four inputs of each lane, of one of two bits."""

BUILDS = (
    ("x86-64-v3", ("gcc", "-mavx2", "-mfma"), ()),
    ("x86-64-v4+avx512vnni", ("gcc", "-march=x86-64-v4"), ()),
    ("aarch64", ("aarch64-linux-gnu-gcc",), ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")),
    ("aarch64+dotprod", ("aarch64-linux-gnu-gcc",),
     ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")),
)  # fmt: skip


def lookups(compiler: tuple[str, ...], runner: tuple[str, ...]) -> tuple[float, str]:
    """Instructions per MAC of the trial's loop, and whether it gave the right sums."""
    with tempfile.TemporaryDirectory() as folder:
        text, program = Path(folder) / "trial.s", Path(folder) / "trial"
        subprocess.run([*compiler, *UNROLL, "-S", TRIAL, "-o", text], check=True)
        found = [
            (len(loop.lines), macs_of(loop.lines))
            for loop in inner_loops(text.read_text("utf-8"), macs_of)
        ]
        subprocess.run([*compiler, "-O2", TRIAL, "-o", program], check=True)
        done = subprocess.run([*runner, program], capture_output=True, text=True, check=False)
        verdict = done.stdout.strip() or "not run: the CPU lacks it"
    count, macs = max(found, key=lambda pair: pair[1])
    return count / macs, verdict


def macs_of(lines: tuple[str, ...]) -> int:
    """MACs of a loop's look-ups."""
    return sum(macs for line in lines for form, macs in LOOKUPS if re.match(form, line))


def main() -> None:
    isas = {isa.name: isa for name in ("x86-64", "aarch64") for isa in load_target(name).isas}
    print("| instruction set | multiplications | tables | ratio | sums of the trial |")
    print("|---|--:|--:|--:|---|")
    for name, compiler, runner in BUILDS:
        if shutil.which(compiler[0]) is None:
            print(f"| `{name}` | | | | no {compiler[0]} |")
            continue
        ours = loops_of(parse("i2.g128"), isas[name], 1)[0].per_mac
        tables, verdict = lookups(compiler, runner)
        print(f"| `{name}` | {ours:.3f} | {tables:.3f} | {tables / ours:.2f} | {verdict} |")


if __name__ == "__main__":
    main()
