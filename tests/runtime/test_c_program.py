"""The C side as a C user meets it: other compilers, another processor, checkers, the example."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgemoe.errors import ToolError
from edgemoe.targets.host_c import (
    RUNTIME_SOURCES,
    build_library,
    host_program,
    write_host_program,
)

STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-pthread"]
DRIVER = Path(__file__).parent / "toys" / "driver.c"


def run(command, cwd=None, **environment) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False,
        env=os.environ | environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def program(artifact_path: Path, out: Path, compiler: str, *options: str) -> Path:
    """Build src/ with example.c into one program, without the shared library."""
    source = artifact_path / "src"
    objects = sorted((source / "kernels").glob("*.o"))
    run([compiler, *STRICT, *options, "-o", out, "example.c", "model.c", *RUNTIME_SOURCES,
         *objects, "-lm"], cwd=source)  # fmt: skip
    return out


def numbers(text: str, name: str) -> list[float]:
    line = next(line for line in text.splitlines() if line.startswith(f"{name}:"))
    return [float(item) for item in line.split(":")[1].split()]


def python_numbers(toy, artifact, name="y"):
    result = artifact.load().run(toy.selftests[0].inputs)[name]
    return [float(f"{value:.9g}") for value in result.reshape(-1)[:8]]


@pytest.mark.parametrize("name", ["mixer", "routed"])
@pytest.mark.needs("gcc")
def test_the_example_prints_what_python_prints(toys, toy_artifact, tmp_path, name):
    artifact = toy_artifact(name)
    example = tmp_path / "example"
    shared = f"-L{artifact.path}", "-l:model.so", f"-Wl,-rpath,{artifact.path}"
    run(["gcc", *STRICT, "-o", example, "example.c", *shared], cwd=artifact.path / "src")
    expected = python_numbers(getattr(toys, name)(), artifact)
    assert numbers(run([example, artifact.path]), "y") == expected


@pytest.mark.parametrize(
    "compilers",
    [
        pytest.param("gcc", marks=pytest.mark.needs("gcc")),
        pytest.param("clang|clang-14", marks=pytest.mark.needs("clang|clang-14")),
    ],
)
def test_compilers_do_not_complain(toys, toy_artifact, tmp_path, compilers):
    compiler = next(name for name in compilers.split("|") if shutil.which(name))
    artifact = toy_artifact("routed")
    text = run([program(artifact.path, tmp_path / "example", compiler), artifact.path])
    assert numbers(text, "y") == python_numbers(toys.routed(), artifact)


@pytest.mark.needs("gcc")
def test_the_header_is_c99_and_cplusplus(toy_artifact):
    header = toy_artifact("mixer").path / "src" / "edgemoe.h"
    run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only",
         "-x", "c", header])  # fmt: skip
    if shutil.which("g++"):
        run(["g++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", header])


@pytest.mark.needs("aarch64-linux-gnu-gcc", "qemu-aarch64")
@pytest.mark.parametrize("name", ["mixer", "routed"])
def test_aarch64_prints_the_same(toys, toy_artifact, tmp_path, name):
    toy = getattr(toys, name)(isas=("aarch64",))
    artifact = toys.build(toy, tmp_path / "arm", compiler=["aarch64-linux-gnu-gcc"])
    example = program(artifact.path, tmp_path / "example", "aarch64-linux-gnu-gcc")
    text = run(["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", example, artifact.path])
    assert "instruction set aarch64" in text
    expected = python_numbers(getattr(toys, name)(), toy_artifact(name))
    assert numbers(text, "y") == pytest.approx(expected, rel=1e-6)


@pytest.mark.needs("aarch64-linux-gnu-gcc", "qemu-aarch64")
def test_aarch64_threads_and_states(toys, tmp_path):
    compiler = "aarch64-linux-gnu-gcc"
    artifact = toys.build(toys.stress(isas=("aarch64",)), tmp_path / "arm", compiler=[compiler])
    out = program_of(DRIVER, artifact.path, tmp_path / "driver", compiler=compiler)
    for threads in ("1", "2"):
        command = [
            "qemu-aarch64",
            "-L",
            "/usr/aarch64-linux-gnu",
            out,
            artifact.path,
            threads,
            "20",
        ]
        assert run(command).strip() == "ok"


@pytest.mark.needs("cppcheck")
def test_cppcheck_finds_nothing(toy_artifact):
    source = toy_artifact("mixer").path / "src"
    files = [*RUNTIME_SOURCES, "model.c", "example.c"]
    text = run(["cppcheck", "--enable=warning,performance,portability", "--std=c11", "--quiet",
                "--error-exitcode=1", *files], cwd=source)  # fmt: skip
    assert not text.strip()


@pytest.mark.needs("nm")
def test_only_the_interface_is_exported(toy_artifact):
    text = run(["nm", "-D", "--defined-only", toy_artifact("mixer").path / "model.so"])
    names = {line.split()[-1] for line in text.splitlines()}
    assert "em_run" in names
    assert all(name.startswith("em_") for name in names)
    assert not names & {"em_this_model", "em_pool_run", "em_fail"}


@pytest.mark.needs("valgrind", "gcc")
@pytest.mark.parametrize("tool", ["memcheck", "helgrind"])
def test_valgrind(toy_artifact, tmp_path, tool):
    """No leak and no stray access; it has no AVX-512, so this also chooses a smaller ISA.

    Helgrind does not know atomics, therefore it sees one thread only.
    """
    artifact = toy_artifact("stress")
    out = program_of(DRIVER, artifact.path, tmp_path / "driver")
    options = ["--leak-check=full"] if tool == "memcheck" else []
    run(["valgrind", f"--tool={tool}", "--error-exitcode=9", "-q", *options, out, artifact.path,
         "2" if tool == "memcheck" else "1", "3"])  # fmt: skip


@pytest.mark.needs("gcc")
@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_sanitizers(toy_artifact, tmp_path, sanitizer):
    artifact = toy_artifact("stress")
    flags = f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-g"
    out = program_of(DRIVER, artifact.path, tmp_path / "driver", *flags)
    for threads in ("1", "2", "5"):
        assert run([out, artifact.path, threads, "200"]).strip() == "ok"


def program_of(
    driver: Path, artifact_path: Path, out: Path, *options: str, compiler: str = "gcc"
) -> Path:
    source = artifact_path / "src"
    objects = sorted((source / "kernels").glob("*.o"))
    run([compiler, *STRICT, *options, f"-I{source}", "-o", out, driver, "model.c", *RUNTIME_SOURCES,
         *objects, "-lm"], cwd=source)  # fmt: skip
    return out


@pytest.mark.parametrize("name", ["mixer", "routed", "running"])
def test_the_host_program_is_deterministic(toys, golden, name):
    plan = getattr(toys, name)(isas=("x86-64-v3", "x86-64-v4")).plan
    golden(f"{name}.c", host_program(plan, bytes(range(16))))


def test_a_missing_compiler(toys, tmp_path):
    message = r"compiler 'no-such-cc' cannot be started .*install it .*or set CC"
    with pytest.raises(ToolError, match=message):
        build(toys, tmp_path, "no-such-cc")


@pytest.mark.needs("gcc")
def test_a_compiler_that_fails(toys, tmp_path):
    with pytest.raises(ToolError, match=r"'gcc' failed with code 1:(.|\n)*add__x86_64(.|\n)*try"):
        build(toys, tmp_path, "gcc")


def build(toys, folder, compiler):
    """No kernel objects: the linker must complain."""
    write_host_program(toys.mixer(isas=("x86-64",)).plan, folder)
    build_library(folder, [], compiler=[compiler])


@pytest.mark.needs("gcc")
def test_it_can_be_linked_again_from_src(toy_artifact, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(toy_artifact("mixer").path, folder)
    objects = sorted((folder / "src" / "kernels").glob("*.o"))
    moved = [Path(shutil.copy(path, tmp_path)) for path in objects]
    before = (folder / "model.so").read_bytes()
    assert build_library(folder, moved, compiler=["cc"]).read_bytes() == before


@pytest.mark.needs("gcc")
@pytest.mark.parametrize("way", ["library", "sources"])
def test_the_program_in_the_guide(toys, toy_artifact, tmp_path, way):
    guide = (Path(__file__).parents[2] / "docs" / "c-api.md").read_text("utf-8")
    source = tmp_path / "program.c"
    source.write_text(guide.split("```c\n")[1].split("```")[0], "utf-8")
    out = toy_artifact("mixer").path
    command = ["gcc", *STRICT, f"-I{out}/src", "-o", tmp_path / "program", source]
    if way == "library":
        command += [f"-L{out}", "-l:model.so", f"-Wl,-rpath,{out}"]
    else:
        files = [path for path in (out / "src").glob("*.c") if path.name != "example.c"]
        command += [*files, *(out / "src" / "kernels").glob("*.o"), "-lm"]
    run(command)
    text = run([tmp_path / "program", out])
    bias = toys.mixer().weights[1]
    assert text == f"toy-mixer, {toys.HOST_ISAS[-1]}: {float(bias[0]):g}\n"
    assert "give the folder" in failing([tmp_path / "program", tmp_path])


def failing(command) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr
