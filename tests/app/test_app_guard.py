"""The guard, asked by raw sockets through the real server: every line of the posture of the documentation."""

from __future__ import annotations

import base64
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

uvicorn = pytest.importorskip("uvicorn", reason="the application's extra is not installed")

from supplychain.app.guard import MOST_UPLOAD, MOST_WORKBOOK, Bucket, Guard, Keys, policy  # noqa: E402
from supplychain.app.server import listen, script_hashes  # noqa: E402
from supplychain.errors import EnvironmentFault, UsageError  # noqa: E402


async def inner(scope, receive, send):
    """What stands behind the guard here: it echoes, counts a body's bytes, fails on demand, accepts sockets."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "heard"})
        return
    if scope["path"] == "/fault":
        raise ValueError("secret-supplier-name")
    body = (await receive()).get("body", b"")
    answer = f"inside {len(body)}".encode()
    length = (b"content-length", str(len(answer)).encode())
    headers = [length, (b"content-type", b"text/plain"), (b"server", b"tell-tale"), (b"cache-control", b"public")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


@dataclass
class Running:
    port: int
    keys: Keys
    guard: Guard

    def ask(self, raw: str | bytes) -> tuple[int, dict[str, str], str]:
        """Send bytes as they are; return status, headers (last of a name) and body of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as one:
            one.sendall(raw.encode("latin-1") if isinstance(raw, str) else raw)
            one.shutdown(socket.SHUT_WR)
            data = b""
            while chunk := one.recv(65536):
                data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}
        return int(lines[0].split()[1]), headers, body.decode("utf-8", "replace")

    def get(self, path: str = "/", cookie: str | None = "", host: str | None = None, **more: str):
        return self.send("GET", path, cookie, host, b"", **more)

    def send(self, method, path, cookie="", host=None, body=b"", **more):
        """A whole request; ``cookie`` "" is that of a browser that was let in, None is none."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}", "Connection: close"]
        if cookie is not None:
            lines.append(f"Cookie: other=1; supplychain-{self.port}={cookie or self.cookie}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        return self.ask("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def knock(self, cookie: str | None = "", origin: str | None = "", host: str | None = None, path="/websocket/"):
        """Ask for a websocket; return the open socket and the status of the answer."""
        more = [f"Host: {host or f'127.0.0.1:{self.port}'}", "Upgrade: websocket", "Connection: Upgrade"]
        more += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"]
        if origin is not None:
            more.append(f"Origin: {origin or f'http://127.0.0.1:{self.port}'}")
        if cookie is not None:
            more.append(f"Cookie: supplychain-{self.port}={cookie or self.cookie}")
        one = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        one.sendall("\r\n".join([f"GET {path} HTTP/1.1", *more, "", ""]).encode())
        return one, int(one.recv(4096).split()[1])

    @property
    def cookie(self) -> str:
        return self.keys._cookies[-1] if self.keys._cookies else str(self.keys.redeem(self.keys.token()))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    door = listen(0)
    keys = Keys()
    guard = Guard(inner, keys, door.getsockname()[1], requests=Bucket(10_000, 1000), most_sockets=3, messages=(5, 0.1))
    config = uvicorn.Config(guard, log_config=None, log_level="critical", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Running(door.getsockname()[1], keys, guard)
    server.should_exit = True
    thread.join(10)
    door.close()


def test_only_the_loopback_address_listens(running):
    with open("/proc/net/tcp") as table:  # local address 0100007F:PORT, state 0A = listening
        rows = [line.split() for line in table if f":{running.port:04X} " in line and " 0A " in line]
    assert [row[1] for row in rows] == [f"0100007F:{running.port:04X}"]


def test_the_next_port_is_taken_when_one_is_in_use(running):
    with listen(running.port) as other:
        assert 0 < other.getsockname()[1] - running.port <= 20
    with pytest.raises(UsageError):
        listen(70000)
    with pytest.raises(EnvironmentFault):
        _all_taken(running.port)


def _all_taken(port):
    held = []
    try:
        while True:
            held.append(listen(port))
    finally:
        for one in held:
            one.close()


def test_the_token_is_256_bits_and_is_exchanged_once_for_a_strict_cookie(running):
    token = running.keys.token()
    assert len(token) >= 43
    status, headers, _ = running.get(f"/?token={token}", cookie=None)
    assert (status, headers["location"]) == (303, "/")
    assert re.fullmatch(
        rf"supplychain-{running.port}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Strict", headers["set-cookie"]
    )
    assert running.get("/", cookie=headers["set-cookie"].split("=", 1)[1].split(";")[0])[0] == 200
    again, _, page = running.get(f"/?token={token}", cookie=None)
    assert again == 403
    assert "used" in page


def test_an_older_link_is_void_once_a_newer_one_was_given(running):
    old, new = running.keys.token(), running.keys.token()
    assert running.get(f"/?token={old}", cookie=None)[0] == 403
    assert running.get(f"/?token={new}", cookie=None)[0] == 303


@pytest.mark.parametrize("token", ["", "x", "x" * 4000, "%00", "é"])
def test_wrong_tokens_are_refused(running, token):
    assert running.get(f"/?token={token}".encode().decode("latin-1"), cookie=None)[0] in (400, 403)


@pytest.mark.parametrize("cookie", [None, "x", "x" * 43])
@pytest.mark.parametrize("path", ["/", "/assets/app.css", "/session/x/download/y"])
def test_without_the_cookie_nothing_is_served(running, cookie, path):
    status, _, body = running.get(path, cookie=cookie)
    assert status == 403
    assert "inside" not in body


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", "0.0.0.0:{port}", "[::1]:{port}"],
)
def test_foreign_hosts_are_refused_on_requests_and_sockets(running, host):
    host = host.format(port=running.port)
    assert running.get("/", host=host)[0] == 403
    one, status = running.knock(host=host, origin=f"http://{host}")
    one.close()
    assert status == 403


def test_no_host_or_two_hosts_are_refused(running):
    assert running.ask("GET / HTTP/1.0\r\n\r\n")[0] == 403
    assert running.ask(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nHost: evil\r\n\r\n")[0] in (400, 403)


def test_localhost_is_served(running):
    assert running.get("/", host=f"localhost:{running.port}")[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
def test_foreign_origins_are_refused_on_requests_and_sockets(running, origin):
    origin = origin.format(port=running.port)
    assert running.get("/", Origin=origin)[0] == 403
    assert running.send("POST", "/scenario/x", Origin=origin, Content_Length="0")[0] == 403
    one, status = running.knock(origin=origin)
    one.close()
    assert status == 403


def test_changes_need_an_origin_and_the_cookie(running):
    own = f"http://127.0.0.1:{running.port}"
    assert running.send("POST", "/scenario/x", body=b"a=1", Content_Length="3")[0] == 403
    assert running.send("POST", "/scenario/x", None, body=b"a=1", Content_Length="3", Origin=own)[0] == 403
    assert running.send("POST", "/scenario/x", body=b"a=1", Content_Length="3", Origin=own)[::2] == (200, "inside 3")
    for cookie, origin in ((None, ""), ("x" * 43, ""), ("", None)):
        one, status = running.knock(cookie=cookie, origin=origin)
        one.close()
        assert status == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_other_methods_are_refused(running, method):
    assert running.send(method, "/")[0] == 405


def test_headers_are_set_on_every_answer(running):
    for path, cookie in (("/", ""), ("/", None), ("/fault", ""), ("/..%2fetc", "")):
        _, headers, _ = running.get(path, cookie)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers
        rules = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert rules["default-src"] == "'self'"
        for name in ("object-src", "base-uri", "frame-ancestors", "form-action"):
            assert rules[name] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert "http" not in headers["content-security-policy"]


def test_inline_lines_are_allowed_by_hash_only():
    page = '<script src="a.js"></script><script>go();</script><script type="application/json">{"a":1}</script>'
    assert len(script_hashes(page)) == 1
    assert "script-src 'self' 'sha256-" in policy(script_hashes(page), 1)
    assert "script-src 'self';" in policy((), 1)


@pytest.mark.parametrize(
    "path",
    ["/..%2f..%2fetc/passwd", "/%2e%2e/x", "/a/../../x", "/a%5c..", "/a%00b", "//etc", "/.git/config", "/%252e%252e/"],
)
def test_paths_that_climb_are_not_found(running, path):
    assert running.get(path)[0] == 404


def test_uploads_are_limited_whatever_their_length_says(running):
    own = f"http://127.0.0.1:{running.port}"
    told = str(MOST_UPLOAD + 1)
    assert running.send("POST", "/scenario/x", Origin=own, Content_Length=told)[0] == 413
    piece = b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n"
    whole = running.send(
        "POST", "/scenario/x", body=piece + piece + b"0\r\n\r\n", Origin=own, Transfer_Encoding="chunked"
    )
    assert whole[0] == 413
    assert running.send("POST", "/network/x", Origin=own, Content_Length=str(MOST_WORKBOOK + 1))[0] == 413
    book = running.send("POST", "/network/x", body=2 * piece + b"0\r\n\r\n", Origin=own, Transfer_Encoding="chunked")
    assert book[0] == 200
    fits = running.send("POST", "/scenario/x", body=piece + b"0\r\n\r\n", Origin=own, Transfer_Encoding="chunked")
    assert fits[::2] == (200, "inside 1000000")


def test_a_fault_inside_shows_neither_trace_nor_words(running, caplog):
    status, _, page = running.get("/fault")
    assert status == 500
    assert "secret" not in page
    assert "Traceback" not in page
    assert "secret" not in caplog.text
    assert "ValueError at supplychain.app.guard" in caplog.text


def test_sockets_open_and_are_counted(running):
    opened = [running.knock() for _ in range(3)]
    assert [status for _, status in opened] == [101] * 3
    last, status = running.knock()
    assert status == 429
    elsewhere, _ = running.knock(path="/other")
    for one in [last, elsewhere, *(one for one, _ in opened)]:
        one.close()
    until = time.monotonic() + 5
    while running.guard._sockets and time.monotonic() < until:
        time.sleep(0.01)
    assert running.guard._sockets == 0


def test_a_flood_of_messages_ends_the_socket(running):
    assert _heard(running, '{"method": "init", "data": {}}', *['{"method": "update", "data": {}}'] * 7) == 5


@pytest.mark.parametrize(
    "messages",
    [
        ("",),
        ("no JSON",),
        ("[" * 100,),
        ('{"method": "init"}',),
        ('{"method": "update", "data": {}}',),
        ('{"method": "uploadInit", "data": {}}',),
    ],
)
def test_what_no_page_of_ours_says_ends_the_socket(running, caplog, messages):
    assert _heard(running, *messages) == 0
    assert "no page of ours" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_page_cannot_begin_twice(running):
    assert _heard(running, *['{"method": "init", "data": {}}'] * 2) == 1


def _heard(running, *messages: str) -> int:
    """How many of the messages reached the application before it ended the socket."""
    one, status = running.knock()
    assert status == 101
    with one:
        for message in messages:  # a text frame under the mask of zeros
            one.sendall(bytes([0x81, 0x80 + len(message), 0, 0, 0, 0]) + message.encode())
        heard = b""
        while chunk := one.recv(4096):
            heard += chunk
    return heard.count(b"heard")


def test_a_flood_of_requests_is_told_to_wait():
    clock = [0.0]
    bucket = Bucket(3, 1, lambda: clock[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock[0] = 2.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_too_many_requests_get_429(running, monkeypatch):
    monkeypatch.setattr(running.guard, "_requests", Bucket(1, 0.001))
    assert running.get("/")[0] == 200
    status, headers, _ = running.get("/")
    assert (status, headers["retry-after"]) == (429, "2")


def test_what_strangers_ask_does_not_count_against_the_page(running, monkeypatch):
    monkeypatch.setattr(running.guard, "_requests", Bucket(1, 0.001))
    assert [running.get("/", cookie=None)[0] for _ in range(5)] == [403] * 5
    assert running.get("/")[0] == 200
