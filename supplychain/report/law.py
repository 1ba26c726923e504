"""The legal annex: every control that applies, or may, to a flow of the case, with its citation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from supplychain.report.matrix import LEAVE

if TYPE_CHECKING:
    from supplychain.case import Case


def annex(case: Case) -> pd.DataFrame:
    """Return one row per control: what it is, and on how many flows and items of the case it bears.

    Columns: ``control, imposing, regime, regime_name, regime_kind, instrument, measure, policy, scope, reach,
    in_force_from, in_force_to, suspended_from, suspended_to, flows`` (it applies), ``flows_open`` (it may apply),
    ``flows_conditional`` (only for an end use or user not stated), ``flows_decided, items, quality, source, note``.
    """
    applied, decided = case.determinations.applied, case.determinations.table
    compiled = case.compiled
    item = np.asarray(compiled.items, dtype=object)[compiled.market_item[compiled.offer_market]]
    open_ = ~applied["certain"] & ~applied["conditional"]
    counts = pd.DataFrame(
        {
            "control": applied["control"].to_numpy(object),
            "flows": (applied["certain"] & ~applied["conditional"]).to_numpy(),
            "flows_open": open_.to_numpy(),
            "flows_conditional": applied["conditional"].to_numpy(bool),
        }
    )
    table = counts.groupby("control", sort=True).sum().astype("int64").reset_index()
    touched = pd.DataFrame({"control": applied["control"].to_numpy(object), "item": item[applied["flow"].to_numpy()]})
    touched = touched[~applied["conditional"].to_numpy(bool)].drop_duplicates().sort_values(["control", "item"])
    items = touched.groupby("control")["item"].agg(";".join).rename("items").reset_index()
    by = decided.loc[decided["status"].isin([*LEAVE, "indeterminate", "excepted", "notification"]), "control"]
    table["flows_decided"] = table["control"].map(by.value_counts()).fillna(0).astype("int64")
    table = table.merge(items, on="control", how="left")
    table["items"] = table["items"].fillna("")
    book = case.book.tables
    controls = book["controls"].rename(
        columns={
            "item": "measure",
            "licence_policy": "policy",
            "destination_scope": "scope",
            "from": "in_force_from",
            "to": "in_force_to",
        }
    )
    kept = ["control", "imposing", "regime", "instrument", "measure", "policy", "scope", "reach", "in_force_from"]
    kept += ["in_force_to", "suspended_from", "suspended_to", "quality", "source", "note"]
    regimes = book["regimes"].rename(columns={"name": "regime_name", "kind": "regime_kind"})
    table = table.merge(controls[kept], on="control", how="left")
    table = table.merge(regimes[["regime", "regime_name", "regime_kind"]], on="regime", how="left")
    # What the book does not hold, or a classification that is open, is no control of the book: nothing to join.
    blank = ["imposing", "regime", "regime_name", "regime_kind", "instrument", "measure", "policy", "scope", "reach"]
    table[[*blank, "quality", "source", "note"]] = table[[*blank, "quality", "source", "note"]].fillna("")
    front = ["control", "imposing", "regime", "regime_name", "regime_kind"]
    return table[front + [name for name in table.columns if name not in front]].sort_values(
        ["flows_decided", "flows", "flows_open", "control"], ascending=[False, False, False, True], ignore_index=True
    )


def determinations(case: Case) -> pd.DataFrame:
    """Return every flow of the case that is not simply free, with its determination: the evidence behind the shares."""
    flows = case.flows()[["supply", "item", "origin", "head_office", "destination"]].astype(str)
    table = case.determinations.table.drop(columns=["floor_policy", "ceiling_policy"])
    whole = pd.concat([flows, table], axis=1)
    whole.insert(5, "weight", case.compiled.offer_weight)
    kept = whole[(whole["status"] != "free") | (whole["conditions"] != "")]
    return kept.sort_values(["item", "destination", "supply"], kind="stable", ignore_index=True)


def sources(case: Case, used: set[str]) -> pd.DataFrame:
    """Return the sources named by ``used``, of network and regime book: ``source, title, publisher, date, url``."""
    columns = ["source", "title", "publisher", "date", "url", "licence"]
    every = [table.reindex(columns=columns) for table in (case.network.sources, case.book.tables["sources"])]
    table = pd.concat(every, ignore_index=True).drop_duplicates("source", keep="last")
    return table[table["source"].isin(used)].sort_values("source", ignore_index=True)


def split_sources(text: str) -> list[str]:
    """Return the ids in a cell of sources; ``none`` and ``unverified`` are words, not sources."""
    parts = (part.strip() for part in str(text).split(";"))
    return [part for part in parts if part and part not in ("none", "unverified")]
