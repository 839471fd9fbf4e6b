from __future__ import annotations

import pytest

from edgemoe.errors import OptionError
from edgemoe.weight_format import BASES, F32, I4, I8, parse


@pytest.mark.parametrize("text", [
    *BASES, "i8.g32", "i4.g64", "i4.g128.zp", "i4.zp.a32", "i2.a32", "ternary.g128", "i8.a32",
    "i3.g64.zp.a32",
])  # fmt: skip
def test_names_come_back(text):
    found = parse(text)
    assert parse(found.name) == found


def test_the_default_group_has_no_name():
    assert parse("i4.g32") == I4
    assert I4.name == "i4"


def test_options_in_any_order():
    assert parse("i4.zp.g64") == parse("i4.g64.zp")


def test_zero_points_of_int8_need_groups():
    assert parse("i8.zp").group == 128
    assert I8.group == 0


@pytest.mark.parametrize(("text", "parts"), [
    ("i5", ["no format 'i5'", "i4", "ternary"]),
    ("f32.g32", ["f32 has no options"]),
    ("i4.g48", ["no option 'g48'", "g128"]),
    ("ternary.zp", ["no option 'zp'"]),
    ("i4.", ["no option ''"]),
    ("", ["no format ''"]),
])  # fmt: skip
def test_what_is_no_format(text, parts):
    with pytest.raises(OptionError) as error:
        parse(text)
    for part in parts:
        assert part in str(error.value)


def test_groups_are_no_larger_than_the_depth_needs():
    assert parse("i4.g128").for_depth(40).group == 64
    assert parse("i4.g128").for_depth(8).group == 32
    assert parse("i4.g64").for_depth(4096).group == 64
    assert F32.for_depth(8) == F32
