"""Executes a GPU kernel on arrays, all threads of a work-group in step, and counts its accesses.

What a kernel asks of memory does not depend on the device: which bytes the threads of a warp read
with one instruction, in how many sectors they lie, how often a byte is read, and how many words of
a bank of local memory an instruction wants. A real GPU's times need a real GPU; that a schedule
reads whole lines, and every weight once, does not.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import tirx

from edgemoe.targets.kernels.gpu.integer_tile import DOT

Array = NDArray[Any]

WARP = 32
SECTOR = 32
"""Bytes that memory moves at least: sectors of NVIDIA; lines of Mali and Adreno have two."""
BANKS = 32
"""Banks of local memory, each of one word of four bytes at a time."""


@dataclass
class Traffic:
    """Accesses of one buffer: `requested` bytes count once per warp instruction."""

    instructions: int = 0
    requested: int = 0
    sectors: int = 0
    turns: int = 0  # of local memory: the most words of one bank, per instruction
    width: int = 0  # bytes of the widest access of a thread
    times: Counter[int] = field(default_factory=Counter)  # per word, of instructions of warps

    @property
    def whole(self) -> float:
        """The share of the sectors' bytes that was asked for: 1.0 is coalesced."""
        return self.requested / (self.sectors * SECTOR) if self.sectors else 1.0

    @property
    def conflicts(self) -> float:
        """Turns of local memory per instruction: 1.0 has no bank conflicts."""
        return self.turns / self.instructions if self.instructions else 1.0

    @property
    def repeats(self) -> float:
        """How often a byte was asked for, by different warps or instructions."""
        return self.times.total() / len(self.times) if self.times else 0.0


@dataclass
class Trace:
    """What a launch did; `reads` and `writes` by parameter, `local` of local memory."""

    reads: dict[str, Traffic] = field(default_factory=lambda: defaultdict(Traffic))
    writes: dict[str, Traffic] = field(default_factory=lambda: defaultdict(Traffic))
    local: Traffic = field(default_factory=Traffic)
    outputs: list[Array] = field(default_factory=list)


def run(
    kernel: Any, device: Any, arrays: Sequence[Array], groups: Iterable[int] | None = None
) -> Trace:
    """Execute a kernel.

    Args:
        kernel: a `GpuKernel`.
        device: the `Graphics` that it is for.
        arrays: one flat array per parameter, of 32-bit dtypes; results are copies.
        groups: which work-groups; all unless given.
    """
    trace = Trace()
    function = kernel.function(device)
    memory = [np.array(a).reshape(-1) for a in arrays]
    for group in range(kernel.groups) if groups is None else groups:
        _Group(function, memory, group, kernel.threads, trace).run()
    trace.outputs = memory
    return trace


_NUMPY = {"bool": np.bool_}


def _halves(words: Array) -> Array:
    """`em_halves`: two float32 of the float16 in a word."""
    pairs = np.ascontiguousarray(words).view(np.float16).reshape(-1, 2)
    return pairs.astype(np.float32)


def _dtype(text: str) -> tuple[Any, int]:
    """NumPy dtype and lanes of a TVM dtype."""
    base, _, lanes = text.partition("x")
    return _NUMPY.get(base, base), int(lanes or 1)


_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Min": np.minimum, "Max": np.maximum,
    "LT": np.less, "LE": np.less_equal, "GT": np.greater, "GE": np.greater_equal, "EQ": np.equal,
    "NE": np.not_equal, "And": np.logical_and, "Or": np.logical_or, "BitwiseAnd": np.bitwise_and,
    "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor, "LShift": np.left_shift,
    "RShift": np.right_shift,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "sqrt": np.sqrt, "tanh": np.tanh, "log": np.log, "fabs": np.abs,
    "erf": np.vectorize(math.erf, otypes=[np.float32]), "bitwise_not": np.invert,
    "shift_left": np.left_shift, "shift_right": np.right_shift, "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
}  # fmt: skip


class _Group:
    """One work-group; a value is an array [threads] or [threads, lanes]."""

    def __init__(
        self, function: Any, memory: Sequence[Array], group: int, threads: int, trace: Trace
    ) -> None:
        self.function, self.group, self.threads, self.trace = function, group, threads, trace
        self.variables: dict[Any, Any] = {}
        self.pointers = dict(zip(function.params, memory, strict=True))
        self.names = {p: p.name for p in function.params}
        self.buffers: dict[Any, tuple[str, str, Array]] = {}  # (scope, name, contents)
        self.active = np.ones(threads, bool)

    def run(self) -> None:
        with np.errstate(all="ignore"):
            self.visit(self.function.body)

    # ---- statements ----

    def visit(self, node: Any) -> None:
        getattr(self, f"do_{type(node).__name__}")(node)

    def do_SeqStmt(self, node: Any) -> None:
        for part in node.seq:
            self.visit(part)

    def do_AttrStmt(self, node: Any) -> None:
        if node.attr_key == "thread_extent":
            thread = np.arange(self.threads, dtype=np.int32)
            block = np.full(self.threads, self.group, np.int32)
            is_thread = str(node.node.thread_tag).startswith("threadIdx")
            self.variables[node.node.var] = thread if is_thread else block
        self.visit(node.body)

    def do_DeclBuffer(self, node: Any) -> None:
        self.buffers[node.buffer] = ("global", self.names[node.data], self.pointers[node.data])

    def do_AllocBuffer(self, node: Any) -> None:
        buffer = node.buffer
        dtype, lanes = _dtype(str(buffer.dtype))
        count = math.prod(int(d) for d in buffer.shape) * lanes
        shared = str(buffer.scope()).startswith("shared")
        shape = (count,) if shared else (self.threads, count)
        if buffer not in self.buffers or not shared:
            self.buffers[buffer] = (
                "shared" if shared else "local", buffer.name, np.zeros(shape, dtype)
            )  # fmt: skip

    def do_IfThenElse(self, node: Any) -> None:
        before, condition = self.active, self.value(node.condition).astype(bool)
        for branch, mask in ((node.then_case, condition), (node.else_case, ~condition)):
            self.active = before & mask
            if branch is not None and self.active.any():
                self.visit(branch)
        self.active = before

    def do_For(self, node: Any) -> None:
        begin, extent = self.value(node.min), self.value(node.extent)
        before = self.active
        turn = 0
        while True:
            self.active = before & (turn < extent)
            if not self.active.any():
                break
            self.variables[node.loop_var] = (begin + turn).astype(np.int32)
            self.visit(node.body)
            turn += 1
        self.active = before

    def do_Evaluate(self, node: Any) -> None:
        """A barrier: threads run in step anyway, but all of them must come by."""
        if "tvm_storage_sync" in str(node.value.op) and not self.active.all():
            raise AssertionError("a barrier that not all threads reach")

    def do_BufferStore(self, node: Any) -> None:
        value, (index,) = self.value(node.value), node.indices
        scope, name, contents = self.buffers[node.buffer]
        places, _ = self._places(node.buffer, contents, scope, index)
        if scope != "local":
            self._note(scope, name, places, contents.itemsize, store=True)
        value = value.reshape(self.threads, -1)
        live = np.flatnonzero(self.active)
        for lane in range(places.shape[1]):
            given = value[live, lane if value.shape[1] > 1 else 0]
            if scope == "local":
                contents[live, places[live, lane]] = given
            else:
                contents[places[live, lane]] = given.view(contents.dtype) if (
                    given.dtype != contents.dtype and given.dtype.itemsize == 4
                ) else given  # fmt: skip

    # ---- values ----

    def value(self, node: Any) -> Array:
        kind = type(node).__name__
        if kind in _BINARY:
            return self._binary(kind, node)
        found: Array = getattr(self, f"of_{kind}")(node)
        return found

    def _binary(self, kind: str, node: Any) -> Array:
        a, b = self.value(node.a), self.value(node.b)
        found = _BINARY[kind](a, b)
        dtype, _ = _dtype(str(node.ty))
        return found if found.dtype == np.dtype(dtype) else found.astype(dtype)

    def _constant(self, value: float, dtype: str) -> Array:
        return np.full(self.threads, value).astype(_dtype(dtype)[0])

    def of_IntImm(self, node: Any) -> Array:
        kind = np.int64 if str(node.ty) != "uint32" else np.uint32
        return np.full(self.threads, int(node.value), kind).astype(_dtype(str(node.ty))[0])

    def of_FloatImm(self, node: Any) -> Array:
        return self._constant(float(node.value), str(node.ty))

    def of_Var(self, node: Any) -> Array:
        found: Array = self.variables[node]
        return found

    def of_Div(self, node: Any) -> Array:
        a, b = self.value(node.a), self.value(node.b)
        if str(node.ty).startswith("float"):
            return a / b
        b = np.where(b == 0, 1, b)
        return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)

    def of_Mod(self, node: Any) -> Array:
        return np.fmod(self.value(node.a), self.value(node.b))

    def of_Not(self, node: Any) -> Array:
        return np.logical_not(self.value(node.a))

    def of_Cast(self, node: Any) -> Array:
        return self.value(node.value).astype(_dtype(str(node.ty))[0])

    def of_Select(self, node: Any) -> Array:
        return np.where(
            self.value(node.condition), self.value(node.true_value), self.value(node.false_value)
        )

    def of_Shuffle(self, node: Any) -> Array:
        (vector,), (index,) = node.vectors, node.indices
        found: Array = self.value(vector).reshape(self.threads, -1)[:, int(index.value)]
        return found

    def of_TensorLoad(self, node: Any) -> Array:
        (index,) = node.indices
        scope, name, contents = self.buffers[node.source]
        places, outside = self._places(node.source, contents, scope, index)
        if scope != "local":
            if (self.active & outside.any(1)).any():
                raise AssertionError(f"{name} is read beyond its {contents.size} elements")
            self._note(scope, name, places, contents.itemsize, store=False)
        live = np.arange(self.threads)[:, None]
        found = contents[live, places] if scope == "local" else contents[places]
        dtype, _ = _dtype(str(node.source.dtype))
        if found.dtype != np.dtype(dtype) and found.dtype.itemsize == np.dtype(dtype).itemsize:
            found = np.ascontiguousarray(found).view(dtype)
        return found[:, 0] if found.shape[1] == 1 else found

    def of_Call(self, node: Any) -> Array:
        name = str(getattr(node.op, "name", node.op)).rpartition(".")[2]
        if name == "if_then_else":
            return self._lazy(*node.args)
        if name == "reinterpret":
            value = np.ascontiguousarray(self.value(node.args[0]))
            return value.view(_dtype(str(node.ty))[0])
        if name == "call_pure_extern":
            name, given = str(node.args[0].value), [self.value(arg) for arg in node.args[1:]]
            return self._dot(*given) if name == DOT else _halves(*given)
        found: Array = _FUNCTIONS[name](*(self.value(arg) for arg in node.args))
        return found.astype(_dtype(str(node.ty))[0])

    def _lazy(self, condition: Any, yes: Any, no: Any) -> Array:
        """Only the threads that a value is for compute it."""
        before, mask = self.active, self.value(condition).astype(bool)
        parts = []
        for branch, which in ((yes, mask), (no, ~mask)):
            self.active = before & which
            parts.append(self.value(branch))
        self.active = before
        return np.where(mask, *parts)

    def _dot(self, a: Array, b: Array) -> Array:
        """`em_dot_4x8`: four products of int8."""
        left, right = (
            np.ascontiguousarray(v).view(np.int8).reshape(-1, 4).astype(np.int32) for v in (a, b)
        )
        total: Array = (left * right).sum(1, dtype=np.int32)
        return total

    # ---- memory ----

    def _places(self, buffer: Any, contents: Array, scope: str, index: Any) -> tuple[Array, Array]:
        """Element numbers [threads, lanes], kept inside, and where they were outside."""
        lanes = _dtype(str(buffer.dtype))[1]
        if isinstance(index, tirx.Ramp):
            first, lanes = self.value(index.base), int(index.lanes)
        else:
            first = self.value(index).astype(np.int64) * lanes
        places = first.astype(np.int64)[:, None] + np.arange(lanes)
        count = contents.shape[-1]
        outside = (places < 0) | (places >= count)
        if scope != "local" and (outside.any(1) & self.active).any():
            raise AssertionError(f"{buffer.name} is accessed beyond its {count} elements")
        return np.clip(places, 0, count - 1), outside

    def _note(self, scope: str, name: str, places: Array, itemsize: int, *, store: bool) -> None:
        side = self.trace.writes if store else self.trace.reads
        traffic = self.trace.local if scope == "shared" else side[name]
        traffic.width = max(traffic.width, itemsize * places.shape[1])
        for start in range(0, self.threads, WARP):
            live = places[start : start + WARP][self.active[start : start + WARP]]
            if not live.size:
                continue
            words = np.unique(live * itemsize // 4)
            traffic.instructions += 1
            traffic.requested += 4 * words.size
            traffic.sectors += np.unique(words // (SECTOR // 4)).size
            if scope == "shared":
                traffic.turns += int(np.bincount(words % BANKS, minlength=BANKS).max())
            else:
                traffic.times.update(words.tolist())
