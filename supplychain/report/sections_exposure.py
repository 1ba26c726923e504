"""Sections on loss: exposure by plant or product, by item and destination, over time, and because of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from supplychain.report import charts, words
from supplychain.report.view import Column, Figure, Section, Sheet, sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from supplychain.report.findings import Findings

_MONTHS = (3.0, 12.0, 36.0)
_LEAST = 0.005  # a loss below half a percent is not listed
_PLANTS = 6  # columns of the table of items by destination


def headline_figure(findings: Findings) -> Figure:
    """The one picture of the first page: what each plant loses, in force and at leave."""
    now = _places(findings)
    now = now[now["horizon"] == findings.horizon]
    panels = {"in_force": "In force: already refused", "at_leave": "At leave: if leave were refused"}
    rows = now.assign(row=now["place"], panel=now["measure"].map(panels), order=0)
    rows = rows.sort_values(["measure", "row"], ascending=[False, True])
    unknown = float(now["unknown"].max())
    return Figure(
        f"Largest loss of a need, by plant, {words.months(findings.horizon)} after a refusal"
        if not findings.is_country
        else f"Loss by product, {words.months(findings.horizon)} after a refusal",
        charts.brackets(rows, "Bars of the loss of each plant; the same numbers stand in the first table", "p"),
        findings.note(unknown)
        + (
            "" if findings.is_country else " A plant needs all of its items, so each end is the largest over its needs."
        ),
        "exposure" if findings.is_country else "plants",
    )


def plant_section(findings: Findings) -> Section:
    """Exposure by plant at three horizons."""
    table, keys = _places(findings), ["place"]
    leave = _by_horizon(table[table["measure"] == "at_leave"], keys)
    force = (
        _by_horizon(table[table["measure"] == "in_force"], keys).set_index("place").add_prefix("force_").reset_index()
    )
    now = table[(table["measure"] == "at_leave") & (table["horizon"] == findings.horizon)]
    shown = now[[*keys, "worst", "hit", "survive"]].merge(leave, on=keys).merge(force, on=keys)
    losing = "needs that lose 1 % or more in the short run at the headline horizon"
    hit = [] if findings.is_country else [Column("hit", "Needs hit", "text", losing)]
    columns = [
        Column("place", "Plant" if not findings.is_country else "Product"),
        *(Column(f"m{month:g}", f"At leave, {month:g} months", "loss") for month in _MONTHS),
        Column(f"force_m{findings.horizon:g}", f"In force, {findings.horizon:g} months", "loss"),
        *hit,
        Column("survive", "Months to survive", "text", "whole months in which every need loses at most 1 %"),
        Column("worst", "Worst need" if not findings.is_country else "What binds", "small"),
    ]
    caption, weighed = "Loss by product and months after a refusal", ", every product counting alike."
    if not findings.is_country:
        caption = "Largest loss of a need, by plant and months after a refusal"
        weighed = (
            " (each need weighed by its margin of a year where known). A plant needs all of its items: each end of its "
            "range is the largest over its needs."
        )
    overall = findings.tables["overall"]
    mean = overall[(overall["measure"] == "at_leave") & (overall["horizon"] == findings.horizon)].iloc[0]
    average = words.bracket(float(mean["after"]), float(mean["short_run"]), float(mean["unknown"]))
    return Section(
        "plants",
        "Exposure by plant" if not findings.is_country else "Exposure by product",
        (
            "In force is what is lost to flows that are refused already. At leave is what would be lost if the leave "
            "that flows now need were refused: what states hold in their hand. A licence in normal use costs time, "
            "not supply.",
            f"Over all {words.number(float(mean['needs']))} needs, the mean loss at leave after "
            f"{words.months(findings.horizon)} is {average}{weighed}",
        ),
        (sheet(shown, caption, columns, "exposure" if findings.is_country else "plants"),),
    )


def _places(findings: Findings) -> pd.DataFrame:
    """Return one row per plant (per product for a country), measure and horizon, in the form that pictures need."""
    names = findings.names
    if not findings.is_country:
        table = findings.tables["plants"]
        return table.assign(
            place=[findings.place(*key) for key in zip(table["plant"], table["destination"], strict=True)],
            worst=[names.item(item) if item else words.NONE for item in table["worst_item"]],
            hit=[f"{hit} of {needs}" for hit, needs in zip(table["needs_hit"], table["needs"], strict=True)],
            survive=[_survive(months) for months in table["months_to_survive"]],
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
            "survive": [_survive(months_of.get(item, float("nan"))) for item in table["item"]],
        }
    )


def _survive(months: float) -> str:
    return "all 36" if words.missing(months) else f"{months:g}"


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
    names = findings.names
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
    columns = [Column("name", "Item")]
    for number, (plant, destination) in enumerate(chosen):
        part = now[(now["plant"] == plant) & (now["destination"] == destination)]
        part = part[["item", "after", "short_run", "high", "unknown"]].set_index("item").add_prefix(f"p{number}_")
        rows = rows.merge(part, left_on="item", right_index=True, how="left")
        columns.append(Column(f"p{number}", findings.place(plant, destination), "loss"))
    hidden = len(columns_of) - len(chosen)
    lead = (
        f"Loss at leave after {words.months(findings.horizon)}: first what stays after re-sourcing, then the short "
        "run. "
        f"Needs that lose less than {words.percent(_LEAST, 1)} under every reading of the unknown facts are left out"
        + (f"; so are {words.count(hidden, 'plant')}, which stand in the table." if hidden > 0 else ".")
    )
    parts: list[Figure] = []
    curve = _curve(findings, [str(item) for item in order.index[:6]])
    if len(curve):
        parts.append(
            Figure(
                "The loss over time, at leave: the needs that lose most",
                charts.horizons(curve, "Loss over months after a refusal; the same numbers stand in the table", "t"),
                findings.note(float((curve["high"] - curve["short_run"]).max()))
                + " Line: short run. Dots: after re-sourcing. Stock delays a loss of consumables; equipment wears out "
                "slowly.",
                "curve",
            )
        )
    by_plant = sheet(rows, f"Loss at leave, {words.months(findings.horizon)}, by item and plant", columns, "exposure")
    return Section(
        "items",
        "Why, and when" if findings.is_country else "Exposure by item and destination",
        () if findings.is_country else (lead,),
        (
            *(() if findings.is_country else (by_plant,)),
            *parts,
            _chains(findings),
            _made_of(findings),
        ),
    )


def _curve(findings: Findings, items: Sequence[str]) -> pd.DataFrame:
    """Return the monthly curve of each item's worst need: ``panel, months, short_run, high, after`` (NaN between "
    "horizons)."""
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
        panel = f"{words.short(findings.names.item(item), 26)}, {destination}"
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
    table, names = findings.tables["because"], findings.names
    rows = table[(table["measure"] == "at leave") & (table["horizon"] == findings.horizon)]
    grouped = []
    for (chain, rank), part in rows.groupby(["chain", "rank"], sort=True):
        first = part.sort_values("loss", ascending=False, kind="stable").iloc[0]
        grouped.append(
            {
                "path": words.chain([names.item(item) for item in str(chain).split(" <- ")]),
                "rank": "binds" if rank == 1 else "next",
                "where": words.listed(sorted(set(part["destination"])), 6),
                "origins": _origins(findings, str(first["origins"])),
                "loss": float(part["loss"].max()),
                "left": float(part["left"].max()),
                "order": rank,
            }
        )
    columns = [
        Column("path", "Chain, from the need to the cause", wide=True),
        Column("rank", "", "small"),
        Column("where", "At plants in", "small"),
        Column("origins", "Withheld from", "small"),
        Column("loss", "Largest loss", "percent"),
        Column("left", "If mended", "percent", "loss that the next binding chain would leave"),
    ]
    frame = pd.DataFrame(grouped, columns=["path", "rank", "where", "origins", "loss", "left", "order"])
    frame = frame.sort_values(["order", "loss", "path"], ascending=[True, False, True], ignore_index=True)
    return sheet(frame, "Because: what binds, and what binds next", columns, "because", most=16)


def _origins(findings: Findings, text: str) -> str:
    parts = [part.split("=") for part in text.split(";") if "=" in part]
    return words.listed([f"{findings.names.state(place)} {words.percent(float(share))}" for place, share in parts], 3)


def _made_of(findings: Findings) -> Sheet:
    table, names = findings.tables["split"], findings.names
    rows = table[(table["measure"] == "at_leave") & (table["horizon"] == findings.horizon)]
    rows = rows[rows["by"].isin(["imposing", "regime", "role", "policy"])]
    labels = {"imposing": "state", "regime": "regime", "role": "role of the input", "policy": "policy"}
    named: dict[str, Callable[[str], str]] = {
        "imposing": names.state,
        "regime": names.regime,
        "role": lambda role: words.ROLE.get(role, role),
        "policy": lambda policy: words.POLICY.get(policy, policy),
    }
    shown = rows.assign(
        kind=rows["by"].map(labels),
        name=[named[by](value) for by, value in zip(rows["by"], rows["value"], strict=True)],
    )
    shown = shown[shown[["alone", "added"]].max(axis=1) >= 5e-5]
    columns = [
        Column("kind", "By"),
        Column("name", "Which"),
        Column("alone", "Alone", "percent1", "loss if only this part were refused"),
        Column("added", "On top of all the rest", "percent1"),
    ]
    return sheet(shown, "What the mean loss at leave is made of, short run", columns, "split")
