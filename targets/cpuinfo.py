"""Which instruction sets of a target a Linux machine runs, by its `/proc/cpuinfo`."""

from __future__ import annotations

from collections.abc import Collection

from edgemoe.targets.spec import Isa, TargetSpec

_FLAGS = {
    "avx512vnni": "avx512_vnni", "avxvnni": "avx_vnni", "avx512bf16": "avx512_bf16",
    "dotprod": "asimddp", "fullfp16": "asimdhp",
}  # fmt: skip
"""How the system spells features of instruction sets, where it differs."""

_V4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


def flags_of(cpuinfo: str, spec: TargetSpec) -> set[str]:
    """The features of the first processor."""
    name = "flags" if spec.architecture == "x86_64" else "Features"
    _, found, rest = cpuinfo.partition(f"\n{name}")
    return set(rest.split("\n", 1)[0].replace(":", " ").split()) if found else set()


def needed_by(isa: Isa) -> set[str]:
    """The features that an instruction set needs, in the system's words."""
    base, *features = isa.name.split("+")
    needed = {_FLAGS.get(feature, feature) for feature in features}
    return needed | (_V4 if base == "x86-64-v4" else set())


def isas_of(spec: TargetSpec, flags: Collection[str]) -> list[Isa]:
    """The instruction sets of `spec` whose features are among `flags`, best last."""
    return [isa for isa in spec.isas if needed_by(isa) <= set(flags)]
