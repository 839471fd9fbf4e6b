"""Keeps the verdicts of a search in a file, so that one that was killed goes on where it was."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgemoe.compression.judge import Verdict
from edgemoe.compression.output_loss import OutputLoss


class Journal:
    """A file with a line per verdict, each with the subject that it belongs to.

    Several searches may share the file: what other subjects have written (another model, other
    data, another decision about experts) is neither read nor lost. With no path nothing is kept.
    """

    def __init__(self, path: Path | None, subject: str) -> None:
        self.path, self.subject = path, subject
        self.known: dict[str, Verdict] = {}
        self.numbers: dict[str, int] = {}
        self.reused = 0
        if path is not None and path.is_file():
            self._read(path)

    def _read(self, path: Path) -> None:
        for line in path.read_text("utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
                if entry["subject"] != self.subject:
                    continue
                if "number" in entry:
                    self.numbers[entry["key"]] = int(entry["number"])
                else:
                    self.known[entry["key"]] = _verdict(entry["verdict"])
            except (ValueError, KeyError, TypeError):
                continue  # the line that was being written when the search was killed

    def get(self, key: str, judge: Callable[[], Verdict]) -> Verdict:
        """The verdict that is known under `key`, or a new one."""
        if key in self.known:
            self.reused += 1
            return self.known[key]
        verdict = judge()
        self.known[key] = verdict
        data = {**dataclasses.asdict(verdict), "sums": verdict.sums.tolist()}
        self._append({"key": key, "verdict": data})
        return verdict

    def number(self, key: str, compute: Callable[[], int]) -> int:
        """A choice that depends on the speed of the machine: once made, it stays."""
        if key not in self.numbers:
            self.numbers[key] = compute()
            self._append({"key": key, "number": self.numbers[key]})
        return self.numbers[key]

    def _append(self, entry: dict[str, Any]) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            start = "\n" * self._is_cut(file)
            file.write(start + json.dumps({"subject": self.subject, **entry}) + "\n")

    def _is_cut(self, file: Any) -> bool:
        """Tell whether the file does not end with a whole line."""
        assert self.path is not None
        if file.tell() == 0:
            return False
        with self.path.open("rb") as reader:
            reader.seek(-1, 2)
            return reader.read(1) != b"\n"

    def close(self) -> None:
        """Remove the file: the search is done."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _verdict(data: dict[str, Any]) -> Verdict:
    """Raise KeyError for what an earlier version wrote: its losses were compared otherwise."""
    whole = {field.name: data[field.name] for field in dataclasses.fields(Verdict)}
    each = {
        name: OutputLoss(**{**own, "interval": tuple(own["interval"])})
        for name, own in data["each"].items()
    }
    return Verdict(**{
        **whole, "interval": tuple(data["interval"]), "sums": np.array(data["sums"]), "each": each,
    })  # fmt: skip
