"""What `make bench` runs: every claim of speed, with its peers in the same run.

A benchmark is a module of this package with a function `rows(quick: bool) -> list[Row]`; `quick` asks for sizes that
finish in seconds. Generators are seeded, so two runs measure the same work.
"""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, how long it took, and how that compares with a peer in the same run.

    `seconds` and `peer_seconds` are in `unit` where that is not seconds. `met` is None where there is no target.
    """

    benchmark: str
    case: str
    seconds: float
    peer: str = ""
    peer_seconds: float = float("nan")
    target: str = ""
    met: bool | None = None
    note: str = ""
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """Ours over the peer's time; below 1 is faster than the peer."""
        return self.seconds / self.peer_seconds


@dataclass(frozen=True)
class Run:
    """A finished process: wall seconds, processor seconds, largest resident memory in GB, exit code and outputs."""

    seconds: float
    processor: float
    peak_gb: float
    code: int
    out: str
    err: str


def timed(work: Callable[[], object], repeat: int = 3) -> float:
    """Median wall-clock seconds of ``repeat`` calls of ``work``."""
    return statistics.median(_each(work, repeat))


def fastest(work: Callable[[], object], repeat: int = 7) -> float:
    """Least wall-clock seconds of ``repeat`` calls: for short work, which anything else on the machine disturbs."""
    return min(_each(work, repeat))


def _each(work: Callable[[], object], repeat: int) -> list[float]:
    seconds = []
    for _ in range(repeat):
        gc.collect()
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def peak_gb() -> float:
    """Largest resident memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def run(command: Sequence[str]) -> Run:
    """Run a command to its end and say what it took, with the processes it has waited for."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = [stream.read() for stream in (out, err) if stream.seek(0) == 0]
    processor = usage.ru_utime + usage.ru_stime
    return Run(seconds, processor, usage.ru_maxrss / 1e6, process.returncode, *texts)
