"""One session per open page: events come in, the parts of the page that changed go out; long work runs in threads."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Final

from shiny import App, Inputs, Outputs, Session, reactive, ui
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from supplychain.app import packs, state, texts
from supplychain.app.advise import Advice, advise
from supplychain.app.draft import Draft
from supplychain.app.explain import Level, explain
from supplychain.app.guard import MOST_PAGES, where
from supplychain.app.jobs import Jobs
from supplychain.app.measure import Reading, measure
from supplychain.app.server import Built
from supplychain.app.state import Desk, Notice, Work
from supplychain.app.views import answers, pictures, results, shell, side
from supplychain.app.views.ask import asked
from supplychain.app.views.render import environment
from supplychain.app.workspace import Setup, Workspace
from supplychain.case import Case
from supplychain.errors import SupplychainError, UsageError
from supplychain.facts.package import read_package
from supplychain.files import write_new
from supplychain.network import SupplyNetwork
from supplychain.report import marks

LOG: Final = logging.getLogger("supplychain.app")
_HERE: Final = Path(__file__).parent
_MOST_EVENTS: Final = 64  # of one message
_KEPT: Final = 8  # plans and downloads that a page remembers

Key = tuple[str, ...]


@dataclass
class Shared:
    """What all sessions of one process have in common."""

    workspace: Workspace
    first: Work
    quick: Jobs
    slow: Jobs
    live: dict[str, Live] = field(default_factory=dict)
    left: dict[str, Desk] = field(default_factory=dict)  # what pages that were closed showed last, by session

    def shown(self, session: str) -> Desk | None:
        """Return what a page shows, or showed last; a page that is loaded again may come before its end is known."""
        live = self.live.get(session)
        return live.desk if live else self.left.get(session)


@dataclass(frozen=True)
class Upload:
    """A file that was sent."""

    data: bytes
    name: str
    network: bool  # a workbook of facts, not a scenario


@dataclass
class Live:
    """One open page and what runs for it."""

    session: Session
    shared: Shared
    desk: Desk
    sent: dict[str, str] = field(default_factory=dict)
    waiting: deque[tuple[int, Mapping[str, Any] | Upload]] = field(default_factory=deque)
    peeking: bool = False
    seen: int = 0  # number of the newest event that came
    taken: int = 0  # and of the newest that was applied
    told: dict[Key, str] = field(default_factory=dict)  # headlines in words
    touched: frozenset[side.Pair] = frozenset()  # memberships that the page shows otherwise than the law has them
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    own: dict[str, Workspace] = field(default_factory=dict)  # workbooks that this page opened, by path
    folder: TemporaryDirectory[str] | None = None  # that holds them
    plans: dict[Key, Advice | Notice | None] = field(default_factory=dict)  # None: being made
    packed: dict[tuple[Key, str], dict[str, bytes] | Notice | None] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return work_key(self.desk.work)

    def receive(self, events: Any) -> None:
        """Take the events that are new, in their order."""
        for event in list(events)[:_MOST_EVENTS] if isinstance(events, (list, tuple)) else ():
            number = event.get("n") if isinstance(event, Mapping) else None
            if isinstance(number, int) and number > self.seen:
                self.seen = number
                self.waiting.append((number, event))
        self.wake.set()

    async def _take(self) -> None:
        """Apply what is waiting, in a thread: nothing that is being computed may hold up the other pages."""
        while self.waiting:
            number, event = self.waiting.popleft()
            self.desk = await self.shared.quick.run(self._after, self.desk, event)
            self.taken = max(self.taken, number)
            self._begin()

    def _after(self, desk: Desk, event: Mapping[str, Any] | Upload) -> Desk:
        try:
            if isinstance(event, Upload) and event.network:
                return self._opened(desk, event)
            if isinstance(event, Upload):
                return state.read(desk, event.data, event.name, self.workspace(desk.work))
            if event.get("do") == "package":
                return self._package(desk, str(event.get("value", "")))
            if event.get("do") == "resume":
                return state.resumed(desk, self.shared.shown(str(event.get("session", ""))))
            return state.handle(desk, event, self.workspace(desk.work))
        except Exception as error:
            LOG.error("event failed: %s", where(error))
            return replace(desk, notice=Notice("fault", texts.say("gate.fault")))

    def workspace(self, work: Work) -> Workspace:
        """Return the packages that the work is about: those of the command, or a workbook that this page opened."""
        return self.own.get(str(work.setup.network), self.shared.workspace)

    def packages(self) -> list[tuple[str, str]]:
        """Return the networks that this page may choose from, as (value, label)."""
        first, names = self.shared.workspace.base.network.name, [Path(path).name for path in self.own]
        again = [names[: at + 1].count(name) for at, name in enumerate(names)]  # opened once more after a change
        labels = [name if number == 1 else f"{name} ({number})" for name, number in zip(names, again, strict=True)]
        return [("", first), *zip(self.own, labels, strict=True)]

    def _package(self, desk: Desk, value: str) -> Desk:
        network = Path(value) if value in self.own else self.shared.first.setup.network
        return state.turned(desk, network, self.own.get(value, self.shared.workspace))

    def _opened(self, desk: Desk, upload: Upload) -> Desk:
        """Open a workbook that was sent, read by the same reader and checks as everywhere."""
        name = state.safe_name(upload.name, ".xlsx")
        self.folder = self.folder or TemporaryDirectory(prefix="supplychain-")
        path = Path(mkdtemp(dir=self.folder.name)) / name  # of its own: the same file comes again, corrected
        try:
            if not upload.name.lower().endswith(".xlsx"):
                raise UsageError(texts.say("fault.workbook"))
            write_new(path, upload.data)
            self.own = {**self.own, str(path): _own(path, self.shared.workspace)}
        except SupplychainError as error:
            rmtree(path.parent)
            told = state.notice_of(error)
            lines = told.lines or (told.title,)
            title = texts.say("fault.file", name=name)
            return replace(desk, notice=Notice("fault", title, lines), told=title)
        return state.turned(desk, path, self.own[str(path)])

    def upload(self, upload: Upload) -> None:
        """Take a file that was sent."""
        self.waiting.append((0, upload))
        self.wake.set()

    def peek(self, event: Any) -> None:
        """Measure ahead what moving a switch would show, if nothing else is under way; it is only remembered."""
        if isinstance(event, Mapping) and event.get("do") == "toggle" and not (self.waiting or self.peeking):
            self._spawn(self._peek(event))

    async def _peek(self, event: Mapping[str, Any]) -> None:
        self.peeking = True
        try:
            await self.shared.quick.run(self._ahead, self.desk, event)
        finally:
            self.peeking = False

    def _ahead(self, desk: Desk, event: Mapping[str, Any]) -> None:
        with suppress(Exception):  # if it fails, it fails again, and is told, when it is asked for
            workspace = self.workspace(desk.work)
            after = state.handle(desk, event, workspace)
            read(workspace, after.work.setup, after.work.draft)

    def _begin(self) -> None:
        """Start what was asked for and takes long; the same work is not done twice, unless it failed."""
        key, work, kind = self.key, self.desk.work, self.desk.pack
        if self.desk.plan and (key not in self.plans or isinstance(self.plans[key], Notice)):
            _remember(self.plans, key, None)
            self._spawn(self._plan(key, work))
        if kind in packs.SLOW and ((key, kind) not in self.packed or isinstance(self.packed[key, kind], Notice)):
            _remember(self.packed, (key, kind), None)
            self._spawn(self._pack(key, kind, work))
        self.desk = replace(self.desk, plan=False, pack="")

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _plan(self, key: Key, work: Work) -> None:
        self.plans[key] = await self._tried(advise, self.workspace(work), work.setup, work.draft)
        self._done("told.planned")

    async def _pack(self, key: Key, kind: str, work: Work) -> None:
        self.packed[key, kind] = await self._tried(packs.SLOW[kind], self.workspace(work), work)
        self._done("told.packed")

    def _done(self, told: str) -> None:
        self.desk = replace(self.desk, told=texts.say(told))
        self.wake.set()

    async def _tried(self, function: Any, *arguments: Any) -> Any:
        """Run a long job; what goes wrong becomes a notice."""
        try:
            return await self.shared.slow.run(function, *arguments)
        except SupplychainError as error:
            return state.notice_of(error)
        except Exception as error:
            LOG.error("job failed: %s", where(error))
            return Notice("fault", texts.say("gate.fault"))

    async def show(self) -> None:
        """Send the page what changed, again and again, until the page is gone."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            await self._take()
            desk, seen = self.desk, self.taken
            try:
                changed, moves = await self.shared.quick.run(self._draw, desk)
            except Exception as error:
                LOG.error("page failed: %s", where(error))
                changed = {"notice": str(shell.notice(Notice("fault", texts.say("gate.fault"))))}
                moves = side.Moves({}, {}, self.touched)
            if self.waiting:
                continue  # something newer is on its way: what was drawn is stale
            self.sent |= changed
            self.touched = moves.pairs
            message: dict[str, object] = {
                "n": seen,
                "parts": {**changed, **moves.parts},
                "set": {**moves.settings, "explain": {"hidden": not desk.asked}},
                "title": shell.title(desk),
                "focus": desk.focus,
                "tab": desk.tab,
            }
            if desk.told:
                message["tell"] = f"{desk.told} {self.told.get(work_key(desk.work), '')}".strip()
            await self.session.send_custom_message("show", message)
            self.desk = replace(self.desk, told="", focus="") if self.desk is desk else self.desk

    def _draw(self, desk: Desk) -> tuple[dict[str, str], side.Moves]:
        """Return the parts that are not what the page shows, and what the scenario moves in the membership grid."""
        parts = self.parts(desk)
        changed = {name: str(html) for name, html in parts.items() if self.sent.get(name) != html}
        before = frozenset[side.Pair]() if "members" in changed else self.touched
        return changed, side.moved(desk, self.workspace(desk.work), before)

    def parts(self, desk: Desk) -> dict[str, str]:
        """Return every part of the page, from what was measured before and what is measured now. Runs in a thread."""
        workspace, work = self.workspace(desk.work), desk.work
        notice = desk.notice
        shown: dict[str, str] = {}
        makers: tuple[tuple[str, Callable[[], str]], ...] = (
            ("head", lambda: shell.head(desk, workspace)),
            ("tools", lambda: shell.tools(desk)),
            ("slots", lambda: shell.slots(desk)),
            ("tabs", lambda: shell.tabs(desk)),
            ("setup", lambda: side.setup(desk, workspace, self.packages())),
            ("changes", lambda: side.changes(desk, workspace)),
            ("members", lambda: side.members(desk, workspace)),
            ("add", lambda: side.add(desk, workspace)),
            ("body", lambda: self._body(desk, workspace, work)),
            ("explain", lambda: self._explained(desk, workspace, work) if desk.asked else ""),
        )
        for name, make in makers:
            try:
                shown[name] = make()
            except SupplychainError as error:
                notice = notice or state.notice_of(error)
                shown[name] = shell.failed() if name == "body" else ""
            except Exception as error:
                LOG.error("%s failed: %s", name, where(error))
                notice = notice or Notice("fault", texts.say("gate.fault"))
                shown[name] = shell.failed() if name == "body" else ""
        return {**shown, "notice": shell.notice(notice)}

    def _body(self, desk: Desk, workspace: Workspace, work: Work) -> str:
        if desk.tab == "plan":
            made = self.plans.get(self.key)
            failed = made if isinstance(made, Notice) else None
            ready = None if isinstance(made, Notice) else made
            return answers.plan(desk, ready, self.key in self.plans and made is None, failed, workspace)
        if desk.tab == "scenario":
            return answers.scenario(desk, self.session.id)
        if desk.tab == "downloads":
            return answers.downloads(desk, self.session.id, self._packs())
        if desk.tab == "compare":
            readings: list[Reading | None] = []
            for draft in work.drafts:
                try:
                    readings.append(read(workspace, work.setup, draft))
                except SupplychainError:
                    readings.append(None)
            return results.compare(desk, readings)
        reading = read(workspace, work.setup, work.draft)
        self.told = {work_key(work): results.summary(reading)}
        if desk.tab == "chokes":
            return results.chokes(desk, reading)
        if desk.tab == "network":
            return pictures.network(desk, reading, workspace)
        if desk.tab == "map":
            return pictures.world(desk, reading, workspace)
        return results.overview(desk, reading)

    def _packs(self) -> dict[str, str]:
        told = {}
        for kind in packs.SLOW:
            if (self.key, kind) in self.packed:
                made = self.packed[self.key, kind]
                told[kind] = "waiting" if made is None else f"!{made.title}" if isinstance(made, Notice) else "ready"
        return told

    def _explained(self, desk: Desk, workspace: Workspace, work: Work) -> str:
        levels: list[Level] | None = None
        failed = None
        try:
            levels = explain(workspace, work.setup, work.draft, asked(desk.asked[-1]))
        except SupplychainError as error:
            failed = state.notice_of(error)
        return answers.explain(desk, levels, failed, workspace)

    def end(self) -> None:
        """The page was closed: nothing more runs for it."""
        for task in list(self.tasks):
            task.cancel()
        _remember(self.shared.left, self.session.id, state.left(self.desk))
        self.own = {}
        if self.folder is not None:
            self.folder.cleanup()
        self.plans.clear()
        self.packed.clear()


def _own(path: Path, first: Workspace) -> Workspace:
    """Read a network of one's own, under the law and assumptions that were loaded first; its buyer is the first of its
    plants, else the state with most demand. Raises InputError with every problem."""
    network = SupplyNetwork.from_package(read_package(path, "network"))
    named = sorted(set(network.plants["buyer"]))
    demand = network.demand.sort_values(["share", "destination"], ascending=[False, True])["destination"].tolist()
    buyer = next(iter([*named, *demand]), first.base.buyer)
    return Workspace(Case.make(network, first.base.book, buyer, None, first.base.on, first.base.assumptions))


def _remember(table: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep the newest few of what is large."""
    table.pop(key, None)
    table[key] = value
    while len(table) > _KEPT:
        table.pop(next(iter(table)))


def read(workspace: Workspace, setup: Setup, draft: Draft) -> Reading:
    """Return the reading of a draft, remembered."""
    key = (setup.buyer, setup.products, setup.on, draft.key, draft.assumes)
    return workspace.kept("reading", key, lambda: measure(workspace, setup, draft))


def work_key(work: Work) -> Key:
    """Return what of the work can change a plan or a download."""
    setup, draft = work.setup, work.draft
    return (str(setup.network), setup.buyer, ";".join(setup.products), setup.on, setup.policy, draft.key, draft.title)


def build(setup: Setup) -> Built:
    """Return the application for a setup; the data are read now. Raises the project's errors."""
    workspace = Workspace.load(setup)
    given = setup.with_(products=()) if not setup.products else setup
    first = Work(given, (Draft(title=texts.say("slot.title", number=1), name="scenario-1"),))
    shared = Shared(workspace, first, Jobs(2, "quick"), Jobs(1, "slow"))
    shared.quick.ahead(read, workspace, given, Draft())
    shared.quick.ahead(workspace.warm, given)

    def server(given_inputs: Inputs, _: Outputs, session: Session) -> None:
        live = Live(session, shared, Desk(first))
        shared.live[session.id] = live
        shower = asyncio.get_running_loop().create_task(live.show())
        live.tasks.add(shower)

        @reactive.effect
        @reactive.event(given_inputs.events)
        def _take() -> None:
            live.receive(given_inputs.events())

        @reactive.effect
        @reactive.event(given_inputs.peek)
        def _look() -> None:
            live.peek(given_inputs.peek())

        @session.on_ended
        def _gone() -> None:
            shared.live.pop(session.id, None)
            live.end()

        live.wake.set()

    page = environment().get_template("page.html.j2").render(hatch=marks.hatch("hatch"), most_pages=MOST_PAGES)
    app = App(ui.page_html(page), server, static_assets={"/assets": _HERE / "static"}, debug=False)
    app.sanitize_errors = True
    app.sanitize_error_msg = texts.say("gate.fault")
    routes = app.starlette_app.router.routes
    routes[:] = [route for route in routes if not getattr(route, "path", "").startswith("/session/")]
    app.starlette_app.router.add_route("/scenario/{session}", _upload(shared, False), methods=["POST"])
    app.starlette_app.router.add_route("/network/{session}", _upload(shared, True), methods=["POST"])
    app.starlette_app.router.add_route("/files/{session}/{name}", _download(shared), methods=["GET"])
    routes.sort(key=lambda route: getattr(route, "path", "") == "")  # the static files come last: they take any path

    def close() -> bool:
        ended = [jobs.close(1.0) for jobs in (shared.quick, shared.slow)]
        return all(ended)

    return Built(app, app.ui["html"], close)  # type: ignore[index]


def _upload(shared: Shared, network: bool) -> Any:
    async def upload(request: Request) -> Response:
        live = shared.live.get(request.path_params["session"])
        if live is None:
            return PlainTextResponse(texts.say("gate.missing"), 404)
        live.upload(Upload(await request.body(), request.query_params.get("name", "")[:120], network))
        return PlainTextResponse("", 200)

    return upload


def _download(shared: Shared) -> Any:
    async def download(request: Request) -> Response:
        live = shared.live.get(request.path_params["session"])
        name = request.path_params["name"]
        if live is None or name not in packs.FILES:
            return PlainTextResponse(texts.say("gate.missing"), 404)
        kind = packs.FILES[name]
        made = live.packed.get((live.key, kind)) if kind in packs.SLOW else None
        if kind in packs.SLOW:
            data = made.get(name) if isinstance(made, dict) else None
        else:
            work = live.desk.work
            data = await shared.quick.run(packs.QUICK[kind], live.workspace(work), work)
        if data is None:
            return PlainTextResponse(texts.say("gate.missing"), 404)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type=packs.media_type(name), headers=headers)

    return download
