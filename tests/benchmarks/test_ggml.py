"""ggml's layers and decoder compute what they should, with either attention and either cache.

Runs where ggml is installed: python -m benchmarks --install ggml
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import prepare
from benchmarks.cases import Case
from benchmarks.conductor import measure
from benchmarks.contestant import Contestant, Kit, peer_names, peer_of
from benchmarks.environments import python_of

FORMS = {
    "W3.prefill": ("f32", "f32 flash", "q8_0 flash"),
    "W3.decode": ("f32", "f32 flash", "f32 in place", "f32 flash in place", "q8_0 in place"),
}
MOST_ERROR = {"f32": 2e-6, "q8_0": 0.1}


def entered(case: Case) -> list[Contestant]:
    return [c for c in peer_of("ggml").contestants(case) if c.variant in FORMS[case.name]]


@pytest.mark.needs("python:torch")
@pytest.mark.parametrize("name", FORMS)
def test_decoder_agrees_with_torch(name: str, tmp_path: Path) -> None:
    if python_of("ggml") is None:
        pytest.skip("ggml is not installed: python -m benchmarks --install ggml")
    from benchmarks.exports import module_of, write_arrays

    kit = Kit(Case(name), tmp_path)
    kit.save()
    write_arrays(kit, *module_of(kit.case, "loop"))
    results = measure(kit, entered(kit.case), threads=1, rounds=1, milliseconds=1)
    assert len(results) == len(FORMS[name])
    for result in results:
        assert result.failed is None, result.failed
        assert result.error < MOST_ERROR[result.contestant.variant.split()[0]], result.contestant
        assert result.error > 1e-3 or "f32" in result.contestant.variant, "nothing was rounded"


def test_layer_agrees(kit: Kit) -> None:
    if python_of("ggml") is None:
        pytest.skip("ggml is not installed: python -m benchmarks --install ggml")
    wanted = {"f32": (0, 1e-5), "q8_0": (1e-3, 0.05)}
    listed = [c for c in peer_of("ggml").contestants(kit.case) if c.variant in wanted]
    for result in measure(kit, listed, threads=1, rounds=1, milliseconds=1):
        assert result.failed is None, result.failed
        least, most = wanted[result.contestant.variant]
        assert least <= result.error < most, result.contestant


def test_every_cell_of_the_decoder_has_a_contestant() -> None:
    decode, prefill = (peer_of("ggml").contestants(Case(f"W3.{n}")) for n in ("decode", "prefill"))
    assert {c.format for c in decode} == {c.format for c in prefill}
    assert {c.format for c in decode} == {"f32", "f16", "bf16", "i8", "i4"}
    assert not any("in place" in c.variant for c in prefill)
    assert peer_of("ggml").contestants(Case("W4.B1")) == []


def test_a_peer_of_several_files_is_prepared_anew_when_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("__init__", "part"):
        (tmp_path / "folder" / f"{name}.py").write_text("")
    (tmp_path / "file.py").write_text("")
    monkeypatch.setattr("benchmarks.contestant.PEERS", tmp_path)
    monkeypatch.setattr(prepare, "PEERS", tmp_path)
    assert peer_names() == ["ours", "file", "folder"]
    before = prepare.digest_of("folder")
    (tmp_path / "folder" / "part.py").write_text("VALUE = 1")
    assert prepare.digest_of("folder") != before
