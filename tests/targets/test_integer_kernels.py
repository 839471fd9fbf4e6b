"""Every operator of integer programs gives the bits of its reference, on every kind of core."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from edgemoe.errors import UnsupportedOpError
from edgemoe.integer.arithmetic import scaling
from tests.targets.integer_graphs import GraphOfOps, program_of, run

CORES = ("plain", "smlad", "mve")
LIMITS = {"low": -128, "high": 127, "bits": 8}
WIDE = {"low": -32768, "high": 32767, "bits": 16}
CODES = {8: 127, 4: 7, 2: 1}


@pytest.fixture
def same(tmp_path):
    """`same(graph, outputs, core)`: the C gives what the reference gave."""

    def check(graph, outputs, core="plain"):
        for name, got in zip(outputs, run(graph, outputs, core, tmp_path), strict=True):
            np.testing.assert_array_equal(got, graph.arrays[name])

    return check


def chance(seed=0):
    return np.random.default_rng(seed)


def linear(
    graph, x, n, k, bits, *, seed=0, group=0, experts=0, ids=None, shared=1, zero=-3, limits=LIMITS
):
    """Append a product with random weights whose results fill the range."""
    r = chance(seed)
    limit, lead = CODES[bits], (experts,) if experts else ()
    w = r.integers(-limit, limit + 1, (*lead, n, k)).astype(np.int8)
    bias = r.integers(-5000, 5000, (*lead, n)).astype(np.int32)
    largest = int(np.abs(graph.arrays[x].astype(np.int64)).max())
    bound = largest * limit * k * (127 if group else 1) + 5000
    given = scaling(r.uniform(0.2, 1.0, (*lead, n)) * 800 / bound, bound)
    constants = {"w": w, "b": bias, "m": given.multiplier}
    inputs = [x, *([ids] if experts else [])]
    inputs += [graph.constant(f"{name}{seed}", array) for name, array in constants.items()]
    if group:
        factors = r.integers(1, 127, (*lead, n, k // group)).astype(np.int8)
        inputs.append(graph.constant(f"g{seed}", factors))
    attributes = {"left": given.left, "right": given.right, "zero": zero, "weight_bits": bits}
    if experts:
        attributes["shared"] = shared
    return graph.node("ExpertLinear" if experts else "Linear", inputs, **attributes, **limits)[0]


@pytest.mark.parametrize("core", CORES)
def test_products(same, core):
    graph, outputs = GraphOfOps(), []
    cases = [(1, 64, 10, 0), (3, 7, 5, 0), (2, 50, 33, 0), (5, 128, 8, 64), (2, 192, 9, 64)]
    for number, (rows, k, n, group) in enumerate(cases):
        for x_bits in (8, 16):
            reach = 127 if x_bits == 8 else 127 if group else 6000
            x = chance(number).integers(-reach, reach, (rows, k)).astype(f"int{x_bits}")
            name = graph.input(f"x{number}.{x_bits}", x)
            outputs += [
                linear(graph, name, n, k, bits, seed=100 * number + x_bits + bits, group=group)
                for bits in ((4,) if group else (8, 4, 2))
            ]
    same(graph, outputs, core)


@pytest.mark.parametrize("core", CORES)
def test_sums_at_the_limit_of_32_bits(same, core):
    graph = GraphOfOps()
    x = graph.input("x", np.full((1, 512), 32767, np.int16))
    w = np.full((4, 512), 127, np.int8)
    w[1::2] = -127
    given = scaling(2.0**-24, 2**31 - 1)
    names = [graph.constant("w", w), graph.constant("b", np.full(4, 16_383_000, np.int32)),
             graph.constant("m", np.repeat(given.multiplier, 4))]  # fmt: skip
    y = graph.node("Linear", [x, *names], left=given.left, right=given.right, zero=0, **LIMITS)
    same(graph, y, core)


def ir_reshaped(graph, source, name):
    """The ids of a top-k in one row."""
    array = graph.arrays[source].reshape(-1)
    shape = graph.constant(f"{name}.shape", np.array([-1], np.int64))
    value = graph._value(name, array)
    graph.nodes.append(
        ir.Node("", "Reshape", [graph.values[source], graph.values[shape]], outputs=[value],
                name=f"{name}.reshape")
    )  # fmt: skip
    return value


def gated_experts(graph, bits, tokens=6):
    """Append a gated layer of 2 of 4 experts; the name of what the experts give."""
    x = graph.input("x", chance().integers(-100, 100, (tokens, 20)).astype(np.int8))
    scores = graph.input("scores", chance(5).integers(-50, 50, (tokens, 4)).astype(np.int8))
    _, chosen = graph.node("TopK", [scores], k=2)
    ir_reshaped(graph, chosen, "ids")
    up = linear(graph, x, 12, 20, bits, seed=1, experts=4, ids="ids", shared=2)
    gate = linear(graph, x, 12, 20, bits, seed=2, experts=4, ids="ids", shared=2)
    table = graph.constant("table", chance(3).integers(-128, 128, 256).astype(np.int8))
    active = graph.node("Table", [gate, table], bits=8)[0]
    given = scaling(0.01, 2**16)
    m = graph.constant("m", given.multiplier)
    hidden = graph.node(
        "Mul", [up, active, m], zero_a=-3, zero_b=0, left=given.left, right=given.right, zero=1,
        **LIMITS,
    )[0]  # fmt: skip
    return linear(graph, hidden, 20, 12, bits, seed=4, experts=4, ids="ids")


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("bits", "tokens"), [(8, 6), (4, 6), (8, 1), (2, 1)])
def test_a_gated_expert_layer(same, core, bits, tokens):
    graph = GraphOfOps()
    same(graph, [gated_experts(graph, bits, tokens)], core)


def rows_of(graph, name):
    """The usual size of the numbers of a tensor."""
    return float(np.sqrt(np.mean(graph.arrays[name].astype(np.float64) ** 2)))


def weighted_experts(
    graph, bits=8, group=0, *, zero_w=0, biased=True, columns=10, depth=22, tokens=7
):
    """Two of five experts for each token, the last product summed up with weights."""
    r, experts, chosen = chance(7), 5, 2
    x = graph.input("tokens", r.integers(-100, 100, (tokens, 20)).astype(np.int8))
    scores = graph.input("scores2", r.integers(-50, 50, (tokens, experts)).astype(np.int8))
    _, picked = graph.node("TopK", [scores], k=chosen)
    ir_reshaped(graph, picked, "ids2")
    kind = np.int8 if zero_w else np.int16
    least, most = (-128, 128) if zero_w else (0, 32768)
    weights = graph.input("shares2", r.integers(least, most, (tokens, chosen)).astype(kind))
    up = linear(graph, x, depth, 20, 8, seed=41, experts=experts, ids="ids2", shared=chosen)
    right = 3 if zero_w else 14 if group else 11
    rows = graph.node("WeighRows", [up, weights], zero_x=-3, zero_w=zero_w, right=right)[0]
    w = r.integers(-CODES[bits], CODES[bits] + 1, (experts, columns, depth)).astype(np.int8)
    bias = r.integers(-30000, 30000, (experts, columns)).astype(np.int32) * biased
    shift = 9 if group else 12 if bits == 8 else 16  # as large as the products
    largest, usual = (127, 64) if group else (1, 1)
    reach = int(np.abs(graph.arrays[rows].astype(np.int64)).max())
    bound = 2 * depth * CODES[bits] * reach * largest + 2**20
    typical = np.sqrt(2 * depth) * max(CODES[bits] / 2, 1) * rows_of(graph, rows) * usual
    given = scaling(r.uniform(0.2, 1.0, columns) * 40 / typical, bound)
    constants = [("w2", w), ("b2", bias), ("m2", given.multiplier)]
    if group:
        constants.append(("g2", r.integers(1, 127, (experts, columns, depth // group))))
    inputs = [rows, "ids2", weights]
    for name, array in constants:
        inputs.append(graph.constant(name, array.astype(np.int8 if name in "w2g2" else np.int32)))
    return graph.node(
        "ExpertSum", inputs, chosen=chosen, zero_w=zero_w, shift=shift, left=given.left,
        right=given.right, zero=5, weight_bits=bits, **LIMITS,
    )[0]  # fmt: skip


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(
    ("bits", "options"),
    [(8, {}), (8, {"zero_w": -128}), (8, {"biased": False}), (4, {"columns": 7}),
     (2, {}), (4, {"group": 64, "depth": 128}), (8, {"tokens": 1, "columns": 33}),
     (8, {"tokens": 1, "columns": 32, "biased": False, "depth": 16}),
     (4, {"tokens": 1, "columns": 30, "biased": False})],
)  # fmt: skip
def test_experts_that_are_added_up(same, core, bits, options):
    graph = GraphOfOps()
    out = weighted_experts(graph, bits, **options)
    assert np.unique(graph.arrays[out]).size > 20  # the results are no limits
    same(graph, [out], core)


def test_a_bias_counts_in_a_sum_of_experts():
    with_bias, without = GraphOfOps(), GraphOfOps()
    one, other = weighted_experts(with_bias), weighted_experts(without, biased=False)
    assert (with_bias.arrays[one] != without.arrays[other]).mean() > 0.3


def layer_of_scores(kind=np.int8, zero=-128):
    """Four experts of 12 neurons for three tokens, of which one has no expert; one has no token."""
    graph = GraphOfOps()
    x = graph.input("x", chance().integers(-100, 100, (3, 20)).astype(np.int8))
    codes = chance(5).integers(1, 120, (3, 4)) * (chance(6).random((3, 4)) < 0.6)
    codes[1], codes[:, 2], codes[2, 0] = 0, 0, 7
    scores = graph.input("scores", (codes + zero).astype(kind))
    active = graph.node("ActiveIds", [scores], zero_x=zero)[0]
    ir_reshaped(graph, active, "ids")
    up = linear(graph, x, 12, 20, 8, seed=1, experts=4, ids="ids", shared=4)
    table = graph.constant("table", chance(3).integers(-128, 128, 256).astype(np.int8))
    hidden = graph.node("Table", [up, table], bits=8)[0]
    rows = linear(
        graph, hidden, 21, 12, 8, seed=4, experts=4, ids="ids", zero=0, limits=WIDE
    )  # fmt: skip
    given = scaling(1e-3, 4 * 250 * 33000)
    m = graph.constant("m", given.multiplier)
    out = graph.node(
        "Combine", [rows, scores, m], zero_z=0, zero_w=zero, left=given.left, right=given.right,
        zero=1, **WIDE,
    )[0]  # fmt: skip
    return graph, active, rows, out


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize(("kind", "zero"), [(np.int8, -128), (np.int16, 0)])
def test_a_layer_of_experts_whose_score_is_not_zero(same, core, kind, zero):
    graph, active, rows, out = layer_of_scores(kind, zero)
    assert (graph.arrays[active] == -1).sum() > 4 and np.unique(graph.arrays[out][1]).size == 1
    same(graph, [active, out] if kind == np.int8 else [active, rows, out], core)


def test_rows_of_nobody_are_written_where_somebody_reads_them():
    for outputs, filled in ((("out",), 0), (("rows", "out"), 1)):
        graph, _, rows, out = layer_of_scores()
        names = {"rows": rows, "out": out}
        _, variant = program_of(graph.model([names[n] for n in outputs]), "plain")
        assert sum(s.kernel.startswith("fill_rows") for s in variant.steps) == filled
        (between,) = [b for b in variant.buffers if b.name == graph.nodes[3].outputs[0].name]
        assert between.shape == (3, 12)  # a token has an expert once at most


def test_rows_between_experts_need_room_for_one_expert_only():
    graph = GraphOfOps()
    x = graph.input("x", chance().integers(-100, 100, (6, 20)).astype(np.int8))
    scores = graph.input("scores", chance(5).integers(-50, 50, (6, 4)).astype(np.int8))
    _, chosen = graph.node("TopK", [scores], k=2)
    ir_reshaped(graph, chosen, "ids")
    up = linear(graph, x, 12, 20, 8, seed=1, experts=4, ids="ids", shared=2)
    out = linear(graph, up, 20, 12, 8, seed=4, experts=4, ids="ids")
    _, variant = program_of(graph.model([out]), "plain")
    (between,) = [b for b in variant.buffers if b.name == up]
    assert between.shape == (6, 12)  # of 12 rows: two per token, each of another expert
    (loop,) = variant.loops
    assert (loop.trips, loop.kind) == (4, "experts")
    assert not any(s.kernel.startswith("fill_rows") for s in variant.steps)  # all are computed
    assert all(s.tasks_from == loop.counts for s in variant.steps[loop.first : loop.last + 1])


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_ids_of_nobody(same, dtype):
    graph = GraphOfOps()
    x = graph.input("x", chance().integers(-100, 100, (7, 9)).astype(np.int8))
    big = 2**31 - 1 if dtype == np.int32 else 2**40
    ids = graph.input("ids", np.array([0, -1, 3, 4, 2, big, 0], dtype))
    out = linear(graph, x, 5, 9, 8, experts=4, ids=ids)
    same(graph, [out])


def test_elementwise(same):
    r, graph = chance(), GraphOfOps()
    a = graph.input("a", r.integers(-128, 128, (4, 6)).astype(np.int8))
    b = graph.input("b", r.integers(-128, 128, (4, 6)).astype(np.int8))
    wide = graph.input("wide", r.integers(-32768, 32768, (4, 6)).astype(np.int16))
    row = graph.constant("row", r.integers(-128, 128, (1, 6)).astype(np.int8))
    column = graph.constant("column", r.integers(-128, 128, (4, 1)).astype(np.int8))
    sums = {"zero_a": 3, "zero_b": -5, "factor_a": 3000, "factor_b": -2000, "right": 12, "zero": 1}
    outputs = [graph.node("Add", pair, **sums, **LIMITS)[0] for pair in ([a, b], [a, row])]
    sums |= {"zero_a": 0, "zero": 0, "right": 13}
    outputs += graph.node("Add", [wide, column], **sums, **WIDE)
    given = scaling(0.01, 2**17)
    m = graph.constant("m", given.multiplier)
    factor = {"left": given.left, "right": given.right, "zero": 1}
    outputs += graph.node("Mul", [a, b, m], zero_a=3, zero_b=-5, **factor, **LIMITS)
    given = scaling(200.0, 256)
    m = graph.constant("n", given.multiplier)
    outputs += graph.node(
        "ChangeScale", [a, m], zero_x=3, left=given.left, right=given.right, zero=0, **WIDE
    )
    for name, size, bits, values in (
        ("t8", 256, 8, 128), ("t16", 256, 16, 32768), ("c", 513, 0, 32768),
    ):  # fmt: skip
        dtype = np.int8 if bits == 8 else np.int16
        t = graph.constant(name, r.integers(-values, values, size).astype(dtype))
        if bits:
            outputs += graph.node("Table", [a, t], bits=bits)
        else:
            outputs += graph.node("Curve", [wide, t], bits=16, right=7)
            outputs += graph.node("Curve", [wide, t], bits=8, right=15)
    given = scaling(0.05, 5 * 33000)
    m = graph.constant("o", given.multiplier)
    for axis in (0, 1):
        outputs += graph.node(
            "Mean", [wide, m], axis=axis, zero_x=0, left=given.left, right=given.right, zero=0,
            keep=0, **WIDE,
        )  # fmt: skip
    same(graph, outputs)


@pytest.mark.parametrize("stored", ["int8", "int16"])
@pytest.mark.parametrize("centred", [0, 1])
def test_norms(same, centred, stored):
    r, graph, outputs = chance(), GraphOfOps(), []
    reach = np.iinfo(stored).max // 2
    gamma = graph.constant("gamma", r.integers(1, reach, 33).astype(stored))
    beta = graph.constant("beta", r.integers(-reach, reach, 33).astype(stored))
    rows = {
        "int8": r.integers(-128, 128, (5, 33)), "int16": r.integers(-32768, 32768, (5, 33)),
    }  # fmt: skip
    for dtype, array in rows.items():
        narrow = 0 if dtype == "int8" else 7 if centred else 1
        array[1] = 5  # no variance at all
        x = graph.input(dtype, array.astype(dtype))
        for epsilon in (0, 3):
            outputs += graph.node(
                "Norm", [x, gamma, beta], centred=centred, zero_x=5 * (dtype == "int8"),
                narrow=narrow, epsilon=epsilon, fraction=11, right=18, zero=1, beta_left=3,
                **LIMITS,
            )  # fmt: skip
    same(graph, outputs)


def test_softmax_shares_and_choices(same):
    r, graph = chance(), GraphOfOps()
    a = graph.input("a", r.integers(-128, 128, (4, 17)).astype(np.int8))
    wide = graph.input("wide", r.integers(-32768, 32768, (4, 17)).astype(np.int16))
    ties = graph.input("ties", r.integers(-3, 3, (4, 17)).astype(np.int8))
    d = np.arange(256)
    coarse = graph.constant("coarse", np.rint(32767 * np.exp(-0.05 * d)).astype(np.int16))
    fine = graph.constant("fine", np.rint(32767 * np.exp(-0.05 / 256 * d)).astype(np.int16))
    outputs = []
    for bits in (8, 16):
        outputs += graph.node("Softmax", [a, coarse], bits=bits)
        outputs += graph.node("Softmax", [wide, coarse, fine], bits=bits)
    few = np.full((3, 4), -128, np.int8)  # a row of zeros, of one number, of small ones
    few[1, 2], few[2] = 5, [-127, -128, 100, 3]
    outputs += graph.node("Shares", [graph.input("few", few)], zero_x=-128)
    for k in (1, 4, 17):
        outputs += graph.node("TopK", [a], k=k) + graph.node("TopK", [ties], k=k)
    same(graph, outputs)


def test_sums_of_experts_and_products_of_activations(same):
    r, graph = chance(), GraphOfOps()
    z = graph.input("z", r.integers(-128, 128, (8, 5)).astype(np.int8))
    weights = graph.input("weights", r.integers(0, 16000, (4, 2)).astype(np.int16))
    given = scaling(1 / 32768, 2 * 140 * 16000)
    m = graph.constant("m", given.multiplier)
    outputs = graph.node(
        "Combine", [z, weights, m], zero_z=4, zero_w=0, left=given.left, right=given.right,
        zero=-9, **LIMITS,
    )  # fmt: skip
    many = graph.input("many", r.integers(-128, 128, (18, 5)).astype(np.int8))
    shares = graph.input("shares", r.integers(0, 3500, (2, 9)).astype(np.int16))
    outputs += graph.node(
        "Combine", [many, shares, m], zero_z=4, zero_w=0, left=given.left, right=given.right,
        zero=-9, **LIMITS,
    )  # fmt: skip
    q = graph.input("q", r.integers(-128, 128, (1, 4, 3, 16)).astype(np.int8))
    k = graph.input("k", r.integers(-128, 128, (1, 4, 5, 16)).astype(np.int8))
    given = scaling(0.001, 128 * 128 * 16)
    m = graph.constant("n", given.multiplier)
    outputs += graph.node("MatMul", [q, k, m], left=given.left, right=given.right, zero=0, **LIMITS)
    same(graph, outputs)


CONVS = [
    # x, w, groups, step, apart, pad
    ((2, 3, 7, 9), (5, 3, 3, 3), 1, (1, 1), (1, 1), (1, 1)),
    ((1, 4, 8, 8), (4, 1, 3, 5), 4, (2, 1), (1, 2), (1, 4)),
    ((1, 6, 5, 5), (4, 3, 2, 2), 2, (1, 2), (2, 1), (0, 1)),
    ((2, 3, 11), (6, 3, 4), 1, (1, 2), (1, 1), (0, 3)),
    ((1, 2, 3, 30), (2, 2, 1, 11), 1, (1, 1), (1, 1), (0, 5)),  # more taps than are unrolled
    ((1, 2, 9, 13), (4, 1, 5, 3), 2, (3, 2), (2, 1), (7, 0)),  # windows above and below the image
    ((1, 1, 2, 4), (1, 1, 3, 1), 1, (1, 1), (1, 1), (1, 0)),  # one tile
    ((1, 1, 4, 2), (3, 1, 3, 7), 1, (1, 1), (1, 1), (1, 3)),  # every window over both edges
]


@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_convolutions(same, kind):
    r, graph, outputs = chance(), GraphOfOps(), []
    zero_x = -7 if kind == np.int8 else 0
    for number, (shape, filters, groups, step, apart, pad) in enumerate(CONVS):
        reach = 128 if kind == np.int8 else 3000
        x = graph.input(f"x{number}", r.integers(-reach, reach, shape).astype(kind))
        w = r.integers(-127, 128, filters).astype(np.int8)
        bias = r.integers(-5000, 5000, filters[0]).astype(np.int32)
        bound = int(np.prod(filters[1:])) * 127 * reach + 5000
        factors = r.uniform(0.2, 1.0, filters[0]) * 400 / bound
        given = scaling(factors, bound)
        constants = [
            graph.constant(f"{name}{number}", array)
            for name, array in (("w", w), ("b", bias), ("m", given.multiplier))
        ]
        sizes = [(1, *shape[2:])[-2:], (1, *filters[2:])[-2:]]
        out = [
            (size + 2 * p - a * (taps - 1) - 1) // s + 1
            for size, taps, s, a, p in zip(*sizes, step, apart, pad, strict=True)
        ]
        outputs += graph.node(
            "Conv", [x, *constants], groups=groups, zero_x=zero_x, height=out[0], width=out[1],
            step_y=step[0], step_x=step[1], apart_y=apart[0], apart_x=apart[1], pad_y=pad[0],
            pad_x=pad[1], left=given.left, right=given.right, zero=3,
            **(LIMITS if number % 2 else LIMITS | {"low": -20, "high": 90}),
        )  # fmt: skip
    same(graph, outputs)


def test_convolutions_whose_sums_do_not_fit_are_refused(same):
    """The zero point at every tap is in the bias, which is an int32."""
    graph = GraphOfOps()
    x = graph.input("x", np.zeros((1, 9000, 1, 8), np.int8))
    given = scaling(1e-9, 2**31 - 1)
    constants = [
        graph.constant("w", np.full((1, 9000, 1, 5), 127, np.int8)),
        graph.constant("b", np.zeros(1, np.int32)),
        graph.constant("m", np.array([given.multiplier], np.int32).reshape(-1)),
    ]
    outputs = graph.node(
        "Conv", [x, *constants], groups=1, zero_x=-128, height=1, width=4, step_y=1, step_x=1,
        apart_y=1, apart_x=1, pad_y=0, pad_x=0, left=given.left, right=given.right, zero=0,
        **LIMITS,
    )  # fmt: skip
    with pytest.raises(UnsupportedOpError, match="sums of 45,000 taps of int8 may reach"):
        same(graph, outputs)


def heads_of_a_cache(graph, kind, sizes):
    """Heads of a cache [tokens, heads, width], by rows and turned; two heads of a share one."""
    r, name = chance(), np.dtype(kind).name
    rows, tokens, width = sizes
    heads, group = 3, 2
    reach = 128 if kind == np.int8 else 6000
    arrays = {
        "cache": r.integers(-127, 128, (tokens, heads, width)).astype(np.int8),
        "shares": r.integers(-reach, reach, (heads * group, rows, tokens)).astype(kind),
        "queries": r.integers(-reach, reach, (rows, heads * group, width)).astype(kind),
    }
    cache, shares, queries = (graph.input(f"{what}.{name}", a) for what, a in arrays.items())
    usual = 42 * reach * np.sqrt(max(tokens, width))  # of a sum: results are no limits
    given = scaling(50 / usual, 128 * reach * 33)
    m = graph.constant(f"m.{name}", given.multiplier)
    common = {
        "matrices": heads * group, "rows": rows, "group": group, "matrix_b": width,
        "left": given.left, "right": given.right, "zero": 2, **LIMITS,
    }  # fmt: skip
    outputs = graph.node(
        "MatMulInPlace", [queries, cache, m], columns=tokens, depth=width,
        matrix_a=width, row_a=heads * group * width, column_b=heads * width, depth_b=1, **common,
    )  # fmt: skip
    return outputs + graph.node(
        "MatMulInPlace", [shares, cache, m], columns=width, depth=tokens,
        matrix_a=rows * tokens, row_a=tokens, column_b=1, depth_b=heads * width, **common,
    )  # fmt: skip


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("kind", [np.int8, np.int16])
@pytest.mark.parametrize("sizes", [(1, 9, 33), (3, 8, 16), (2, 1, 7), (1, 20, 1)])
def test_a_cache_is_read_where_it_lies(same, core, kind, sizes):
    graph = GraphOfOps()
    same(graph, heads_of_a_cache(graph, kind, sizes), core)
