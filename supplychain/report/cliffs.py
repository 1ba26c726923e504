"""Dated cliffs ahead: each day after the report on which a measure begins, ends, pauses or revives, by variant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from supplychain.analysis.needs import need_weights
from supplychain.report.language import ENGLISH, Language
from supplychain.report.unknowns import felt
from supplychain.report.words import mark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from supplychain.case import Case
    from supplychain.network import Floats
    from supplychain.regimes import RegimeBook

COLUMNS = (
    "date",
    "what",
    "variant",
    "imposing",
    "regime",
    "controls",
    "measure",
    "policy",
    "days_ahead",
    "quality",
    "source",
    "note",
)
# What the end of each period of a control means.
_ENDS = {"from": "begins", "suspended_from": "pauses", "suspended_to": "revives", "to": "ends"}
VARIANTS = {
    "dated": mark("by the instrument"),
    "lapse": mark("by the instrument, if nothing follows"),
    "short": mark("if extended as stated politically"),
    "long": mark("if extended by a year (hypothesis)"),
}


def ahead(tables: Mapping[str, pd.DataFrame], on: date) -> pd.DataFrame:
    """Return the changes after ``on``, earliest first; one row per day, kind of change, variant, regime and policy.

    ``tables`` are those of the regime book. A control that ``branches`` names takes its days from there: the book does
    not know which variant will come, so each is a row of its own.
    """
    day = pd.Timestamp(on)
    controls = tables["controls"]
    branches = tables.get("branches")
    branched: set[str] = set()
    rows: list[dict[str, object]] = []
    if branches is not None and len(branches):
        known = controls.set_index("control")
        for branch in branches.to_dict("records"):
            named = [name for name in str(branch["control"]).split(";") if name in known.index]
            branched.update(named)
            if pd.isna(branch["date"]) or branch["date"] <= day:
                continue
            for (regime, imposing, policy), part in known.loc[named].groupby(["regime", "imposing", "licence_policy"]):
                rows.append(
                    {
                        "date": branch["date"],
                        "what": "revives",
                        "variant": branch["variant"],
                        "imposing": imposing,
                        "regime": regime,
                        "controls": ";".join(sorted(part.index)),
                        "measure": branch["description"],
                        "policy": policy,
                        "quality": branch["quality"],
                        "source": branch["source"],
                        "note": branch["note"],
                    }
                )
    for column, what in _ENDS.items():
        later = controls[(controls[column] > day) & ~controls["control"].isin(branched)]
        for (moment, regime, imposing, policy), part in later.groupby([column, "regime", "imposing", "licence_policy"]):
            rows.append(
                {
                    "date": moment,
                    "what": what,
                    "variant": "dated",
                    "imposing": imposing,
                    "regime": regime,
                    "controls": ";".join(sorted(part["control"])),
                    "measure": ENGLISH.listed(sorted(set(part["item"])), most=3),
                    "policy": policy,
                    "quality": sorted(set(part["quality"]))[-1],
                    "source": ";".join(sorted({s for text in part["source"] for s in text.split(";") if s})),
                    "note": "",
                }
            )
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "days_ahead"])
    table["date"] = pd.to_datetime(table["date"]).astype("datetime64[s]")
    table["days_ahead"] = (table["date"] - day).dt.days.astype("int64")
    order = {name: place for place, name in enumerate(VARIANTS)}
    table["_variant"] = table["variant"].map(order).fillna(len(order))
    table = table.sort_values(["date", "_variant", "imposing", "regime", "policy", "controls"], kind="stable")
    return table[list(COLUMNS)].reset_index(drop=True)


def effects(case: Case, table: pd.DataFrame, months: float) -> pd.DataFrame:
    """Add to each row of ``table`` what the law of that day changes for the case.

    Columns: ``leave_now, leave_then`` and ``denied_now, denied_then`` (mean short-run loss at leave and in force over
    the buyer's needs, ``months`` after), ``flows`` (of the case, to which the controls of the row then apply, or may),
    ``items``, ``change`` (in words). A day holds the law of its whole variant: every branch goes the same way.
    """
    if table.empty:
        return table.assign(
            leave_now=0.0, leave_then=0.0, denied_now=0.0, denied_then=0.0, flows=0, items="", change=""
        )
    weight = need_weights(case)
    now = _losses(case, weight, months)
    cases: dict[
        frozenset[str], tuple[Case, tuple[float, float]]
    ] = {}  # variants end in few different states of the law
    rows = []
    for day, variant in table[["date", "variant"]].drop_duplicates().itertuples(index=False, name=None):
        book = _book(case, variant)
        state = _state(book, day)
        if state not in cases:
            later = case.with_(book=book, on=day.date())
            cases[state] = later, _losses(later, weight, months)
        later, then = cases[state]
        for row in table[(table["date"] == day) & (table["variant"] == variant)].to_dict("records"):
            flows, items = _touched(later, str(row["controls"]).split(";"))
            losses = {"leave_now": now[0], "leave_then": then[0], "denied_now": now[1], "denied_then": then[1]}
            rows.append({**row, **losses, "flows": flows, "items": ";".join(items)})
    found = pd.DataFrame(rows)
    found["change"] = [in_words(row) for row in rows]
    return found


def _book(case: Case, variant: str) -> RegimeBook:
    """Return the case's book with every branch gone the way of the variant; the tables hold the lapse as they stand."""
    book = case.book
    branches = book.tables["branches"]
    if variant in ("short", "long"):
        for branch in branches.loc[branches["variant"] == variant, "branch"]:
            book = book.with_branch(branch, variant)
    return book


def _state(book: RegimeBook, day: pd.Timestamp) -> frozenset[str]:
    """Return what holds on a day: the rows of controls, groups and exceptions in force; equal sets are equal law."""
    controls = book.in_force(day.date())
    held = {f"control:{name}" for name in controls.loc[controls["standing"] == "in force", "control"]}
    for name in ("groups", "exceptions"):
        table = book.tables[name]
        open_ = ~(table["from"] > day) & ~(table["to"] <= day)
        held |= {f"{name}:{row}" for row in np.flatnonzero(open_.to_numpy(bool))}
    return frozenset(held)


def _losses(case: Case, weight: Floats, months: float) -> tuple[float, float]:
    loss = weight @ felt(case, case.at_leave().beside(case.in_force()), months)
    return float(loss[0]), float(loss[1])


def _touched(case: Case, controls: list[str]) -> tuple[int, list[str]]:
    applied, compiled = case.determinations.applied, case.compiled
    rows = applied[applied["control"].isin(controls) & ~applied["conditional"]]
    flows = rows["flow"].unique()
    items = compiled.market_item[compiled.offer_market[flows]]
    return len(flows), sorted({compiled.items[item] for item in items})


def in_words(row: Mapping[Any, Any], language: Language = ENGLISH) -> str:
    """Return what the change of one row does to the case, in a few words."""
    say, percent = language.say, language.percent
    if not row["flows"]:
        return say("touches no flow of this case")
    told = [
        say(
            "applies, or may, to {flows} of {items}",
            flows=language.plural(row["flows"], "{n} flow", "{n} flows"),
            items=language.plural(row["items"].count(";") + 1, "{n} item", "{n} items"),
        )
    ]
    if abs(row["leave_then"] - row["leave_now"]) >= 5e-4:
        ends = {"now": percent(row["leave_now"], 1), "then": percent(row["leave_then"], 1)}
        told.append(say("loss at leave {now} to {then}", **ends))
    if abs(row["denied_then"] - row["denied_now"]) >= 5e-4:
        ends = {"now": percent(row["denied_now"], 1), "then": percent(row["denied_then"], 1)}
        told.append(say("loss in force {now} to {then}", **ends))
    return say("; ").join(told)
