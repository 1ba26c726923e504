"""The network by tier and the map of who can withhold, with the tables that say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from supplychain.app import texts
from supplychain.app.explain import What, explain
from supplychain.app.measure import HORIZON
from supplychain.app.views.ask import what
from supplychain.app.views.render import SAME, bracket, delta, part, rows
from supplychain.app.views.results import different
from supplychain.locate import datasets
from supplychain.report import maps, tiers
from supplychain.report.language import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supplychain.app.measure import Reading
    from supplychain.app.state import Desk
    from supplychain.app.workspace import Workspace

_SHARES: Final = ("free", "excepted", "leave", "denied", "unknown")
_STEPS: Final = 8  # links from the item in focus that are drawn
_CHAINS: Final = 3  # binding chains that are drawn when no item is in focus
_LEAVE: Final = "at leave"
_MOST: Final = 0.5  # share of an item that a choke point must make for the item to bear its mark


def network(desk: Desk, reading: Reading, workspace: Workspace) -> str:
    """Items by tier with the share that needs leave; lines only around the item in focus, or what a need hangs on."""
    items = reading.items
    known = dict(zip(items["item"], items["name"], strict=True))
    focus = desk.item if desk.item in known else ""
    chains = _around(reading, focus) if focus else _binding(desk, reading, workspace)
    drawn = items.assign(
        leave=items["leave"] + items["denied"],
        choke=items["item"].isin(_choked(reading, workspace)),
        wording=[_wording(row) for row in rows(items)],
    )
    label = texts.say("network.label", items=len(items))
    order = items.assign(moved=different(items, _SHARES), held=items["leave"] + items["denied"])
    order = order.sort_values(["moved", "held", "unknown", "item"], ascending=[False, False, False, True])
    return part(
        "network",
        picture=tiers.draw(drawn, chains, label),
        items=[{**row, "what": what("item", item=row["item"])} for row in rows(order)],
        focus=focus,
        focus_name=known.get(focus, ""),
        unknown=float(items["unknown"].mean()) if len(items) else 0.0,
    )


def _wording(row: dict[str, Any]) -> str:
    return texts.say(
        "network.wording",
        leave=ENGLISH.percent(row["leave"]),
        denied=ENGLISH.percent(row["denied"]),
        unknown=ENGLISH.percent(row["unknown"]),
    )


def _pairs(pairs: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    """Chains of items as the picture takes them: one row per step."""
    records = [
        {"chain": number, "step": step, "item": item}
        for number, chain in enumerate(pairs)
        for step, item in enumerate(chain)
    ]
    return pd.DataFrame(records, columns=["chain", "step", "item"])


def _choked(reading: Reading, workspace: Workspace) -> set[str]:
    """Items of which the makers or the states that are choke points make half or more, each alone."""
    table = reading.choke_points[reading.choke_points["change"] != "stopped"]
    supplies = workspace.base.network.supplies
    found: set[str] = set()
    for column, kinds in (("organisation", ["organisation"]), ("site", ["leave of", "all supply of"])):
        named = table.loc[table["kind"].isin(kinds), "element"]
        shares = supplies[supplies[column].isin(named)].groupby(["item", column])["share"].sum()
        found |= set(shares[shares >= _MOST].index.get_level_values("item"))
    return found


def _binding(desk: Desk, reading: Reading, workspace: Workspace) -> pd.DataFrame:
    """What the needs that lose most hang on: the binding chains of the largest losses, product first."""
    needs = reading.needs
    here = needs[(needs["measure"] == _LEAVE) & (needs["horizon"] == HORIZON) & (needs["short"] >= SAME)]
    here = here.sort_values(["short", "plant", "item"], ascending=[False, True, True]).drop_duplicates("item")
    chains = []
    for row in rows(here.head(_CHAINS)):
        keys = {name: row[name] for name in ("plant", "destination", "item")}
        levels = explain(
            workspace, desk.work.setup, desk.work.draft, What("need", {**keys, "measure": _LEAVE, "horizon": HORIZON})
        )
        chain = next(level.table for level in levels if level.title == "Why: binding chain")
        chains.append(tuple(chain.loc[chain["rank"] == 1, "item"]))
    return _pairs(chains)


def _around(reading: Reading, focus: str) -> pd.DataFrame:
    """Every link that leads from a product to the item in focus, and those to what it needs itself."""
    links = reading.links
    ways: set[tuple[str, str]] = {(str(a), str(b)) for a, b in zip(links["item"], links["requires"], strict=True)}
    kept = {pair for pair in ways if pair[0] == focus}
    front = {focus}
    for _ in range(_STEPS):
        step = {pair for pair in ways if pair[1] in front} - kept
        kept |= step
        front = {pair[0] for pair in step}
    return _pairs(sorted(kept))


def world(desk: Desk, reading: Reading, workspace: Workspace) -> str:
    """Who can withhold how much: by refusing all its supply, or only what it controls on the date."""
    prefix = "leave" if desk.hold == "leave" else "all"
    states = reading.states
    shown = states[(states[f"{prefix}_short"] >= SAME) | (states[f"base_{prefix}_short"] >= SAME)]
    shown = shown.sort_values([f"{prefix}_short", "state"], ascending=[False, True])
    case = workspace.case(desk.work.setup)
    drawn = pd.DataFrame(
        {
            "state": states["state"],
            "name": states["name"],
            "value": states[f"{prefix}_short"].fillna(0.0),
            "wording": [
                texts.say("map.tip", state=row["name"], loss=bracket(row[f"{prefix}_after"], row[f"{prefix}_short"]))
                for row in rows(states)
            ],
        }
    )
    names = dict(zip(states["state"], states["name"], strict=True))
    buyers = {place: texts.say("map.buyer", state=names.get(place, place)) for place in case.destinations}
    shapes = maps.outlines(datasets() / "reference" / "world-110m.json")
    told = [
        {
            **row,
            "delta": delta(row, (f"{prefix}_after", f"{prefix}_short"), unknown=False),
            "what_all": what("element", of="all supply of", element=row["state"], horizon=12.0),
            "what_leave": what("element", of="leave of", element=row["state"], horizon=12.0),
        }
        for row in rows(shown)
    ]
    return part(
        "map",
        picture=maps.world(shapes, drawn, buyers, texts.say(f"map.label.{prefix}")),
        rows=told,
        prefix=prefix,
        hidden=len(states) - len(shown),
    )
