"""Events of a page as plain values: what each does, what is refused, and that nothing else changes then."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from supplychain.app import forms, state, texts
from supplychain.app.draft import Draft
from supplychain.app.jobs import Jobs
from supplychain.app.state import MOST_DRAFTS, Desk, Work, handle, read
from supplychain.app.views.ask import asked, what
from supplychain.app.views.render import bar, bracket, delta, safe_address
from supplychain.app.workspace import Setup, Workspace
from supplychain.errors import EnvironmentFault, InputError, UsageError

SETUP = Setup(buyer="IND", products=("ai-accelerator",))


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return Workspace.load(SETUP)


@pytest.fixture
def desk() -> Desk:
    return Desk(Work(SETUP, (Draft(title="One", name="one"),)))


def test_a_switch_is_a_join_or_a_leave_and_switching_back_leaves_nothing(desk: Desk, workspace: Workspace) -> None:
    event = {"do": "toggle", "regime": "w1-iec", "state": "KOR"}
    once = handle(desk, event, workspace)
    assert once.work.draft.raw == ({"do": "join", "regime": "w1-iec", "states": ["KOR"]},)
    assert once.told.startswith("KOR is in")
    assert handle(once, event, workspace).work.draft.empty
    assert handle(once, {"do": "undo"}, workspace).work == desk.work
    assert handle(handle(once, {"do": "undo"}, workspace), {"do": "redo"}, workspace).work == once.work


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"do": "nonsense"},
        {"do": "toggle", "regime": "w1-iec", "state": "XXX"},
        {"do": "toggle", "regime": ["x"], "state": {"a": 1}},
        {"do": "drop", "at": "99"},
        {"do": "drop", "at": "-1"},
        {"do": "slot", "at": "7"},
        {"do": "add", "kind": "nonsense", "fields": {}},
        {"do": "add", "kind": "outage", "fields": {"items": "no-such-item"}},
        {"do": "add", "kind": "outage", "fields": "text"},
        {"do": "add", "kind": "capacity", "fields": {"items": "hbm", "factor": "much"}},
        {"do": "preset", "fields": {"name": "../../etc/passwd"}},
        {"do": "assume", "fields": {"name": "no.such", "value": "1"}},
        {"do": "limit", "fields": {"name": "caps.supplier", "value": "7"}},
        {"do": "policy", "value": "/etc/passwd"},
        {"do": "setup", "fields": {"buyer": "<script>", "on": "2026-11-01"}},
        {"do": "setup", "fields": {"buyer": "IND", "on": "soon"}},
        {"do": "setup", "fields": {"buyer": "IND", "on": "0202-11-01"}},
        {"do": "slot", "at": "\N{SUPERSCRIPT TWO}"},
        {"do": "focus", "item": "no-such-item"},
        {"do": "slot-name", "fields": {"title": "  "}},
    ],
)
def test_what_no_page_of_ours_sends_is_told_and_changes_nothing(event: dict, desk: Desk, workspace: Workspace) -> None:
    after = handle(desk, event, workspace)
    assert after.notice is not None
    assert after.notice.kind == "fault"
    assert after.work == desk.work


def test_forms_make_the_actions_of_the_scenario_reader(desk: Desk, workspace: Workspace) -> None:
    given = {
        "outage": {"sites": "TWN, KOR", "part": "50", "months": "6"},
        "impose": {"imposing": "KOR", "items": "hbm", "destination": "IND", "policy": "case-by-case"},
        "suspend": {"regimes": "w1-iec", "to": "2027-01-01"},
        "lift": {"regimes": "w1-iec"},
        "branch": {"branch": "us-affiliates-stay:lapse"},
        "delay": {"factor": "2", "add_days": "30"},
        "capacity": {"items": "hbm", "factor": "1,5"},
        "grow": {"item": "hbm", "state": "IND", "add": "10", "until": "2029-01-01"},
        "stock": {"days": "90"},
        "qualify": {"items": "hbm", "months": "6"},
        "demand": {"items": "ai-accelerator", "factor": "1.2"},
    }
    assert set(given) == set(forms.BY_WORD)
    for kind, fields in given.items():
        after = handle(desk, {"do": "add", "kind": kind, "fields": fields}, workspace)
        assert after.notice is None, (kind, after.notice)
        assert after.work.draft.raw[0]["do"] == kind
        assert Draft.read(after.work.draft.toml()).raw == after.work.draft.raw
    assert forms.action("outage", given["outage"])["part"] == 0.5


def test_a_form_names_every_answer_that_is_missing() -> None:
    with pytest.raises(InputError) as refused:
        forms.action("impose", {"policy": "embargo"})
    assert len(refused.value.problems) == 3


def test_four_scenarios_at_most(desk: Desk, workspace: Workspace) -> None:
    for _ in range(MOST_DRAFTS - 1):
        desk = handle(desk, {"do": "slot-new"}, workspace)
    assert [draft.title for draft in desk.work.drafts] == ["One", "Scenario 2", "Scenario 3", "Scenario 4"]
    assert handle(desk, {"do": "slot-new"}, workspace).notice is not None
    assert len(handle(desk, {"do": "slot-drop"}, workspace).work.drafts) == 3


def test_an_upload_is_checked_by_the_scenario_reader(desk: Desk, workspace: Workspace) -> None:
    for data, name in ((b"\xff\xfe", "a.toml"), (b"title = 1", "a.toml"), (b"title = 'x'", "a.exe"), (b"", "a.toml")):
        after = read(desk, data, name, workspace)
        assert after.notice is not None
        assert after.work == desk.work
    good = read(desk, b'title = "T"\n[[action]]\ndo = "outage"\nsites = ["TWN"]\n', "../../x/My File.toml", workspace)
    assert good.work.draft.title == "T"
    assert good.work.draft.name == "x-my-file"
    assert state.safe_name("..", ".xlsx") == "file.xlsx"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "os"}', '{"kind": "item", "item": {"a": 1}}', "[" * 400])
def test_questions_are_read_strictly(text: str) -> None:
    with pytest.raises(UsageError):
        asked(text)
    assert asked(what("item", item='<"x">')).keys == {"item": '<"x">'}


def test_numbers_are_written_in_one_way() -> None:
    row = {"after": 0.1, "short": 0.2, "short_high": 0.5, "base_after": 0.1, "base_short": 0.3, "base_short_high": 0.5}
    assert delta(row) == {"kind": "open", "words": "0 / −10 points, unknown +10"}  # better is not said of the unknown
    assert delta({**row, "short_high": 0.4})["kind"] == "better"
    assert delta({**row, "short": 0.3})["kind"] == "same"
    assert bracket(float("nan"), 0.04) == "up to 4\u00a0%"
    assert bracket(None, None) == texts.say("none")
    assert "<svg" in bar(row)
    assert "<svg" in bar({"after": float("nan"), "short": 0.2})


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", " vbscript:x", None]
)
def test_only_web_pages_become_links(address: str | None) -> None:
    assert safe_address(address) == ""
    assert safe_address("https://example.org") == "https://example.org"


def test_every_text_can_be_filled() -> None:
    for key, text in texts.TEXTS.items():
        assert text.strip(), key
        assert (f"{key[:-4]}.many" in texts.TEXTS) if key.endswith(".one") else True


def test_without_shiny_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from supplychain.app import server

    for name in [name for name in sys.modules if name.split(".")[0] == "shiny" or name.endswith("app.session")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "shiny", None)
    with pytest.raises(EnvironmentFault, match=r"supplychain\[app\]"):
        server.prepare(SETUP)


def test_questions_are_json() -> None:
    assert json.loads(what("item", item="hbm")) == {"kind": "item", "item": "hbm"}


@pytest.mark.parametrize("tab", state.TABS)
def test_every_page_is_drawn_without_a_browser(tab: str, desk: Desk, workspace: Workspace) -> None:
    session = pytest.importorskip("supplychain.app.session", reason="the application's extra is not installed")
    shared = session.Shared(workspace, desk.work, None, None)
    changed = handle(desk, {"do": "toggle", "regime": "nld-sme", "state": "NLD"}, workspace)
    shown = replace(changed, tab=tab, asked=(what("headline", measure="at leave", horizon=12.0),))
    parts = session.Live(SimpleNamespace(id="s"), shared, shown).parts(shown)
    assert all(parts[name] for name in parts if name != "notice")
    assert parts["notice"] == ""
    assert texts.say("failed") not in parts["body"]
    assert "style=" not in "".join(parts.values())  # the policy of the page allows none
    assert "onclick" not in "".join(parts.values())


def test_a_switch_that_is_pointed_at_is_measured_ahead(desk: Desk, workspace: Workspace) -> None:
    session = pytest.importorskip("supplychain.app.session", reason="the application's extra is not installed")
    live = session.Live(SimpleNamespace(id="s"), session.Shared(workspace, desk.work, None, None), desk)
    event = {"do": "toggle", "regime": "w1-iec", "state": "NLD"}
    live._ahead(desk, event)
    live._ahead(desk, {"do": "toggle", "regime": 7})
    after = handle(desk, event, workspace).work
    key = (after.setup.buyer, after.setup.products, after.setup.on, after.draft.key, after.draft.assumes)
    assert key in workspace._kept["reading"]
    assert live.desk == desk


def test_a_job_whose_page_was_closed_before_its_turn_never_runs() -> None:
    ran: list[str] = []
    busy = threading.Event()

    async def pages() -> str:
        jobs = Jobs(1, "test")
        first = asyncio.create_task(jobs.run(lambda: busy.wait(5) and "done"))
        closed = asyncio.create_task(jobs.run(ran.append, "closed"))
        last = asyncio.create_task(jobs.run(ran.append, "open"))
        await asyncio.sleep(0.01)
        closed.cancel()
        await asyncio.sleep(0)
        busy.set()
        answer = await first
        await last
        with pytest.raises(ZeroDivisionError):
            await jobs.run(lambda: 1 / 0)
        assert jobs.close(5)
        return str(answer)

    assert asyncio.run(pages()) == "done"
    assert ran == ["open"]


def test_all_products_are_all_whatever_the_command_began_with(desk: Desk, workspace: Workspace) -> None:
    every = [item for item, _ in workspace.products("IND")]
    for chosen in (every, []):
        after = handle(desk, {"do": "setup", "fields": {"products": chosen}}, workspace).work.setup
        assert after.products == ()
        assert sorted(workspace.case(after).products) == sorted(every)
    assert workspace.case(SETUP) is workspace.base


def test_a_product_of_the_command_that_is_no_end_product_stays_chosen() -> None:
    setup = Setup(buyer="IND", products=("gallium-primary",))
    own = Workspace.load(setup)
    assert "gallium-primary" in dict(own.products("IND"))
    fields = {"products": ["gallium-primary"], "on": "2026-10-01"}
    after = handle(Desk(Work(setup, (Draft(),))), {"do": "setup", "fields": fields}, own).work.setup
    assert after == setup.with_(on="2026-10-01")


def test_what_is_wrong_with_an_answer_names_the_field_that_was_asked(desk: Desk, workspace: Workspace) -> None:
    event = {"do": "add", "kind": "outage", "fields": {"items": "no-such-item", "sites": "TWN"}}
    after = handle(desk, event, workspace)
    assert after.notice is not None
    assert after.notice.lines[0].startswith(f"{texts.say('form.outage')}, column {texts.say('field.items')}: ")
    limited = handle(desk, {"do": "limit", "fields": {"name": "caps.supplier", "value": "7"}}, workspace)
    assert limited.notice is not None
    assert texts.say("limit.caps.supplier") in limited.notice.lines[0]


def test_a_page_goes_on_with_what_another_showed_last(desk: Desk, workspace: Workspace) -> None:
    event = {"do": "toggle", "regime": "w1-iec", "state": "KOR"}
    before = replace(handle(desk, event, workspace), asked=("{}",), plan=True)
    after = state.resumed(desk, before)
    assert (after.work, after.past, after.asked, after.plan) == (before.work, before.past, (), False)
    assert state.resumed(desk, None) == desk
    away = replace(before, work=replace(before.work, setup=SETUP.with_(network=Path("mine.xlsx"))))
    after = state.resumed(desk, away)
    assert (after.work.setup, after.work.drafts) == (SETUP, before.work.drafts)
    assert after.notice is not None
