"""Where a timing program runs: on this machine, on another one over ssh, or in an emulator."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgemoe.errors import OptionError, ToolError
from edgemoe.targets.cpu import runs_here
from edgemoe.targets.spec import TargetSpec
from edgemoe.targets.tuning.results import EMULATOR
from edgemoe.targets.tuning.rpc_runner import RpcRunner
from edgemoe.targets.tuning.timing_program import Link

SECONDS = 300
"""A command that takes longer is given up."""

_SSH_OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10")


class Runner(Protocol):
    """A place that programs are brought to and run at."""

    @property
    def name(self) -> str:
        """What was asked for."""

    @property
    def link(self) -> Link:
        """What kind of program can be run there."""

    def place(self, program: Path) -> None:
        """Bring the program there, in place of the one before."""

    def run(self, *arguments: str) -> str:
        """Run it; returns what it prints."""

    def close(self) -> None:
        """Leave nothing behind."""


@dataclass
class LocalRunner:
    """This machine, through `prefix` where that is an emulator."""

    name: str = "local"
    prefix: tuple[str, ...] = ()
    link: Link = "dynamic"
    _program: Path = Path()

    def place(self, program: Path) -> None:
        """See `Runner`."""
        self._program = program.resolve()

    def run(self, *arguments: str) -> str:
        """See `Runner`."""
        return _output([*self.prefix, str(self._program), *arguments], "the timing program failed")

    def close(self) -> None:
        """See `Runner`."""


@dataclass
class SshRunner:
    """A machine with an ssh server, where the user logs in with a key."""

    host: str
    link: Link = "static"
    _folder: str = field(default="", init=False)

    @property
    def name(self) -> str:
        """See `Runner`."""
        return f"ssh:{self.host}"

    def place(self, program: Path) -> None:
        """See `Runner`."""
        if not self._folder:
            self._folder = self._ssh("mktemp -d").strip()
        there = f"{self.host}:{self._folder}/tune"
        _output(["scp", "-q", *_SSH_OPTIONS, str(program), there], self._advice())

    def run(self, *arguments: str) -> str:
        """See `Runner`."""
        return self._ssh(shlex.join([f"{self._folder}/tune", *arguments]))

    def close(self) -> None:
        """See `Runner`."""
        if self._folder:
            with suppress(ToolError):  # it is gone, and the results are here
                self._ssh(shlex.join(["rm", "-rf", self._folder]))

    def _ssh(self, command: str) -> str:
        return _output(["ssh", *_SSH_OPTIONS, self.host, command], self._advice())

    def _advice(self) -> str:
        return f"check that `ssh -o BatchMode=yes {self.host} true` works, with a key"


def _output(command: Sequence[str], advice: str) -> str:
    """Run a command; returns its standard output, or raises ToolError with the end of its log."""
    if shutil.which(command[0]) is None:
        raise ToolError(f"'{command[0]}' is not installed; install it, or choose another --runner")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"'{shlex.join(command)}' took over {SECONDS} s; {advice}") from error
    if done.returncode != 0:
        log = done.stderr.strip()[-500:] or "it printed nothing"
        raise ToolError(f"'{shlex.join(command)}' ended with {done.returncode} ({log}); {advice}")
    return done.stdout


def runner_of(text: str, spec: TargetSpec, *, allow_emulator: bool = False) -> Runner:
    """Read "local", "ssh:USER@HOST", "rpc:HOST:PORT/KEY" or "emulator".

    Raises:
        OptionError: there is no such runner, or it cannot run code of the target.
    """
    if spec.family != "cpu":
        raise OptionError(
            f"target {spec.name} is not timed: products are cut by what its file says of the "
            "device\n  next: change the target file, or give the target of a CPU"
        )
    kind, _, rest = text.partition(":")
    if kind == "ssh" and rest and not rest.startswith("-"):
        return SshRunner(rest)
    if match := re.fullmatch(r"rpc:([\w.-]+):(\d{1,5})/(.+)", text):
        return RpcRunner(match[1], int(match[2]), match[3])
    if text == "local":
        if not runs_here(spec):
            raise OptionError(
                f"--runner local: this machine is no {spec.architecture}; give ssh:USER@HOST of a "
                "device"
            )
        return LocalRunner()
    if text == EMULATOR:
        if not spec.emulator:
            raise OptionError(f"--runner emulator: target {spec.name} has none")
        if not allow_emulator:
            raise OptionError(
                "--runner emulator: its times mean nothing; give ssh:USER@HOST of a device, or "
                "--allow-emulator to try the way there and back"
            )
        return LocalRunner(EMULATOR, spec.emulator, "static")
    raise OptionError(
        f"--runner {text}: runners are local, ssh:USER@HOST, rpc:HOST:PORT/KEY and emulator"
    )
