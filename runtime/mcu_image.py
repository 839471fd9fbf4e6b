"""Builds the program that an emulator runs: the generated C, the harness, a linker script."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from edgemoe.runtime.manifest import Manifest, file_hash
from edgemoe.runtime.mcu_host import compile_c, sources_and_headers
from edgemoe.runtime.package import cache_folder

VECTOR_BYTES = 0x400
FLAGS = ("-std=gnu99", "-O2", "-g0", "-ffp-contract=off", "-ffunction-sections",
         "-fdata-sections", "-fno-tree-loop-distribute-patterns")  # fmt: skip
"""GNU for the assembly of the start-up code, which must not become a call of memset."""

_PACKAGES = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
}

_C_TYPES = {"float32": "float", "float64": "double", "bool": "uint8_t", "bfloat16": "uint16_t",
            "float16": "uint16_t"}  # fmt: skip

_SCRIPT = """
MEMORY {{
  VECTORS (rx) : ORIGIN = {vectors:#x}, LENGTH = {vector_bytes:#x}
  FLASH (rx) : ORIGIN = {flash:#x}, LENGTH = {flash_bytes:#x}
  RAM (rwx) : ORIGIN = {ram:#x}, LENGTH = {ram_bytes:#x}
}}
ENTRY(em_reset)
SECTIONS {{
  .vectors : {{ KEEP(*(.vectors)) }} > VECTORS
  .text : ALIGN(16) {{ *(.text*) *(.rodata*) *(.srodata*) *(.eh_frame*) . = ALIGN(16); }} > FLASH
  .ARM.exidx : {{ __exidx_start = .; *(.ARM.exidx*) __exidx_end = .; }} > FLASH
  .tdata : ALIGN(16) {{ em_thread_start = .; *(.tdata*) }} > RAM AT > FLASH
  .tbss (NOLOAD) : {{ *(.tbss*) . = ALIGN(16); . += 64; }} > RAM
  .data : ALIGN(16) {{
    em_data_start = .; *(.data*) *(.sdata*) *(.got*) . = ALIGN(16); em_data_end = .;
  }} > RAM AT > FLASH
  em_data_load = LOADADDR(.data);
  .bss (NOLOAD) : ALIGN(16) {{
    em_bss_start = .; *(.bss*) *(.sbss*) *(COMMON) . = ALIGN(16); em_bss_end = .;
  }} > RAM
  end = .;
  PROVIDE(__aeabi_unwind_cpp_pr0 = 0);
  em_stack_top = ORIGIN(RAM) + LENGTH(RAM);
}}
"""


def build_image(folder: Path, manifest: Manifest, *, profiled: bool = False) -> Path:
    """The ELF file in the cache, by the content of what goes into it.

    Raises:
        ToolError: the cross compiler is missing or failed.
    """
    facts = manifest.data["mcu"]
    prefix = facts["prefix"]
    startup = f"start_{facts['emulator']['startup']}.c"
    package = resources.files("edgemoe.runtime.c.mcu")
    texts = {
        name: package.joinpath(name).read_text("utf-8")
        for name in ("harness.c", "em_harness.h", startup)
    }
    texts["glue.c"] = glue(manifest)
    texts["device.ld"] = _script(facts["emulator"])
    sources = [*sources_and_headers(facts), *facts["objects"]]
    flags = [*FLAGS]
    if profiled:
        hook = f"-D{prefix.upper()}_AFTER_STEP(step)=em_step_done(step)"
        flags += [hook, "-include", "em_harness.h"]
    key = hashlib.sha256(
        json.dumps([texts, [file_hash(folder / name) for name in sources], facts, flags]).encode()
    ).hexdigest()[:40]
    path = cache_folder() / "mcu-qemu" / f"{key}.elf"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as room:
        for name, text in texts.items():
            (Path(room) / name).write_text(text, "utf-8")
        where = folder.absolute()
        compile_c(
            facts["compiler"],
            [*flags, "-I", str(where), "-I", ".", "-nostartfiles", "-T", "device.ld",
             "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments", "-o", "image.elf", startup,
             "harness.c", "glue.c",
             *(str(where / name) for name in (*facts["device_sources"], *facts["objects"])),
             "-lm", "-lc", "-lgcc", *facts["link"]],
            Path(room), _PACKAGES.get(facts["compiler"][0], facts["compiler"][0]),
        )  # fmt: skip
        (Path(room) / "image.elf").replace(path)
    return path


def glue(manifest: Manifest) -> str:
    """The C that gives the harness the arrays and functions of the model."""
    facts = manifest.data["mcu"]
    prefix, names = facts["prefix"], facts["arguments"]
    specs = {spec.name: spec for spec in (*manifest.inputs, *manifest.outputs)}
    lines = [f'#include "{prefix}.h"', '#include "em_harness.h"', ""]
    tables: dict[str, list[str]] = {"inputs": [], "outputs": []}
    for kind, table in tables.items():
        for number, name in enumerate(names[kind]):
            spec = specs[name]
            size = 1
            for extent in spec.shape:
                size *= extent
            own, dtype = f"{kind}_{number}", _C_TYPES.get(spec.dtype, f"{spec.dtype}_t")
            lines.append(f"static {dtype} {own}[{size}] __attribute__((aligned(16)));")
            table.append(f"{{{own}, sizeof {own}}}")
    for kind, table in tables.items():
        singular = kind.removesuffix("s")
        lines.append(f"const em_region em_{kind}[] = {{{', '.join(table) or '{0, 0}'}}};")
        lines.append(f"const uint32_t em_{singular}_count = {len(table)};")
    arguments = ", ".join(
        f"{kind}_{number}" for kind, table in tables.items() for number in range(len(table))
    )
    stateful = bool(manifest.states)
    lines += [
        f"const uint32_t em_step_count = {facts['steps']};",
        f"void em_model_reset(void) {{ {f'{prefix}_reset();' if stateful else ''} }}",
        f"void em_model_run(void) {{ {prefix}_run{'_step' if stateful else ''}({arguments}); }}",
        "",
    ]
    return "\n".join(lines)


def _script(emulator: Mapping[str, Any]) -> str:
    flash, flash_bytes = emulator["flash"]
    if emulator["vectors"] == flash:
        flash, flash_bytes = flash + VECTOR_BYTES, flash_bytes - VECTOR_BYTES
    ram, ram_bytes = emulator["ram"]
    return _SCRIPT.format(
        vectors=emulator["vectors"], vector_bytes=VECTOR_BYTES, flash=flash,
        flash_bytes=flash_bytes, ram=ram, ram_bytes=ram_bytes,
    )  # fmt: skip
