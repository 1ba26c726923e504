"""Sections on law: who controls what, dated cliffs ahead, the legal annex, the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from supplychain.report import charts, cliffs, words
from supplychain.report.law import split_sources
from supplychain.report.view import Column, Figure, Section, sheet

if TYPE_CHECKING:
    from supplychain.report.findings import Findings

_ROWS, _STATES = 42, 13


def control_section(findings: Findings) -> Section:
    """Who controls what: heat map item x imposing state, and the states in order of what needs their leave."""
    table = findings.tables["controls_by_item"]
    names = findings.names
    if table.empty:
        return Section(
            "control", "Who controls what", ("No flow of this case needs the leave of a state on the date.",)
        )
    known = table.assign(any=table[["leave", "unknown"]].sum(axis=1))
    sums = known.groupby("imposing")["leave"].sum().sort_values(ascending=False, kind="stable")
    states = [str(state) for state in sums[sums > 0].index][:_STATES]
    by_item = known.groupby("item")["leave"].max()
    chosen = by_item[by_item >= 0.005].sort_values(ascending=False, kind="stable").head(_ROWS).index
    shown = known[known["item"].isin(chosen) & known["imposing"].isin(states)]
    grid = pd.MultiIndex.from_product([chosen, states], names=["item", "imposing"]).to_frame(index=False)
    cells = grid.merge(shown[["item", "imposing", "leave", "unknown"]], how="left").fillna(
        {"leave": 0.0, "unknown": 0.0}
    )
    labels = {item: words.short(names.item(item), 38) for item in chosen}
    cells = cells.assign(row=cells["item"].map(labels), column=cells["imposing"], value=cells["leave"])
    open_only = int((known.groupby("item")["leave"].max() < 0.005).sum())
    parts: list[Figure] = []
    if len(chosen):
        rows = list(dict.fromkeys(labels[item] for item in chosen))
        parts.append(
            Figure(
                "Share of each item's supply that needs leave, by imposing state",
                charts.heat(
                    cells, rows, states, "Heat map of items by imposing state; the same numbers stand below", "h"
                ),
                f"Percent of the supply that reaches this case's users, {findings.as_of}; ? = not determined. The "
                f"{len(chosen)} items with the largest share are shown; {words.count(open_only, 'further item')} may "
                "need leave, but facts that would settle it are missing (section on what is unknown).",
                "controls_by_item",
            )
        )
    by_state = findings.tables["controls_by_state"]
    ranked = by_state.assign(
        state=[f"{names.state(code)} ({code})" if code else names.state(code) for code in by_state["imposing"]],
        largest=[words.listed([names.item(i) for i in text.split(";") if i], 3) for text in by_state["largest"]],
    )
    columns = [
        Column("state", "Imposing state"),
        Column("items_leave", "Items under its leave", "number"),
        Column("items_open", "Items that may be", "number"),
        Column("items_denied", "Items it denies in part", "number"),
        Column("largest", "Largest shares", "small"),
    ]
    return Section(
        "control",
        "Who controls what",
        (
            "A cell is the share of the item's supply, to this buyer and to the makers upstream of it, that cannot "
            "move without the state's leave. Reach abroad (re-export, direct product, foreign content) is counted "
            "where the facts settle it.",
        ),
        (*parts, sheet(ranked, "States whose leave is needed", columns, "controls_by_state")),
    )


def cliff_section(findings: Findings) -> Section:
    """Dated cliffs ahead, each variant of what the book does not know, and what it changes for this case."""
    table, names = findings.tables["cliffs"], findings.names
    if table.empty:
        return Section("ahead", "Dated cliffs ahead", (f"The book knows of no dated change after {findings.as_of}.",))
    shown = table.assign(
        state=[names.state(code) for code in table["imposing"]],
        regime_name=[names.regime(regime) for regime in table["regime"]],
        how=[cliffs.VARIANTS.get(variant, variant) for variant in table["variant"]],
        policy_words=[words.POLICY.get(policy, policy) for policy in table["policy"]],
    )
    columns = [
        Column("date", "Day", "day"),
        Column("state", "State"),
        Column("regime_name", "Regime"),
        Column("what", "Change"),
        Column("how", "How it comes"),
        Column("policy_words", "Then"),
        Column("change", "For this case", "small"),
        Column("source", "Sources", "sources"),
    ]
    points = shown.assign(
        date=shown["date"].dt.strftime("%Y-%m-%d"),
        lane=[
            f"{state}: {words.short(regime, 44)}"
            for state, regime in zip(shown["imposing"], shown["regime_name"], strict=True)
        ],
    )
    known = words.day(findings.known_as_of)
    caption = f"Law as of {findings.as_of}, known as of {known}; which variant comes is unknown."
    label = "Timeline of measures that begin, revive, pause or end; the same days stand below"
    picture = charts.cliffs(points, findings.on.isoformat(), list(cliffs.VARIANTS.values()), label, "c")
    return Section(
        "ahead",
        "Dated cliffs ahead",
        (
            f"Days after {findings.as_of} on which the law changes by its own terms, or may. Where a suspension ends "
            "on an announced day and what follows is not known, each variant is listed; no forecast is made.",
        ),
        (
            Figure("Measures that change", picture, caption, "cliffs"),
            sheet(shown, "Days ahead", columns, "cliffs"),
        ),
    )


def annex_section(findings: Findings) -> Section:
    """Every control that decides or may decide a flow, with its citation."""
    table, names = findings.tables["law"], findings.names
    bears = table[(table["flows"] > 0) | (table["flows_decided"] > 0)]
    shown = bears.assign(
        state=[names.state(code) for code in bears["imposing"]],
        policy_words=[words.POLICY.get(policy, policy) for policy in bears["policy"]],
        period=[_period(row) for row in bears.to_dict("records")],
    )
    columns = [
        Column("control", "Control", "code"),
        Column("state", "State"),
        Column("regime_name", "Regime", "small"),
        Column("instrument", "Instrument", "small", wide=True),
        Column("measure", "Measure", "small", wide=True),
        Column("policy_words", "Policy", "small"),
        Column("period", "In force", "small"),
        Column("flows", "Flows", "number", "flows of this case to which it applies"),
        Column("flows_decided", "Decides", "number", "flows of this case whose determination it decides"),
        Column("source", "Sources", "sources"),
    ]
    rest = len(table) - len(bears)
    return Section(
        "law",
        "Legal annex",
        (
            f"Controls that apply to flows of this case on {findings.as_of}. {words.count(rest, 'further control')} "
            "may apply once missing facts are settled, or only to an end use that no flow states; they stand in the "
            "table file, and every flow with its determination in tables/determinations.csv. This is not legal advice.",
        ),
        (sheet(shown, "Controls that apply", columns, "law", total=len(table)),),
        breaks=True,
    )


def _period(row: dict[object, object]) -> str:
    start, end = words.day(row["in_force_from"]), row["in_force_to"]
    text = f"from {start}" if words.missing(end) else f"{start} to {words.day(end)}"
    if not words.missing(row["suspended_from"]):
        text += f"; suspended {words.day(row['suspended_from'])} to {words.day(row['suspended_to'])}"
    return text


def source_section(findings: Findings) -> Section:
    """Titles and addresses of every source that the page cites."""
    columns = [
        Column("source", "Source", "sources"),
        Column("title", "Title", "small", wide=True),
        Column("publisher", "Publisher", "small"),
        Column("date", "Date", "small"),
    ]
    return Section("sources", "Sources", (), (sheet(findings.tables["sources"], "Cited here", columns, "sources"),))


def cited(findings_tables: dict[str, pd.DataFrame]) -> set[str]:
    """Return the ids of all sources that the tables name."""
    found: set[str] = set()
    for table in findings_tables.values():
        if "source" in table.columns:
            for text in set(table["source"].astype(str)):
                found.update(split_sources(text))
    return found
