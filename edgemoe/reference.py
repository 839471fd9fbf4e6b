"""onnxruntime as the oracle: runs the model that came in, on given or made-up inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.errors import ModelError
from edgemoe.graph_pass import PassContext
from edgemoe.pass_check import onnxruntime_session
from edgemoe.passes.sort_topk import sort_topk

if TYPE_CHECKING:
    from edgemoe.buckets import Buckets

Array = NDArray[Any]


class Reference:
    """The imported model in onnxruntime; one session is open at a time, each holds the weights."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._open: tuple[int | None, Any] | None = None

    def run(self, feed: Mapping[str, Array], tokens: int | None) -> dict[str, Array]:
        """Outputs by name for inputs of `tokens` tokens."""
        if self._open is None or self._open[0] != tokens:
            self._open = None
            model = self._buckets.bind(tokens)
            sort_topk(model, PassContext())  # an order that is left open is no ground to compare on
            self._open = (tokens, onnxruntime_session(model))
        session = self._open[1]
        names = [output.name for output in session.get_outputs()]
        try:
            return dict(zip(names, session.run(None, dict(feed)), strict=True))
        except Exception as error:  # onnxruntime raises types of its own, all of one meaning
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise ModelError(
                f"onnxruntime cannot run the model, whose results are what is compared with: "
                f"{reason}\n  next: give example inputs that the model accepts (a factory, or "
                "--calibration)"
            ) from error


def made_up_inputs(model: ir.Model, *, seed: int = 0) -> dict[str, Array]:
    """Random inputs for a model of static shapes: normal floats, row numbers inside their tables.

    Integers that nothing is looked up with are 0 or 1; states begin at zero when the caller says
    so by leaving them out.
    """
    chance = np.random.default_rng(seed)
    feed: dict[str, Array] = {}
    for value in model.graph.inputs:
        shape = graph_facts.shape_of(value)
        assert shape is not None and value.dtype is not None
        dtype = value.dtype.numpy()
        if value.dtype.is_floating_point():
            feed[str(value.name)] = chance.standard_normal(shape).astype(dtype)
        elif value.dtype == ir.DataType.BOOL:
            feed[str(value.name)] = chance.random(shape) < 0.5
        elif _divides(value):
            feed[str(value.name)] = np.ones(shape, dtype)
        else:
            feed[str(value.name)] = chance.integers(0, table_rows(value), shape).astype(dtype)
    return feed


def _divides(value: ir.Value) -> bool:
    """Tell whether an integer input is a divisor: it must not be zero."""
    return any(use.node.op_type in ("Div", "Mod") and use.idx == 1 for use in value.uses())


def table_rows(value: ir.Value) -> int:
    """How many rows the smallest table has that an integer input looks up; 2 without one."""
    rows: list[int] = []
    todo, seen = [value], set[ir.Value]()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        for use in current.uses():
            node = use.node
            if node.op_type in ("Gather", "GatherElements") and use.idx == 1:
                shape = graph_facts.shape_of(node.inputs[0])
                if shape:
                    rows.append(shape[graph_facts.axis_of(node, 0, len(shape))])
            elif node.op_type in ("Cast", "Reshape", "Unsqueeze", "Squeeze", "Identity", "Flatten"):
                todo.extend(node.outputs)
    return min(rows, default=2)
