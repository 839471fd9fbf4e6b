"""Lets the processes of all contestants of a case take turns, and collects the rounds.

One process works at a time: the others are stopped (SIGSTOP), so that a thread pool that spins for
more work after its call takes nothing from the next contestant, and no pool has to be told not to.
Whatever the machine does besides hits neighbours in time alike; every ratio is therefore one of two
figures of the same round.
"""

from __future__ import annotations

import json
import random
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.contestant import Contestant, Kit
from benchmarks.environments import ROOT, environment, python_of
from benchmarks.prepare import clear, has_note, is_prepared, why_not


@dataclass
class Result:
    """What was measured of a contestant, or why it was not."""

    contestant: Contestant
    failed: str | None = None
    error: float | None = None  # relative RMS to torch in float32
    rss_mb: float | None = None  # growth of the process by loading and running
    rounds_us: list[float] = field(default_factory=list)  # fastest call of each round

    @property
    def microseconds(self) -> float:
        """Median over the rounds."""
        return statistics.median(self.rounds_us)


class Worker:
    """The process of a contestant; stopped except during its turn."""

    def __init__(self, contestant: Contestant, kit: Kit, threads: int) -> None:
        command = [
            str(python_of(contestant.peer)), "-m", "benchmarks.worker",
            contestant.peer, contestant.name, str(kit.folder), str(threads),
        ]  # fmt: skip
        self.log = kit.folder_of(contestant) / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=environment(threads), cwd=ROOT,
            )  # fmt: skip

    def answer(self) -> Any:
        """The next line that the process writes.

        Raises:
            RuntimeError: the process has ended.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            tail = self.log.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"the process ended with code {code} {' '.join(tail)[:200]}")
        return json.loads(line)

    def stop(self) -> None:
        """Halt all threads of the process."""
        self.process.send_signal(signal.SIGSTOP)

    def turn(self, milliseconds: float) -> float:
        """Run for a while; returns the microseconds of the fastest call."""
        assert self.process.stdin is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(f"{milliseconds}\n")
        self.process.stdin.flush()
        try:
            return float(self.answer()) / 1e3
        finally:
            self.stop()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def prepare_all(kit: Kit, contestants: Sequence[Contestant], threads: int) -> None:
    """Prepare what is not prepared yet, one process per peer, and one more after each crash."""
    for peer in dict.fromkeys(contestant.peer for contestant in contestants):
        missing = [c for c in contestants if c.peer == peer and not is_prepared(c, kit)]
        for contestant in missing:
            clear(contestant, kit)
        while missing:
            subprocess.run(
                [str(python_of(peer)), "-m", "benchmarks.prepare", peer, str(kit.folder),
                 *(contestant.name for contestant in missing)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                env=environment(threads), cwd=ROOT,
            )  # fmt: skip
            left = [c for c in missing if not has_note(c, kit)]
            if len(left) == len(missing):
                break  # the process does not even start
            missing = left


@contextmanager
def workers_of(
    kit: Kit, contestants: Iterable[Contestant], threads: int
) -> Iterator[tuple[list[Result], dict[int, Worker]]]:
    """Start a process for each contestant; those that fail are results with a reason."""
    results: list[Result] = []
    workers: dict[int, Worker] = {}
    try:
        for contestant in contestants:
            result = Result(contestant, failed=why_not(contestant, kit))
            results.append(result)
            if result.failed is None:
                worker = Worker(contestant, kit, threads)
                workers[len(results) - 1] = worker
                _meet(worker, result)
                if result.failed is not None:
                    workers.pop(len(results) - 1).close()
        yield results, workers
    finally:
        for worker in workers.values():
            worker.close()


def _meet(worker: Worker, result: Result) -> None:
    """Read the first line of a worker, and stop it."""
    try:
        facts = worker.answer()
        worker.stop()
    except RuntimeError as error:
        result.failed = str(error)
        return
    result.failed = facts.get("failed")
    result.error, result.rss_mb = facts.get("error"), facts.get("rss_mb")


def measure(
    kit: Kit, contestants: Sequence[Contestant], threads: int, rounds: int, milliseconds: float
) -> list[Result]:
    """Prepare, start, and let all take turns: in another order in every round."""
    prepare_all(kit, contestants, threads)
    order = random.Random(0)
    with workers_of(kit, contestants, threads) as (results, workers):
        for _ in range(rounds):
            turns = list(workers)
            order.shuffle(turns)
            for number in turns:
                try:
                    results[number].rounds_us.append(workers[number].turn(milliseconds))
                except (RuntimeError, OSError) as error:
                    results[number].failed = str(error)
                    workers.pop(number).close()
    return results


def log(text: str) -> None:
    """Say something about the progress."""
    print(text, file=sys.stderr, flush=True)
