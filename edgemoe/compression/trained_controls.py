"""Other trained models beside the compressed one, such as an equally small dense one.

They take the same inputs and are judged on the same proof part, as they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import graph_facts
from edgemoe.buckets import Buckets, feed_for, plan_buckets
from edgemoe.compression.controls import Control
from edgemoe.compression.judge import Judge
from edgemoe.compression.task import Task
from edgemoe.errors import InputError, OptionError
from edgemoe.frontend import load_model
from edgemoe.reference import Reference

Array = NDArray[Any]


@dataclass(frozen=True)
class TrainedControl:
    """A model that a search is compared with.

    `nbytes` are those of the weights as the model stores them, codes and scales of quantised ones;
    `rest` are its inputs where calibration does not give them: its `states` at zero.
    """

    name: str
    buckets: Buckets
    rest: Mapping[str, Array]
    states: frozenset[str]
    nbytes: int
    _reference: Reference = field(repr=False)

    def judged(self, proof: Judge) -> Control:
        """Run it in onnxruntime on the samples of a judge."""

        def run(feed: Mapping[str, Array]) -> Mapping[str, Array]:
            shared = {n: feed[n] for n in self.rest if n in feed and n not in self.states}
            return self._reference.run({**self.rest, **shared}, None)

        return Control(self.name, self.nbytes, proof.judge(run))


def trained_controls(models: Mapping[str, Any], task: Task) -> list[TrainedControl]:
    """Open models by the name that the report shows, and check that the task fits them.

    Raises:
        InputError: a model takes other inputs than the calibration data has, or has no output that
            is judged.
        OptionError: a name is one that the report needs itself.
        ModelError: a model cannot be read.
    """
    return [_opened(name, model, task) for name, model in models.items()]


OWN_NAMES = ("fp32", "uniform int8", "uniform int4", "this model")


def _opened(name: str, model: Any, task: Task) -> TrainedControl:
    if name in OWN_NAMES:
        raise OptionError(f"--control {name}=...: the report has a row of that name; give another")
    source = load_model(model)
    bound = task.buckets.bind(task.count)
    given = {str(v.name): v for v in bound.graph.inputs}
    own = {str(v.name): v for v in source.model.graph.inputs
           if v.name not in source.model.graph.initializers}  # fmt: skip
    for wanted in task.samples.arrays:
        if wanted not in own:
            raise InputError(
                f"--control {name}: the model has no input {wanted!r}, which the calibration data "
                f"holds; its inputs: {', '.join(own)}"
            )
        _check(name, "input", own[wanted], given[wanted])
    # A state of the same name is the control's own: its cache may be narrower.
    shapes = {
        shared: graph_facts.shape_of(given[shared]) or ()
        for shared in own if shared in given and shared not in source.states
    }  # fmt: skip
    buckets = plan_buckets(source.model, None, shapes)
    if buckets.dimension is not None:
        raise InputError(
            f"--control {name}: dimension {buckets.dimension!r} is of an input that the compressed "
            "model does not have"
        )
    graph = buckets.bind(None)
    rest = feed_for(graph, source.examples, source.states)
    strange = [n for n in rest if n not in given and n not in source.states]
    if strange:
        raise InputError(
            f"--control {name}: input {strange[0]!r} is neither in the calibration data nor a "
            f"state; the compressed model has {', '.join(given)}"
        )
    outputs = {str(v.name): v for v in graph.graph.outputs}
    judged = {str(v.name): v for v in bound.graph.outputs if str(v.name) in task.metrics}
    for wanted, value in judged.items():
        if wanted not in outputs:
            raise InputError(
                f"--control {name}: the model has no output {wanted!r}, which is judged; its "
                f"outputs: {', '.join(outputs)}"
            )
        _check(name, "output", outputs[wanted], value)
    return TrainedControl(
        name, buckets, rest, frozenset(source.states), stored_bytes(source.model),
        Reference(buckets),
    )  # fmt: skip


def _check(name: str, what: str, own: ir.Value, wanted: ir.Value) -> None:
    """Refuse another type, rank or static extent."""
    shape = graph_facts.shape_of(wanted)
    extents = [d if isinstance(d, int) else None for d in own.shape or ()]
    fits = own.shape is None or shape is None or (
        len(extents) == len(shape)
        and all(mine in (None, other) for mine, other in zip(extents, shape, strict=True))
    )  # fmt: skip
    if fits and own.dtype == wanted.dtype:
        return
    raise InputError(
        f"--control {name}: {what} {own.name!r} is {own.dtype} {own.shape}, the compressed model's "
        f"{wanted.dtype} {wanted.shape}"
    )


def stored_bytes(model: ir.Model) -> int:
    """Bytes of all constants of a model, each once, in the types that it stores them in."""
    tensors: dict[int, Any] = {}
    graphs: Sequence[Any] = [model.graph, *model.functions.values()]
    for graph in graphs:
        for value in getattr(graph, "initializers", {}).values():
            if value.const_value is not None:
                tensors[id(value.const_value)] = value.const_value
        for node in graph.all_nodes():
            tensors |= {id(t): t for t in _constants(node)}
    return int(sum(np.prod(t.shape.numpy(), dtype=np.int64) * t.dtype.itemsize
                   for t in tensors.values()))  # fmt: skip


def _constants(node: ir.Node) -> list[Any]:
    """What a node holds itself: a Constant's tensor, and the initializers of its branches."""
    found = []
    for attribute in node.attributes.values():
        if attribute.is_ref():
            continue
        if attribute.type == ir.AttributeType.TENSOR:
            found.append(attribute.value)
        elif attribute.type == ir.AttributeType.GRAPH:
            inner = attribute.value.initializers.values()
            found += [v.const_value for v in inner if v.const_value is not None]
    return found
