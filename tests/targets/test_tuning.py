"""Tunings: kernels of equal bits, classes of shapes, files, and what a compilation takes."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import edgemoe
from edgemoe.errors import TuningError
from edgemoe.targets import load_target
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.experts import Experts
from edgemoe.targets.kernels.linear import Linear
from edgemoe.targets.kernels.panels import PANEL, pack
from edgemoe.targets.kernels.tuning import DEFAULT, Tuned, Tuning
from edgemoe.targets.tuning import tunings
from edgemoe.targets.tuning.candidates import alone, together
from edgemoe.targets.tuning.machine import TunedMachine, machine_of, this_machine
from edgemoe.targets.tuning.problem import Problem
from edgemoe.targets.tuning.results import Result, Results, read, write
from edgemoe.targets.tuning.shape_class import class_of
from edgemoe.targets.tuning.tunings import Tunings, choose, shipped_file, user_file
from edgemoe.weight_format import F32, I4, I8, parse

SPEC = load_target("x86-64")
ODD = Tuning(rows=3, columns=16, prefetch=0, unroll=3, row_block=5)
FORMATS = [F32, I8, I4, parse("i4.a32")]


def tuned(tuning, isa):
    return Tuned(((isa.name, tuning),))


@pytest.fixture(scope="module")
def kernels(build, isa):
    odd = tuned(ODD, isa[1])
    specs = {}
    for given in FORMATS:
        specs[f"{given}_default".replace(".", "_")] = Linear(ex.Port(), given)
        specs[f"{given}_odd".replace(".", "_")] = Linear(ex.Port(), given, odd)
    specs["experts_default"] = Experts(ex.Port(), 1, "sorted", "sorted")
    specs["experts_odd"] = Experts(ex.Port(), 1, "sorted", "sorted", F32, odd)
    return build(specs)


@pytest.mark.parametrize("given", FORMATS, ids=str)
@pytest.mark.parametrize(("rows", "depth", "columns"), [(1, 1, 1), (7, 33, 70), (49, 70, 33)])
def test_tunings_give_the_bits_of_the_default(kernels, given, rows, depth, columns):
    chance = np.random.default_rng(0)
    weights = pack(chance.standard_normal((columns, depth)).astype(np.float32), given)
    a = [chance.standard_normal((rows, depth)).astype(np.float32)]
    if given.int8_activations:  # codes in pairs: where magnitudes are read, they fit
        codes = chance.integers(0, 64, (rows, depth + 32, 4), np.uint8).view(np.uint32)
        facts = (rows, -(-depth // (given.group or depth)))
        a = [np.repeat(codes, 2, 1), chance.random(facts, np.float32)]
        a.append(chance.integers(0, 99, facts, np.int32))
    results = []
    for name, block in (("default", 48), ("odd", ODD.row_block)):
        out = np.full((rows, columns), np.nan, np.float32)
        tasks = -(-rows // block) * -(-columns // PANEL)
        kernel = kernels[f"{given}_{name}".replace(".", "_")]
        kernel(*a, weights, out, rows, depth, columns, 0, tasks)
        results.append(out)
    assert not np.isnan(results[0]).any() and results[0].any()
    assert results[0].tobytes() == results[1].tobytes()


def test_tuned_experts_give_the_bits_of_the_default(kernels):
    chance = np.random.default_rng(0)
    rows, depth, columns = 9, 33, 40
    weights = np.stack(
        [pack(chance.standard_normal((columns, depth)).astype(np.float32), F32) for _ in range(2)]
    )
    a = chance.standard_normal((rows, depth)).astype(np.float32)
    order, offsets = np.arange(rows, dtype=np.int32), np.array([0, 2, rows], np.int32)
    active = np.array([2, 0, 1], np.int32)
    results = []
    for name in ("default", "odd"):
        out = np.full((rows, columns), np.nan, np.float32)
        kernels[f"experts_{name}"](
            a, weights, out, order, offsets, active, depth, columns, 2, 1, rows, 0, 4
        )
        results.append(out)
    assert not np.isnan(results[0]).any()
    assert results[0].tobytes() == results[1].tobytes()


def test_every_candidate_can_be_built():
    for spec in (SPEC, load_target("aarch64")):
        for isa in spec.isas:
            for given in FORMATS:
                found = alone(Problem("linear", given, 100, 64, 64), isa)
                assert all(found.values())
                best = {axis: several[0] for axis, several in found.items()}
                both = together(best)
                assert len(both) == 11
                for tuning in [*both, *(t for several in found.values() for t in several)]:
                    assert tuning.fault(isa, PANEL) == "" and tuning != DEFAULT


def test_one_row_has_no_tiles_to_choose():
    found = alone(Problem("experts", F32, 1, 64, 64), SPEC.isas[0])
    assert not found["tile"] and not found["row_block"] and found["prefetch"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"rows": 25}, "rows"), ({"columns": 12}, "columns"), ({"prefetch": 65}, "prefetch"),
     ({"unroll": 0}, "unroll"), ({"row_block": 0}, "row_block"), ({"rows": -1}, "rows")],
)  # fmt: skip
def test_a_fault_is_named(changes, word):
    assert replace(DEFAULT, **changes).fault(SPEC.isas[0], PANEL).startswith(word)


def test_classes():
    shape = class_of("linear", F32, 3, 500, 768)
    assert (shape.rows, shape.depth, shape.columns) == ("2-4", 512, 1024)
    assert class_of("linear", F32, 1000, 1, 1).rows == "65+"
    assert shape.distance(class_of("linear", F32, 4, 256, 2048)) == 2
    assert shape.distance(class_of("linear", F32, 4, 128, 2048)) is None
    assert shape.distance(class_of("experts", F32, 4, 500, 768)) == 1
    for other in (("linear", I8, 4), ("linear", F32, 1)):
        assert shape.distance(class_of(*other, 500, 768)) is None


MACHINE = TunedMachine("Test CPU (family 1)", 2, ("avx2", "fma"))


def results_of(*found, isa="x86-64-v3", machine=MACHINE, runner="local"):
    return Results("x86-64", machine, runner, "2026-01-31", {"edgemoe": "0"}, {isa: found})


BETTER = Result(class_of("linear", F32, 4, 64, 64), ODD, 1.5, 2.25)
SAME = Result(class_of("linear", F32, 4, 128, 128), DEFAULT, 2.0, 2.0)


def test_files_are_readable_and_come_back(tmp_path):
    path = tmp_path / "folder" / "t.json"
    write(results_of(BETTER, SAME), path)
    assert [p.name for p in path.parent.iterdir()] == ["t.json"]
    assert read(path, SPEC) == results_of(BETTER, SAME)
    entry = json.loads(path.read_text())["results"]["x86-64-v3"][0]
    assert entry["tuning"] == ODD.changes() and entry["default_microseconds"] == 2.25
    assert '"tuning": {}' in path.read_text()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('"x86-64",', '"toaster",', "toaster"),
        ('"format": 1', '"format": 9', "format is 9"),
        ('"results"', '"outcomes"', "keys"),
        ('"rows": 3', '"rows": 99', "rows is 99"),
        ('"rows": 3', '"rows": "3"', "no tuning"),
        ('"rows": 3', '"tea": 3', "no tuning"),
        ('"2-4"', '"7"', "class"),
        ('"kernel": ', '"kernels": ', "kernels"),
        ('"flags": "avx2 fma"', '"flags": 1', "split"),
        ("]", "", "delete it"),
    ],
)
def test_a_bad_file_is_one_error_with_its_name_and_a_next_step(tmp_path, old, new, word):
    path = tmp_path / "t.json"
    write(results_of(BETTER), path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(TuningError) as caught:
        read(path, SPEC)
    message = str(caught.value)
    assert str(path) in message and "edgemoe tune x86-64" in message and word in message


def test_missing_and_unwritable_files(tmp_path):
    with pytest.raises(TuningError, match="does not exist; make it with"):
        read(tmp_path / "t.json", SPEC)
    (tmp_path / "file").write_text("")
    with pytest.raises(TuningError, match="cannot be written"):
        write(results_of(), tmp_path / "file" / "t.json")


def test_the_nearest_class_gives_its_tuning():
    known = Tunings(SPEC.isas, results_of(BETTER, SAME))
    tuning, reason = known.find("linear", F32, 3, 64, 32)
    assert tuning == Tuned((("x86-64-v3", ODD),)) and tuning.row_block == ODD.row_block
    assert "x86-64-v3: rows 3" in reason and "2-4 rows, 64 -> 64" in reason
    assert tuning.of(SPEC.isas[0]) == ODD
    assert tuning.of(SPEC.isas[-1]) == replace(DEFAULT, row_block=ODD.row_block)
    assert known.find("linear", F32, 3, 128, 256) == (Tuned(), "")  # the default won there
    (pair,) = known.find("experts", F32, 3, 64, 64)[0].by_isa
    assert pair == ("x86-64-v3", replace(ODD, row_block=DEFAULT.row_block))
    assert known.find("linear", F32, 1, 64, 64) == (Tuned(), "")
    assert known.find("linear", I8, 3, 64, 64) == (Tuned(), "")


def test_float_kernels_of_a_better_instruction_set_are_those_of_its_base():
    (vnni,) = (isa for isa in SPEC.isas if isa.name == "x86-64-v3+avxvnni")
    vnni = replace(vnni, bases=())  # as `--cpu` leaves it
    known = Tunings((vnni,), results_of(BETTER, replace(BETTER, shape=class_of(
        "linear", I8, 4, 64, 64))))  # fmt: skip
    assert known.find("linear", F32, 4, 64, 64)[0] == Tuned(((vnni.name, ODD),))
    assert known.find("linear", I8, 4, 64, 64)[0] == Tuned()


def test_auto_takes_the_users_file_of_this_machine_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEMOE_CACHE", str(tmp_path))
    monkeypatch.setattr(tunings, "shipped_file", lambda spec, machine: tmp_path / "none")
    here = this_machine(SPEC)
    assert choose(SPEC, "auto", native=True).results is None
    path = user_file(SPEC, here)
    assert path.parent == tmp_path / "tuning" and here.slug in path.name
    write(results_of(BETTER, machine=here), path)
    assert choose(SPEC, "auto", native=False).results is None
    assert choose(SPEC, "none", native=True).results is None
    taken = choose(SPEC, "auto", native=True)
    assert taken.results is not None and "1 of 1 classes" in taken.decision().reason
    write(results_of(BETTER), path)  # copied from another machine
    refused = choose(SPEC, "auto", native=True)
    assert refused.results is None and "another processor, Test CPU" in refused.reason


def test_an_emulators_times_are_refused(tmp_path):
    write(results_of(BETTER, runner="emulator"), tmp_path / "t.json")
    with pytest.raises(TuningError, match="emulator"):
        choose(SPEC, tmp_path / "t.json", native=True)


def test_machines_are_told_apart():
    amd = (
        "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n"
        "flags\t\t: fma sse\n"
    )
    machine = machine_of(amd, SPEC)
    assert machine == TunedMachine("AMD EPYC (family 25, model 1)", 1, ("fma", "sse"))
    assert machine.slug == "amd-epyc-family-25-model-1" and not machine.isas(SPEC)[1:]
    arm = "processor\t: 0\nFeatures\t: asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n"
    board = machine_of(arm, load_target("aarch64"))
    assert board.cpu == "aarch64 (implementer 0x41, part 0xd05)"
    assert [isa.name for isa in board.isas(load_target("aarch64"))] == [
        "aarch64", "aarch64+dotprod"
    ]  # fmt: skip


def test_a_compilation_takes_a_tuning_and_says_so(tmp_path):
    chance = np.random.default_rng(0)
    w = onnx.numpy_helper.from_array(chance.standard_normal((64, 64)).astype(np.float32), "w")
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 20]>\n'
        "g (float[4,64] x) => (float[4,64] y) { y = MatMul(x, w) }"
    )
    proto.graph.initializer.append(w)
    onnx.save(proto, tmp_path / "m.onnx")
    write(results_of(BETTER), tmp_path / "t.json")
    outputs = []
    x = {"x": chance.standard_normal((4, 64)).astype(np.float32)}
    for choice in ("none", tmp_path / "t.json"):
        artifact = edgemoe.compile(
            tmp_path / "m.onnx", target="x86-64", cpu="x86-64-v3", tuning=choice,
            out=tmp_path / f"out{len(outputs)}",
        )  # fmt: skip
        with edgemoe.load(artifact.path) as session:
            outputs.append(session.run(x)["y"])
    plan = artifact.plan
    (decision,) = (d for d in plan.decisions if d.subject == "tuning")
    assert decision.choice == "t.json" and "Test CPU" in decision.reason
    (step,) = (s for s in plan.variants[0].steps if s.kernel.startswith("linear"))
    assert "tuned for x86-64-v3: rows 3, columns 16" in step.reason
    assert outputs[0].tobytes() == outputs[1].tobytes()


def test_shipped_files_are_valid_and_packaged():
    root = Path(__file__).parents[2]
    for path in (root / "targets" / "tuning").glob("*.json"):
        target = json.loads(path.read_text())["target"]
        found = read(path, load_target(target))
        assert path.name == shipped_file(load_target(target), found.machine).name
    data = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert data["package-data"]["edgemoe.targets.tuning"] == ["*.json", "*.c"]
