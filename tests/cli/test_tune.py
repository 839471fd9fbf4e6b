"""`edgemoe tune` on this machine, over a fake ssh, in an emulator, and its refusals."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgemoe.cli.main import app
from edgemoe.targets import load_target
from edgemoe.targets.kernels.tuning import DEFAULT, Tuning
from edgemoe.targets.tuning import search
from edgemoe.targets.tuning.machine import this_machine
from edgemoe.targets.tuning.results import read
from edgemoe.targets.tuning.runners import LocalRunner
from edgemoe.targets.tuning.tunings import user_file

SPEC = load_target("x86-64")
SMALL = ("--shapes", "2x64x32", "--formats", "f32")
needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="runs x86-64 kernels")

FAKE_SSH = """#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
[ "$1" = board ] || { echo "no route to $1" >&2; exit 255; }
echo "ssh $2" >>"$LOG"; shift; exec sh -c "$*"
"""
FAKE_SCP = """#!/bin/sh
[ "$1" = -q ] && shift
while [ "$1" = -o ]; do shift 2; done
echo scp >>"$LOG"; exec cp "$1" "${2#*:}"
"""


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """`cli(...)` gives (exit code, stdout, stderr) of `edgemoe tune`, with few candidates."""
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(search, "MICROSECONDS", 50)
    few = {"prefetch": [Tuning(prefetch=0)], "unroll": [Tuning(unroll=2)]}
    monkeypatch.setattr(search, "alone", lambda problem, isa: few)

    def call(*arguments):
        done = CliRunner().invoke(app, ["tune", *map(str, arguments)], prog_name="edgemoe")
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, done.stdout, done.stderr

    return call


@pytest.fixture
def fake_ssh(tmp_path, monkeypatch):
    """`ssh` and `scp` that stay on this machine; the path of what they were asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("ssh", FAKE_SSH), ("scp", FAKE_SCP)):
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return tmp_path / "log"


@needs_x86
def test_results_are_kept_for_this_machine_and_printed(cli, tmp_path):
    code, out, err = cli("x86-64", *SMALL, "-v", "--json", tmp_path / "r.json")
    assert code == 0, err
    path = user_file(SPEC, this_machine(SPEC))
    found = read(path, SPEC)
    assert found.runner == "local" and found.machine.cpu == this_machine(SPEC).cpu
    for results in found.by_isa.values():
        assert [r.shape.kernel for r in results] == ["linear", "experts"]
        assert all(0 < r.microseconds <= r.default_microseconds for r in results)
    assert str(path) in out and "2-4 rows, 64 -> 32" in out
    assert "each number alone: linear f32, 2x64 -> 32" in err
    assert json.loads((tmp_path / "r.json").read_text())["target"] == "x86-64"


@needs_x86
def test_a_tuning_is_only_taken_where_it_wins_by_more_than_three_percent(
    cli, tmp_path, monkeypatch
):
    def times(self, cases, rounds):
        return {
            case: search._Timing(1000.0 - gain * (number > 0), wins, "bits")
            for number, case in enumerate(cases)
        }

    gain, wins = 0.0, 0
    cpuinfo = Path("/proc/cpuinfo").read_text("utf-8")
    monkeypatch.setattr(LocalRunner, "run", lambda self, *arguments: cpuinfo)
    monkeypatch.setattr(search, "build", lambda *_, **__: None)
    monkeypatch.setattr(search._Search, "_times", times)
    for gain, wins, taken in ((29.0, 31, False), (31.0, 23, False), (31.0, 24, True)):  # noqa: B007
        assert cli("x86-64", *SMALL, "-o", tmp_path / "t.json")[0] == 0
        results = [r for of in read(tmp_path / "t.json", SPEC).by_isa.values() for r in of]
        assert all((r.tuning != DEFAULT) == taken for r in results)


@needs_x86
def test_other_bits_are_our_fault(cli, monkeypatch):
    monkeypatch.setattr(
        search._Search,
        "_times",
        lambda self, cases, rounds: {c: search._Timing(1.0, 0, str(c)) for c in cases},
    )
    code, _, err = cli("x86-64", *SMALL)
    assert code == 1 and "other bits than the default" in err and "report" in err


@needs_x86
def test_over_ssh(cli, fake_ssh, tmp_path):
    code, _, err = cli("x86-64", *SMALL, "--runner", "ssh:board", "-o", tmp_path / "t.json")
    assert code == 0, err
    assert read(tmp_path / "t.json", SPEC).runner == "ssh:board"
    asked = fake_ssh.read_text().splitlines()
    assert asked[0] == "ssh mktemp -d" and "scp" in asked
    assert asked[-1].startswith("ssh rm -rf ")


def test_ssh_that_fails(cli, fake_ssh):
    code, _, err = cli("x86-64", *SMALL, "--runner", "ssh:nowhere")
    assert code == 1 and "no route to nowhere" in err and "BatchMode=yes nowhere true" in err


def test_ssh_that_is_not_installed(cli, monkeypatch, tmp_path):
    real = search.build
    monkeypatch.setattr("edgemoe.targets.tuning.runners.shutil.which", lambda name: None)
    monkeypatch.setattr(search, "build", lambda *_, **__: real)
    code, _, err = cli("x86-64", *SMALL, "--runner", "ssh:board")
    assert code == 1 and "'ssh' is not installed" in err


@pytest.mark.needs("aarch64-linux-gnu-gcc", "qemu-aarch64")
def test_an_emulator_goes_the_whole_way_for_a_trial(cli, tmp_path):
    emulated = ("aarch64", *SMALL, "--runner", "emulator")
    code, _, err = cli(*emulated, "-o", tmp_path / "t.json")
    assert code == 1 and "times mean nothing" in err
    code, _, err = cli(*emulated, "--allow-emulator")
    assert code == 1 and "-o" in err
    code, _, err = cli(*emulated, "--allow-emulator", "-o", tmp_path / "t.json")
    assert code == 0, err
    assert read(tmp_path / "t.json", load_target("aarch64")).runner == "emulator"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("toaster",), ("toaster", "known targets")),
        (("x86-64", "--formats", "f33"), ("f33", "f32")),
        (("x86-64", "--shapes", "1x2"), ("1x2", "ROWSxDEPTHxCOLUMNS")),
        (("x86-64", "--shapes", "0x2x3"), ("0x2x3",)),
        (("x86-64", "--shapes", "1x2x3", "--model", "m.onnx"), ("one of them",)),
        (("x86-64", "--tokens", "1"), ("--model",)),
        (("x86-64", "--model", "no.onnx"), ("no.onnx",)),
        (("x86-64", "--runner", "pigeon"), ("pigeon", "ssh:USER@HOST")),
        (("x86-64", "--runner", "ssh:-oProxyCommand=x"), ("runners are",)),
        (("x86-64", "--runner", "emulator"), ("has none",)),
    ],
)
def test_refusals(cli, arguments, words):
    code, _, err = cli(*arguments)
    assert code == 1 and all(word in err for word in words)


@needs_x86
def test_the_products_of_a_model(cli, tmp_path):
    import numpy as np
    import onnx

    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 20]>\n'
        "g (float[3,48] x) => (float[3,40] y) { y = MatMul(x, w) }"
    )
    w = np.ones((48, 40), np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(w, "w"))
    onnx.save(proto, tmp_path / "m.onnx")
    code, _, err = cli(
        "x86-64", "--model", tmp_path / "m.onnx", "--formats", "f32", "-o", tmp_path / "t.json"
    )
    assert code == 0, err
    found = read(tmp_path / "t.json", SPEC).by_isa
    assert {str(r.shape) for of in found.values() for r in of} == {"linear f32, 2-4 rows, 64 -> 32"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def fleet(tmp_path):
    """A tracker with one board, both on this machine; gives "HOST:PORT"."""
    host, port, own = "127.0.0.1", free_port(), free_port()
    commands = (
        ("rpc_tracker", "--port", port, "--port-end", port + 1),
        ("rpc_server", "--port", own, "--port-end", own + 1, "--tracker", f"{host}:{port}",
         "--key", "board"),
    )  # fmt: skip
    started = []
    for name, *options in commands:
        command = [sys.executable, "-m", f"tvm.exec.{name}", "--host", host, *map(str, options)]
        with (tmp_path / name).open("w") as log:
            started.append(
                subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            )
        end = time.monotonic() + 120
        while "bind to" not in (tmp_path / name).read_text() and time.monotonic() < end:
            time.sleep(0.1)
    yield f"{host}:{port}"
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@needs_x86
@pytest.mark.slow
@pytest.mark.needs("python:tornado")
def test_on_a_board_of_a_fleet(cli, fleet, tmp_path):
    runner = f"rpc:{fleet}/board"
    code, _, err = cli("x86-64", *SMALL, "--runner", runner, "-o", tmp_path / "t.json")
    assert code == 0, err
    found = read(tmp_path / "t.json", SPEC)
    assert found.runner == runner and found.machine.cpu == this_machine(SPEC).cpu


def test_a_tracker_that_does_not_answer_is_named(cli, monkeypatch):
    from tvm import rpc

    def refuse(host, port):
        raise RuntimeError(f"Failed to connect to server {(host, port)}")

    monkeypatch.setattr(rpc, "connect_tracker", refuse)
    code, _, err = cli("x86-64", *SMALL, "--runner", "rpc:lab:9190/board")
    assert code == 1 and "rpc:lab:9190/board: Failed to connect" in err
    assert "query_rpc_tracker --host lab" in err
