"""Sections on law: who controls what, dated cliffs ahead, the legal annex, the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from supplychain.report import charts, cliffs, words
from supplychain.report.sections_studies import flow_figure, month_figure
from supplychain.report.view import Column, Figure, Section, sheet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supplychain.report.findings import Findings
    from supplychain.report.language import Language

_ROWS, _STATES = 42, 13


def control_section(findings: Findings) -> Section:
    """Who controls what: heat map item x imposing state, and the states in order of what needs their leave."""
    table = findings.tables["controls_by_item"]
    names, language = findings.names, findings.language
    say = language.say
    if table.empty:
        nothing = say("No flow of this case needs the leave of a state on the date.")
        return Section("control", say("Who controls what"), (nothing,))
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
    parts = [figure for figure in (flow_figure(findings),) if figure is not None]
    if len(chosen):
        rows = list(dict.fromkeys(labels[item] for item in chosen))
        label = say("Heat map of items by imposing state; the same numbers stand below")
        caption = language.join(
            say("Percent of the supply that reaches this case's users, {day}; ? = not determined.", day=findings.as_of),
            say("The {n} items with the largest share are shown.", n=len(chosen)),
            language.plural(
                open_only,
                "{n} further item may need leave, but facts that would settle it are missing (section on what is "
                "unknown).",
                "{n} further items may need leave, but facts that would settle it are missing (section on what is "
                "unknown).",
            ),
        )
        title = say("Share of each item's supply that needs leave, by imposing state")
        parts.append(Figure(title, charts.heat(cells, rows, states, label, "h"), caption, "controls_by_item"))
    by_state = findings.tables["controls_by_state"]
    ranked = by_state.assign(
        state=[
            say("{what} ({share})", what=names.state(code), share=code) if code else names.state(code)
            for code in by_state["imposing"]
        ],
        largest=[language.listed([names.item(i) for i in text.split(";") if i], 3) for text in by_state["largest"]],
    )
    columns = [
        Column("state", say("Imposing state")),
        Column("items_leave", say("Items under its leave"), "number"),
        Column("items_open", say("Items that may be"), "number"),
        Column("items_denied", say("Items it denies in part"), "number"),
        Column("largest", say("Largest shares"), "small"),
    ]
    lead = say(
        "A cell is the share of the item's supply, to this buyer and to the makers upstream of it, that cannot move "
        "without the state's leave. Reach abroad (re-export, direct product, foreign content) is counted where the "
        "facts settle it."
    )
    listed = sheet(ranked, say("States whose leave is needed"), columns, "controls_by_state")
    return Section("control", say("Who controls what"), (lead,), (*parts, listed))


def cliff_section(findings: Findings) -> Section:
    """Dated cliffs ahead, each variant of what the book does not know, and what it changes for this case."""
    table, names, language = findings.tables["cliffs"], findings.names, findings.language
    say = language.say
    if table.empty:
        nothing = say("The book knows of no dated change after {day}.", day=findings.as_of)
        return Section("ahead", say("Dated cliffs ahead"), (nothing,))
    variants = {variant: say(told) for variant, told in cliffs.VARIANTS.items()}
    shown = table.assign(
        state=[names.state(code) for code in table["imposing"]],
        regime_name=[names.regime(regime) for regime in table["regime"]],
        what_words=[say(what) for what in table["what"]],
        how=[variants.get(variant, variant) for variant in table["variant"]],
        policy_words=[say(words.POLICY.get(policy, policy)) for policy in table["policy"]],
        change=[cliffs.in_words(row, language) for row in table.to_dict("records")],
    )
    columns = [
        Column("date", say("Day"), "day"),
        Column("state", say("State")),
        Column("regime_name", say("Regime")),
        Column("what_words", say("Change")),
        Column("how", say("How it comes")),
        Column("policy_words", say("Then")),
        Column("change", say("For this case"), "small"),
        Column("source", say("Sources"), "sources"),
    ]
    points = shown.assign(
        date=shown["date"].dt.strftime("%Y-%m-%d"),
        lane=[
            say("{what}: {value}", what=state, value=words.short(regime, 44))
            for state, regime in zip(shown["imposing"], shown["regime_name"], strict=True)
        ],
    )
    caption = say(
        "Law as of {day}, known as of {known}; which variant comes is unknown.",
        day=findings.as_of,
        known=language.day(findings.known_as_of),
    )
    label = say("Timeline of measures that begin, revive, pause or end; the same days stand below")
    picture = charts.cliffs(points, findings.on.isoformat(), list(variants.values()), label, "c", language)
    months = month_figure(findings)
    lead = say(
        "Days after {day} on which the law changes by its own terms, or may. Where a suspension ends on an announced "
        "day and what follows is not known, each variant is listed; no forecast is made.",
        day=findings.as_of,
    )
    return Section(
        "ahead",
        say("Dated cliffs ahead"),
        (lead,),
        (
            *([months] if months is not None else []),
            Figure(say("Measures that change"), picture, caption, "cliffs"),
            sheet(shown, say("Days ahead"), columns, "cliffs"),
        ),
    )


def annex_section(findings: Findings) -> Section:
    """Every control that decides or may decide a flow, with its citation."""
    table, names, language = findings.tables["law"], findings.names, findings.language
    say = language.say
    bears = table[(table["imposing"] != "") & ((table["flows"] > 0) | (table["flows_decided"] > 0))]
    shown = bears.assign(
        state=[names.state(code) for code in bears["imposing"]],
        regime_words=[names.regime(regime) for regime in bears["regime"]],
        policy_words=[say(words.POLICY.get(policy, policy)) for policy in bears["policy"]],
        measured=[language.tell(str(measure)) for measure in bears["measure"]],
        period=[_period(row, language) for row in bears.to_dict("records")],
    )
    columns = [
        Column("control", say("Control"), "code"),
        Column("state", say("State")),
        Column("regime_words", say("Regime"), "small"),
        Column("instrument", say("Instrument"), "small", wide=True),
        Column("measured", say("Measure"), "small", wide=True),
        Column("policy_words", say("Policy"), "small"),
        Column("period", say("In force"), "small"),
        Column("flows", say("Applies"), "number", say("flows of this case to which it applies")),
        Column("flows_open", say("May apply"), "number", say("flows to which it may apply: facts are missing")),
        Column("flows_decided", say("Decides"), "number", say("flows of this case whose determination it decides")),
        Column("source", say("Sources"), "sources"),
    ]
    lead = language.join(
        say(
            "Controls that apply to flows of this case on {day}, or decide what is open of them; each number counts "
            "flows.",
            day=findings.as_of,
        ),
        language.plural(
            len(table) - len(bears),
            "{n} further control may apply once missing facts are settled, or only to an end use that no flow states; "
            "it stands in the table file, and every flow with its determination in tables/determinations.csv.",
            "{n} further controls may apply once missing facts are settled, or only to an end use that no flow states; "
            "they stand in the table file, and every flow with its determination in tables/determinations.csv.",
        ),
        say("This is not legal advice."),
    )
    caption = say("Controls that apply or decide")
    return Section(
        "law",
        say("Legal annex"),
        (lead,),
        (sheet(shown, caption, columns, "law", total=len(table)),),
        breaks=True,
    )


def _period(row: Mapping[Any, Any], language: Language) -> str:
    say, day = language.say, language.day
    start, end = day(row["in_force_from"]), row["in_force_to"]
    text = (
        say("from {start}", start=start) if words.missing(end) else say("{start} to {end}", start=start, end=day(end))
    )
    if words.missing(row["suspended_from"]):
        return text
    pause = {"start": day(row["suspended_from"]), "end": day(row["suspended_to"])}
    return say("; ").join([text, say("suspended {start} to {end}", **pause)])


def source_section(findings: Findings) -> Section:
    """Titles and addresses of every source that the page cites."""
    say = findings.language.say
    columns = [
        Column("source", say("Source"), "sources"),
        Column("title", say("Title"), "small", wide=True),
        Column("publisher", say("Publisher"), "small"),
        Column("date", say("Date"), "small"),
    ]
    listed = sheet(findings.tables["sources"], say("Cited here"), columns, "sources")
    return Section("sources", say("Sources"), (), (listed,))
