"""Two networks beside each other: concentration of the items that a mapping says are the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

from supplychain.exchange.mapping import mapping
from supplychain.facts.package import Package

OTHER = ("", "other")


def concentration(package: Package) -> pd.DataFrame:
    """Return one row per item with weighing shares: year, basis, known (sum of the shares with a known site), hhi_site
    (by country of production), hhi_head (by country of the head office), hhi_firm (sums of squared shares; "other" and
    unattributed parts count nothing; NaN where no firm is named), top_site, top_share, firms (number named)."""
    supplies = package.tables["supplies"]
    rows = supplies[supplies["weight"].fillna(False).astype(bool) & supplies["share"].notna()]
    heads = package.tables["organisations"].set_index("organisation")["jurisdiction"]
    head = heads.reindex(pd.Index(rows["organisation"])).fillna("").to_numpy(object)
    total = rows.groupby("item")["share"].transform("sum").clip(lower=1.0)
    rows = rows.assign(share=rows["share"] / total, head=head)
    found = []
    for item, group in rows.groupby("item", sort=True):
        site = group[group["site"] != ""].groupby("site")["share"].sum().sort_index()
        named = ~group["organisation"].isin(OTHER) & ~group["organisation"].str.startswith("firms-of-")
        firm = group[named].groupby("organisation")["share"].sum()
        office = group[group["head"] != ""].groupby("head")["share"].sum()
        top = str(site.idxmax()) if len(site) else ""
        found.append(
            {
                "item": item,
                "year": group["year"].max(),
                "basis": ";".join(sorted(set(group["basis"]))),
                "known": float(site.sum()),
                "hhi_site": float(np.square(site).sum()),
                "hhi_head": float(np.square(office).sum()),
                "hhi_firm": float(np.square(firm).sum()) if len(firm) else float("nan"),
                "top_site": top,
                "top_share": float(site.max()) if top else float("nan"),
                "firms": len(firm),
            }
        )
    return pd.DataFrame(found).set_index("item")


def compare_eto(eto: Package, network: Package) -> pd.DataFrame:
    """Return the concentration of the items that both have ("same" in the mapping), columns of ETO with the suffix
    _eto, sorted by the difference in hhi_head, largest first."""
    ours = concentration(network)
    theirs = concentration(eto)
    key = {note.split(";")[0].removeprefix("ETO "): item for item, note in
           zip(eto.tables["items"]["item"], eto.tables["items"]["note"], strict=True)}  # fmt: skip
    pairs = [(key[name], row["item"]) for name, row in mapping("eto").items() if row["match"] == "same" and name in key]
    pairs = [(a, b) for a, b in pairs if a in theirs.index and b in ours.index]
    left = theirs.loc[[a for a, _ in pairs]].add_suffix("_eto").reset_index(names="item_eto")
    right = ours.loc[[b for _, b in pairs]].reset_index()
    table = pd.concat([right, left], axis=1)
    gap = (table["hhi_head"] - table["hhi_head_eto"]).abs()
    return table.iloc[np.lexsort((table["item"].astype(str), -gap))].reset_index(drop=True)
