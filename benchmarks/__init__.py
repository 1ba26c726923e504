"""What `make bench` runs: every claim of speed, with its peers in the same run.

A benchmark is a module of this package with a function `rows(quick: bool) -> list[Row]`; `quick` asks for sizes that
finish in seconds. Generators are seeded, so two runs measure the same work.
"""

from __future__ import annotations

import gc
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, how long it took, and how that compares with a peer in the same run."""

    benchmark: str
    case: str
    seconds: float
    peer: str = ""
    peer_seconds: float = float("nan")
    target: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over the peer's time; below 1 is faster than the peer."""
        return self.seconds / self.peer_seconds


def timed(work: Callable[[], object], repeat: int = 3) -> float:
    """Median wall-clock seconds of ``repeat`` calls of ``work``."""
    seconds = []
    for _ in range(repeat):
        gc.collect()
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def peak_gb() -> float:
    """Largest resident memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
