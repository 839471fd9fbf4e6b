"""A CPU and a GPU together: whatever runs where, the results are the same."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgemoe
from edgemoe.errors import TargetError
from edgemoe.runtime.selftest import read_cases
from edgemoe.targets import host_c, hybrid, load_target, middle
from edgemoe.targets.hybrid.joint_program import Joint, join
from edgemoe.targets.hybrid.placement import Link, Placement, place
from tests.gpu.test_runtime_host_c import ARGUMENT, Host

pytestmark = pytest.mark.needs("device:opencl")


def alternate(step: int) -> Any:
    """A placement in which every `step` operations change the device; states stay on the GPU."""

    def placement(self: Any) -> Placement:
        fixed = self._fixed()
        places = [
            fixed.get(i, "cpu" if i // step % 2 else "gpu")
            for i in range(len(self.straight.operations))
        ]
        empty = tuple(0.0 for _ in places)
        self.measured = dict.fromkeys(("cpu", "gpu"), hybrid.Measured(empty, Link(0.0, 1.0)))
        return Placement(tuple(places), 0.0, {"cpu": 0.0, "gpu": 0.0})

    return placement


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("model", ["digits_mixer:digits", "moe_lm:char_moe"])
def test_every_other_operation_elsewhere(
    model: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hybrid._Builder, "placement", alternate(step))
    tokens = [1, 8] if "moe" in model else None
    edgemoe.compile(
        f"edgemoe.models.{model}", target="cpu+opencl", out=tmp_path / "m.em", tokens=tokens
    )
    with edgemoe.load(tmp_path / "m.em", check=True) as session:
        if tokens is None:
            return
        ids = np.arange(11, dtype=np.int64) % 50
        name = session.inputs[0].name
        whole = session.run({name: ids})
        session.reset()
        parts = [session.run({name: ids[:8]}), session.run({name: ids[8:]})]
        output = next(iter(whole))
        joined = np.concatenate([p[output] for p in parts])
        np.testing.assert_allclose(joined, whole[output], atol=1e-4)
        session.threads = 2
        session.reset()
        again = session.run({name: ids})[output]
        np.testing.assert_allclose(again, whole[output], atol=1e-5)
        uses: list[int] = []
        session.reset()
        session.run_hooked({name: ids[:1]}, lambda info: uses.append(info.step))
        assert uses == sorted(uses) and len(uses) > 40


@pytest.mark.needs("gcc")
@pytest.mark.parametrize(("model", "step"), [("digits_mixer:digits", 4), ("moe_lm:char_moe", 1)])
def test_the_c_program_has_the_bits_of_the_session(
    model: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks, padding, states, integers, what crosses, mixer blocks, threads."""
    monkeypatch.setattr(hybrid._Builder, "placement", alternate(step))
    monkeypatch.setattr(host_c, "SERIAL_UNITS", 0)  # threads share the smallest steps
    lm = "moe" in model
    artifact = edgemoe.compile(
        f"edgemoe.models.{model}", target="cpu+opencl", out=tmp_path / "m.em",
        tokens=[1, 8] if lm else None,
    )  # fmt: skip
    host = Host(artifact.path, tmp_path)
    assert host.status == 0, host.error
    with edgemoe.load(artifact.path) as session:
        (spec,) = (s for s in session.inputs if s.state_output is None)
        chance = np.random.default_rng(0)
        if lm:
            feeds = [np.arange(n, dtype=np.int64) * 3 % 50 for n in (11, 1)]
        else:
            feeds = [chance.standard_normal(spec.shape).astype(np.float32) for _ in range(2)]
        for threads in (1, 3):
            assert host.lib.em_set_threads(host.model, threads) == 0, host.error
            assert host.lib.em_threads(host.model) == threads
            for feed in feeds:
                status, found = host.run({spec.name: feed})
                assert status == 0, host.error
                for name, wanted in session.run({spec.name: feed}).items():
                    np.testing.assert_array_equal(found[name], wanted)
        assert host.lib.em_set_threads(host.model, 257) == ARGUMENT
        assert host.error == "257 threads were asked for; give 1 to 256, or -1 for one per CPU"
        assert host.lib.em_set_threads(None, 1) == ARGUMENT and "NULL" in host.error
        assert host.lib.em_threads(host.model) == 3
    host.lib.em_close(host.model)


@pytest.mark.needs("gcc", "clang")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_c_program_builds_by_its_makefile(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hybrid._Builder, "placement", alternate(3))
    artifact = edgemoe.compile(
        "edgemoe.models.digits_mixer:digits", target="cpu+opencl", out=tmp_path / "m.em"
    )
    source = artifact.path / "src"
    flags = "-std=c99 -Wall -Wextra -Wconversion -pedantic -Werror -O1 -g"
    if compiler == "gcc":
        flags += " -fsanitize=address,undefined -fno-sanitize-recover=all"
    subprocess.run(
        ["make", "-s", "-C", str(source), f"CC={compiler}", f"CFLAGS={flags}"], check=True
    )
    done = subprocess.run(
        [source / "example", artifact.path], capture_output=True, text=True, check=False,
        env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"},  # those of the driver
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with edgemoe.load(artifact.path) as session:
        logits = session.run(read_cases(artifact.path)[0].inputs)["logits"].reshape(-1)[:8]
    wanted = "logits: " + " ".join(f"{value:.9g}" for value in logits)
    assert done.stdout.splitlines()[1] == wanted


def test_the_gpu_computes_mixer_blocks_as_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks whose operations all went to the GPU; each stands for all of them."""
    monkeypatch.setattr(hybrid._Builder, "placement", alternate(4))
    found: list[Joint] = []
    monkeypatch.setattr(hybrid, "join", lambda *given: found.append(join(*given)) or found[-1])
    artifact = edgemoe.compile(
        "edgemoe.models.digits_mixer:digits", target="cpu+opencl", out=tmp_path / "m.em"
    )
    with edgemoe.load(artifact.path, check=True):
        pass
    templates = {kernel.name: kernel.template for kernel in artifact.plan.kernels}
    (variant,) = artifact.plan.variants
    (joint,) = found
    blocks = [
        owners for step, owners in zip(variant.steps, joint.owners, strict=True)
        if templates[step.kernel] == "mixer_block"
    ]  # fmt: skip
    assert [len(owners) for owners in blocks] == [3, 3]  # norm and two products
    assert all(list(owners) == list(range(owners[0], owners[0] + 3)) for owners in blocks)
    inside = {owner for owners in blocks for owner in owners}
    others = {owner for owners in joint.owners if owners not in blocks for owner in owners}
    assert not inside & others, "an operation of a block is a step of its own as well"
    decisions = {d.subject: d.choice for d in artifact.plan.decisions}
    assert decisions["mixer blocks"] == "2 of 2 are one kernel"


def straight_of(shapes: Sequence[int]) -> middle.StraightList:
    """A chain of operations over vectors of these lengths."""
    found = middle.StraightList()
    for number, length in enumerate(shapes):
        found.values.append(middle.Value((length,), "float32", f"v{number}"))
    found.values[0].graph_input = 0
    for number in range(len(shapes) - 1):
        found.operations.append(middle.Generic(None, f"o{number}", (number,), (number + 1,)))  # type: ignore[arg-type]
    found.outputs = [len(shapes) - 1]
    return found


def test_the_cheapest_placement_counts_what_crosses() -> None:
    straight = straight_of([4, 1000, 1000, 4])
    seconds = {"cpu": [1.0, 9.0, 1.0], "gpu": [9.0, 1.0, 9.0]}
    free = place(straight, seconds, {}, Link(0.0, 1e12))
    assert free.places == ("cpu", "gpu", "cpu")
    assert free.seconds == pytest.approx(3.0)
    dear = place(straight, seconds, {}, Link(100.0, 1e12))
    assert len(set(dear.places)) == 1
    assert dear.seconds == pytest.approx(11.0)
    pinned = place(straight, seconds, {0: "gpu"}, Link(0.0, 1e12))
    assert pinned.places == ("gpu", "gpu", "cpu")
    block = place(straight, seconds, {}, Link(0.0, 1e12), [(1, 2)])
    assert block.places == ("cpu", "cpu", "cpu") or block.places == ("cpu", "gpu", "gpu")
    assert block.seconds == pytest.approx(11.0)


def test_the_plan_says_why(tmp_path: Path) -> None:
    artifact = edgemoe.compile(
        "edgemoe.models.digits_mixer:digits", target="cpu+opencl", out=tmp_path / "m.em"
    )
    decisions = {d.subject: d for d in artifact.plan.decisions}
    assert "us expected" in decisions["placement"].choice
    assert any("MAC per byte; measured:" in d.reason for d in artifact.plan.decisions)


@pytest.mark.parametrize("name", ["cpu+x86-64", "opencl+webgpu", "cpu+opencl+webgpu", "cpu+none"])
def test_not_two_devices(name: str) -> None:
    with pytest.raises(TargetError):
        load_target(name)
