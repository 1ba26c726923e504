"""Computes the runs of a sweep: in this process, on local processes, or on a Dask cluster; deaths of workers are
retried.

What is computed does not depend on where: a worker is given the plan as text and the number of a run, and gives back
text.
"""

from __future__ import annotations

import os
import time
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from supplychain import __version__
from supplychain.errors import EnvironmentFault, SupplychainError, UsageError
from supplychain.whatif.begin import quiet, ready
from supplychain.whatif.store import Store
from supplychain.whatif.sweep import plan_text, run_text

_GONE: Final = frozenset({"FutureCancelledError", "CancelledError", "CommClosedError", "ClosedClientError"})
_PATIENCE: Final = "20s"  # how long a scheduler may take to answer
_QUEUED: Final = 4  # runs handed to each worker of a cluster, so that none waits for work
RETRIES: Final = 2  # times that a run whose worker died is tried again
Step = Callable[[str], None]
Job = Callable[[str, int], str]


def run_here(store: Store, step: Step | None = None) -> None:
    """Compute all missing runs in this process."""
    text, clock = plan_text(store.plan), _Clock(store, step)
    for number in store.missing:
        _keep(store, number, lambda number=number: run_text(text, number))  # type: ignore[misc]
        clock.tick()


def run_local(
    store: Store, workers: int, timeout: float = 600.0, step: Step | None = None, job: Job | None = None
) -> None:
    """Compute all missing runs on local processes; ``job`` computes one, given the plan's file and the run's number.

    A run that kills its worker three times, or takes longer than ``timeout`` seconds, is listed as failed; the others
    are kept.
    """
    if workers <= 1 and job is None:
        run_here(store, step)
        return
    clock = _Clock(store, step)
    strikes: dict[int, int] = {}
    waiting = deque(store.missing)
    while waiting:
        # After a death the runs that were in flight are suspects: they are tried one by one until they are cleared.
        alone = deque(number for number in waiting if strikes.get(number))
        batch = alone or waiting
        width = 1 if alone else workers
        killed, hung = _pool(store, batch, str(store.plan_file), width, timeout, clock, job or _from_file)
        for number in [*killed, *hung]:
            strikes[number] = strikes.get(number, 0) + 1
        # Only a run that was alone is known to be the one that died or hung.
        for number in hung if width == 1 else ():
            store.fail(number, f"took longer than {timeout:g} seconds")
        for number in killed if width == 1 else ():
            if strikes[number] > RETRIES:
                store.fail(number, f"its worker died {strikes[number]} times")
        waiting = deque(number for number in store.missing if number not in store.failed)


def _pool(
    store: Store, batch: deque[int], path: str, workers: int, timeout: float, clock: _Clock, job: Job
) -> tuple[list[int], list[int]]:
    """Work off ``batch`` with one pool; return the runs in flight when it broke, and those that hung."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=quiet)
    flying: dict[Future[str], tuple[int, float]] = {}
    try:
        pool.submit(ready).result()
        while batch or flying:
            while batch and len(flying) < (2 * workers if workers > 1 else 1):
                number = batch.popleft()
                flying[pool.submit(job, path, number)] = number, time.monotonic()
            done, _ = wait(flying, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in done:
                number, _ = flying.pop(future)
                try:
                    _keep(store, number, future.result)
                except BrokenProcessPool:
                    return [number, *(n for n, _ in flying.values())], []
                clock.tick()
            late = [n for f, (n, began) in flying.items() if f.running() and time.monotonic() - began > timeout]
            if late:
                return [], late
        return [], []
    except BrokenProcessPool:
        return [n for n, _ in flying.values()], []
    finally:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """End a pool at once, and with it the processes that it started."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(timeout=5)
        if process.is_alive():
            process.kill()


def run_cluster(
    store: Store,
    address: str,
    workers: int,
    step: Step | None = None,
    timeout: float = 600.0,
    job: Job = run_text,
) -> None:
    """Compute all missing runs on a Dask cluster: ``local`` starts one here, else the address of a scheduler.

    A run that has not come back after ``timeout`` seconds, and as many for each that may wait before it at its worker,
    is listed as failed. Raises UsageError without the optional package, EnvironmentFault when the cluster cannot be
    reached or runs another version of this program.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise UsageError("--cluster needs the package distributed: pip install 'supplychain[cluster]'") from None
    _check_address(address)
    clock = _Clock(store, step)
    text = plan_text(store.plan)
    with _client(distributed, address, workers) as client:
        found = set(client.run(_version).values())
        if found - {__version__}:
            raise EnvironmentFault(
                f"workers run version {', '.join(sorted(found))} of supplychain, this is {__version__}"
            )
        plan = client.scatter(text, broadcast=True, hash=False)
        waiting = deque(store.missing)
        flying: dict[Any, tuple[int, float]] = {}
        stuck: set[str] = set()  # workers on which a run hangs: a thread cannot be stopped
        while waiting or flying:
            free = [worker for worker in client.nthreads() if worker not in stuck]
            while waiting and (free or not stuck) and len(flying) < _QUEUED * max(1, len(free) or workers):
                number = waiting.popleft()
                future = client.submit(job, plan, number, pure=False, retries=RETRIES, workers=free if stuck else None)
                flying[future] = number, time.monotonic()
            if waiting and not flying:
                for number in waiting:
                    store.fail(number, "not run: another run hangs on every worker")
                return
            try:
                done = distributed.wait(list(flying), timeout=1.0, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                done = set()
            for future in done:
                number, _ = flying.pop(future)
                _keep(store, number, lambda future=future: _from_cluster(future))  # type: ignore[misc]
                future.release()
                clock.tick()
            late = {future.key for future, (_, began) in flying.items() if time.monotonic() - began > _QUEUED * timeout}
            for worker, keys in client.processing().items() if late else ():
                there = [future for future in flying if future.key in set(keys)]  # in the order of their start
                if not there or there[0].key not in late:
                    continue
                stuck.add(worker)
                store.fail(flying[there[0]][0], f"no answer within {_QUEUED} x {timeout:g} seconds")
                waiting.extend(flying[future][0] for future in there[1:])  # they only waited behind it
                for future in there:
                    del flying[future]
                    future.cancel(force=True)


def _from_cluster(future: Any) -> str:
    """Return a run's outcomes; a scheduler that has gone is no fault of the run."""
    try:
        return str(future.result())
    except (Exception, CancelledError) as error:
        if type(error).__name__ in _GONE:
            raise EnvironmentFault("the Dask cluster has gone; the same command resumes the sweep") from None
        raise


@contextmanager
def _client(distributed: Any, address: str, workers: int) -> Iterator[Any]:
    if address != "local":
        try:
            client = distributed.Client(address, timeout=_PATIENCE)
        except (OSError, TimeoutError) as error:
            raise EnvironmentFault(f"no Dask scheduler answers at {address}: {error}") from None
        try:
            yield client
        finally:
            client.close()
        return
    cluster = distributed.LocalCluster(
        n_workers=max(workers, 1), threads_per_worker=1, dashboard_address=None, worker_dashboard_address=None,
        host="127.0.0.1", silence_logs=50,
    )  # fmt: skip
    client = distributed.Client(cluster)
    try:
        yield client
    finally:
        client.close()
        cluster.close()


def _check_address(address: str) -> None:
    """Beyond this machine a cluster must speak TLS: what travels are a firm's figures."""
    near = address == "local" or address.startswith(("tcp://127.0.0.1", "tcp://localhost", "tcp://[::1]"))
    if not near and not address.startswith("tls://"):
        raise UsageError(
            f"--cluster {address!r}: name local, tcp://127.0.0.1:PORT, or tls://HOST:PORT for other machines"
        )


def _version() -> str:
    return __version__


def _keep(store: Store, number: int, result: Callable[[], str]) -> None:
    """Keep a run's outcomes; a run that ends in an error is listed with it, and the sweep goes on."""
    try:
        text = result()
    except (BrokenProcessPool, KeyboardInterrupt, EnvironmentFault):
        raise
    except SupplychainError as error:
        store.fail(number, str(error).splitlines()[0])
    except Exception as error:  # whatever a run met must not lose the others
        store.fail(number, f"{type(error).__name__}: {error}".splitlines()[0])
    else:
        store.add(number, text)


@lru_cache(maxsize=2)
def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _from_file(path: str, number: int) -> str:
    return run_text(_text(path), number)


class _Clock:
    """Tells progress and the time left."""

    def __init__(self, store: Store, step: Step | None) -> None:
        self.store, self.step = store, step
        self.began, self.at_start = time.monotonic(), len(store.done)
        self.told = 0.0

    def tick(self) -> None:
        if self.step is None:
            return
        now, done, total = time.monotonic(), len(self.store.done), self.store.plan.runs
        if now - self.told < 1.0 and done < total:
            return
        self.told = now
        made = done - self.at_start
        left = (now - self.began) / made * (total - done) if made else float("nan")
        failed = f", {len(self.store.failed)} failed" if self.store.failed else ""
        self.step(f"{done:,} of {total:,} runs{failed}, about {left:,.0f} s left")


def cores() -> int:
    """Return how many cores this process may use."""
    affinity: Sequence[int] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return len(affinity) or os.cpu_count() or 1
