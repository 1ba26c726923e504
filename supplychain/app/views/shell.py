"""The frame around the results: head line, scenarios, tabs, notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supplychain.app import texts
from supplychain.app.state import MOST_DRAFTS, TABS
from supplychain.app.views.render import part
from supplychain.report.language import ENGLISH

if TYPE_CHECKING:
    from supplychain.app.state import Desk, Notice
    from supplychain.app.workspace import Workspace


def head(desk: Desk, workspace: Workspace) -> str:
    """Whose case, which day, and how far the law is known."""
    case = workspace.case(desk.work.setup)
    on = desk.work.draft.on or case.on  # a scenario may speak of a day of its own
    return part(
        "head",
        buyer=dict(workspace.buyers).get(case.buyer, case.buyer),
        needs=len(case.needs),
        on=on,
        own_day=on != case.on,
        known_as_of=case.book.known_as_of,
        aged=on > case.book.known_as_of,
        illustrative=case.illustrative,
    )


def tools(desk: Desk) -> str:
    return part("tools", undo=bool(desk.past), redo=bool(desk.future))


def slots(desk: Desk) -> str:
    """The scenarios, up to four; the one that is edited is pressed."""
    return part("slots", drafts=desk.work.drafts, active=desk.work.active, full=len(desk.work.drafts) >= MOST_DRAFTS)


def tabs(desk: Desk) -> str:
    return part("tabs", tabs=TABS, now=desk.tab)


def notice(shown: Notice | None) -> str:
    return part("notice", notice=shown)


def failed() -> str:
    """What stands where results would: they could not be had, and the notice above says why."""
    return part("failed")


def title(desk: Desk) -> str:
    """Return the title of the browser's window."""
    return texts.say(
        "window", tab=texts.say(f"tab.{desk.tab}"), draft=desk.work.draft.title, on=ENGLISH.day(desk.work.setup.on)
    )
