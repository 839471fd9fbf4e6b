"""ExecuTorch with XNNPACK: what torch exports, in float32 and with XNNPACK's dynamic int8.

Layers take part in the form that gathers weights, as far as it is exported: ExecuTorch has no
product of groups, and the loop branches on data. Mixers take part as they are.
"""

from __future__ import annotations

from typing import Any

from benchmarks.cases import Case, forms_of
from benchmarks.contestant import Array, Call, Contestant, Kit

NEEDS = "executorch"
REQUIREMENTS = ("torch==2.13.0", "executorch==1.5.1", "transformers==5.23.0")


def contestants(case: Case) -> list[Contestant]:
    forms = [form for form in forms_of(case) if form in ("gather", "model")]
    found = [Contestant("executorch", f"{form} f32", "f32") for form in forms]
    if "model" in forms:  # gathered weights are no constants, which the quantiser asks for
        found.append(Contestant("executorch", "model dynamic i8", "i8"))
    return found


def prepare(contestant: Contestant, kit: Kit) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    from benchmarks.exports import module_of

    module, arguments, _ = module_of(kit.case, contestant.variant.split()[0])
    program = torch.export.export(module, arguments)
    if contestant.format == "i8":
        program = torch.export.export(quantised(program.module(), arguments), arguments)
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    path = kit.folder_of(contestant) / "model.pte"
    path.write_bytes(lowered.to_executorch().buffer)


def quantised(module: Any, arguments: tuple[Any, ...]) -> Any:
    """Weights of linear layers as int8, a scale per output; activations as they come."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    config = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True)
    prepared = prepare_pt2e(module, XNNPACKQuantizer().set_global(config))
    prepared(*arguments)
    return convert_pt2e(prepared)


def load(contestant: Contestant, kit: Kit, threads: int) -> Call:
    import torch
    from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
    from executorch.runtime import Runtime

    _unsafe_reset_threadpool(threads)
    path = kit.folder_of(contestant) / "model.pte"
    method = Runtime.get().load_program(path).load_method("forward")
    inputs = [torch.from_numpy(array) for array in kit.inputs().values()]

    def call() -> Array:
        y: Array = method.execute(inputs)[0].numpy()
        return y

    return call
