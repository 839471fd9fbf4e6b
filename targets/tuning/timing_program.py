"""The C program that times kernels on the device: generated tables between two fixed parts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgemoe.errors import ToolError
from edgemoe.targets.codegen import compile_kernels
from edgemoe.targets.host_c import run_compiler
from edgemoe.targets.kernel_table import KernelSpec
from edgemoe.targets.kernels.panels import group_count
from edgemoe.targets.kernels.tuning import Tuned, Tuning
from edgemoe.targets.spec import Isa, TargetSpec
from edgemoe.targets.tuning.problem import Problem

_CODE_MASKS = {8: 0x7F7F7F7F, 4: 0xFFFFFFFF, 3: 0xFFFFFFFF, 2: 0x55555555}
"""Bits of code words that may be set: ternary codes end at 2."""

_SIXTEEN = {"bfloat16": 0x3F003F00, "float16": 0x38003800}
"""Two numbers of 16 bits, each 0.5."""

_GROUP_SCALE, _COLUMN_SCALE, _ZERO_POINT_SCALE = 0x3C003C00, 0x3C000000, 0x3C000005


@dataclass(frozen=True)
class Case:
    """One problem with one tuning for one instruction set."""

    problem: Problem
    tuning: Tuning
    isa: Isa

    def spec(self) -> KernelSpec:
        """The kernel."""
        return self.problem.spec(Tuned(((self.isa.name, self.tuning),)))


Link = Literal["dynamic", "static", "library"]
"""How the program is linked: `static` runs where another libc is installed."""


def build(cases: Sequence[Case], spec: TargetSpec, out: Path, *, link: Link) -> None:
    """Compile the kernels of all cases, equal ones once, and link the program.

    Raises:
        ToolError: the C compiler is missing or failed.
    """
    names: dict[tuple[KernelSpec, str], str] = {}
    for case in cases:
        names.setdefault((case.spec(), case.isa.name), f"k{len(names)}")
    with tempfile.TemporaryDirectory(prefix="edgemoe-tune-") as folder:
        objects: list[Path] = []
        for isa in {case.isa.name: case.isa for case in cases}.values():
            built = {
                name: kernel.build(name, isa)
                for (kernel, of), name in names.items()
                if of == isa.name
            }
            objects += compile_kernels(built, isa, Path(folder))
        (Path(folder) / "tune.c").write_text(source(cases, names), "utf-8")
        command = [
            *spec.compiler, "-std=c11", "-O2", "tune.c", *map(str, objects), "-o",
            str(out.resolve()), "-lm",
        ]  # fmt: skip
        if link == "library":
            run_compiler([*command, "-shared", "-fPIC"], Path(folder))
            return
        if link == "static":
            # Where no static libc is installed here, we try our luck with that of the device.
            with suppress(ToolError):
                run_compiler([*command, "-static"], Path(folder))
                return
        run_compiler(command, Path(folder))


def source(cases: Sequence[Case], names: Mapping[tuple[KernelSpec, str], str]) -> str:
    """The text of the program."""
    problems = list(dict.fromkeys(case.problem for case in cases))
    declared = [
        f"void {case.isa.symbol(names[case.spec(), case.isa.name])}"
        f"({', '.join(_c_type(t) for t in (*case.spec().parameters, 'int32_t', 'int32_t'))});"
        for case in cases
    ]
    calls = [
        f"static void run{number}(const problem *p, const data *d)\n{{\n    "
        f"{case.isa.symbol(names[case.spec(), case.isa.name])}({', '.join(_arguments(case))});\n}}"
        for number, case in enumerate(cases)
    ]
    rows = ",\n".join(f"    {{{', '.join(map(str, _facts(p)))}}}" for p in problems)
    table = ",\n".join(
        f"    {{{problems.index(case.problem)}, run{number}}}" for number, case in enumerate(cases)
    )
    return "\n".join(
        [
            _part("tune_head.c"), *dict.fromkeys(declared), "", *calls, "",
            f"static const problem PROBLEMS[] = {{\n{rows}}};", "",
            f"enum {{ CASE_COUNT = {len(cases)} }};",
            f"static const test_case CASES[] = {{\n{table}}};", _part("tune_tail.c"),
        ]
    )  # fmt: skip


def _part(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")


def _c_type(text: str) -> str:
    return "void *" if text.endswith("*") else text


def _arguments(case: Case) -> list[str]:
    problem = case.problem
    rows = ["d->a"]
    if problem.given.int8_activations:
        rows += ["d->row_scales", "d->row_sums"]
    end = str(problem.tasks(case.tuning.row_block))
    if problem.kernel == "linear":
        sizes = ["p->rows", "p->depth", "p->columns"]
        return [*rows, "d->weights", "d->out", *sizes, "0", end]
    order = ["d->order", "d->offsets", "d->active"]
    sizes = ["p->depth", "p->columns", "p->panels", "1", "p->rows * p->groups"]
    return [*rows, "d->weights", "d->out", *order, *sizes, "0", end]


def _facts(problem: Problem) -> list[int | str]:
    given = problem.given
    kind = 0
    if given.is_integer:
        kind = 2 if given.int8_activations else 1
    elif given.bits == 16:
        kind = 3
    scale = _COLUMN_SCALE
    if given.group:
        scale = _ZERO_POINT_SCALE if given.zero_points else _GROUP_SCALE
    groups = group_count(problem.depth, given) if given.int8_activations else 1
    mask = _CODE_MASKS.get(given.bits, 0)
    return [
        kind, problem.groups, problem.rows, problem.depth, problem.columns, problem.panels,
        problem.row_words(), groups, *problem.layout(), f"{mask}u", f"{scale}u",
        f"{_SIXTEEN.get(given.kind, 0)}u", problem.weight_bytes, problem.copies,
    ]  # fmt: skip
