"""Stands before every request and websocket: who may ask (host, origin, cookie), how much, and under which headers."""

from __future__ import annotations

import hmac
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from supplychain.app import texts

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("supplychain.app")
MOST_UPLOAD: Final = 1_000_000  # bytes: what the scenario reader takes
MOST_WORKBOOK: Final = 16_000_000  # bytes of a workbook with a network of one's own
MOST_PAGES: Final = 12  # open at a time
_DRAINED: Final = 32_000_000  # bytes
_COOKIES: Final = 32  # browsers let in at a time; the oldest makes room
_ENCODED: Final = re.compile(rb"%(?:2e|2f|5c|00|25)|\\|//|/\.|;", re.IGNORECASE)  # no honest address of ours has these
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})


class Refused(Exception):
    """A request is answered by a short page of ours, with this status and no more."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


class Keys:
    """One-time tokens, and the cookies that they were exchanged for; all in memory, 256 bits each."""

    def __init__(self) -> None:
        self._token = ""
        self._cookies: list[str] = []

    def token(self) -> str:
        """Return a new token; one that was handed out before and never used is void from now on."""
        self._token = secrets.token_urlsafe(32)
        return self._token

    def redeem(self, token: str) -> str | None:
        """Exchange the token for a cookie's value, once; None for any other text."""
        if not self._token or not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        self._token = ""
        self._cookies = [*self._cookies, secrets.token_urlsafe(32)][-_COOKIES:]
        return self._cookies[-1]

    def knows(self, cookie: str) -> bool:
        """Say whether the value is that of a cookie we set."""
        return any(hmac.compare_digest(cookie.encode(), known.encode()) for known in self._cookies)


@dataclass
class Bucket:
    """A bucket of tokens: ``burst`` at once, then ``rate`` a second."""

    burst: float
    rate: float
    clock: Callable[[], float] = time.monotonic
    _level: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._level, self._at = self.burst, self.clock()

    def take(self) -> bool:
        """Take one token; False when there is none."""
        now = self.clock()
        self._level = min(self.burst, self._level + (now - self._at) * self.rate)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


def policy(script_hashes: Iterable[str] = (), port: int = 0) -> str:
    """Return the Content-Security-Policy. Scripts and styles come from our own files; ``script_hashes`` are those of
    the inline lines that the page's libraries emit."""
    sockets = f"ws://127.0.0.1:{port} ws://localhost:{port}"  # some browsers do not count websockets among 'self'
    scripts = " ".join(["'self'", *(f"'{found}'" for found in script_hashes)])
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {sockets}; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
    )


_FIXED: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


class Guard:
    """The outermost layer of the application: ``app`` sees only what the guard lets through.

    Refuses by status: 403 a foreign host or origin or no cookie, 404 an odd path, 405, 413 too large, 429 too many.
    Whatever goes wrong inside is one page without details.
    """

    def __init__(
        self,
        app: Application,
        keys: Keys,
        port: int,
        script_hashes: Iterable[str] = (),
        most_upload: int = MOST_UPLOAD,
        requests: Bucket | None = None,
        most_sockets: int = MOST_PAGES,
        messages: tuple[float, float] = (120.0, 40.0),
    ) -> None:
        self._app = app
        self._keys = keys
        self._names = {f"{host}:{port}" for host in ("127.0.0.1", "localhost")}
        self._cookie = f"supplychain-{port}"
        self._headers = (*_FIXED, (b"content-security-policy", policy(script_hashes, port).encode()))
        self._most_upload = most_upload
        self._requests = requests or Bucket(600, 100)
        self._most_sockets = most_sockets
        self._messages = messages
        self._sockets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def headed(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                own = {name for name, _ in self._headers}
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in own | {b"server"}]
                message = {**message, "headers": [*kept, *self._headers]}
            await send(message)

        try:
            self._admit(scope)
            cookie = self._exchange(scope)
            if cookie is not None:
                await _answer(headed, 303, "", [(b"location", b"/"), (b"set-cookie", self._set(cookie))])
                return
            self._let_in(scope)
            await self._app(scope, await self._read(scope, receive), headed)
        except Refused as refused:
            if not began:
                extra = [(b"retry-after", b"2")] if refused.status == 429 else []
                await _answer(headed, refused.status, refused.words, extra)
        except Exception as error:
            LOG.error("request failed: %s", where(error))
            if not began:
                await _answer(headed, 500, texts.say("gate.fault"))

    def _admit(self, scope: Scope) -> None:
        """Refuse what no page of ours would send."""
        hosts = _all(scope, b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self._names:
            raise Refused(403, texts.say("gate.host"))
        method = scope.get("method", "GET")
        if method not in _METHODS:
            raise Refused(405, texts.say("gate.method"))
        origins = _all(scope, b"origin")
        must = scope["type"] == "websocket" or method == "POST"
        if (must and not origins) or any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins):
            raise Refused(403, texts.say("gate.origin"))
        raw = scope.get("raw_path") or scope["path"].encode()
        if _ENCODED.search(raw.split(b"?")[0]):
            raise Refused(404, texts.say("gate.missing"))

    def _let_in(self, scope: Scope) -> None:
        """Refuse who has no cookie, then who asks too much. In this order: what strangers ask, such as the pictures of
        a page elsewhere, is refused at once and never counts against the person's own page."""
        if not self._known(scope):
            raise Refused(403, texts.say("gate.no_cookie"))
        if not self._requests.take():
            raise Refused(429, texts.say("gate.busy"))

    def _exchange(self, scope: Scope) -> str | None:
        """Return a new cookie for a good token in the address of the first page; refuse a used or wrong one."""
        query = scope.get("query_string", b"")
        if scope["path"] != "/" or b"token=" not in query:
            return None
        given = parse_qs(query.decode("latin-1")).get("token", [""])[0]
        cookie = self._keys.redeem(given) if scope["method"] == "GET" else None
        if cookie is None and not self._known(scope):
            raise Refused(403, texts.say("gate.used"))
        return cookie or ""  # a browser that is in already only loses the token from its address

    def _set(self, cookie: str) -> bytes:
        if not cookie:
            return b"supplychain-seen=1; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"
        return f"{self._cookie}={cookie}; Path=/; HttpOnly; SameSite=Strict".encode()

    def _known(self, scope: Scope) -> bool:
        for line in _all(scope, b"cookie"):
            for part in line.split(";"):
                name, _, value = part.strip().partition("=")
                if name == self._cookie and self._keys.knows(value):
                    return True
        return False

    async def _read(self, scope: Scope, receive: Receive) -> Receive:
        """Read the body of a POST up to the limit, whether its length was told, told wrong or not told, and return
        a ``receive`` that hands it on. Other requests have no body, whatever they say."""
        told = _all(scope, b"content-length")
        most = MOST_WORKBOOK if scope["path"].startswith("/network/") else self._most_upload
        if any(not length.isdigit() or int(length) > most for length in told):
            raise Refused(413, texts.say("gate.large"))
        large = False
        body, taken, more = b"", 0, scope["method"] == "POST"
        while more and taken < _DRAINED:  # of unknown length and too large: read on, or the answer is not heard
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            piece = message.get("body", b"")
            taken += len(piece)
            large = large or taken > most
            body = b"" if large else body + piece
            more = message.get("more_body", False)
        if large:
            raise Refused(413, texts.say("gate.large"))
        if more:
            raise Refused(400, texts.say("gate.cut"))
        handed = False

        async def replay() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        return replay

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._admit(scope)
            self._let_in(scope)
            if scope["path"] != "/websocket/":
                raise Refused(404, texts.say("gate.missing"))
            if self._sockets >= self._most_sockets:
                raise Refused(429, texts.say("gate.busy"))
        except Refused as refused:
            await _deny(scope, send, refused, self._headers)
            return
        self._sockets += 1
        try:
            await self._app(scope, self._paced(receive), send)
        except Exception as error:
            LOG.error("session failed: %s", where(error))
        finally:
            self._sockets -= 1

    def _paced(self, receive: Receive) -> Receive:
        """Return ``receive`` that ends the connection of a page that floods us, or does not speak as our page does."""
        bucket = Bucket(*self._messages)
        wanted = "init"

        async def paced() -> Message:
            nonlocal wanted
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            if not bucket.take():
                LOG.error("a page sent too many messages; its connection was ended")
            elif not _says(message, wanted):
                LOG.error("a page sent what no page of ours sends; its connection was ended")
            else:
                wanted = "update"
                return message
            return {"type": "websocket.disconnect", "code": 1008, "reason": ""}

        return paced


def _says(message: Message, method: str) -> bool:
    """Is this a text of JSON that calls the method on some data?"""
    try:
        said = json.loads(message.get("text") or "")
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("method") == method and isinstance(said.get("data"), dict)


def where(error: BaseException) -> str:
    """Return a fault's kind and place in our code, without its message: messages may hold names from the data."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith("supplychain.") or not place:
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {place}"


def _all(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


async def _answer(send: Send, status: int, words: str, extra: Iterable[tuple[bytes, bytes]] = ()) -> None:
    body = texts.plain_page(words).encode() if words else b""
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _deny(scope: Scope, send: Send, refused: Refused, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse a websocket before it opens: by its status where the server can tell it, else by closing."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    length = (b"content-length", b"0")
    start = {"type": "websocket.http.response.start", "status": refused.status, "headers": [*headers, length]}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": b""})
