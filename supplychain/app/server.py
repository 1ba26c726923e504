"""Runs the application on this machine: a loopback socket, uvicorn behind the guard, links with one-time tokens."""

from __future__ import annotations

import base64
import errno
import hashlib
import logging
import os
import re
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from supplychain.app import texts
from supplychain.app.guard import Guard, Keys
from supplychain.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from supplychain.app.workspace import Setup

LOOPBACK: Final = "127.0.0.1"
_TRIED: Final = 20  # ports after the one asked for
_INLINE: Final = re.compile(r"<script(?P<attributes>[^>]*)>(?P<body>[^<]+)</script>")
_EXTRA: Final = ("shiny", "uvicorn", "starlette", "htmltools", "websockets")  # what the extra `app` brings
_INTERRUPTED: Final = 130
_LARGEST_MESSAGE: Final = 256 * 1024  # bytes, from a page
_STOP_SECONDS: Final = 2  # that open connections are given when the application ends


def listen(port: int) -> socket.socket:
    """Return a listening socket on the loopback address: on ``port``, else on the next free one; 0 is any.

    Raises UsageError for a number that is no port, EnvironmentFault when none is free.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port} is not a port; give a number from 1 to 65535, or none for a free one")
    for candidate in range(port, min(port + _TRIED, 65536)) if port else (0,):
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name == "posix":  # elsewhere the option would let two programs share a port
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((LOOPBACK, candidate))
            one.listen(128)
        except OSError as error:
            one.close()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise EnvironmentFault(f"cannot listen on {LOOPBACK}: {error.strerror}") from error
        return one
    raise EnvironmentFault(f"no free port from {port} to {port + _TRIED - 1}; give another --port, or none")


def script_hashes(page: str) -> list[str]:
    """Return the CSP hashes of the inline scripts of a page; blocks of data (``type="application/..."``) run nothing
    and need none."""
    found = [m["body"] for m in _INLINE.finditer(page) if "application/" not in m["attributes"]]
    return ["sha256-" + base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in found]


@dataclass(frozen=True)
class Links:
    """Makes links that let one browser in, once each."""

    keys: Keys
    port: int

    def new(self) -> str:
        """Return a new link; the one before it, if it was never used, is void."""
        return f"http://{LOOPBACK}:{self.port}/?token={self.keys.token()}"


@dataclass(frozen=True)
class Built:
    """What there is to serve: the ASGI application, its page, and how to end its work (False: some still runs)."""

    asgi: Any
    page: str
    close: Callable[[], bool]


def prepare(setup: Setup) -> Built:
    """Read the data and build the application. Raises the project's errors, EnvironmentFault without Shiny."""
    os.environ["SHINY_OTEL_COLLECT"] = "none"  # no telemetry, whatever the environment says
    try:
        from supplychain.app.session import build
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] not in _EXTRA:
            raise
        raise EnvironmentFault(texts.say("terminal.extra")) from missing
    return build(setup)


def serve(built: Built, port: int, browser: bool, tell: Callable[[str], None]) -> None:
    """Serve the application until it is interrupted; ``tell`` is given the lines for the terminal.

    Raises KeyboardInterrupt at the end of an interrupted run, EnvironmentFault when no port is free.
    """
    import uvicorn

    door = listen(port)
    taken = door.getsockname()[1]
    if port and taken != port:
        tell(texts.say("terminal.moved", asked=port, taken=taken))
    links = Links(Keys(), taken)
    config = uvicorn.Config(
        Guard(built.asgi, links.keys, taken, script_hashes(built.page)),
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=_LARGEST_MESSAGE,
        ws_max_queue=16,
        ws_per_message_deflate=False,
        limit_concurrency=200,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    logging.getLogger("supplychain.app").addHandler(_Lines(tell))
    link = links.new()
    tell(texts.say("terminal.ready", link=link))
    if sys.stdin is not None and sys.stdin.isatty():
        tell(texts.say("terminal.enter"))
        threading.Thread(target=_on_enter, args=(links, tell), daemon=True).start()
    if browser:
        threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()
    try:
        uvicorn.Server(config).run(sockets=[door])
    finally:
        door.close()
        if not built.close():  # a solver that is in the middle of its work cannot be asked to stop
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(_INTERRUPTED)


def _on_enter(links: Links, tell: Callable[[str], None]) -> None:
    """Print a new link at every Enter."""
    for _ in sys.stdin:
        tell(texts.say("terminal.ready", link=links.new()))


class _Lines(logging.Handler):
    """Log records as lines for the terminal."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(texts.say("terminal.log", words=record.getMessage()))
