"""A damaged .onnx file is read or refused with a sentence; it never crashes the process."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgemoe.errors import EdgemoeError
from edgemoe.frontend import Source, load_model


def _small() -> bytes:
    weight = numpy_helper.from_array(np.ones((3, 2), np.float32), name="w")
    flag = numpy_helper.from_array(np.array(True), name="flag")
    leaf = helper.make_graph(
        [helper.make_node("Neg", ["h"], ["n"])],
        "leaf",
        [],
        [helper.make_tensor_value_info("n", TensorProto.FLOAT, ["T", 2])],
    )
    twice = helper.make_function(
        "f",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 20)],
    )
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="product"),
            helper.make_node("If", ["flag"], ["n"], then_branch=leaf, else_branch=leaf),
            helper.make_node("Softmax", ["n"], ["s"], axis=-1),
            helper.make_node("Twice", ["s"], ["y"], domain="f"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", 2])],
        [weight, flag],
    )
    model = helper.make_model(graph, functions=[twice], ir_version=10, opset_imports=[
        helper.make_opsetid("", 20), helper.make_opsetid("f", 1)])  # fmt: skip
    return model.SerializeToString()


SMALL = _small()


def load(tmp_path, data: bytes) -> Source | None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    try:
        return load_model(path)
    except EdgemoeError as error:
        assert str(error).strip()
        return None


def test_the_whole_file_is_read(tmp_path):
    assert load(tmp_path, SMALL) is not None


@settings(deadline=None, max_examples=300,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    flips=st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(1, 255)), min_size=1,
                   max_size=4),
)  # fmt: skip
def test_flipped_bytes(tmp_path, flips):
    data = bytearray(SMALL)
    for place, mask in flips:
        data[place] ^= mask
    load(tmp_path, bytes(data))


@settings(deadline=None, max_examples=100,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(start=st.integers(0, len(SMALL)), length=st.integers(0, 40), new=st.binary(max_size=20))
@example(start=0, length=len(SMALL), new=b"")
def test_cut_and_inserted_bytes(tmp_path, start, length, new):
    load(tmp_path, SMALL[:start] + new + SMALL[start + length :])


def test_every_single_bit_of_the_first_bytes(tmp_path):
    for place in range(24):
        for bit in range(8):
            data = bytearray(SMALL)
            data[place] ^= 1 << bit
            load(tmp_path, bytes(data))


def test_deeply_nested_messages(tmp_path):
    """Graphs in graphs, 300 deep: a limit of the parser, not of the stack."""
    node = b"\x22\x03Neg"  # NodeProto.op_type
    for _ in range(300):
        graph = b"\x0a" + _varint(len(node)) + node  # GraphProto.node
        attribute = b"\x32" + _varint(len(graph)) + graph + b"\xa0\x01\x05"  # g, type GRAPH
        node = b"\x2a" + _varint(len(attribute)) + attribute  # NodeProto.attribute
    graph = b"\x0a" + _varint(len(node)) + node
    assert load(tmp_path, SMALL + b"\x3a" + _varint(len(graph)) + graph) is None


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
