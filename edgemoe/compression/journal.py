"""Keeps the verdicts of a search in a file, so that one that was killed goes on where it was."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgemoe.compression.judge import Verdict


class Journal:
    """A file with a line per verdict; the first line says what they belong to.

    A file of another model, other data or another version is begun anew. With no path nothing is
    kept.
    """

    def __init__(self, path: Path | None, subject: str) -> None:
        self.path, self.subject = path, subject
        self.known: dict[str, Verdict] = {}
        self.numbers: dict[str, int] = {}
        self.reused = 0
        if path is None:
            return
        if not self._read(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"subject": subject}) + "\n", "utf-8")

    def _read(self, path: Path) -> bool:
        try:
            lines = path.read_text("utf-8").splitlines()
            if json.loads(lines[0]).get("subject") != self.subject:
                return False
        except (OSError, ValueError, IndexError, AttributeError):
            return False
        for line in lines[1:]:
            try:
                entry = json.loads(line)
                if "number" in entry:
                    self.numbers[entry["key"]] = int(entry["number"])
                    continue
                self.known[entry["key"]] = _verdict(entry["verdict"])
            except (ValueError, KeyError, TypeError):
                continue  # the line that was being written when the search was killed
        return True

    def get(self, key: str, judge: Callable[[], Verdict]) -> Verdict:
        """The verdict that is known under `key`, or a new one."""
        if key in self.known:
            self.reused += 1
            return self.known[key]
        verdict = judge()
        self.known[key] = verdict
        if self.path is not None:
            data = {**dataclasses.asdict(verdict), "sums": verdict.sums.tolist()}
            self._append({"key": key, "verdict": data})
        return verdict

    def number(self, key: str, compute: Callable[[], int]) -> int:
        """A choice that depends on the speed of the machine: once made, it stays."""
        if key not in self.numbers:
            self.numbers[key] = compute()
            if self.path is not None:
                self._append({"key": key, "number": self.numbers[key]})
        return self.numbers[key]

    def _append(self, entry: dict[str, Any]) -> None:
        assert self.path is not None
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._is_cut(file) + json.dumps(entry) + "\n")

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
    return Verdict(**{**data, "interval": tuple(data["interval"]), "sums": np.array(data["sums"])})
