"""What is measured: a case is a workload with its number of tokens, or its batch.

Nothing but the standard library is imported here: the environments of all peers read this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Moe:
    """A layer of SwiGLU experts behind a softmax router whose top-k weights sum to 1."""

    hidden: int
    inner: int
    experts: int
    chosen: int
    shared: bool = False  # one more expert, as wide as the others, that every token goes through


MOE = {
    "W1": Moe(512, 1024, 16, 2),
    "W2": Moe(512, 256, 64, 8, shared=True),
    "W6": Moe(2048, 768, 16, 8),
    "tiny": Moe(32, 64, 4, 2, shared=True),  # of the tests
}
DECODER = Moe(256, 512, 8, 2)
LAYERS, HEADS, VOCABULARY, CONTEXT = 4, 8, 256, 128

WORKLOADS = {
    "W1": "MoE layer as in Mixtral: H 512, I 1024, E 16, top 2, SwiGLU",
    "W2": "fine-grained MoE layer: H 512, I 256, E 64, top 8, one shared expert of the same width",
    "W6": "MoE layer as in Qwen3-30B-A3B: H 2048, I 768, top 8, of 16 experts (128 there), SwiGLU",
    "W3": "MoE decoder: 4 layers, hidden 256, 8 heads, I 512, E 8, top 2",
    "W4": "PatchTSMixer of transformers: 512 -> 96, 7 channels, 8 layers, 64 wide",
    "W5": "MLP-Mixer: 8 layers, 256 wide, 64 tokens",
    "etth1": "the forecaster that ships, trained on ETTh1",
    "co2": "the forecaster that ships, trained on CO2",
    "digits": "the MLP-Mixer that ships, trained on digits",
}
SHIPPED = {
    "etth1": "edgemoe.models.forecaster",
    "co2": "edgemoe.models.forecaster",
    "digits": "edgemoe.models.digits_mixer",
}
"""The module of a model that ships; its factory has the name of the workload."""


@dataclass(frozen=True)
class Case:
    """One workload at one size: `W1.T8` (tokens), `W4.B32` (batch), `W3.prefill`, `W3.decode`."""

    name: str

    @property
    def workload(self) -> str:
        """The key of `WORKLOADS`."""
        return self.name.split(".")[0]

    @property
    def size(self) -> int:
        """Tokens of a layer or decoder, or the batch of a mixer."""
        size = self.name.split(".")[1]
        return {"prefill": CONTEXT, "decode": 1}.get(size) or int(size[1:])

    @property
    def moe(self) -> Moe | None:
        """The shape of the experts; None where the workload has none."""
        return DECODER if self.workload == "W3" else MOE.get(self.workload)

    @property
    def is_layer(self) -> bool:
        """Whether the workload is a single MoE layer, float32 [T, H] to the same."""
        return self.workload in MOE


def cases_of(workload: str, tokens: Sequence[int], batches: Sequence[int]) -> list[Case]:
    """All cases of a workload.

    Raises:
        ValueError: no such workload.
    """
    if workload in MOE:
        return [Case(f"{workload}.T{count}") for count in tokens]
    if workload == "W3":
        return [Case("W3.prefill"), Case("W3.decode")]
    if workload in SHIPPED:
        return [Case(f"{workload}.B1")]
    if workload in WORKLOADS:
        return [Case(f"{workload}.B{count}") for count in batches]
    raise ValueError(f"no workload {workload}; there are {', '.join(WORKLOADS)}")


PLACED = "placed"
"""The decoder whose caches have room for the next token, which is written in its place."""

MOST_LOOPS = 16
"""Experts up to which the unrolled loop is exported: for 64, torch takes minutes."""

MOST_GATHERED = 8
"""Tokens up to which `gather` is exported: beyond, it is several times too slow for everybody."""


def forms_of(case: Case) -> list[str]:
    """The graphs that a kit has, by name (see `benchmarks.layers`); `model` without experts."""
    if case.moe is None:
        return ["model"]
    return [
        "grouped",
        *(["loop"] if case.moe.experts <= MOST_LOOPS else []),
        *(["gather"] if case.size <= MOST_GATHERED else []),
    ]


def more_forms_of(case: Case) -> list[str]:
    """Graphs of a kit that another question is asked of: not for every contestant."""
    return [PLACED] if case.name == "W3.decode" else []
