"""World trade by product: flows as arrays, and what they say of dependence (HHI, the EU's three criteria)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.exchange.mapping import mapping
from supplychain.facts.countries import countries

Ints = npt.NDArray[np.int32]
EU = "EU"
# Arjona, Connell and Herghelegiu, "An enhanced methodology to monitor the EU's strategic dependencies and
# vulnerabilities", European Commission, Single Market Economics Papers 14 (2023), after SWD(2021) 352.
CONCENTRATED, FROM_OUTSIDE, SCARCE = 0.4, 0.5, 1.0


@cache
def places_by_code() -> dict[int, str]:
    """Return the ISO alpha-3 code of each numeric code of trade statistics (BACI, UN Comtrade); "" is no one state."""
    found = {int(row.numeric): row.iso3 for row in countries().values() if row.numeric}
    return found | {int(code): row["iso3"] for code, row in mapping("trade-places").items()}


@dataclass(frozen=True, eq=False)
class TradeFlows:
    """F flows of one source, in its order: years, positions of exporter and importer in `places` (ISO3, "" = no one
    state) and of the product in `products` (HS codes as text), value in USD, weight in tonnes (NaN unknown)."""

    places: tuple[str, ...]
    products: tuple[str, ...]
    year: npt.NDArray[np.int16]
    exporter: npt.NDArray[np.int16]
    importer: npt.NDArray[np.int16]
    product: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]
    tonnes: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.value)


def indicators(flows: TradeFlows) -> pd.DataFrame:
    """Return one row per year, product and importing country (ISO3), and for the European Union as one (EU).

    Columns: imports_usd, exports_usd, origins (their number), hhi (sum of squared origin shares), top_origin,
    top_share, outside_share (part of the imports from outside the bloc: the EU for its members of that year, itself
    for every other country), import_ratio (imports from outside over all exports; inf without exports), and the three
    criteria: concentrated (hhi > 0.4), from_outside (> 0.5), scarce (ratio > 1); dependent = all three. For the EU,
    hhi and top origin are of imports from outside, and exports count those between members too, as its method does.
    Several flows of one pair and product are added. Rows without importer are left out, unknown origins kept as one.
    """
    parts = [_indicators(flows, int(year)) for year in np.unique(flows.year)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _indicators(flows: TradeFlows, year: int) -> pd.DataFrame:
    member = np.array([bool(p) and countries()[p].in_eu(date(year, 12, 31)) for p in flows.places])
    pick = np.flatnonzero((flows.year == year) & (flows.value > 0))
    size = len(flows.places) + 1  # the last place is the European Union as one
    product = flows.product[pick].astype(np.int64)
    importer, exporter = flows.importer[pick].astype(np.int64), flows.exporter[pick].astype(np.int64)
    value = flows.value[pick]
    within = member[importer] & member[exporter]
    union = np.flatnonzero(member[importer])
    # Each import into the Union from outside counts twice: for the member and for the Union.
    outer = union[~within[union]]
    group = np.concatenate([product * size + importer, product[outer] * size + size - 1])
    origin = np.concatenate([exporter, exporter[outer]])
    amount = np.concatenate([value, value[outer]])
    outside = np.concatenate([np.where(within, 0.0, value), value[outer]])
    order = np.argsort(group * size + origin, kind="stable")
    group, origin, amount, outside = group[order], origin[order], amount[order], outside[order]
    pair = np.flatnonzero(np.r_[True, (np.diff(group) != 0) | (np.diff(origin) != 0)]) if len(group) else group
    amount, outside = np.add.reduceat(amount, pair), np.add.reduceat(outside, pair)
    group, origin = group[pair], origin[pair]
    start = np.flatnonzero(np.r_[True, np.diff(group) != 0]) if len(group) else group
    total = np.add.reduceat(amount, start)
    count = np.diff(np.r_[start, len(group)])
    share = amount / np.repeat(total, count)
    hhi = np.add.reduceat(share * share, start)
    top = _first_largest(share, start, count)
    key = group[start]
    item, place = key // size, key % size
    exports = _exports(product, exporter, value, member, size)
    sold = exports[item * size + place]
    is_union = place == size - 1
    between = np.bincount(product[within], value[within], minlength=len(flows.products))
    bought = np.where(is_union, total + between[item], total)
    from_outside = np.add.reduceat(outside, start) / bought
    with np.errstate(divide="ignore"):
        ratio = np.add.reduceat(outside, start) / sold
    table = pd.DataFrame(
        {
            "year": np.full(len(key), year, np.int16),
            "product": pd.Categorical.from_codes(item, pd.Index(flows.products, dtype=object)),
            "importer": pd.Categorical.from_codes(place, pd.Index([*flows.places, EU], dtype=object)),
            "imports_usd": bought,
            "exports_usd": sold,
            "origins": count,
            "hhi": hhi,
            "top_origin": pd.Categorical.from_codes(origin[top], pd.Index(flows.places, dtype=object)),
            "top_share": share[top],
            "outside_share": from_outside,
            "import_ratio": ratio,
            "concentrated": hhi > CONCENTRATED,
            "from_outside": from_outside > FROM_OUTSIDE,
            "scarce": ratio > SCARCE,
        }
    )
    table["dependent"] = table["concentrated"] & table["from_outside"] & table["scarce"]
    return table[table["importer"] != ""].reset_index(drop=True)


def _first_largest(
    share: npt.NDArray[np.float64], start: npt.NDArray[Any], count: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return the position of the largest share of each group; of equals the first."""
    most = np.repeat(np.maximum.reduceat(share, start), count) if len(start) else share
    where = np.where(share >= most, np.arange(len(share)), len(share))
    return np.minimum.reduceat(where, start) if len(start) else start


def _exports(
    product: npt.NDArray[np.int64],
    exporter: npt.NDArray[np.int64],
    value: npt.NDArray[np.float64],
    member: npt.NDArray[np.bool_],
    size: int,
) -> npt.NDArray[np.float64]:
    """Return exports by product and place, flattened; the last place of each product is the Union."""
    highest = int(product.max()) + 1 if len(product) else 0
    sold = np.bincount(product * size + exporter, value, minlength=highest * size)
    of_union = member[exporter]
    sold += np.bincount(product[of_union] * size + size - 1, value[of_union], minlength=highest * size)
    return np.asarray(sold, dtype=np.float64)
