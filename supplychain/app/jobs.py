"""Threads for what takes longer than a moment; a job whose asker has gone is dropped before it begins."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[asyncio.AbstractEventLoop | None, "asyncio.Future[Any] | None", Callable[..., Any], tuple[Any, ...]]


class Jobs:
    """A few daemon threads that run functions for coroutines, first come, first served."""

    def __init__(self, threads: int, name: str) -> None:
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return ``function(*arguments)``, run in a thread; cancelled before its turn, it never runs."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.put((loop, future, function, arguments))
        return await future

    def ahead(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run a function that nobody waits for, such as one that fills a memory; whatever fails then fails again, and
        is told, when the same is asked for."""
        self._waiting.put((None, None, function, arguments))

    def close(self, seconds: float) -> bool:
        """Take no more jobs and wait for those that run; False when some are still running after ``seconds``."""
        for _ in self._threads:
            self._waiting.put(None)
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            loop, future, function, arguments = job
            if future is not None and future.cancelled():
                continue
            outcome, failure = None, None
            try:
                outcome = function(*arguments)
            except BaseException as error:
                failure = error
            if loop is not None and future is not None:
                with contextlib.suppress(RuntimeError):  # the application ended meanwhile: nobody waits any more
                    loop.call_soon_threadsafe(_settle, future, outcome, failure)


def _settle(future: asyncio.Future[Any], outcome: Any, failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(outcome)
