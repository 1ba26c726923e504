"""Sections on action and doubt: recommended sourcing, what is unknown, method and assumptions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from supplychain.report import words
from supplychain.report.catalogue import TABLES
from supplychain.report.language import ENGLISH, Language
from supplychain.report.sections_studies import frontier_figure, swing_figure
from supplychain.report.view import Column, Figure, Section, Sheet, sheet
from supplychain.report.words import mark

if TYPE_CHECKING:
    from supplychain.report.findings import Findings

_FACTS = {"supplies": mark("supplies"), "requirements": mark("requirements")}
_CHANGE = 0.05  # part of a need from which a change of share is listed
_DAY = 0.5  # days from which a change of stock counts
_GAVE_WAY = re.compile(
    r"(?P<plant>.+?) x (?P<item>\S+): (?P<rule>\S+) \((?P<who>.+)\) must give way by (?P<share>\S+)%.*"
)


def figures(findings: Findings) -> dict[str, Any]:
    """Return the plan's figures as the table holds them, numbers as numbers."""
    table = findings.tables["plan_summary"]
    return {name: _number(value) for name, value in zip(table["figure"], table["value"], strict=True)}


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def cost_words(plan: dict[str, Any], language: Language = ENGLISH) -> str:
    """Return the change of cost against buying as today, as a clause: "it costs 2.2 % less than buying as today"."""
    change = plan["cost_change"]
    if words.missing(change):
        return language.say("its cost against buying as today is unknown")
    if abs(change) < 5e-4:
        return language.say("it costs about the same as buying as today")
    share = language.percent(abs(change), 1)
    if change > 0:
        return language.say("it costs {share} more than buying as today", share=share)
    return language.say("it costs {share} less than buying as today", share=share)


def solved(language: Language, status: object) -> str:
    """Return how a solve ended, in words."""
    return language.say(words.SOLVED.get(str(status), str(status)))


def policy_title(findings: Findings, plan: dict[str, Any]) -> str:
    """Return the title of the plan's policy."""
    return findings.language.tell(str(plan["policy_title"]))


def stocked(findings: Findings) -> pd.DataFrame:
    """Return the needs of the plan whose stock grows, the largest growth in days first."""
    table = findings.tables["plan_needs"]
    grown = table.assign(more=table["stock_days"] - table["stock_days_today"])
    grown = grown[grown["more"] >= _DAY]
    return grown.sort_values(["more", "plant", "item"], ascending=[False, True, True], kind="stable")


def sourcing_section(findings: Findings) -> Section:
    """The plan: its figures, every change of share, whom to qualify, which rules gave way, losses before and after."""
    language = findings.language
    say = language.say
    if findings.no_plan:
        why = language.tell(findings.no_plan)
        said = say("No plan is shown: none was proved under the rules asked for. {why}.", why=why.rstrip(".。"))
        return Section("sourcing", say("Recommended sourcing"), (said,), breaks=True)
    plan = figures(findings)
    rows = findings.tables["plan_relaxed"]
    policy = language.tell(str(plan["policy_description"]))
    lead = language.join(
        say("{policy}: {description}", policy=policy_title(findings, plan), description=policy),
        say(
            "Over {months} the plan is {status} (gap {gap}).",
            months=language.months(plan["horizon_months"]),
            status=solved(language, plan["status"]),
            gap=language.percent(plan["gap"], 2),
        ),
        say(
            "It moves {moved} of the volumes; {cost}{index}; the share that needs a licence goes from {before} to "
            "{after}.",
            moved=language.percent(plan["share_changed"]),
            cost=cost_words(plan, language),
            index=say(" (by an index of prices)") if plan["currency"] == "index" else "",
            before=language.percent(plan["controlled_share_today"], 1),
            after=language.percent(plan["controlled_share"], 1),
        ),
        language.plural(
            len(rows),
            "{n} rule could not be kept in full and gave way by as little as possible: see below.",
            "{n} rules could not be kept in full and gave way by as little as possible: see below.",
        )
        if len(rows)
        else "",
    )
    losses = say(
        "Losses in this section are of the needs as bought (today's shares, then the plan's), every need counting "
        "alike and what is unknown of a line counting as refused; they measure the change, and are not the exposure "
        "above."
    )
    other_law = say(
        "Leave is that of export controls: import bans, sanctions on parties and payments, and tariffs of the buyer's "
        "own state are not in the model."
    )
    frontier = frontier_figure(findings)
    parts: list[Sheet | Figure] = [_figures_sheet(findings, plan)]
    parts += [frontier] if frontier is not None else []
    parts.append(_changes(findings))
    if len(findings.tables["plan_qualifications"]):
        parts.append(_qualify(findings))
    if len(stocked(findings)):
        parts.append(_stocks(findings))
    parts.append(_threats(findings))
    if len(rows):
        parts.append(_relaxed(findings))
    return Section(
        "sourcing", say("Recommended sourcing"), (lead, language.join(losses, other_law)), tuple(parts), breaks=True
    )


def _figures_sheet(findings: Findings, plan: dict[str, Any]) -> Sheet:
    language = findings.language
    say = language.say

    def money(value: float) -> str:
        if plan["currency"] == "index":
            return say("{value} (index)", value=language.number(value, 2))
        return language.money(value, str(plan["currency"]))

    licence = [language.percent(plan[key], 1) for key in ("controlled_share_today", "controlled_share")]
    rows = [
        (say("Cost over the horizon"), money(plan["cost_today"]), money(plan["total_cost"])),
        (say("of which qualification"), words.NONE, money(plan["qualification_cost"])),
        (say("of which stock"), words.NONE, money(plan["stock_cost"])),
        (say("Sources bought from"), language.number(plan["suppliers_today"]), language.number(plan["suppliers"])),
        (
            say("Sources under contract, reserves included"),
            words.NONE,
            language.number(plan["sources_under_contract"]),
        ),
        (say("Needs with reserved capacity"), words.NONE, language.number(plan["needs_reserved"])),
        (say("Share that needs a licence"), *licence),
        (
            say("Mean loss, worst state refuses what it controls"),
            _bracket(findings, plan, "worst_at_leave", "before"),
            _bracket(findings, plan, "worst_at_leave", "after"),
        ),
        (
            say("Mean loss, worst state refuses all"),
            _bracket(findings, plan, "worst_all", "before"),
            _bracket(findings, plan, "worst_all", "after"),
        ),
    ]
    table = pd.DataFrame(rows, columns=["figure", "today", "plan"])
    columns = [Column("figure", say("Figure")), Column("today", say("As today")), Column("plan", say("Plan"))]
    return sheet(table, say("What the plan changes"), columns, "plan_summary")


def _bracket(findings: Findings, plan: dict[str, Any], kind: str, when: str) -> str:
    low, high = plan[f"{kind}_resourced_{when}"], plan[f"{kind}_short_run_{when}"]
    by = str(plan.get(f"{kind}_short_run_{when}_by", ""))
    shown = findings.language.percent_range(min(low, high), high, 1)
    return findings.language.say("{what} ({share})", what=shown, share=by) if by else shown


def _changes(findings: Findings) -> Sheet:
    table, names, language = findings.tables["plan_lines"], findings.names, findings.language
    say = language.say
    last = table[table["period"] == table["period"].max()]
    moved = last[(last["change"].abs() >= _CHANGE) | (last["reserved"] >= _CHANGE)]
    moved = moved.sort_values(["change", "plant", "item", "supply"], ascending=[False, True, True, True], kind="stable")
    sites = dict(zip(findings.tables["plan_needs"]["plant"], findings.tables["plan_needs"]["site"], strict=True))
    shown = moved.assign(
        need=[
            _need(findings, item, plant, sites.get(plant, ""))
            for item, plant in zip(moved["item"], moved["plant"], strict=True)
        ],
        maker=[
            say("{what} ({share})", what=names.organisation(organisation), share=site or "?")
            for organisation, site in zip(moved["organisation"], moved["site"], strict=True)
        ],
        shift=[
            f"{language.percent(old)} → {language.percent(new)}"
            for old, new in zip(moved["today"], moved["share"], strict=True)
        ],
        first=[say("qualify") if new else "" for new in moved["new"]],
        facts=[say(words.QUALITY.get(quality, quality)) for quality in moved["quality"]],
        why=[
            findings.names.regime(regime) if leave else ""
            for regime, leave in zip(moved["regime"], moved["needs_licence"], strict=True)
        ],
    )
    kept = say("capacity kept under contract for a refusal, part of the need")
    columns = [
        Column("need", say("Need")),
        Column("maker", say("Maker and place")),
        Column("shift", say("Share today → plan")),
        Column("reserved", say("Reserved"), "percent", kept),
        Column("lead_time_months", say("Lead time"), "months"),
        Column("status", say("Leave"), "status"),
        Column("why", say("Under"), "small"),
        Column("first", "", "badge"),
        Column("facts", say("Facts"), "small"),
    ]
    return sheet(shown, say("Changes of share, largest increase first"), columns, "plan_lines", most=40)


def _qualify(findings: Findings) -> Sheet:
    table, names, say = findings.tables["plan_qualifications"], findings.names, findings.language.say
    shown = table.assign(
        maker=[names.supply(supply) for supply in table["supply"]],
        served=table["needs_served"],
    )
    columns = [
        Column("maker", say("Source to qualify")),
        Column("ready_months", say("Ready after"), "months"),
        Column("served", say("Needs it serves"), "number"),
    ]
    return sheet(shown, say("Second sources to qualify now"), columns, "plan_qualifications")


def _need(findings: Findings, item: str, plant: str, site: str) -> str:
    """Return how a need of the plan is called: its item and place."""
    place = findings.place("" if findings.is_country else plant, site)
    return findings.language.say("{first}, {second}", first=findings.names.item(item), second=place)


def _stocks(findings: Findings) -> Sheet:
    table, say = stocked(findings), findings.language.say
    named = table[["item", "plant", "site"]].itertuples(index=False, name=None)
    shown = table.assign(
        need=[_need(findings, *need) for need in named],
        today=[_days(findings.language, days) for days in table["stock_days_today"]],
        plan=[_days(findings.language, days) for days in table["stock_days"]],
    )
    columns = [
        Column("need", say("Need")),
        Column("today", say("Stock today")),
        Column("plan", say("Stock in the plan"), "text", say("days of full use")),
    ]
    total = len(findings.tables["plan_needs"])
    return sheet(shown, say("Stock to build, largest increase first"), columns, "plan_needs", most=20, total=total)


def _days(language: Language, days: float) -> str:
    return language.plural(round(days), "{n} day", "{n} days")


def _relaxed(findings: Findings) -> Sheet:
    """Which rules gave way: the need, the rule in words, by how much; a rule of another form stands as it is told."""
    say, table = findings.language.say, findings.tables["plan_relaxed"]
    sites = dict(zip(findings.tables["plan_needs"]["plant"], findings.tables["plan_needs"]["site"], strict=True))
    rows = []
    for text in table["rule"].astype(str):
        found = _GAVE_WAY.fullmatch(text)
        rule = _rule(findings, found["rule"], found["who"]) if found else ""
        if found is None or not rule:
            rows.append(("", findings.language.tell(text), float("nan")))
            continue
        need = _need(findings, found["item"], found["plant"], sites.get(found["plant"], ""))
        rows.append((need, rule, float(found["share"]) / 100))
    shown = pd.DataFrame(rows, columns=["need", "told", "share"])
    shown["share_words"] = [
        "" if words.missing(part) else findings.language.percent(part, 1) for part in shown["share"]
    ]
    columns = [
        Column("need", say("Need")),
        Column("told", say("Rule"), "small", wide=True),
        Column("share_words", say("Gives way by"), "text", say("part of the need")),
    ]
    return sheet(shown, say("Rules that gave way"), columns, "plan_relaxed", most=20)


def _rule(findings: Findings, rule: str, who: str) -> str:
    """Return a rule of the policy in words, for whom it was to hold; blank for a rule that has no words here."""
    names, say = findings.names, findings.language.say
    threat, _, kind = who.rpartition(":")
    if rule == "secure" and kind == "all":
        return say("holds when {state} refuses all its supply", state=names.state(threat))
    if rule == "secure" and kind == "leave":
        return say("holds when {state} refuses what it controls", state=names.state(threat))
    if rule == "secure" and threat == "supplier":
        return say("holds when {maker} is lost", maker=names.organisation(kind))
    if rule == "caps.site":
        return say("largest part from one place: {state}", state=names.state(who))
    if rule == "caps.supplier":
        return say("largest part from one maker: {maker}", maker=names.organisation(who))
    return ""


def _threats(findings: Findings) -> Sheet:
    table, names, language = findings.tables["plan_threats"], findings.names, findings.language
    say = language.say
    states = table[table["kind"] == "state"]
    shown = states.assign(
        who=[names.state(threat.split(":")[0]) for threat in states["threat"]],
        what=[
            say("all its supply") if threat.endswith(":all") else say("what it controls") for threat in states["threat"]
        ],
        before=[
            language.percent_range(low, high, 1)
            for low, high in zip(states["mean_resourced_before"], states["mean_short_run_before"], strict=True)
        ],
        after=[
            language.percent_range(low, high, 1)
            for low, high in zip(states["mean_resourced_after"], states["mean_short_run_after"], strict=True)
        ],
    )
    columns = [
        Column("who", say("State")),
        Column("what", say("Refuses")),
        Column("before", say("Mean loss as today")),
        Column("after", say("With the plan")),
        Column("largest_resourced_after", say("Largest of one need, after re-sourcing"), "percent"),
    ]
    return sheet(shown, say("Losses under refusals, before and after"), columns, "plan_threats", most=14)


def unknown_section(findings: Findings) -> Section:
    """What is unknown: open flows by item, the fact that would narrow most, unattributed shares, what facts rest on."""
    table, names, language = findings.tables["unknowns"], findings.names, findings.language
    say = language.say
    shown = table.assign(
        name=[names.item(item) for item in table["item"]],
        asked=[language.tell(str(question)) for question in table["question"]],
    )
    narrows = say("fall of the high end if all of them were found free")
    columns = [
        Column("name", say("Item")),
        Column("flows", say("Open flows"), "number"),
        Column("share", say("Largest open share"), "percent"),
        Column("narrows", say("Narrows the range by"), "percent1", narrows),
        Column("adds", say("May add"), "percent1", say("rise of the low end if all of them needed leave")),
        Column("asked", say("The question to settle"), "small", wide=True),
    ]
    shares = findings.tables["unattributed"]
    remainder = shares.assign(name=[names.item(item) for item in shares["item"]])
    makers = [
        Column("name", say("Item")),
        Column("unattributed", say("Maker not known"), "percent"),
        Column("place_unknown", say("Place not known"), "percent"),
    ]
    quality = findings.tables["data_quality"]
    rests = quality.assign(
        facts=[say(_FACTS.get(name, name)) for name in quality["table"]],
        kind=[say(words.QUALITY.get(kind, kind)) for kind in quality["quality"]],
    )
    swings = swing_figure(findings)
    rest_columns = [
        Column("facts", say("Table")),
        Column("kind", say("Quality")),
        Column("rows", say("Rows"), "number"),
        Column("part", say("Part"), "percent"),
    ]
    lead = say(
        "An unknown is never read as free. Flows whose status the facts leave open widen every range; the first table "
        "ranks items by how far settling them would narrow the mean loss at leave."
    )
    return Section(
        "unknown",
        say("What is unknown"),
        (lead,),
        (
            *([swings] if swings is not None else []),
            sheet(shown, say("Facts to find next, the most useful first"), columns, "unknowns", most=20),
            sheet(
                remainder,
                say("Items whose makers or places are partly not known"),
                makers,
                "unattributed",
                most=15,
            ),
            sheet(rests, say("What the facts of this case rest on"), rest_columns, "data_quality"),
        ),
    )


def method_section(findings: Findings) -> Section:
    """How the numbers come about, the assumptions, and what every reader must know."""
    language = findings.language
    say = language.say
    solves = [
        say("{what}: {value}", what=language.tell(str(solve["what"])), value=solved(language, solve["status"]))
        for solve in findings.solves
    ]
    table = findings.tables["assumptions"]
    shown = table.assign(
        called=[_assumption(language, str(name)) for name in table["assumption"]],
        reason=[language.tell(str(why)) for why in table["why"]],
        set_to=[_blank(language, value) for value in table["value"]],
        rests=[_blank(language, source) for source in table["source"]],
        measured=[language.tell(str(unit)) for unit in table["unit"]],
    )
    columns = [
        Column("called", say("Assumption"), "code"),
        Column("set_to", say("Value")),
        Column("measured", say("Unit"), "small"),
        Column("reason", say("Why"), "small", wide=True),
        Column("rests", say("Source"), "small"),
    ]
    return Section(
        "method",
        say("Method and assumptions"),
        (
            say(
                "Each flow of an item from a maker to a user is judged by the law of the date: imposing state, item, "
                "destination and date, with re-export, foreign direct product and foreign content reach. The strictest "
                "control decides; a missing fact leaves the flow undetermined, and the range wide."
            ),
            say(
                "Short-run loss is the greatest fixed point of a network in which a maker needs all of its essential "
                "inputs: consumables bite when stock ends, equipment and software as they wear out or expire. Loss "
                "after re-sourcing is the optimum of a linear programme that may use every permitted source, spare "
                "capacity that can be qualified in time, and alternatives; it is never larger than the short-run loss. "
                "The two ends are shown together."
            ),
            say(
                "The world market of an item is shared among its users in proportion where no lane is recorded. A flow "
                "that needs leave is shown as needing it everywhere; no route through a third country is modelled or "
                "proposed."
            ),
            say(
                "Solves: {solves}. The manifest beside this file holds bounds, gaps, checks and the hash of every "
                "input.",
                solves=say("; ").join(solves),
            ),
        ),
        (sheet(shown, say("Assumptions in use"), columns, "assumptions"), _files(findings)),
        remarks=tuple(language.tell(warning) for warning in findings.warnings),
        breaks=True,
    )


def _blank(language: Language, value: object) -> str:
    """Return what an assumption is set to, or rests on; none of it in words."""
    return language.say("none") if str(value) == "none" else str(value)


def _assumption(language: Language, name: str) -> str:
    """Return the id of an assumption, which every command takes, after its name where the language has one."""
    called = language.name("assumption", name, name)
    return name if called == name else language.say("{what} ({share})", what=called, share=name)


def _files(findings: Findings) -> Sheet:
    say = findings.language.say
    rows = [(name, say(TABLES[name]), float(len(table))) for name, table in findings.tables.items() if name in TABLES]
    columns = [
        Column("file", say("Table"), "code"),
        Column("holds", say("Holds"), "small", wide=True),
        Column("rows", say("Rows"), "number"),
    ]
    return sheet(pd.DataFrame(rows, columns=["file", "holds", "rows"]), say("Tables beside this file"), columns, "")
