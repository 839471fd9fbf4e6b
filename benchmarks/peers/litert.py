"""LiteRT (XNNPACK) on the mixers: converted from torch, in float32 and with three recipes.

It has no grouped or data-dependent product, so an MoE layer could only run with every expert for
every token, 2 to 14 times slower than what leads there: layers take no part.
"""

from __future__ import annotations

from benchmarks.cases import Case
from benchmarks.contestant import Array, Call, Contestant, Kit

NEEDS = "ai_edge_litert"
REQUIREMENTS = ("torch==2.13.0", "ai-edge-litert==2.3.0", "litert-torch==0.10.0", "transformers")

RECIPES = {
    "dynamic i8": "dynamic_wi8_afp32",
    "weight-only i8": "weight_only_wi8_afp32",
    "dynamic i4": "dynamic_wi4b32_afp32",
}


def contestants(case: Case) -> list[Contestant]:
    if case.moe is not None:
        return []
    return [Contestant("litert", name, name.split()[-1]) for name in ("f32", *RECIPES)]


def prepare(contestant: Contestant, kit: Kit) -> None:
    import litert_torch
    from ai_edge_quantizer import recipe
    from ai_edge_quantizer.quantizer import Quantizer

    from benchmarks.exports import module_of

    path = kit.folder_of(contestant) / "model.tflite"
    module, arguments, _ = module_of(kit.case, "model")
    litert_torch.convert(module, arguments).export(str(path))
    if contestant.variant in RECIPES:
        made = getattr(recipe, RECIPES[contestant.variant])()
        Quantizer(str(path), made).quantize().export_model(str(path), overwrite=True)


def load(contestant: Contestant, kit: Kit, threads: int) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    path = kit.folder_of(contestant) / "model.tflite"
    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    x = kit.inputs()["x"]
    first = interpreter.get_input_details()[0]["index"]
    last = interpreter.get_output_details()[0]["index"]

    def call() -> Array:
        interpreter.set_tensor(first, x)
        interpreter.invoke()
        y: Array = interpreter.get_tensor(last)
        return y

    return call
