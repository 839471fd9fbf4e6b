"""onnxruntime on the CPU: the exported graphs, and its own operators for experts (MoE, QMoE).

8 bits: `dyn` is `quantize_dynamic` per channel. Without VNNI its u8s8 products saturate at 16 bits,
so weights get 7 bits there (`reduce_range`), and u8u8 takes part as well. `nb` is weight-only in
blocks (MatMulNBits) with activations of int8 (acc4) or float (acc0). Routers stay float32 always.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case, Moe, forms_of
from benchmarks.contestant import Array, Call, Contestant, Kit
from benchmarks.machine import has_vnni

NEEDS = "onnxruntime"
REQUIREMENTS = ("onnxruntime==1.32.0", "onnx==1.23.2", "onnx-ir==1.1.0", "sympy")


def contestants(case: Case) -> list[Contestant]:
    graphs = forms_of(case)
    plain = graphs[0]
    dynamic = [f"{graph} dyn" for graph in graphs if graph != "gather"]
    slow = [f"{plain} nb bs32 acc0"] if case.size == 1 else []  # 10 to 80 times slower than acc4
    dynamic += [] if has_vnni() else [f"{plain} dyn u8u8"]
    operators = {"f32": ["MoE op"], "i8": ["QMoE bs0", "QMoE bs32"],
                 "i4": ["QMoE bs32 acc4", "QMoE bs128 acc4", "QMoE bs32 acc0"]}  # fmt: skip
    names = {
        "f32": graphs,
        "i8": [*dynamic, f"{plain} nb bs32 acc4", *slow],
        "i4": [f"{plain} nb bs32 acc4", f"{plain} nb bs128 acc4"],
    }
    if case.is_layer:
        names = {format_: listed + operators[format_] for format_, listed in names.items()}
    return [
        Contestant("onnxruntime", f"{name} {format_}", format_)
        for format_, listed in names.items()
        for name in listed
    ]


def options_of(words: list[str]) -> dict[str, int]:
    """Numbers in the name of a variant: {"bs": block size, "acc": accuracy level}."""
    return {
        key: int(word.removeprefix(key))
        for word in words
        for key in ("bs", "acc")
        if word.startswith(key)
    }


def prepare(contestant: Contestant, kit: Kit) -> None:
    first, *words = contestant.variant.split()
    path, options = kit.folder_of(contestant) / "model.onnx", options_of(words)
    moe = kit.case.moe
    if first in ("MoE", "QMoE"):
        assert moe is not None
        operator_graph(kit, moe, path, contestant.bits, options)
    elif "dyn" in words:
        quantize_dynamically(folded(kit.onnx(first), path), path, moe, "u8u8" in words)
    elif "nb" in words:
        quantize_blocks(folded(kit.onnx(first), path), path, moe, contestant.bits, options)


def load(contestant: Contestant, kit: Kit, threads: int) -> Call:
    import onnxruntime as ort

    prepared = kit.folder_of(contestant) / "model.onnx"
    path = prepared if prepared.is_file() else kit.onnx(contestant.variant.split()[0])
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    session = ort.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    inputs = kit.inputs()
    feed = {value.name: inputs[value.name] for value in session.get_inputs()}

    def call() -> Array:
        y: Array = session.run(None, feed)[0]
        return y

    return call


def folded(source: Path, beside: Path) -> Path:
    """The graph with its constants computed: the weights of each expert become initialisers.

    Products keep their form, because MatMulNBits takes no Gemm.
    """
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    settings.optimized_model_filepath = str(beside.with_name("folded.onnx"))
    settings.log_severity_level = 3
    ort.InferenceSession(
        source, settings, providers=["CPUExecutionProvider"],
        disabled_optimizers=["MatMulAddFusion"],
    )  # fmt: skip
    return beside.with_name("folded.onnx")


def router_nodes(graph: Any, moe: Moe | None) -> list[str]:
    """Names of the products that have one output per expert."""
    if moe is None:
        return []
    routers = {x.name for x in graph.initializer if list(x.dims) == [moe.hidden, moe.experts]}
    return [n.name for n in graph.node if n.op_type == "MatMul" and n.input[1] in routers]


def quantize_dynamically(source: Path, path: Path, moe: Moe | None, unsigned: bool) -> None:
    """8-bit weights per channel; activations are quantised as a whole at run time."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source, path, per_channel=True, op_types_to_quantize=["MatMul"],
        weight_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
        reduce_range=not unsigned and not has_vnni(),
        nodes_to_exclude=router_nodes(onnx.load(source).graph, moe),
    )  # fmt: skip
    source.unlink()


def quantize_blocks(
    source: Path, path: Path, moe: Moe | None, bits: int, options: dict[str, int]
) -> None:
    """Weights in blocks along the input, symmetric, by MatMulNBits."""
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    model = onnx.load(source)
    quantizer = MatMulNBitsQuantizer(
        model, bits=bits, block_size=options.get("bs") or 32, is_symmetric=True,
        accuracy_level=options.get("acc", 4), nodes_to_exclude=router_nodes(model.graph, moe),
    )  # fmt: skip
    quantizer.process()
    onnx.save(quantizer.model.model, path)
    source.unlink()


def operator_graph(kit: Kit, moe: Moe, path: Path, bits: int, options: dict[str, int]) -> None:
    """The layer as one operator for all experts, which wants gate and up interleaved."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = kit.weights()
    first = np.stack([weights["gate"], weights["up"]], 2).reshape(moe.experts, -1, moe.hidden)
    constants = {"router": weights["router"].T}
    attributes = {
        "k": moe.chosen, "activation_type": "swiglu", "swiglu_fusion": 1, "swiglu_limit": 1e9,
        "normalize_routing_weights": 1, "activation_alpha": 1.0, "activation_beta": 0.0,
    }  # fmt: skip
    if bits == 32:
        constants |= {"first": first, "second": weights["down"]}
        kind, names = "MoE", ["first", "", "second"]
    else:
        for name, array in (("first", first), ("second", weights["down"])):
            packed = quantized_experts(array, bits, options["bs"])
            constants[name], constants[f"{name}_scales"] = packed
        kind, names = "QMoE", ["first", "first_scales", "", "second", "second_scales"]
        attributes |= {"expert_weight_bits": bits, "weights_prepacked": 0}
        attributes |= {"accuracy_level": options["acc"]} if "acc" in options else {}
        attributes |= {"block_size": options["bs"]} if options["bs"] else {}
    nodes = [
        helper.make_node("MatMul", ["x", "router"], ["logits"], "router"),
        helper.make_node(
            kind, ["x", "logits", *names], ["routed" if moe.shared else "y"], "experts",
            domain="com.microsoft", **attributes,
        ),
    ]  # fmt: skip
    if moe.shared:
        constants |= {name: weights[name].T for name in weights if name.startswith("shared")}
        nodes += [
            helper.make_node("MatMul", ["x", "shared_gate"], ["gate"], "gate"),
            helper.make_node("MatMul", ["x", "shared_up"], ["up"], "up"),
            helper.make_node("Sigmoid", ["gate"], ["sigmoid"]),
            helper.make_node("Mul", ["gate", "sigmoid"], ["silu"]),
            helper.make_node("Mul", ["silu", "up"], ["inner"]),
            helper.make_node("MatMul", ["inner", "shared_down"], ["everyone"], "down"),
            helper.make_node("Add", ["routed", "everyone"], ["y"]),
        ]
    shape = [kit.case.size, moe.hidden]
    graph = helper.make_graph(
        nodes, "moe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    if bits != 32 and moe.shared:
        path = path.rename(path.with_name("unquantised.onnx"))
        quantize_blocks(path, path.with_name("model.onnx"), moe, bits, options)


def quantized_experts(array: Array, bits: int, block: int) -> tuple[Array, Array]:
    """Weights [E, N, K] as QMoE wants them: uint8 [E, N, K * bits / 8] and scales, symmetric.

    Without blocks the scales are [E, N], otherwise [E, N, K / block].
    """
    from onnxruntime.capi import _pybind_state as native

    experts, rows, width = array.shape
    if block == 0:
        scales = np.abs(array).max(-1) / 127
        return (np.rint(array / scales[..., None]) + 128).astype(np.uint8), scales
    quantize = getattr(native, f"quantize_matmul_{bits}bits")
    blocks = width // block
    packed = np.zeros((experts, rows, blocks, block * bits // 8), np.uint8)
    scales = np.zeros((experts, rows * blocks), np.float32)
    zeros = np.zeros((rows * ((blocks * bits + 7) // 8),), np.uint8)
    for number in range(experts):
        quantize(
            packed[number], np.ascontiguousarray(array[number].T), scales[number], zeros, block,
            rows, width, True,
        )  # fmt: skip
    return packed.reshape(experts, rows, -1), scales.reshape(experts, rows, blocks)
