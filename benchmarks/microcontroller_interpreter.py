r"""A network of fully connected layers in TFLite-Micro's interpreter, and compiled by edgemoe.

    git clone https://github.com/tensorflow/tflite-micro
    git clone https://github.com/ARM-software/CMSIS-NN
    git clone https://github.com/google/gemmlowp
    git clone --branch v25.9.23 https://github.com/google/flatbuffers
    python -m pip install tflite==2.18.0
    python -m benchmarks.microcontroller_interpreter --tflm tflite-micro --cmsis-nn CMSIS-NN \
        --gemmlowp gemmlowp --flatbuffers flatbuffers --json F
    python -m benchmarks.microcontroller_interpreter --table F

int8, 64 -> 256 -> 64 -> 10 with ReLU between (the sizes of the digits): what the interpreter can
express of our models, which have norms, GELU and experts. The same weights and nearly the same
factors in both; built by the same compiler, the interpreter with the options of its Makefile, for
release builds, once with its reference kernels and once with those of CMSIS-NN. `memory` is the
arena; of the interpreter what it says it used. `code` is what is added to a program that does
nothing, without the model: kernels, and all around them. Instructions, by QEMU, are not cycles.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from benchmarks import microcontroller_peers as peers
from benchmarks.compression.tables import table
from benchmarks.machine import facts
from benchmarks.microcontrollers import program, value, version_of
from edgemoe.integer.arithmetic import scaling
from edgemoe.integer.operator_table import DOMAIN
from edgemoe.plan import TensorInfo
from edgemoe.runtime.manifest import Manifest
from edgemoe.runtime.mcu_host import compile_c
from edgemoe.runtime.mcu_image import FLAGS

TARGETS = ("cortex-m4", "cortex-m55")
WIDTHS = (64, 256, 64, 10)
SCALE = 0.05
"""Of all activations; their zero point is -128 behind a ReLU, 0 elsewhere."""

HEADS = ("core", "program", "instructions", "per MAC", "ratio", "memory", "code", "model")

SOURCES = (
    "tensorflow/compiler/mlir/lite/core/api/error_reporter.cc",
    *(f"tensorflow/lite/core/api/{n}.cc" for n in ("flatbuffer_conversions", "tensor_utils")),
    "tensorflow/lite/core/c/common.cc", "tensorflow/lite/kernels/kernel_util.cc",
    *(f"tensorflow/lite/kernels/internal/{n}.cc" for n in (
        "common", "portable_tensor_utils", "quantization_util", "runtime_shape", "tensor_ctypes",
        "tensor_utils", "reference/portable_tensor_utils",
    )),
    "tensorflow/compiler/mlir/lite/schema/schema_utils.cc",
    *(f"tensorflow/lite/micro/{n}.cc" for n in (
        "flatbuffer_utils", "memory_helpers", "micro_allocation_info", "micro_allocator",
        "micro_context", "micro_interpreter", "micro_interpreter_context",
        "micro_interpreter_graph", "micro_log", "micro_op_resolver", "micro_resource_variable",
        "micro_utils", "kernels/fully_connected_common", "kernels/kernel_util",
        "kernels/micro_tensor_utils", "tflite_bridge/flatbuffer_conversions_bridge",
        "tflite_bridge/micro_error_reporter", "memory_planner/greedy_memory_planner",
        "memory_planner/linear_memory_planner",
        "arena_allocator/non_persistent_arena_buffer_allocator",
        "arena_allocator/persistent_arena_buffer_allocator",
        "arena_allocator/single_arena_buffer_allocator",
    )),
)  # fmt: skip

GLUE = """
#include "em_harness.h"
enum {{ K = {inputs}, N = {outputs} }};
static int8_t x[K] __attribute__((aligned(16)));
static int8_t y[N + 4] __attribute__((aligned(16)));
const em_region em_inputs[] = {{{{x, sizeof x}}}};
const uint32_t em_input_count = 1;
const em_region em_outputs[] = {{{{y, sizeof y}}}};
const uint32_t em_output_count = 1;
const uint32_t em_step_count = 1;
void peer_open(void);
void peer_run(const int8_t *x, int8_t *y);
void em_model_reset(void) {{ peer_open(); }}
void em_model_run(void)
{{
    peer_run(x, y);
    em_step_done(0);
}}
"""

NOTHING = """
#include <cstdint>
extern "C" void peer_open(void) { }
extern "C" void peer_run(const int8_t *x, int8_t *y) { y[0] = x[0]; }
"""

INTERPRETER = """
#include <cstring>
#include <new>
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "network.h"

extern "C" void DebugLog(const char *, va_list) {}
extern "C" int DebugVsnprintf(char *, size_t, const char *, va_list) { return 0; }
extern "C" void TfLiteAbort() { for (;;) {} }
void *operator new(size_t) { for (;;) {} }
void operator delete(void *) noexcept {}
void operator delete(void *, size_t) noexcept {}

using Resolver = tflite::MicroMutableOpResolver<1>;
alignas(16) static uint8_t arena[16384];
alignas(16) static uint8_t place[sizeof(tflite::MicroInterpreter)];
alignas(16) static uint8_t known[sizeof(Resolver)];
static tflite::MicroInterpreter *interpreter;

extern "C" void peer_open(void)
{
    if (interpreter != nullptr) { return; }
    Resolver *resolver = new (known) Resolver;
    resolver->AddFullyConnected();
    interpreter = new (place) tflite::MicroInterpreter(
        tflite::GetModel(network), *resolver, arena, sizeof arena);
    if (interpreter->AllocateTensors() != kTfLiteOk) { for (;;) {} }
}

extern "C" void peer_run(const int8_t *x, int8_t *y)
{
    peer_open();
    std::memcpy(interpreter->input(0)->data.int8, x, INPUTS);
    if (interpreter->Invoke() != kTfLiteOk) { for (;;) {} }
    std::memcpy(y, interpreter->output(0)->data.int8, OUTPUTS);
    const uint32_t used = interpreter->arena_used_bytes();
    std::memcpy(y + OUTPUTS, &used, 4);
}
"""


def layers() -> list[tuple[np.ndarray, np.ndarray, float]]:
    """(int8 weights [N, K], int32 biases [N], scale of the weights) of every layer."""
    chance, found = np.random.default_rng(0), []
    for inputs, outputs in pairwise(WIDTHS):
        w = chance.integers(-127, 128, (outputs, inputs)).astype(np.int8)
        b = chance.integers(-1000, 1000, outputs).astype(np.int32)
        found.append((w, b, 1.5 / (73 * inputs**0.5)))
    return found


def zero_of(layer: int) -> int:
    """The zero point of what a layer gives."""
    return 0 if layer in (-1, len(WIDTHS) - 2) else -128


def ours() -> ir.Model:
    """The network as an integer graph."""
    constants: list[ir.Value] = []
    nodes: list[ir.Node] = []
    first = x = value("x", np.zeros((1, WIDTHS[0]), np.int8))
    for number, (w, b, scale) in enumerate(layers()):
        outputs, inputs = w.shape
        bound = 255 * 127 * inputs + 1000
        given = scaling(np.full(outputs, scale), bound)
        folded = b - zero_of(number - 1) * w.astype(np.int32).sum(1)
        made = [
            value(f"{what}{number}", array, constant=True)
            for what, array in (("w", w), ("b", folded.astype(np.int32)), ("m", given.multiplier))
        ]
        constants.extend(made)
        last = number == len(WIDTHS) - 2
        y = value("y" if last else f"y{number}", np.zeros((1, outputs), np.int8))
        numbers = {"left": given.left, "right": given.right, "zero": zero_of(number), "low": -128,
                   "high": 127, "bits": 8, "weight_bits": 8}  # fmt: skip
        attributes = [ir.AttrInt64(k, v) for k, v in numbers.items()]
        nodes.append(ir.Node(DOMAIN, "Linear", [x, *made], attributes, outputs=[y]))
        nodes[-1].name, x = f"layer{number}", y
    graph = ir.Graph(
        [first], [x], nodes=nodes, initializers=constants, opset_imports={"": 21, DOMAIN: 1},
        name="network",
    )  # fmt: skip
    return ir.Model(graph, ir_version=10)


def theirs() -> bytes:
    """The network as a .tflite file."""
    import flatbuffers
    import tflite as t

    builder = flatbuffers.Builder(1 << 16)

    def vector(items: Sequence[int], start: Any) -> int:
        start(builder, len(items))
        for item in reversed(items):
            builder.PrependUOffsetTRelative(item)
        return int(builder.EndVector())

    def buffer(data: bytes | None) -> int:
        place = None if data is None else builder.CreateByteVector(data)
        t.BufferStart(builder)
        if place is not None:
            t.BufferAddData(builder, place)
        return int(t.BufferEnd(builder))

    def tensor(shape: tuple[int, ...], kind: int, number: int, scale: float, zero: int) -> int:
        scales = builder.CreateNumpyVector(np.array([scale], np.float32))
        zeros = builder.CreateNumpyVector(np.array([zero], np.int64))
        t.QuantizationParametersStart(builder)
        t.QuantizationParametersAddScale(builder, scales)
        t.QuantizationParametersAddZeroPoint(builder, zeros)
        quantised = t.QuantizationParametersEnd(builder)
        extents = builder.CreateNumpyVector(np.array(shape, np.int32))
        t.TensorStart(builder)
        t.TensorAddShape(builder, extents)
        t.TensorAddType(builder, kind)
        t.TensorAddBuffer(builder, number)
        t.TensorAddQuantization(builder, quantised)
        return int(t.TensorEnd(builder))

    buffers, tensors, operators = [buffer(None)], [], []
    tensors.append(tensor((1, WIDTHS[0]), t.TensorType.INT8, 0, SCALE, 0))
    previous = 0
    for number, (w, b, scale) in enumerate(layers()):
        buffers += [buffer(w.tobytes()), buffer(b.tobytes())]
        here = len(buffers)
        kinds = ((w.shape, t.TensorType.INT8, here - 2, scale, 0),
                 (b.shape, t.TensorType.INT32, here - 1, scale * SCALE, 0),
                 ((1, len(w)), t.TensorType.INT8, 0, SCALE, zero_of(number)))  # fmt: skip
        tensors += [tensor(*facts) for facts in kinds]
        result = len(tensors) - 1
        last = number == len(WIDTHS) - 2
        t.FullyConnectedOptionsStart(builder)
        kind = t.ActivationFunctionType.NONE if last else t.ActivationFunctionType.RELU
        t.FullyConnectedOptionsAddFusedActivationFunction(builder, kind)
        options = t.FullyConnectedOptionsEnd(builder)
        inputs = builder.CreateNumpyVector(np.array([previous, result - 2, result - 1], np.int32))
        outputs = builder.CreateNumpyVector(np.array([result], np.int32))
        t.OperatorStart(builder)
        t.OperatorAddOpcodeIndex(builder, 0)
        t.OperatorAddInputs(builder, inputs)
        t.OperatorAddOutputs(builder, outputs)
        t.OperatorAddBuiltinOptionsType(builder, t.BuiltinOptions.FullyConnectedOptions)
        t.OperatorAddBuiltinOptions(builder, options)
        operators.append(t.OperatorEnd(builder))
        previous = result
    places = [builder.CreateNumpyVector(np.array([n], np.int32)) for n in (0, previous)]
    listed = vector(tensors, t.SubGraphStartTensorsVector)
    run = vector(operators, t.SubGraphStartOperatorsVector)
    t.SubGraphStart(builder)
    t.SubGraphAddTensors(builder, listed)
    t.SubGraphAddInputs(builder, places[0])
    t.SubGraphAddOutputs(builder, places[1])
    t.SubGraphAddOperators(builder, run)
    graph = t.SubGraphEnd(builder)
    t.OperatorCodeStart(builder)
    t.OperatorCodeAddDeprecatedBuiltinCode(builder, t.BuiltinOperator.FULLY_CONNECTED)
    t.OperatorCodeAddBuiltinCode(builder, t.BuiltinOperator.FULLY_CONNECTED)
    t.OperatorCodeAddVersion(builder, 4)
    code = t.OperatorCodeEnd(builder)
    codes = vector([code], t.ModelStartOperatorCodesVector)
    graphs = vector([graph], t.ModelStartSubgraphsVector)
    stored = vector(buffers, t.ModelStartBuffersVector)
    t.ModelStart(builder)
    t.ModelAddVersion(builder, 3)
    t.ModelAddOperatorCodes(builder, codes)
    t.ModelAddSubgraphs(builder, graphs)
    t.ModelAddBuffers(builder, stored)
    builder.Finish(t.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


class Clones:
    """Where the sources of the peers are."""

    def __init__(self, given: argparse.Namespace) -> None:
        """Take the folders that the command line gives."""
        self.tflm, self.cmsis = given.tflm.resolve(), given.cmsis_nn.resolve()
        self.others = [given.gemmlowp.resolve(), given.flatbuffers.resolve() / "include"]


def interpreted(
    clones: Clones, manifest: Manifest, kernels: str, folder: Path
) -> tuple[dict[str, Any], np.ndarray]:
    """Figures of TFLite-Micro with "reference" or "cmsis_nn" kernels, and what it computes."""
    model = theirs()
    data = ", ".join(map(str, model))
    (folder / "network.h").write_text(
        f"enum {{ INPUTS = {WIDTHS[0]}, OUTPUTS = {WIDTHS[-1]} }};\n"
        f"alignas(16) static const unsigned char network[] = {{{data}}};\n"
    )
    (folder / "glue.c").write_text(GLUE.format(inputs=WIDTHS[0], outputs=WIDTHS[-1]))
    (folder / "interpreter.cc").write_text(INTERPRETER)
    (folder / "nothing.cc").write_text(NOTHING)
    _ruy(folder)
    own, defines = "kernels/fully_connected.cc", list[str]()
    objects = list[str]()
    if kernels == "cmsis_nn":
        own = "kernels/cmsis_nn/fully_connected.cc"
        defines = ["-DCMSIS_NN", "-I", str(clones.cmsis), "-I", str(clones.cmsis / "Include")]
        objects = _cmsis(clones, manifest, folder)
    first, *rest = manifest.data["mcu"]["compiler"]
    compiler, flags = [first.replace("gcc", "g++"), *rest], _flags(clones)
    own = str(clones.tflm / "tensorflow/lite/micro" / own)
    objects += _compiled(compiler, [*flags, *defines], [own], "k", folder)
    whole = _compiled(compiler, flags, ["interpreter.cc"], "i", folder)
    nothing = _compiled(compiler, flags, ["nothing.cc"], "n", folder)
    objects += [f"t{number}.o" for number in range(len(SOURCES))]
    if not (folder / objects[-1]).exists():  # both kinds of kernels share them
        _compiled(compiler, flags, [str(clones.tflm / s) for s in SOURCES], "t", folder)
    peers.link(manifest, nothing, "nothing.elf", folder)
    peers.link(manifest, [*whole, *objects], "peer.elf", folder)
    flash = [_flash(manifest, folder / name) for name in ("peer.elf", "nothing.elf")]
    peer = peers.Peer(manifest, folder / "peer.elf", WIDTHS[0])
    try:
        instructions = peer.instructions()
        answer = peer.answer(WIDTHS[-1] + 4)
    finally:
        peer.close()
    used = int(np.frombuffer(answer[WIDTHS[-1] :], "<u4")[0])
    found = {
        "instructions": instructions, "memory": used, "model": len(model),
        "code": flash[0] - flash[1] - len(model),
    }  # fmt: skip
    return found, np.frombuffer(answer[: WIDTHS[-1]], np.int8)


def _flags(clones: Clones) -> list[str]:
    """Options of TFLite-Micro's Makefile for a release build."""
    return [
        "-std=c++17", "-O2", "-fno-rtti", "-fno-exceptions", "-fno-threadsafe-statics",
        "-fno-unwind-tables", "-ffunction-sections", "-fdata-sections", "-DTF_LITE_STATIC_MEMORY",
        "-DNDEBUG", "-DTF_LITE_STRIP_ERROR_STRINGS", "-I", ".", "-I", str(clones.tflm),
        *(part for other in clones.others for part in ("-I", str(other))),
    ]  # fmt: skip


def _ruy(folder: Path) -> None:
    """The one header of ruy that the sources name: a label for a profiler, nothing here."""
    place = folder / "ruy" / "profiler"
    place.mkdir(parents=True, exist_ok=True)
    (place / "instrumentation.h").write_text(
        "#pragma once\nnamespace ruy { namespace profiler { struct ScopeLabel {\n"
        "template <typename... A> explicit ScopeLabel(A...) {} }; } }\n"
    )


def _cmsis(clones: Clones, manifest: Manifest, folder: Path) -> list[str]:
    """CMSIS-NN, the functions that fully connected layers may call, with -Ofast as it is built."""
    flags = [*(f for f in FLAGS if f not in ("-O2", "-Wall", "-Wextra", "-Werror")), "-Ofast",
             "-ffunction-sections", "-I", str(clones.cmsis / "Include")]  # fmt: skip
    wanted = ("FullyConnectedFunctions/*", "NNSupportFunctions/*",
              "ConvolutionFunctions/arm_convolve_1x1_s8_fast",
              "ConvolutionFunctions/arm_convolve_get_buffer_sizes_s8")  # fmt: skip
    found = [p for name in wanted for p in sorted((clones.cmsis / "Source").glob(f"{name}.c"))]
    sources = [str(p) for p in found if not p.stem.endswith(("f16", "f32"))]
    return _compiled(manifest.data["mcu"]["compiler"], flags, sources, "c", folder)


def _compiled(
    compiler: Sequence[str], flags: Sequence[str], sources: Sequence[str], mark: str, folder: Path
) -> list[str]:
    made = [f"{mark}{number}.o" for number in range(len(sources))]
    for source, target in zip(sources, made, strict=True):
        compile_c(
            compiler, [*flags, "-c", source, "-o", target], folder,
            "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib",
        )  # fmt: skip
    return made


def _flash(manifest: Manifest, image: Path) -> int:
    """Bytes of a program that lie in flash: code, constants, and what variables begin with."""
    tool = manifest.data["mcu"]["compiler"][0].replace("gcc", "size")
    text = subprocess.run([tool, str(image)], capture_output=True, text=True, check=True).stdout
    code, data, *_ = text.splitlines()[1].split()
    return int(code) + int(data)


def compiled(target: str, folder: Path) -> tuple[Manifest, dict[str, Any], np.ndarray]:
    """The manifest, our figures, and what the host build computes."""
    import edgemoe

    feed = {"x": np.arange(WIDTHS[0]).astype(np.int8)[None]}
    y = TensorInfo("y", "int8", (1, WIDTHS[-1]))
    manifest, profile = program(target, ours(), feed, y, folder)
    with edgemoe.load(folder / f"network_{target}", device="qemu") as session:
        answer = session.run(feed)["y"].reshape(-1)
    flash = profile.memory["flash"]
    found = {
        "instructions": profile.instructions, "memory": profile.memory["arena_bytes"],
        "code": flash["code"] + flash["constants"], "model": sum(flash["weights"].values()),
    }  # fmt: skip
    return manifest, found, answer


def measured(target: str, clones: Clones, folder: Path) -> dict[str, Any]:
    """All programs for one core, and by how much their results differ at most, in codes."""
    manifest, own, answer = compiled(target, folder)
    found: dict[str, Any] = {"target": target, "edgemoe": own, "differ": 0}
    room = folder / f"peers-{target}"
    room.mkdir()
    for kernels in ("reference", "cmsis_nn"):
        found[kernels], other = interpreted(clones, manifest, kernels, room)
        apart = int(np.abs(other.astype(np.int32) - answer.astype(np.int32)).max())
        found["differ"] = max(found["differ"], apart)
    return found


def rows_of(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The table's rows; the ratio is of instructions, the interpreter's to ours."""
    macs = sum(a * b for a, b in pairwise(WIDTHS))
    named = (("edgemoe", "edgemoe"), ("cmsis_nn", "TFLite-Micro, CMSIS-NN"),
             ("reference", "TFLite-Micro, reference"))  # fmt: skip
    return [
        (
            r["target"], what, f"{r[key]['instructions']:,.0f}",
            f"{r[key]['instructions'] / macs:.2f}",
            f"{r[key]['instructions'] / r['edgemoe']['instructions']:.2f}",
            *(f"{r[key][name]:,}" for name in ("memory", "code", "model")),
        )
        for r in results for key, what in named
    ]  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.microcontroller_interpreter", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    names = ("tflm", "cmsis-nn", "gemmlowp", "flatbuffers")
    for name in names:
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help="a clone of it")
    parser.add_argument("--json", type=Path, help="write all figures and facts")
    parser.add_argument("--table", type=Path, metavar="JSON", help="print an earlier run")
    given = parser.parse_args()
    if given.table:
        print(table(HEADS, rows_of(json.loads(given.table.read_text("utf-8"))["results"])))
        return
    missing = [f"--{n} DIR" for n in names if getattr(given, n.replace("-", "_")) is None]
    if missing:
        parser.error(f"{', '.join(missing)} missing: clones of the peers' sources")
    clones = Clones(given)
    with tempfile.TemporaryDirectory() as room:
        results = [measured(target, clones, Path(room)) for target in TARGETS]
    print(table(HEADS, rows_of(results)))
    if given.json:
        told = [Path(a).name if Path(a).is_dir() else a for a in sys.argv[1:]]
        command = ["python", "-m", "benchmarks.microcontroller_interpreter", *told]
        peer = {"tflite-micro": version_of(clones.tflm), "CMSIS-NN": version_of(clones.cmsis)}
        document = {"command": shlex.join(command), "facts": facts(), "peer": peer,
                    "results": results}  # fmt: skip
        given.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
