r"""Instructions per multiply-accumulate of one linear layer, against CMSIS-NN and TFLite-Micro.

    git clone https://github.com/ARM-software/CMSIS-NN
    git clone https://github.com/tensorflow/tflite-micro
    git clone https://github.com/google/gemmlowp
    python -m benchmarks.microcontrollers --cmsis-nn CMSIS-NN --tflm tflite-micro \
        --gemmlowp gemmlowp --json F
    python -m benchmarks.microcontrollers --table F

All are built by the same compiler, for the same core (see `microcontroller_peers`). Peers compute
one row; ours is a whole program of one layer, with what it does to its input. Instructions are
counted by QEMU; they are not cycles.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from benchmarks import microcontroller_peers as peers
from benchmarks.compression.tables import table
from benchmarks.machine import facts
from edgemoe.artifact import SelfTest
from edgemoe.artifact_writer import Contents
from edgemoe.integer.arithmetic import scaling
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.plan import Plan, TensorInfo
from edgemoe.precision import Precision
from edgemoe.runtime.manifest import Manifest, read_manifest
from edgemoe.runtime.mcu_profile import McuProfile, profile_mcu
from edgemoe.targets import family_of, load_target

TARGETS = ("cortex-m4", "cortex-m55")
SHAPES = ((64, 64), (64, 256), (256, 64), (128, 128), (256, 256), (512, 512))
HEADS = ("core", "layer", "edgemoe", "CMSIS-NN", "ratio", "TFLite-Micro, reference", "ratio")


def graph_of(inputs: int, outputs: int) -> ir.Model:
    """An integer graph of one layer: int8 in, int8 weights per channel, int8 out."""
    chance = np.random.default_rng(0)
    weights = chance.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    bound = 128 * 127 * inputs + 1000
    given = scaling(chance.uniform(0.2, 1.0, outputs) * 500 / bound, bound)
    constants = [
        value(name, array, constant=True)
        for name, array in (
            ("w", weights), ("b", chance.integers(-1000, 1000, outputs).astype(np.int32)),
            ("m", given.multiplier),
        )
    ]  # fmt: skip
    x, y = value("x", np.zeros((1, inputs), np.int8)), value("y", np.zeros((1, outputs), np.int8))
    numbers = {"left": given.left, "right": given.right, "zero": -4, "low": -128, "high": 127,
               "bits": 8, "weight_bits": 8}  # fmt: skip
    node = ir.Node(
        DOMAIN, "Linear", [x, *constants], [ir.AttrInt64(k, v) for k, v in numbers.items()],
        outputs=[y], name="layer",
    )  # fmt: skip
    graph = ir.Graph(
        [x], [y], nodes=[node], initializers=constants, opset_imports={"": 21, DOMAIN: 1},
        name=f"layer_{inputs}_{outputs}",
    )  # fmt: skip
    return ir.Model(graph, ir_version=10)


def value(name: str, array: np.ndarray, *, constant: bool = False) -> ir.Value:
    kind = ir.TensorType(ir.DataType.from_numpy(array.dtype))
    value = ir.Value(name=name, shape=ir.Shape(array.shape), type=kind)
    if constant:
        value.const_value = ir.tensor(array, name=name)
    return value


def program(
    target: str, graph: ir.Model, feed: dict[str, np.ndarray], y: TensorInfo, folder: Path
) -> tuple[Manifest, McuProfile]:
    """Compile an integer graph of one input x and one output y, and count its instructions."""
    spec = load_target(target)
    family = family_of(spec)
    lowered = family.lower(spec, [graph], [None], Precision())
    x = TensorInfo("x", str(feed["x"].dtype), feed["x"].shape)
    name = str(graph.graph.name)
    plan = Plan(
        name, spec.name, tuple(isa.name for isa in spec.isas), (x,), (y,), lowered.variants,
        lowered.kernels.kernels(), tuple(lowered.weights.sections), lowered.weights.nbytes,
    )  # fmt: skip
    out = folder / f"{name}_{target}"
    test = SelfTest(feed, {"y": np.zeros(y.shape, y.dtype)}, 65535.0)
    family.write(spec, lowered, plan, out, Contents([test]), lambda what, step: None)
    return read_manifest(out), profile_mcu(out, feed, runs=peers.RUNS)


def ours(target: str, inputs: int, outputs: int, folder: Path) -> tuple[Manifest, float]:
    """Instructions of one run of a program that is one linear layer."""
    feed = {"x": np.arange(inputs, dtype=np.int64).astype(np.int8)[None]}
    graph = graph_of(inputs, outputs)
    manifest, found = program(target, graph, feed, TensorInfo("y", "int8", (1, outputs)), folder)
    return manifest, found.instructions


def version_of(clone: Path) -> str:
    """The commit of a clone; nothing where git does not tell."""
    command = ["git", "-C", str(clone), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def rows_of(results: Sequence[dict[str, Any]]) -> list[tuple[object, ...]]:
    """The table's rows."""
    return [
        (r["target"], f"{r['inputs']} -> {r['outputs']}", f"{r['ours']:.2f}",
         *(text for peer in ("cmsis", "tflm") for text in _against(r["ours"], r[peer])))
        for r in results
    ]  # fmt: skip


def _against(ours: float, peer: float | None) -> tuple[str, str]:
    """A peer's figure and our ratio to it; dashes where it was not measured."""
    return ("-", "-") if peer is None else (f"{peer:.2f}", f"{ours / peer:.2f}")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.microcontrollers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--cmsis-nn", type=Path, metavar="DIR", help="a clone of it")
    parser.add_argument("--tflm", type=Path, metavar="DIR", help="a clone of tflite-micro")
    parser.add_argument("--gemmlowp", type=Path, metavar="DIR", help="a clone, for TFLite-Micro")
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    given = parser.parse_args()
    if given.table:
        print(table(HEADS, rows_of(json.loads(given.table.read_text("utf-8"))["results"])))
        return
    if given.cmsis_nn is None and given.tflm is None:
        parser.error(
            "--cmsis-nn DIR or --tflm DIR is missing: a clone of CMSIS-NN, of tflite-micro"
        )
    if (given.tflm is None) != (given.gemmlowp is None):
        parser.error("--tflm DIR needs --gemmlowp DIR, a clone of the library that it reads")
    results = []
    clones = [c.resolve() for c in (given.cmsis_nn, given.tflm, given.gemmlowp) if c is not None]
    with tempfile.TemporaryDirectory() as room:
        for target in TARGETS:
            for inputs, outputs in SHAPES:
                manifest, own = ours(target, inputs, outputs, Path(room))
                layer, macs = (manifest, inputs, outputs, Path(room)), inputs * outputs
                found: dict[str, Any] = {
                    "target": target,
                    "inputs": inputs,
                    "outputs": outputs,
                    "ours": own / macs,
                    "cmsis": None,
                    "tflm": None,
                }
                if given.cmsis_nn is not None:
                    found["cmsis"] = peers.cmsis(clones[0], *layer) / macs
                if given.tflm is not None:
                    found["tflm"] = peers.tflm(*clones[-2:], *layer) / macs
                results.append(found)
                print(table(HEADS, rows_of([found])), file=sys.stderr)
    print(table(HEADS, rows_of(results)))
    if given.json:
        # Names of folders that are not the repository's stay out of the record.
        told = [Path(a).name if Path(a).is_dir() else a for a in sys.argv[1:]]
        command = shlex.join(["python", "-m", "benchmarks.microcontrollers", *told])
        known = {"CMSIS-NN": given.cmsis_nn, "tflite-micro": given.tflm, "gemmlowp": given.gemmlowp}
        peer = {name: version_of(clone) for name, clone in known.items() if clone is not None}
        document = {"command": command, "facts": facts(), "peer": peer, "results": results}
        given.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
