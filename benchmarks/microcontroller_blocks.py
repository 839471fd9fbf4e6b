"""What experts cost whose score is zero, and what active ones cost, on a microcontroller.

    python -m benchmarks.microcontroller_blocks --json F
    python -m benchmarks.microcontroller_blocks --table F

A layer of the shape of `char_blockffn` (BlockFFN: 32 experts, 128 -> 16 -> 128) for one token, with
random weights, whose scores say which experts are active; beside it a dense block of the same
kernels that computes all 512 hidden numbers. Instructions are counted by QEMU; they are not cycles.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from benchmarks.compression.tables import table
from benchmarks.machine import facts
from benchmarks.microcontroller_demos import block_graph
from benchmarks.microcontrollers import program, value
from edgemoe.integer.arithmetic import scaling
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.plan import TensorInfo

TARGETS = ("cortex-m4", "cortex-m55", "rv32imc")
EXPERTS, WIDTH, INTERMEDIATE = 32, 128, 16
ACTIVE = (0, 1, 2, 4, 8, 16, 32)
HEADS = (
    "core", "dense block", *(f"{n} active" for n in ACTIVE), "per active expert",
    "dense, per expert", "ratio",
)  # fmt: skip


def layer_graph(active: int) -> ir.Model:
    """ActiveIds, ExpertLinear, Table, WeighRows and ExpertSum on int8 [1, WIDTH]."""
    chance = np.random.default_rng(0)
    constants: list[ir.Value] = []
    nodes: list[ir.Node] = []

    def constant(name: str, array: np.ndarray) -> ir.Value:
        constants.append(value(name, array, constant=True))
        return constants[-1]

    def node(
        op: str, inputs: list[ir.Value], name: str, like: np.ndarray, **given: int
    ) -> ir.Value:
        made = value(name, like)
        attributes = [ir.AttrInt64(k, v) for k, v in given.items()]
        nodes.append(ir.Node(DOMAIN, op, inputs, attributes, outputs=[made], name=f"node.{name}"))
        return made

    whole = {"low": -128, "high": 127, "bits": 8}
    x = value("x", np.zeros((1, WIDTH), np.int8))
    codes = np.full(EXPERTS, -128, np.int8)
    codes[:active] = 100
    scores = constant("scores", codes)
    ids = node("ActiveIds", [scores], "ids", np.zeros(EXPERTS, np.int32), zero_x=-128)
    bound = 128 * 127 * WIDTH + 1000
    first = scaling(chance.uniform(0.2, 1.0, (EXPERTS, INTERMEDIATE)) * 500 / bound, bound)
    up = node(
        "ExpertLinear",
        [x, ids,
         constant("up", _codes(chance, EXPERTS, INTERMEDIATE, WIDTH)),
         constant("up.bias", chance.integers(-1000, 1000, (EXPERTS, INTERMEDIATE), np.int32)),
         constant("up.multiplier", first.multiplier)],
        "hidden", np.zeros((EXPERTS, INTERMEDIATE), np.int8), left=first.left, right=first.right,
        zero=0, weight_bits=8, shared=EXPERTS, **whole,
    )  # fmt: skip
    relu = constant("relu", np.arange(-128, 128).clip(0).astype(np.int8))
    curved = node("Table", [up, relu], "curved", np.zeros((EXPERTS, INTERMEDIATE), np.int8), bits=8)
    rows = node(
        "WeighRows", [curved, scores], "rows", np.zeros((EXPERTS, INTERMEDIATE), np.int16),
        zero_x=0, zero_w=-128, right=1,
    )  # fmt: skip
    bound = EXPERTS * INTERMEDIATE * 127 * 127 * 128
    last = scaling(chance.uniform(0.2, 1.0, WIDTH) * 5000 / bound, bound)
    node(
        "ExpertSum",
        [rows, ids, scores,
         constant("down", _codes(chance, EXPERTS, WIDTH, INTERMEDIATE)),
         constant("down.bias", np.zeros((EXPERTS, WIDTH), np.int32)),
         constant("down.multiplier", last.multiplier)],
        "y", np.zeros((1, WIDTH), np.int8), chosen=EXPERTS, zero_w=-128, shift=0, left=last.left,
        right=last.right, zero=0, weight_bits=8, **whole,
    )  # fmt: skip
    graph = ir.Graph(
        [x], [nodes[-1].outputs[0]], nodes=nodes, initializers=constants,
        opset_imports={"": 21, DOMAIN: 1}, name=f"layer_{active}",
    )  # fmt: skip
    return ir.Model(graph, ir_version=10)


def _codes(chance: np.random.Generator, *shape: int) -> np.ndarray:
    return chance.integers(-127, 128, shape).astype(np.int8)


def measured(target: str, folder: Path) -> dict[str, Any]:
    """Instructions of the dense block, and of the layer by its number of active experts."""
    feed = {"x": np.random.default_rng(1).integers(-128, 128, (1, WIDTH)).astype(np.int8)}
    y = TensorInfo("y", "int8", (1, WIDTH))
    dense = block_graph(1, WIDTH, EXPERTS * INTERMEDIATE, np.dtype(np.int8))
    found = {"target": target, "dense": program(target, dense, feed, y, folder)[1].instructions}
    found["active"] = {
        str(n): program(target, layer_graph(n), feed, y, folder)[1].instructions for n in ACTIVE
    }
    return found


def row(r: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table; an active expert costs what the last 31 add, evenly."""
    counts = [r["active"][str(n)] for n in ACTIVE]
    each = (r["active"][str(EXPERTS)] - r["active"]["1"]) / (EXPERTS - 1)
    share = r["dense"] / EXPERTS
    return (
        r["target"], f"{r['dense']:,.0f}", *(f"{n:,.0f}" for n in counts), f"{each:,.0f}",
        f"{share:,.0f}", f"{each / share:.2f}",
    )  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.microcontroller_blocks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    given = parser.parse_args()
    if given.table:
        results = json.loads(given.table.read_text("utf-8"))["results"]
        print(table(HEADS, [row(r) for r in results]))
        return
    with tempfile.TemporaryDirectory() as room:
        results = [measured(target, Path(room)) for target in TARGETS]
    print(table(HEADS, [row(r) for r in results]))
    if given.json:
        command = shlex.join(["python", "-m", "benchmarks.microcontroller_blocks", *sys.argv[1:]])
        document = {"command": command, "facts": facts(), "results": results}
        given.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
