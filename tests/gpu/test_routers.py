"""Routers on GPUs choose as on CPUs: each against the kernel of the CPU, on the same logits."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgemoe.targets.codegen import compile_kernels
from edgemoe.targets.cpu import isas_here
from edgemoe.targets.gpu.codegen import source_of
from edgemoe.targets.gpu.package import local_bytes
from edgemoe.targets.gpu.task_kernel import TaskKernel
from edgemoe.targets.kernels.gpu.call import Call
from edgemoe.targets.kernels.gpu.route import RouteToken, stand_in
from edgemoe.targets.kernels.route import Route
from edgemoe.targets.spec import load_target
from tests.gpu.launch import DEVICES, launch

pytestmark = pytest.mark.needs("device:opencl", "device:webgpu")

Routed = tuple[np.ndarray, np.ndarray]
OnCpu = Callable[[str, list[np.ndarray], int, int, int], Routed]

PLAIN = Route(
    score="softmax", bias=False, groups=1, top_groups=1, group_score="max", softmax_after=False,
    sigmoid_after=False, renormalise=False, eps=0.0, eps_mode="add", scale=1.0, largest=True,
)  # fmt: skip
ROUTERS = {
    "softmax": PLAIN,
    "mixtral": replace(PLAIN, renormalise=True),
    "after": replace(PLAIN, score="none", softmax_after=True),
    "smallest": replace(PLAIN, score="none", largest=False, sigmoid_after=True),
    "biased": replace(PLAIN, score="sigmoid", bias=True, renormalise=True, eps=1e-20, scale=2.5),
    "at_least": replace(PLAIN, score="sigmoid", renormalise=True, eps=3.0, eps_mode="max"),
    "length": replace(PLAIN, norm=2.0, expert_scale=True),
    "absolute": replace(PLAIN, score="none", norm=1.0, bias=True, expert_scale=True),
    "nobody": replace(PLAIN, renormalise=True, skip_from=5),
    "deepseek": replace(
        PLAIN, score="sigmoid", bias=True, groups=2, top_groups=1, group_score="sum2",
        renormalise=True, eps=1e-20, scale=2.5,
    ),
    "groups": replace(PLAIN, score="none", groups=2, top_groups=1, softmax_after=True),
    "least_groups": replace(PLAIN, score="none", groups=2, top_groups=1, largest=False),
}  # fmt: skip
SIZES = [(6, 2), (8, 2), (60, 4), (128, 8), (256, 8)]


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory: pytest.TempPathFactory) -> OnCpu:
    """`on_cpu(router, given, chosen, tokens, experts)` -> ids and weights of the CPU's kernel."""
    target = load_target("cpu")
    isa, folder = isas_here(target)[0], tmp_path_factory.mktemp("routers")
    objects = compile_kernels({n: s.build(n, isa) for n, s in ROUTERS.items()}, isa, folder)
    path = folder / "kernels.so"
    subprocess.run([*target.compiler, "-shared", *objects, "-o", path, "-lm"], check=True)
    library = ctypes.CDLL(str(path))

    def run(router: str, given: list[np.ndarray], chosen: int, tokens: int, experts: int) -> Routed:
        ids, weights = np.zeros((tokens, chosen), np.int64), np.zeros((tokens, chosen), np.float32)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*given, ids, weights)]
        getattr(library, isa.symbol(router))(*pointers, experts, chosen, 0, tokens)
        return ids, weights

    return run


def inputs(router: str, tokens: int, experts: int) -> list[np.ndarray]:
    """Logits in steps, so that there are ties, and what else the router is given."""
    chance = np.random.default_rng(experts)
    logits = np.round(chance.standard_normal((tokens, experts)) * 8).astype(np.float32) / 4
    given = [logits]
    if ROUTERS[router].bias:
        given.append(chance.choice([0.0, 0.11, 0.37], experts).astype(np.float32))
    if ROUTERS[router].expert_scale:
        given.append(chance.uniform(0.5, 2.0, experts).astype(np.float32))
    return given


def on_gpu(
    device: str, router: str, given: list[np.ndarray], chosen: int, threads: int = 0
) -> Routed:
    """Ids and weights of the GPU's kernel, which is the one of work-groups."""
    facts = load_target(device).gpu
    assert facts is not None
    if threads:
        facts = replace(facts, threads=threads)
    tokens, experts = given[0].shape
    out = [np.full((tokens, chosen), -7, np.int32), np.full((tokens, chosen), np.nan, np.float32)]
    words = tuple(a.size for a in (*given, *out))
    made = stand_in(Call(ROUTERS[router], (experts, chosen), tokens, words, facts))
    assert isinstance(made, RouteToken) and made.groups == tokens
    text = source_of("k", made.function(facts), facts, ())
    assert local_bytes(text) == made.local_bytes
    ids, weights = launch(device, made, [*given, *out], range(len(given)))[-2:]
    return ids, weights


def same(found: Routed, wanted: Routed) -> None:
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_allclose(found[1], wanted[1], rtol=3e-6, atol=1e-7)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("router", ROUTERS)
def test_every_kind_of_router(device: str, router: str, on_cpu: OnCpu) -> None:
    given = inputs(router, 17, 60)
    same(on_gpu(device, router, given, 4), on_cpu(router, given, 4, 17, 60))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("experts", "chosen"), SIZES)
@pytest.mark.parametrize(("router", "tokens"), [("mixtral", 17), ("deepseek", 1), ("after", 1)])
def test_numbers_of_experts(
    device: str, router: str, tokens: int, experts: int, chosen: int, on_cpu: OnCpu
) -> None:
    given = inputs(router, tokens, experts)
    found = on_gpu(device, router, given, chosen)
    same(found, on_cpu(router, given, chosen, tokens, experts))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("router", ["mixtral", "after", "smallest", "biased", "deepseek"])
def test_ties_nan_and_infinities(device: str, router: str, on_cpu: OnCpu) -> None:
    """More experts than threads, and rows where numbers say nothing: experts are chosen once."""
    experts, chosen = 40, 8
    given = inputs(router, 10, experts)
    logits = given[0]
    logits[0] = 1.5  # all the same
    logits[1] = np.nan
    logits[2, 7::9] = np.nan
    logits[3, 7::9] = -np.nan
    logits[4] = -np.inf
    logits[5, 30:] = -np.inf
    logits[6, 3] = np.inf
    logits[7] = np.where(np.arange(experts) % 3, np.float32(-0.0), np.float32(0.0))
    logits[8, 30] = 1e30
    logits[9] = -1e30
    ids, weights = on_gpu(device, router, given, chosen, threads=16)
    assert all(len(set(row)) == chosen for row in ids.tolist())
    same((ids, weights), on_cpu(router, given, chosen, 10, experts))


@pytest.mark.parametrize("device", DEVICES)
def test_as_many_choices_as_experts(device: str, on_cpu: OnCpu) -> None:
    given = inputs("after", 3, 33)
    same(on_gpu(device, "after", given, 33), on_cpu("after", given, 33, 3, 33))
    one = inputs("softmax", 2, 1)
    same(on_gpu(device, "softmax", one, 1), on_cpu("softmax", one, 1, 2, 1))


def test_subgroups_share_the_softmax(on_cpu: OnCpu) -> None:
    facts = load_target("webgpu").gpu
    assert facts is not None
    device = replace(facts, subgroups=4)  # lavapipe has 4 at least
    given = inputs("mixtral", 3, 60)
    out = [np.zeros((3, 4), np.int32), np.zeros((3, 4), np.float32)]
    made = stand_in(Call(ROUTERS["mixtral"], (60, 4), 3, (0, 0, 0), device))
    ids, weights = launch(device, made, [*given, *out])[-2:]
    same((ids, weights), on_cpu("mixtral", given, 4, 3, 60))


def test_a_thread_per_token_where_local_memory_is_too_small(on_cpu: OnCpu) -> None:
    facts = load_target("opencl").gpu
    assert facts is not None
    given = inputs("after", 17, 256)
    made = stand_in(Call(ROUTERS["after"], (256, 8), 17, (), replace(facts, local_bytes=512)))
    assert isinstance(made, TaskKernel) and made.tasks == 17
    arrays = [*given, np.zeros((17, 8), np.int32), np.zeros((17, 8), np.float32)]
    ids, weights = launch("opencl", made, arrays)[-2:]
    same((ids, weights), on_cpu("after", given, 8, 17, 256))
