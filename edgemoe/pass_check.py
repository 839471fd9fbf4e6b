"""Compare the model with itself before the first pass, in onnxruntime, after every change."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from edgemoe import graph_facts
from edgemoe.errors import CheckError
from edgemoe.graph_pass import GraphPass

REASSOCIATION = 1e-4  # of the largest magnitude in the tensor; float32 sums in another order
_PROTO_LIMIT = 1 << 25  # larger models are handed over as files: a message in memory is a copy


class PassCheck:
    """Holds what the imported model computes on the given inputs.

    Raises:
        CheckError: onnxruntime cannot run the model on them.
    """

    def __init__(self, model: ir.Model, inputs: Sequence[dict[str, np.ndarray]]) -> None:
        self._inputs = list(inputs)
        self._names = [str(value.name) for value in model.graph.outputs]
        try:
            self._wanted = [run_in_onnxruntime(model, feed) for feed in self._inputs]
        except Exception as error:
            raise CheckError(
                f"the model as it came does not run on these inputs: {error}"
            ) from error
        self._before: ir.Model | None = None

    def before(self, model: ir.Model) -> None:
        """Remember the model as a pass finds it, to name the node that diverges."""
        self._before = model.clone()

    def after(self, model: ir.Model, member: GraphPass) -> None:
        """Compare the outputs with those of the imported model.

        Raises:
            CheckError: they differ by more than reassociation allows, or, where the pass declares
                to keep every bit, differ from what the model gave just before the pass.
        """
        for feed, wanted in zip(self._inputs, self._wanted, strict=True):
            try:
                got = run_in_onnxruntime(model, feed)
            except Exception as error:
                raise CheckError(
                    f"after pass {member.name!r} the graph no longer runs in onnxruntime: {error}"
                ) from error
            exact = member.exact == "bits"
            base = run_in_onnxruntime(self._before, feed) if exact and self._before else wanted
            for name, one, other in zip(self._names, got, base, strict=True):
                reason = difference(one, other, exact=exact)
                if reason is not None:
                    raise CheckError(self._message(model, member, name, reason, feed))

    def _message(
        self,
        model: ir.Model,
        member: GraphPass,
        name: str,
        reason: str,
        feed: dict[str, np.ndarray],
    ) -> str:
        lines = [f"pass {member.name!r} declares {member.exact!r} but output {name!r} {reason}"]
        node = self._first_diverging(model, feed, exact=member.exact == "bits")
        if node is not None:
            origin = graph_facts.origin_of(node)
            lines.append(
                f"  first diverging node: {node.name} ({node.op_type})"
                + (f" at {origin}" if origin else "")
            )
        lines.append(f"  try: --dump DIR and compare {member.name}.before.txt with .after.txt")
        return "\n".join(lines)

    def _first_diverging(
        self, model: ir.Model, feed: dict[str, np.ndarray], *, exact: bool
    ) -> ir.Node | None:
        if self._before is None:
            return None
        old = {str(v.name) for node in self._before.graph for v in node.outputs if v.name}
        shared = [v for node in model.graph for v in node.outputs if v.name in old]
        names = [str(value.name) for value in shared]
        one = run_in_onnxruntime(model, feed, names)
        other = run_in_onnxruntime(self._before, feed, names)
        for value, got, wanted in zip(shared, one, other, strict=True):
            if difference(got, wanted, exact=exact) is not None:
                return value.producer()
        return None


def difference(got: np.ndarray, wanted: np.ndarray, *, exact: bool) -> str | None:
    """Say how two arrays differ, None when they agree."""
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return f"became {got.dtype}{list(got.shape)}, it was {wanted.dtype}{list(wanted.shape)}"
    if exact or got.dtype.kind not in "fV":
        if np.array_equal(got, wanted, equal_nan=got.dtype.kind == "f"):
            return None
        return f"changed in {int((got != wanted).sum())} of {got.size} elements"
    with np.errstate(invalid="ignore"):
        same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        gap = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
    finite = wanted[np.isfinite(wanted)]
    limit = REASSOCIATION * float(np.abs(finite).max(initial=0.0))
    wrong = ~same & ~(gap <= limit)
    if not wrong.any():
        return None
    return f"is off by {float(gap[wrong].max()):.3g} (allowed {limit:.3g})"


def run_in_onnxruntime(
    model: ir.Model, feed: dict[str, np.ndarray], wanted: Sequence[str] | None = None
) -> list[np.ndarray]:
    """Run a model on named inputs.

    Args:
        model: the model, left as it is.
        feed: arrays by input name, bfloat16 as uint16; names that are no inputs are ignored.
        wanted: names of values to return instead of the outputs; none of them bfloat16.
    """
    if wanted is not None:
        model = model.clone()
        values = {str(v.name): v for node in model.graph for v in node.outputs}
        model.graph.outputs[:] = [values[name] for name in wanted]
    session = onnxruntime_session(model)
    inputs = {i.name: i.type for i in session.get_inputs()}
    given = {name: array for name, array in feed.items() if name in inputs}
    if "tensor(bfloat16)" not in inputs.values():
        return [np.asarray(array) for array in session.run(None, given)]
    from onnxruntime import OrtValue

    values = {
        name: OrtValue.ortvalue_from_numpy_with_onnx_type(array, int(ir.DataType.BFLOAT16))
        if inputs[name] == "tensor(bfloat16)" else OrtValue.ortvalue_from_numpy(array)
        for name, array in given.items()
    }  # fmt: skip
    return [np.asarray(v.numpy()) for v in session.run_with_ort_values(None, values)]


def onnxruntime_session(model: ir.Model, *, threads: int = 1, optimise: bool = False) -> Any:
    """Open a model in onnxruntime, without its own graph rewriting unless `optimise`."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimise:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    # a weight that becomes constant must not change the kernel, and with it the last bit
    options.add_session_config_entry("session.disable_prepacking", "1")
    nbytes = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value)
    with tempfile.TemporaryDirectory() as folder:
        source: bytes | str
        if nbytes < _PROTO_LIMIT:
            with _weights_inside(model):
                source = ir.serde.serialize_model(model).SerializeToString()
        else:
            source = str(Path(folder) / "model.onnx")
            ir.save(model, source, external_data="model.data")
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


@contextlib.contextmanager
def _weights_inside(model: ir.Model) -> Iterator[None]:
    """Let weights that lie in files be part of the message: onnxruntime would look for the files.

    It takes the paths to be relative to the current directory, and refuses all others.
    """
    graphs = [model.graph, *model.graph.subgraphs(), *(f.graph for f in model.functions.values())]
    outside = [
        (value, value.const_value) for graph in graphs for value in graph.initializers.values()
        if isinstance(value.const_value, ir.ExternalTensor)
    ]  # fmt: skip
    try:
        for value, tensor in outside:
            value.const_value = ir.tensor(tensor.numpy(), dtype=tensor.dtype, name=tensor.name)
        yield
    finally:
        for value, tensor in outside:
            value.const_value = tensor
