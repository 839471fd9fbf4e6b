"""Other projects' quantisers behind one interface: what they give back is a rounded matrix."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compression.equal_bits import rounded
from benchmarks.compression.matrices import Matrix
from benchmarks.environments import environment
from benchmarks.quantiser import Array, Variant, quantiser_names, quantiser_of, run_in, write_task
from benchmarks.quantisers import onnxruntime
from edgemoe.precision import Unit
from edgemoe.weight_format import parse


def matrix(columns: int, depth: int) -> tuple[Array, Array]:
    """Weights, and the Gram matrix of inputs of which one is large and some go together."""
    rng = np.random.default_rng(columns)
    x = rng.standard_normal((500, depth))
    x[:, 0] *= 8
    x[:, 1:5] += x[:, :1]
    return rng.standard_normal((columns, depth)).astype(np.float32), x.T @ x


def relative(one: Array, other: Array) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


@pytest.mark.parametrize(("bits", "low", "high"), [(8, 1e-3, 1e-2), (4, 3e-2, 0.2)])
@pytest.mark.parametrize("method", ["rtn", "rtn symmetric"])
def test_the_kernel_multiplies_with_a_rounded_matrix(
    method: str, bits: int, low: float, high: float
) -> None:
    weight, gram = matrix(24, 64)
    (stored,) = onnxruntime.quantise([weight], [gram], Variant(method, bits, 32))
    assert stored is not None
    assert stored.weight.shape == weight.shape
    assert low < relative(stored.weight, weight) < high
    codes, scales = 24 * 64 * bits // 8, 24 * 2 * 4
    assert codes + scales <= stored.nbytes <= codes + scales + 24 * 2


@pytest.mark.filterwarnings("ignore")
def test_a_matrix_that_a_method_cannot_take_stays_float() -> None:
    """Zero points of 4 bits and an odd number of blocks: onnxruntime's k-quant cannot pack them."""
    weight, gram = matrix(24, 96)
    even, _ = matrix(24, 64)
    found = onnxruntime.quantise([weight, even], [gram, None], Variant("k_quant", 4, 32))
    assert found[0] is None
    assert found[1] is not None


@pytest.mark.filterwarnings("ignore")
def test_the_gptq_of_onnxruntime_compensates_once_its_factor_is_transposed() -> None:
    """As it is, it gives the same codes without any look at the inputs."""
    weight, gram = matrix(24, 64)

    def lost(method: str, seen: Array | None) -> float:
        (stored,) = onnxruntime.quantise([weight], [seen], Variant(method, 4, 32))
        assert stored is not None
        gap = stored.weight - weight
        return float(np.einsum("nk,kl,nl->", gap, gram, gap))

    assert lost("gptq", gram) == lost("gptq", None)
    assert lost("gptq repaired", gram) < 0.6 * lost("gptq", gram)


def test_the_root_of_a_gram_matrix_has_that_gram_matrix() -> None:
    _, gram = matrix(4, 33)
    root = onnxruntime.root_of(gram)
    assert relative(root.T @ root, gram) < 1e-5


def test_ours_by_gram_matrix_loses_less_of_the_product() -> None:
    weight, gram = matrix(24, 64)
    unit = Unit(("w",), "linear", 64, 24, (False,))
    given = Matrix(unit, "w", None, weight, gram)
    gaps = {
        by_gram: rounded(given, parse("i4.a32"), by_gram=by_gram).weight - weight
        for by_gram in (True, False)
    }
    lost = {k: float(np.einsum("nk,kl,nl->", gap, gram, gap)) for k, gap in gaps.items()}
    assert 0 < lost[True] < 0.5 * lost[False]
    assert rounded(given, parse("i8.a32"), by_gram=True).nbytes < 24 * 64 * 2


@pytest.mark.filterwarnings("ignore")
def test_a_quantiser_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    pairs = [matrix(24, 64), matrix(7, 33)]
    write_task(tmp_path, [pair[0] for pair in pairs], [pairs[0][1], None])
    outcomes = run_in(Path(sys.executable), "onnxruntime", tmp_path, environment(1))
    assert [outcome.variant for outcome in outcomes] == list(onnxruntime.VARIANTS)
    rtn = next(outcome for outcome in outcomes if outcome.variant == Variant("rtn", 4, 32))
    assert rtn.failed is None
    (here, _) = onnxruntime.quantise([pair[0] for pair in pairs], [None, None], rtn.variant)
    assert here is not None
    assert np.array_equal(rtn.stored[0].weight, here.weight)
    assert rtn.stored[1].weight.shape == (7, 33)


def test_a_quantiser_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="nobody ended with code 1"):
        run_in(Path(sys.executable), "nobody", tmp_path, environment(1))


def test_unknown_names() -> None:
    assert quantiser_names() == ["onnxruntime", "torchao"]
    with pytest.raises(ValueError, match="no quantiser nobody; there are onnxruntime, torchao"):
        quantiser_of("nobody")
