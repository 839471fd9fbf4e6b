"""torchao's weight-only configurations that a CPU runs.

What a quantised Linear makes of the identity is the weight that it multiplies with. `intx` is
IntxWeightOnlyConfig, kept in whole bytes (its bytes are counted in `bits`); `opaque` is the int4
layout of PyTorch's CPU kernel, a prototype of torchao's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quantiser import Stored, Variant

Array = NDArray[Any]

REQUIREMENTS = ("torch==2.13.0", "torchao==0.18.0")
NEEDS = "torchao"
VARIANTS = (
    *(Variant(method, 4, block) for block in (32, 64, 128)
      for method in ("intx", "intx hqq", "opaque", "opaque hqq")),
    Variant("intx", 8, 32), Variant("intx", 8, 128),
)  # fmt: skip


def quantise(
    matrices: Sequence[Array], grams: Sequence[Array | None], variant: Variant
) -> list[Stored | None]:
    del grams  # none of these looks at inputs
    return [quantised(matrix, variant) for matrix in matrices]


def quantised(matrix: Array, variant: Variant) -> Stored | None:
    import torch
    from torchao.quantization import quantize_

    columns, depth = matrix.shape
    if depth % variant.block:
        return None  # groups have to be whole
    holder = torch.nn.Sequential(torch.nn.Linear(depth, columns, bias=False))
    with torch.no_grad():
        holder[0].weight.copy_(torch.from_numpy(matrix))
    quantize_(holder, config_of(variant))
    if type(holder[0].weight.data) is torch.Tensor:
        return None
    with torch.no_grad():
        result = holder(torch.eye(depth)).T.contiguous().numpy()
    scales = 4 * columns * (depth // variant.block)
    zeros = scales if variant.method.startswith("opaque") else 0
    return Stored(result.astype(np.float32), columns * depth * variant.bits // 8 + scales + zeros)


def config_of(variant: Variant) -> Any:
    import torch
    from torchao.quantization import IntxWeightOnlyConfig
    from torchao.quantization.granularity import PerGroup

    if variant.method.startswith("opaque"):
        from torchao.prototype.quantization.int4 import inference_workflow as prototype

        method = "hqq" if variant.method.endswith("hqq") else "tinygemm"
        return prototype.PrototypeInt4WeightOnlyConfig(
            group_size=variant.block, int4_choose_qparams_algorithm=method
        )
    more = {"intx_choose_qparams_algorithm": "hqq_scale_only"} if "hqq" in variant.method else {}
    kind = {4: torch.int4, 8: torch.int8}[variant.bits]
    return IntxWeightOnlyConfig(weight_dtype=kind, granularity=PerGroup(variant.block), **more)
