"""The generated files: no warning of any compiler, no byte too few, nothing of libc."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")

STRICT = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wcast-align",
          "-Wcast-qual", "-Wshadow", "-Wmissing-prototypes", "-Wstrict-prototypes"]  # fmt: skip
ARM = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]


@pytest.fixture
def folder(mcu_artifact) -> Path:
    return mcu_artifact("digits", "cortex-m4").path


def run(command, cwd):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "compiler",
    [
        pytest.param(["gcc"], marks=pytest.mark.needs("gcc")),
        pytest.param(["clang"], marks=pytest.mark.needs("clang")),
        pytest.param(ARM, marks=pytest.mark.needs("arm-none-eabi-gcc")),
    ],
)
def test_no_compiler_warns(compiler, folder, tmp_path):
    for source in sorted(folder.glob("*.c")):
        done = run([*compiler, *STRICT, "-c", source, "-o", tmp_path / "x.o"], folder)
        assert not done.returncode, done.stderr


@pytest.mark.needs("cppcheck")
def test_cppcheck_finds_nothing(folder):
    done = run(
        ["cppcheck", "--std=c99", "--error-exitcode=1", "--quiet",
         "--enable=warning,style,performance,portability", "digits.c", "digits_kernels.c",
         "digits_selftest.c"],
        folder,
    )  # fmt: skip
    assert not done.returncode, done.stdout + done.stderr


@pytest.mark.needs("gcc")
def test_one_byte_less_does_not_compile(folder, mcu_artifact, tmp_path):
    nbytes = mcu_artifact("digits", "cortex-m4").plan.variants[0].arena_bytes
    define = "-DDIGITS_ARENA_SIZE={}".format
    command = ["gcc", "-std=c99", "-c", "digits.c", "-o", tmp_path / "x.o"]
    assert not run([*command, define(nbytes)], folder).returncode
    done = run([*command, define(nbytes - 1)], folder)
    assert done.returncode and "DIGITS_ARENA_SIZE is smaller" in done.stderr


@pytest.mark.needs("cc")
def test_the_self_test_counts_wrong_values(folder, tmp_path):
    main = tmp_path / "main.c"
    main.write_text('#include "digits.h"\nint main(void) { return digits_selftest(); }\n')
    sources = ["digits.c", "digits_kernels.c", "digits_weights.c", "digits_selftest.c"]
    program = tmp_path / "test"
    build = ["cc", "-std=c99", "-I.", "-o", program, main, *sources, "-lm"]
    assert not run(build, folder).returncode
    assert run([program], tmp_path).returncode == 0
    broken = tmp_path / "broken.c"
    text = (folder / "digits_selftest.c").read_text()
    head, tail = text.split("expected_logits[DIGITS_LOGITS_SIZE] = {\n", 1)
    values = tail.split("}", 1)[0].replace("\n", " ").split(",")
    values[3] = " 1000.0f"
    broken.write_text(
        f"{head}expected_logits[DIGITS_LOGITS_SIZE] = {{\n{','.join(values)}}}"
        + tail.split("}", 1)[1]
    )
    assert not run([*build[:-2], broken, "-lm"], folder).returncode
    assert run([program], tmp_path).returncode == 1


@pytest.mark.needs("arm-none-eabi-gcc", "make")
def test_the_makefile_builds_a_library_that_needs_nothing(folder, tmp_path):
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", folder, copy], check=True)
    done = run(["make", "-s"], copy)
    assert not done.returncode, done.stderr
    assert not done.stderr
    undefined = run(["arm-none-eabi-nm", "-u", "libdigits.a"], copy).stdout
    names = {line.split()[-1] for line in undefined.splitlines() if " U " in line}
    assert {n for n in names if not n.startswith("digits_")} <= {"sqrtf", "memcpy", "memset"}


@pytest.mark.needs("cmake", "gcc")
def test_cmake_takes_it(folder, tmp_path):
    done = run(["cmake", "-S", folder, "-B", tmp_path / "build"], tmp_path)
    assert not done.returncode, done.stderr
    done = run(["cmake", "--build", tmp_path / "build"], tmp_path)
    assert not done.returncode, done.stderr


def test_other_build_systems_find_their_files(folder):
    assert "zephyr_library_sources" in (folder / "zephyr/CMakeLists.txt").read_text()
    assert "config EDGEMOE_DIGITS" in (folder / "zephyr/Kconfig").read_text()
    assert "includes=digits.h" in (folder / "library.properties").read_text()
