"""Messages about .onnx files: not ONNX, cut off, other versions, edges, weights elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from edgemoe.errors import ModelError
from edgemoe.frontend import load_model


@pytest.fixture
def proto() -> onnx.ModelProto:
    """y = Relu(x @ w), w 8 x 4, with a free first axis."""
    weight = numpy_helper.from_array(np.ones((8, 4), np.float32), name="w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"], name="product"),
         helper.make_node("Relu", ["h"], ["y"], name="activation")],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", 4])],
        [weight],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture
def refuse(tmp_path: Path):
    """`refuse(proto or bytes, "message")`: written to a file, it is refused with this message."""

    def check(content: onnx.ModelProto | bytes, message: str) -> None:
        path = tmp_path / "model.onnx"
        path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
        with pytest.raises(ModelError, match=message):
            load_model(path)

    return check


def test_no_file(tmp_path):
    with pytest.raises(ModelError, match=r"nothing.onnx does not exist; give a .onnx, a .pt2 or"):
        load_model(tmp_path / "nothing.onnx")
    with pytest.raises(ModelError, match="is a folder; give the"):
        load_model(tmp_path)


def test_no_onnx(refuse, proto):
    refuse(b"", r"is empty \(0 bytes\)")
    refuse(b"PK\x03\x04 something else entirely", "is no ONNX file, or was cut off")
    refuse(b"\x08\x0a", "it holds no graph")
    refuse(proto.SerializeToString()[:-60], r"is no ONNX file, or was cut off: .*\n  next: copy")


def test_weights_without_computation(tmp_path):
    with pytest.raises(ModelError, match="holds weights without the computation\n  next: write a"):
        load_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize("version", [0, 2, 99, -1])
def test_ir_version(refuse, proto, version):
    proto.ir_version = version
    refuse(proto, f"the file has ir_version {version}; 3 to 14 can be read\n  next: save it")


@pytest.mark.parametrize("version", [16, 24, 0, -3])
def test_opset(refuse, proto, version):
    proto.opset_import[0].version = version
    refuse(proto, f"the model uses opset {version}; 17 to 23 are supported\n  next: .*convert_vers")


def test_no_opset(refuse, proto):
    del proto.opset_import[:]
    refuse(proto, r"does not say which version of the ONNX operators it uses \(no opset_import\)")


def test_two_opsets(refuse, proto):
    proto.opset_import.append(helper.make_opsetid("ai.onnx", 18))
    refuse(proto, "imports ai.onnx as version 20 and as version 18")


def test_duplicate_names(refuse, proto):
    broken = onnx.ModelProto.FromString(proto.SerializeToString())
    broken.graph.node[1].output[0] = "h"
    refuse(broken, "the model makes 'h' twice: a name has one producer")
    broken.graph.node[1].output[0] = "x"
    refuse(broken, "the model makes 'x' twice")
    proto.graph.initializer.append(proto.graph.initializer[0])
    refuse(proto, "the model has 2 weights named 'w'")
    del proto.graph.initializer[1]
    proto.graph.input.append(proto.graph.input[0])
    refuse(proto, "the model has 2 inputs named 'x'")


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None), "sequence"),
        (helper.make_value_info("x", helper.make_optional_type_proto(
            helper.make_tensor_type_proto(1, [2]))), "optional"),
        (helper.make_value_info("x", helper.make_map_type_proto(
            TensorProto.INT64, helper.make_tensor_type_proto(1, [2]))), "map"),
        (helper.make_value_info("x", helper.make_sparse_tensor_type_proto(1, [2])),
         "sparse tensor"),
    ],
)  # fmt: skip
def test_inputs_that_are_no_tensors(refuse, proto, made, what):
    proto.graph.input[0].CopyFrom(made)
    refuse(proto, f"input 'x' is a {what}; models take and give tensors only\n  next: export")


def test_element_types(refuse, proto):
    kind = proto.graph.input[0].type.tensor_type
    kind.elem_type = TensorProto.STRING
    refuse(proto, "input 'x' holds strings; .*\n  next: cut the text processing out")
    kind.elem_type = TensorProto.COMPLEX64
    refuse(proto, "input 'x' holds complex numbers")
    kind.elem_type = 77
    refuse(proto, "input 'x' has the unknown element type 77")
    proto.graph.input[0].ClearField("type")
    refuse(proto, "input 'x' has no type")


def test_extents(refuse, proto):
    extents = proto.graph.input[0].type.tensor_type.shape.dim
    extents[0].dim_value = -1
    refuse(proto, "input 'x' has extent -1 at axis 0; .*\n  next: give the dimension a name")
    extents[0].dim_value = (1 << 63) - 1
    refuse(proto, r"input 'x' has shape \[9223372036854775807, 8\], 7.* elements; at most")


def test_nothing_to_compute(refuse, proto):
    del proto.graph.output[:]
    refuse(proto, "the model has no outputs")


def test_missing_producers(refuse, proto):
    broken = onnx.ModelProto.FromString(proto.SerializeToString())
    broken.graph.node[1].input[0] = "g"
    refuse(broken, r"node 'activation' \(Relu\) of the model reads 'g', which nobody makes")
    proto.graph.output[0].name = "z"
    refuse(proto, "the model has the output 'z', which nobody makes")


def test_cycles(refuse, proto):
    proto.graph.node[0].input[0] = "y"
    refuse(proto, "nodes that wait for each other: product, activation\n  next: a graph has no cyc")


def test_nodes_in_another_order_are_sorted(proto, tmp_path):
    nodes = [proto.graph.node[1], proto.graph.node[0]]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del proto.graph.node[:]
    proto.graph.node.extend(copies)
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    source = load_model(tmp_path / "model.onnx")
    assert [node.name for node in source.model.graph] == ["product", "activation"]


def test_a_node_against_its_schema(refuse, proto):
    broken = onnx.ModelProto.FromString(proto.SerializeToString())
    broken.graph.node[1].input.append("x")
    refuse(broken, r"node 'activation' \(Relu\) is not valid ONNX: .*has input size 2 not in range")
    proto.graph.node[1].attribute.append(helper.make_attribute("speed", 3))
    refuse(proto, r"node 'activation' \(Relu\) is not valid ONNX: Unrecognized attribute: speed")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.dims.__setitem__(0, -8), r"tensor 'w' has extent -8 at axis 0"),
        (lambda t: t.dims.__setitem__(0, 9), r"tensor 'w' FLOAT\[9, 4\] needs 144 B, the file has"),
        (
            lambda t: t.dims.__setitem__(0, 1 << 62),
            r"needs 73786976294838206464 B|needs 73,786,976",
        ),
        (lambda t: setattr(t, "data_type", 99), r"tensor 'w' has the unknown element type 99"),
        (lambda t: t.ClearField("raw_data"), r"needs 32 values, the file has 0"),
    ],
)
def test_weights_of_another_size(refuse, proto, change, message):
    change(proto.graph.initializer[0])
    refuse(proto, message)


def test_a_weight_in_an_attribute(refuse, proto):
    tensor = helper.make_tensor("", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
    tensor.dims[0] = 4
    proto.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))
    refuse(proto, r"float_data size \(3\) is too small for the declared shape")


def nested(depth: int) -> onnx.NodeProto:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["h"], ["inner"])], "leaf", [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )  # fmt: skip
    for _ in range(depth):
        node = helper.make_node("If", ["flag"], ["inner"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph(
            [node], "level", [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)]
        )
    return graph.node[0]


def test_graphs_inside_nodes(refuse, proto):
    proto.graph.initializer.append(numpy_helper.from_array(np.array(True), name="flag"))
    node = nested(2)
    del node.output[:]
    node.output.append("z")
    node.attribute[0].g.node[0].attribute[0].g.node[0].input[0] = "lost"
    proto.graph.node.append(node)
    refuse(proto, r"node '#0' \(Identity\) of a graph inside node '#0' reads 'lost'")


def function(name: str, calls: str, times: int = 1) -> onnx.FunctionProto:
    nodes = [helper.make_node(calls, ["a" if i == 0 else f"v{i}"], [f"v{i + 1}"], domain="f")
             for i in range(times)]  # fmt: skip
    return helper.make_function(
        "f", name, ["a"], [f"v{times}"], nodes, [helper.make_opsetid("", 20),
                                                 helper.make_opsetid("f", 1)]
    )  # fmt: skip


def test_functions(refuse, proto):
    proto.opset_import.append(helper.make_opsetid("f", 1))
    proto.graph.node[1].domain, proto.graph.node[1].op_type = "f", "F0"
    proto.functions.extend([function("F0", "F1"), function("F1", "F0")])
    refuse(proto, "function f::F0 calls itself")
    del proto.functions[:]
    proto.functions.extend([function(f"F{i}", f"F{i + 1}", 10) for i in range(9)])
    refuse(
        proto, r"the model has 1,111,\d+,\d+ nodes with its functions inlined; at most 2,000,000"
    )
    del proto.functions[:]
    proto.functions.extend([function("F0", "G"), function("F0", "G")])
    refuse(proto, "the model defines function f::F0 twice")


# Weights in files beside the model.


def external(proto: onnx.ModelProto, location: str, **entries: int) -> onnx.ModelProto:
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return proto


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "a/../../w.bin", "C:\\w.bin",
                                      "..\\w.bin", "\\\\host\\share\\w.bin"])  # fmt: skip
def test_weights_outside_the_folder(refuse, proto, tmp_path, location):
    (tmp_path.parent / "w.bin").write_bytes(bytes(128))
    where = re.escape(repr(location))
    message = f"weight 'w' lies in {where}, outside the folder of the model .*\n  next: put the"
    refuse(external(proto, location), message)


def test_a_link_out_of_the_folder(refuse, proto, tmp_path):
    target = tmp_path.parent / f"{tmp_path.name}.bin"
    target.write_bytes(bytes(128))
    (tmp_path / "w.bin").symlink_to(target)
    refuse(external(proto, "w.bin"), "weight 'w' lies in 'w.bin', outside the folder")


def test_weights_that_are_not_there(refuse, proto):
    refuse(external(proto, "w.bin"), "weight 'w' lies in 'w.bin', which is not in .*\n  next: copy")


def test_a_file_that_is_too_short(refuse, proto, tmp_path):
    (tmp_path / "w.bin").write_bytes(bytes(127))
    refuse(external(proto, "w.bin"), "needs bytes 0 to 128 of 'w.bin', which has 127 B")
    tensor = proto.graph.initializer[0]
    tensor.external_data.add(key="offset", value="64")
    refuse(proto, "needs bytes 64 to 192 of 'w.bin', which has 127 B")


@pytest.mark.parametrize("entry", [{"offset": -1}, {"offset": 10**30}, {"length": "0x10"}])
def test_sizes_that_are_none(refuse, proto, tmp_path, entry):
    (tmp_path / "w.bin").write_bytes(bytes(128))
    key = next(iter(entry))
    refuse(external(proto, "w.bin", **entry), f"its external {key} is .*, which is no size")


def test_another_length(refuse, proto, tmp_path):
    (tmp_path / "w.bin").write_bytes(bytes(128))
    refuse(external(proto, "w.bin", length=64), r"FLOAT\[8, 4\] needs 128 B, its entry says 64 B")


def test_external_weights_in_memory(proto):
    with pytest.raises(ModelError, match="the model was given in memory\n  next: give the path"):
        load_model(external(proto, "w.bin"))


def test_a_folder_that_cannot_be_read(refuse, proto, tmp_path):
    (tmp_path / "w.bin").mkdir()
    refuse(external(proto, "w.bin"), "which is not in")


def test_attribute_types_are_checked(refuse, proto):
    proto.graph.node[1].op_type = "LeakyRelu"
    proto.graph.node[1].attribute.append(
        AttributeProto(name="alpha", type=AttributeProto.STRING, s=b"much")
    )
    refuse(proto, "node 'activation' .* is not valid ONNX: Mismatched attribute type")
