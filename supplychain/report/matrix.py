"""Who controls what: the share of each item's supply to its users that needs leave, by imposing state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from supplychain.network import Compiled, Floats

LEAVE = ("licence", "prohibited")  # statuses of a flow that cannot move without the leave of a state


def market_weights(compiled: Compiled) -> Floats:
    """Return the part that each market (M,) has in its item: by the world share of the supplies that buy there.

    Plants and markets where nothing on record buys count as whole buyers. The parts of an item sum to 1.
    """
    buyer_share = np.where(compiled.supply_share > 0, compiled.supply_share, 0.0)
    buyer_share = np.where(compiled.supply_kind == 2, 1.0, buyer_share)  # network.PLANT
    total = np.zeros(compiled.n_markets)
    np.add.at(total, compiled.need_market, buyer_share[compiled.need_supply])
    wanted = np.zeros(compiled.n_markets, dtype=bool)
    wanted[compiled.need_market] = True
    total = np.where(wanted, total, 1.0)
    by_item = np.zeros(len(compiled.items))
    np.add.at(by_item, compiled.market_item, total)
    even = np.bincount(compiled.market_item, minlength=len(compiled.items))
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(
            by_item[compiled.market_item] > 0, total / by_item[compiled.market_item], 1 / even[compiled.market_item]
        )
    return part


def offer_parts(compiled: Compiled) -> Floats:
    """Return the part that each offer (K,) has in the supply of its item to the users of this case; 1 by item."""
    return np.asarray(market_weights(compiled)[compiled.offer_market] * compiled.offer_weight)


def by_state(compiled: Compiled, applied: pd.DataFrame) -> pd.DataFrame:
    """Return one row per item and imposing state with a control that applies or may apply.

    ``applied`` is the long table of determinations (``flow`` = offer, ``control, imposing, regime, status, policy,
    certain``). Columns: ``item, imposing, leave`` (share that needs the state's leave), ``unknown`` (further share that
    may), ``denied`` (share refused by presumption of denial or embargo), ``controls, regimes`` (joined by ;).
    """
    part = offer_parts(compiled)
    item = compiled.market_item[compiled.offer_market]
    rows = applied[applied["status"].isin(LEAVE)]
    flow = rows["flow"].to_numpy(dtype=np.int64)
    certain = rows["certain"].astype("boolean").fillna(False).to_numpy(bool)
    denied = certain & rows["policy"].isin(["presumption-of-denial", "embargo"]).to_numpy(bool)
    found = pd.DataFrame({"flow": flow, "imposing": rows["imposing"].to_numpy(), "certain": certain, "denied": denied})
    each = found.groupby(["flow", "imposing"], sort=True)[["certain", "denied"]].any().reset_index()
    each["part"] = part[each["flow"]]
    each["item"] = np.asarray(compiled.items, dtype=object)[item[each["flow"]]]
    each["leave"] = each["part"].where(each["certain"], 0.0)
    each["unknown"] = each["part"].where(~each["certain"], 0.0)
    each["refused"] = each["part"].where(each["denied"], 0.0)
    table = each.groupby(["item", "imposing"], sort=True)[["leave", "unknown", "refused"]].sum().reset_index()
    names = rows.assign(item=np.asarray(compiled.items, dtype=object)[item[flow]])
    joined = (
        names.groupby(["item", "imposing"], sort=True)
        .agg(
            controls=("control", lambda values: ";".join(sorted(set(values)))),
            regimes=("regime", lambda values: ";".join(sorted(set(values)))),
        )
        .reset_index()
    )
    return table.merge(joined, on=["item", "imposing"], how="left").rename(columns={"refused": "denied"})


def by_item(compiled: Compiled, table: pd.DataFrame) -> pd.DataFrame:
    """Return every item reached: ``item, leave, unknown, denied, excepted, free`` as shares of its supply.

    ``table`` holds the determination of each offer in order, with columns ``status`` and ``policy``.
    """
    part = offer_parts(compiled)
    status = table["status"].to_numpy(dtype=object)
    denied = table["policy"].isin(["presumption-of-denial", "embargo"]).to_numpy(bool) | (status == "prohibited")
    kinds = {
        "leave": np.isin(status, LEAVE),
        "unknown": status == "indeterminate",
        "denied": np.isin(status, LEAVE) & denied,
        "excepted": status == "excepted",
        "free": np.isin(status, ["free", "notification"]),
    }
    position = compiled.market_item[compiled.offer_market]
    columns = {
        name: np.bincount(position, weights=part * chosen, minlength=len(compiled.items))
        for name, chosen in kinds.items()
    }
    split = pd.DataFrame({"item": list(compiled.items), **columns})
    return split[np.isin(np.arange(len(split)), compiled.market_item)].reset_index(drop=True)
