"""What NumPy evaluates is, bit for bit and type for type, what onnxruntime computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import constant_eval, numpy_eval

A = np.array([[-7, 5, 0], [3, -2, 9]], np.int64)
B = np.array([[2, -3, 4], [-1, 6, -5]], np.int64)
F = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
FLAGS = np.array([[True, False, True], [False, False, True]])


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


CASES: dict[str, tuple[str, list[np.ndarray], dict[str, Any]]] = {
    "add": ("Add", [A, B], {}),
    "sub broadcast": ("Sub", [A, ints(1, 2, 3)], {}),
    "mul": ("Mul", [A, B], {}),
    "div towards zero": ("Div", [A, B], {}),
    "mod of the divisor's sign": ("Mod", [A, B], {}),
    "equal": ("Equal", [A, B], {}),
    "less": ("Less", [A, B], {}),
    "greater or equal": ("GreaterOrEqual", [A, B], {}),
    "max": ("Max", [A, B], {}),
    "neg": ("Neg", [A], {}),
    "not": ("Not", [FLAGS], {}),
    "and": ("And", [FLAGS, ~FLAGS], {}),
    "where": ("Where", [FLAGS, A, B], {}),
    "cast": ("Cast", [A], {"to": int(ir.DataType.INT32)}),
    "cast to bool": ("Cast", [A], {"to": int(ir.DataType.BOOL)}),
    "reduce": ("ReduceSum", [A, ints(1)], {"keepdims": 0}),
    "reduce all": ("ReduceProd", [A], {}),
    "reduce max": ("ReduceMax", [A, ints(-2)], {}),
    "gather": ("Gather", [F, ints(2, -1)], {"axis": 2}),
    "gather one": ("Gather", [F, np.array(1, np.int64)], {"axis": 1}),
    "gather nd": ("GatherND", [F, np.array([[0, 1], [1, -1]], np.int64)], {}),
    "transpose": ("Transpose", [F], {"perm": [2, 0, 1]}),
    "transpose all": ("Transpose", [F], {}),
    "reshape": ("Reshape", [F, ints(0, -1)], {}),
    "flatten": ("Flatten", [F], {"axis": 2}),
    "squeeze": ("Squeeze", [F[:, :1], ints(1)], {}),
    "unsqueeze": ("Unsqueeze", [A, ints(0, -1)], {}),
    "expand": ("Expand", [A[:, None], ints(2, 1)], {}),
    "tile": ("Tile", [A, ints(2, 3)], {}),
    "concat": ("Concat", [A, B], {"axis": -1}),
    "slice": ("Slice", [F, ints(-3, 1), ints(9, 2), ints(2, 0)], {}),
    "slice with steps": ("Slice", [F, ints(0), ints(3), ints(-1), ints(2)], {}),
    "range": ("Range", [np.array(n, np.int64) for n in (7, 0, -2)], {}),
    "constant of shape": ("ConstantOfShape", [ints(2, 3)], {"value": ir.tensor(ints(5))}),
    "shape": ("Shape", [F], {"start": 1}),
    "size": ("Size", [F], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_onnxruntime_computes(case: str) -> None:
    op_type, arrays, attributes = CASES[case]
    values = [ir.Value(name=f"x{i}") for i in range(len(arrays))]
    node = ir.node(op_type, values, attributes=attributes)
    node.outputs[0].name = "y"
    found = numpy_eval.compute(node, arrays)
    assert found is not None
    known = dict(zip(values, arrays, strict=True))
    (wanted,) = constant_eval._run([node], [node.outputs[0]], known, 23)
    assert found[0].dtype == wanted.dtype and found[0].shape == wanted.shape
    assert np.array_equal(found[0], wanted)


def test_split() -> None:
    value, sizes = ir.Value(name="x"), ir.Value(name="s")
    node = ir.node("Split", [value, sizes], attributes={"axis": -1}, num_outputs=2)
    found = numpy_eval.compute(node, [F, ints(1, 2)])
    assert found is not None
    assert [a.shape for a in found] == [(2, 2, 1), (2, 2, 2)]


@pytest.mark.parametrize(
    ("op_type", "arrays", "attributes"),
    [
        ("Add", [F, F], {}),  # floating-point arithmetic is onnxruntime's
        ("Div", [A, np.zeros_like(A)], {}),
        ("Cast", [F], {"to": int(ir.DataType.INT64)}),
        ("Slice", [F, ints(3), ints(0), ints(2), ints(-1)], {}),
        ("Reshape", [F, ints(5, 5)], {}),
        ("TopK", [F, ints(1)], {}),
        ("GatherND", [F, np.array([[0], [1]], np.int64)], {"batch_dims": 1}),
    ],
)
def test_what_is_not_sure_is_left(
    op_type: str, arrays: list[np.ndarray], attributes: dict[str, Any]
) -> None:
    node = ir.node(op_type, [ir.Value(name=f"x{i}") for i in range(len(arrays))],
                   attributes=attributes)  # fmt: skip
    assert numpy_eval.compute(node, arrays) is None
