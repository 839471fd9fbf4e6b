"""What `compile` asks of integer programs: whether there is one, and what its tensors are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx_ir as ir

from edgemoe.compression.task import Task
from edgemoe.errors import OptionError
from edgemoe.integer.model import IntegerModel
from edgemoe.integer.quantise import PRECISIONS
from edgemoe.plan import TensorInfo


def wants_integers(precision: str, task: Task | None, target: str) -> bool:
    """Tell whether a microcontroller gets a program of integers: asked for, or calibrated.

    Raises:
        OptionError: integers are asked for, but there is nothing to find their scales with.
    """
    if precision in PRECISIONS and task is None:
        raise OptionError(
            f"--precision {precision} for {target} needs --calibration F.npz: the scales of all "
            "tensors are fixed when the program is made\n  try: --precision f32 needs no data"
        )
    return precision in PRECISIONS or (precision == "auto" and task is not None)


def infos_of(model: IntegerModel, infos: Sequence[TensorInfo]) -> tuple[TensorInfo, ...]:
    """Inputs or outputs with the dtypes and scales of an integer program."""
    graph = model.model.graph
    values = {str(v.name): v for v in (*graph.inputs, *graph.outputs)}
    scales = {**model.inputs, **model.outputs}
    found = []
    for info in infos:
        quantised = scales[info.name]
        dtype = values[info.name].dtype or ir.DataType.FLOAT
        found.append(
            replace(
                info, dtype=str(dtype.numpy().name),
                scale=None if quantised is None else quantised.scale,
                zero_point=0 if quantised is None else quantised.zero_point,
            )
        )  # fmt: skip
    return tuple(found)
