"""Instructions per MAC of the inner loops, for every instruction set, without running anything.

python -m benchmarks.instruction_counts [--formats f32,i8] [--show x86-64-v3/i8/1]

A vector instruction does as many MACs as it has lanes: instructions per MAC times lanes of float32
compares instruction sets. 1 row is the product of one token, the tallest tile that of many. Codes
with scales per group include their scaling where the compiler unrolls a whole group.
"""

from __future__ import annotations

import argparse

from benchmarks.inner_loops import loops_of
from edgemoe.targets import load_target
from edgemoe.targets.kernels.product import product_of
from edgemoe.weight_format import parse

FORMATS = ("f32", "bf16", "bf16.a16", "f16", "f16.a16", "i8", "i4", "i4.a32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--show", metavar="ISA/FORMAT/ROWS", help="print the loops of one tile")
    given = parser.parse_args()
    isas = {isa.name: isa for name in ("x86-64", "aarch64") for isa in load_target(name).isas}
    if given.show:
        isa, name, rows = given.show.split("/")
        print(*loops_of(parse(name), isas[isa], int(rows)), sep="\n")
        return
    print(f"{'format':8} {'instruction set':22} rows  insns  MACs  per MAC  x lanes  on stack")
    for name in given.formats.split(","):
        for isa in isas.values():
            weights = parse(name)
            for rows in (1, product_of(weights).tallest(isa)):
                loop = loops_of(weights, isa, rows)[0]
                print(
                    f"{name:8} {isa.name:22} {rows:4}  {len(loop.lines):5} {loop.macs:5}"
                    f"  {loop.per_mac:7.3f}  {loop.per_mac * isa.lanes:7.2f}  {loop.spills:8}"
                )


if __name__ == "__main__":
    main()
