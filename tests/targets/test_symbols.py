"""The objects and the host program name a kernel alike, whatever the instruction set is called."""

from __future__ import annotations

import re

import pytest

from edgemoe.targets import host_c
from edgemoe.targets.spec import Isa, catalogue, isa_identifier, kernel_symbol


@pytest.mark.parametrize("name", ["x86-64-v3", "armv8.2-a+dotprod", "rv32 (imac)", "caf\u00e9"])
def test_every_other_character_is_an_underscore(name):
    isa = Isa(name, "triple", "cpu", (), 8, 16)
    assert isa.symbol("linear_0") == host_c.kernel_symbol("linear_0", name)
    assert re.fullmatch(r"[A-Za-z0-9_]+", isa.symbol("linear_0"))


def test_what_ships_has_distinct_symbols():
    for spec in catalogue():
        names = [isa_identifier(isa.name) for isa in spec.isas]
        assert len(set(names)) == len(names)


def test_the_form():
    assert kernel_symbol("moe_3", "x86-64-v3") == "moe_3__x86_64_v3"
