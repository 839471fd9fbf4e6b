"""`--max-ram` by strips of an image: the same bits, and what it costs is said."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import edgemoe
from edgemoe import shapes
from edgemoe.errors import BudgetError
from edgemoe.pass_check import run_in_onnxruntime
from edgemoe.targets.mcu.one_strip import KEPT
from edgemoe.targets.mcu.patches import Candidate, _next
from edgemoe.targets.mcu.strips import Segment, cut, cut_apart, segments_of

pytestmark = pytest.mark.needs("cc")

SIZE = 32


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Two convolutions with steps around a depthwise one with a residual, and a product."""
    path, chance = tmp_path_factory.mktemp("strips") / "net.onnx", np.random.default_rng(0)
    sizes = {"a": (6, 1, 3, 3), "d": (6, 1, 3, 3), "p": (7, 6, 1, 1), "e": (8, 7, 3, 3)}
    texts = []
    for name, shape in sizes.items():
        numbers = ", ".join(f"{x:.4f}" for x in chance.normal(0, 0.25, np.prod(shape)))
        texts.append(f"float[{', '.join(map(str, shape))}] {name} = {{{numbers}}}")
    model = onnx.parser.parse_model(f"""<ir_version: 9, opset_import: ["" : 20]>
    net (float[1, 1, {SIZE}, {SIZE}] x) => (float[1, 8, 8, 8] y) <{", ".join(texts)}> {{
        c = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, a)
        r = Relu (c)
        f = Conv <group = 6, pads = [1, 1, 1, 1]> (r, d)
        g = Gelu (f)
        s = Add (r, g)
        q = Conv (s, p)
        h = Relu (q)
        y = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (h, e)
    }}""")
    onnx.save(model, path)
    return path


def feeds(count=1):
    return np.random.default_rng(1).normal(size=(count, 1, 1, SIZE, SIZE)).astype(np.float32)


@pytest.fixture(scope="module", params=[("f32", 0.65), ("i8", 0.5)], ids=["f32", "i8"])
def both(request, network, tmp_path_factory):
    """The artifact without a limit, and one with less."""
    precision, share = request.param
    folder = tmp_path_factory.mktemp(precision)
    given = {"x": feeds(12)} if precision == "i8" else None
    found = []
    for name in ("whole", "strips"):
        limit = int(found[0].plan.variants[0].arena_bytes * share) if found else None
        found.append(edgemoe.compile(
            network, target="cortex-m4", out=folder / name, precision=precision,
            calibration=given, max_ram=limit,
        ))  # fmt: skip
    return found


def test_strips_keep_the_limit_and_every_bit(both):
    whole, strips = both
    arenas = [a.plan.variants[0].arena_bytes for a in both]
    assert arenas[1] <= 0.65 * arenas[0]
    x = feeds()[0]
    answers = []
    for artifact in both:
        with edgemoe.load(artifact.path) as session:
            answers.append(session.run({"x": x})["y"])
    assert len(np.unique(answers[0])) > 50
    np.testing.assert_array_equal(*answers)
    assert whole.plan.variants[0].steps != strips.plan.variants[0].steps


def test_the_plan_says_what_is_computed_twice(both):
    (decision,) = [d for d in both[1].plan.decisions if d.subject == "max-ram"]
    whole, strips = (sum(s.macs for s in a.plan.variants[0].steps) for a in both)
    assert "strips of" in decision.choice
    assert f"{strips - whole:,} of {strips:,} MACs are computed twice" in decision.reason
    arenas = [f"{a.plan.variants[0].arena_bytes:,} B" for a in both]
    assert f"{arenas[1]} for {arenas[0]}" in decision.reason


@pytest.mark.parametrize("pieces", [2, 3, 8])
def test_rows_are_kept_or_computed_again(network, pieces):
    """Floats in onnxruntime: the same numbers; with rows kept, no row of any tensor twice."""
    graph = ir.load(network)
    shapes.infer(graph)
    x = {"x": feeds()[0]}
    (wanted,) = run_in_onnxruntime(graph, x)
    segment = max(segments_of(graph.graph), key=lambda s: s.last - s.first)
    rows = {}
    for keep in (False, True):
        made = cut_apart(graph, segment, pieces, keep=keep)
        (found,) = run_in_onnxruntime(made, x)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
        convs = [n.outputs[0] for n in made.graph if n.op_type == "Conv"]
        rows[keep] = sum(v.shape[2] for v in convs)
    whole = sum(n.outputs[0].shape[2] for n in graph.graph if n.op_type == "Conv")
    assert rows[True] == whole < rows[False]


def test_rows_are_kept_as_soon_as_the_others_are_read(network):
    """A copy of what is kept stands behind the last reader of its tensor in the strip."""
    graph = ir.load(network)
    shapes.infer(graph)
    segment = max(segments_of(graph.graph), key=lambda s: s.last - s.first)
    nodes = list(cut(graph, segment, 4, keep=True).graph)
    kept = [(n, node) for n, node in enumerate(nodes) if str(node.name).endswith(KEPT)]
    assert len(kept) >= 3
    for number, node in kept:
        source = node.inputs[0]
        users = [nodes.index(use.node) for use in source.uses() if use.node is not node]
        ready = [nodes.index(source.producer()), *users]
        assert number - 1 in ready or nodes[number - 1] in [other for _, other in kept]


def test_what_strips_cannot_reach_is_refused(network, tmp_path):
    with pytest.raises(BudgetError, match="--max-ram allows 300 B"):
        edgemoe.compile(
            network, target="cortex-m4", out=tmp_path / "no", precision="f32", max_ram=300
        )


ONE, OTHER = Segment(0, 3, 8), Segment(2, 5, 8)
TRIED = (
    Candidate(ONE, 2, 100, 1000), Candidate(ONE, 4, 120, 700), Candidate(ONE, 8, 200, 400),
    Candidate(OTHER, 2, 130, 900),
)  # fmt: skip


def test_what_was_lowered_corrects_the_estimates_of_others():
    two, four, eight, other = TRIED
    options = {"last": False, "least": True}
    assert _next(TRIED, {}, 1000, **options) is two  # the fewest MACs
    assert _next(TRIED, {two: 1100}, 1000, **options) is four  # 10 % more: 770
    assert _next(TRIED, {two: 1500}, 1000, **options) is eight  # half more: 1,050 and 1,350
    # With its own factor, not the one in the middle of both parts, which would let `four` in.
    assert _next(TRIED, {two: 1500, other: 905}, 900, **options) is eight


def test_the_smallest_is_tried_where_none_seems_to_fit():
    eight = TRIED[2]
    assert _next(TRIED, {TRIED[0]: 9000}, 410, last=False, least=True) is eight
    assert _next(TRIED, {}, 1000, last=True, least=True) is eight  # no other try is left
    assert _next(TRIED, {TRIED[0]: 9000}, 410, last=False, least=False) is None
    assert _next(TRIED, {}, 300, last=False, least=True) is None
    assert _next(TRIED, dict.fromkeys(TRIED, 9000), 1000, last=False, least=True) is None
