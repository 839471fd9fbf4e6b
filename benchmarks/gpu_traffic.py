"""What GPU kernels ask of memory, counted thread by thread (`simt`); no GPU is needed.

python -m benchmarks.gpu_traffic [--target adreno]

For a linear layer of 256 inputs and 256 columns, for one row and for 64: bytes that are read per
byte of the weights, the share of 32-byte sectors that was asked for, the widest read of a thread,
turns of local memory per access, and work-groups.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks import simt
from edgemoe.quantise import quantise
from edgemoe.targets.gpu import facts_of
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.gpu.linear import GpuLinear, product_cut
from edgemoe.targets.kernels.gpu.weights import Layout
from edgemoe.targets.spec import load_target
from edgemoe.weight_format import parse

FORMATS = ("f32", "f16", "i8", "i4", "i4.zp", "i3", "i2")
DEPTH = COLUMNS = 256


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", default="adreno")
    facts = facts_of(load_target(parser.parse_args().target))
    chance = np.random.default_rng(0)
    print("| rows | weights | bytes per byte | of sectors | bytes at once | local | work-groups |")
    print("|--:|---|--:|--:|--:|--:|--:|")
    for rows in (1, 64):
        for name in FORMATS:
            layout = Layout(parse(name), DEPTH, COLUMNS)
            kernel = GpuLinear(ex.Port(), layout, rows, product_cut(facts, layout, 1, rows))
            words = layout.pack(
                [chance.standard_normal((COLUMNS, DEPTH)).astype(np.float32)], [quantise]
            )
            x = chance.standard_normal((rows, DEPTH)).astype(np.float32)
            trace = simt.run(kernel, facts, [x, words, np.zeros((rows, COLUMNS), np.float32)])
            read = trace.reads["weights"]
            print(f"| {rows} | {name} | {read.requested / words.nbytes:.2f} | {read.whole:.0%} | "
                  f"{read.width} | {trace.local.conflicts:.2f} | {kernel.groups} |")  # fmt: skip


if __name__ == "__main__":
    main()
