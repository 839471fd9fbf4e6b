"""Files by which other build systems take the generated C: make, CMake, Zephyr, Arduino."""

from __future__ import annotations

from edgemoe.targets.mcu.model import Model

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra")
"""How the generated C is compiled where nothing else is said."""


def sources(prefix: str) -> list[str]:
    """The C files of an application; the self-test is apart."""
    return [f"{prefix}.c", f"{prefix}_kernels.c", f"{prefix}_weights.c"]


def device_sources(model: Model) -> list[str]:
    """The C files that are compiled for the device: kernels may be objects already."""
    kernels = f"{model.names.prefix}_kernels.c"
    return [x for x in sources(model.names.prefix) if not (model.objects and x == kernels)]


def build_files(model: Model, compiler: tuple[str, ...]) -> dict[str, str]:
    """Texts by their path in the artifact."""
    return {
        "Makefile": _makefile(model, compiler),
        "CMakeLists.txt": _cmake(model),
        "zephyr/module.yml": "build:\n  cmake: zephyr\n  kconfig: zephyr/Kconfig\n",
        "zephyr/CMakeLists.txt": _zephyr_cmake(model),
        "zephyr/Kconfig": _kconfig(model),
        "library.properties": _arduino(model),
    }


def _makefile(model: Model, compiler: tuple[str, ...]) -> str:
    prefix = model.names.prefix
    made = [f"{name.removesuffix('.c')}.o" for name in device_sources(model)]
    objects = " ".join([*made, *model.objects])
    return f"""# Builds lib{prefix}.a for the device: make, or make CC=... CFLAGS=...
CC = {" ".join(compiler)}
AR = {_ar(compiler[0])}
CFLAGS = {" ".join(FLAGS)} -ffunction-sections -fdata-sections
OBJECTS = {objects}

lib{prefix}.a: $(OBJECTS) {prefix}_selftest.o
\t$(AR) rcs $@ $^

%.o: %.c {prefix}.h {prefix}_internal.h em_core.h
\t$(CC) $(CFLAGS) -c -o $@ $<

clean:
\trm -f *.o lib{prefix}.a

.PHONY: clean
"""


def _ar(compiler: str) -> str:
    return compiler.removesuffix("gcc") + "ar" if compiler.endswith("-gcc") else "ar"


def _cmake(model: Model) -> str:
    prefix = model.names.prefix
    files = " ".join([*device_sources(model), *model.objects])
    return f"""cmake_minimum_required(VERSION 3.13)
project({prefix} C)

# Link with target {prefix}; {prefix}_selftest has the test that runs on the device.
add_library({prefix} STATIC {files})
target_include_directories({prefix} PUBLIC ${{CMAKE_CURRENT_LIST_DIR}})
set_target_properties({prefix} PROPERTIES C_STANDARD 99)
add_library({prefix}_selftest STATIC {prefix}_selftest.c)
target_link_libraries({prefix}_selftest PUBLIC {prefix})
set_target_properties({prefix}_selftest PROPERTIES C_STANDARD 99)
"""


def _zephyr_cmake(model: Model) -> str:
    prefix = model.names.prefix
    names = [*device_sources(model), f"{prefix}_selftest.c"]
    files = "\n".join(f"    ../{name}" for name in names)
    here = "${CMAKE_CURRENT_LIST_DIR}/.."
    objects = "".join(f"  zephyr_link_libraries({here}/{name})\n" for name in model.objects)
    return f"""if(CONFIG_EDGEMOE_{prefix.upper()})
  zephyr_include_directories(..)
  zephyr_library_named({prefix})
  zephyr_library_sources(
{files}
  )
{objects}endif()
"""


def _kconfig(model: Model) -> str:
    return f"""config EDGEMOE_{model.names.macro}
\tbool "Model {model.names.prefix} (edgemoe)"
\thelp
\t  Adds {model.names.prefix}_run(), {model.variant.arena_bytes} bytes of RAM for its arena.
"""


def _arduino(model: Model) -> str:
    prefix = model.names.prefix
    return f"""name={prefix}
version=1.0.0
author=edgemoe
maintainer=edgemoe
sentence=Model {prefix}, compiled by edgemoe for {model.plan.target}.
paragraph=Include {prefix}.h and call {prefix}_run.
category=Data Processing
url=
architectures=*
includes={prefix}.h
"""
