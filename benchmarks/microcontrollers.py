"""Instructions per multiply-accumulate of one linear layer, against CMSIS-NN, in QEMU.

    git clone https://github.com/ARM-software/CMSIS-NN
    python -m benchmarks.microcontrollers --cmsis-nn CMSIS-NN --json F
    python -m benchmarks.microcontrollers --table F

Both are built by the same compiler, for the same core; CMSIS-NN with -Ofast, as its own build files
do. Its function is `arm_fully_connected_s8` on one row; ours is a whole program of one layer,
with what it does to its input. Instructions are counted by QEMU; they are not cycles.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from benchmarks.compression.tables import table
from benchmarks.machine import facts
from edgemoe.artifact import ManifestExtras, SelfTest
from edgemoe.integer.arithmetic import scaling
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.plan import Plan, TensorInfo
from edgemoe.precision import Precision
from edgemoe.runtime.manifest import Manifest, read_manifest
from edgemoe.runtime.mcu_host import compile_c
from edgemoe.runtime.mcu_image import FLAGS, _script
from edgemoe.runtime.mcu_profile import McuProfile, profile_mcu
from edgemoe.runtime.mcu_qemu import QemuDevice
from edgemoe.targets import family_of, load_target

TARGETS = ("cortex-m4", "cortex-m55")
SHAPES = ((64, 64), (64, 256), (256, 64), (128, 128), (256, 256), (512, 512))
CMSIS_SOURCES = (
    "FullyConnectedFunctions/arm_fully_connected_s8.c",
    "FullyConnectedFunctions/arm_vector_sum_s8.c",
    "NNSupportFunctions/arm_nn_vec_mat_mult_t_s8.c",
    "NNSupportFunctions/arm_nntables.c",
)
RUNS = 5
HEADS = ("core", "layer", "edgemoe", "CMSIS-NN", "ratio")

GLUE = """
#include "arm_nnfunctions.h"
#include "em_harness.h"
enum {{ K = {inputs}, N = {outputs} }};
static int8_t x[K] __attribute__((aligned(16)));
static int8_t y[N] __attribute__((aligned(16)));
static const int8_t w[N * K] __attribute__((aligned(16))) = {{1, 2, -3}};
static const int32_t b[N] = {{7, -5}};
static int32_t sums[N];
const em_region em_inputs[] = {{{{x, sizeof x}}}};
const uint32_t em_input_count = 1;
const em_region em_outputs[] = {{{{y, sizeof y}}}};
const uint32_t em_output_count = 1;
const uint32_t em_step_count = 1;
void em_model_reset(void) {{ }}
void em_model_run(void)
{{
    const cmsis_nn_context context = {{sums, sizeof sums}};
    const cmsis_nn_fc_params params = {{3, 0, -4, {{-128, 127}}}};
    const cmsis_nn_per_tensor_quant_params scale = {{1518500250, -8}};
    const cmsis_nn_dims in = {{1, 1, 1, K}}, filter = {{K, 1, 1, N}}, bias = {{1, 1, 1, N}};
    const cmsis_nn_dims out = {{1, 1, 1, N}};
    (void)arm_fully_connected_s8(&context, &params, &scale, &in, x, &filter, w, &bias, b, &out, y);
    em_step_done(0);
}}
"""


class Peer(QemuDevice):
    """CMSIS-NN's function in the harness of the emulator; `step` is all it does."""

    def __init__(self, manifest: Manifest, image: Path, inputs: int) -> None:
        """Start an image that was built before."""
        from edgemoe.runtime.mcu_qemu import _options

        self._process = None
        self._names = {"inputs": ["x"], "outputs": ["y"]}
        self._room = tempfile.TemporaryDirectory(prefix="edgemoe-peer-")
        command = manifest.data["mcu"]["emulator"]["command"]
        self._start([*command, *_options(True), "-kernel", str(image)])
        self.inputs = inputs

    def instructions(self) -> float:
        """Of one call."""
        feed = {"x": np.arange(self.inputs, dtype=np.int64).astype(np.int8)}
        return self.profile(feed, RUNS, 1)[0]


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
    family.write(
        spec, lowered, plan, out, selftests=[test], extras=ManifestExtras(), report={},
        show=lambda what, step: None,
    )  # fmt: skip
    return read_manifest(out), profile_mcu(out, feed, runs=RUNS)


def ours(target: str, inputs: int, outputs: int, folder: Path) -> tuple[Manifest, float]:
    """Instructions of one run of a program that is one linear layer."""
    feed = {"x": np.arange(inputs, dtype=np.int64).astype(np.int8)[None]}
    graph = graph_of(inputs, outputs)
    manifest, found = program(target, graph, feed, TensorInfo("y", "int8", (1, outputs)), folder)
    return manifest, found.instructions


def cmsis(root: Path, manifest: Manifest, inputs: int, outputs: int, folder: Path) -> float:
    """Instructions of one call of `arm_fully_connected_s8`."""
    mcu = manifest.data["mcu"]
    package = resources.files("edgemoe.runtime.c.mcu")
    startup = f"start_{mcu['emulator']['startup']}.c"
    for name in ("harness.c", "em_harness.h", startup):
        (folder / name).write_text(package.joinpath(name).read_text("utf-8"))
    (folder / "glue.c").write_text(GLUE.format(inputs=inputs, outputs=outputs))
    (folder / "device.ld").write_text(_script(mcu["emulator"]))
    fast = [f for f in FLAGS if f != "-O2"]
    compile_c(
        mcu["compiler"],
        [*fast, "-Ofast", "-I", str(root / "Include"), "-I", ".", "-nostartfiles",
         "-T", "device.ld", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments", "-o", "peer.elf",
         startup, "harness.c", "glue.c", *(str(root / "Source" / s) for s in CMSIS_SOURCES),
         "-lm", "-lc", "-lgcc", *mcu["link"]],
        folder, "gcc-arm-none-eabi",
    )  # fmt: skip
    peer = Peer(manifest, folder / "peer.elf", inputs)
    try:
        return peer.instructions()
    finally:
        peer.close()


def version_of(clone: Path) -> str:
    """The commit of a clone; nothing where git does not tell."""
    command = ["git", "-C", str(clone), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def rows_of(results: Sequence[dict[str, Any]]) -> list[tuple[object, ...]]:
    """The table's rows."""
    return [
        (r["target"], f"{r['inputs']} -> {r['outputs']}", f"{r['ours']:.2f}", f"{r['cmsis']:.2f}",
         f"{r['ours'] / r['cmsis']:.2f}")
        for r in results
    ]  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.microcontrollers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--cmsis-nn", type=Path, metavar="DIR", help="a clone of it")
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    given = parser.parse_args()
    if given.table:
        print(table(HEADS, rows_of(json.loads(given.table.read_text("utf-8"))["results"])))
        return
    if given.cmsis_nn is None:
        parser.error("--cmsis-nn DIR is missing: a clone of CMSIS-NN")
    results = []
    with tempfile.TemporaryDirectory() as room:
        for target in TARGETS:
            for inputs, outputs in SHAPES:
                manifest, own = ours(target, inputs, outputs, Path(room))
                peer = cmsis(given.cmsis_nn.resolve(), manifest, inputs, outputs, Path(room))
                macs = inputs * outputs
                results.append({"target": target, "inputs": inputs, "outputs": outputs,
                                "ours": own / macs, "cmsis": peer / macs})  # fmt: skip
                print(f"{target} {inputs} -> {outputs}: {own / macs:.2f}, CMSIS-NN "
                      f"{peer / macs:.2f}", file=sys.stderr)  # fmt: skip
    print(table(HEADS, rows_of(results)))
    if given.json:
        command = shlex.join(["python", "-m", "benchmarks.microcontrollers", *sys.argv[1:]])
        peer = {"CMSIS-NN": version_of(given.cmsis_nn)}
        document = {"command": command, "facts": facts(), "peer": peer, "results": results}
        given.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
