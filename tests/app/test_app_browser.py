"""The application in a real browser: what a person does, what must never happen, what a screen reader finds."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

pytest.importorskip("shiny", reason="the application's extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

from supplychain.cli import run  # noqa: E402
from supplychain.locate import datasets  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
HOSTILE = "<img src=x onerror=window.hit=1><script>window.hit=1</script>"
TABS = ("overview", "chokes", "network", "map", "plan", "compare", "scenario", "downloads")
SWITCH = "#switch-nld-sme-NLD"
_NEW_NETWORK, _SET_FLAGS, _UP = 0x40000000, 0x8914, 0x1  # CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP


class Server:
    """The command, running: its link, and new ones by pressing Enter is not possible here, so one browser holds it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "supplychain", "app", "--no-browser", "--quiet", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs in the background inherit none
        )
        self.lines: list[str] = []
        self.offline = False
        self._link = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._link.wait(60), self.lines

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if "token=" in line:
                self._link.set()
        self._link.set()

    @property
    def link(self) -> str:
        return next(found[0] for line in self.lines if (found := re.search(r"http://\S+", line)))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(10)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            assert self.process.stdout is not None
            self._reader.join(5)
            self.process.stdout.close()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network with one item and one maker of hostile names."""
    folder = tmp_path_factory.mktemp("hostile") / "network"
    shutil.copytree(datasets() / "semiconductors", folder)
    for table, name in (("items", "EUV scanner (0.33 NA)"), ("organisations", "ASML")):
        path = folder / f"{table}.csv"
        text = path.read_text(encoding="utf-8")
        assert f",{name}," in text
        path.write_text(text.replace(f",{name},", f',"{HOSTILE}",', 1), encoding="utf-8")
    return folder


@contextmanager
def nowhere() -> Iterator[bool]:
    """Within it, processes that are started have no network but their own loopback, if we may arrange that (root on
    Linux); gives whether it is so. Server and browser run there, so a request to anywhere else could not succeed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.name != "posix" or not hasattr(libc, "unshare") or os.geteuid() != 0:
        yield False
        return
    with open("/proc/thread-self/ns/net") as home:
        if libc.unshare(_NEW_NETWORK) != 0:
            yield False
            return
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                up = struct.pack("16sh14x", b"lo", _UP)
                fcntl.ioctl(any_socket, _SET_FLAGS, up)
            yield True
        finally:
            assert libc.setns(home.fileno(), _NEW_NETWORK) == 0


@pytest.fixture(scope="module")
def server(network: Path) -> Iterator[Server]:
    with nowhere() as offline:
        running = Server("--network", str(network), "--buyer", "IND", "--product", "ai-accelerator")
    running.offline = offline
    yield running
    assert running.stop() == 130
    assert not [line for line in running.lines if "failed" in line or "Traceback" in line]


class Window:
    """A page and everything it did: console, errors, requests."""

    def __init__(self, context: sync_api.BrowserContext, address: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.console: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.console.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.goto(address)
        self.page.wait_for_selector("html[data-ready]")
        if "token" not in self.page.url:
            self.page.click("[data-key=regime-nld-sme] > summary")

    def settle(self) -> None:
        self.page.wait_for_selector("html:not([data-pending])")

    def click(self, what: str) -> None:
        self.page.click(what)
        self.settle()

    def tab(self, name: str) -> None:
        self.click(f"#tab-{name}")

    def text(self, what: str) -> str:
        return self.page.inner_text(what)


@contextmanager
def same_network(server: Server) -> Iterator[None]:
    """Within it, processes are started in the network of the server."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not server.offline:
        yield
        return
    with open("/proc/thread-self/ns/net") as home, open(f"/proc/{server.process.pid}/ns/net") as there:
        assert libc.setns(there.fileno(), _NEW_NETWORK) == 0
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), _NEW_NETWORK) == 0


@pytest.fixture(scope="module")
def context(server: Server) -> Iterator[sync_api.BrowserContext]:
    with ExitStack() as kept:
        with same_network(server):
            playwright = kept.enter_context(sync_api.sync_playwright())
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        made = browser.new_context(viewport={"width": 1600, "height": 1000}, accept_downloads=True)
        yield made
        browser.close()


@pytest.fixture(scope="module")
def first(context: sync_api.BrowserContext, server: Server) -> Window:
    """The browser that used the link; it has the cookie."""
    return Window(context, server.link)


@pytest.fixture
def window(first: Window, context: sync_api.BrowserContext, server: Server) -> Iterator[Window]:
    """A fresh page of the browser that was let in; whatever a test does, it was quiet and asked nobody else."""
    made = Window(context, server.link.split("?")[0])
    yield made
    assert made.console == []
    assert {re.sub(r"^\w+://", "", address).split("/")[0] for address in made.requests} == {server.link.split("/")[2]}
    assert made.page.evaluate("window.hit") is None
    made.page.close()


def test_a_switch_moves_the_results_and_undo_takes_it_back(window: Window) -> None:
    before = window.text("#body")
    assert "Netherlands" not in window.text("#changes")
    window.click(SWITCH)
    assert "Netherlands" in window.text("#changes")
    assert "Nothing is changed yet" not in window.text("#what-changed")
    assert window.page.is_checked(SWITCH) is False
    assert "as it is" in window.text("#body")
    window.page.keyboard.press("Control+z")
    window.settle()
    assert window.page.is_checked(SWITCH) is True
    assert window.text("#body") == before
    window.page.keyboard.press("Control+y")
    window.settle()
    assert window.page.is_checked(SWITCH) is False


def test_everything_here_ran_without_a_network(window: Window, server: Server) -> None:
    if not server.offline:
        pytest.skip("a network namespace without interfaces needs root; hosts of requests are checked all the same")
    rows = Path(f"/proc/{server.process.pid}/net/dev").read_text().splitlines()[2:]
    assert [row.split(":")[0].strip() for row in rows] == ["lo"]
    assert "AI accelerator" in window.text("#body")


def test_the_page_is_patched_not_rendered_anew(window: Window) -> None:
    window.page.evaluate(
        "window.kept = [document.querySelector('#tab-map'), document.querySelector('#head-in_force-3')]"
    )
    window.page.focus(SWITCH)
    window.page.keyboard.press("Space")
    window.settle()
    assert window.page.evaluate("document.activeElement.id") == SWITCH[1:]
    assert window.page.evaluate("window.kept.every(node => node.isConnected)")


def test_an_outage_shows_in_the_brackets_and_an_identical_one_changes_nothing(window: Window) -> None:
    window.click("#form-outage > summary")
    window.page.fill("#outage-sites", "TWN")
    window.page.fill("#outage-months", "6")
    window.page.dblclick("#form-outage button[type=submit]")
    window.settle()
    assert window.text("#changes").count("Outage") == 1
    assert "points" in window.text("#body")
    window.click("#changes .acts button")
    assert "Outage" not in window.text("#changes")


def test_two_scenarios_side_by_side(window: Window) -> None:
    window.page.fill("#slot-title", "Without NLD")
    window.page.keyboard.press("Enter")
    window.settle()
    window.click(SWITCH)
    window.click("text=+ New")
    window.tab("compare")
    heads = window.page.locator("table.compare thead th").all_inner_texts()
    assert heads[2:] == ["Without NLD", "Scenario 2"]
    cells = window.page.locator("table.compare tbody tr").nth(3).locator("td").all_inner_texts()
    assert cells[0].split(",")[0] in cells[2]  # the empty scenario is the case as it is


def test_a_bad_upload_lists_every_problem_and_changes_nothing(window: Window, tmp_path: Path) -> None:
    window.tab("scenario")
    bad = tmp_path / "bad.toml"
    bad.write_text('title = "x"\n[[action]]\ndo = "jion"\n[[action]]\ndo = "outage"\npart = 7\n', encoding="utf-8")
    window.page.set_input_files("#upload", bad)
    window.page.wait_for_selector("#notice .fault li")
    problems = window.page.locator("#notice .fault li").all_inner_texts()
    assert len(problems) >= 2
    assert any("join" in problem for problem in problems)
    assert "Scenario 1" in window.text("#slots")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 1_000_001)
    window.page.set_input_files("#upload", large)
    window.page.wait_for_selector("#notice >> text=1 MB")
    window.console[:] = [line for line in window.console if "413" not in line]  # the browser tells of the status
    other = tmp_path / "page.html"
    other.write_text("<script>window.hit=1</script>", encoding="utf-8")
    window.page.set_input_files("#upload", other)
    window.page.wait_for_selector("#notice >> text=only .toml")


def test_a_saved_scenario_is_loaded_again_and_is_the_file_of_the_command_line(window: Window, tmp_path: Path) -> None:
    from supplychain.whatif.scenario import load_scenario

    window.click(SWITCH)
    window.tab("scenario")
    with window.page.expect_download() as saved:
        window.page.click("text=Save")
    path = tmp_path / "kept.toml"
    saved.value.save_as(path)
    assert [action.words for action in load_scenario(path).actions] == ["leave regime=nld-sme states=NLD"]
    window.page.keyboard.press("Control+z")
    window.settle()
    assert window.page.is_checked(SWITCH) is True
    window.page.set_input_files("#upload", path)
    window.page.wait_for_selector("#notice .good")
    assert window.page.is_checked(SWITCH) is False


def test_a_network_of_ones_own_is_opened_checked_and_left(window: Window, tmp_path: Path) -> None:
    window.click("#own > summary")
    good = tmp_path / "mine.xlsx"
    good.write_bytes(b"no workbook")
    window.page.set_input_files("#workbook", good)
    window.page.wait_for_selector("#notice .fault li")
    good.unlink()
    assert run(["init", str(good), "--quiet"]) == 0
    window.page.set_input_files("#workbook", good)
    window.page.wait_for_selector("#package option[selected][value$='mine.xlsx']", state="attached")
    window.page.set_input_files("#workbook", good)  # once more, as after a correction
    window.page.wait_for_selector("#package option[selected] >> text=mine.xlsx (2)", state="attached")
    window.click("#undo")
    assert window.page.input_value("#package").endswith("mine.xlsx")
    assert "known as of" in window.text("#head") or "known only" in window.text("#head")
    window.click("#undo")
    assert window.page.input_value("#package") == ""


def test_hostile_names_are_words_everywhere(window: Window) -> None:
    for tab in ("overview", "chokes", "network"):
        window.tab(tab)
    assert "<script>" in window.text("#body")
    window.click("#i-euv-scanner")
    assert "<script>" in window.text("#explain")


def test_a_number_opens_down_to_its_sources(window: Window) -> None:
    window.click("#head-at_leave-12")
    assert window.page.evaluate("document.activeElement.id") == "explain-title"
    window.click("#explain [data-inside] >> nth=0")
    text = window.text("#explain")
    for title in ("Lines", "Determinations", "Controls", "Sources"):
        assert title in text
    links = window.page.locator("#explain a[href]")
    assert links.count() > 0
    assert all(link.get_attribute("href").startswith("http") for link in links.all())  # type: ignore[union-attr]
    window.page.keyboard.press("Escape")
    window.settle()
    assert window.page.is_hidden("#explain")
    assert window.page.evaluate("document.activeElement.id") == "head-at_leave-12"


def test_two_tabs_are_two_sessions(window: Window, context: sync_api.BrowserContext, server: Server) -> None:
    other = Window(context, server.link.split("?")[0])
    window.click(SWITCH)
    assert other.page.is_checked(SWITCH) is True
    other.click("text=+ New")
    assert "Scenario 2" not in window.text("#slots")
    other.page.close()
    window.click(SWITCH)
    assert window.page.is_checked(SWITCH) is True


def test_a_date_that_is_typed_is_one_step_and_a_wrong_one_is_set_back(window: Window) -> None:
    window.page.focus("#on")
    window.page.keyboard.type("03152024", delay=20)  # years 0002, 0020 and 0202 on the way
    window.settle()
    assert "15\N{NO-BREAK SPACE}Mar\N{NO-BREAK SPACE}2024" in window.text("#head")
    window.click("#undo")
    assert window.page.input_value("#on") == "2026-11-01"
    window.page.fill("#on", "1999-12-31")
    window.page.focus("#undo")
    window.settle()
    assert "1999-12-31" in window.text("#notice")
    assert window.page.input_value("#on") == "2026-11-01"


def test_no_product_chosen_is_all_and_the_boxes_say_so(window: Window) -> None:
    window.page.click("#products > summary")
    window.page.locator("#product-list input:checked").uncheck()
    window.settle()
    boxes = window.page.locator("#product-list input")
    assert boxes.evaluate_all("boxes => boxes.every(box => box.checked)")
    assert boxes.count() > 1
    assert f"{boxes.count()} of {boxes.count()}" in window.text("#products > summary")


def test_a_page_that_is_loaded_again_goes_on(window: Window) -> None:
    window.click(SWITCH)
    window.click("text=Copy")
    window.tab("compare")
    before = window.text("#body")
    window.page.reload()
    window.page.wait_for_selector("html[data-ready]")
    window.settle()
    assert window.text("#body") == before
    window.click("#undo")
    assert "copy" not in window.text("#slots")
    assert "Netherlands" in window.text("#changes")


def test_the_keyboard_goes_on_beside_what_was_removed(window: Window) -> None:
    window.click(SWITCH)
    window.page.focus("#changes .acts button")
    window.page.keyboard.press("Enter")
    window.settle()
    assert window.page.evaluate("document.activeElement.id") == "changes"


def test_a_plan_and_its_quota_file(window: Window, tmp_path: Path) -> None:
    window.tab("plan")
    assert "Press Re-optimise" in window.text("#body")
    window.click("#run-plan")
    window.page.wait_for_selector("text=solved in")
    assert "licence needed" in window.text("#body") or "free" in window.text("#body")
    window.tab("downloads")
    window.click("#pack-procurement")
    window.page.wait_for_selector("#file-sap-quota-xlsx")
    with window.page.expect_download() as saved:
        window.page.click("#file-sap-quota-xlsx")
    path = tmp_path / "quota.xlsx"
    saved.value.save_as(path)
    import openpyxl

    assert {"header", "item"} <= set(openpyxl.load_workbook(path, read_only=True).sheetnames)


def test_search_finds_a_state_in_every_regime(window: Window) -> None:
    window.page.fill("#find-member", "korea")
    shown = "".join(window.page.locator("#grid li:visible").all_inner_texts())
    assert "South Korea" in shown
    assert "Germany" not in shown
    window.page.fill("#find-member", "no such state")
    assert window.page.is_visible("#grid-none")


def test_pages_pass_axe(window: Window) -> None:
    found = _grave(window, "overview", {"include": [["html"]]})
    for tab in TABS[1:]:
        window.tab(tab)
        found += _grave(window, tab, {"include": [["#main"]]})
    window.tab("overview")
    window.click("#head-at_leave-12")
    found += _grave(window, "explain", {"include": [["#explain"]]})
    assert found == []


def _grave(window: Window, where: str, part: dict[str, list[list[str]]]) -> list[tuple[str, str, str]]:
    """Serious and critical violations of WCAG 2 A and AA, contrast and labels among them."""
    window.page.evaluate(  # one row of a long table, one switch of a long list is like the next
        "document.querySelectorAll('tbody tr:nth-child(n+9), .states li:nth-child(n+9)').forEach(row => row.remove())"
    )
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
    found = axe.Axe().run(window.page, part, rules).response["violations"]
    return [(where, one["id"], one["nodes"][0]["html"][:160]) for one in found if one["impact"] in _GRAVE]


_GRAVE = ("serious", "critical")


@pytest.mark.parametrize("width", [1280, 768, 320])
def test_narrow_screens_do_not_scroll_sideways(window: Window, width: int) -> None:
    window.page.set_viewport_size({"width": width, "height": 900})
    for tab in TABS:
        window.tab(tab)
        assert window.page.evaluate("document.documentElement.scrollWidth") <= width, tab
    if width < 900:
        assert window.page.is_hidden("#side")
        window.page.click("#side-button")
        assert window.page.is_visible("#buyer")


def test_a_page_that_is_not_taken_says_so(context: sync_api.BrowserContext, first: Window, server: Server) -> None:
    refused = context.new_page()
    refused.add_init_script(
        "window.WebSocket = class extends WebSocket { constructor(to) { super(to.replace('websocket', 'refused')); } };"
    )
    refused.goto(server.link.split("?")[0])
    refused.wait_for_selector("#lost-refused")
    assert refused.evaluate("document.activeElement.id") == "lost-button"
    assert refused.is_hidden("#lost-words")
    refused.close()


def test_switches_answer_soon(window: Window, record_property) -> None:
    for _ in range(3):
        window.click(SWITCH)
        window.click(SWITCH)
    times = window.page.evaluate("window.supplychain.latencies")[-4:]  # both states were measured before
    record_property("milliseconds", statistics.median(times))
    assert statistics.median(times) < 1500  # a loaded machine; docs/app.md tells what an idle one does


def test_the_link_works_once(first: Window, server: Server, context: sync_api.BrowserContext) -> None:
    other = context.browser.new_context().new_page()  # type: ignore[union-attr]
    answer = other.goto(server.link)
    assert answer is not None
    assert answer.status == 403
    assert "used already" in other.inner_text("body")
    assert "console" not in "".join(first.console)
    other.context.close()
