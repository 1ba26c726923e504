"""Sections on power: choke points, the network picture, the map of who can withhold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supplychain.analysis.chokepoints import SINGLE
from supplychain.locate import datasets
from supplychain.report import maps, tiers, words
from supplychain.report.sections_studies import leverage_figure
from supplychain.report.view import Column, Figure, Section, Sheet, sheet
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import pandas as pd

    from supplychain.report.findings import Findings

_KIND = {
    "jurisdiction": mark("state (refuses)"),
    "organisation": mark("organisation"),
    "site": mark("sites in"),
    "item": mark("item"),
    "supply": mark("supply"),
}
_NOTABLE = 5e-5  # a smaller loss prints as none
_W1 = {"decides": mark("W‑1 decides"), "may decide": mark("W‑1 may decide"), "yes": mark("W‑1 decides")}


def choke_section(findings: Findings) -> Section:
    """Choke points by loss area after re-sourcing, with law and evidence."""
    table, language = findings.tables["choke_points"], findings.language
    say = language.say
    kinds = [say(_KIND.get(kind, kind)) for kind in table["kind"]]
    shown = _told(findings, table).assign(
        what=[
            say("{kind}, choke point", kind=kind) if choke else kind
            for kind, choke in zip(kinds, table["choke_point"], strict=True)
        ],
    )
    columns = [
        Column("called", say("Element")),
        Column("what", say("Kind"), "small"),
        Column("loss", say("Loss, {months}", months=language.months(findings.horizon)), "loss"),
        Column("path", say("Because"), "small", wide=True),
        Column("law", say("Leave: status and regime"), "small", say("of most of its flows in the chain"), wide=True),
        Column("w1_words", say("W‑1"), "badge", say("is Wassenaar minus one what makes it controlled?")),
        Column("rests", say("Facts"), "small", say("the largest parts of what its facts rest on")),
        Column("sources", say("Sources"), "sources"),
    ]
    lead = language.join(
        say(
            "Each element is taken away in turn: an organisation or an item everywhere, a state by refusing its "
            "exports."
        ),
        language.plural(
            int(table["choke_point"].sum()),
            "{n} element below still costs 5 % or more of the needs after re-sourcing (mean over all needs) and is "
            "called a choke point; the ranking is by loss that stays after re-sourcing.",
            "{n} elements below still cost 5 % or more of the needs after re-sourcing (mean over all needs) and are "
            "called choke points; the ranking is by loss that stays after re-sourcing.",
        ),
    )
    return Section(
        "chokes",
        say("Choke points"),
        (lead,),
        (sheet(shown, say("Elements by loss after re-sourcing"), columns, "choke_points"), _single(findings)),
        breaks=True,
    )


def _single(findings: Findings) -> Sheet:
    """Items of which one maker, or the sites of one state, have most of the known supply."""
    table, language = findings.tables["single_sources"], findings.language
    say = language.say
    shown = _told(findings, table) if len(table) else table  # an empty one has no columns
    alone = say("mean over all needs, if this source alone were lost")
    columns = [
        Column("called", say("Item and source")),
        Column("share", say("Of known supply"), "percent"),
        Column("loss", say("Loss, {months}", months=language.months(findings.horizon)), "loss", alone),
        Column("law", say("Leave: status and regime"), "small", wide=True),
        Column("w1_words", say("W‑1"), "badge", say("is Wassenaar minus one what makes it controlled?")),
        Column("requalify_months", say("To requalify"), "months"),
        Column("rests", say("Facts"), "small"),
    ]
    caption = say(
        "Single sources: one maker or one state has {share} or more of an item", share=language.percent(SINGLE)
    )
    return sheet(shown, caption, columns, "single_sources", most=36)


def _told(findings: Findings, table: pd.DataFrame) -> pd.DataFrame:
    """Return a choke-point table with what cells read: the loss as a bracket; chain, law, W-1 and facts in words."""
    month = f"{findings.horizon:g}"
    say = findings.language.say
    return table.assign(
        called=[_called(findings, row) for row in table[["kind", "element", "name"]].to_dict("records")],
        loss_after=table[f"after_{month}_low"],
        loss_short_run=table[f"short_{month}_low"],
        loss_high=table[f"short_{month}_high"],
        loss_unknown=(table[f"short_{month}_high"] - table[f"short_{month}_low"]).clip(lower=0.0),
        path=[
            words.chain([findings.names.item(item) for item in str(text).split(" <- ")]) if text else words.NONE
            for text in table["because"]
        ],
        w1_words=[say(_W1[text]) if text in _W1 else "" for text in table["w1"]],
        law=[_law(findings, row) for row in table[["status", "regime", "imposing"]].to_dict("records")],
        rests=[_rests(findings, str(text)) for text in table["quality"]],
    )


def _called(findings: Findings, row: Mapping[Any, Any]) -> str:
    """Return the name of an element; of a single source its item and its maker or state."""
    kind, element, names, say = str(row["kind"]), str(row["element"]), findings.names, findings.language.say
    if kind == "firm":
        item, _, maker = element.partition(" by ")
        return say("{item} by {maker}", item=names.item(item), maker=names.organisation(maker))
    if kind == "source":
        item, _, place = element.partition("@")
        return say("{item} from {place}", item=names.item(item), place=names.state(place))
    return names.element(kind, element)


def _law(findings: Findings, row: Mapping[Any, Any]) -> str:
    status, say = str(row["status"]), findings.language.say
    if status in ("", "free"):
        return say("free")
    told = say(words.STATUS.get(status, status))
    if not row["regime"]:
        return told
    return say("{status}: {regime}", status=told, regime=findings.names.regime(str(row["regime"])))


def _rests(findings: Findings, text: str) -> str:
    """Return "derived 41 %, estimate 20 %" from "reported 0.10; derived 0.41; estimate 0.20": the two largest parts."""
    language = findings.language
    parts = [part.rsplit(" ", 1) for part in text.split("; ") if " " in part]
    shares = sorted(((float(share), kind) for kind, share in parts), reverse=True)[:2]
    named = [(language.say(words.QUALITY.get(kind, kind)), share) for share, kind in shares]
    if len(named) == 1:
        return named[0][0]
    told = [language.say("{what} {share}", what=kind, share=language.percent(share)) for kind, share in named]
    return language.say(", ").join(told)


def network_section(findings: Findings) -> Section:
    """Every item of the chain by tier, with what needs leave, choke points and binding chains."""
    table, language = findings.tables["items"], findings.language
    say = language.say
    drawn = table.assign(
        name=[findings.names.item(item) for item in table["item"]],
        wording=[
            say(
                "{leave} needs leave, {unknown} not determined",
                leave=language.percent(leave),
                unknown=language.percent(unknown),
            )
            for leave, unknown in zip(table["leave"], table["unknown"], strict=True)
        ],
    )
    label = say("Network of {n} items in columns by tier; the numbers stand in the table items", n=len(table))
    lead = say(
        "All {n} items that the needs of this case reach, by tier. Colour stands only where something binds: the bar "
        "is the share of an item's supply that needs leave to reach its users, the dot a choke point, the lines the "
        "chains that bind.",
        n=len(table),
    )
    caption = say(
        "Law as of {day}; {share} of an item's supply is not determined on average.",
        day=findings.as_of,
        share=language.percent(float(table["unknown"].mean())),
    )
    picture = tiers.draw(drawn, findings.tables["chains"], label, language)
    return Section(
        "network",
        say("The network"),
        (lead,),
        (Figure(say("Items by tier"), picture, caption, "items", wide=True),),
    )


def _withheld(findings: Findings, row: Mapping[Any, Any]) -> str:
    """Return what a state can withhold; of most states only the short run is computed."""
    language = findings.language
    if not words.missing(row["all_after"]):
        return language.bracket(row["all_after"], row["all_short_run"], row["all_unknown"])
    short = language.bracket(row["all_short_run"], row["all_short_run"], row["all_unknown"])
    return language.say("{share} in the short run", share=short)


def map_section(findings: Findings) -> Section:
    """Who can withhold: map and table by state."""
    table, names, language = findings.tables["states"], findings.names, findings.language
    say = language.say
    ranked = table[table["all_short_run"].notna()]
    drawn = ranked.assign(
        name=[names.state(state) for state in ranked["state"]],
        value=ranked["all_short_run"],
        wording=[
            say(
                "{what}: {value}",
                what=names.state(row["state"]),
                value=_withheld(findings, row),
            )
            for row in ranked.to_dict("records")
        ],
    )
    buyers = {place: say("the buyer is here: {place}", place=names.state(place)) for place in findings.destinations}
    shapes = maps.outlines(datasets() / "reference" / "world-110m.json")
    listed = table[table["all_after"].notna() | (table["leave_short_run"] >= _NOTABLE)]
    shown = listed.assign(
        name=[names.state(state) for state in listed["state"]],
        path=[
            words.chain([names.item(item) for item in text.split(" <- ")]) if text else words.NONE
            for text in listed["because"]
        ],
        w1_words=[say(_W1[text]) if text in _W1 else "" for text in listed["w1"]],
    ).rename(
        columns={
            "all_after": "s_after",
            "all_short_run": "s_short_run",
            "all_high": "s_high",
            "all_unknown": "s_unknown",
        }
    )
    columns = [
        Column("name", say("State")),
        Column("s", say("Refuses all its supply"), "loss"),
        Column("leave_short_run", say("Refuses what it controls"), "percent1", say("short run, on the date")),
        Column("path", say("Because"), "small"),
        Column("w1_words", say("Wassenaar minus one"), "badge"),
    ]
    lead = say(
        "Mean loss over the buyer's needs after {months} if a state refused all that its sites supply to other "
        "countries, and if it refused only what needs its leave on the date, wherever made. Both are capabilities, "
        "not forecasts.",
        months=language.months(findings.horizon),
    )
    label = say("World map of what each state can withhold; the table follows")
    outlines = say("Outlines: Natural Earth; they say nothing about the status of a territory.")
    unknown = float(ranked["all_unknown"].max()) if len(ranked) else 0.0
    power = leverage_figure(findings)
    return Section(
        "states",
        say("Who can withhold"),
        (lead,),
        (
            Figure(
                say("Loss if the state refused all its supply, short run"),
                maps.world(shapes, drawn, buyers, label, language),
                language.join(findings.note(unknown), outlines),
                "states",
            ),
            *([power] if power is not None else []),
            sheet(shown, say("States by loss after re-sourcing"), columns, "states", total=len(table)),
        ),
        breaks=True,
    )
