"""Sections on loss: exposure by plant and by item, choke points, the network picture, the map of who can withhold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from supplychain.locate import datasets
from supplychain.report import charts, maps, tiers, words
from supplychain.report.view import Column, Figure, Section, Sheet, sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from supplychain.report.findings import Findings

_MONTHS = (3.0, 12.0, 36.0)
_LEAST = 0.005  # a loss below half a percent is not listed
_PLANTS = 6  # columns of the table of items by destination
_KIND = {
    "jurisdiction": "state (refuses)",
    "organisation": "organisation",
    "site": "sites in",
    "item": "item",
    "supply": "supply",
}
_W1 = {"no": "", "decides": "W-1 decides", "may decide": "W-1 may decide", "yes": "W-1 decides"}


def place_label(findings: Findings, plant: str, destination: str) -> str:
    """Return how a plant is called: its id and state; only the state where the buyer is a country."""
    state = findings.names.state(destination)
    return f"{plant}, {state}" if plant else state


def note(findings: Findings, unknown: float) -> str:
    """Return what every picture says under itself: the date of the law and the unknown share."""
    return f"Law as of {findings.as_of}; unknown facts may add up to {words.percent(unknown)}."


def headline_figure(findings: Findings) -> Figure:
    """The one picture of the first page: what each plant loses, in force and at leave."""
    table = findings.tables["plants"]
    now = table[table["horizon"] == findings.horizon]
    rows = now.assign(
        row=[place_label(findings, *key) for key in zip(now["plant"], now["destination"], strict=True)],
        panel=now["measure"].map(
            {"in_force": "In force: already refused", "at_leave": "At leave: if leave were refused"}
        ),
        order=0,
    ).sort_values(["measure", "row"], ascending=[False, True])
    unknown = float(now["unknown"].max())
    return Figure(
        f"Largest loss of a need, by plant, {words.months(findings.horizon)} after a refusal"
        if not findings.is_country
        else f"Largest loss of a product, {words.months(findings.horizon)} after a refusal",
        charts.brackets(rows, "Bars of the loss of each plant; the same numbers stand in the first table", "p"),
        note(findings, unknown) + " A plant needs all of its items, so its largest loss counts.",
        "plants",
    )


def plant_section(findings: Findings) -> Section:
    """Exposure by plant at three horizons."""
    table = findings.tables["plants"]
    keys = ["plant", "destination"]
    leave = _by_horizon(table[table["measure"] == "at_leave"], keys)
    force = _by_horizon(table[table["measure"] == "in_force"], keys).add_prefix("force_")
    force = force.rename(columns={f"force_{key}": key for key in keys})
    now = table[(table["measure"] == "at_leave") & (table["horizon"] == findings.horizon)]
    shown = now[[*keys, "needs", "needs_hit", "worst_item", "months_to_survive"]].merge(leave, on=keys)
    shown = shown.merge(force, on=keys).assign(
        place=[place_label(findings, *key) for key in zip(now["plant"], now["destination"], strict=True)],
        worst=[findings.names.item(item) if item else words.NONE for item in now["worst_item"]],
        survive=["all 36" if words.missing(m) else f"{m:g}" for m in now["months_to_survive"]],
        hit=[f"{hit} of {needs}" for hit, needs in zip(now["needs_hit"], now["needs"], strict=True)],
    )
    columns = [
        Column("place", "Plant" if not findings.is_country else "Country"),
        *(Column(f"m{month:g}", f"At leave, {month:g} months", "loss") for month in _MONTHS),
        Column(f"force_m{findings.horizon:g}", f"In force, {findings.horizon:g} months", "loss"),
        Column("hit", "Needs hit", "text", "needs that lose 1 % or more in the short run at the headline horizon"),
        Column("survive", "Months to survive", "text", "whole months in which every need loses at most 1 %"),
        Column("worst", "Worst need"),
    ]
    overall = findings.tables["overall"]
    mean = overall[(overall["measure"] == "at_leave") & (overall["horizon"] == findings.horizon)].iloc[0]
    return Section(
        "plants",
        "Exposure by plant" if not findings.is_country else "Exposure of the country",
        (
            "In force is what is lost to flows that are refused already. At leave is what would be lost if the leave "
            "that "
            "flows now need were refused: what states hold in their hand. A licence in normal use costs time, not "
            "supply.",
            f"Over all {words.number(mean['needs'])} needs, the mean loss at leave after "
            f"{words.months(findings.horizon)} is "
            f"{words.bracket(mean['after'], mean['short_run'], mean['unknown'])} (each need weighed by its margin of "
            "a year "
            "where known); the largest loss of one need decides what a plant can make.",
        ),
        (sheet(shown, "Largest loss of a need, by plant and months after a refusal", columns, "plants"),),
    )


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
        columns.append(Column(f"p{number}", place_label(findings, plant, destination), "loss"))
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
                note(findings, float((curve["high"] - curve["short_run"]).max()))
                + " Line: short run. Dots: after re-sourcing. Stock delays a loss of consumables; equipment wears out "
                "slowly.",
                "curve",
            )
        )
    return Section(
        "items",
        "Exposure by item and destination",
        (lead,),
        (
            sheet(rows, f"Loss at leave, {words.months(findings.horizon)}, by item and plant", columns, "exposure"),
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


def choke_section(findings: Findings) -> Section:
    """Choke points by loss area after re-sourcing, with law and evidence."""
    table = findings.tables["choke_points"]
    month = f"{findings.horizon:g}"
    shown = table.assign(
        what=[_KIND.get(kind, kind) for kind in table["kind"]],
        where=[findings.names.state(home) if home else "" for home in table["home"]],
        loss_after=table[f"after_{month}_low"],
        loss_short_run=table[f"short_{month}_low"],
        loss_high=table[f"short_{month}_high"],
        loss_unknown=(table[f"short_{month}_high"] - table[f"short_{month}_low"]).clip(lower=0.0),
        path=[
            words.chain([findings.names.item(item) for item in str(text).split(" <- ")]) if text else words.NONE
            for text in table["because"]
        ],
        w1_words=[_W1.get(text, text) for text in table["w1"]],
        law=[_law(findings, row) for row in table[["status", "regime", "imposing"]].to_dict("records")],
        rests=[_rests(str(text)) for text in table["quality"]],
        mark=["choke point" if flag else "" for flag in table["choke_point"]],
    )
    columns = [
        Column("name", "Element"),
        Column("what", "Kind", "small"),
        Column("loss", f"Loss, {month} months", "loss"),
        Column("mark", "", "badge"),
        Column("path", "Because", "small", wide=True),
        Column("law", "Leave: status and regime", "small", "of most of its flows in the chain", wide=True),
        Column("w1_words", "W-1", "badge", "is Wassenaar minus one what makes it controlled?"),
        Column("rests", "Facts", "small", "the largest parts of what its facts rest on"),
        Column("sources", "Sources", "sources"),
    ]
    found = int(table["choke_point"].sum())
    return Section(
        "chokes",
        "Choke points",
        (
            "Each element is taken away in turn: an organisation or an item everywhere, a state by refusing its "
            "exports. "
            f"{words.count(found, 'element')} below still cost 5 % or more of the needs after re-sourcing (mean over "
            "all "
            "needs) and are called choke points; the ranking is by loss that stays after re-sourcing.",
        ),
        (sheet(shown, "Elements by loss after re-sourcing", columns, "choke_points"),),
        breaks=True,
    )


def _law(findings: Findings, row: dict[object, object]) -> str:
    status = str(row["status"])
    if status in ("", "free"):
        return "free"
    return f"{words.STATUS.get(status, status)}: {findings.names.regime(str(row['regime']))}"


def _rests(text: str) -> str:
    """Return "derived 41 %, estimate 20 %" from "reported 0.10; derived 0.41; estimate 0.20": the two largest parts."""
    parts = [part.rsplit(" ", 1) for part in text.split("; ") if " " in part]
    shares = sorted(((float(share), kind) for kind, share in parts), reverse=True)[:2]
    if len(shares) == 1:
        return shares[0][1]
    return ", ".join(f"{kind} {words.percent(share)}" for share, kind in shares)


def network_section(findings: Findings) -> Section:
    """Every item of the chain by tier, with what needs leave, choke points and binding chains."""
    table = findings.tables["items"]
    drawn = table.assign(
        name=[findings.names.item(item) for item in table["item"]],
        wording=[
            f"{words.percent(leave)} needs leave, {words.percent(unknown)} not determined"
            for leave, unknown in zip(table["leave"], table["unknown"], strict=True)
        ],
    )
    unknown = float(table["unknown"].mean())
    label = f"Network of {len(table)} items in columns by tier; the numbers stand in the table items"
    return Section(
        "network",
        "The network",
        (
            f"All {len(table)} items that the needs of this case reach, by tier. Colour stands only where something "
            "binds: "
            "the bar is the share of an item's supply that needs leave to reach its users, the dot a choke point, the "
            "lines "
            "the chains that bind.",
        ),
        (
            Figure(
                "Items by tier",
                tiers.draw(drawn, findings.tables["chains"], label),
                f"Law as of {findings.as_of}; {words.percent(unknown)} of an item's supply is not determined on "
                "average.",
                "items",
                wide=True,
            ),
        ),
    )


def map_section(findings: Findings) -> Section:
    """Who can withhold: map and table by state."""
    table, names = findings.tables["states"], findings.names
    ranked = table[table["all_short_run"].notna()]
    drawn = ranked.assign(
        name=[names.state(state) for state in ranked["state"]],
        value=ranked["all_short_run"],
        wording=[
            f"{names.state(row['state'])}: {words.bracket(row['all_after'], row['all_short_run'], row['all_unknown'])}"
            for row in ranked.to_dict("records")
        ],
    )
    buyers = {place: f"the buyer is here: {names.state(place)}" for place in findings.destinations}
    shapes = maps.outlines(datasets() / "reference" / "world-110m.json")
    shown = table.assign(
        name=[names.state(state) for state in table["state"]],
        path=[
            words.chain([names.item(item) for item in text.split(" <- ")]) if text else words.NONE
            for text in table["because"]
        ],
        w1_words=[_W1.get(text, text) for text in table["w1"]],
    ).rename(
        columns={
            "all_after": "s_after",
            "all_short_run": "s_short_run",
            "all_high": "s_high",
            "all_unknown": "s_unknown",
        }
    )
    columns = [
        Column("name", "State"),
        Column("s", "Refuses all its supply", "loss"),
        Column("leave_short_run", "Refuses what it controls", "percent1", "short run, on the date"),
        Column("path", "Because", "small"),
        Column("w1_words", "Wassenaar minus one", "badge"),
    ]
    return Section(
        "states",
        "Who can withhold",
        (
            f"Mean loss over the buyer's needs after {words.months(findings.horizon)} if a state refused all that its "
            "sites "
            "supply to other countries, and if it refused only what needs its leave on the date, wherever made. Both "
            "are "
            "capabilities, not forecasts.",
        ),
        (
            Figure(
                "Loss if the state refused all its supply, short run",
                maps.world(shapes, drawn, buyers, "World map of what each state can withhold; the table follows"),
                note(findings, float(ranked["all_unknown"].max()) if len(ranked) else 0.0)
                + " Outlines: Natural Earth; they say nothing about the status of a territory.",
                "states",
            ),
            sheet(shown, "States by loss after re-sourcing", columns, "states"),
        ),
        breaks=True,
    )
