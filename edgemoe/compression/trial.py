"""The fused graph in onnxruntime with its weights as inputs: a candidate is a set of arrays.

What a format does to a model is judged here end to end, before any code is generated: weights are
replaced by what their codes stand for, activations of int8 products are rounded as the kernels
round them. Sessions are opened once for all candidates; what candidates have in common up to some
layer is computed once per sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import InlinePass, NameFixPass

from edgemoe import constant_nodes, graph_facts, regions, shapes
from edgemoe.compression.expert_loop import ExpertLoops
from edgemoe.compression.prefixes import Prefixes
from edgemoe.compression.rounded_rows import round_rows
from edgemoe.compression.sections import sections_of
from edgemoe.emit import Emitter
from edgemoe.errors import ModelError
from edgemoe.graph_facts import DOMAIN
from edgemoe.precision import TABLE, Unit

Array = NDArray[Any]

WEIGHT_PLACES = {"ExpertLinear": 2, "BlockUp": 1, "BlockDown": 2}
"""Which input of a primitive is the weight; the first is the activation."""


class Trial:
    """A model whose weights are given with every run; runs may go side by side.

    Args:
        graph: fused, of static shapes; it is copied.
        units: the weights that candidates replace.
    """

    def __init__(self, graph: ir.Model, units: Sequence[Unit]) -> None:
        model = flat(graph)
        self.products = _products(model, units)
        initializers = model.graph.initializers
        constants = _constants(model, units)
        self.weights: dict[str, Array] = {}
        groups: dict[str, ir.Value] = {}
        for name in self.products:
            value = initializers[name]
            self.weights[name] = np.ascontiguousarray(_array(value), np.float32)
            groups[name] = ir.Value(
                name=f"{name}.group", shape=ir.Shape([1]), type=ir.TensorType(ir.DataType.INT64)
            )
        for name, nodes in self.products.items():
            for node in nodes:
                _round_activations(node, initializers[name], groups[name])
        for name, uses in constants.items():
            weight = initializers[name.removeprefix(TABLE)]
            self.weights[name] = np.ascontiguousarray(_array(weight), np.float32)
            plain = ir.Value(name=f"{name}.given", shape=weight.shape, type=weight.type)
            for use in uses:
                use.node.replace_input_with(use.idx, plain)
            model.graph.inputs.append(plain)
        loops = ExpertLoops(model)
        for name, nodes in self.products.items():
            weight = initializers[name]
            given = ir.Value(name=f"{name}.given", shape=weight.shape, type=weight.type)
            for node in nodes:  # what else reads it, a table of embeddings, stays as it is
                for place, source in enumerate(node.inputs):
                    if source is weight:
                        node.replace_input_with(place, given)
            model.graph.inputs.extend([given, groups[name]])
        loops.expand()
        NameFixPass()(model)  # values of branches and of nodes that were added have no names yet
        regions.add_bodies(model)
        self._outputs = [str(value.name) for value in model.graph.outputs]
        self.sections = sections_of(model, [f"{name}.given" for name in self.weights])
        self._wanted = {name for section in self.sections for name in section.inputs}
        self._prefixes = Prefixes()
        self._lock = Lock()
        self.runs = 0
        self.sections_run = 0

    def run(
        self,
        feed: Mapping[str, Array],
        weights: Mapping[str, Array],
        groups: Mapping[str, int],
    ) -> dict[str, Array]:
        """Outputs by name.

        Args:
            feed: the inputs of the model.
            weights: replaced weights by name, in the shape of the graph; others are as they were.
            groups: by weight name, how many inputs of its product share a scale when they are
                rounded to int8; 0 or absent: they stay float32.
        """
        given = {name: array for name, array in feed.items() if name in self._wanted}
        sample = _digest(given)
        for name, own in self.weights.items():
            given[f"{name}.given"] = np.asarray(weights.get(name, own), np.float32)
            if name in self.products:
                given[f"{name}.group"] = np.array([groups.get(name, 0)], np.int64)
        prefixes = list(self._prefixes_of(sample, given))
        start, state = 0, dict[str, Array]()
        for number in range(len(self.sections) - 1, 0, -1):
            known = self._prefixes.get(prefixes[number - 1][0])
            if known is not None:
                start, state = number, dict(known)
                break
        with self._lock:
            self.runs += 1
            self.sections_run += len(self.sections) - start
        try:
            for number in range(start, len(self.sections)):
                state = self.sections[number].run(given, state)
                if number + 1 < len(self.sections):
                    key, arrays = prefixes[number]
                    self._prefixes.put(key, state, arrays)
            return {name: state[name] for name in self._outputs}
        except Exception as error:  # onnxruntime raises types of its own, all of one meaning
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"onnxruntime cannot run the model on a calibration sample: {reason}\n  next: give "
                "samples that the model accepts"
            ) from error

    def _prefixes_of(
        self, sample: bytes, given: Mapping[str, Array]
    ) -> Iterator[tuple[tuple[Any, ...], list[Array]]]:
        """Per section: what its state is known by, and the weights that are part of that."""
        names: tuple[Any, ...] = ()
        arrays: list[Array] = []
        for section in self.sections:
            own = [given[name] for name in section.weights]
            groups = (given.get(f"{n.removesuffix('.given')}.group") for n in section.weights)
            sizes = tuple(0 if group is None else int(group[0]) for group in groups)
            names = (*names, tuple(map(id, own)), sizes)
            arrays = [*arrays, *own]
            yield (sample, names), arrays


def _digest(feed: Mapping[str, Array]) -> bytes:
    """Tells samples apart by what is in them."""
    found = hashlib.blake2b(digest_size=16)
    for name, array in sorted(feed.items()):
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.digest()


def flat(graph: ir.Model) -> ir.Model:
    """A copy in which only the primitives are functions; weights keep their names."""
    model = graph.clone()
    while True:
        inner = {
            function.identifier()
            for function in model.functions.values()
            if function.domain == DOMAIN and not regions.is_primitive(function.name)
        }
        called = {node.op_identifier() for node in model.graph} & inner
        if not called:
            break
        InlinePass(criteria=lambda function, wanted=called: function.identifier() in wanted)(model)  # type: ignore[misc]
        NameFixPass()(model)
        constant_nodes.lift(model.graph)
    shapes.infer(model)
    return model


def _array(value: ir.Value) -> Array:
    array = graph_facts.array_of(value)
    assert array is not None
    return array


def _products(model: ir.Model, units: Sequence[Unit]) -> dict[str, list[ir.Node]]:
    """The nodes that multiply with each weight; weights that no product reads are left out."""
    found: dict[str, list[ir.Node]] = {}
    for unit in units:
        for name in unit.names:
            value = model.graph.initializers.get(name)
            if value is None:
                continue
            nodes = [use.node for use in value.uses() if _is_weight(use.node, use.idx)]
            if nodes:
                found[name] = list(dict.fromkeys(nodes))
    return found


def _constants(model: ir.Model, units: Sequence[Unit]) -> dict[str, list[Any]]:
    """Where each constant that is a unit is read, as a bias, a norm or a table."""
    found = {}
    for unit in units:
        value = model.graph.initializers.get(unit.names[0].removeprefix(TABLE))
        if unit.role == "constant" and value is not None:
            found[unit.names[0]] = [u for u in value.uses() if not _is_weight(u.node, u.idx)]
    return {name: uses for name, uses in found.items() if uses}


def _is_weight(node: ir.Node, index: int) -> bool:
    kind = graph_facts.kind_of(node)
    for prefix, place in WEIGHT_PLACES.items():
        if kind.startswith(prefix):
            return index == place
    return graph_facts.is_op(node, "MatMul", "Gemm") and index < 2


def _round_activations(node: ir.Node, weight: ir.Value, group: ir.Value) -> None:
    """Let the activations of a product be rounded in groups, if the group is not 0."""
    left = graph_facts.is_op(node, "MatMul") and node.inputs[0] is weight
    place = 1 if left else 0
    x = node.inputs[place]
    assert x is not None
    emit = Emitter(node)
    if left:  # inputs lie along the last axis but one
        rank = len(graph_facts.shape_of(x) or ())
        swap = [*range(rank - 2), rank - 1, rank - 2]
        turned = round_rows(emit, emit.op("Transpose", x, perm=swap), group)
        node.replace_input_with(place, emit.op("Transpose", turned, perm=swap))
        return
    node.replace_input_with(place, round_rows(emit, x, group))
