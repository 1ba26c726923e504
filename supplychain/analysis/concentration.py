"""Concentration: HHI and effective number of sources by organisation, site and jurisdiction, direct and by all tiers.

HHI is the sum of squared shares; 1 / HHI is the number of equal sources that would be as concentrated. What is not
known (unattributed shares, makers known by country only) makes a range: at the low end it is spread over countless
small sources, at the high end it all belongs to the largest.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.network import REMAINDER, SUPPLY, UNKNOWN_PLACE, Compiled, Floats, SupplyNetwork, is_firm

VIEWS: Final = ("organisation", "site", "jurisdiction")
_TIERS: Final = 24  # tiers a walk upstream may climb; cycles are cut off there


def concentration(network: SupplyNetwork, compiled: Compiled, items: npt.NDArray[Any] | None = None) -> pd.DataFrame:
    """Return one row per item and view (organisation, site, jurisdiction of the head office).

    Columns: item, name, tier, view, hhi_low, hhi_high, effective_low, effective_high (number of equal sources),
    largest, largest_share, unknown_share. `items` are positions in the compiled network; default: every item in it.
    """
    known = np.unique(compiled.supply_item[compiled.supply_item >= 0]) if items is None else np.asarray(items)
    frames = []
    for view in VIEWS:
        label, names = source_labels(network, compiled, view)
        makes = np.flatnonzero(np.isin(compiled.supply_item, known))
        frame = _indices(compiled.supply_item[makes], label[makes], compiled.supply_share[makes], names)
        frames.append(frame.assign(view=view))
    table = pd.concat(frames, ignore_index=True)
    rows = network.items.iloc[table["key"]]
    table.insert(0, "item", rows["item"].to_numpy(object))
    table.insert(1, "name", rows["name"].to_numpy(object))
    table.insert(2, "tier", rows["tier"].to_numpy(float))
    order = {view: k for k, view in enumerate(VIEWS)}
    table["order"] = table["view"].map(order)
    return table.sort_values(["item", "order"], ignore_index=True).drop(columns=["key", "order"])


def through_tiers(network: SupplyNetwork, compiled: Compiled, *products: str) -> pd.DataFrame:
    """Return concentration of all that goes into each product: one row per product and view, as in `concentration`.

    A walk goes upstream from the product, at each item on to one of its inputs (essential and important ones, each as
    likely), and meets makers by their shares; sources are weighed by how often they are met.
    """
    items = {item: position for position, item in enumerate(compiled.items)}
    makes = compiled.supply_share * (compiled.supply_item >= 0)
    met = [
        upstream_visits(compiled, items[product])[np.maximum(compiled.supply_item, 0)] * makes for product in products
    ]
    weight = np.array([row / (row.sum() or 1.0) for row in met])
    key = np.repeat(np.arange(len(products)), compiled.n_supplies)
    frames = []
    for view in VIEWS:
        label, names = source_labels(network, compiled, view)
        frames.append(_indices(key, np.tile(label, len(products)), weight.ravel(), names).assign(view=view))
    table = pd.concat(frames, ignore_index=True).sort_values("key", kind="stable", ignore_index=True)
    table.insert(0, "item", np.array(products, object)[table.pop("key").to_numpy(np.intp)])
    return table


def upstream_visits(compiled: Compiled, product: int) -> Floats:
    """Return how often a walk upstream from item `product` meets each item (I,); the product itself is not counted."""
    n = len(compiled.items)
    needs = np.flatnonzero(compiled.supply_item[compiled.need_supply] >= 0)
    of, on = compiled.supply_item[compiled.need_supply[needs]], compiled.market_item[compiled.need_market[needs]]
    pairs = np.unique(of.astype(np.int64) * n + on)
    of, on = pairs // n, pairs % n
    chance = 1.0 / np.bincount(of, minlength=n)[of]
    now = np.zeros(n)
    now[product] = 1.0
    visits = np.zeros(n)
    for _ in range(_TIERS):
        now = np.bincount(on, now[of] * chance, minlength=n).astype(float)
        visits += now
        if not now.any():
            break
    return visits


def source_labels(network: SupplyNetwork, compiled: Compiled, view: str) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return (label per node, names): organisation, site country or head-office jurisdiction; -1 where unknown."""
    makes = (compiled.supply_kind == SUPPLY) | (compiled.supply_kind == REMAINDER)
    if view == "site":
        unknown = compiled.places.index(UNKNOWN_PLACE)
        label = np.where(makes & (compiled.supply_place != unknown), compiled.supply_place, -1)
        return label.astype(np.int64), list(compiled.places)
    org = compiled.supply_org.astype(np.int64)
    firms = pd.Series(compiled.organisations, dtype=object)
    if view == "organisation":
        single = firms.map(is_firm).to_numpy(bool)
        return np.where((org >= 0) & single[org], org, -1), list(compiled.organisations)
    office = firms.map(network.organisations.set_index("organisation")["jurisdiction"]).fillna("").to_numpy(object)
    names = sorted(set(office) - {""})
    code = np.array([names.index(o) if o else -1 for o in office], dtype=np.int64)
    return np.where(org >= 0, code[org], -1), names


def _indices(key: npt.NDArray[Any], label: npt.NDArray[np.int64], share: Floats, names: list[str]) -> pd.DataFrame:
    """Return the indices of one view by key; shares of a key sum to at most 1, the rest is unknown."""
    frame = pd.DataFrame({"key": key, "label": label, "share": share})
    known = frame[frame["label"] >= 0].groupby(["key", "label"])[["share"]].sum().reset_index()
    known = known.sort_values(["key", "share", "label"], ascending=[True, False, True])
    keys = np.unique(key)
    squares = known.assign(square=known["share"] ** 2).groupby("key")["square"].sum().reindex(keys, fill_value=0.0)
    total = known.groupby("key")["share"].sum().reindex(keys, fill_value=0.0)
    first = known.drop_duplicates("key").set_index("key").reindex(keys)
    largest = first["share"].fillna(0.0).to_numpy(float)
    unknown = np.clip(1.0 - total.to_numpy(float), 0.0, 1.0)
    low = squares.to_numpy(float)
    high = low - largest**2 + (largest + unknown) ** 2
    with np.errstate(divide="ignore"):
        effective = np.stack([1.0 / high, np.where(low > 0, 1.0 / low, np.inf)])
    return pd.DataFrame(
        {
            "key": keys,
            "hhi_low": low,
            "hhi_high": np.minimum(high, 1.0),
            "effective_low": effective[0],
            "effective_high": effective[1],
            "largest": [names[int(code)] if code == code else "" for code in first["label"]],
            "largest_share": largest,
            "unknown_share": unknown,
        }
    )
