"""What a worker process does first; it imports next to nothing, so a process that dies young costs little."""

from __future__ import annotations

import os
import signal

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS")


def quiet() -> None:
    """Compute on one thread (the runs are the parallel part), and leave an interrupt to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _THREADS:
        os.environ.setdefault(name, "1")


def ready() -> None:
    """Be there: the time of a run does not hold the start of its process."""
