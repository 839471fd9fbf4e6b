"""The generated files: no warning of any compiler, no byte too few, nothing of libc."""

from __future__ import annotations

import re
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


@pytest.fixture(scope="module")
def attention(tmp_path_factory) -> Path:
    """A float program with attention, whose softmax is the longest kernel that there is."""
    import torch

    import edgemoe

    class Attention(torch.nn.Module):
        def forward(self, q, k, v):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    example = tuple(torch.randn(1, 2, 5, 8) for _ in range(3))
    out = tmp_path_factory.mktemp("attention") / "attention"
    edgemoe.compile((Attention(), example), name="attention", target="cortex-m4", out=out)
    assert "attention_0_softmax" in (out / "attention_kernels.c").read_text()
    return out


@pytest.mark.needs("cppcheck")
def test_cppcheck_finds_nothing_in_attention(attention):
    done = run(
        ["cppcheck", "--std=c99", "--error-exitcode=1", "--quiet",
         "--enable=warning,style,performance,portability",
         # cppcheck 2.10 takes the limits of max(a, 0) < min(b, n) for all that they can be
         "--suppress=knownConditionTrueFalse", "attention.c", "attention_kernels.c"],
        attention,
    )  # fmt: skip
    assert not done.returncode, done.stdout + done.stderr


def test_attention_is_short_where_a_vector_is_one_key(attention):
    text = (attention / "attention_kernels.c").read_text()
    assert len(text.split("attention_0_softmax(")[-1].split("\n}\n")[0].splitlines()) < 200


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


TOOLCHAIN = """set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
"""


@pytest.mark.needs("cmake", "make", "gcc", "arm-none-eabi-gcc")
@pytest.mark.parametrize("toolchain", ["", TOOLCHAIN], ids=["host", "arm"])
def test_cmake_takes_it(toolchain, folder, tmp_path):
    options = []
    if toolchain:
        (tmp_path / "arm.cmake").write_text(toolchain)
        options = [f"-DCMAKE_TOOLCHAIN_FILE={tmp_path / 'arm.cmake'}"]
    done = run(["cmake", "-S", folder, "-B", tmp_path / "build", *options], tmp_path)
    assert not done.returncode, done.stderr
    done = run(["cmake", "--build", tmp_path / "build"], tmp_path)
    assert not done.returncode, done.stderr
    if toolchain:
        made = run(["arm-none-eabi-objdump", "-f", tmp_path / "build/libdigits.a"], tmp_path)
        assert "elf32-littlearm" in made.stdout


def test_zephyr_finds_its_module(folder):
    """What `zephyr/module.yml` names is there, and what is there names files of the folder."""
    import yaml

    module = yaml.safe_load((folder / "zephyr/module.yml").read_text())
    assert (folder / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    options = (folder / module["build"]["kconfig"]).read_text()
    (option,) = re.findall(r"^config (\w+)$", options, re.MULTILINE)
    lists = (folder / "zephyr/CMakeLists.txt").read_text()
    assert f"if(CONFIG_{option})" in lists
    sources = re.findall(r"^    (\S+\.c)$", lists, re.MULTILINE)
    assert len(sources) == 4 and all((folder / "zephyr" / name).is_file() for name in sources)


def test_arduino_finds_its_library(folder):
    lines = (folder / "library.properties").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    needed = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category"}
    assert needed | {"url", "architectures"} <= set(found)
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert (folder / found["includes"]).is_file()
