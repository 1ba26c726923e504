"""What the market offers a buyer: prices, today's shares, capacities and waiting times, known or assumed by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from supplychain.assumptions import Assumptions
from supplychain.errors import Problems
from supplychain.network import DAYS_PER_MONTH, NOBODY, UNATTRIBUTED
from supplychain.sourcing.problem import Flags, Floats, Ints


@dataclass(frozen=True, eq=False)
class Market:
    """Needs, supplies and lines before law: `supply` and `need` are positions of each line (L).

    price      money per unit, freight included (L); in `index` a year of one need costs about 1.
    today      part of the need (L); capacity of the line, units a year (L).
    new        supplies that have still to be qualified (S), with their cost and the months before the first delivery.
    """

    currency: str
    price: Floats
    today: Floats
    line_capacity: Floats
    capacity: Floats
    spare: Floats
    new: Flags
    qualification_cost: Floats
    ready_months: Floats
    notes: tuple[str, ...]


def read_market(
    needs: pd.DataFrame,
    supplies: pd.DataFrame,
    need: Ints,
    supply: Ints,
    items: pd.DataFrame,
    lanes: pd.DataFrame,
    assumptions: Assumptions,
) -> Market:
    """Return the market of candidate lines.

    `needs` has plant, item, demand (units a year). `supplies` has the columns of the supplies table, the unattributed
    remainder included. `lanes` are the observed or priced lanes to the plants. Raises InputError for mixed currencies.
    """
    notes: list[str] = []
    lane = _lane_columns(needs, supplies, need, supply, lanes)
    currency, price, priced = _prices(needs, supplies, need, supply, lane, assumptions, notes)
    today, observed = _today(needs, supplies, need, supply, lane, priced, assumptions)
    bought = np.bincount(supply, today, len(supplies)) > 0
    unnamed = (supplies["organisation"] == NOBODY).to_numpy() | _remainder(supplies)
    new = ~bought & ~unnamed
    demand = needs["demand"].to_numpy(float)
    line_capacity = np.where(np.isnan(lane["capacity"]), np.inf, lane["capacity"])
    # Nobody can sign with producers without a name: they keep at most today's part.
    line_capacity = np.where(unnamed[supply], np.minimum(line_capacity, today * demand[need]), line_capacity)
    if observed:
        notes.append("today's shares are those of the observed lanes")
    elif today.any():
        least = assumptions.number("sourcing.smallest_share")
        notes.append(f"today's shares are the market's, of producers with at least {least:.0%} of an item")
    capacity = _capacity(needs, supplies, need, supply, priced, assumptions, notes)
    by_item = items.set_index("item").reindex(pd.Index(supplies["item"]))
    spare = _first(supplies, "spare_capacity", by_item["spare_capacity"], 0.0)
    cost = _qualification_cost(needs, supplies, need, supply, price, new, currency, assumptions, notes)
    return Market(
        currency=currency,
        price=price,
        today=today,
        line_capacity=line_capacity,
        capacity=capacity,
        spare=np.where(priced, _number(supplies, "spare_capacity", 0.0), spare),
        new=new,
        qualification_cost=cost,
        ready_months=_waiting(supplies, by_item, new, assumptions),
        notes=tuple(notes),
    )


def _remainder(supplies: pd.DataFrame) -> Flags:
    """Supplies that stand for what recorded shares leave: maker and place unknown."""
    return np.asarray(supplies["supply"].str.startswith(UNATTRIBUTED), dtype=bool)


def _number(table: pd.DataFrame, column: str, blank: float = np.nan) -> Floats:
    if column not in table:
        return np.full(len(table), blank)
    values = table[column].to_numpy(float)
    return np.where(np.isnan(values), blank, values)


def _first(supplies: pd.DataFrame, column: str, second: Any, blank: float) -> Floats:
    own = _number(supplies, column)
    other = np.asarray(second, dtype=float)
    value = np.where(np.isnan(own), other, own)
    return np.where(np.isnan(value), blank, value)


def _lane_columns(
    needs: pd.DataFrame, supplies: pd.DataFrame, need: Ints, supply: Ints, lanes: pd.DataFrame
) -> pd.DataFrame:
    """Share, volume, unit_cost, capacity and transit_days of the lane of each line (NaN without one)."""
    columns = ["share", "volume", "unit_cost", "capacity", "transit_days"]
    keys = pd.MultiIndex.from_arrays([supplies["supply"].to_numpy()[supply], needs["plant"].to_numpy()[need]])
    table = lanes[lanes["to_plant"] != ""] if len(lanes) else lanes
    if not len(table):
        return pd.DataFrame({column: np.full(len(need), np.nan) for column in [*columns, "present"]}).fillna(
            {"present": 0.0}
        )
    values = {column: _number(table, column) for column in columns}
    found = pd.DataFrame({**values, "present": 1.0, "from": table["from_supply"], "to": table["to_plant"]})
    grouped = found.groupby(["from", "to"], sort=True)
    merged = pd.DataFrame(
        {
            "share": grouped["share"].sum(min_count=1),
            "volume": grouped["volume"].sum(min_count=1),
            "unit_cost": grouped["unit_cost"].min(),
            "capacity": grouped["capacity"].sum(min_count=1),
            "transit_days": grouped["transit_days"].min(),
            "present": grouped["present"].max(),
        }
    )
    return merged.reindex(keys).reset_index(drop=True).fillna({"present": 0.0})


def _prices(
    needs: pd.DataFrame,
    supplies: pd.DataFrame,
    need: Ints,
    supply: Ints,
    lane: pd.DataFrame,
    assumptions: Assumptions,
    notes: list[str],
) -> tuple[str, Floats, bool]:
    """Currency, price per unit of each line (NaN: the line cannot be used, its cost is not known), and whether in
    money."""
    own = _number(supplies, "unit_cost")[supply]
    freight = lane["unit_cost"].to_numpy(float)
    price = np.where(np.isnan(own), 0.0, own) + np.where(np.isnan(freight), 0.0, freight)
    known = ~(np.isnan(own) & np.isnan(freight))
    # Where lanes carry prices, a line without one has a freight that nobody knows; unknown is not free.
    laned = np.bincount(need, ~np.isnan(freight), len(needs))[need] > 0
    known &= ~(laned & np.isnan(freight))
    complete = np.bincount(need, known, len(needs)) > 0
    named = ~_remainder(supplies)[supply]
    if complete.all() and (known | laned | ~named).all():
        currency = _currency(supplies, supply, own, freight)
        return currency, np.where(known, price, np.nan), True
    share = _number(supplies, "share", 0.0)
    most = pd.Series(share).groupby(supplies["item"].to_numpy()).transform("max").to_numpy(float)
    small = assumptions.number("sourcing.small_premium")
    premium = small * (1 - np.where(most > 0, share / np.where(most > 0, most, 1.0), 0.0))[supply]
    mean = pd.Series(np.where(known, price, np.nan)).groupby(need).transform("mean").to_numpy(float)
    all_known = (np.bincount(need, known & named, len(needs)) == np.bincount(need, named, len(needs)))[need]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(all_known & (mean > 0) & known, price / mean, 1.0)
    demand = needs["demand"].to_numpy(float)[need]
    notes.append(
        "prices are an index: the data have no price for every supply, so a year of one need costs 1, plus up to "
        f"{small:.0%} for the smallest producers and {assumptions.number('sourcing.new_premium'):.0%} for new ones "
        "(assumptions sourcing.small_premium, sourcing.new_premium)"
    )
    return "index", relative * (1 + premium) / np.where(demand > 0, demand, 1.0), False


def _currency(supplies: pd.DataFrame, supply: Ints, own: Floats, freight: Floats) -> str:
    """The one currency of all prices used; InputError names every supply that has another one."""
    column = supplies["currency"].fillna("").astype(str) if "currency" in supplies else pd.Series("", supplies.index)
    fee = _number(supplies, "qualification_cost")
    used = np.zeros(len(supplies), dtype=bool)
    used[supply[~np.isnan(own)]] = True
    used |= ~np.isnan(fee) & (fee > 0)
    stated = sorted({c for c in column[used] if c} | ({"USD"} if (~np.isnan(freight)).any() else set()))
    if len(stated) > 1:
        faults = Problems()
        for name, text in zip(supplies["supply"][used], column[used], strict=True):
            if text not in ("", stated[0]):
                rule = f"currencies are mixed ({', '.join(stated)}; lanes are in USD)"
                faults.add(
                    "sourcing-currency",
                    rule,
                    "convert to one",
                    table="supplies",
                    column="currency",
                    value=f"{name}: {text}",
                )
        if not faults.errors:
            faults.add("sourcing-currency", f"currencies are mixed ({', '.join(stated)})", table="supplies")
        faults.raise_if_any()
    return stated[0] if stated else "USD"


def _today(
    needs: pd.DataFrame,
    supplies: pd.DataFrame,
    need: Ints,
    supply: Ints,
    lane: pd.DataFrame,
    priced: bool,
    assumptions: Assumptions,
) -> tuple[Floats, bool]:
    """Part of each need bought on each line today: of observed lanes, else the market shares of producers of some size.

    A recorded qualification cost has still to be paid, so such a supply is not bought from today unless a lane says so.
    """
    n = len(needs)
    share, volume = lane["share"].to_numpy(float), lane["volume"].to_numpy(float)
    demand = needs["demand"].to_numpy(float)[need]
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = np.where(~np.isnan(share), share, np.where(demand > 0, volume / demand, np.nan))
    observed = np.bincount(need, ~np.isnan(seen), n) > 0
    seen = np.nan_to_num(seen)
    market = _number(supplies, "share", 0.0)[supply]
    has_lane = np.bincount(need, lane["present"].to_numpy(float), n) > 0
    fee = _number(supplies, "qualification_cost")[supply]
    unpaid = (~np.isnan(fee) & (fee > 0)) if priced else np.zeros(len(need), dtype=bool)
    remainder = _remainder(supplies)[supply]
    large = (market >= assumptions.number("sourcing.smallest_share")) | (market >= _largest(market, need, n))
    pool = np.where(large & ~unpaid & ~remainder & ~has_lane[need] & (market > 0), market, 0.0)
    total = np.bincount(need, pool, n)[need]
    pool = np.where(total > 0, pool / np.where(total > 0, total, 1.0), 0.0)
    most = np.bincount(need, seen, n)[need]
    seen = np.where(most > 1, seen / np.where(most > 1, most, 1.0), seen)
    return np.where(observed[need], seen, pool), bool(observed.any())


def _largest(values: Floats, need: Ints, n: int) -> Floats:
    most = np.zeros(n)
    np.maximum.at(most, need, values)
    return np.asarray(most[need] - 1e-12)


def _capacity(
    needs: pd.DataFrame,
    supplies: pd.DataFrame,
    need: Ints,
    supply: Ints,
    priced: bool,
    assumptions: Assumptions,
    notes: list[str],
) -> Floats:
    """Units a year that each supply can sell to this buyer: recorded; else, where shares are known and prices are
    not, so many times its market share of the buyer's whole need; else without a known limit."""
    recorded = _number(supplies, "capacity")
    wanted = pd.Series(needs["demand"].to_numpy(float)).groupby(needs["item"].to_numpy()).sum()
    own = wanted.reindex(pd.Index(supplies["item"])).fillna(0.0).to_numpy(float)
    share = _number(supplies, "share")
    claim = assumptions.number("sourcing.claim")
    reach = np.where(np.isnan(share) | priced, np.inf, claim * share * own)
    if (np.isnan(recorded) & np.isfinite(reach)).any():
        notes.append(
            f"where no capacity is recorded, a producer sells this buyer at most {claim:g} times its market share of "
            "the buyer's need (assumption sourcing.claim)"
        )
    elif np.isnan(recorded).any():
        notes.append("supplies without a recorded capacity are taken to have no limit")
    return np.where(np.isnan(recorded), reach, recorded)


def _qualification_cost(
    needs: pd.DataFrame,
    supplies: pd.DataFrame,
    need: Ints,
    supply: Ints,
    price: Floats,
    new: Flags,
    currency: str,
    assumptions: Assumptions,
    notes: list[str],
) -> Floats:
    """Cost of qualifying each new supply: recorded, else a part of a year's cost of the average need it could serve."""
    recorded = _number(supplies, "qualification_cost") if currency != "index" else np.full(len(supplies), np.nan)
    yearly = np.nan_to_num(price) * needs["demand"].to_numpy(float)[need]
    count = np.bincount(supply, ~np.isnan(price), len(supplies))
    mean = np.bincount(supply, yearly, len(supplies)) / np.maximum(count, 1)
    rate = assumptions.number("sourcing.qualification_cost")
    if (np.isnan(recorded) & new).any():
        notes.append(
            f"qualifying a source whose cost is not recorded costs {rate:.0%} of a year of one need "
            "(assumption sourcing.qualification_cost)"
        )
    return np.where(new, np.where(np.isnan(recorded), rate * mean, recorded), 0.0)


def _waiting(supplies: pd.DataFrame, by_item: pd.DataFrame, new: Flags, assumptions: Assumptions) -> Floats:
    """Months before the first delivery: lead time, and qualification where the supply is new."""
    lead = _number(supplies, "lead_time_days") / DAYS_PER_MONTH
    lead = np.where(np.isnan(lead), by_item["lead_time_months"].to_numpy(float), lead)
    qualify = _number(supplies, "qualification_days") / DAYS_PER_MONTH
    qualify = np.where(np.isnan(qualify), by_item["qualification_months"].to_numpy(float), qualify)
    default = float(assumptions.settings["resourcing"]["qualification_months"]["default"])
    qualify = np.where(np.isnan(qualify), default, qualify)
    return np.nan_to_num(lead) + np.where(new, qualify, 0.0)
