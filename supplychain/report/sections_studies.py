"""Pictures of power, cost, time and doubt, each from its one table: None where a case has nothing to draw."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from supplychain.report import curves, sankey, words
from supplychain.report.tiers import without_brackets
from supplychain.report.view import Figure
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supplychain.report.findings import Findings

_CATEGORIES, _PLACES, _STATES, _STOCKS, _SWINGS, _LANES = 9, 9, 14, 8, 8, 10
_LEAST = 0.01  # smaller parts of the needs are grouped
_LEAST_LEAVE = 0.0005  # so are smaller parts that need the leave of one state
_NOTABLE = 5e-5  # a swing below half a hundredth of a percent is not drawn
_UNDECIDED = {
    "open": mark("may need leave"),
    "place unknown": mark("place not known"),
    "free": mark("no leave needed"),
}
FACTS = {
    "stocks of the buyer's plants": mark("stocks of the buyer's plants"),
    "stocks at makers": mark("stocks at makers"),
    "spare capacity": mark("spare capacity"),
    "time to qualify": mark("time to qualify"),
    "time to build": mark("time to build"),
    "lives of equipment and terms of licences": mark("lives of equipment and terms of licences"),
    "open determinations": mark("open determinations: all free, or all needing leave"),
}


def flow_figure(findings: Findings) -> Figure | None:
    """Needs by who makes what they take, and whose leave that needs."""
    table, names, language = findings.tables["need_flows"], findings.names, findings.language
    say = language.say
    if table.empty:
        return None
    rest = say("others")
    needs = [
        names.item(item) if findings.is_country else findings.place(plant, destination)
        for plant, destination, item in zip(table["plant"], table["destination"], table["item"], strict=True)
    ]
    unknown = say("place not known")
    flows = pd.DataFrame(
        {
            "need": needs,
            "category": [language.category(category) for category in table["category"]],
            "origin": [names.state(origin) if origin else unknown for origin in table["origin"]],
            "decides": _deciders(findings, table),
            "treatment": table["treatment"],
            "share": table["share"] / table["share"].sum(),
        }
    )
    flows["need"] = sankey.grouped(flows["need"], flows["share"], 12, 0.0, rest)
    flows["category"] = sankey.grouped(flows["category"], flows["share"], _CATEGORIES, _LEAST, rest)
    known = flows["origin"] != unknown
    flows.loc[known, "origin"] = sankey.grouped(
        flows.loc[known, "origin"], flows.loc[known, "share"], _PLACES, _LEAST, rest
    )
    headings = {"need": say("Product") if findings.is_country else say("Plant")}
    if flows["category"].nunique() > 1:
        headings["category"] = say("Category")
    headings |= {"origin": say("Made in"), "decides": say("Whose leave")}
    last = [rest, *(say(told) for told in _UNDECIDED.values())]
    label = say("Flows from needs to the states whose leave decides; the same numbers stand in the table")
    parts = {name: float(flows.loc[flows["treatment"] == name, "share"].sum()) for name in sankey.TREATMENTS}
    open_ = parts["open"] + parts["place unknown"]
    caption = say(
        "Law as of {day}. Direct supply of the needs, each weighed as in the mean: {leave} needs leave, {unknown} is "
        "not determined. A flow that several states control counts for the strictest; upstream needs are not in it.",
        day=findings.as_of,
        leave=language.percent(parts["leave"], 1),
        unknown=language.percent(open_, 1),
    )
    title = say("Whose leave the needs hang on")
    return Figure(title, sankey.draw(flows, headings, last, label, language), caption, "need_flows")


def _deciders(findings: Findings, table: pd.DataFrame) -> list[str]:
    """Return who decides each flow: the leave of a state (small ones together), or why nobody's is needed or known."""
    names, say = findings.names, findings.language.say
    size = table[table["treatment"] == "leave"].groupby("imposing")["share"].sum()
    shown = set(size.index[size >= _LEAST_LEAVE])
    told = {name: say(text) for name, text in _UNDECIDED.items()}
    return [
        told[treatment] if treatment != "leave" else names.state(imposing) if imposing in shown else say("others")
        for treatment, imposing in zip(table["treatment"], table["imposing"], strict=True)
    ]


def leverage_figure(findings: Findings) -> Figure | None:
    """What each state adds to a refusal, over all orders of joining."""
    table, names, language = findings.tables["leverage"], findings.names, findings.language
    say = language.say
    shown = table[table["shapley"] > _NOTABLE].head(_STATES)
    if shown.empty:
        return None
    shown = shown.assign(row=[names.state(state) for state in shown["state"]])
    first = table.iloc[0]
    sure = (
        say("Every coalition of the {n} states was counted, so there are no error bars.", n=int(first["players"]))
        if first["exact"]
        else say(
            "Sampled over {orders} random orders of {n} states: the error bars hold the value with 95 % confidence.",
            orders=int(first["orders"]),
            n=int(first["players"]),
        )
    )
    unknown = float((shown["with_unknown"] - shown["shapley"]).abs().max())
    caption = language.join(
        findings.note(unknown),
        say("Bar: what a state adds on average when states join a refusal in any order; diamond: it refuses alone."),
        sure,
        say(
            "Not counted, as plants of the buyer stand there: {states}.",
            states=language.listed([names.state(place) for place in findings.destinations], 6),
        )
        if not findings.is_country
        else "",
    )
    label = say("Bars of the leverage of states; the same numbers stand in the table")
    title = (
        say("Leverage: what each state adds to a refusal of all supply, {months}", months=_within(findings))
        if first["refuses"] == "all its supply"
        else say("Leverage: what each state adds to a refusal of what it controls, {months}", months=_within(findings))
    )
    return Figure(title, curves.leverage(shown, label, "l", language), caption, "leverage")


def _within(findings: Findings) -> str:
    return findings.language.months(findings.horizon)


def frontier_figure(findings: Findings) -> Figure | None:
    """What less exposure costs, with today's buying and the plan of this report."""
    table, names, language = findings.tables["frontier"], findings.names, findings.language
    say = language.say
    today = table.loc[table["kind"] == "today", "cost"]
    if today.empty or not float(today.iloc[0]) > 0:
        return None
    named = {"today": say("as today"), "plan": say("the plan")}
    shown = table.assign(
        change=table["cost"] / float(today.iloc[0]) - 1.0,
        loss=table["worst_loss"],
        name=[named.get(kind, "") for kind in table["kind"]],
    )
    worst = list(dict.fromkeys(str(threat).split(":")[0] for threat in table["worst"]))
    points = int(table["kind"].isin(["end", "supported"]).sum())
    caption = say(
        "Law as of {day}; what is unknown of a line counts as refused. The line joins the {n} cheapest plans for their "
        "mean exposure over all refusals; the height is what stays unmet, after re-sourcing, under the worst of them "
        "({states}). The plan also keeps the rules of its policy, which the line leaves out.",
        day=findings.as_of,
        n=points,
        states=language.listed([names.state(state) for state in worst], 4),
    )
    label = say("Cost of plans against their loss under the worst refusal; the numbers stand in the table")
    title = say("What less exposure costs")
    return Figure(title, curves.frontier(shown, label, "f", language), caption, "frontier")


def month_figure(findings: Findings) -> Figure | None:
    """Exposure under the law of each month around the date, with the measures that changed."""
    table, names, language = findings.tables["by_month"], findings.names, findings.language
    say = language.say
    if table.empty:
        return None
    days = table["month"].dt.strftime("%Y-%m-%d")
    measures = {"at_leave": say("at leave"), "in_force": say("in force")}
    long = pd.concat(
        [
            pd.DataFrame({"month": days, "measure": told, "low": table[name], "high": table[f"{name}_high"]})
            for name, told in measures.items()
        ]
    )
    ends = table[["at_leave", "at_leave_high", "in_force", "in_force_high"]]
    step = ends.diff().abs().max(axis=1).fillna(0.0)
    moved = [
        (day, regime, float(size))
        for day, text, size in zip(days, table["regimes"], step, strict=True)
        for regime in _regimes(str(text))
    ]
    most = pd.Series([size for _, _, size in moved], index=[regime for _, regime, _ in moved], dtype=float)
    ranked = most.groupby(level=0).max().sort_values(ascending=False, kind="stable").index
    titles = {str(regime): words.short(names.regime(str(regime)), 52) for regime in ranked[:_LANES]}
    changes = pd.DataFrame(
        [(day, titles[regime]) for day, regime, _ in moved if regime in titles], columns=["month", "lane"]
    )
    unknown = float((table["at_leave_high"] - table["at_leave"]).max())
    caption = language.join(
        findings.note(unknown),
        say(
            "Mean short-run loss under the law of the first day of each month; the grey band is unknown, the dashed "
            "line the date of this report. Triangles: controls of the regime began, ended, paused or revived since the "
            "month before."
        ),
        language.plural(
            len(ranked) - len(titles),
            "{n} further regime that changed and moved less stands in the table.",
            "{n} further regimes that changed and moved less stand in the table.",
        )
        if len(ranked) > len(titles)
        else "",
        say("Law after {day} is as printed in the instruments.", day=language.day(findings.known_as_of)),
    )
    label = say("Exposure by month with the measures that changed; the numbers stand in the table")
    picture = curves.months(long, changes, findings.on.isoformat(), label, "m", language)
    return Figure(say("Exposure by month, and what moved it"), picture, caption, "by_month")


def _regimes(text: str) -> list[str]:
    """Return the regimes of "regime (3);other (1)"."""
    return [re.sub(r" \(\d+\)$", "", part) for part in text.split(";") if part]


def stock_figure(findings: Findings) -> Figure | None:
    """How the stocks of the needs hit hardest run down while the strongest state refuses all its supply."""
    table, names, language = findings.tables["stocks"], findings.names, findings.language
    say = language.say
    if table.empty:
        return None
    state = names.state(str(table["state"].iloc[0]))
    last = table[table["week"] == table["week"].max()]
    first = last.sort_values(["ends", "plant", "destination"], kind="stable").drop_duplicates("item")
    hit = first.sort_values(["loss", "ends", "item"], ascending=[False, True, True]).head(_STOCKS)
    keys = list(zip(hit["item"], hit["plant"], hit["destination"], strict=True))
    panels = {
        key: say("{first}, {second}", first=words.short(without_brackets(names.item(key[0])), 23), second=key[2])
        for key in keys
    }
    rows = list(zip(table["item"], table["plant"], table["destination"], strict=True))
    order = {key: number for number, key in enumerate(keys)}
    shown = table.assign(panel=[panels.get(key, "") for key in rows], place=[order.get(key, -1) for key in rows])
    shown = shown[shown["place"] >= 0].sort_values(["place", "week"])
    shown = shown.assign(told=[_ends(findings, week) for week in shown["ends"]])
    every = table.drop_duplicates(["item", "plant", "destination"])
    ending = int(every["ends"].notna().sum())
    caption = language.join(
        say("Law as of {day}; makers in unknown places are taken to go on supplying.", day=findings.as_of),
        say(
            "Days of full use left at the end of each week if {state} refused all its supply. Of {n} stocks that it "
            "draws on, {ending} end within a year; of each item the plant where it ends first is shown.",
            state=state,
            n=len(every),
            ending=ending,
        ),
    )
    label = say("Stocks by week under a refusal, one panel a need; the numbers stand in the table")
    title = say("When stocks end if {state} refuses: the needs that lose most", state=state)
    return Figure(title, curves.stocks(shown, label, "s", language), caption, "stocks")


def _ends(findings: Findings, week: float) -> str:
    return "" if words.missing(week) else findings.language.say("week {n}", n=int(week))


def swing_figure(findings: Findings) -> Figure | None:
    """Which assumption, group of facts or unknown moves the headline most."""
    table, language = findings.tables["swings"], findings.language
    say = language.say
    moving = table[table["swing"] > _NOTABLE]
    shown = moving.head(_SWINGS)
    if shown.empty:
        return None
    rows = [_swing(findings, row) for row in shown.to_dict("records")]
    panels = {"short": say("short run"), "after": say("after re-sourcing")}
    long = pd.concat(
        [
            pd.DataFrame(
                {
                    "row": rows,
                    "panel": told,
                    "low": shown[f"{end}_low"].to_numpy(),
                    "high": shown[f"{end}_high"].to_numpy(),
                    "usual": shown[end].to_numpy(),
                }
            )
            for end, told in panels.items()
        ]
    )
    law = table.loc[table["kind"] == "law", ["short_high", "short"]].iloc[0]
    caption = language.join(
        findings.note(float(law["short_high"] - law["short"])),
        say(
            "Each alone at its two ends, all else as usual (the line): assumptions over their named range; facts moved "
            "together by one standard error of their quality, which is a judgement."
        ),
        language.plural(
            len(table) - len(shown),
            "{n} further thing that was tried moves less.",
            "{n} further things that were tried move less, or nothing.",
        ),
    )
    label = say("Bars of how far the mean loss at leave moves; the numbers stand in the table")
    title = say("What moves the mean loss at leave most, {months}", months=_within(findings))
    return Figure(title, curves.swings(long, label, "w", language), caption, "swings")


def _swing(findings: Findings, row: Mapping[Any, Any]) -> str:
    """Return what was moved, and between which ends."""
    language, what = findings.language, str(row["what"])
    say, low, high = language.say, float(str(row["low"])), float(str(row["high"]))
    if row["kind"] == "law":
        return say(FACTS[what])
    if row["kind"] == "facts":
        return say("{what} (× {low} to {high})", what=say(FACTS[what]), low=f"{low:.1f}", high=f"{high:.1f}")
    called = language.name("assumption", what, what)
    return say("{what} ({low} to {high})", what=called, low=f"{low:g}", high=f"{high:g}")
