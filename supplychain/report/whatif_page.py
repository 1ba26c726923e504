"""The page of a what-if comparison: charts of the course over time and of the brackets, tables of what changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from supplychain.files import replace_file
from supplychain.locate import datasets, models
from supplychain.report import charts, formats, manifest, marks, redact, words
from supplychain.report.document import Document
from supplychain.report.language import ENGLISH, Language
from supplychain.report.make import LAWFUL
from supplychain.report.names import Names
from supplychain.report.run import check_target, writing
from supplychain.report.view import Column, Figure, Link, Section, Sheet, sheet
from supplychain.report.whatif_told import Scene, Told, redacted
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from supplychain.whatif.compare import Comparison

STEM = "whatif"
_INK = (marks.MUTED, "#0b6e99", "#c2571a", "#5b8c2a", "#7a4fa3", "#b23a5e", "#2f7f79", "#8a6d1d")
_SHOWN_NEEDS = 25
_LEAST = 5e-4  # a smaller change prints as none
_BASELINE = "baseline"  # the case as it is, in every table
_INVENTED = mark("Its plants, volumes, stocks and margins are invented to show the method.")
_MEASURE = {"in force": mark("in force"), "at leave": mark("at leave"), "touch": mark("touch")}
_BY = {
    "imposing": mark("state"),
    "regime": mark("regime"),
    "role": mark("role of the input"),
    "policy": mark("policy"),
    "tier": mark("tier"),
    "item": mark("item"),
    "outage": mark("outage"),
}
_KIND = {
    "leave of": mark("leave of"),
    "all supply of": mark("all supply of"),
    "item": mark("item"),
    "organisation": mark("organisation"),
}
_OUTAGES = mark("outages of the scenario")
_CHANGE = {"became": mark("became"), "stopped": mark("stopped")}


def write_page(
    found: Comparison,
    folder: Path,
    language: Language = ENGLISH,
    wanted: Sequence[str] = ("html",),
    *,
    hide: bool = False,
    key_file: Path | None = None,
) -> Path:
    """Write the page (or other formats), every table (CSV, Parquet) and a manifest into ``folder`` as one run.

    ``hide`` writes codes for names, and their key into ``key_file`` (None: beside the folder). Returns the path of the
    first file. Raises UsageError for a folder that holds something else, EnvironmentFault when the disk refuses.
    """
    started = manifest.now()
    check_target(folder, [datasets(), models()])
    told, body = Told.of(found), _body(found)
    if hide:
        place = redact.key_place(key_file, folder)
        told, key = redacted(told, found)
        body = _sealed_body(found, told, language, wanted)
    files = formats.files(document(told, language), told.tables, wanted, lambda _: None, STEM)
    if hide:  # first: a redacted run without its key could never be read back
        replace_file(place, key.file(_private(folder)))
    with writing(folder) as run:
        for name, data in files.items():
            run.write(name, data)
        for name, table in told.tables.items():
            run.write_table(name, table)
        if hide:
            with manifest.adding(dict):  # what the command lets every manifest hold names everything
                manifest.write(run, body, started)
        else:
            manifest.write(run, body, started)
    return folder / next(iter(files))


def _private(folder: Path) -> dict[str, Any]:
    """Return what the key keeps beside the codes: the command, by which ``verify`` makes the page again."""
    command = manifest.added().get("command")
    if command is None:
        return {"redact": True}
    words_, dropped = list[str](), False
    for word in command["arguments"]:
        if not dropped and word != "--key":
            words_.append(word)
        dropped = word == "--key" and not dropped
    target = str(folder.absolute())
    writes = {said: path for said, path in command["writes"].items() if path == target}
    return {"redact": True, "command": {"arguments": words_, "writes": writes}}


def page(found: Comparison, language: Language = ENGLISH) -> str:
    """Return the HTML of a comparison."""
    return formats.page(document(Told.of(found), language))


def document(told: Told, language: Language = ENGLISH) -> Document:
    """Return what a comparison says, from which every format is made."""
    say = language.say
    titles = [language.tell(scene.title) for scene in told.scenes]
    facts = (
        (say("Law as of"), language.day(told.on)),
        (say("Law known as of"), language.day(told.known_as_of)),
        (say("Buyer"), told.buyer),
        (say("Products"), language.number(float(len(told.products)))),
        (say("Scenarios"), language.number(float(len(titles)))),
        (say("Network"), told.network),
    )
    weeks = told.tables["weeks"]
    caption = say(
        "Mean of the buyer's needs; lines on what is known, dashes if every unknown fact were adverse. In force: flows "
        "refused already, and flows that wait for leave. At leave: all leave refused."
    )
    caption = language.join(told.note(language, _widest(weeks["loss"], weeks["loss_high"])), caption)
    label = say("Loss of the buyer's needs by week and scenario")
    opening = Figure(say("Loss week by week"), courses(weeks, label, "course", language), caption, "weeks", wide=True)
    names = replace(told.names, language=language)
    return Document(
        title=say("What if: {scenarios}", scenarios=language.listed(titles, 3)),
        on=told.on,
        facts=facts,
        notice=say(_INVENTED) if told.illustrative else "",
        sentences=tuple(_sentence(told, scene, language) for scene in told.scenes),
        opening=(opening,),
        sections=(
            _brackets(told, language),
            _who(told, names),
            _parts(told, names),
            _chokes(told, names),
            _times(told, names),
            _costs(told, language),
            _scenarios(told, language),
        ),
        footer=(say(LAWFUL), *(language.tell(warning) for warning in told.warnings)),
        cite=_cite,
        language=language,
    )


def _widest(low: pd.Series, high: pd.Series) -> float:
    return max(float((high - low).max()), 0.0) if len(low) else 0.0


def courses(weeks: pd.DataFrame, label: str, prefix: str, language: Language = ENGLISH) -> Markup:
    """Draw the loss by week: one line a scenario, one panel a measure; dashed at the high end."""
    import altair as alt

    names = list(dict.fromkeys(weeks["scenario"]))
    table = weeks[["scenario", "week", "measure", "loss", "loss_high"]]
    table = table[(table["week"] == 1) | (table["week"] % 2 == 0)]
    table = table.assign(measure=[language.say(_MEASURE.get(measure, measure)) for measure in table["measure"]])
    order = [language.say(_MEASURE[measure]) for measure in ("in force", "at leave")]
    base = alt.Chart(table).encode(
        x=alt.X("week:Q", title=language.say("weeks after the day of the scenario"), axis=alt.Axis(grid=False)),
        color=alt.Color("scenario:N", title=None, scale=alt.Scale(domain=names, range=list(_INK[: len(names)])))
        if len(names) <= len(_INK)
        else alt.Color("scenario:N", title=None),
    )
    percent = alt.Axis(format="%")
    lines = base.mark_line(strokeWidth=1.8).encode(y=alt.Y("loss:Q", axis=percent, title=None))
    high = base.mark_line(strokeWidth=1, strokeDash=[3, 3], opacity=0.7).encode(y="loss_high:Q")
    chart = alt.layer(lines, high).properties(width=330, height=190)
    return charts.svg(chart.facet(column=alt.Column("measure:N", sort=order)), label, prefix)


def _sentence(told: Told, scene: Scene, language: Language) -> dict[str, str]:
    """What one scenario does beside the case as it is, in one sentence."""
    say, table = language.say, told.tables["headline"]
    horizon = 12.0 if 12.0 in set(table["horizon"]) else float(table["horizon"].max())
    rows = table[table["horizon"] == horizon].to_dict("records")
    now = {(str(row["scenario"]), str(row["measure"])): row for row in rows}
    ends = {
        f"{name}{when}": _with_unknown(now[(scenario, measure)], language)
        for name, measure in (("force", "in force"), ("leave", "at leave"))
        for when, scenario in (("", scene.name), ("_now", _BASELINE))
    }
    loss = say(
        "After {months} the buyer loses {force} in force (as things stand {force_now}) and {leave} at leave "
        "({leave_now}).",
        months=language.months(horizon),
        **ends,
    )
    margin = float(now[(scene.name, "in force")]["margin_short"])
    at_risk = say("Up to {margin} of yearly margin is at risk in force.", margin=language.money(margin))
    body = language.join(loss, at_risk if margin >= 0.5 else "", language.tell(scene.question))
    return {"lead": say("{title}.", title=language.tell(scene.title)), "body": body}


def _with_unknown(row: Mapping[Any, Any], language: Language) -> str:
    known = language.percent_range(float(row["after"]), float(row["short"]), 1)
    unknown = float(row["short_high"]) - float(row["short"])
    if unknown < 5e-4:
        return known
    return language.say("{known}, unknown\u00a0{more}", known=known, more=language.percent(unknown, 1))


def _brackets(told: Told, language: Language) -> Section:
    say = language.say
    rows = told.tables["headline"].rename(columns={"short": "short_run", "short_high": "high"})
    rows = rows.assign(
        row=rows["scenario"],
        order=rows["scenario"].map({name: at for at, name in enumerate(dict.fromkeys(rows["scenario"]))}),
    )
    titles = {
        "in force": (say("Loss in force"), say("Loss in force by scenario and horizon")),
        "at leave": (say("Loss at leave"), say("Loss at leave by scenario and horizon")),
    }
    caption = say("Dark: stays lost after re-sourcing. Light: lost in the short run. Hatched: unknown facts may add.")
    parts: list[Sheet | Figure] = []
    for measure, (title, label) in titles.items():
        some = rows[rows["measure"] == measure]
        panel = some.assign(panel=[language.months(horizon) for horizon in some["horizon"]])
        picture = charts.brackets(panel, label, f"b-{measure[:2]}", width=190)
        noted = language.join(told.note(language, _widest(some["short_run"], some["high"])), caption)
        parts.append(Figure(title, picture, noted, "headline", wide=True))
    return Section("losses", say("Losses by horizon"), (), tuple(parts))


def _who(told: Told, names: Names) -> Section:
    say = names.language.say
    needs = told.tables["needs"]
    needs = needs[needs["measure"] == "at leave"].copy()
    needs["size"] = np.maximum(needs["delta_short"].abs(), needs["delta_after"].abs())
    needs = needs.sort_values(["size", "scenario", "item", "plant"], ascending=[False, True, True, True])
    shown = _percents(needs, ["after", "short", "delta_after", "delta_short"], names.language)
    columns = [
        Column("scenario", say("Scenario")),
        Column("plant", say("Plant")),
        Column("called", say("Item"), "small"),
        Column("months", say("Months")),
        Column("after_words", say("After re-sourcing")),
        Column("short_words", say("Short run")),
        Column("delta_after_words", say("Change")),
        Column("delta_short_words", say("Change, short run")),
    ]
    shown["called"] = [names.item(item) for item in shown["item"]]
    shown["months"] = [f"{horizon:g}" for horizon in shown["horizon"]]
    shown["plant"] = shown["plant"].where(shown["plant"] != "", shown["destination"])
    moved = told.tables["plants"]
    ends = moved[["delta_after", "delta_short"]].abs().max(axis=1)
    plants = _percents(moved[ends >= _LEAST], ["after", "short", "delta_short"], names.language)
    plants["months"] = [f"{horizon:g}" for horizon in plants["horizon"]]
    plants["measured"] = [say(_MEASURE.get(measure, measure)) for measure in plants["measure"]]
    by_plant = [
        Column("scenario", say("Scenario")),
        Column("plant", say("Plant")),
        Column("measured", say("Kind of loss")),
        Column("months", say("Months")),
        Column("after_words", say("After re-sourcing")),
        Column("short_words", say("Short run")),
        Column("delta_short_words", say("Change, short run")),
        Column("margin_short", say("Margin at risk a year"), "money"),
    ]
    lead = say("A plant loses what its worst need loses; the margin at risk is a year's, in the short run.")
    return Section(
        "who",
        say("Who is hit"),
        (lead,),
        (
            sheet(plants, say("Plants whose loss changes"), by_plant, "plants", most=_SHOWN_NEEDS, total=len(moved)),
            sheet(shown, say("Needs whose loss at leave changes most"), columns, "needs", most=_SHOWN_NEEDS),
        ),
    )


def _parts(told: Told, names: Names) -> Section:
    say = names.language.say
    table = told.tables["split"]
    table = table[table["delta"].abs() > _LEAST].copy()
    table["size"] = table["delta"].abs()
    table = table.sort_values(["size", "scenario", "by", "value"], ascending=[False, True, True, True])
    shown = _percents(table, ["baseline", "loss", "delta"], names.language)
    shown["measured"] = [say(_MEASURE.get(measure, measure)) for measure in shown["measure"]]
    shown["kind"] = [say(_BY.get(by, by)) for by in shown["by"]]
    shown["called"] = [_part(names, *cell) for cell in zip(shown["by"], shown["value"], strict=True)]
    columns = [
        Column("scenario", say("Scenario")),
        Column("measured", say("Kind of loss")),
        Column("kind", say("By")),
        Column("called", say("Which"), "small"),
        Column("baseline_words", say("Before")),
        Column("loss_words", say("Under the scenario")),
        Column("delta_words", say("Change")),
    ]
    lead = say(
        "What each part of the refused flows takes alone in the short run after 12 months: by imposing state, regime, "
        "role, tier, item, and the scenario's own outages."
    )
    listed = sheet(shown, say("Parts that change"), columns, "split", most=30)
    return Section("parts", say("By state, regime, role and item"), (lead,), (listed,))


def _part(names: Names, by: str, value: str) -> str:
    """Return the name of a part of the loss."""
    if by == "imposing":
        return names.state(value)
    if by in ("regime", "item"):
        return names.element(by, value)
    wording = {"role": words.ROLE, "policy": words.POLICY}.get(by, {})
    return names.language.say(wording.get(value, value))


def _chokes(told: Told, names: Names) -> Section:
    say = names.language.say
    shown = _percents(told.tables["choke_points"], ["after", "short"], names.language)
    shown["turn"] = [say(_CHANGE.get(change, change)) for change in shown["change"]]
    shown["what"] = [say(_KIND.get(kind, kind)) for kind in shown["kind"]]
    shown["called"] = [
        names.element("state" if kind in ("leave of", "all supply of") else kind, element)
        for kind, element in zip(shown["kind"], shown["element"], strict=True)
    ]
    columns = [
        Column("scenario", say("Scenario")),
        Column("turn", say("Change"), "badge"),
        Column("what", say("What")),
        Column("called", say("Element"), "small"),
        Column("after_words", say("Adds after re-sourcing")),
        Column("short_words", say("Adds in the short run")),
    ]
    lead = say(
        "A choke point withholds at least 5 % of the buyer's needs 12 months on, even after re-sourcing, beside what "
        "the scenario takes itself."
    )
    listed = sheet(shown, say("Became a choke point, or stopped being one"), columns, "choke_points", most=40)
    return Section("chokes", say("Choke points that come and go"), (lead,), (listed,))


def _times(told: Told, names: Names) -> Section:
    say = names.language.say
    table = told.tables["times"]
    table = table[table["measure"] == "in force"].copy()
    table = table.sort_values(["loss_area", "scenario", "item", "plant"], ascending=[False, True, True, True])
    for name in ("weeks_to_survive", "week_recovered", "baseline_weeks_to_survive"):
        table[f"{name}_words"] = [say("none lost") if pd.isna(x) else f"{x:g}" for x in table[name]]
    recovered = table["week_recovered"].isna() & table["weeks_to_survive"].notna()
    table.loc[recovered, "week_recovered_words"] = say("not within three years")
    table["area_words"] = [f"{x:.2f}" for x in table["loss_area"]]
    table["plant"] = table["plant"].where(table["plant"] != "", table["destination"])
    table["called"] = [names.item(item) for item in table["item"]]
    columns = [
        Column("scenario", say("Scenario")),
        Column("plant", say("Plant")),
        Column("called", say("Item"), "small"),
        Column("weeks_to_survive_words", say("Weeks to survive")),
        Column("week_recovered_words", say("Recovered in week")),
        Column("baseline_weeks_to_survive_words", say("Weeks to survive before")),
        Column("area_words", say("Unit-months lost")),
    ]
    lead = say(
        "A need survives while it loses at most 1 %; it has recovered in the first week from which that holds for good."
    )
    caption = say("Needs in force, by what they lose in three years")
    listed = sheet(table, caption, columns, "times", most=_SHOWN_NEEDS)
    return Section("times", say("Time to survive, time to recover"), (lead,), (listed,))


def _costs(told: Told, language: Language) -> Section:
    say = language.say
    table = told.tables["costs"].copy()
    for name in ("held", "new", "regret", "held_unmet", "new_unmet"):
        table[f"{name}_words"] = [say("unknown") if pd.isna(x) else f"{x:,.4g}" for x in table[name]]
    table["leave_words"] = [language.percent(x, 1) for x in table["needs_leave"]]
    table["days_words"] = [f"{x:.1f}" for x in table["licence_days"]]
    table["noted"] = [language.tell(str(note)) for note in table["note"]]
    columns = [
        Column("scenario", say("Scenario")),
        Column("leave_words", say("Needs leave")),
        Column("days_words", say("Days of waiting")),
        Column("held_words", say("Plan held")),
        Column("new_words", say("Plan made for it")),
        Column("regret_words", say("Regret")),
        Column("held_unmet_words", say("Unmet, held")),
        Column("new_unmet_words", say("Unmet, new")),
        Column("currency", say("Currency")),
        Column("noted", say("Note"), "small"),
    ]
    lead = say(
        "A year's cost to serve: purchases and the margin of what stays unmet. The plan held was made before the "
        "scenario; regret is what knowing it would have saved. Needs leave and days of waiting: mean of direct flows."
    )
    return Section("costs", say("Cost to serve and regret"), (lead,), (sheet(table, say("Costs"), columns, "costs"),))


def _scenarios(told: Told, language: Language) -> Section:
    say = language.say
    rows = [
        {
            "scenario": scene.name,
            "day": scene.day,
            "does": "; ".join(scene.actions) or say("nothing: the case as it is"),
            "assumes": say("; ").join(language.tell(text) for text in scene.assumes),
            "sources": ", ".join(scene.sources),
        }
        for scene in told.scenes
    ]
    columns = [
        Column("scenario", say("Scenario")),
        Column("day", say("Law of"), "day"),
        Column("does", say("Actions"), "small"),
        Column("assumes", say("Assumes"), "small"),
        Column("sources", say("Sources"), "small"),
    ]
    turns = told.tables["phases"]
    turns = turns.assign(what=[language.tell(str(what)) for what in turns["what"]])
    phases = [
        Column("scenario", say("Scenario")),
        Column("day", say("Day"), "day"),
        Column("what", say("What changes"), "small"),
    ]
    each = sheet(pd.DataFrame(rows), say("Scenarios"), columns, "scenarios")
    days = sheet(turns, say("Days on which something changes"), phases, "phases", most=40)
    return Section("scenarios", say("What the scenarios say"), (), (each, days))


def _percents(table: pd.DataFrame, names: Sequence[str], language: Language) -> pd.DataFrame:
    """Return the table with `*_words`: shares in percent, changes with their sign."""
    shown = table.copy()
    for name in names:
        values = shown[name].to_numpy(float) if len(shown) else np.zeros(0)
        if name.startswith("delta"):
            shown[f"{name}_words"] = [words.signed(x, language.percent(abs(x), 1)) for x in values]
        else:
            shown[f"{name}_words"] = [language.percent(x, 1) for x in values]
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


def _sealed_body(found: Comparison, told: Told, language: Language, wanted: Sequence[str]) -> dict[str, Any]:
    """What the manifest of a redacted page says: no path, no name of the user's, one hash for all files of a role."""
    known = manifest.added()
    names = {side.name: scene.name for side, scene in zip(found.sides, told.scenes, strict=True)}
    return {
        "request": {"redact": True, "language": language.code, "formats": list(wanted), "on": told.on.isoformat()},
        "buyer": told.buyer,
        "illustrative": told.illustrative,
        "on": told.on.isoformat(),
        "known_as_of": told.known_as_of.isoformat(),
        "products": list(told.products),
        "scenarios": [{"name": name} for name in names.values()],
        "inputs": manifest.sealed(manifest.inputs(found.case)),
        "statuses": [{"scenario": names[side.name], "statuses": list(side.outlook.statuses)} for side in found.sides],
        **{name: known[name] for name in ("threads", "tolerances", "solved") if name in known},
        "warnings": list(told.warnings),
    }
