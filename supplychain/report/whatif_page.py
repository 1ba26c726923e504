"""The page of a what-if comparison: charts of the course over time and of the brackets, tables of what changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from supplychain.locate import datasets, models
from supplychain.report import charts, manifest, marks, words
from supplychain.report.make import LAWFUL
from supplychain.report.pages import render
from supplychain.report.run import check_target, writing
from supplychain.report.view import Column, Figure, Link, Section, Sheet, sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from supplychain.whatif.compare import Comparison, Side

PAGE = "whatif.html"
_INK = (marks.MUTED, "#0b6e99", "#c2571a", "#5b8c2a", "#7a4fa3", "#b23a5e", "#2f7f79", "#8a6d1d")
_SHOWN_NEEDS = 25


def write_page(found: Comparison, folder: Path) -> Path:
    """Write the page, every table (CSV, Parquet) and a manifest into ``folder`` as one run; return the page's path.

    Raises UsageError for a folder that holds something else, EnvironmentFault when the disk refuses.
    """
    started = manifest.now()
    check_target(folder, [datasets(), models()])
    html = page(found)
    with writing(folder) as run:
        run.write(PAGE, html.encode("utf-8"))
        for name, table in found.tables.items():
            run.write_table(name, table)
        manifest.write(run, _body(found), started)
    return folder / PAGE


def page(found: Comparison) -> str:
    """Return the HTML of a comparison."""
    case = found.case
    names = [side.name for side in found.sides]
    head = {
        "title": f"What if: {words.listed([side.applied.scenario.title for side in found.sides], 3)}",
        "facts": [
            ("Buyer", case.buyer),
            ("Law as of", words.day(case.on)),
            ("Law known as of", words.day(case.book.known_as_of)),
            ("Products", words.number(float(len(case.products)))),
            ("Scenarios", words.number(float(len(names)))),
            ("Network", case.network.name),
        ],
        "illustrative": "Its plants, volumes, stocks and margins are invented to show the method."
        if case.illustrative
        else "",
    }
    opening = [
        Figure(
            "Loss week by week",
            courses(found.weeks, "Loss of the buyer's needs by week and scenario", "course"),
            "Mean of the buyer's needs; lines on what is known, dashes if every unknown fact were adverse. In force: "
            "flows refused already, and flows that wait for leave. At leave: all leave refused.",
            "weeks",
            wide=True,
        )
    ]
    sections = [
        _brackets(found),
        _who(found),
        _parts(found),
        _chokes(found),
        _times(found),
        _costs(found),
        _scenarios(found),
    ]
    footer = [LAWFUL, *found.warnings]
    return render(head, [_sentence(side) for side in found.sides], opening, sections, footer, _cite)


def courses(weeks: pd.DataFrame, label: str, prefix: str) -> Markup:
    """Draw the loss by week: one line a scenario, one panel a measure; dashed at the high end."""
    import altair as alt

    names = list(dict.fromkeys(weeks["scenario"]))
    table = weeks[["scenario", "week", "measure", "loss", "loss_high"]]
    table = table[(table["week"] == 1) | (table["week"] % 2 == 0)]
    base = alt.Chart(table).encode(
        x=alt.X("week:Q", title="weeks after the day of the scenario", axis=alt.Axis(grid=False)),
        color=alt.Color("scenario:N", title=None, scale=alt.Scale(domain=names, range=list(_INK[: len(names)])))
        if len(names) <= len(_INK)
        else alt.Color("scenario:N", title=None),
    )
    percent = alt.Axis(format="%")
    lines = base.mark_line(strokeWidth=1.8).encode(y=alt.Y("loss:Q", axis=percent, title=None))
    high = base.mark_line(strokeWidth=1, strokeDash=[3, 3], opacity=0.7).encode(y="loss_high:Q")
    chart = alt.layer(lines, high).properties(width=330, height=190)
    return charts.svg(chart.facet(column=alt.Column("measure:N", sort=["in force", "at leave"])), label, prefix)


def _sentence(side: Side) -> dict[str, str]:
    """What one scenario does, in one sentence."""
    one, head = side.applied.scenario, side.outlook
    horizon = 12.0 if 12.0 in head.horizons else head.horizons[-1]
    told = []
    for measure in ("in force", "at leave"):
        after, short = (head.head(measure, horizon, end) for end in ("after", "short"))
        told.append(f"{words.percent_range(after, short, 1)} {measure}")
    margin = head.head("in force", horizon, "margin_short")
    money = "" if words.missing(margin) else f"; up to {words.money(margin)} of yearly margin at risk in force"
    body = f"After {words.months(horizon)} the buyer loses {told[0]} and {told[1]}{money}. {one.question}"
    return {"lead": f"{one.title}.", "body": body}


def _brackets(found: Comparison) -> Section:
    rows = found.headline.rename(columns={"short": "short_run", "short_high": "high"})
    rows = rows.assign(
        row=rows["scenario"],
        order=rows["scenario"].map({side.name: at for at, side in enumerate((found.baseline, *found.sides))}),
    )
    parts: list[Sheet | Figure] = []
    for measure in ("in force", "at leave"):
        some = rows[rows["measure"] == measure]
        panel = some.assign(panel=[f"{horizon:g} months" for horizon in some["horizon"]])
        picture = charts.brackets(panel, f"Loss {measure} by scenario and horizon", f"b-{measure[:2]}", width=190)
        caption = "Dark: stays lost after re-sourcing. Light: lost in the short run. Hatched: unknown facts may add."
        parts.append(Figure(f"Loss {measure}", picture, caption, "headline", wide=True))
    return Section("losses", "Losses by horizon", (), tuple(parts))


def _who(found: Comparison) -> Section:
    needs = found.needs[found.needs["measure"] == "at leave"].copy()
    needs["size"] = np.maximum(needs["delta_short"].abs(), needs["delta_after"].abs())
    needs = needs.sort_values(["size", "scenario", "item", "plant"], ascending=[False, True, True, True])
    shown = _percents(needs, ["after", "short", "delta_after", "delta_short"])
    columns = [
        Column("scenario", "Scenario"),
        Column("plant", "Plant"),
        Column("item", "Item", "code"),
        Column("months", "Months"),
        Column("after_words", "After re-sourcing"),
        Column("short_words", "Short run"),
        Column("delta_after_words", "Change"),
        Column("delta_short_words", "Change, short run"),
    ]
    shown["months"] = [f"{horizon:g}" for horizon in shown["horizon"]]
    shown["plant"] = shown["plant"].where(shown["plant"] != "", shown["destination"])
    plants = _percents(found.plants, ["after", "short", "delta_short"])
    plants["months"] = [f"{horizon:g}" for horizon in plants["horizon"]]
    by_plant = [
        Column("scenario", "Scenario"),
        Column("plant", "Plant"),
        Column("measure", "Measure"),
        Column("months", "Months"),
        Column("after_words", "After re-sourcing"),
        Column("short_words", "Short run"),
        Column("delta_short_words", "Change, short run"),
        Column("margin_short", "Margin at risk a year", "money"),
    ]
    return Section(
        "who",
        "Who is hit",
        ("A plant loses what its worst need loses; the margin at risk is a year's, in the short run.",),
        (
            sheet(plants, "Plants whose loss changes", by_plant, "plants", most=_SHOWN_NEEDS),
            sheet(shown, "Needs whose loss at leave changes most", columns, "needs", most=_SHOWN_NEEDS),
        ),
    )


def _parts(found: Comparison) -> Section:
    table = found.split[found.split["delta"].abs() > 5e-4].copy()
    table["size"] = table["delta"].abs()
    table = table.sort_values(["size", "scenario", "by", "value"], ascending=[False, True, True, True])
    shown = _percents(table, ["baseline", "loss", "delta"])
    columns = [
        Column("scenario", "Scenario"),
        Column("measure", "Measure"),
        Column("by", "By"),
        Column("value", "Part", "code"),
        Column("baseline_words", "Before"),
        Column("loss_words", "Under the scenario"),
        Column("delta_words", "Change"),
    ]
    lead = (
        "What each part of the refused flows takes alone in the short run after 12 months: by imposing state, regime, "
    )
    lead += "role, tier, item, and the scenario's own outages."
    return Section("parts", "By state, regime, role and item", (lead,), (
        sheet(shown, "Parts that change", columns, "split", most=30),
    ))  # fmt: skip


def _chokes(found: Comparison) -> Section:
    shown = _percents(found.choke_points, ["after", "short"])
    columns = [
        Column("scenario", "Scenario"),
        Column("change", "Change", "badge"),
        Column("kind", "What"),
        Column("element", "Element", "code"),
        Column("after_words", "Adds after re-sourcing"),
        Column("short_words", "Adds in the short run"),
    ]
    lead = (
        "A choke point withholds at least 5 % of the buyer's needs 12 months on, even after re-sourcing, beside what "
        "the scenario takes itself."
    )
    return Section("chokes", "Choke points that come and go", (lead,), (
        sheet(shown, "Became a choke point, or stopped being one", columns, "choke_points", most=40),
    ))  # fmt: skip


def _times(found: Comparison) -> Section:
    table = found.times[found.times["measure"] == "in force"].copy()
    table = table.sort_values(["loss_area", "scenario", "item", "plant"], ascending=[False, True, True, True])
    for name in ("weeks_to_survive", "week_recovered", "baseline_weeks_to_survive"):
        table[f"{name}_words"] = ["none lost" if pd.isna(x) else f"{x:g}" for x in table[name]]
    recovered = table["week_recovered"].isna() & table["weeks_to_survive"].notna()
    table.loc[recovered, "week_recovered_words"] = "not within three years"
    table["area_words"] = [f"{x:.2f}" for x in table["loss_area"]]
    table["plant"] = table["plant"].where(table["plant"] != "", table["destination"])
    columns = [
        Column("scenario", "Scenario"),
        Column("plant", "Plant"),
        Column("item", "Item", "code"),
        Column("weeks_to_survive_words", "Weeks to survive"),
        Column("week_recovered_words", "Recovered in week"),
        Column("baseline_weeks_to_survive_words", "Weeks to survive before"),
        Column("area_words", "Unit-months lost"),
    ]
    lead = (
        "A need survives while it loses at most 1 %; it has recovered in the first week from which that holds for good."
    )
    return Section("times", "Time to survive, time to recover", (lead,), (
        sheet(table, "Needs in force, by what they lose in three years", columns, "times", most=_SHOWN_NEEDS),
    ))  # fmt: skip


def _costs(found: Comparison) -> Section:
    table = found.costs.copy()
    for name in ("held", "new", "regret", "held_unmet", "new_unmet"):
        table[f"{name}_words"] = ["unknown" if pd.isna(x) else f"{x:,.4g}" for x in table[name]]
    table["leave_words"] = [words.percent(x, 1) for x in table["needs_leave"]]
    table["days_words"] = [f"{x:.1f}" for x in table["licence_days"]]
    columns = [
        Column("scenario", "Scenario"),
        Column("leave_words", "Needs leave"),
        Column("days_words", "Days of waiting"),
        Column("held_words", "Plan held"),
        Column("new_words", "Plan made for it"),
        Column("regret_words", "Regret"),
        Column("held_unmet_words", "Unmet, held"),
        Column("new_unmet_words", "Unmet, new"),
        Column("currency", "In"),
        Column("note", "Note", "small"),
    ]
    lead = (
        "A year's cost to serve: purchases and the margin of what stays unmet. The plan held was made before the "
        "scenario; regret is what knowing it would have saved. Needs leave and days of waiting: mean of direct flows."
    )
    return Section("costs", "Cost to serve and regret", (lead,), (sheet(table, "Costs", columns, "costs"),))


def _scenarios(found: Comparison) -> Section:
    rows: list[dict[str, Any]] = []
    for side in found.sides:
        one = side.applied.scenario
        rows.append(
            {
                "scenario": one.name,
                "day": side.applied.case.on,
                "does": "; ".join(action.words for action in one.actions) or "nothing: the case as it is",
                "assumes": "; ".join(one.assumes),
                "sources": ", ".join(one.sources),
            }
        )
    columns = [
        Column("scenario", "Scenario"),
        Column("day", "Law of", "day"),
        Column("does", "Actions", "small"),
        Column("assumes", "Assumes", "small"),
        Column("sources", "Sources", "small"),
    ]
    phases = [Column("scenario", "Scenario"), Column("day", "Day", "day"), Column("what", "What changes", "small")]
    return Section("scenarios", "What the scenarios say", (), (
        sheet(pd.DataFrame(rows), "Scenarios", columns, "costs", total=len(rows)),
        sheet(found.phases, "Days on which something changes", phases, "phases", most=40),
    ))  # fmt: skip


def _percents(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the table with `*_words`: shares in percent, changes with their sign."""
    shown = table.copy()
    for name in names:
        values = shown[name].to_numpy(float) if len(shown) else np.zeros(0)
        if name.startswith("delta"):
            shown[f"{name}_words"] = [words.signed(x, words.percent(abs(x), 1)) for x in values]
        else:
            shown[f"{name}_words"] = [words.percent(x, 1) for x in values]
    return shown


def _cite(cell: str) -> list[Link]:
    return [Link(part) for part in cell.split(";") if part]


def _body(found: Comparison) -> dict[str, Any]:
    case = found.case
    return {
        "buyer": case.buyer,
        "illustrative": case.illustrative,
        "on": case.on.isoformat(),
        "known_as_of": case.book.known_as_of.isoformat(),
        "products": list(case.products),
        "scenarios": [
            {"name": side.name, "parameters": side.applied.scenario.values, "files": side.applied.scenario.hashes}
            for side in found.sides
        ],
        "inputs": manifest.inputs(case),
        "statuses": [{"scenario": side.name, "statuses": list(side.outlook.statuses)} for side in found.sides],
        "warnings": list(found.warnings),
    }
