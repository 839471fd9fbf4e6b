import pytest

from edgemoe.errors import OptionError
from edgemoe.precision import Pin, Precision, Unit, parse_pins
from edgemoe.weight_format import F16, F32, I4, I8, parse


def unit(*names, role="linear", origin="layers.0.mlp"):
    return Unit(names, role, 256, 32, (False,) * len(names), origin=origin)


def test_a_pin_comes_before_a_name_and_a_name_before_the_default():
    found = Precision(I8, {"a": I4, "b": I4}, pins=[Pin("b", F16)])
    assert [found.choose(unit(n)) for n in "abc"] == [I4, F16, I8]
    assert [u.names for u in found.asked.values()] == [("a",), ("b",), ("c",)]
    assert found.rounds and found.title == "mixed (float16, i4, i8)"


@pytest.mark.parametrize("pattern", ["a", "*mlp", "layers.*", "linear"])
def test_patterns_are_of_weights_modules_and_roles(pattern):
    assert Precision(pins=[Pin(pattern, I4)]).choose(unit("a")) == I4


@pytest.mark.parametrize("role", ["router", "constant"])
def test_the_default_leaves_some_roles_alone(role):
    assert Precision(I4).choose(unit("a", role=role)) == F32
    assert Precision(I4, {"a": F16}).choose(unit("a", role=role)) == F16


def test_weights_of_one_stream_need_one_format():
    with pytest.raises(OptionError, match="one stream"):
        Precision(formats={"a": I4, "b": I8}).choose(unit("a", "b"))


def test_a_pin_that_matches_nothing_is_an_error():
    found = Precision(pins=[Pin("*.nowhere", I4)])
    found.choose(unit("a"))
    with pytest.raises(OptionError, match=r"nowhere"):
        found.refuse_unmatched_pins()


def test_pins_are_read():
    assert parse_pins("i8, *.router=f32,x=i4.g64") == (
        "i8", (Pin("*.router", F32), Pin("x", parse("i4.g64"))),
    )  # fmt: skip
    assert parse_pins("*.router=f32")[0] == "auto"


@pytest.mark.parametrize("text", ["i5", "i5,*.router=f32", "i4.g48", "auto,x=i5"])
def test_an_unknown_format_is_refused_before_a_model_is_read(text):
    with pytest.raises(OptionError, match=r"there is no format|has no option"):
        parse_pins(text)
