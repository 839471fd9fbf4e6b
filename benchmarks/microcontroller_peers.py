"""Other people's fully connected layers in the harness of the emulator: CMSIS-NN, TFLite-Micro.

`cmsis` is `arm_fully_connected_s8` of CMSIS-NN, built with -Ofast as its own build files do; it is
also what the operator of TFLite-Micro with CMSIS-NN calls. `tflm` is the reference operator of
TFLite-Micro, `reference_integer_ops::FullyConnected`, built with the options of its Makefile. What
an interpreter does around them is in neither.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from edgemoe.runtime.manifest import Manifest
from edgemoe.runtime.mcu_host import compile_c
from edgemoe.runtime.mcu_image import FLAGS, _script
from edgemoe.runtime.mcu_qemu import RESET_AND_STEP, QemuDevice

RUNS = 5
CMSIS_SOURCES = (
    "FullyConnectedFunctions/arm_fully_connected_s8.c",
    "FullyConnectedFunctions/arm_vector_sum_s8.c",
    "NNSupportFunctions/arm_nn_vec_mat_mult_t_s8.c",
    "NNSupportFunctions/arm_nntables.c",
)
TFLM_SOURCES = ("tensorflow/lite/kernels/internal/common.cc",)

GLUE = """
#include "em_harness.h"
enum {{ K = {inputs}, N = {outputs} }};
static int8_t x[K] __attribute__((aligned(16)));
static int8_t y[N] __attribute__((aligned(16)));
static const int8_t w[N * K] __attribute__((aligned(16))) = {{1, 2, -3}};
static const int32_t b[N] = {{7, -5}};
const em_region em_inputs[] = {{{{x, sizeof x}}}};
const uint32_t em_input_count = 1;
const em_region em_outputs[] = {{{{y, sizeof y}}}};
const uint32_t em_output_count = 1;
const uint32_t em_step_count = 1;
void peer_layer(const int8_t *x, const int8_t *w, const int32_t *b, int8_t *y, int k, int n);
void em_model_reset(void) {{ }}
void em_model_run(void)
{{
    peer_layer(x, w, b, y, K, N);
    em_step_done(0);
}}
"""

CMSIS = """
#include "arm_nnfunctions.h"
void peer_layer(const int8_t *x, const int8_t *w, const int32_t *b, int8_t *y, int k, int n)
{
    static int32_t sums[1024];
    const cmsis_nn_context context = {sums, sizeof sums};
    const cmsis_nn_fc_params params = {3, 0, -4, {-128, 127}};
    const cmsis_nn_per_tensor_quant_params scale = {1518500250, -8};
    const cmsis_nn_dims in = {1, 1, 1, k}, filter = {k, 1, 1, n}, bias = {1, 1, 1, n};
    const cmsis_nn_dims out = {1, 1, 1, n};
    (void)arm_fully_connected_s8(&context, &params, &scale, &in, x, &filter, w, &bias, b, &out, y);
}
"""

TFLM = """
#include "tensorflow/lite/kernels/internal/reference/integer_ops/fully_connected.h"
extern "C" void TfLiteAbort() { for (;;) {} }
extern "C" void peer_layer(const int8_t *x, const int8_t *w, const int32_t *b, int8_t *y, int k,
                           int n)
{
    tflite::FullyConnectedParams params = {};
    params.input_offset = 3;
    params.output_offset = -4;
    params.output_multiplier = 1518500250;
    params.output_shift = -8;
    params.quantized_activation_min = -128;
    params.quantized_activation_max = 127;
    const int32_t in[] = {1, k}, filter[] = {n, k}, bias[] = {n}, out[] = {1, n};
    using tflite::RuntimeShape;
    tflite::reference_integer_ops::FullyConnected(
        params, RuntimeShape(2, in), x, RuntimeShape(2, filter), w, RuntimeShape(1, bias), b,
        RuntimeShape(2, out), y);
}
"""


class Peer(QemuDevice):
    """A function in the harness of the emulator; `step` is all it does."""

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

    def answer(self, nbytes: int) -> bytes:
        """What one call gives, of `nbytes` bytes."""
        feed = {"x": np.arange(self.inputs, dtype=np.int64).astype(np.int8)}
        self._send(np.uint32(RESET_AND_STEP).tobytes(), feed)
        return self._read(nbytes)


def cmsis(root: Path, manifest: Manifest, inputs: int, outputs: int, folder: Path) -> float:
    """Instructions of one call of `arm_fully_connected_s8`."""
    (folder / "peer.c").write_text(CMSIS)
    flags = [*(f for f in FLAGS if f != "-O2"), "-Ofast", "-I", str(root / "Include")]
    sources = ["peer.c", *(str(root / "Source" / s) for s in CMSIS_SOURCES)]
    compiler = manifest.data["mcu"]["compiler"]
    return _measured(manifest, inputs, outputs, folder, lambda: _objects(
        compiler, flags, sources, folder
    ))  # fmt: skip


def tflm(
    root: Path, gemmlowp: Path, manifest: Manifest, inputs: int, outputs: int, folder: Path
) -> float:
    """Instructions of one call of the reference operator."""
    (folder / "peer.cc").write_text(TFLM)
    flags = [
        "-std=c++17", "-O2", "-fno-rtti", "-fno-exceptions", "-fno-threadsafe-statics",
        "-ffunction-sections", "-fdata-sections", "-DTF_LITE_STATIC_MEMORY", "-DNDEBUG",
        "-I", str(root), "-I", str(gemmlowp),
    ]  # fmt: skip
    sources = ["peer.cc", *(str(root / s) for s in TFLM_SOURCES)]
    first, *rest = manifest.data["mcu"]["compiler"]
    compiler = [first.replace("gcc", "g++"), *rest]
    return _measured(manifest, inputs, outputs, folder, lambda: _objects(
        compiler, flags, sources, folder
    ))  # fmt: skip


def _objects(
    compiler: Sequence[str], flags: Sequence[str], sources: Sequence[str], folder: Path
) -> list[str]:
    made = []
    for number, source in enumerate(sources):
        made.append(f"peer{number}.o")
        compile_c(
            compiler, [*flags, "-c", source, "-o", made[-1]], folder,
            "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib",
        )  # fmt: skip
    return made


def _measured(
    manifest: Manifest, inputs: int, outputs: int, folder: Path, build: Callable[[], list[str]]
) -> float:
    """Link objects with the harness, and count the instructions of one call."""
    (folder / "glue.c").write_text(GLUE.format(inputs=inputs, outputs=outputs))
    link(manifest, build(), "peer.elf", folder)
    peer = Peer(manifest, folder / "peer.elf", inputs)
    try:
        return peer.instructions()
    finally:
        peer.close()


def link(manifest: Manifest, objects: Sequence[str], image: str, folder: Path) -> None:
    """Link objects and `glue.c` of a folder with the harness of the emulator."""
    emulator = manifest.data["mcu"]["emulator"]
    package = resources.files("edgemoe.runtime.c.mcu")
    startup = f"start_{emulator['startup']}.c"
    for name in ("harness.c", "em_harness.h", startup):
        (folder / name).write_text(package.joinpath(name).read_text("utf-8"))
    (folder / "device.ld").write_text(_script(emulator))
    compile_c(
        manifest.data["mcu"]["compiler"],
        [*FLAGS, "-I", ".", "-nostartfiles", "-T", "device.ld", "-Wl,--gc-sections",
         "-Wl,--no-warn-rwx-segments", "-o", image, startup, "harness.c", "glue.c", *objects,
         "-lm", "-lc", "-lgcc", *manifest.data["mcu"]["link"]],
        folder, "gcc-arm-none-eabi",
    )  # fmt: skip
