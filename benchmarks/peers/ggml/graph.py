"""A graph of ggml with its memory: weights, data that stays from call to call, and the rest.

ggml lists the extents of a tensor innermost first; shapes here are NumPy's, comments on results
are ggml's.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping
from ctypes import c_bool, c_int, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contestant import Array
from benchmarks.peers.ggml.library import F16, F32, I32, Init, Library, ThreadPool

GRAPH_BYTES = 1 << 22  # for the descriptions of tensors, not their data
SHAPES = "shapes.json"
EXACT = ("router", "norm", "embedding")
"""Ends of the names of weights that stay float32, as those of every contestant do."""

KINDS = {np.dtype(np.float32): F32, np.dtype(np.float16): F16, np.dtype(np.int32): I32}


def is_exact(name: str) -> bool:
    """Whether a weight keeps float32 whatever the format."""
    return name.endswith(EXACT)


def write_weights(library: Library, weights: Mapping[str, Array], kind: int, folder: Path) -> None:
    """Convert the weights of a kit to a type of ggml, for `Graph.read_weights`."""
    for name, array in weights.items():
        packed = library.quantised(array, F32 if is_exact(name) else kind)
        packed.tofile(folder / f"{name}.bin")
    shapes = {name: array.shape for name, array in weights.items()}
    (folder / SHAPES).write_text(json.dumps(shapes), "utf-8")


class Graph:
    """One graph on the CPU; `compute` runs it."""

    def __init__(self, library: Library, threads: int) -> None:
        self.ggml = library
        library.call("cpu_init", returns=None)
        self.backend = library.make("backend_cpu_init")
        self.plain = library.make("backend_cpu_buffer_type")
        self._use_threads(threads)
        self.context = self._new_context()
        self.weights: dict[str, c_void_p] = {}

    def read_weights(self, folder: Path, kind: int, repacked: bool) -> None:
        """Read what `write_weights` wrote; weights that stay float32 are never repacked."""
        shapes = json.loads((folder / SHAPES).read_text("utf-8"))
        for exact in (True, False):
            context = self._new_context()
            kinds = {name: F32 if exact else kind for name in shapes if is_exact(name) == exact}
            for name, each in kinds.items():
                self.weights[name] = self._tensor(context, each, shapes[name])
            repack = repacked and not exact
            self._place(context, self.ggml.repack_type() if repack else self.plain)
            for name in kinds:
                self.write(self.weights[name], np.fromfile(folder / f"{name}.bin", np.uint8))

    def data(self, array: Array) -> c_void_p:
        """A tensor of float32, float16 or int32 that keeps its memory, with what it holds."""
        context = self._new_context()
        tensor = self._tensor(context, KINDS[array.dtype], array.shape)
        self._place(context, self.plain)
        self.write(tensor, np.ascontiguousarray(array))
        return tensor

    def op(self, name: str, *arguments: Any) -> c_void_p:
        """Add an operator: `ggml_NAME(context, ...)`."""
        return self.ggml.make(name, self.context, *arguments)

    def finish(self, *results: c_void_p) -> None:
        """Order the operators that lead to the results, and plan their memory."""
        self.graph = self.ggml.make("new_graph", self.context)
        for result in results:
            self.ggml.call("set_output", result, returns=None)
            self.ggml.call("build_forward_expand", self.graph, result, returns=None)
        allocator = self.ggml.make("gallocr_new", self.plain)
        assert self.ggml.call("gallocr_alloc_graph", allocator, self.graph, returns=c_bool)

    def compute(self) -> None:
        """Run the graph once."""
        self.ggml.call("backend_graph_compute", self.backend, self.graph, returns=c_int)

    def write(self, tensor: c_void_p, data: Array) -> None:
        """Copy an array of the same bytes into a tensor."""
        self.ggml.call(
            "backend_tensor_set", tensor, c_void_p(data.ctypes.data), 0, data.nbytes, returns=None
        )

    def read(self, tensor: c_void_p, into: Array) -> None:
        """Copy a tensor into an array."""
        self.ggml.call(
            "backend_tensor_get", tensor, c_void_p(into.ctypes.data), 0, into.nbytes, returns=None
        )

    def _new_context(self) -> c_void_p:
        return self.ggml.make("init", Init(GRAPH_BYTES, None, True))

    def _tensor(self, context: c_void_p, kind: int, shape: Any) -> c_void_p:
        name = f"new_tensor_{len(shape)}d"
        return self.ggml.make(name, context, c_int(kind), *reversed(shape))

    def _place(self, context: c_void_p, kind: c_void_p) -> None:
        self.ggml.make("backend_alloc_ctx_tensors_from_buft", context, kind)

    def _use_threads(self, threads: int) -> None:
        """A pool that lives on; without one ggml starts threads for every call."""
        settings = self.ggml.call("threadpool_params_default", c_int(threads), returns=ThreadPool)
        pool = self.ggml.make("threadpool_new", ctypes.byref(settings))
        self.ggml.call("backend_cpu_set_n_threads", self.backend, c_int(threads), returns=None)
        self.ggml.call("backend_cpu_set_threadpool", self.backend, pool, returns=None)
