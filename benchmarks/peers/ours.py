"""edgemoe, compiled from the graph that torch exports, in every precision that it has."""

from __future__ import annotations

from benchmarks.cases import Case, forms_of
from benchmarks.contestant import Array, Call, Contestant, Kit

NEEDS = "edgemoe"
REQUIREMENTS = ("apache-tvm", "numpy", "onnx")

PRECISIONS = (
    "f32", "bf16", "bf16.a16", "f16", "f16.a16", "i8", "i8.g32", "i4", "i4.g64", "i4.g128",
)  # fmt: skip


def contestants(case: Case) -> list[Contestant]:
    return [Contestant("ours", precision, precision) for precision in PRECISIONS]


def prepare(contestant: Contestant, kit: Kit) -> None:
    import edgemoe

    form = forms_of(kit.case)[0]
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
    feed = {spec.name: inputs[spec.name] for spec in session.inputs}

    def call() -> Array:
        return session.run(feed)["y"]

    return call
