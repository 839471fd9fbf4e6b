"""The `Plan`: every decision of a compilation, with its reason, as plain data.

A plan is a straight list of kernel calls per variant (one variant per token bucket), the buffers
that they use with their lifetimes and offsets, and the weights that they read. Host programs are
generated from it, reports are views of it, and it serialises to JSON.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal

Where = Literal[
    "input", "output", "arena", "weights", "around",
    "host", "host_input", "host_output", "host_weights",
]  # fmt: skip
"""In which memory a buffer lies; `host...` is that of the CPU in a plan for a CPU and a GPU."""

DTYPE_BYTES: dict[str, int] = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "int8": 1, "uint8": 1, "int16": 2,
    "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "bool": 1,
}  # fmt: skip


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of the compiled model.

    `shape` holds -1 on the token axis (when there is one); `state_output` names the output that
    becomes this input in the next call (a KV cache, a position). An integer tensor with a `scale`
    stands for the real numbers scale * (integer - zero_point).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    token_axis: int | None = None
    state_output: str | None = None
    scale: float | None = None
    zero_point: int = 0


@dataclass(frozen=True)
class Buffer:
    """A tensor that steps read or write.

    `index` is the number of the input or output (of a program for one block, which is no plan, also
    of a buffer of the program around it), `offset` the byte offset inside the arena or
    inside `weights.bin`. `first` and `last` are the numbers of the first and last step that touch
    it (for the arena: it is live over that closed range). `shares` names the buffer whose bytes
    it reuses in place.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    where: Where
    index: int = -1
    offset: int = -1
    first: int = -1
    last: int = -1
    shares: int | None = None

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        count = DTYPE_BYTES[self.dtype]
        for extent in self.shape:
            count *= extent
        return count


@dataclass(frozen=True)
class Pointer:
    """A kernel argument: the address of a buffer, plus `offset` bytes, plus `stride` per trip.

    `stride` is for steps inside of a `Loop`.
    """

    buffer: int
    offset: int = 0
    stride: int = 0


Argument = Pointer | int
"""What a kernel is called with: an address or a 32-bit integer."""


@dataclass(frozen=True)
class Kernel:
    """A plain C function; its symbol in the objects of instruction set `isa` is `name__isa`.

    `parameters` are C types in order (`float*`, `int32_t*`, `int32_t`, ...); two more `int32_t`
    follow in every kernel: the first task and the task after the last.
    `template` is the kernel family (`linear`, `expert_linear`, `generic`, ...). `uses` are the dot
    products of an instruction set that it depends on ("dot" of int8, "bf16"): where two instruction
    sets have the same, or it uses none, it exists once for both.

    On a GPU a kernel has pointers only, and no task range: a step starts `tasks` work-groups of
    `threads` threads. The parameters at `read_only` never get anything but weights.
    """

    name: str
    parameters: tuple[str, ...]
    template: str
    uses: tuple[str, ...] = ()
    threads: int = 0
    read_only: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rows:
    """How a step can be cut into pieces of rows: row i of its results needs row i of its operands.

    There are `count` rows. `nbytes` has an entry per argument: the bytes from one row to the next,
    0 for what all rows share. `argument` is the number of the integer argument that holds the
    count, if there is one. n rows make ceil(n / block) * columns tasks.
    """

    count: int
    nbytes: tuple[int, ...]
    argument: int | None = None
    block: int = 1
    columns: int = 1

    def tasks(self, rows: int) -> int:
        """Tasks of a step of `rows` rows."""
        return -(-rows // self.block) * self.columns


@dataclass(frozen=True)
class Step:
    """One call of a kernel.

    The tasks `0 <= i < tasks` of a step are independent of each other and may run on any thread;
    steps run one after another. When `tasks_from` is set, the int32 at the start of that buffer
    (read when the step begins) multiplies `tasks`: experts without tokens cost nothing.
    `macs` and `nbytes` (weights and activations read and written) are worst-case static counts.
    `work` is how many multiply-accumulates of float32 and bytes together take as long as the step,
    where that is not their sum. A step is `even` when neighbouring tasks share much of what they
    read: each thread then claims its share of the tasks at once.
    """

    kernel: str
    arguments: tuple[Argument, ...]
    tasks: int = 1
    tasks_from: int | None = None
    label: str = ""  # what it computes, for people: "linear 64x512 -> 512, gelu"
    origin: str = ""  # PyTorch module path
    nodes: tuple[str, ...] = ()  # names of the ONNX nodes that it covers
    macs: int = 0
    nbytes: int = 0
    region: int | None = None  # number of the MoE region that it belongs to
    reason: str = ""  # why this kernel
    rows: Rows | None = None  # None: it cannot be cut
    work: int | None = None
    even: bool = False


@dataclass(frozen=True)
class Loop:
    """Steps `first` to `last` (both included) run `trips` times, one trip after another.

    In a loop over "rows" every trip takes the next rows of the operands. In a loop over "experts" a
    trip belongs to one expert; `counts` is then a buffer of int32 [trips]: a trip whose count is 0
    is left out, and a step whose `tasks_from` is that buffer has `tasks` times the count of its
    trip. Loops do not overlap.

    With `slots`, what the steps read of the weights with a stride is copied to RAM before the trip,
    to one of so many places in turn in the buffer `slot_buffer`.
    """

    first: int
    last: int
    trips: int
    kind: Literal["rows", "experts"]
    counts: int | None = None
    slots: int = 0
    slot_buffer: int | None = None


@dataclass(frozen=True)
class Region:
    """One MoE layer of a variant, with the buffers that tell who was chosen.

    `routing` is "indexed" (`ids`: int32 or int64 [tokens, chosen]) or "scored" (`scores`:
    float32 [tokens, experts], an exact zero means "not active"). `routed_at` is the step after
    which the buffer holds its final value. `expert_bytes` are the weight bytes of one expert.
    An id that names no expert means "nobody". `constant_ids` are the ids where they do not depend
    on the input (soft mixtures, slots of experts); else it is empty.
    """

    name: str
    origin: str
    routing: Literal["indexed", "scored"]
    buffer: int
    routed_at: int
    tokens: int
    experts: int
    chosen: int
    expert_bytes: int
    expert_macs: int  # multiply-accumulates of one (token, expert) pair
    constant_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Variant:
    """The program for one token bucket (`tokens` is None for a model of static shape)."""

    tokens: int | None
    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    regions: tuple[Region, ...]
    arena_bytes: int
    lower_bound_bytes: int  # the largest sum of live bytes over all steps
    loops: tuple[Loop, ...] = ()
    host_bytes: int = 0  # of the CPU's arena in a plan for a CPU and a GPU

    def loop_at(self, step: int) -> Loop | None:
        """The loop that a step is in."""
        return next((x for x in self.loops if x.first <= step <= x.last), None)


@dataclass(frozen=True)
class WeightSection:
    """A named byte range of `weights.bin`; one per expert where a weight has experts."""

    name: str
    offset: int
    nbytes: int
    role: str = ""  # "expert", "router", "linear", "token_mix", "constant"
    expert: int | None = None
    format: str = "float32"


@dataclass(frozen=True)
class Decision:
    """One choice of the compiler with its reason, for `report` and `inspect`."""

    subject: str
    choice: str
    reason: str
    origin: str = ""


Dispatch = Literal["static", "pad", "split"]
"""How an input whose token count is no bucket runs: refused, padded, or split over calls."""


@dataclass(frozen=True)
class Plan:
    """Everything that a host program or a report needs to know of a compiled model."""

    name: str
    target: str
    isas: tuple[str, ...]  # best last
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    variants: tuple[Variant, ...]
    kernels: tuple[Kernel, ...]
    weights: tuple[WeightSection, ...]
    weights_bytes: int
    dispatch: Dispatch = "static"
    dispatch_reason: str = ""
    decisions: tuple[Decision, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Serialise; `from_json` gives an equal plan back."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> Plan:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return Plan(
            **{
                **data,
                "isas": tuple(data["isas"]),
                "inputs": tuple(_tensor(x) for x in data["inputs"]),
                "outputs": tuple(_tensor(x) for x in data["outputs"]),
                "variants": tuple(_variant(x) for x in data["variants"]),
                "kernels": tuple(
                    Kernel(
                        **{
                            **x,
                            "parameters": tuple(x["parameters"]),
                            "uses": tuple(x.get("uses", ())),
                            "read_only": tuple(x.get("read_only", ())),
                        }
                    )
                    for x in data["kernels"]
                ),
                "weights": tuple(WeightSection(**x) for x in data["weights"]),
                "decisions": tuple(Decision(**x) for x in data["decisions"]),
            }
        )


def _tensor(data: dict[str, Any]) -> TensorInfo:
    return TensorInfo(**{**data, "shape": tuple(data["shape"])})


def _variant(data: dict[str, Any]) -> Variant:
    return Variant(
        **{
            **data,
            "buffers": tuple(Buffer(**{**x, "shape": tuple(x["shape"])}) for x in data["buffers"]),
            "steps": tuple(_step(x) for x in data["steps"]),
            "loops": tuple(Loop(**x) for x in data.get("loops", ())),
            "regions": tuple(
                Region(**{**x, "constant_ids": tuple(x["constant_ids"])}) for x in data["regions"]
            ),
        }
    )


def _step(data: dict[str, Any]) -> Step:
    arguments = tuple(x if isinstance(x, int) else Pointer(**x) for x in data["arguments"])
    rows = data.get("rows")
    if rows is not None:
        rows = Rows(**{**rows, "nbytes": tuple(rows["nbytes"])})
    return Step(**{**data, "arguments": arguments, "nodes": tuple(data["nodes"]), "rows": rows})
