"""The column of settings: the case, what the scenario changes, forms to add a change, and the membership switches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from supplychain.app import forms, texts
from supplychain.app.views.render import part, rows
from supplychain.facts.countries import countries
from supplychain.report.language import ENGLISH

if TYPE_CHECKING:
    from supplychain.app.draft import Draft
    from supplychain.app.state import Desk
    from supplychain.app.workspace import Catalogue, Workspace

_ORDER: Final = ("plurilateral", "multilateral", "unilateral", "counter-control", "proposed")
_FIRST: Final = ("w1-iec", "wassenaar")  # what the application is asked about most


def setup(desk: Desk, workspace: Workspace) -> str:
    """The case: package, buyer, products, day."""
    now = desk.work.setup
    offered = workspace.products(now.buyer)
    chosen = set(workspace.case(now).products)
    case = workspace.base
    return part(
        "setup",
        setup=now,
        network=case.network.name,
        book=case.book.name,
        buyers=workspace.buyers,
        products=[{"item": item, "name": name, "chosen": item in chosen} for item, name in offered],
        chosen=len(chosen),
    )


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
    """The membership grid: regimes in groups, one switch per state."""
    setup = desk.work.setup
    grid = workspace.kept(
        "grid", (setup.buyer, setup.products, setup.on), lambda: workspace.switches(setup).sort_values("state")
    )
    return part("members", groups=_groups(grid, desk.work.draft))


def _groups(grid: pd.DataFrame, draft: Draft) -> list[dict[str, Any]]:
    touched = {(a.get("regime"), s) for a in draft.raw if a.get("do") in ("join", "leave") for s in a.get("states", ())}
    named = countries()
    groups: dict[str, list[dict[str, Any]]] = {}
    for regime, inside in grid.groupby("regime", sort=True):
        first = inside.iloc[0]
        states = []
        for row in inside.to_dict("records"):
            code = str(row["state"])
            name = named[code].name if code in named else code
            changed = (regime, code) in touched
            states.append(
                {
                    "state": code,
                    "name": name,
                    "member": draft.member(str(regime), code, bool(row["member"])) if changed else bool(row["member"]),
                    "changed": changed,
                    "can": bool(row["can_switch"]),
                    "candidate": str(row["role"]) == "candidate",
                    "since": ENGLISH.day(row["since"]) if not pd.isna(row["since"]) else "",
                    "words": f"{code} {name} {first['name']} {regime}".lower(),
                }
            )
        states.sort(key=lambda state: (not state["member"] and not state["candidate"], state["name"]))
        groups.setdefault(str(first["kind"]), []).append(
            {
                "regime": str(regime),
                "name": str(first["name"]),
                "states": states,
                "inside": sum(state["member"] for state in states),
                "changed": sum(state["changed"] for state in states),
                "why": str(first["why_not"]),
                "open": str(regime) == _FIRST[0],
            }
        )
    order = [kind for kind in _ORDER if kind in groups] + sorted(set(groups) - set(_ORDER))
    for kind in order:
        groups[kind].sort(key=lambda one: (_FIRST.index(one["regime"]) if one["regime"] in _FIRST else 9, one["name"]))
    return [{"kind": kind, "title": texts.TEXTS.get(f"kind.{kind}", kind), "regimes": groups[kind]} for kind in order]
