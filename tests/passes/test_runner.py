"""The runner orders passes, checks that they told the truth, and shows what they did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx_ir as ir
import pytest

from edgemoe import graph_text
from edgemoe.errors import CheckError, OptionError
from edgemoe.graph_pass import GraphPass, PassContext, graph_pass
from edgemoe.pass_order import discover, ordered
from edgemoe.pass_runner import all_passes, run_passes
from edgemoe.specialise import bind_shapes

SMALL = """
<ir_version: 10, opset_import: ["" : 21]>
small (float[2,3] x) => (float[2,3] y) {
  one = Constant <value_float = 1.0> ()
  a = Mul (x, one)
  b = Identity (a)
  c = Exp (b)
  y = Add (c, c)
}
"""

LIAR = """
import numpy as np
import onnx_ir as ir
from edgemoe.graph_pass import graph_pass

@graph_pass(phase="canonicalise", after=("remove_noops",), exact="{exact}")
def lie(model, context):
    for node in model.graph:
        if node.op_type == "Exp":
            node.op_type = "{becomes}"
            node.metadata_props["edgemoe.origin"] = "layers.3.mlp"
            return 1
    return 0
"""


def make(name: str, phase: Any = "canonicalise", after: tuple[str, ...] = ()) -> GraphPass:
    return GraphPass(name, phase, after, "bits", lambda model, context: 0)


def test_the_order_of_the_passes(golden: Callable[[str, str], None]) -> None:
    """`pytest --update-golden` writes it; a new pass shows here where it runs."""
    lines = [f"{p.phase:12} {p.name}  ({p.exact})" for p in all_passes()]
    golden("pass_order.txt", "\n".join(lines) + "\n")


def test_order_is_by_phase_then_after_then_name() -> None:
    passes = [make("z", "import"), make("b", after=("c",)), make("c"), make("a"), make("d")]
    assert [p.name for p in ordered(passes)] == ["z", "a", "c", "b", "d"]


def test_order_refuses_circles_and_unknown_names() -> None:
    with pytest.raises(OptionError, match="in a circle: "):
        ordered([make("a", after=("b",)), make("b", after=("a",))])
    with pytest.raises(OptionError, match="'a' says after='nobody'"):
        ordered([make("a", after=("nobody",))])
    with pytest.raises(OptionError, match="no pass of phase 'canonicalise'"):
        ordered([make("a", after=("i",)), make("i", "import")])


def test_every_file_of_passes_declares_one_pass_of_its_name() -> None:
    import edgemoe.passes

    files = {p.stem for folder in edgemoe.passes.__path__ for p in Path(folder).glob("*.py")}
    assert files - {"__init__"} == {p.name for p in discover()}


def test_every_pass_says_what_it_does_in_a_docstring() -> None:
    for each in all_passes():
        text = each.run.__doc__ or ""
        assert "Given:" in text and "Result:" in text, each.name


def test_a_pass_from_outside_the_tree(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(LIAR.format(exact="bits", becomes="Exp"))
    assert "lie" in [p.name for p in all_passes([file])]
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(OptionError, match="declares no pass"):
        all_passes([tmp_path / "empty.py"])
    with pytest.raises(OptionError, match="no such Python file"):
        all_passes([tmp_path / "absent.py"])


def test_check_names_pass_output_node_and_origin(tools: Any, tmp_path: Path) -> None:
    file = tmp_path / "liar.py"
    file.write_text(LIAR.format(exact="reassociation", becomes="Sinh"))
    model = tools.text(SMALL)
    with pytest.raises(CheckError) as caught:
        run_passes(model, check=tools.feeds(model), extra=[file])
    message = str(caught.value)
    assert "pass 'lie' declares 'reassociation' but output 'y' is off by" in message
    assert "(Sinh) at layers.3.mlp" in message


def test_check_of_bits_is_bit_by_bit(tools: Any, tmp_path: Path) -> None:
    """x / 3 and x * (1 / 3) differ in the last bit only."""
    source = SMALL.replace("c = Exp (b)", "k = Constant <value_float = 3.0> () c = Div (b, k)")
    liar = LIAR.format(exact="{exact}", becomes="Mul").replace(
        'node.op_type == "Exp"', 'node.op_type == "Div"'
    ).replace("return 1", "node.replace_input_with(1, third(model)); return 1") + (
        "def third(model):\n"
        "    tensor = ir.tensor(np.array(1 / 3, np.float32))\n"
        "    value = ir.Value(name='third', shape=ir.Shape([]), const_value=tensor,\n"
        "                     type=ir.TensorType(ir.DataType.FLOAT))\n"
        "    model.graph.register_initializer(value)\n"
        "    return value\n"
    )
    file = tmp_path / "liar.py"
    file.write_text(liar.replace("{exact}", "bits"))
    model = tools.text(source)
    with pytest.raises(CheckError, match=r"declares 'bits' but output 'y' changed in \d of 6"):
        run_passes(model, check=tools.feeds(model), extra=[file])
    file.write_text(liar.replace("{exact}", "reassociation"))
    model = tools.text(source)
    report = run_passes(model, check=tools.feeds(model), extra=[file])
    assert {run.name: run.changes for run in report.runs}["lie"] == 1


def test_dump_shows_before_and_after(tools: Any, tmp_path: Path) -> None:
    run_passes(tools.text(SMALL), dump=tmp_path)
    after = next(tmp_path.glob("*-remove_noops.after.txt")).read_text()
    before = next(tmp_path.glob("*-remove_noops.before.txt")).read_text()
    assert "Identity" in before and "Identity" not in after
    assert "c: f32[2,3] = Exp(x)" in after
    names = sorted(p.name for p in tmp_path.iterdir())
    run_passes(tools.text(SMALL), dump=tmp_path / "again")
    again = sorted(p.name for p in (tmp_path / "again").iterdir())
    assert names == again  # stable enough to diff
    for name in names:
        assert (tmp_path / name).read_text() == (tmp_path / "again" / name).read_text()


def test_stop_after_and_timings(tools: Any) -> None:
    report = run_passes(tools.text(SMALL), stop_after="tidy")
    assert {run.name for run in report.runs if run.changes} <= {"record_origins", "convert_opset"}
    assert report.order[0] == "convert_opset" and "tidy" in report.table()
    with pytest.raises(OptionError, match="no pass is named 'tydi'"):
        run_passes(tools.text(SMALL), stop_after="tydi")


def test_origins_come_from_the_exporter_and_reach_the_regions(tools: Any) -> None:
    model = bind_shapes(tools.export("loop_where"), {"T": 4})
    run_passes(model, phases=("import",))
    origins = {node.metadata_props["edgemoe.origin"] for node in model.graph}
    assert {"router", "mlps.0.first", "mlps.2.second"} <= origins


def test_every_pass_is_idempotent(tools: Any) -> None:
    """Run right after itself, no pass changes anything, in its report or in the graph."""
    passes = [p for p in all_passes() if p.phase in tools.recognise_phases]
    for form in ("gathered", "loop_where", "dense_one_hot", "tiled_batch", "block_flat"):
        model = bind_shapes(tools.export(form), {"T": 5})
        _twice(model, passes)


def test_small_edits_keep_shapes_known(tools: Any) -> None:
    for form in ("gathered_einsum", "block_einsum"):
        model = bind_shapes(tools.export(form), {"T": 5})
        run_passes(model, phases=tools.recognise_phases)
        for graph in [model.graph, *(f.graph for f in model.functions.values())]:
            if graph is model.graph or "MoE" in str(graph.name):
                for node in graph:
                    for value in node.outputs:
                        assert value.dtype is not None and value.shape is not None, value.name


def _twice(model: ir.Model, passes: list[GraphPass]) -> None:
    from edgemoe import shapes
    from edgemoe.pass_runner import settle

    shapes.infer(model)
    for _ in range(3):
        for each in passes:
            if each(model, PassContext()):
                settle(model)
            text = graph_text.to_text(model)
            again = each(model, PassContext())
            if again:
                settle(model)
            converges = each.name in ("fold_constants", "merge_movements", "remove_noops")
            assert again == 0 or converges, each.name
            if not converges:
                assert graph_text.to_text(model) == text, each.name
    for each in passes:
        assert each(model, PassContext()) == 0, each.name


def test_graph_pass_keeps_its_name_and_declaration() -> None:
    @graph_pass(phase="fuse", after=("a",), exact="reassociation")
    def mine(model: ir.Model, context: PassContext) -> int:
        return 7

    assert (mine.name, mine.phase, mine.after, mine.exact) == ("mine", "fuse", ("a",),
                                                               "reassociation")  # fmt: skip
    assert mine(ir.Model(ir.Graph([], [], nodes=[]), ir_version=10), PassContext()) == 7
