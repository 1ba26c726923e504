"""What a worker process does first; it imports next to nothing, so a process that dies young costs little."""

from __future__ import annotations

import os
import signal
from multiprocessing import connection, parent_process
from threading import Thread

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS")


def quiet() -> None:
    """Compute on one thread (the runs are the parallel part), leave an interrupt to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    for name in _THREADS:
        os.environ.setdefault(name, "1")


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers: they watch it, so that none is left behind."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def ready() -> None:
    """Be there: the time of a run does not hold the start of its process."""
