"""How strips are rounded, and what is done where a target says no."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe import shapes
from edgemoe.compression.goal import Goal
from edgemoe.compression.samples import Samples
from edgemoe.errors import BudgetError
from edgemoe.integer.quantise import quantise
from edgemoe.integer.ranges import Seen
from edgemoe.integer.strip_scales import STRIP, bulk_of, outliers_of
from edgemoe.targets.mcu.strips import Segment, cut, cut_apart, like, place_strips, segments_of

HEIGHT, ROWS, FACTOR = 16, 2, 30.0


def seen(**reaches):
    return {
        f"{name}{STRIP}{n}": Seen(-reach, reach / 2, 4, 0, np.full(4, reach, np.float32))
        for name, each in reaches.items()
        for n, reach in enumerate(each)
    }


def test_outliers_are_far_from_the_middle_strip():
    assert outliers_of(seen(a=[1, 1.9, 1, 1]), 4) == {}
    assert outliers_of(seen(a=[1, 2, 1, 1], b=[3, 3, 3, 12]), 4) == {1: 2.0, 3: 4.0}
    assert outliers_of(seen(a=[8, 1]), 2) == {0: 8.0}  # of two, the lesser is the middle
    assert outliers_of(seen(a=[0, 5, 0, 0]), 4) == {}  # zeros lose nothing to any scale


def test_the_others_share_what_was_seen_of_them():
    given = seen(a=[1, 30, 1.5, 0.5])
    found = bulk_of(given, 4)
    assert set(found) == {"a.strip0", "a.strip2", "a.strip3"}
    assert len({id(one) for one in found.values()}) == 1
    one = found["a.strip0"]
    assert (one.low, one.high, one.count) == (-1.5, 0.75, 12)


@pytest.fixture(scope="module")
def graph():
    """Two convolutions, and a factor that brings all rows to one size; the first rows are large."""
    chance = np.random.default_rng(0)
    arrays = {
        "a": chance.uniform(-1, 1, (4, 1, 3, 3)) / 3, "b": chance.uniform(-1, 1, (2, 4, 3, 3)) / 6,
        "even": np.where(np.arange(HEIGHT) < ROWS, 1 / FACTOR, 1.0)[:, None],
    }  # fmt: skip
    model = ir.from_onnx_text(f"""<ir_version: 10, opset_import: ["" : 23]>
    net (float[1,1,{HEIGHT},8] x, float[4,1,3,3] a, float[2,4,3,3] b, float[{HEIGHT},1] even)
     => (float[1,2,{HEIGHT},8] y) {{
        c = Conv <pads = [1, 1, 1, 1]> (x, a)
        g = Gelu (c)
        v = Conv <pads = [1, 1, 1, 1]> (g, b)
        y = Mul (v, even)
    }}""")
    for value in [v for v in model.graph.inputs if v.name in arrays]:
        array = arrays[str(value.name)].astype(np.float32)
        value.const_value = ir.tensor(array, name=value.name)
        model.graph.inputs.remove(value)
        model.graph.register_initializer(value)
    shapes.infer(model)
    return model


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(1).normal(size=(32, 1, 1, HEIGHT, 8)).astype(np.float32)
    x[..., :ROWS, :] *= FACTOR
    return Samples({"x": x}, {}, {}, tuple(range(32)))


@dataclass
class Strips:
    """Four strips of everything in front of the factor; `most` tensors of strips have 16 bits."""

    model: ir.Model
    most: int = 99
    known: bool = True
    pieces: int = 4

    @property
    def segment(self) -> Segment:
        last = next(n for n, node in enumerate(self.model.graph) if node.outputs[0].name == "v")
        return next(s for s in segments_of(self.model.graph) if (s.first, s.last) == (0, last))

    def of_floats(self, graph):
        segment = like(graph, self.model, self.segment) if self.known else None
        return None if segment is None else cut_apart(graph, segment, self.pieces)

    def of_integers(self, graph):
        return cut(graph, self.segment, self.pieces)

    def placed(self, graph):
        made = graph.clone()
        place_strips(made.graph)
        return made

    def arena_bytes(self, graph):
        wide = [
            v for node in graph.graph for v in node.outputs
            if str(v.name).rpartition(".")[2].startswith("strip") and v.dtype == ir.DataType.INT16
            and str(v.name).startswith(("c", "g"))
        ]  # fmt: skip
        return None if len(wide) > self.most else 1000 + len(wide)


def made(graph, data, *, goal=None, **options):
    def divide(model):
        strips = Strips(model.model, **options)
        if strips.arena_bytes(strips.of_integers(model.model)) is None:
            raise BudgetError(f"c of {model.tensors['c'].bits} bits is too large")
        return strips

    return quantise(graph, data, precision="i8", goal=goal, divide=divide)


def error_of(model, graph, data):
    wanted = quantise(graph, data, precision="i8", wide=["*"])  # 16 bits everywhere
    pairs = [(model.run(f)["y"], wanted.run(f)["y"]) for f in data.feeds()]
    return np.mean([np.mean((a - b) ** 2) / np.mean(b**2) for a, b in pairs])


def test_what_is_chosen_is_the_program(graph, data):
    """Room for 16 bits in one strip: that which gains most has them."""
    narrow = quantise(graph, data, precision="i8", goal=Goal(max_loss=0.1))
    assert narrow.report["tensors"]["widened_by_the_search"] == []
    model = made(graph, data, most=2)
    said = model.report["strips"]
    (strip,) = said["int16"]
    assert set(said["outliers"]) == {"0"} and said["choice"].endswith(f"int16 in {strip}")
    assert strip not in said["too_large"] != []
    assert error_of(model, graph, data) < 0.2 * error_of(narrow, graph, data)
    operators = [node.op_type for node in model.model.graph]
    assert operators.count("PlaceRows") == 4 and "Concat" not in operators
    bits = [model.tensors[f"c{STRIP}{n}"].bits for n in range(4)]
    assert bits == [16 if n == strip else 8 for n in range(4)]


def test_strips_share_the_scale_of_the_bulk(graph, data):
    model = made(graph, data, most=0)
    said = model.report["strips"]
    assert said["choice"] == "scales of strips" and said["int16"] == []
    assert said["too_large"] != []
    assert said["controls"]["all strips int16"]["arena_bytes"] is None
    first, *others = (model.tensors[f"c{STRIP}{n}"] for n in range(4))
    assert others[0] == others[1] == others[2]
    assert others[0].bits == first.bits == 8 and others[0].scale < first.scale / 10


def test_strips_that_floats_do_not_have_keep_their_scales(graph, data):
    whole = quantise(graph, data, precision="i8")
    model = made(graph, data, known=False)
    assert model.report["strips"]["reason"] == "the float graph has no such part"
    for feed in list(data.feeds())[:4]:
        np.testing.assert_array_equal(model.run(feed)["y"], whole.run(feed)["y"])


def test_a_limit_of_bytes_holds_for_constants_of_strips(graph, data):
    free = made(graph, data, goal=Goal(max_loss=0.1), most=0)
    rows = free.report["strips"]["controls"]
    least, own = (rows[n]["constant_bytes"] for n in ("common scales", "scales of strips"))
    assert least < own and free.report["strips"]["choice"] == "scales of strips"
    tight = Goal(max_loss=0.1, max_bytes=(least + own) // 2)
    assert made(graph, data, goal=tight, most=0).report["strips"]["choice"] == "common scales"


def test_tensors_that_do_not_fit_with_16_bits_are_tried_with_8(graph, data):
    """What the search has widened needs more memory than there is; scales of strips do not."""
    goal = Goal(max_loss=0.02)
    whole = quantise(graph, data, precision="i8", goal=goal)
    assert {"c", "v"} <= set(whole.report["tensors"]["widened_by_the_search"])
    model = made(graph, data, goal=goal, most=0)
    assert model.report["strips"]["choice"] == "scales of strips"
    assert model.report["tensors"]["widened_by_the_search"] == ["v"]
    assert model.report["loss"] <= 0.02


def test_a_limit_that_nothing_keeps_is_refused_for_what_was_chosen(graph, data):
    with pytest.raises(BudgetError, match="c of 16 bits is too large"):
        made(graph, data, goal=Goal(max_loss=0.02), most=-1)
