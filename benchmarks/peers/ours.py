"""edgemoe, compiled from the graph that torch exports, in every precision that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cases import CONTEXT, Case, forms_of, more_forms_of
from benchmarks.contestant import Array, Call, Contestant, Kit

if TYPE_CHECKING:
    from edgemoe.runtime import Session

NEEDS = "edgemoe"
REQUIREMENTS = ("apache-tvm", "numpy", "onnx")

PRECISIONS = (
    "f32", "bf16", "bf16.a16", "f16", "f16.a16", "i8", "i8.g32", "i4", "i4.g64", "i4.g128",
)  # fmt: skip


IN_PLACE = " in place"
"""Ends the names of those whose session keeps the caches, with room for the next token."""


def contestants(case: Case) -> list[Contestant]:
    ways = ["", *(IN_PLACE for _ in more_forms_of(case))]
    return [Contestant("ours", f"{p}{way}", p) for way in ways for p in PRECISIONS]


def prepare(contestant: Contestant, kit: Kit) -> None:
    import edgemoe

    in_place = contestant.variant.endswith(IN_PLACE)
    form = (more_forms_of if in_place else forms_of)(kit.case)[0]
    edgemoe.compile(
        kit.onnx(form),
        precision=contestant.format,
        cpu="native",
        out=kit.folder_of(contestant) / "m.em",
    )


def load(contestant: Contestant, kit: Kit, threads: int) -> Call:
    from edgemoe.runtime import load as load_artifact

    inputs = kit.inputs()
    session = load_artifact(kit.folder_of(contestant) / "m.em", threads=threads)
    if contestant.variant.endswith(IN_PLACE):
        return _in_place(session, inputs)
    feed = {spec.name: inputs[spec.name] for spec in session.inputs}

    def call() -> Array:
        return session.run(feed)["y"]

    return call


def _in_place(session: Session, inputs: dict[str, Array]) -> Call:
    """The first call is given the caches, to compare its result; later ones have the session's."""
    token = {"x": inputs.pop("x"), "position": np.array([CONTEXT])}
    caches = {
        name: np.pad(cache.transpose(1, 0, 2), ((0, 1), (0, 0), (0, 0)))
        for name, cache in inputs.items()
    }
    feeds = [token | caches]

    def call() -> Array:
        return session.run(feeds.pop() if feeds else token)["y"]

    return call
