"""The README's table of device x precision x status, generated from the targets.

`python -m edgemoe.status_table --check README.md`, or `--write README.md`.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

_RENDERERS = {
    ("opencl", False): "PoCL",
    ("opencl", True): "clang reads every kernel; PoCL has no fp16",
    ("wgsl", False): "lavapipe; SwiftShader in Chromium",
    ("wgsl", True): "lavapipe",
}
BEGIN, END = "<!-- status: begin -->", "<!-- status: end -->"


def table() -> str:
    """The table as Markdown: one row per target that ships."""
    from edgemoe.integer.quantise import PRECISIONS as INTEGERS
    from edgemoe.targets import catalogue, family_of
    from edgemoe.weight_format import BASES

    names = list(BASES)
    lines = [
        f"| `-t` | device | instruction sets | {' | '.join(names)} | run and tested with |",
        f"|---|---|---|{'---|' * len(names)}---|",
    ]
    for spec in catalogue():
        isas = ", ".join(f"`{isa.name}`" for isa in spec.isas)
        emulator = spec.emulator
        if spec.mcu is not None and spec.mcu.emulator is not None:
            emulator = spec.mcu.emulator.command
        runner = f"`{emulator[0]}`" if emulator else "the machine itself"
        if spec.gpu is not None:
            runner = _RENDERERS[spec.gpu.language, spec.gpu.fp16]
        known = (*family_of(spec).PRECISIONS, *(INTEGERS if spec.mcu else ())) or names
        marks = " | ".join("yes" if name in known else "no" for name in names)
        lines.append(f"| `{spec.name}` | {spec.summary} | {isas} | {marks} | {runner} |")
    return "\n".join(lines)


def replaced(text: str) -> str:
    """`text` with the table between the two marks."""
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", text)


def main() -> int:
    """Check or write the table; 1 when a check fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    text = given.file.read_text("utf-8")
    if given.write:
        given.file.write_text(replaced(text), "utf-8")
    elif replaced(text) != text or BEGIN not in text:
        print(f"{given.file}: the status table is old; run python -m edgemoe.status_table --write "
              f"{given.file}")  # fmt: skip
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
