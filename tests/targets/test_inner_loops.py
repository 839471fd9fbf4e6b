"""The assembly of the inner loops, for every instruction set: nothing runs here.

A lost `smmla`, a sum in memory or a load that is done twice shows as a difference in `golden/`.
"""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.inner_loops import assembly_of, inner_loops
from edgemoe.targets import load_target
from edgemoe.targets.kernels.float16_product import CHUNK
from edgemoe.targets.kernels.product import product_of
from edgemoe.targets.spec import dots_of
from edgemoe.weight_format import parse

ISAS = {isa.name: isa for name in ("x86-64", "aarch64") for isa in load_target(name).isas}

KERNELS = [
    (name, isa)
    for isa in ISAS
    for name in ("f32", "f16", "f16.a16", "bf16.a16", "i8", "i4")
    if ISAS[isa].owner(dots_of(parse(name))).name == isa
    and (name != "f16.a16" or ISAS[isa].f16 != "widened")  # where it is, the loop is that of f16
]

INSTRUCTIONS = {
    "x86-64-v3": "vpmaddubsw", "x86-64-v3+avxvnni": "{vex} vpdpbusd",
    "x86-64-v4+avx512vnni": "vpdpbusd", "aarch64": "smull2", "aarch64+dotprod": "sdot",
    "aarch64+dotprod+i8mm": "smmla",
}  # fmt: skip

BF16_INSTRUCTIONS = {
    "x86-64-v4+avx512vnni+avx512bf16": "vdpbf16ps", "aarch64+dotprod+fullfp16+i8mm+bf16": "bfmmla",
}  # fmt: skip

PEERS = {
    "aarch64": "x86-64-v3", "aarch64+dotprod": "x86-64-v4+avx512vnni",
    "aarch64+dotprod+fullfp16": "x86-64-v4+avx512vnni",
    "aarch64+dotprod+i8mm": "x86-64-v4+avx512vnni",
    "aarch64+dotprod+fullfp16+i8mm+bf16": "x86-64-v4+avx512vnni+avx512bf16",
}  # fmt: skip
"""x86-64 with instructions of the same kind."""


def heights(name, isa):
    """One row, as for one token, and as many as a tile has."""
    return 1, product_of(parse(name)).tallest(ISAS[isa])


@cache
def loops(name, isa, height):
    return inner_loops(assembly_of(parse(name), ISAS[isa], height))


def longest(name, isa, height):
    return max(loops(name, isa, height), key=lambda loop: loop.macs)


@pytest.mark.parametrize(("name", "isa"), KERNELS)
def test_assembly(golden, name, isa):
    text = "".join(
        f"{height} row{'s' * (height > 1)}, {loop.macs} MACs:\n\n{loop}\n"
        for height in heights(name, isa)
        for loop in loops(name, isa, height)
    )
    golden(f"{name}_{isa}.s", text)


@pytest.mark.parametrize("isa", BF16_INSTRUCTIONS)
def test_the_instruction_for_bfloat16_is_there(isa):
    assert BF16_INSTRUCTIONS[isa] in str(longest("bf16.a16", isa, heights("bf16.a16", isa)[1]))


@pytest.mark.parametrize("height", [1, 4])
def test_float16_is_added_up_as_it_is(height):
    """A turn is a chunk: its sums alone are widened, two instructions for eight of them."""
    loop = longest("f16.a16", "aarch64+dotprod+fullfp16", height)
    products = [line for line in loop.lines if line.startswith("fmla")]
    assert len(products) * 8 == loop.macs and all(".8h" in line for line in products)
    assert str(loop).count("fcvtl") * 8 == loop.macs // CHUNK * 2
    assert loop.spills <= 2  # per turn


@pytest.mark.parametrize("isa", INSTRUCTIONS)
def test_the_instruction_for_int8_is_there(isa):
    assert INSTRUCTIONS[isa] in str(longest("i8", isa, heights("i8", isa)[1]))


@pytest.mark.parametrize("name", ["f32", "f16", "bf16.a16", "i8"])
@pytest.mark.parametrize("isa", ISAS)
def test_sums_stay_in_registers(name, isa):
    for height in heights(name, isa):
        assert [loop.spills for loop in loops(name, isa, height)] == [0] * len(
            loops(name, isa, height)
        )


@pytest.mark.parametrize("name", ["f32", "bf16", "bf16.a16", "f16", "f16.a16", "i8", "i4"])
@pytest.mark.parametrize("isa", PEERS)
def test_instructions_per_mac_are_those_of_x86(name, isa):
    """Within 1.3 times, each weighed with the lanes of its vectors."""
    for here, there in zip(heights(name, isa), heights(name, PEERS[isa]), strict=True):
        own, peer = longest(name, isa, here), longest(name, PEERS[isa], there)
        assert own.per_mac * ISAS[isa].lanes <= 1.3 * peer.per_mac * ISAS[PEERS[isa]].lanes
