"""Messages about inputs: each names the input, what was given and what is expected."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edgemoe.errors import InputError


@pytest.fixture
def session(toy_artifact):
    return toy_artifact("running").load()


X = np.zeros((3, 6), np.float32)

CASES = {
    "missing": ({}, "input 'x' is missing; expected are x: float32 [n, 6]"),
    "unknown": ({"x": X, "z": X}, "the model has no input 'z'; its inputs are x: float32 [n, 6]"),
    "dtype": (
        {"x": X.astype(np.float64)},
        "input 'x' is float64 [3, 6], expected x: float32 [n, 6]; convert it with "
        "array.astype(numpy.float32)",
    ),
    "byte order": ({"x": X.astype(">f4")}, "input 'x' is >f4 [3, 6], expected x: float32"),
    "list": ({"x": [1.0]}, "input 'x' is a list, expected a NumPy array x: float32 [n, 6]"),
    "none": ({"x": None}, "input 'x' is a NoneType, expected a NumPy array"),
    "none state": ({"x": X, "sum": None}, "input 'sum' is a NoneType, expected a NumPy array"),
    "rank": ({"x": X[0]}, "input 'x' is float32 [6], expected x: float32 [n, 6]"),
    "extent": ({"x": X[:, :5]}, "input 'x' is float32 [3, 5], expected x: float32 [n, 6]"),
    "empty": ({"x": X[:0]}, "input 'x' is float32 [0, 6], expected x: float32 [n, 6] (n tokens"),
    "state": ({"x": X, "sum": X}, "input 'sum' is float32 [3, 6], expected sum: float32 [6]"),
}


@pytest.mark.parametrize("case", CASES)
def test_inputs(session, case):
    inputs, message = CASES[case]
    with pytest.raises(InputError, match=re.escape(message)):
        session.run(inputs)


OUT = {
    "unknown": ({"q": X}, "out has 'q', which is no output; the outputs are y, next"),
    "shape": ({"y": X[:2]}, "out['y'] is float32 [2, 6], expected float32 [3, 6]"),
    "dtype": ({"y": X.astype(int)}, "out['y'] is int64 [3, 6], expected float32 [3, 6]"),
    "layout": ({"y": np.asfortranarray(X)}, "out['y'] must be C-contiguous and writeable"),
}


@pytest.mark.parametrize("case", OUT)
def test_out(session, case):
    out, message = OUT[case]
    with pytest.raises(InputError, match=re.escape(message)):
        session.run({"x": X.copy()}, out=out)


def test_outputs_may_not_overlap_inputs(session):
    x = X.copy()
    with pytest.raises(InputError, match=r"out\['y'\] overlaps input 'x'; give another array"):
        session.run({"x": x}, out={"y": x})
    state = np.ones(6, np.float32)  # of a state they may
    session.run({"x": x, "sum": state}, out={"next": state})
    assert np.array_equal(state, np.ones(6))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_strict_refuses_what_is_not_finite(toy_artifact, bad):
    x = X.copy()
    x[1, 2] = bad
    toy_artifact("running").load().run({"x": x})
    with pytest.raises(InputError, match="input 'x' holds NaN or infinity; clean the data"):
        toy_artifact("running").load(strict=True).run({"x": x})
