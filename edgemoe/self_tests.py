"""The self-test that an artifact carries: inputs, expected outputs, and how near is near enough."""

from __future__ import annotations

from collections.abc import Sequence

from edgemoe.artifact import SelfTest
from edgemoe.plan import Plan, TensorInfo
from edgemoe.precision import Precision
from edgemoe.runtime.selftest import Statistic
from edgemoe.variants import Variant

EXACT_TOLERANCE = 1e-4
"""Largest difference that float32 weights allow, relative to the RMS of the output."""

FLOAT_TOLERANCE = {"float32": EXACT_TOLERANCE, "bfloat16": 0.5, "float16": 0.3}
INTEGER_TOLERANCE = {8: 0.7, 4: 0.95, 3: 1.5, 2: 2.0}
"""Largest RMS of the difference that rounded weights allow, relative to the RMS of the output.

Rounding sends a token to another expert now and then, whose answer is another one: single elements
may differ by any amount, and in a deep model most tokens see it somewhere. So the bounds are wide;
they find kernels that compute something else (zeros have 1.0, noise of the right size has 1.4).
They hold where neither the artifact nor a copy of it (`stand_in`) runs; where one does, its outputs
become the expected ones, within `OWN_TOLERANCE` (`measured_loss`).
"""

CACHE_TOLERANCE = {"f32": 0.0, "f16": 1e-3, "bf16": 5e-3, "i8": 1e-2}
"""The largest difference for a narrow KV cache against onnxruntime with the same rounding.

Where sums of floats differ in their last bit, a value moves over the border between two codes now
and then.
"""


ACTIVATION_TOLERANCE = {"float32": 0.0, "float16": FLOAT_TOLERANCE["float16"]}
"""As for weights, by how GPU programs store tensors between steps."""


def tolerance_of(given: Precision, cache: str, plan: Plan) -> float:
    """The largest tolerance of the formats of weights, of the KV cache, and of activations.

    See `statistic_of`.
    """
    weights = given.widest_error(
        lambda f: INTEGER_TOLERANCE[f.bits] if f.is_integer else FLOAT_TOLERANCE[f.kind]
    )
    return max(
        weights,
        CACHE_TOLERANCE[cache],
        *(ACTIVATION_TOLERANCE.get(dtype, 0.0) for dtype in _between_steps(plan)),
    )


def statistic_of(given: Precision, plan: Plan) -> Statistic:
    """What of a difference the tolerance bounds: its RMS where weights or activations are rounded.

    The test of an artifact of integers alone, which allows no difference, has either.
    """
    return "rms" if given.rounds or "float16" in _between_steps(plan) else "max"


def _between_steps(plan: Plan) -> set[str]:
    """The dtypes of tensors between steps."""
    return {b.dtype for v in plan.variants for b in v.buffers if b.where == "arena"}


def self_test_of(
    variant: Variant, inputs: Sequence[TensorInfo], tolerance: float, statistic: Statistic,
    *, own: bool,
) -> SelfTest:  # fmt: skip
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
        statistic,
    )
