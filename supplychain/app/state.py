"""What one open page is about: setup, drafts, what is shown. Frozen; every event of the page makes the next one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from supplychain.app import forms, texts
from supplychain.app.draft import Draft
from supplychain.app.workspace import Setup, Workspace
from supplychain.errors import InputError, SupplychainError, UsageError

TABS: Final = ("overview", "chokes", "network", "map", "plan", "compare", "scenario", "downloads")
MOST_DRAFTS: Final = 4
_UNDOS: Final = 200
MEASURES: Final = ("in_force", "at_leave")
FIRST_DAY: Final = "2000-01-01"  # that may be looked at
LAST_DAY: Final = "2100-12-31"
_SAFE: Final = re.compile(r"[^\w .,:;()/+&'\"-]", re.UNICODE)

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """What can be undone: the case that is looked at and up to four drafts, one of which is being edited."""

    setup: Setup
    drafts: tuple[Draft, ...]
    active: int = 0

    @property
    def draft(self) -> Draft:
        return self.drafts[self.active]

    def edited(self, draft: Draft) -> Work:
        drafts = (*self.drafts[: self.active], draft, *self.drafts[self.active + 1 :])
        return replace(self, drafts=drafts)


@dataclass(frozen=True)
class Notice:
    """A message at the head of the page: what happened, and every problem found. ``kind``: fault, note or good."""

    kind: str
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Desk:
    """One open page."""

    work: Work
    past: tuple[Work, ...] = ()
    future: tuple[Work, ...] = ()
    tab: str = "overview"
    measure: str = "at_leave"
    kind: str = ""  # of choke points; "" is all
    plant: str = ""  # whose needs are listed; "" is all
    item: str = ""  # in focus in the network
    hold: str = "all"  # what the map shows: all supply, or what needs leave
    asked: tuple[str, ...] = ()  # what is being explained, from the outside in
    notice: Notice | None = None
    told: str = ""  # said to screen readers
    focus: str = ""
    plan: bool = False  # a plan was asked for at the present work
    pack: str = ""  # a download that takes long was asked for

    def did(self, work: Work, told: str = "") -> Desk:
        """Return the page after a change that can be undone."""
        if work == self.work:
            return replace(self, notice=None, told=told)
        past = (*self.past, self.work)[-_UNDOS:]
        return replace(self, work=work, past=past, future=(), notice=None, told=told, plan=False, pack="")


def handle(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    """Return the page after an event; a fault of the person's input becomes a notice and changes nothing else."""
    handler = _HANDLERS.get(str(event.get("do", "")))
    if handler is None:
        return replace(desk, notice=Notice("fault", texts.say("fault.event")))
    try:
        return handler(replace(desk, told="", focus=""), event, workspace)
    except SupplychainError as error:
        return replace(desk, notice=notice_of(error), told="", focus="")


def notice_of(error: SupplychainError, title: str = "") -> Notice:
    """Return an error of ours as a notice: every problem on a line of its own."""
    if isinstance(error, InputError):
        lines = tuple(str(problem) for problem in error.problems[:100])
        more = len(error.problems) - len(lines)
        rest = (texts.say("fault.more", count=more),) if more > 0 else ()
        return Notice("fault", title or texts.count("fault.refused", len(error.problems)), (*lines, *rest))
    return Notice("fault", title or str(error).splitlines()[0], tuple(str(error).splitlines()[1:]))


def _text(event: Event, key: str, longest: int = 200) -> str:
    value = event.get(key, "")
    return str(value)[:longest] if isinstance(value, (str, int, float, bool)) else ""


def _fields(event: Event) -> dict[str, Any]:
    given = event.get("fields")
    return dict(given) if isinstance(given, Mapping) else {}


def _number(event: Event, key: str) -> int:
    try:
        return int(_text(event, key, 12))
    except ValueError:
        raise UsageError(texts.say("fault.event")) from None


# Setup


def _setup(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    given = _fields(event)
    setup = desk.work.setup
    buyer = str(given.get("buyer", setup.buyer))[:200]
    known = {item for item, _ in workspace.products(buyer)}
    chosen = given.get("products", ())
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    products = tuple(sorted(str(name) for name in names if name in known)) if buyer == setup.buyer else ()
    on = str(given.get("on", setup.on))[:10]
    if on != setup.on and not FIRST_DAY <= on <= LAST_DAY:
        raise UsageError(texts.say("form.day", day=repr(on), first=FIRST_DAY, last=LAST_DAY))
    every = setup.with_(buyer=buyer, products=(), on=on)
    case = workspace.case(every)  # refuses what is unknown
    if products == case.products:
        products = ()  # all: the same case, however it was chosen
    after = every.with_(products=products, on=case.on.isoformat())
    return desk.did(replace(desk.work, setup=after), texts.say("told.setup", buyer=buyer, on=on))


def turned(desk: Desk, network: Path | None, workspace: Workspace) -> Desk:
    """Return the page after another network was chosen: its own buyer, all products, the same day and drafts."""
    known = {name for name, _ in workspace.buyers}
    setup = desk.work.setup
    buyer = setup.buyer if setup.buyer in known else workspace.base.buyer
    after = replace(setup, network=network, buyer=buyer, products=())
    case = workspace.case(after)
    return desk.did(replace(desk.work, setup=after), texts.say("told.setup", buyer=case.buyer, on=after.on))


def resumed(desk: Desk, before: Desk | None) -> Desk:
    """Return a fresh page as another one was when it was left. A workbook that was opened there went with it: what was
    done under it is left out, its scenarios are kept."""
    if before is None:
        return desk
    here = desk.work.setup

    def held(works: tuple[Work, ...]) -> tuple[Work, ...]:
        return tuple(work for work in works if work.setup.network == here.network)

    found = left(before)
    if found.work.setup.network == here.network:
        return replace(found, past=held(found.past), future=held(found.future), told=texts.say("told.resumed"))
    told = texts.say("told.workbook")
    return replace(desk, work=replace(found.work, setup=here), tab=found.tab, notice=Notice("note", told), told=told)


def left(desk: Desk) -> Desk:
    """Return what of a page is worth going on with: no message, nothing half asked for."""
    return replace(desk, asked=(), notice=None, told="", focus="", plan=False, pack="")


# The draft


def _toggle(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    regime, state = _text(event, "regime"), _text(event, "state", 3)
    row = pairs(desk.work.setup, workspace).get((regime, state))
    if row is None or not row["can_switch"]:
        raise UsageError(texts.say("fault.switch"))
    member = bool(row["member"])
    draft = desk.work.draft.toggle(regime, state, member)
    told = "told.joined" if draft.member(regime, state, member) else "told.left"
    return desk.did(desk.work.edited(draft), texts.say(told, state=state, regime=row["name"]))


def pairs(setup: Setup, workspace: Workspace) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the rows of the membership grid of a setup by regime and state, remembered."""

    def make() -> dict[tuple[str, str], dict[str, Any]]:
        grid = workspace.switches(setup).sort_values(["regime", "state"])
        return {(str(row["regime"]), str(row["state"])): row for row in grid.to_dict("records")}  # type: ignore[misc]

    return workspace.kept("pairs", (setup.buyer, setup.products, setup.on), make)


def _add(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    made = forms.action(_text(event, "kind", 20), _fields(event))
    form = forms.BY_WORD[made["do"]]
    with forms.asked(form.title, {field.key: field.label for field in form.fields}):
        draft = desk.work.draft.with_action(made)
        workspace.applied(desk.work.setup, draft)  # refuses names that the data do not have
    return desk.did(desk.work.edited(draft), texts.say("told.added", what=texts.say(f"form.{made['do']}")))


def _drop(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    draft = desk.work.draft.without(_number(event, "at"))
    return desk.did(desk.work.edited(draft), texts.say("told.dropped"))


def _assume(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    given = _fields(event)
    name, answer = str(given.get("name", ""))[:120], str(given.get("value", "")).strip()[:80]
    value: float | str | None = answer or None
    if value is not None:
        try:
            value = float(answer.replace(",", "."))
        except ValueError:
            value = answer
    with forms.asked(texts.say("form.assume"), {name: name}):
        draft = desk.work.draft.with_assumption(name, value)
        workspace.applied(desk.work.setup, draft)
    return desk.did(desk.work.edited(draft), texts.say("told.assumed", name=name))


def _limit(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    given = _fields(event)
    name, answer = str(given.get("name", ""))[:60], str(given.get("value", "")).strip()[:60]
    value: Any = answer or None
    if answer.lower() in ("true", "false"):
        value = answer.lower() == "true"
    elif answer:
        try:
            number = float(answer.replace(",", "."))
            value = int(number) if number.is_integer() else number
        except ValueError:
            value = answer
    with forms.asked(texts.say("form.limit"), {name: texts.TEXTS.get(f"limit.{name}", name)}):
        draft = desk.work.draft.with_limit(name, value)
    return desk.did(desk.work.edited(draft), texts.say("told.limited", name=name))


def _policy(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    name = _text(event, "value", 60)
    if name not in {known for known, _ in workspace.catalogue(desk.work.setup).policies}:
        raise UsageError(texts.say("fault.policy"))
    return desk.did(replace(desk.work, setup=desk.work.setup.with_(policy=name)), texts.say("told.policy"))


def _parameter(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    try:
        value = float(_text(event, "value", 40).replace(",", "."))
    except ValueError:
        raise UsageError(texts.say("form.number")) from None
    draft = desk.work.draft.with_value(_text(event, "name", 60), value)
    return desk.did(desk.work.edited(draft), texts.say("told.dropped"))


def _clear(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    empty = Draft(title=desk.work.draft.title, name=desk.work.draft.name)
    return desk.did(desk.work.edited(empty), texts.say("told.cleared"))


def _preset(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    name = str(_fields(event).get("name") or _text(event, "value"))[:100]
    draft = Draft.bundled(name)
    workspace.applied(desk.work.setup, draft)
    if not desk.work.draft.empty and len(desk.work.drafts) < MOST_DRAFTS:
        return desk.did(_appended(desk.work, draft), texts.say("told.loaded", title=draft.title))
    return desk.did(desk.work.edited(draft), texts.say("told.loaded", title=draft.title))


def safe_name(name: str, suffix: str) -> str:
    """Return a file name of our own making for one that was sent: small letters, digits, one suffix."""
    kept = re.sub(r"[^a-z0-9_-]+", "-", name.lower().removesuffix(suffix)).strip("-_")[:60]
    return f"{kept or 'file'}{suffix}"


def read(desk: Desk, data: bytes, name: str, workspace: Workspace) -> Desk:
    """Return the page after a scenario file was loaded; what is wrong with it is listed and nothing changes."""
    short = safe_name(name, ".toml").removesuffix(".toml")
    try:
        if not name.lower().endswith(".toml"):
            raise UsageError(texts.say("fault.kind"))
        draft = Draft.read(data, short)
        workspace.applied(desk.work.setup, draft)
    except SupplychainError as error:
        title = texts.say("fault.file", name=_SAFE.sub("?", name)[:80])
        refused = notice_of(error) if isinstance(error, InputError) else Notice("fault", "", (str(error),))
        return replace(desk, notice=Notice("fault", title, refused.lines), told=title, tab="scenario")
    work = desk.work
    full = len(work.drafts) >= MOST_DRAFTS
    after = work.edited(draft) if work.draft.empty or full else _appended(work, draft)
    done = desk.did(after, texts.say("told.loaded", title=draft.title))
    return replace(done, notice=Notice("good", texts.say("told.loaded", title=draft.title)))


# Scenarios side by side


def _appended(work: Work, draft: Draft) -> Work:
    if len(work.drafts) >= MOST_DRAFTS:
        raise UsageError(texts.say("fault.four"))
    return replace(work, drafts=(*work.drafts, draft), active=len(work.drafts))


def _slot(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    at = _number(event, "at")
    if not 0 <= at < len(desk.work.drafts):
        raise UsageError(texts.say("fault.event"))
    return desk.did(replace(desk.work, active=at), texts.say("told.slot", title=desk.work.drafts[at].title))


def _slot_new(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    number = len(desk.work.drafts) + 1
    if _text(event, "copy"):
        draft = desk.work.draft.with_head(
            title=texts.say("slot.copied", title=desk.work.draft.title)[:200], name=f"{desk.work.draft.name}-{number}"
        )
    else:
        draft = Draft(title=texts.say("slot.title", number=number), name=f"scenario-{number}")
    return desk.did(_appended(desk.work, draft), texts.say("told.slot", title=draft.title))


def _slot_drop(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    work = desk.work
    if len(work.drafts) == 1:
        return _clear(desk, event, workspace)
    drafts = tuple(draft for at, draft in enumerate(work.drafts) if at != work.active)
    after = replace(work, drafts=drafts, active=min(work.active, len(drafts) - 1))
    return desk.did(after, texts.say("told.removed", title=work.draft.title))


def _slot_name(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    title = str(_fields(event).get("title") or _text(event, "value")).strip()[:120]
    if not title:
        raise UsageError(texts.say("fault.name"))
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "scenario"
    return desk.did(desk.work.edited(desk.work.draft.with_head(title=title, name=name)), texts.say("told.named"))


# What is shown


def _undo(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    if not desk.past:
        return replace(desk, told=texts.say("told.nothing"), notice=None)
    back, future = desk.past[-1], (desk.work, *desk.future)
    blank = replace(desk, work=back, past=desk.past[:-1], future=future, notice=None, plan=False, pack="")
    return replace(blank, told=texts.say("told.undone"))


def _redo(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    if not desk.future:
        return replace(desk, told=texts.say("told.nothing"), notice=None)
    ahead, past = desk.future[0], (*desk.past, desk.work)
    blank = replace(desk, work=ahead, past=past, future=desk.future[1:], notice=None, plan=False, pack="")
    return replace(blank, told=texts.say("told.redone"))


def _tab(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    tab = _text(event, "tab", 20)
    return replace(desk, tab=tab if tab in TABS else desk.tab, notice=None)


def _measure(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    name = _text(event, "measure", 20)
    return replace(desk, measure=name if name in MEASURES else desk.measure)


def _kind(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    return replace(desk, kind=_text(event, "kind", 30))


def _plant(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    return replace(desk, plant=_text(event, "plant"), focus="needs-title")


def _focus(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    name = str(_fields(event).get("item") or _text(event, "item")).strip()[:120]
    known = {item for item, _ in workspace.catalogue(desk.work.setup).items}
    if name and name not in known:
        raise UsageError(texts.say("fault.item", item=name[:40]))
    return replace(desk, item=name, notice=None)


def _hold(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    return replace(desk, hold="leave" if _text(event, "hold") == "leave" else "all")


def _plan(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    return replace(desk, plan=True, notice=None, told=texts.say("told.planning"))


def _pack(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    return replace(desk, pack=_text(event, "what", 20), notice=None, told=texts.say("told.packing"))


def _explain(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    what = _text(event, "what", 500)
    if not what:
        return desk
    inside = _text(event, "inside")
    asked = (*desk.asked, what)[-12:] if inside else (what,)
    return replace(desk, asked=asked, focus="explain-title")


def _explain_back(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    return replace(desk, asked=desk.asked[:-1], focus="explain-title" if len(desk.asked) > 1 else "return")


def _explain_close(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    return replace(desk, asked=(), focus="return")


def _notice_close(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    return replace(desk, notice=None)


def _upload_failed(desk: Desk, event: Event, workspace: Workspace) -> Desk:
    large = _text(event, "status", 3) == "413"
    return replace(desk, notice=Notice("fault", texts.say("fault.large" if large else "fault.upload")))


_HANDLERS: Final[dict[str, Callable[[Desk, Event, Workspace], Desk]]] = {
    "setup": _setup,
    "toggle": _toggle,
    "add": _add,
    "drop": _drop,
    "assume": _assume,
    "limit": _limit,
    "policy": _policy,
    "parameter": _parameter,
    "clear": _clear,
    "preset": _preset,
    "slot": _slot,
    "slot-new": _slot_new,
    "slot-drop": _slot_drop,
    "slot-name": _slot_name,
    "undo": _undo,
    "redo": _redo,
    "tab": _tab,
    "measure": _measure,
    "kind": _kind,
    "plant": _plant,
    "focus": _focus,
    "hold": _hold,
    "plan": _plan,
    "pack": _pack,
    "explain": _explain,
    "explain-back": _explain_back,
    "explain-close": _explain_close,
    "notice-close": _notice_close,
    "upload-failed": _upload_failed,
}
