"""What commands print: text for people, progress, and JSON for programs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from edgemoe.runtime.errors import EdgemoeError, InputError

Progress = Callable[[str, int, int], None]


class Console:
    """Prints a command's result; text goes away with `-q` or with `--json -`."""

    def __init__(self, *, verbose: int = 0, quiet: bool = False, json_file: str | None = None):
        self.verbose = verbose
        self.json_file = json_file
        self._silent = quiet or json_file == "-"
        self.stages: dict[str, float] = {}  # seconds per text given to the progress callback

    def print(self, text: str = "", *, end: str = "\n") -> None:
        """Print a line for people."""
        if not self._silent:
            print(text, end=end, flush=True)

    def detail(self, text: str) -> None:
        """Print a line with `-v`."""
        if self.verbose:
            self.print(text)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print aligned columns."""
        self.print(table(header, rows))

    def result(self, data: Any) -> None:
        """Write the result as JSON where `--json` asks for it."""
        write_json(self.json_file, data)

    def refuse(self, data: Any, error: EdgemoeError) -> NoReturn:
        """Raise an error that a result was checked against; the JSON has both."""
        entry = {"type": type(error).__name__, "message": str(error)}
        write_json(self.json_file, {**plain(data), "error": entry})
        error.is_written = True
        raise error

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """Give a callback `progress(text, done, total)`: a bar on a terminal, else lines."""
        if self._silent or not sys.stderr.isatty():
            yield self._timed(self._plain_progress())
            return
        from rich.console import Console as RichConsole
        from rich.progress import Progress as Bar

        with Bar(console=RichConsole(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)
            yield self._timed(
                lambda text, done, total: bar.update(
                    task, description=text, completed=done, total=total or None
                )
            )

    def _plain_progress(self) -> Progress:
        last = ""

        def show(text: str, done: int, total: int) -> None:
            nonlocal last
            if text != last and not self._silent:
                print(f"{text} ..." if not total else f"[{done}/{total}] {text}", file=sys.stderr)
            last = text

        return show

    def _timed(self, show: Progress) -> Progress:
        """Count the time until the next call as time of the text that was shown."""
        before: list[tuple[str, float]] = []

        def call(text: str, done: int, total: int) -> None:
            now = time.perf_counter()
            if before:
                name, start = before.pop()
                self.stages[name] = self.stages.get(name, 0.0) + now - start
            before.append((text, now))
            show(text, done, total)

        return call


def write_json(json_file: str | None, data: Any) -> None:
    """Write `data` to a file, or to the output for "-"; nothing for None."""
    if json_file is None:
        return
    text = json.dumps(plain(data), indent=1)
    if json_file == "-":
        print(text)
        return
    try:
        Path(json_file).write_text(text + "\n", "utf-8")
    except OSError as error:
        raise InputError(
            f"--json {json_file} cannot be written: {error.strerror}; choose another place"
        ) from error


def plain(data: Any) -> Any:
    """Turn dataclasses, tuples, paths and NumPy numbers into what JSON knows."""
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {f.name: plain(getattr(data, f.name)) for f in dataclasses.fields(data)}
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple | set | frozenset):
        return [plain(item) for item in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if data is None or isinstance(data, str | int | float | bool):
        return data
    if hasattr(data, "tolist"):
        return plain(data.tolist())
    return str(data)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Align columns; a column of numbers is aligned to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    lines = [list(header), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    right = [
        bool(cells) and all(_is_number(row[column]) for row in cells)
        for column in range(len(header))
    ]

    def line(row: Sequence[str]) -> str:
        parts = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        return "  ".join(parts).rstrip()

    return "\n".join([line(header), line(["-" * width for width in widths]), *map(line, cells)])


def _is_number(text: str) -> bool:
    head = text.replace(",", "").lstrip("+-").split(" ")[0].rstrip("%x")
    return (
        head in ("", "inf", "nan", "n/a") or head.replace(".", "", 1).replace("e-", "", 1).isdigit()
    )


def size(nbytes: int) -> str:
    """Return bytes with thousands separators: "196,608 B"."""
    return f"{nbytes:,} B"


def duration(nanoseconds: float) -> str:
    """Return a time with a unit that suits it."""
    for unit, factor in (("ns", 1.0), ("us", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * factor:
            return f"{nanoseconds / factor:.3g} {unit}"
    return f"{nanoseconds / 1e9:.3g} s"


def decibels(value: float) -> str:
    """Return a ratio in dB; "exact" for no error at all."""
    return "exact" if math.isinf(value) and value > 0 else f"{value:.1f} dB"


def coloured(text: str, code: int) -> str:
    """Colour text for a terminal on stderr, unless NO_COLOR is set."""
    return f"\033[{code}m{text}\033[0m" if wants_colour(sys.stderr) else text


def wants_colour(stream: TextIO) -> bool:
    """Tell whether text may be coloured: on a terminal, unless NO_COLOR is set."""
    return not os.environ.get("NO_COLOR") and stream.isatty()
