"""Sections on power: choke points, the network picture, the map of who can withhold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supplychain.analysis.chokepoints import SINGLE
from supplychain.locate import datasets
from supplychain.report import maps, tiers, words
from supplychain.report.view import Column, Figure, Section, Sheet, sheet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import pandas as pd

    from supplychain.report.findings import Findings

_KIND = {
    "jurisdiction": "state (refuses)",
    "organisation": "organisation",
    "site": "sites in",
    "item": "item",
    "supply": "supply",
}
_W1 = {"no": "", "decides": "W‑1 decides", "may decide": "W‑1 may decide", "yes": "W‑1 decides"}


def choke_section(findings: Findings) -> Section:
    """Choke points by loss area after re-sourcing, with law and evidence."""
    table = findings.tables["choke_points"]
    month = f"{findings.horizon:g}"
    shown = _told(findings, table).assign(
        what=[
            _KIND.get(kind, kind) + (", choke point" if choke else "")
            for kind, choke in zip(table["kind"], table["choke_point"], strict=True)
        ],
    )
    columns = [
        Column("name", "Element"),
        Column("what", "Kind", "small"),
        Column("loss", f"Loss, {month} months", "loss"),
        Column("path", "Because", "small", wide=True),
        Column("law", "Leave: status and regime", "small", "of most of its flows in the chain", wide=True),
        Column("w1_words", "W‑1", "badge", "is Wassenaar minus one what makes it controlled?"),
        Column("rests", "Facts", "small", "the largest parts of what its facts rest on"),
        Column("sources", "Sources", "sources"),
    ]
    found = int(table["choke_point"].sum())
    return Section(
        "chokes",
        "Choke points",
        (
            "Each element is taken away in turn: an organisation or an item everywhere, a state by refusing its "
            "exports. "
            f"{words.count(found, 'element')} below still cost 5 % or more of the needs after re-sourcing (mean over "
            "all "
            "needs) and are called choke points; the ranking is by loss that stays after re-sourcing.",
        ),
        (sheet(shown, "Elements by loss after re-sourcing", columns, "choke_points"), _single(findings)),
        breaks=True,
    )


def _single(findings: Findings) -> Sheet:
    """Items of which one maker, or the sites of one state, have most of the known supply."""
    table = findings.tables["single_sources"]
    shown = _told(findings, table)
    columns = [
        Column("name", "Item and source"),
        Column("share", "Of known supply", "percent"),
        Column(
            "loss", f"Loss, {findings.horizon:g} months", "loss", "mean over all needs, if this source alone were lost"
        ),
        Column("law", "Leave: status and regime", "small", wide=True),
        Column("w1_words", "W‑1", "badge", "is Wassenaar minus one what makes it controlled?"),
        Column("requalify_months", "To requalify", "months"),
        Column("rests", "Facts", "small"),
    ]
    caption = f"Single sources: one maker or one state has {words.percent(SINGLE)} or more of an item"
    return sheet(shown, caption, columns, "single_sources", most=36)


def _told(findings: Findings, table: pd.DataFrame) -> pd.DataFrame:
    """Return a choke-point table with what cells read: the loss as a bracket; chain, law, W-1 and facts in words."""
    month = f"{findings.horizon:g}"
    return table.assign(
        loss_after=table[f"after_{month}_low"],
        loss_short_run=table[f"short_{month}_low"],
        loss_high=table[f"short_{month}_high"],
        loss_unknown=(table[f"short_{month}_high"] - table[f"short_{month}_low"]).clip(lower=0.0),
        path=[
            words.chain([findings.names.item(item) for item in str(text).split(" <- ")]) if text else words.NONE
            for text in table["because"]
        ],
        w1_words=[_W1.get(text, text) for text in table["w1"]],
        law=[_law(findings, row) for row in table[["status", "regime", "imposing"]].to_dict("records")],
        rests=[_rests(str(text)) for text in table["quality"]],
    )


def _law(findings: Findings, row: Mapping[Any, Any]) -> str:
    status = str(row["status"])
    if status in ("", "free"):
        return "free"
    return f"{words.STATUS.get(status, status)}: {findings.names.regime(str(row['regime']))}"


def _rests(text: str) -> str:
    """Return "derived 41 %, estimate 20 %" from "reported 0.10; derived 0.41; estimate 0.20": the two largest parts."""
    parts = [part.rsplit(" ", 1) for part in text.split("; ") if " " in part]
    shares = sorted(((float(share), kind) for kind, share in parts), reverse=True)[:2]
    if len(shares) == 1:
        return shares[0][1]
    return ", ".join(f"{kind} {words.percent(share)}" for share, kind in shares)


def network_section(findings: Findings) -> Section:
    """Every item of the chain by tier, with what needs leave, choke points and binding chains."""
    table = findings.tables["items"]
    drawn = table.assign(
        name=[findings.names.item(item) for item in table["item"]],
        wording=[
            f"{words.percent(leave)} needs leave, {words.percent(unknown)} not determined"
            for leave, unknown in zip(table["leave"], table["unknown"], strict=True)
        ],
    )
    unknown = float(table["unknown"].mean())
    label = f"Network of {len(table)} items in columns by tier; the numbers stand in the table items"
    return Section(
        "network",
        "The network",
        (
            f"All {len(table)} items that the needs of this case reach, by tier. Colour stands only where something "
            "binds: "
            "the bar is the share of an item's supply that needs leave to reach its users, the dot a choke point, the "
            "lines "
            "the chains that bind.",
        ),
        (
            Figure(
                "Items by tier",
                tiers.draw(drawn, findings.tables["chains"], label),
                f"Law as of {findings.as_of}; {words.percent(unknown)} of an item's supply is not determined on "
                "average.",
                "items",
                wide=True,
            ),
        ),
    )


def map_section(findings: Findings) -> Section:
    """Who can withhold: map and table by state."""
    table, names = findings.tables["states"], findings.names
    ranked = table[table["all_short_run"].notna()]
    drawn = ranked.assign(
        name=[names.state(state) for state in ranked["state"]],
        value=ranked["all_short_run"],
        wording=[
            f"{names.state(row['state'])}: {words.bracket(row['all_after'], row['all_short_run'], row['all_unknown'])}"
            for row in ranked.to_dict("records")
        ],
    )
    buyers = {place: f"the buyer is here: {names.state(place)}" for place in findings.destinations}
    shapes = maps.outlines(datasets() / "reference" / "world-110m.json")
    shown = table.assign(
        name=[names.state(state) for state in table["state"]],
        path=[
            words.chain([names.item(item) for item in text.split(" <- ")]) if text else words.NONE
            for text in table["because"]
        ],
        w1_words=[_W1.get(text, text) for text in table["w1"]],
    ).rename(
        columns={
            "all_after": "s_after",
            "all_short_run": "s_short_run",
            "all_high": "s_high",
            "all_unknown": "s_unknown",
        }
    )
    columns = [
        Column("name", "State"),
        Column("s", "Refuses all its supply", "loss"),
        Column("leave_short_run", "Refuses what it controls", "percent1", "short run, on the date"),
        Column("path", "Because", "small"),
        Column("w1_words", "Wassenaar minus one", "badge"),
    ]
    return Section(
        "states",
        "Who can withhold",
        (
            f"Mean loss over the buyer's needs after {words.months(findings.horizon)} if a state refused all that its "
            "sites "
            "supply to other countries, and if it refused only what needs its leave on the date, wherever made. Both "
            "are "
            "capabilities, not forecasts.",
        ),
        (
            Figure(
                "Loss if the state refused all its supply, short run",
                maps.world(shapes, drawn, buyers, "World map of what each state can withhold; the table follows"),
                findings.note(float(ranked["all_unknown"].max()) if len(ranked) else 0.0)
                + " Outlines: Natural Earth; they say nothing about the status of a territory.",
                "states",
            ),
            sheet(shown, "States by loss after re-sourcing", columns, "states"),
        ),
        breaks=True,
    )
