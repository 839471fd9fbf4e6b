"""Finds the inner loops of a kernel's assembly, and counts their instructions and MACs.

An inner loop is a block that jumps back to its own label. The assembly is that of the compiler's
own LLVM: it does not depend on the tools or the CPU of the machine.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edgemoe.targets.codegen import compile_functions
from edgemoe.targets.kernels import expression as ex
from edgemoe.targets.kernels.linear import Linear
from edgemoe.targets.spec import Isa
from edgemoe.weight_format import parse

LABEL = re.compile(r"^(\.L\w+):")
JUMP = re.compile(r"^(?:b\.?\w*|cbn?z|tbn?z|j\w+)\s.*?(\.L\w+)$")

MACS = (
    (r"fml[as]\s+v\d+\.4s", 4), (r"sdot\s+v", 16), (r"smmla\s+v", 32),
    (r"([su]m(ull|lal)2?|mla|mul)\s+v\d+\.8h", 8),
    (r"vfn?m(add|sub)\d+ps.*zmm", 16), (r"vfn?m(add|sub)\d+ps.*ymm", 8),
    (r"(\{vex\}\s)?vpdpbusd\s.*zmm", 64), (r"(\{vex\}\s)?vpdpbusd\s.*ymm", 32), (r"vpmaddubsw\s.*ymm", 32),
)  # fmt: skip
"""Multiplications with an addition that an instruction does, by how it begins."""

SPILL = re.compile(r"^(st[pr]|ld[pr]) q.*\[sp|^vmov.*\(%rsp\)")


@dataclass(frozen=True)
class Loop:
    """The instructions of one inner loop, its label first."""

    lines: tuple[str, ...]

    @property
    def instructions(self) -> int:
        """How many there are, with the jump."""
        return len(self.lines)

    @property
    def products(self) -> list[tuple[str, int]]:
        """Instructions that multiply, and their MACs."""
        return [
            (line, macs) for line in self.lines for begin, macs in MACS if re.match(begin, line)
        ]

    @property
    def macs(self) -> int:
        """Of one turn."""
        return sum(macs for _, macs in self.products)

    @property
    def per_mac(self) -> float:
        """Instructions per MAC."""
        return self.instructions / self.macs

    @property
    def sums(self) -> int:
        """Registers that products are added up in."""
        last = (lambda line: line.rsplit(" ", 1)[-1]) if "%" in self.lines[0] else None
        return len({last(line) if last else line.split()[1] for line, _ in self.products})

    @property
    def spills(self) -> list[str]:
        """Instructions that move vectors to or from the stack."""
        return [line for line in self.lines if SPILL.search(line)]

    def __str__(self) -> str:
        """The instructions, one a line."""
        return "".join(f"    {line}\n" for line in self.lines)


def inner_loops(assembly: str) -> list[Loop]:
    """Inner loops that multiply, in their order."""
    found, label, lines = [], "", []
    for raw in assembly.splitlines():
        line = " ".join(re.split(r"\s//|\s#(?!\S)", raw.strip())[0].split())
        if match := LABEL.match(line):
            if not match[1].startswith((".Ltmp", ".Lfunc")):
                label, lines = match[1], []
        elif line and line[0] not in ".#/":
            lines.append(line)
            jump = JUMP.match(line)
            if jump is not None:
                if jump[1] == label:
                    loop = Loop(tuple(lines))
                    if loop.macs:
                        found.append(loop)
                label = ""
    return found


def assembly_of(precision: str, isa: Isa) -> str:
    """The product of one weight format, with nothing behind it."""
    main = Linear(ex.Port(), parse(precision)).build("linear", isa).main
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "linear.s"
        compile_functions({"linear": main}, isa, path)
        return path.read_text("utf-8")
