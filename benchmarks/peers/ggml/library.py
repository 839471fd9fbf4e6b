"""The functions of libggml that are used, through its C API; every pointer is a plain address."""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from benchmarks.contestant import Array

F32, F16, I32 = 0, 1, 26
TYPES = {"f32": F32, "f16": F16, "bf16": 30, "q4_0": 2, "q8_0": 8, "q4_K": 12}
"""enum ggml_type of the formats of weights."""


class Init(ctypes.Structure):
    """struct ggml_init_params."""

    _fields_: ClassVar[Any] = [
        ("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool),
    ]  # fmt: skip


class ThreadPool(ctypes.Structure):
    """struct ggml_threadpool_params."""

    _fields_: ClassVar[Any] = [
        ("cpumask", c_bool * 512), ("n_threads", c_int), ("prio", c_int),
        ("poll", ctypes.c_uint32), ("strict_cpu", c_bool), ("paused", c_bool),
    ]  # fmt: skip


class Library:
    """libggml as pip built it here."""

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
        """Call `ggml_NAME`; integers go as int64 and floats as float unless they are wrapped."""
        function = self.functions.get(name)
        if function is None:
            part = next(part for part in self.parts if hasattr(part, f"ggml_{name}"))
            function = self.functions[name] = part[f"ggml_{name}"]
            function.restype = returns
        wrap = {int: c_int64, float: c_float}
        return function(*(wrap.get(type(a), lambda a: a)(a) for a in arguments))

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
        """The rows of a float32 array in one of ggml's types, as bytes."""
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
