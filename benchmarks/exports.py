"""Writes the kit of a case: inputs, torch's result, plain weights, and the graphs of all forms."""

from __future__ import annotations

import importlib
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.cases import (
    CONTEXT,
    DECODER,
    LAYERS,
    PLACED,
    SHIPPED,
    VOCABULARY,
    Case,
    forms_of,
    more_forms_of,
)
from benchmarks.contestant import Kit
from benchmarks.layers import (
    Decoder,
    DecoderLayer,
    Experts,
    Forecast,
    MlpMixer,
    PlacedDecoder,
    Prefill,
    caches,
)


def module_of(case: Case, form: str) -> tuple[nn.Module, tuple[Any, ...], list[str]]:
    """The module in its form, what to call it with, and the names of the inputs."""
    torch.manual_seed(0)
    if case.workload == "W3":
        ids = torch.randint(0, VOCABULARY, (case.size,))
        if case.name == "W3.prefill":
            return Prefill(DECODER, form).eval(), (ids,), ["x"]
        names = [f"{kind}_{n}" for n in range(LAYERS) for kind in ("keys", "values")]
        if form == PLACED:
            decoder = PlacedDecoder(DECODER, "grouped").eval()
            room = [F.pad(cache.transpose(0, 1), (0, 0, 0, 0, 0, 1)) for cache in caches()]
            return decoder, (ids, torch.tensor([CONTEXT]), room), ["x", "position", *names]
        return Decoder(DECODER, form).eval(), (ids, caches()), ["x", *names]
    if case.workload in SHIPPED:
        factory = getattr(importlib.import_module(SHIPPED[case.workload]), case.workload)
        module, arguments = factory()
        return module.eval(), arguments, ["x"]
    if case.workload == "W4":
        return Forecast().eval(), (torch.randn(case.size, 512, 7),), ["x"]
    if case.workload == "W5":
        return MlpMixer().eval(), (torch.randn(case.size, 3, 32, 32),), ["x"]
    assert case.moe is not None
    return Experts(case.moe, form).eval(), (torch.randn(case.size, case.moe.hidden),), ["x"]


def write_kit(case: Case, folder: Path) -> Kit:
    """Export everything once, for ours and all peers."""
    warnings.simplefilter("ignore")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    kit = Kit(case, folder)
    kit.save()
    for number, form in enumerate([*forms_of(case), *more_forms_of(case)]):
        module, arguments, names = module_of(case, form)
        if number == 0:
            write_arrays(kit, module, arguments, names)
        program = torch.onnx.export(
            module, arguments, dynamo=True, opset_version=20, input_names=names,
            output_names=["y", *(f"{name}_out" for name in names[1:] if form == PLACED)],
            verbose=False,
            custom_translation_table=_translations() if form in ("grouped", PLACED) else None,
        )  # fmt: skip
        assert program is not None
        program.save(kit.onnx(form))
    return kit


def write_arrays(kit: Kit, module: nn.Module, arguments: Any, names: list[str]) -> None:
    """Write inputs, torch's result and, of layers and decoders, plain weights."""
    with torch.no_grad():
        result = module(*arguments)
    wanted = result if isinstance(result, Tensor) else result[0]
    np.save(kit.folder / "wanted.npy", wanted.numpy())
    flat = [arguments[0], *(arguments[1] if len(arguments) > 1 else [])]
    np.savez(kit.folder / "inputs.npz", **{n: a.numpy() for n, a in zip(names, flat, strict=True)})
    arrays: dict[str, Tensor] = {}
    if isinstance(module, Experts):
        arrays = weights_of_experts(module, "")
    elif isinstance(module, Decoder):
        arrays = weights_of_decoder(module)
    (kit.folder / "weights").mkdir(exist_ok=True)
    for name, array in arrays.items():
        plain = np.ascontiguousarray(array.detach().numpy())
        np.save(kit.folder / "weights" / f"{name}.npy", plain)


def weights_of_experts(module: Experts, prefix: str) -> dict[str, Tensor]:
    """The weights of a layer, named as `Kit.weights` says, with a prefix."""
    gate, up = module.gate_up.chunk(2, 1)
    arrays = {"router": module.router, "gate": gate, "up": up, "down": module.down}
    if module.shape.shared:
        arrays["shared_gate"], arrays["shared_up"] = module.shared_gate_up.chunk(2, 0)
        arrays["shared_down"] = module.shared_down
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def weights_of_decoder(module: Decoder) -> dict[str, Tensor]:
    """The weights of a decoder, named as `Kit.weights` says."""
    arrays: dict[str, Tensor] = {"embedding": module.embedding.weight, "head": module.head}
    for number, layer in enumerate(module.layers):
        assert isinstance(layer, DecoderLayer)
        arrays |= weights_of_experts(layer.experts, f"{number}.")
        for norm, name in zip(layer.norms, ("attention_norm", "experts_norm"), strict=True):
            arrays[f"{number}.{name}"] = norm.weight
        arrays |= {f"{number}.qkv": layer.qkv, f"{number}.out": layer.out}
    return arrays


def _translations() -> dict[Any, Any]:
    """What torch does not translate: transformers' grouped product, one MatMul per expert."""
    from transformers.exporters import exporter_onnx

    operator = torch.ops.transformers.grouped_mm_fallback.default
    return {operator: exporter_onnx._aten_grouped_mm}
