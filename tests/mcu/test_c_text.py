"""From the generator's text to C99, and floats that keep every bit."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.errors import UnsupportedOpError
from edgemoe.targets.literals import float_literal
from edgemoe.targets.mcu.arrays import numbers
from edgemoe.targets.mcu.c_text import cleaned, functions_of, split_arguments
from edgemoe.targets.mcu.names import identifier

SOURCE = """\
TVM_DLL void top(float* a, int8_t* b, float* out, int32_t spare, int32_t begin, int32_t end) {
  int32_t _ptr[1];
  _ptr[0] = (begin + 1);
  float _ptr_1[2];
  _ptr_1[0] = a[_ptr[0]];
  int32_t unread = 5;
  inner((&(out[0])), (&(b[(_ptr[0] * 4)])), end);
}
TVM_DLL void inner(float* to, float* from, int32_t n) {
  to[n] = from[0];
}
"""


def test_functions_become_plain_c():
    top, inner = cleaned(functions_of(SOURCE))
    assert top.prototype() == (
        "void top(const float *a, const int8_t *b, float *out, int32_t spare, int32_t begin, "
        "int32_t end)"
    )
    assert inner.prototype() == "void inner(float *to, const float *from, int32_t n)"
    assert list(top.body) == [
        "  (void)(spare);",
        "  int32_t t = (begin + 1);",
        "  float t1[2];",
        "  t1[0] = a[t];",
        "  inner(&out[0], (const float *)(const void *)(&b[(t * 4)]), end);",
    ]


def test_what_is_copied_from_stays_const():
    source = (
        "TVM_DLL void f(int8_t* to, int8_t* from, int32_t n) {\n"
        "  memcpy((&(to[0])), (&(from[0])), n);\n}\n"
    )
    (f,) = cleaned(functions_of(source))
    assert [p.written for p in f.parameters] == [True, False, False]


def test_vectors_have_no_plain_c_form():
    source = "TVM_DLL void f(float* a, int32_t n) {\n  float4 v = *(float4*)(a + n);\n}\n"
    with pytest.raises(UnsupportedOpError, match="kernel f has no plain C form"):
        functions_of(source)


def test_arguments_are_split_at_their_own_level():
    assert split_arguments("(&(a[f(1, 2)])), b, (c + 1))") == ["(&(a[f(1, 2)]))", "b", "(c + 1)"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_literals_keep_every_bit(dtype):
    info = np.finfo(dtype)
    values = [0.1, 1.0, 3e7, info.max, info.tiny, info.tiny / 8, -0.0, 1 / 3, 12582912.0]
    for value in np.array(values, dtype):
        text = float_literal(float(value), np.dtype(dtype).name)
        assert text.strip("()").endswith("f") == (dtype is np.float32)
        back = dtype(text.strip("()").rstrip("f"))
        assert back.tobytes() == value.tobytes(), text
    assert float_literal(float("-inf")) == "(-INFINITY)" and float_literal(float("nan")) == "NAN"


def test_integers_at_the_end_of_their_range_are_valid_c():
    text = "\n".join(numbers(np.array([-(2**31), 2**31 - 1, 0], np.int32)))
    assert text.split() == ["(-2147483647", "-", "1),", "2147483647,", "0,"]
    assert "LL" in "\n".join(numbers(np.array([-(2**63), 1], np.int64)))


def test_names_are_c_names():
    assert [identifier(x) for x in ("my-model.2", "7up", "float", "em_x", "..")] == [
        "my_model_2", "m_7up", "float_", "em_x_", "model",
    ]  # fmt: skip
