"""Where peers and quantisers are installed: an environment each in `benchmarks/.peers`, or ours."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.contestant import Peer, peer_names, peer_of
from benchmarks.quantiser import Quantiser, quantiser_of

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / ".peers"


def module_of(name: str) -> Peer | Quantiser:
    """The file of a peer, or of a quantiser that is no peer."""
    return peer_of(name) if name in peer_names() else quantiser_of(name)


def python_of(peer: str) -> Path | None:
    """The interpreter that runs a peer; None where the peer is not installed."""
    own = FOLDER / peer / "bin" / "python"
    if own.is_file():
        return own
    if importlib.util.find_spec(module_of(peer).NEEDS) is not None:
        return Path(sys.executable)
    return None


def environment(threads: int) -> dict[str, str]:
    """The variables of every process that is measured."""
    count = str(threads)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "PYTHONWARNINGS": "ignore",
    }


def install(peer: str) -> None:
    """Make the environment of a peer, or bring it up to date.

    Raises:
        subprocess.CalledProcessError: pip could not install it; its output says why.
    """
    folder = FOLDER / peer
    if not (folder / "bin" / "python").is_file():
        venv.create(folder, with_pip=True, symlinks=True)
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "numpy"]
    variables = {**os.environ, **getattr(module_of(peer), "BUILD_VARIABLES", {})}
    subprocess.run([*command, *module_of(peer).REQUIREMENTS], check=True, env=variables)


def versions_of(peer: str, python: Path) -> dict[str, str]:
    """Versions of what a peer requires, as installed."""
    names = [requirement.split("==")[0] for requirement in module_of(peer).REQUIREMENTS]
    script = (
        "import sys, importlib.metadata as m\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, m.version(name))\n"
        "    except m.PackageNotFoundError: pass\n"
    )
    done = subprocess.run(
        [python, "-c", script, *names], capture_output=True, text=True, check=True
    )
    return dict(line.split() for line in done.stdout.splitlines())
