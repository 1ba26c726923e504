"""Sections on action and doubt: recommended sourcing, what is unknown, method and assumptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from supplychain.report import words
from supplychain.report.catalogue import TABLES
from supplychain.report.view import Column, Section, Sheet, sheet

if TYPE_CHECKING:
    from supplychain.report.findings import Findings

_CHANGE = 0.05  # part of a need from which a change of share is listed


def figures(findings: Findings) -> dict[str, Any]:
    """Return the plan's figures as the table holds them, numbers as numbers."""
    table = findings.tables["plan_summary"]
    return {name: _number(value) for name, value in zip(table["figure"], table["value"], strict=True)}


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def cost_words(plan: dict[str, Any]) -> str:
    """Return the change of cost against buying as today: "2.2 % less", "about the same"."""
    change = plan["cost_change"]
    if words.missing(change):
        return "unknown"
    if abs(change) < 5e-4:
        return "about the same"
    return f"{words.percent(abs(change), 1)} {'more' if change > 0 else 'less'}"


def sourcing_section(findings: Findings) -> Section:
    """The plan: its figures, every change of share, whom to qualify, which rules gave way, losses before and after."""
    if findings.no_plan:
        said = f"No plan is shown: none was proved under the rules asked for. {findings.no_plan}"
        return Section("sourcing", "Recommended sourcing", (said,), breaks=True)
    plan = figures(findings)
    rows = findings.tables["plan_relaxed"]
    given = (
        f" {words.count(len(rows), 'rule')} could not be kept in full and gave way by as little as possible: see below."
        if len(rows)
        else ""
    )
    licence = [words.percent(plan[key], 1) for key in ("controlled_share_today", "controlled_share")]
    lead = (
        f"{plan['policy_title']}: {plan['policy_description']} Over {words.months(plan['horizon_months'])} the plan "
        f"is {plan['status']} (gap {words.percent(plan['gap'], 2)}). Against buying as today it moves "
        f"{words.percent(plan['share_changed'])} of the volumes, costs {cost_words(plan)}"
        f"{' by an index of prices' if plan['currency'] == 'index' else ''}, and takes the share that needs a "
        f"licence from {licence[0]} to {licence[1]}.{given}"
    )
    losses = (
        "Losses in this section are of the needs as bought (today's shares, then the plan's), every need counting "
        "alike and "
        "what is unknown of a line counting as refused; they measure the change, and are not the exposure above."
    )
    parts: list[Sheet] = [_figures_sheet(plan), _changes(findings)]
    if len(findings.tables["plan_qualifications"]):
        parts.append(_qualify(findings))
    parts.append(_threats(findings))
    if len(rows):
        parts.append(sheet(rows, "Rules that gave way", [Column("rule", "Rule", "small")], "plan_relaxed", most=20))
    return Section("sourcing", "Recommended sourcing", (lead, losses), tuple(parts), breaks=True)


def _figures_sheet(plan: dict[str, Any]) -> Sheet:
    def money(value: float) -> str:
        index = plan["currency"] == "index"
        return f"{words.number(value, 2)} (index)" if index else words.money(value, str(plan["currency"]))

    licence = [words.percent(plan[key], 1) for key in ("controlled_share_today", "controlled_share")]
    rows = [
        ("Cost over the horizon", money(plan["cost_today"]), money(plan["total_cost"])),
        ("of which qualification", words.NONE, money(plan["qualification_cost"])),
        ("of which stock", words.NONE, money(plan["stock_cost"])),
        ("Sources bought from", words.number(plan["suppliers_today"]), words.number(plan["suppliers"])),
        ("Sources under contract, reserves included", words.NONE, words.number(plan["sources_under_contract"])),
        ("Needs with reserved capacity", words.NONE, words.number(plan["needs_reserved"])),
        ("Share that needs a licence", *licence),
        (
            "Mean loss, worst state refuses what it controls",
            _bracket(plan, "worst_at_leave", "before"),
            _bracket(plan, "worst_at_leave", "after"),
        ),
        (
            "Mean loss, worst state refuses all",
            _bracket(plan, "worst_all", "before"),
            _bracket(plan, "worst_all", "after"),
        ),
    ]
    table = pd.DataFrame(rows, columns=["figure", "today", "plan"])
    columns = [Column("figure", "Figure"), Column("today", "As today"), Column("plan", "Plan")]
    return sheet(table, "What the plan changes", columns, "plan_summary")


def _bracket(plan: dict[str, Any], kind: str, when: str) -> str:
    low, high = plan[f"{kind}_resourced_{when}"], plan[f"{kind}_short_run_{when}"]
    by = plan.get(f"{kind}_short_run_{when}_by", "")
    return words.percent_range(min(low, high), high, 1) + (f" ({by})" if by else "")


def _changes(findings: Findings) -> Sheet:
    table, names = findings.tables["plan_lines"], findings.names
    last = table[table["period"] == table["period"].max()]
    moved = last[(last["change"].abs() >= _CHANGE) | (last["reserved"] >= _CHANGE)]
    moved = moved.sort_values(["change", "plant", "item", "supply"], ascending=[False, True, True, True], kind="stable")
    sites = dict(zip(findings.tables["plan_needs"]["plant"], findings.tables["plan_needs"]["site"], strict=True))
    shown = moved.assign(
        need=[
            f"{names.item(item)}, {findings.place('' if findings.is_country else plant, sites.get(plant, ''))}"
            for item, plant in zip(moved["item"], moved["plant"], strict=True)
        ],
        maker=[
            f"{names.organisation(organisation)} ({site or '?'})"
            for organisation, site in zip(moved["organisation"], moved["site"], strict=True)
        ],
        shift=[
            f"{words.percent(old)} → {words.percent(new)}"
            for old, new in zip(moved["today"], moved["share"], strict=True)
        ],
        first=["qualify" if new else "" for new in moved["new"]],
        why=[
            findings.names.regime(regime) if leave else ""
            for regime, leave in zip(moved["regime"], moved["needs_licence"], strict=True)
        ],
    )
    columns = [
        Column("need", "Need"),
        Column("maker", "Source"),
        Column("shift", "Share today → plan"),
        Column("reserved", "Reserved", "percent", "capacity kept under contract for a refusal, part of the need"),
        Column("lead_time_months", "Lead time", "months"),
        Column("status", "Leave", "status"),
        Column("why", "Under", "small"),
        Column("first", "", "badge"),
        Column("quality", "Facts", "small"),
    ]
    return sheet(shown, "Changes of share, largest increase first", columns, "plan_lines", most=40)


def _qualify(findings: Findings) -> Sheet:
    table, names = findings.tables["plan_qualifications"], findings.names
    shown = table.assign(
        maker=[names.supply(supply) for supply in table["supply"]],
        served=table["needs_served"],
    )
    columns = [
        Column("maker", "Source to qualify"),
        Column("ready_months", "Ready after", "months"),
        Column("served", "Needs it serves", "number"),
    ]
    return sheet(shown, "Second sources to qualify now", columns, "plan_qualifications")


def _threats(findings: Findings) -> Sheet:
    table, names = findings.tables["plan_threats"], findings.names
    states = table[table["kind"] == "state"]
    shown = states.assign(
        who=[names.state(threat.split(":")[0]) for threat in states["threat"]],
        what=["all its supply" if threat.endswith(":all") else "what it controls" for threat in states["threat"]],
        before=[
            words.percent_range(low, high, 1)
            for low, high in zip(states["mean_resourced_before"], states["mean_short_run_before"], strict=True)
        ],
        after=[
            words.percent_range(low, high, 1)
            for low, high in zip(states["mean_resourced_after"], states["mean_short_run_after"], strict=True)
        ],
    )
    columns = [
        Column("who", "State"),
        Column("what", "Refuses"),
        Column("before", "Mean loss as today"),
        Column("after", "With the plan"),
        Column("largest_resourced_after", "Largest of one need, after re-sourcing", "percent"),
    ]
    return sheet(shown, "Losses under refusals, before and after", columns, "plan_threats", most=14)


def unknown_section(findings: Findings) -> Section:
    """What is unknown: open flows by item and the fact that would narrow most, unattributed shares, what facts rest "
    "on."""
    table, names = findings.tables["unknowns"], findings.names
    shown = table.assign(name=[names.item(item) for item in table["item"]])
    columns = [
        Column("name", "Item"),
        Column("flows", "Open flows", "number"),
        Column("share", "Largest open share", "percent"),
        Column("narrows", "Narrows the range by", "percent1", "fall of the high end if all of them were found free"),
        Column("adds", "May add", "percent1", "rise of the low end if all of them needed leave"),
        Column("question", "The question to settle", "small", wide=True),
    ]
    shares = findings.tables["unattributed"]
    remainder = shares.assign(name=[names.item(item) for item in shares["item"]])
    quality = findings.tables["data_quality"]
    return Section(
        "unknown",
        "What is unknown",
        (
            "An unknown is never read as free. Flows whose status the facts leave open widen every range; the first "
            "table "
            "ranks items by how far settling them would narrow the mean loss at leave.",
        ),
        (
            sheet(shown, "Facts to find next, the most useful first", columns, "unknowns", most=20),
            sheet(
                remainder,
                "Items whose makers or places are partly not known",
                [
                    Column("name", "Item"),
                    Column("unattributed", "Maker not known", "percent"),
                    Column("place_unknown", "Place not known", "percent"),
                ],
                "unattributed",
                most=15,
            ),
            sheet(
                quality,
                "What the facts of this case rest on",
                [
                    Column("table", "Table"),
                    Column("quality", "Quality"),
                    Column("rows", "Rows", "number"),
                    Column("part", "Part", "percent"),
                ],
                "data_quality",
            ),
        ),
    )


def method_section(findings: Findings) -> Section:
    """How the numbers come about, the assumptions, and what every reader must know."""
    solves = "; ".join(f"{solve['what']}: {solve['status']}" for solve in findings.solves)
    columns = [
        Column("assumption", "Assumption", "code"),
        Column("value", "Value"),
        Column("unit", "Unit", "small"),
        Column("why", "Why", "small", wide=True),
        Column("source", "Source", "small"),
    ]
    return Section(
        "method",
        "Method and assumptions",
        (
            "Each flow of an item from a maker to a user is judged by the law of the date: imposing state, item, "
            "destination "
            "and date, with re-export, foreign direct product and foreign content reach. The strictest control "
            "decides; a "
            "missing fact leaves the flow undetermined, and the range wide.",
            "Short-run loss is the greatest fixed point of a network in which a maker needs all of its essential "
            "inputs: "
            "consumables bite when stock ends, equipment and software as they wear out or expire. Loss after "
            "re-sourcing is "
            "the optimum of a linear programme that may use every permitted source, spare capacity that can be "
            "qualified in "
            "time, and alternatives; it is never larger than the short-run loss. The two ends are shown together.",
            "The world market of an item is shared among its users in proportion where no lane is recorded. A flow "
            "that needs "
            "leave is shown as needing it everywhere; no route through a third country is modelled or proposed.",
            f"Solves: {solves}. The manifest beside this file holds bounds, gaps, checks and the hash of every input.",
        ),
        (sheet(findings.tables["assumptions"], "Assumptions in use", columns, "assumptions"), _files(findings)),
        remarks=tuple(findings.warnings),
        breaks=True,
    )


def _files(findings: Findings) -> Sheet:
    rows = [(name, TABLES[name], float(len(table))) for name, table in findings.tables.items() if name in TABLES]
    columns = [
        Column("file", "Table", "code"),
        Column("holds", "Holds", "small", wide=True),
        Column("rows", "Rows", "number"),
    ]
    return sheet(pd.DataFrame(rows, columns=["file", "holds", "rows"]), "Tables beside this file", columns, "")
