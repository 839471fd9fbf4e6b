"""onnxruntime's MatMulNBits tools: round to nearest, k-quant, HQQ, and the GPTQ that it carries.

Every matrix is the constant of one MatMul; what the quantised graph makes of the identity is the
weight that its kernel multiplies with. GPTQ reads its inputs from the graph: it is given the root
of the Gram matrix, whose Gram matrix is the same.

That GPTQ (`neural_compressor.weight_only.gptq`, onnxruntime 1.2x) compensates nothing: it takes the
upper triangular factor of the inverse and reads the column below its diagonal, which is zeros, so
its codes are those of round to nearest whatever the data (`test_quantisers` shows it). It then
rounds its result once more, symmetric ones to another grid. `gptq repaired` is the same tool with
the factor transposed, as the paper has it, and its scales taken block by block.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.onnxruntime import folded
from benchmarks.quantiser import Stored, Variant

Array = NDArray[Any]

REQUIREMENTS = ("onnxruntime", "onnx", "onnx-ir", "torch")  # HQQ is written with torch
NEEDS = "onnxruntime"
VARIANTS = (
    *(Variant(method, 4, block) for block in (32, 64, 128)
      for method in ("rtn", "rtn symmetric", "k_quant", "hqq", "gptq", "gptq symmetric",
                     "gptq repaired", "gptq repaired symmetric")),
    *(Variant(method, 8, block) for block in (32, 128) for method in ("rtn", "rtn symmetric")),
)  # fmt: skip


def quantise(
    matrices: Sequence[Array], grams: Sequence[Array | None], variant: Variant
) -> list[Stored | None]:
    import onnxruntime as ort

    roots = [None if gram is None else root_of(gram) for gram in grams]
    found: list[Stored | None] = []
    for matrix, root in zip(matrices, roots, strict=True):
        rows = np.eye(matrix.shape[1], dtype=np.float32) if root is None else root
        try:
            model = quantised(one_product(matrix), variant, rows)
        except ValueError:  # some methods cannot pack zero points of an odd number of blocks
            found.append(None)
            continue
        if [node.op_type for node in model.graph.node] != ["MatMulNBits"]:
            found.append(None)
            continue
        session = ort.InferenceSession(
            model.SerializeToString(), quiet(ort), providers=["CPUExecutionProvider"]
        )
        (result,) = session.run(None, {"x": np.eye(matrix.shape[1], dtype=np.float32)})
        nbytes = sum(len(x.raw_data) for x in model.graph.initializer)
        found.append(Stored(np.ascontiguousarray(result.T), nbytes))
    return found


def quiet(ort: Any) -> Any:
    """Session options of one thread that say nothing but errors."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 3
    return settings


def root_of(gram: Array) -> Array:
    """float32 R with R^T R = gram."""
    values, vectors = np.linalg.eigh(gram)
    root: Array = (np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T).astype(np.float32)
    return root


def one_product(matrix: Array) -> Any:
    """A graph: x [T, K] times the transpose of matrix [N, K]."""
    from onnx import TensorProto, helper, numpy_helper

    columns, depth = matrix.shape
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "product")
    graph = helper.make_graph(
        [node], "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", depth])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", columns])],
        [numpy_helper.from_array(np.ascontiguousarray(matrix.T, np.float32), "w")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def quantised(model: Any, variant: Variant, rows: Array | None) -> Any:
    """The model with MatMulNBits, float32 activations; `rows` are calibration inputs."""
    from onnxruntime.quantization import matmul_nbits_quantizer as tools

    logging.disable(logging.INFO)
    symmetric = variant.method.endswith("symmetric")
    method = variant.method.removesuffix(" symmetric")
    configs = {
        "k_quant": tools.KQuantWeightOnlyQuantConfig,
        "hqq": lambda: tools.HQQWeightOnlyQuantConfig(block_size=variant.block, bits=variant.bits),
        "gptq": lambda: tools.GPTQWeightOnlyQuantConfig(Reader(rows), block_size=variant.block),
    }
    config = configs.get(method.removesuffix(" repaired"), lambda: None)()
    quantizer = tools.MatMulNBitsQuantizer(
        model, bits=variant.bits, block_size=variant.block, is_symmetric=symmetric,
        algo_config=config,
    )  # fmt: skip
    with factor_transposed() if method.endswith("repaired") else nullcontext():
        quantizer.process()
    return quantizer.model.model


def factor_transposed() -> Any:
    """Let the tool's `cholesky(...).T` be the factor whose columns it means to read."""
    given = np.linalg.cholesky
    return patch.object(np.linalg, "cholesky", lambda array: given(array).T)


class Reader:
    """Inputs of one batch, as onnxruntime's calibration readers give them."""

    def __init__(self, rows: Array | None) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[dict[str, Array]]:
        if self.rows is not None:
            yield {"x": self.rows}


def quantise_file(source: Path, target: Path, variant: Variant) -> int:
    """A whole model, as its user would: writes it, and returns how many weights were taken.

    The graph is folded by onnxruntime first: an exported weight may lie behind a Transpose.
    """
    import onnx

    model = quantised(onnx.load(folded(source, target)), variant, None)
    onnx.save(model, target)
    return sum(
        attribute["K"] * attribute["N"]
        for node in model.graph.node if node.op_type == "MatMulNBits"
        for attribute in [{a.name: a.i for a in node.attribute}]
    )  # fmt: skip
