"""A board of a fleet that runs TVM's RPC server, asked for by key at the fleet's tracker.

The timing program is a shared library there: TVM's runtime loads it and calls one function that
takes no arguments; words go in and lines come out as files of the session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edgemoe.errors import ToolError
from edgemoe.targets.tuning.timing_program import Link

T = TypeVar("T")

SECONDS = 600
"""A session that takes longer is ended by the server."""


@dataclass
class RpcRunner:
    """The board that the tracker at `host`:`port` gives for `key`."""

    host: str
    port: int
    key: str
    link: Link = "library"
    _session: Any = field(default=None, init=False)
    _call: Callable[[], int] | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)

    @property
    def name(self) -> str:
        """See `Runner`."""
        return f"rpc:{self.host}:{self.port}/{self.key}"

    def place(self, program: Path) -> None:
        """See `Runner`."""
        self._asked(lambda: self._place(program))

    def _place(self, program: Path) -> None:
        if self._session is None:
            from tvm import rpc

            tracker = rpc.connect_tracker(self.host, self.port)
            self._session = tracker.request(self.key, session_timeout=SECONDS)
        # A library that is loaded stays so: every program has a name of its own.
        self._count += 1
        name = f"tune{self._count}.so"
        self._session.upload(bytearray(program.read_bytes()), name)
        self._call = self._session.load_module(name)["edgemoe_tune"]

    def run(self, *arguments: str) -> str:
        """See `Runner`."""
        return self._asked(lambda: self._run("\n".join(arguments)))

    def _run(self, arguments: str) -> str:
        assert self._call is not None
        self._session.upload(bytearray(arguments.encode()), "tune.args")
        if self._call() != 0:
            raise RuntimeError("the timing program failed")
        return bytes(self._session.download("tune.out")).decode()

    def close(self) -> None:
        """See `Runner`: the server removes the session's folder when it ends."""
        self._session = self._call = None

    def _asked(self, ask: Callable[[], T]) -> T:
        """Any failure of TVM's RPC as one that names the tracker."""
        try:
            return ask()
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ToolError(
                f"{self.name}: {lines[-1][:300]}; check with `python -m tvm.exec.query_rpc_tracker "
                f"--host {self.host} --port {self.port}` that '{self.key}' is free"
            ) from error
