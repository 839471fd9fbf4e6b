"""Narrow KV caches on GPUs: which values they are, and which do not fit.

They lie on the device in the dtype and the bytes that the model's states have; kernels see 32-bit
words (`kernels/gpu/cache_words`).
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgemoe import graph_facts, kv_cache
from edgemoe.errors import OptionError
from edgemoe.plan import DTYPE_BYTES, TensorInfo

NARROW = frozenset(kv_cache.DTYPES.values())
"""dtypes of narrow KV caches, which lie on the device as they are."""


def refuse_narrow(states: Sequence[TensorInfo], target: str) -> None:
    """Raise OptionError for a narrow cache whose rows are no whole words, which kernels write."""
    for state in states:
        nbytes = state.shape[-1] * DTYPE_BYTES[state.dtype] if state.shape else 4
        if state.dtype in NARROW and nbytes % 4:
            raise OptionError(
                f"cache {state.name} is stored as {state.dtype} in rows of {nbytes} bytes; kernels "
                f"for {target} write whole words of 4 bytes\n  try: --kv-cache f32"
            )


def caches_of(graph: ir.Model) -> frozenset[str]:
    """Names of the inputs and outputs that are narrow caches (`edgemoe.cache_rewrite`)."""
    values = [
        value
        for node in graph.graph if graph_facts.kind_of(node) == "Append"
        for value in (node.inputs[0], node.outputs[0])
    ]  # fmt: skip
    return frozenset(str(value.name) for value in values if value is not None)
