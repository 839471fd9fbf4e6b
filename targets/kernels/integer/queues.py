"""The queues of experts: a counting sort of slots (a token's k-th choice) by expert.

    order[offsets[e] ...]   slots of expert e, in their order
    counts[e]               how many

Ids outside of the range belong to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from edgemoe.targets.kernels.integer.cores import local
from edgemoe.targets.kernels.integer.kernel import Buffers, IntegerKernel, Numbers


@dataclass(frozen=True)
class Queues(IntegerKernel):
    """The kernel for one dtype of ids; one task."""

    ids: str

    @property
    def pointers(self) -> dict[str, str]:
        """Dtypes, by name."""
        return {"ids": self.ids, "order": "int32", "offsets": "int32", "counts": "int32"}

    @property
    def integers(self) -> tuple[str, ...]:
        """Names."""
        return ("slots", "experts")

    def emit(self, buffers: Buffers, n: Numbers) -> None:
        """The body; one task per layer."""
        slots, experts, begin, end = n.values()
        ids, offsets, counts = buffers["ids"], buffers["offsets"], buffers["counts"]

        def inside(slot: Expr) -> Expr:
            # Compared before it is narrowed: half of a large number may look like an expert.
            low, high = tirx.const(0, self.ids), tirx.Cast(self.ids, experts)
            return tirx.all(ids[slot] >= low, ids[slot] < high)

        with T.serial(begin, end):
            with T.serial(0, experts) as e:
                T.buffer_store(counts, tirx.const(0, "int32"), [e])
            with T.serial(0, slots) as s, T.If(inside(s)), T.Then():
                expert = local(tirx.Cast("int32", ids[s]))
                T.buffer_store(counts, counts[expert] + 1, [expert])
            T.buffer_store(offsets, tirx.const(0, "int32"), [0])
            with T.serial(0, experts) as e:
                T.buffer_store(offsets, offsets[e] + counts[e], [e + 1])
                T.buffer_store(counts, tirx.const(0, "int32"), [e])
            with T.serial(0, slots) as s, T.If(inside(s)), T.Then():
                expert = local(tirx.Cast("int32", ids[s]))
                place = local(offsets[expert] + counts[expert])
                T.buffer_store(buffers["order"], s, [place])
                T.buffer_store(counts, counts[expert] + 1, [expert])
