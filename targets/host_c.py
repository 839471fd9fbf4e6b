"""Generates the host program of a CPU artifact (`model.c`) from a `Plan`, and builds `model.so`.

The text depends on nothing but the plan: no dates, no paths. It holds one small C function per
distinct step, a table of steps per variant, and the description that `runtime/c` reads.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

from edgemoe.errors import ToolError
from edgemoe.plan import Argument, Buffer, Kernel, Plan, Step, Variant
from edgemoe.targets.c_model import (
    DISPATCH,
    MAX_RANK,
    NO_TENSOR,
    c_source,
    comment,
    string,
    tensor_tables,
)
from edgemoe.targets.spec import isa_identifier, kernel_symbol

SOURCE_FOLDER = "src"
LIBRARY = "model.so"
RUNTIME_SOURCES = (
    "runtime.c", "questions.c", "run.c", "dispatch.c", "weights.c", "isa.c", "isa_select.c",
    "pool.c", "measure.c",
)  # fmt: skip
RUNTIME_HEADERS = ("edgemoe.h", "internal.h")
WARNINGS = ("-Wall", "-Wextra", "-pedantic")
COMPILE_FLAGS = ("-std=c11", "-O2", "-fPIC", "-fvisibility=hidden", "-pthread", *WARNINGS)
DEFAULT_IO_ALIGNMENT = 64
SERIAL_UNITS = 100_000
"""A step of less work, multiply-accumulates plus bytes (about 5 us), runs on the calling thread
alone: handing parts of it to another thread can cost more than it saves."""


def host_program(plan: Plan, build_id: bytes) -> str:
    """Return the text of `model.c`; `build_id` are the 16 bytes that `weights.bin` carries."""
    _check(plan)
    functions: dict[str, str] = {}
    variants = [_variant(plan, number, functions) for number in range(len(plan.variants))]
    return "\n".join(
        [
            _banner(plan),
            '#include "internal.h"\n',
            _kernel_tables(plan),
            "/* ---- steps: the body of a call, shared by the variants that repeat it ---- */\n",
            *(text for text, _ in variants),
            *(table for _, table in variants),
            _description(plan, build_id),
        ]
    )


def write_host_program(plan: Plan, folder: Path, build_id: bytes = bytes(16)) -> Path:
    """Write `src/` of an artifact: `model.c`, the runtime's sources and the list of exports.

    Args:
        plan: what to generate from.
        folder: the artifact's folder.
        build_id: 16 bytes, as written to `weights.bin`.

    Returns:
        The path of `model.c`.
    """
    source = folder / SOURCE_FOLDER
    source.mkdir(parents=True, exist_ok=True)
    for name in (*RUNTIME_HEADERS, *RUNTIME_SOURCES):
        (source / name).write_text(c_source(name), "utf-8")
    (source / "exports.map").write_text(_exports(source / "edgemoe.h"), "utf-8")
    model = source / "model.c"
    model.write_text(host_program(plan, build_id), "utf-8")
    return model


def build_library(
    folder: Path, objects: Sequence[Path], *, compiler: Sequence[str], link: Sequence[str] = ()
) -> Path:
    """Compile `src/` together with the kernel objects into `model.so`.

    Args:
        folder: the artifact's folder, after `write_host_program`.
        objects: kernel objects of every instruction set; copied to `src/kernels/`.
        compiler: the C compiler and its first options, for example `["aarch64-linux-gnu-gcc"]`.
        link: more options for the end of the command.

    Raises:
        ToolError: the compiler is missing or failed.
    """
    source = folder / SOURCE_FOLDER
    kernels = source / "kernels"
    kernels.mkdir(exist_ok=True)
    names = []
    if len({item.name for item in objects}) != len(objects):
        raise ValueError("kernel objects must have different file names")
    for item in objects:
        names.append(f"kernels/{item.name}")
        shutil.copyfile(item, kernels / item.name)
    command = [
        *compiler, *COMPILE_FLAGS, "-shared", "-o", f"../{LIBRARY}", "model.c", *RUNTIME_SOURCES,
        *names, "-Wl,--version-script=exports.map", "-Wl,-z,defs", "-lm", *link,
    ]  # fmt: skip
    run_compiler(command, source)
    return folder / LIBRARY


def run_compiler(command: Sequence[str], folder: Path) -> None:
    """Run a C compiler in `folder`; raises ToolError with the end of its log."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ToolError(
            f"the C compiler '{command[0]}' cannot be started ({error.strerror}); install it "
            "(Debian: apt install gcc, or gcc-aarch64-linux-gnu to cross-compile) or set CC"
        ) from error
    if done.returncode != 0:
        log = "\n  ".join((done.stderr + done.stdout).strip().splitlines()[-15:])
        raise ToolError(
            f"the C compiler '{command[0]}' failed with code {done.returncode}:\n  {log}\n"
            "try: another compiler by setting CC; if the generated C is at fault, report it as a "
            "bug with the plan (--dump DIR)"
        )


def _check(plan: Plan) -> None:
    """Invariants of the contract between the lowering and the host program."""
    if not plan.variants or not plan.isas:
        raise ValueError(f"plan '{plan.name}' has no variant or no instruction set")
    tokens = [-1 if variant.tokens is None else variant.tokens for variant in plan.variants]
    if sorted(set(tokens)) != tokens or (len(tokens) > 1 and tokens[0] < 1):
        raise ValueError(f"variants of plan '{plan.name}' must ascend in tokens, got {tokens}")
    if any(variant.loops for variant in plan.variants):
        raise ValueError(f"plan '{plan.name}' has loops, which the host program does not know")
    for info in (*plan.inputs, *plan.outputs):
        if len(info.shape) > MAX_RANK:
            raise ValueError(f"'{info.name}' has rank {len(info.shape)}, at most {MAX_RANK}")
        if (info.token_axis is not None) != (-1 in info.shape):
            raise ValueError(f"'{info.name}': -1 in the shape {info.shape} is the token axis")
    alignment = plan.facts.get("io_alignment", DEFAULT_IO_ALIGNMENT)
    if alignment not in (1, 2, 4, 8, 16, 32, 64):
        raise ValueError(f"io_alignment {alignment} is no power of two up to 64")
    with_tokens = any(info.token_axis is not None for info in plan.inputs)
    if with_tokens != (tokens[0] > 0):
        raise ValueError(f"plan '{plan.name}': variants of tokens need an input with a token axis")
    outputs = {info.name: info for info in plan.outputs}
    for info in plan.inputs:
        if info.state_output is None:
            continue
        output = outputs.get(info.state_output)
        if info.token_axis is not None or output is None:
            raise ValueError(f"state '{info.name}' needs a fixed shape and an output")
        if (output.shape, output.dtype) != (info.shape, info.dtype):
            raise ValueError(f"state '{info.name}' and output '{output.name}' differ in type")


def _banner(plan: Plan) -> str:
    return (
        f"/* model.c - model '{comment(plan.name)}' for {comment(plan.target)}, generated by "
        "edgemoe from plan.json.\n"
        " * To build a program with it, in this folder:\n"
        " *   cc -std=c11 -O2 -pthread -o example *.c kernels/?*.o -lm\n"
        " */"
    )


def _parameters(kernel: Kernel) -> str:
    return ", ".join([*kernel.parameters, "int32_t", "int32_t"])


def _kernel_tables(plan: Plan) -> str:
    lines = ["/* ---- kernels: one table per instruction set ---- */\n", "struct em_kernels {"]
    lines += [
        f"    void (*{kernel.name})({_parameters(kernel)}); /* {comment(kernel.template)} */"
        for kernel in plan.kernels
    ] or ["    char none;"]
    lines.append("};\n")
    known = plan.facts.get("kernel_owners", {})
    for isa in plan.isas:
        owners = [known.get(isa, {}).get(" ".join(k.uses), isa) for k in plan.kernels]
        symbols = [
            kernel_symbol(kernel.name, owner)
            for owner, kernel in zip(owners, plan.kernels, strict=True)
        ]
        lines += [
            f"extern void {symbol}({_parameters(kernel)});"
            for symbol, owner, kernel in zip(symbols, owners, plan.kernels, strict=True)
            if owner == isa
        ]
        lines.append(f"\nstatic const struct em_kernels kernels_{isa_identifier(isa)} = {{")
        lines += [f"    {symbol}," for symbol in symbols] or ["    0,"]
        lines.append("};\n")
    return "\n".join(lines)


def _address(argument: Argument, buffers: tuple[Buffer, ...]) -> str:
    if isinstance(argument, int):
        return str(argument)
    buffer = buffers[argument.buffer]
    if buffer.where == "arena":
        return f"em_arena(c, {buffer.offset + argument.offset})"
    if buffer.where == "weights":
        return f"em_weight(c, {buffer.offset + argument.offset})"
    return f"em_{buffer.where}(c, {buffer.index}, {argument.offset})"


def _body(step: Step, kernel: Kernel, variant: Variant) -> str:
    if len(step.arguments) != len(kernel.parameters):
        raise ValueError(f"step '{step.label}' gives kernel '{kernel.name}' other arguments")
    arguments = [_address(argument, variant.buffers) for argument in step.arguments]
    joined = ", ".join([*arguments, "begin", "end"])
    lines = textwrap.wrap(f"c->kernels->{kernel.name}({joined});", 92, break_long_words=False)
    return "    " + "\n        ".join(lines)


def _tasks_from(step: Step, variant: Variant) -> int:
    if step.tasks_from is None:
        return -1
    buffer = variant.buffers[step.tasks_from]
    if buffer.where != "arena":
        raise ValueError(f"tasks_from of step '{step.label}' must be a buffer of the arena")
    return buffer.offset


def is_serial(step: Step) -> bool:
    """Tell whether a step is too little work to share; one of unknown size is shared."""
    work = step.macs + step.nbytes if step.work is None else step.work
    return 0 < work < SERIAL_UNITS


def _variant(plan: Plan, number: int, functions: dict[str, str]) -> tuple[str, str]:
    """Return the new step functions of a variant, and its table."""
    variant = plan.variants[number]
    kernels = {kernel.name: kernel for kernel in plan.kernels}
    texts, rows = [], []
    for position, step in enumerate(variant.steps):
        body = _body(step, kernels[step.kernel], variant)
        name = functions.get(body)
        if name is None:
            name = functions[body] = f"s_{len(functions)}"
            origin = f" ({comment(step.origin)})" if step.origin else ""
            texts.append(
                f"/* {comment(step.label or step.kernel)}{origin} */\n"
                f"static void {name}(const em_call *c, int32_t begin, int32_t end)\n"
                f"{{\n{body}\n}}\n"
            )
        label = comment(step.label or step.kernel)
        rows.append(
            f"    {{{name}, {step.tasks}, {_tasks_from(step, variant)}, {is_serial(step):d}, "
            f"{int(step.even)}}}, "
            f"/* {position}: {label} */"
        )
    tokens = "no token axis" if variant.tokens is None else f"{variant.tokens} tokens"
    table = [
        f"/* variant {number}: {tokens}, arena of {variant.arena_bytes} bytes */",
        f"static const em_step steps_{number}[] = {{",
        *(rows or ["    {0, 0, -1, 0, 0},"]),
        "};\n",
    ]
    return "\n".join(texts), "\n".join(table)


def _description(plan: Plan, build_id: bytes) -> str:
    rows = [
        [f"    {text}, /* {info.dtype} */" for text, info in zip(texts, infos, strict=True)]
        or [f"    {NO_TENSOR},"]
        for texts, infos in zip(tensor_tables(plan), (plan.inputs, plan.outputs), strict=True)
    ]
    in_place = set(plan.facts.get("in_place_states", ()))
    flags = ", ".join(str(int(x.name in in_place)) for x in plan.inputs) or "0"
    isas = [f"    {{{string(isa)}, &kernels_{isa_identifier(isa)}}}," for isa in plan.isas]
    variants = [
        f"    {{{-1 if v.tokens is None else v.tokens}, steps_{n}, {len(v.steps)}, "
        f"{v.arena_bytes}}},"
        for n, v in enumerate(plan.variants)
    ]
    identity = ", ".join(f"0x{byte:02x}" for byte in build_id)
    return "\n".join(
        [
            "/* ---- what the runtime reads ---- */\n",
            "static const em_tensor_info inputs[] = {", *rows[0], "};\n",
            "static const em_tensor_info outputs[] = {",
            *rows[1], "};\n",
            f"static const unsigned char in_place[] = {{{flags}}};\n",
            "static const em_variant variants[] = {", *variants, "};\n",
            "static const em_isa isas[] = {", *isas, "};\n",
            "const em_description em_this_model = {",
            f"    .name = {string(plan.name)},",
            f"    .target = {string(plan.target)},",
            f"    .build_id = {{{identity}}},",
            f"    .weights_bytes = {padded(plan.weights_bytes)}u,",
            f"    .dispatch = {DISPATCH[plan.dispatch]},",
            f"    .pad_ok = {int(bool(plan.facts.get('pad_ok', False)))},",
            f"    .io_alignment = {int(plan.facts.get('io_alignment', DEFAULT_IO_ALIGNMENT))},",
            "    .inputs = inputs,", "    .outputs = outputs,", "    .in_place = in_place,",
            f"    .input_count = {len(plan.inputs)},",
            f"    .output_count = {len(plan.outputs)},",
            "    .variants = variants,", f"    .variant_count = {len(plan.variants)},",
            "    .isas = isas,", f"    .isa_count = {len(plan.isas)},", "};", "",
        ]
    )  # fmt: skip


def padded(nbytes: int) -> int:
    """Round up to the 64 bytes that sections of `weights.bin` start at."""
    return -(-nbytes // 64) * 64


def _exports(header: Path) -> str:
    """Return a linker script that hides every symbol that the header does not declare."""
    names = re.findall(r"EM_API [^;]*?\b(em_\w+)\(", header.read_text("utf-8"))
    return "{\n  global:\n" + "".join(f"    {name};\n" for name in names) + "  local: *;\n};\n"
