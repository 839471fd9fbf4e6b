"""ggml on the CPU, driven through its C API: the graph that llama.cpp builds for an MoE layer.

The router is part of the graph (soft_max, argsort_top_k, get_rows) and stays float32, experts go
through MUL_MAT_ID. `repack` stores weights in the interleaved layout that ggml makes for this CPU.
The library is built here (pip compiles it for this very CPU) with its own thread pool.
"""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from benchmarks.cases import Case, Moe
from benchmarks.contestant import Array, Call, Contestant, Kit

NEEDS = "ggml"
REQUIREMENTS = ("ggml-python==0.0.45", "--no-binary=ggml-python")
BUILD_VARIABLES = {"CMAKE_ARGS": "-DGGML_NATIVE=ON -DGGML_OPENMP=OFF"}

TYPES = {"f32": 0, "f16": 1, "bf16": 30, "q4_0": 2, "q8_0": 8, "q4_K": 12}  # enum ggml_type
FORMATS = {"f32": "f32", "f16": "f16", "bf16": "bf16", "q8_0": "i8", "q4_0": "i4", "q4_K": "i4"}
REPACKED = ("q4_0", "q4_K")
K_BLOCK = 256  # weights of a q4_K block

GRAPH_BYTES = 1 << 22  # for the descriptions of tensors, not their data


def contestants(case: Case) -> list[Contestant]:
    if not case.is_layer:
        return []
    assert case.moe is not None
    fits = min(case.moe.hidden, case.moe.inner) % K_BLOCK == 0
    names = [name for name in TYPES if name != "q4_K" or fits]
    names += [f"{name} repack" for name in REPACKED if name in names]
    return [Contestant("ggml", name, FORMATS[name.split()[0]]) for name in names]


def prepare(contestant: Contestant, kit: Kit) -> None:
    library = Library()
    kind = TYPES[contestant.variant.split()[0]]
    for name, array in kit.weights().items():
        packed = library.quantised(array, TYPES["f32"] if name == "router" else kind)
        packed.tofile(kit.folder_of(contestant) / f"{name}.bin")


def load(contestant: Contestant, kit: Kit, threads: int) -> Call:
    assert kit.case.moe is not None
    library = Library()
    name, *repack = contestant.variant.split()
    layer = Layer(library, kit.case.moe, kit.case.size, TYPES[name], threads)
    layer.fill(kit.folder_of(contestant), repacked=bool(repack))
    x = np.ascontiguousarray(kit.inputs()["x"])
    y = np.empty_like(x)

    def call() -> Array:
        layer.run(x, y)
        return y

    return call


class _Init(ctypes.Structure):
    _fields_: ClassVar[Any] = [
        ("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool),
    ]  # fmt: skip


class _ThreadPool(ctypes.Structure):
    _fields_: ClassVar[Any] = [
        ("cpumask", c_bool * 512), ("n_threads", c_int), ("prio", c_int),
        ("poll", ctypes.c_uint32), ("strict_cpu", c_bool), ("paused", c_bool),
    ]  # fmt: skip


class Library:
    """The functions of libggml that are used; every pointer is a plain address."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("ggml")
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent / "lib"
        parts = ("ggml-base", "ggml-cpu", "ggml")
        self.parts = [
            ctypes.CDLL(str(folder / f"lib{part}.so"), mode=ctypes.RTLD_GLOBAL) for part in parts
        ]
        self.functions: dict[str, Any] = {}

    def call(self, name: str, *arguments: Any, returns: Any = c_void_p) -> Any:
        """Call `ggml_NAME`; integers go as int64 unless they are wrapped."""
        function = self.functions.get(name)
        if function is None:
            part = next(part for part in self.parts if hasattr(part, f"ggml_{name}"))
            function = self.functions[name] = part[f"ggml_{name}"]
            function.restype = returns
        return function(*(c_int64(a) if isinstance(a, int) else a for a in arguments))

    def make(self, name: str, *arguments: Any) -> c_void_p:
        """Call a function that returns a pointer.

        Raises:
            RuntimeError: it returned none.
        """
        result = self.call(name, *arguments)
        if not result:
            raise RuntimeError(f"ggml_{name} failed")
        return c_void_p(result)

    def quantised(self, array: Array, kind: int) -> Array:
        """The rows of an array in one of ggml's types, as bytes."""
        rows, width = array.size // array.shape[-1], array.shape[-1]
        nbytes = self.call("row_size", c_int(kind), width, returns=c_size_t) * rows
        packed = np.empty(nbytes, np.uint8)
        self.call(
            "quantize_chunk", c_int(kind), array.ctypes.data_as(POINTER(c_float)),
            c_void_p(packed.ctypes.data), 0, rows, width, None, returns=c_size_t,
        )  # fmt: skip
        return packed

    def repack_type(self) -> c_void_p:
        """The buffer type of weights that are interleaved for this CPU.

        Raises:
            RuntimeError: ggml has none here.
        """
        registry = self.make("backend_cpu_reg")
        device = self.make("backend_reg_dev_get", registry, 0)
        entry = self.make(
            "backend_reg_get_proc_address", registry, c_char_p(b"ggml_backend_dev_get_extra_bufts")
        )
        listed = ctypes.CFUNCTYPE(POINTER(c_void_p), c_void_p)(entry.value or 0)(device)
        for kind in listed:
            if not kind:
                break
            if b"REPACK" in self.call("backend_buft_name", c_void_p(kind), returns=c_char_p):
                return c_void_p(kind)
        raise RuntimeError("this build of ggml interleaves no weights")


class Layer:
    """The graph of one MoE layer; ggml lists the extents of a tensor innermost first."""

    def __init__(self, library: Library, moe: Moe, tokens: int, kind: int, threads: int) -> None:
        self.ggml, self.moe, self.tokens, self.kind = library, moe, tokens, kind
        library.call("cpu_init", returns=None)
        self.backend = library.make("backend_cpu_init")
        self._use_threads(threads)
        # The router has a context of its own, because it is never repacked.
        self.router_context, self.weights_context, self.context = (
            library.make("init", _Init(GRAPH_BYTES, None, True)) for _ in range(3)
        )
        self.weights = {name: self._weight(name, shape) for name, shape in self._shapes().items()}

    def fill(self, folder: Path, repacked: bool) -> None:
        """Read the weights, and plan the memory of everything else."""
        ggml = self.ggml
        plain = ggml.make("backend_cpu_buffer_type")
        kind = ggml.repack_type() if repacked else plain
        ggml.make("backend_alloc_ctx_tensors_from_buft", self.weights_context, kind)
        ggml.make("backend_alloc_ctx_tensors_from_buft", self.router_context, plain)
        for name, tensor in self.weights.items():
            data = np.fromfile(folder / f"{name}.bin", np.uint8)
            self._write(tensor, data)
        self.x = ggml.make("new_tensor_2d", self.context, c_int(0), self.moe.hidden, self.tokens)
        ggml.call("set_input", self.x, returns=None)
        self.y = self._routed()
        if self.moe.shared:
            self.y = self._op("add", self.y, self._shared())
        ggml.call("set_output", self.y, returns=None)
        self.graph = ggml.make("new_graph", self.context)
        ggml.call("build_forward_expand", self.graph, self.y, returns=None)
        allocator = ggml.make("gallocr_new", plain)
        assert ggml.call("gallocr_alloc_graph", allocator, self.graph, returns=c_bool)

    def run(self, x: Array, y: Array) -> None:
        """Compute y [T, H] of x [T, H]."""
        call = self.ggml.call
        self._write(self.x, x)
        call("backend_graph_compute", self.backend, self.graph, returns=c_int)
        call("backend_tensor_get", self.y, c_void_p(y.ctypes.data), 0, y.nbytes, returns=None)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        moe = self.moe
        hidden, inner, experts = moe.hidden, moe.inner, moe.experts
        shapes: dict[str, tuple[int, ...]] = {"router": (hidden, experts)}
        shapes |= {"gate": (hidden, inner, experts), "up": (hidden, inner, experts)}
        shapes |= {"down": (inner, hidden, experts)}
        if moe.shared:
            shapes |= {"shared_gate": (hidden, inner), "shared_up": (hidden, inner)}
            shapes |= {"shared_down": (inner, hidden)}
        return shapes

    def _weight(self, name: str, shape: tuple[int, ...]) -> c_void_p:
        routes = name == "router"
        kind = TYPES["f32"] if routes else self.kind
        context = self.router_context if routes else self.weights_context
        return self.ggml.make(f"new_tensor_{len(shape)}d", context, c_int(kind), *shape)

    def _use_threads(self, threads: int) -> None:
        """A pool that lives on; without one ggml starts threads for every call."""
        settings = self.ggml.call("threadpool_params_default", c_int(threads), returns=_ThreadPool)
        pool = self.ggml.make("threadpool_new", ctypes.byref(settings))
        self.ggml.call("backend_cpu_set_n_threads", self.backend, c_int(threads), returns=None)
        self.ggml.call("backend_cpu_set_threadpool", self.backend, pool, returns=None)

    def _write(self, tensor: c_void_p, data: Array) -> None:
        self.ggml.call(
            "backend_tensor_set", tensor, c_void_p(data.ctypes.data), 0, data.nbytes, returns=None
        )

    def _op(self, name: str, *arguments: Any) -> c_void_p:
        return self.ggml.make(name, self.context, *arguments)

    def _routed(self) -> c_void_p:
        """As `llm_graph_context::build_moe_ffn` of llama.cpp, with softmax and renormalisation."""
        moe, tokens, weights = self.moe, self.tokens, self.weights
        probabilities = self._op("soft_max", self._op("mul_mat", weights["router"], self.x))
        ids = self._op("argsort_top_k", probabilities, c_int(moe.chosen))  # [K, T]
        column = self._op("reshape_3d", probabilities, 1, moe.experts, tokens)
        shares = self._op("reshape_2d", self._op("get_rows", column, ids), moe.chosen, tokens)
        shares = self._op("div", shares, self._op("sum_rows", shares))
        shares = self._op("reshape_3d", shares, 1, moe.chosen, tokens)
        rows = self._op("reshape_3d", self.x, moe.hidden, 1, tokens)
        gate = self._op("mul_mat_id", weights["gate"], rows, ids)  # [I, K, T]
        up = self._op("mul_mat_id", weights["up"], rows, ids)
        inner = self._op("swiglu_split", gate, up)
        out = self._op("mul_mat_id", weights["down"], inner, ids)  # [H, K, T]
        out = self._op("mul", out, shares)
        row = moe.hidden * 4
        parts = [
            self._op("view_2d", out, moe.hidden, tokens, row * moe.chosen, row * number)
            for number in range(moe.chosen)
        ]
        total = parts[0]
        for part in parts[1:]:
            total = self._op("add", total, part)
        return total

    def _shared(self) -> c_void_p:
        weights = self.weights
        gate = self._op("mul_mat", weights["shared_gate"], self.x)
        up = self._op("mul_mat", weights["shared_up"], self.x)
        return self._op("mul_mat", weights["shared_down"], self._op("swiglu_split", gate, up))
