"""Dated cliffs ahead: each day after the report on which a measure begins, ends, pauses or revives, by variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from supplychain.report import words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

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
    "dated": "by the instrument",
    "lapse": "by the instrument, if nothing follows",
    "short": "if extended as stated politically",
    "long": "if extended by a year (hypothesis)",
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
                    "measure": words.listed(sorted(set(part["item"])), most=3),
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
