"""Stores KV caches in 16 bits or in int8, in all variants, and says why where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from edgemoe import cache_form, kv_cache
from edgemoe.cache_form import Reader, Writer
from edgemoe.cache_rewrite import NarrowCache, Rewriter, value_named
from edgemoe.errors import OptionError
from edgemoe.graph_pass import Note
from edgemoe.pass_runner import settle
from edgemoe.plan import TensorInfo

Array = NDArray[Any]


@dataclass(frozen=True)
class Narrowed:
    """What became of the caches of all variants."""

    caches: tuple[NarrowCache, ...] = ()
    notes: tuple[Note, ...] = ()

    def infos(
        self, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
    ) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        """Inputs and outputs as the compiled model has them: states of scales come last."""
        dtypes = {name: c.dtype for c in self.caches for name in (c.state, c.output)}
        ins = [replace(x, dtype=dtypes.get(x.name, x.dtype)) for x in inputs]
        outs = [replace(x, dtype=dtypes.get(x.name, x.dtype)) for x in outputs]
        shapes = {x.name: x.shape for x in inputs}
        for cache in self.caches:
            if cache.scales is not None:
                shape = (*shapes[cache.state][:-1], 1)
                first, second = cache.scales
                ins.append(TensorInfo(first, "float32", shape, None, second))
                outs.append(TensorInfo(second, "float32", shape))
        return tuple(ins), tuple(outs)

    def feed(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Inputs with float32 caches as inputs of the compiled model."""
        found = dict(feed)
        for cache in self.caches:
            if cache.state in found:
                found[cache.state], scales = kv_cache.narrow(found[cache.state], cache.dtype)
                if cache.scales is not None and scales is not None:
                    found[cache.scales[0]] = scales
        return found

    def results(self, results: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs of the compiled model with its caches as float32."""
        found = dict(results)
        for cache in self.caches:
            scales = None if cache.scales is None else found.pop(cache.scales[1], None)
            if cache.output in found:
                found[cache.output] = kv_cache.widen(found[cache.output], scales, cache.dtype)
        return found


def narrow_caches(
    graphs: Sequence[ir.Model], states: Mapping[str, str], kind: str, title: str
) -> Narrowed:
    """Store the KV caches of all variants as `kind` ("bf16", "f16" or "i8"), in place.

    Args:
        graphs: the variants, fused, of static shapes.
        states: {input: output} that the runtime keeps between calls.
        kind: a name of `edgemoe.kv_cache.DTYPES`.
        title: name of the model, for messages.

    Raises:
        OptionError: none of the states is a cache that can be stored so.
    """
    dtype = kv_cache.DTYPES[kind]
    chosen, reasons = [], {}
    for name, output in states.items():
        found = [_find(graph, name, output, dtype) for graph in graphs]
        reason = next((f for f in found if isinstance(f, str)), None)
        if reason is None:
            chosen.append((name, output, found))
        elif value_named(graphs[0].graph.inputs, name).dtype == ir.DataType.FLOAT:
            reasons[name] = reason
    if not chosen:
        raise OptionError(_nothing(kind, title, reasons))
    caches = []
    for name, output, found in chosen:
        scales = (f"{name}.scales", f"{output}.scales") if dtype == "int8" else None
        caches.append(NarrowCache(name, output, dtype, scales))
        for graph, parts in zip(graphs, found, strict=True):
            assert not isinstance(parts, str)
            Rewriter(graph, caches[-1]).run(*parts)
    for graph in graphs:
        settle(graph)
    notes = [
        Note("matched", "kv cache", f"{c.state} is stored as {c.dtype}", facts={"dtype": c.dtype})
        for c in caches
    ]
    notes += [
        Note("warning", "kv cache", f"{name} stays float32: {reason}")
        for name, reason in reasons.items()
    ]
    return Narrowed(tuple(caches), tuple(notes))


def _nothing(kind: str, title: str, reasons: Mapping[str, str]) -> str:
    if not reasons:
        return (
            f"--kv-cache {kind}: {title} keeps no float32 state between calls\n"
            "  next: leave --kv-cache out, or export the model with its caches as states"
        )
    lines = "\n".join(f"  {name}: {reason}" for name, reason in reasons.items())
    return (
        f"--kv-cache {kind}: no state of {title} is a cache that attention alone reads\n{lines}\n"
        "  next: leave --kv-cache out; `edgemoe explain MODEL` says what is no attention and why"
    )


def _find(model: ir.Model, name: str, output: str, dtype: str) -> tuple[Writer, list[Reader]] | str:
    state = value_named(model.graph.inputs, name)
    result = value_named(model.graph.outputs, output)
    if state.dtype != ir.DataType.FLOAT:
        return f"it is {state.dtype}"
    writer = cache_form.find_writer(state, result)
    if isinstance(writer, str):
        return writer
    readers = cache_form.find_readers(
        dict(model.functions), writer, result, whole_heads=dtype == "int8"
    )
    return readers if isinstance(readers, str) else (writer, readers)
