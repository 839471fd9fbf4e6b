"""What kernels ask of memory, counted thread by thread: whole lines, every weight once.

No device is needed, and no time is measured: kernels are executed on arrays (`benchmarks/simt`),
and their results are compared with the definition as well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks import simt
from edgemoe.quantise import quantise
from edgemoe.targets.graphics import Graphics
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.attention_kernel import Attention
from edgemoe.targets.kernels.gpu import few_rows, integer_tile, product
from edgemoe.targets.kernels.gpu.attention import GpuAttention
from edgemoe.targets.kernels.gpu.experts import GpuExperts
from edgemoe.targets.kernels.gpu.linear import GpuLinear, product_cut
from edgemoe.targets.kernels.gpu.quantise_rows import QuantiseRows, inputs_apart, row_words
from edgemoe.targets.kernels.gpu.token_mix import GpuTokenMix
from edgemoe.targets.kernels.gpu.weights import Layout
from edgemoe.targets.spec import load_target
from edgemoe.weight_format import parse
from tests.gpu.test_linear import FORMATS, stored

COALESCED = 0.99
CONFLICT_FREE = 1.2  # the sums of a tile, once at its end, are written four to a bank


def facts_of(target: str, **more: Any) -> Graphics:
    facts = load_target(target).gpu
    assert facts is not None
    return replace(facts, **more)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("target", ["opencl", "adreno"])
@pytest.mark.parametrize("name", FORMATS)
def test_one_row_reads_every_weight_once_in_whole_lines(target: str, name: str) -> None:
    """Each byte of the codes is read once, by words of 16 bytes; scales once by who needs them."""
    depth, columns, facts = 128, 128, facts_of(target)
    layout = Layout(parse(name), depth, columns)
    kernel = GpuLinear(ex.Port(), layout, 1, product_cut(facts, layout, 1, 1))
    x, weights = drawn(1, depth), drawn(columns, depth)
    words = layout.pack([weights], [quantise])
    trace = simt.run(kernel, facts, [x, words, np.zeros(columns, np.float32)])
    read = trace.reads["weights"]
    assert len(read.times) == words.size
    assert all(read.times[word] == 1 for word in range(layout.code_words))
    assert max(read.times.values()) <= 4
    assert read.whole == 1.0
    assert read.width == (4 if name == "i3" else 16)
    assert trace.writes["out"].whole >= COALESCED and trace.local.conflicts <= CONFLICT_FREE
    wanted = x @ stored(weights, name).T
    np.testing.assert_allclose(trace.outputs[2], wanted[0], atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("target", ["opencl", "adreno", "mali", "webgpu"])
@pytest.mark.parametrize("columns", [64, 256, 4096])
def test_one_row_occupies_the_device(target: str, columns: int) -> None:
    """As many work-groups as the device wants, or lines of 64 bytes: no processor is idle."""
    facts = facts_of(target)
    layout = Layout(parse("i4.g32"), 1024, columns)
    for sets in (1, 2, 8):
        cut = few_rows.cut_for(facts, layout, 1, 1, sets)
        groups = -(-columns // cut.columns) * sets
        assert groups >= min(facts.busy_groups, columns // few_rows.LINE * sets)
        assert cut.columns >= few_rows.LINE and cut.threads == facts.threads


@pytest.mark.parametrize("name", ["f32", "i4.g32", "i4.zp", "i8"])
def test_a_token_reads_its_experts_alone(name: str) -> None:
    """Gate and value of two of eight experts: their bytes once, and no byte of another one."""
    facts, experts, chosen, hidden, inner = facts_of("adreno"), 8, 2, 64, 64
    layout = Layout(parse(name), hidden, 2 * inner)
    cut = product_cut(facts, layout, 2, 1, chosen)
    epilogue = ex.Apply("Mul", (ex.Port(0), ex.Port(1)))
    kernel = GpuExperts(epilogue, layout, 2, "token", "sorted", chosen, experts, chosen, cut, True)
    x, gate, value = drawn(1, hidden), drawn(experts, inner, hidden), drawn(experts, inner, hidden)
    value = value[::-1].copy()
    packed = [
        np.pad(layout.pack([g, v], [quantise] * 2), (0, layout.stride - layout.words))
        for g, v in zip(gate, value, strict=True)
    ]
    ids = np.array([6, 1], np.int32)
    out = np.zeros((chosen, inner), np.float32)
    trace = simt.run(kernel, facts, [x, np.concatenate(packed), out, ids])
    read = trace.reads["weights"]
    assert read.whole >= COALESCED and read.width == 16
    assert {word // layout.stride for word in read.times} == set(ids.tolist())
    assert len(read.times) == chosen * layout.words
    codes = {w: n for w, n in read.times.items() if w % layout.stride < layout.code_words}
    assert set(codes.values()) == {1}
    kept = [np.stack([stored(m, name) for m in w]) for w in (gate, value)]
    wanted = np.stack([(kept[0][e] @ x[0]) * (kept[1][e] @ x[0]) for e in ids])
    found = trace.outputs[2].reshape(chosen, inner)
    np.testing.assert_allclose(found, wanted, atol=3e-5 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("target", "name"),
    [("opencl", "f32"), ("opencl", "i4.g32"), ("opencl", "i3"), ("adreno", "i8"),
     ("webgpu", "bf16"), ("webgpu", "i2.zp")],
)  # fmt: skip
def test_tiles_read_whole_lines_and_have_no_bank_conflicts(target: str, name: str) -> None:
    """A tile reads its part of the weights once per block of rows."""
    depth, columns, rows, facts = 64, 64, 40, facts_of(target)
    layout = Layout(parse(name), depth, columns)
    cut = product_cut(facts, layout, 1, rows)
    assert cut.is_tile
    kernel = GpuLinear(ex.Port(), layout, rows, cut)
    x, weights = drawn(rows, depth), drawn(columns, depth)
    words = layout.pack([weights], [quantise])
    trace = simt.run(kernel, facts, [x, words, np.zeros((rows, columns), np.float32)])
    blocks, read = -(-rows // cut.rows), trace.reads["weights"]
    scales = layout.words - layout.code_words if layout.given.is_integer else 0
    codes = layout.code_words
    # Scales come with every block of their group, when they are in the cache,
    assert codes * blocks <= read.requested // 4 <= (codes + 4 * scales) * blocks
    # and at the end some are read in parts of a sector.
    assert 32 * read.sectors <= 4 * (codes + 16 * scales) * blocks
    assert trace.reads["a"].whole >= COALESCED
    assert trace.writes["out"].whole >= COALESCED
    assert trace.local.conflicts <= CONFLICT_FREE
    wanted = x @ stored(weights, name).T
    found = trace.outputs[2].reshape(rows, columns)
    np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("name", ["i8", "i4.g64"])
def test_tiles_of_int8_have_no_bank_conflicts(name: str) -> None:
    depth, columns, rows, facts = 128, 64, 40, facts_of("adreno")
    layout = Layout(parse(name), depth, columns)
    kernel = GpuLinear(ex.Port(), layout, rows, integer_tile.cut_of(facts, 1, rows), True)
    count = row_words(layout)
    quantised = QuantiseRows(
        rows, depth, layout.groups, count // layout.groups, inputs_apart(layout), 32
    )
    x, weights = drawn(rows, depth), drawn(columns, depth)
    given = [x, np.zeros(rows * count, np.uint32), np.zeros(rows * layout.groups, np.float32)]
    _, codes, scales = simt.run(quantised, facts, given).outputs
    words, out = layout.pack([weights], [quantise]), np.zeros((rows, columns), np.float32)
    trace = simt.run(kernel, facts, [codes, scales, words, out])
    assert trace.reads["a"].whole >= COALESCED and trace.writes["out"].whole >= COALESCED
    assert trace.local.conflicts <= CONFLICT_FREE
    wanted = x @ stored(weights, name).T
    found = trace.outputs[3].reshape(rows, columns)
    np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())


@pytest.mark.parametrize("name", ["bf16", "i8", "i4.zp", "i3"])
def test_token_mixing_reads_whole_lines(name: str) -> None:
    """Weights from the left: neighbouring threads read neighbouring rows of the result."""
    tokens, channels, rows, facts = 64, 64, 64, facts_of("opencl")
    layout = Layout(parse(name), tokens, rows)
    cut = product.tile_for(facts, layout.block_inputs, 1, rows)
    kernel = GpuTokenMix(ex.Port(), layout, 2, channels, cut)
    x, weights = drawn(2, tokens, channels), drawn(rows, tokens)
    words = layout.pack([weights], [quantise])
    out = np.zeros((2, rows, channels), np.float32)
    trace = simt.run(kernel, facts, [words, x, out])
    assert trace.reads["weights"].whole >= 0.9 and trace.reads["x"].whole >= COALESCED
    assert trace.writes["out"].whole >= COALESCED
    assert trace.local.conflicts <= CONFLICT_FREE
    wanted = stored(weights, name) @ x
    found = trace.outputs[2].reshape(out.shape)
    np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("stored_as", ["float32", "bfloat16"])
def test_attention_reads_keys_and_values_once_in_whole_lines(stored_as: Any) -> None:
    """One query over a cache: every key and value once, however many rows share them."""
    heads, group, keys, size = 4, 2, 128, 64
    pairs, facts = heads // group, facts_of("opencl")
    strides = [heads * size, size, heads * size] + [keys * pairs * size, size, pairs * size] * 2
    strides += [heads * size, size, heads * size, 0, 0, keys, 0, 0, 3]
    spec = Attention(0.125, "none", k=stored_as, v=stored_as)
    kernel = GpuAttention(
        spec, (heads, group, 1, keys, size, size, *strides), 1, group, facts.threads
    )
    q, caches = drawn(1, heads, size), [drawn(keys, pairs, size), drawn(1, keys, pairs, size)[0]]
    if stored_as == "bfloat16":
        whole = [c.view(np.uint32) & 0xFFFF0000 for c in caches]
        caches = [w.view(np.float32) for w in whole]
        given = [(w >> 16).astype(np.uint16).reshape(-1).view(np.uint32) for w in whole]
    else:
        given = list(caches)
    trace = simt.run(kernel, facts, [q, *given, np.zeros((heads, size), np.float32)])
    k, v = trace.reads["k"], trace.reads["v"]
    assert k.repeats == 1.0 and k.whole == 1.0
    assert v.whole == 1.0
    assert 4 * len(v.times) == given[1].nbytes and v.repeats <= 2.0  # of words of two: twice
    scores = np.einsum("hd,chd->hc", q[0], np.repeat(caches[0], group, 1)) * 0.125
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    wanted = np.einsum("hc,chd->hd", shares, np.repeat(caches[1], group, 1))
    np.testing.assert_allclose(trace.outputs[3].reshape(heads, size), wanted, atol=2e-5)


def test_the_counter_sees_what_is_not_coalesced() -> None:
    """Strides, banks and bytes that are read again, by a kernel that does all of it."""
    from tvm.script.ir_builder import tirx as T

    from edgemoe.targets.kernels.gpu import grid

    class Bad:
        threads, groups, parameters = 32, 1, ("float*", "float*")

        def function(self, device: Graphics) -> Any:
            def emit(at: grid.Grid) -> None:
                held = grid.shared(32 * 32)
                T.buffer_store(held, at.buffers["x"][at.thread * 32], [at.thread * 32])
                grid.barrier()
                T.buffer_store(at.buffers["y"], held[at.thread * 32], [at.thread])
                T.buffer_store(at.buffers["y"], at.buffers["x"][at.thread * 32], [at.thread])

            return grid.kernel({"x": "float32", "y": "float32"}, 1, 32, emit)

    x = drawn(1024)
    trace = simt.run(Bad(), facts_of("opencl"), [x, np.zeros(32, np.float32)])
    assert trace.reads["x"].whole == pytest.approx(1 / 8) and trace.reads["x"].repeats == 2.0
    assert trace.local.conflicts == 32.0 and trace.writes["y"].whole == 1.0
    np.testing.assert_array_equal(trace.outputs[1], x[::32])
