"""OpenVINO on the CPU: exported graphs in float32, and with nncf's weight compression.

bfloat16 takes part where the CPU has AVX-512: elsewhere the hint is ignored, and the row would be
float32 again. OpenVINO can fuse one dense form of a layer into a product over gathered experts; it
did not recognise ours, so that form does not take part.
"""

from __future__ import annotations

from typing import Any

from benchmarks.cases import Case, forms_of
from benchmarks.contestant import Array, Call, Contestant, Kit
from benchmarks.machine import cpu_flags

NEEDS = "openvino"
REQUIREMENTS = ("openvino==2026.4.1", "nncf==3.4.0", "onnx==1.23.2")

MODES = {"i8": ("INT8_SYM", -1), "i4.g32": ("INT4_SYM", 32), "i4.g128": ("INT4_SYM", 128)}


def contestants(case: Case) -> list[Contestant]:
    form = forms_of(case)[0]
    formats = ["f32", *(["bf16"] if "avx512f" in cpu_flags() else []), "i8", "i4.g32"]
    formats += ["i4.g128"] if case.is_layer else []  # a mixer has products 64 wide
    return [Contestant("openvino", f"{form} {f}", f) for f in formats]


def prepare(contestant: Contestant, kit: Kit) -> None:
    import nncf
    import openvino as ov

    model = ov.convert_model(kit.onnx(contestant.variant.split()[0]))
    if contestant.format in MODES:
        mode, group = MODES[contestant.format]
        exact: dict[str, Any] = {} if mode == "INT8_SYM" else {"ratio": 1.0, "all_layers": True}
        model = nncf.compress_weights(
            model, mode=nncf.CompressWeightsMode[mode], group_size=group,
            ignored_scope=routers(model, kit.case), **exact,
        )  # fmt: skip
    ov.save_model(model, kit.folder_of(contestant) / "model.xml", compress_to_fp16=False)


def routers(model: Any, case: Case) -> Any:
    """The products with one output per expert, which stay float32."""
    import nncf

    if case.moe is None:
        return None
    names = [
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() == "MatMul"
        and node.get_output_partial_shape(0).rank.get_length() == 2
        and str(node.get_output_partial_shape(0)[1]) == str(case.moe.experts)
    ]
    return nncf.IgnoredScope(names=names)


def load(contestant: Contestant, kit: Kit, threads: int) -> Call:
    import openvino as ov

    core = ov.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if contestant.format == "bf16" else "f32",
    }
    compiled = core.compile_model(kit.folder_of(contestant) / "model.xml", "CPU", settings)
    request = compiled.create_infer_request()
    inputs = kit.inputs()
    for port in compiled.inputs:
        name = next(name for name in port.get_names() if name in inputs)
        request.set_tensor(port, ov.Tensor(inputs[name]))
    result = request.get_tensor(compiled.outputs[0])

    def call() -> Array:
        request.infer()
        y: Array = result.data
        return y

    return call
