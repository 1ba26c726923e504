"""The column of settings: the case, what the scenario changes, forms to add a change, and the membership switches."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from supplychain.app import forms, texts
from supplychain.app.state import FIRST_DAY, LAST_DAY, pairs
from supplychain.app.views.render import part, rows
from supplychain.facts.countries import countries
from supplychain.report.language import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from supplychain.app.state import Desk
    from supplychain.app.workspace import Catalogue, Workspace

_ORDER: Final = ("plurilateral", "multilateral", "unilateral", "counter-control", "proposed")
_FIRST: Final = ("w1-iec", "wassenaar")  # what the application is asked about most

Pair = tuple[str, str]  # regime, state


@dataclass(frozen=True)
class Moves:
    """What a scenario moves in the grid: parts of the page, properties of switches by id, and the pairs concerned."""

    parts: dict[str, str]
    settings: dict[str, dict[str, bool]]
    pairs: frozenset[Pair]


def setup(desk: Desk, workspace: Workspace, packages: Sequence[tuple[str, str]]) -> str:
    """The case: package, buyer, products, day. ``packages`` are the networks to choose from, as (value, label)."""
    now = desk.work.setup
    offered = workspace.products(now.buyer)
    chosen = set(workspace.case(now).products)
    book = workspace.base.book
    network = str(now.network) if str(now.network) in dict(packages) else ""

    def make() -> str:
        return part(
            "setup",
            setup=now,
            packages=packages,
            network=network,
            book=book.name,
            buyers=workspace.buyers,
            products=[{"item": item, "name": name, "chosen": item in chosen} for item, name in offered],
            chosen=len(chosen),
            first_day=FIRST_DAY,
            last_day=LAST_DAY,
        )

    return str(workspace.kept("page of setup", (now.buyer, now.products, now.on, tuple(packages)), make))


def changes(desk: Desk, workspace: Workspace) -> str:
    """What the scenario changes, one line each, with a button to take it back."""
    draft = desk.work.draft
    catalogue = workspace.catalogue(desk.work.setup)
    return part(
        "changes",
        draft=draft,
        actions=[told(action, catalogue) for action in draft.raw],
        assumptions=sorted((draft.assumptions or {}).items()),
        limits=[(f"{p}.{k}", v) for p, keys in sorted((draft.policy or {}).items()) for k, v in sorted(keys.items())],
        parameters=sorted((draft.parameters or {}).items()),
    )


def told(action: Any, catalogue: Catalogue) -> str:
    """Return an action in words: its verb, then what it names, by name where it has one."""
    do = str(action.get("do", ""))
    regimes, items, makers = dict(catalogue.regimes), dict(catalogue.items), dict(catalogue.organisations)
    parts = []
    for key, value in action.items():
        if key in ("do", "note", "control"):
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        names = [_named(key, str(one), regimes, items, makers) for one in values]
        told_key = texts.TEXTS.get(f"field.{key}", key.replace("_", " "))
        parts.append(f"{told_key}: {ENGLISH.listed(names, 5)}")
    return texts.say("action", verb=texts.TEXTS.get(f"verb.{do}", do), rest="; ".join(parts))


def _named(key: str, value: str, regimes: dict[str, str], items: dict[str, str], makers: dict[str, str]) -> str:
    if key in ("regime", "regimes"):
        return regimes.get(value, value)
    if key in ("item", "items"):
        return items.get(value, value)
    if key == "organisations":
        return makers.get(value, value)
    if key in ("states", "state", "sites", "origins", "destinations", "imposing", "destination"):
        known = countries().get(value)
        return known.name if known else value
    if key in ("part", "add") and not value.startswith("$"):
        return ENGLISH.percent(float(value))
    return value


def add(desk: Desk, workspace: Workspace) -> str:
    """The forms that add one change, the bundled scenarios, and the lists that their fields choose from."""
    setup = desk.work.setup
    return str(
        workspace.kept(
            "page of forms",
            (setup.buyer, setup.products, setup.on),
            lambda: part(
                "add",
                forms=forms.FORMS,
                policies=forms.POLICIES,
                catalogue=(catalogue := workspace.catalogue(setup)),
                scenarios=rows(catalogue.scenarios),
                assumptions=rows(catalogue.assumptions),
            ),
        )
    )


def members(desk: Desk, workspace: Workspace) -> str:
    """The membership grid as the law has it on the day: regimes in groups, one switch per state. Drawn once per case:
    what a scenario moves is told by `moved`, a few words at a time."""
    setup = desk.work.setup
    key = (setup.buyer, setup.products, setup.on)
    return str(workspace.kept("page of members", key, lambda: part("members", groups=_groups(pairs(setup, workspace)))))


def moved(desk: Desk, workspace: Workspace, before: frozenset[Pair]) -> Moves:
    """Return the words and switches that differ from the grid as the law has it; those in ``before`` are set back if
    nothing moves them now."""
    draft = desk.work.draft
    now = frozenset(
        (str(action.get("regime")), str(state))
        for action in draft.raw
        if action.get("do") in ("join", "leave")
        for state in action.get("states", ())
    )
    grid = pairs(desk.work.setup, workspace) if now | before else {}
    parts: dict[str, str] = {}
    settings: dict[str, dict[str, bool]] = {}
    for regime, state in sorted((now | before) & grid.keys()):
        row = grid[regime, state]
        settings[f"switch-{regime}-{state}"] = {"checked": draft.member(regime, state, bool(row["member"]))}
        parts[f"mark-{regime}-{state}"] = part("mark", **_mark(row, (regime, state) in now))
    for regime in sorted({regime for regime, _ in now | before}):
        lawful = {state: bool(row["member"]) for (one, state), row in grid.items() if one == regime}
        switched = [state for one, state in now if one == regime and state in lawful]
        after = lawful | {state: draft.member(regime, state, lawful[state]) for state in switched}
        parts[f"count-{regime}"] = part("tally", inside=sum(after.values()), all=len(after), changed=len(switched))
    return Moves(parts, settings, now)


def _mark(row: Mapping[str, Any], switched: bool) -> dict[str, Any]:
    """What stands beside a state's name."""
    since = row["since"]
    return {
        "moved": switched,
        "candidate": str(row["role"]) == "candidate",
        "since": ENGLISH.day(since) if bool(row["member"]) and not pd.isna(since) else "",
    }


def _groups(grid: Mapping[Pair, Mapping[str, Any]]) -> list[dict[str, Any]]:
    named = countries()
    groups: dict[str, list[dict[str, Any]]] = {}
    for regime, found in groupby(grid.values(), key=itemgetter("regime")):
        inside = list(found)
        first = inside[0]
        states = [
            {
                "state": str(row["state"]),
                "name": named[row["state"]].name if row["state"] in named else row["state"],
                "member": bool(row["member"]),
                "can": bool(row["can_switch"]),
                "mark": part("mark", **_mark(row, False)),
                "first": bool(row["member"]) or str(row["role"]) == "candidate",
            }
            for row in inside
        ]
        states.sort(key=lambda state: (not state["member"], not state["first"], state["name"]))
        groups.setdefault(str(first["kind"]), []).append(
            {
                "regime": str(regime),
                "name": str(first["name"]),
                "states": states,
                "tally": part("tally", inside=sum(bool(row["member"]) for row in inside), all=len(inside), changed=0),
                "why": str(first["why_not"]),
                "open": str(regime) == _FIRST[0],
            }
        )
    order = [kind for kind in _ORDER if kind in groups] + sorted(set(groups) - set(_ORDER))
    for kind in order:
        groups[kind].sort(key=lambda one: (_FIRST.index(one["regime"]) if one["regime"] in _FIRST else 9, one["name"]))
    return [{"kind": kind, "title": texts.TEXTS.get(f"kind.{kind}", kind), "regimes": groups[kind]} for kind in order]
