"""Sections on loss: exposure by plant or product, by item and destination, over time, and because of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from supplychain.report import charts, words
from supplychain.report.sections_studies import stock_figure
from supplychain.report.view import Column, Figure, Section, Sheet, sheet
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from supplychain.report.findings import Findings
    from supplychain.report.language import Language

_MONTHS = (3.0, 12.0, 36.0)
_LEAST = 0.005  # a loss below half a percent is not listed
_PLANTS = 6  # columns of the table of items by destination
_PANELS = {"in_force": mark("In force: already refused"), "at_leave": mark("At leave: if leave were refused")}
_BY = {
    "imposing": mark("state"),
    "regime": mark("regime"),
    "role": mark("role of the input"),
    "policy": mark("policy"),
}


def headline_figure(findings: Findings) -> Figure:
    """The one picture of the first page: what each plant loses, in force and at leave."""
    language = findings.language
    say = language.say
    now = _places(findings)
    now = now[now["horizon"] == findings.horizon]
    panels = {measure: say(words) for measure, words in _PANELS.items()}
    rows = now.assign(row=now["place"], panel=now["measure"].map(panels), order=0)
    rows = rows.sort_values(["measure", "row"], ascending=[False, True])
    unknown = float(now["unknown"].max())
    within = language.months(findings.horizon)
    label = (
        say("Bars of the loss of each product; the same numbers stand in the first table")
        if findings.is_country
        else say("Bars of the loss of each plant; the same numbers stand in the first table")
    )
    picture = charts.brackets(rows, label, "p")
    if findings.is_country:
        title = say("Loss by product, {months} after a refusal", months=within)
        return Figure(title, picture, findings.note(unknown), "exposure")
    title = say("Largest loss of a need, by plant, {months} after a refusal", months=within)
    largest = say("A plant needs all of its items, so each end is the largest over its needs.")
    return Figure(title, picture, language.join(findings.note(unknown), largest), "plants")


def plant_section(findings: Findings) -> Section:
    """Exposure by plant at three horizons."""
    table, keys = _places(findings), ["place"]
    leave = _by_horizon(table[table["measure"] == "at_leave"], keys)
    force = (
        _by_horizon(table[table["measure"] == "in_force"], keys).set_index("place").add_prefix("force_").reset_index()
    )
    now = table[(table["measure"] == "at_leave") & (table["horizon"] == findings.horizon)]
    shown = now[[*keys, "worst", "hit", "survive"]].merge(leave, on=keys).merge(force, on=keys)
    language, country = findings.language, findings.is_country
    say = language.say
    losing = say("needs that lose 1 % or more in the short run at the headline horizon")
    hit = [] if country else [Column("hit", say("Needs hit"), "text", losing)]
    force_months = language.months(findings.horizon)
    columns = [
        Column("place", say("Product") if country else say("Plant")),
        *(Column(f"m{m:g}", say("At leave, {months}", months=language.months(m)), "loss") for m in _MONTHS),
        Column(f"force_m{findings.horizon:g}", say("In force, {months}", months=force_months), "loss"),
        *hit,
        Column(
            "survive",
            say("Months to survive"),
            "text",
            say("whole months in which every need loses at most 1 %"),
        ),
        Column("worst", say("What binds") if country else say("Worst need"), "small"),
    ]
    overall = findings.tables["overall"]
    mean = overall[(overall["measure"] == "at_leave") & (overall["horizon"] == findings.horizon)].iloc[0]
    told = {
        "needs": language.number(float(mean["needs"])),
        "months": language.months(findings.horizon),
        "loss": language.bracket(float(mean["after"]), float(mean["short_run"]), float(mean["unknown"])),
    }
    if country:
        title, caption = say("Exposure by product"), say("Loss by product and months after a refusal")
        average = say(
            "Over all {needs} needs, the mean loss at leave after {months} is {loss}, every product counting alike.",
            **told,
        )
    else:
        title, caption = say("Exposure by plant"), say("Largest loss of a need, by plant and months after a refusal")
        average = say(
            "Over all {needs} needs, the mean loss at leave after {months} is {loss} (each need weighed by its margin "
            "of a year where known). A plant needs all of its items: each end of its range is the largest over its "
            "needs.",
            **told,
        )
    meaning = say(
        "In force is what is lost to flows that are refused already. At leave is what would be lost if the leave that "
        "flows now need were refused: what states hold in their hand. A licence in normal use costs time, not supply."
    )
    table_ = sheet(shown, caption, columns, "exposure" if country else "plants")
    several = mean["needs"] > 1  # of one need the table says it all
    return Section("plants", title, (meaning, average) if several else (meaning,), (table_,))


def _places(findings: Findings) -> pd.DataFrame:
    """Return one row per plant (per product for a country), measure and horizon, in the form that pictures need."""
    names = findings.names
    if not findings.is_country:
        table = findings.tables["plants"]
        return table.assign(
            place=[findings.place(*key) for key in zip(table["plant"], table["destination"], strict=True)],
            worst=[names.item(item) if item else words.NONE for item in table["worst_item"]],
            hit=[
                findings.language.say("{hit} of {needs}", hit=hit, needs=needs)
                for hit, needs in zip(table["needs_hit"], table["needs"], strict=True)
            ],
            survive=[_survive(months, findings.language) for months in table["months_to_survive"]],
        )
    table = findings.tables["exposure"]
    binds = findings.tables["because"]
    first = binds[(binds["rank"] == 1) & (binds["horizon"] == findings.horizon) & (binds["measure"] == "at leave")]
    cause = dict(zip(first["item"], first["cause"], strict=True))
    survival = findings.tables["survival"]
    own = survival[survival["measure"] == "at leave"]
    months_of = dict(zip(own["item"], own["months_to_survive"], strict=True))
    return pd.DataFrame(
        {
            "place": [names.item(item) for item in table["item"]],
            "measure": table["measure"].str.replace(" ", "_"),
            "horizon": table["horizon"],
            "after": table["after_resourcing"],
            "short_run": table["short_run"],
            "high": table["short_run_high"],
            "unknown": table["unknown"],
            "worst": [names.item(cause[item]) if item in cause else words.NONE for item in table["item"]],
            "hit": "",
            "survive": [_survive(months_of.get(item, float("nan")), findings.language) for item in table["item"]],
        }
    )


def _survive(months: float, language: Language) -> str:
    return language.say("all 36") if words.missing(months) else f"{months:g}"


def _by_horizon(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return one row per key with the columns that a loss cell reads, prefixed m3, m12, m36."""
    parts = []
    for month, part in table.groupby("horizon", sort=True):
        chosen = part[[*keys, "after", "short_run", "high", "unknown"]].set_index(keys).add_prefix(f"m{month:g}_")
        parts.append(chosen)
    return pd.concat(parts, axis=1).reset_index()


def item_section(findings: Findings) -> Section:
    """Exposure by item and destination, the chains behind it, and what the loss is made of."""
    table = findings.tables["exposure"].rename(columns={"after_resourcing": "after", "short_run_high": "high"})
    names, language = findings.names, findings.language
    say, within = language.say, language.months(findings.horizon)
    now = table[(table["measure"] == "at leave") & (table["horizon"] == findings.horizon)]
    hit = now[now[["after", "short_run", "high"]].max(axis=1) >= _LEAST]
    columns_of = hit.groupby(["plant", "destination"])["high"].max().sort_values(ascending=False, kind="stable")
    chosen = sorted(columns_of.index[:_PLANTS])
    order = (
        hit.groupby("item")[["short_run", "high"]]
        .max()
        .sort_values(["short_run", "high"], ascending=False, kind="stable")
    )
    rows = pd.DataFrame({"item": order.index})
    rows["name"] = [names.item(item) for item in rows["item"]]
    columns = [Column("name", say("Item"))]
    for number, (plant, destination) in enumerate(chosen):
        part = now[(now["plant"] == plant) & (now["destination"] == destination)]
        part = part[["item", "after", "short_run", "high", "unknown"]].set_index("item").add_prefix(f"p{number}_")
        rows = rows.merge(part, left_on="item", right_index=True, how="left")
        columns.append(Column(f"p{number}", findings.place(plant, destination), "loss"))
    hidden = len(columns_of) - len(chosen)
    lead = say(
        "Loss at leave after {months}: first what stays after re-sourcing, then the short run. Needs that lose less "
        "than {least} under every reading of the unknown facts are left out.",
        months=within,
        least=language.percent(_LEAST, 1),
    )
    if hidden > 0:
        left = language.plural(
            hidden,
            "{n} further plant stands in the table only.",
            "{n} further plants stand in the table only.",
        )
        lead = language.join(lead, left)
    parts: list[Figure] = []
    curve = _curve(findings, [str(item) for item in order.index[:6]])
    if len(curve):
        how = say(
            "Line: short run. Dots: after re-sourcing. Stock delays a loss of consumables; equipment wears out slowly."
        )
        label = say("Loss over months after a refusal; the same numbers stand in the table")
        parts.append(
            Figure(
                say("The loss over time, at leave: the needs that lose most"),
                charts.horizons(curve, label, "t", language=language),
                language.join(findings.note(float((curve["high"] - curve["short_run"]).max())), how),
                "curve",
            )
        )
    stocks = stock_figure(findings)
    parts += [stocks] if stocks is not None else []
    caption = say("Loss at leave, {months}, by item and plant", months=within)
    by_plant = sheet(rows, caption, columns, "exposure")
    return Section(
        "items",
        say("Why, and when") if findings.is_country else say("Exposure by item and destination"),
        () if findings.is_country else (lead,),
        (
            *(() if findings.is_country else (by_plant,)),
            *parts,
            _chains(findings),
            _made_of(findings),
        ),
    )


def _curve(findings: Findings, items: Sequence[str]) -> pd.DataFrame:
    """Return the monthly curve of each item's worst need: ``panel, months, short_run, high, after``; the last is NaN
    between horizons."""
    curve, table = findings.tables["curve"], findings.tables["exposure"]
    frames = []
    for item in items:
        part = curve[(curve["item"] == item) & (curve["measure"] == "at leave")]
        peak = part.groupby(["plant", "destination"])["short_run"].sum().sort_values(ascending=False, kind="stable")
        if peak.empty:
            continue
        plant, destination = peak.index[0]
        own = part[(part["plant"] == plant) & (part["destination"] == destination)]
        known = table[(table["item"] == item) & (table["measure"] == "at leave") & (table["plant"] == plant)]
        known = known[known["destination"] == destination]
        after = dict(zip(known["horizon"], known["after_resourcing"], strict=True))
        where = words.short(findings.names.item(item), 26)
        panel = findings.language.say("{first}, {second}", first=where, second=destination)
        frames.append(
            pd.DataFrame(
                {
                    "panel": panel,
                    "months": own["month"].to_numpy(float),
                    "short_run": own["short_run"].to_numpy(float),
                    "high": own["short_run_high"].to_numpy(float),
                    "after": [after.get(month, float("nan")) for month in own["month"]],
                }
            )
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _chains(findings: Findings) -> Sheet:
    table, names, language = findings.tables["because"], findings.names, findings.language
    say = language.say
    rows = table[(table["measure"] == "at leave") & (table["horizon"] == findings.horizon)]
    grouped = []
    for (chain, rank), part in rows.groupby(["chain", "rank"], sort=True):
        first = part.sort_values("loss", ascending=False, kind="stable").iloc[0]
        grouped.append(
            {
                "path": words.chain([names.item(item) for item in str(chain).split(" <- ")]),
                "rank": say("binds") if rank == 1 else say("next"),
                "where": language.listed(sorted(set(part["destination"])), 6),
                "origins": _origins(findings, str(first["origins"])),
                "loss": float(part["loss"].max()),
                "left": float(part["left"].max()),
                "order": rank,
            }
        )
    columns = [
        Column("path", say("Chain, from the need to the cause"), wide=True),
        Column("rank", "", "small"),
        Column("where", say("At plants in"), "small"),
        Column("origins", say("Withheld from"), "small"),
        Column("loss", say("Largest loss"), "percent"),
        Column("left", say("If mended"), "percent", say("loss that the next binding chain would leave")),
    ]
    frame = pd.DataFrame(grouped, columns=["path", "rank", "where", "origins", "loss", "left", "order"])
    frame = frame.sort_values(["order", "loss", "path"], ascending=[True, False, True], ignore_index=True)
    return sheet(frame, say("Because: what binds, and what binds next"), columns, "because", most=16)


def _origins(findings: Findings, text: str) -> str:
    parts = [part.split("=") for part in text.split(";") if "=" in part]
    language = findings.language
    told = [
        language.say("{what} {share}", what=findings.names.state(place), share=language.percent(float(share)))
        for place, share in parts
    ]
    return language.listed(told, 3)


def _made_of(findings: Findings) -> Sheet:
    table, names, say = findings.tables["split"], findings.names, findings.language.say
    rows = table[(table["measure"] == "at_leave") & (table["horizon"] == findings.horizon)]
    rows = rows[rows["by"].isin(list(_BY))]
    named: dict[str, Callable[[str], str]] = {
        "imposing": names.state,
        "regime": names.regime,
        "role": lambda role: say(words.ROLE.get(role, role)),
        "policy": lambda policy: say(words.POLICY.get(policy, policy)),
    }
    shown = rows.assign(
        kind=[say(_BY[by]) for by in rows["by"]],
        name=[named[by](value) for by, value in zip(rows["by"], rows["value"], strict=True)],
    )
    shown = shown[shown[["alone", "added"]].max(axis=1) >= 5e-5]
    columns = [
        Column("kind", say("By")),
        Column("name", say("Which")),
        Column("alone", say("Alone"), "percent1", say("loss if only this part were refused")),
        Column("added", say("On top of all the rest"), "percent1"),
    ]
    return sheet(shown, say("What the mean loss at leave is made of, short run"), columns, "split")
