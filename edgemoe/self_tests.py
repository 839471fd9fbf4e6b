"""The self-test that an artifact carries: inputs, expected outputs, and how near is near enough."""

from __future__ import annotations

from collections.abc import Sequence

from edgemoe.artifact import SelfTest
from edgemoe.plan import Plan, TensorInfo
from edgemoe.precision import Precision
from edgemoe.variants import Variant

FLOAT_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}
"""Largest difference that a self-test allows, relative to the RMS of the output, by kind of weight.

A bfloat16 weight has 8 significant bits: each product is off by up to 2^-9, their sums by less.
"""

INTEGER_TOLERANCE = {8: 0.5, 4: 3.0, 3: 8.0, 2: 20.0}
"""The same by bits, for an artifact that does not run where it is compiled.

Otherwise its own outputs become the expected ones, within `OWN_TOLERANCE` (`measured_loss`).
"""

CACHE_TOLERANCE = {"f32": 0.0, "f16": 1e-3, "bf16": 5e-3, "i8": 1e-2}
"""The same for a narrow KV cache against onnxruntime with the same rounding: where sums of floats
differ in their last bit, a value moves over the border between two codes now and then."""


ACTIVATION_TOLERANCE = {"float32": 0.0, "float16": 1e-2}
"""The same by how GPU programs store tensors between steps: 11 significant bits in float16."""


def tolerance_of(given: Precision, cache: str, plan: Plan) -> float:
    """The largest tolerance of the formats of weights, of the KV cache, and of activations."""
    between = {b.dtype for v in plan.variants for b in v.buffers if b.where == "arena"}
    weights = given.widest_error(
        lambda f: INTEGER_TOLERANCE[f.bits] if f.is_integer else FLOAT_TOLERANCE[f.kind]
    )
    return max(
        weights,
        CACHE_TOLERANCE[cache],
        *(ACTIVATION_TOLERANCE.get(dtype, 0.0) for dtype in between),
    )


def self_test_of(
    variant: Variant, inputs: Sequence[TensorInfo], tolerance: float, *, own: bool
) -> SelfTest:
    """Inputs without states (they start at zeros) and the outputs that are no states.

    `own`: the artifact is measured against float32 first, and then expects what it computes itself.
    """
    states = {x.name: x.state_output for x in inputs if x.state_output is not None}
    return SelfTest(
        {name: array for name, array in variant.feed.items() if name not in states},
        {
            n: array if own else variant.rounded.get(n, array)
            for n, array in variant.expected.items()
            if n not in states.values()
        },
        tolerance,
    )
