"""Actions on supply, demand and stock: edits of a network's tables, and what outages take from nodes over time."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from supplychain.errors import Problems
from supplychain.network import DAYS_PER_MONTH, REMAINDER, UNKNOWN_PLACE, Compiled, Flags, Floats, SupplyNetwork
from supplychain.shocks import Bound
from supplychain.whatif import actions as do

_WHOLE: Final = 1e-12
_NEXT_TO_NOTHING: Final = 1e-9


@dataclass(frozen=True)
class Outage:
    """What an outage takes: ``part`` from month ``start`` to month ``end`` after the case's day, then a linear
    recovery."""

    action: do.Action
    part: float
    start: float
    end: float
    recover: float

    def at(self, month: float) -> float:
        """Return the part lost at a moment."""
        if month < self.start or self.part == 0:
            return 0.0
        if month < self.end:
            return self.part
        if self.recover == 0 or month >= self.end + self.recover:
            return 0.0
        return self.part * (1.0 - (month - self.end) / self.recover)

    def mean(self, months: float) -> float:
        """Return the mean part lost over the first ``months``, in closed form."""
        full = max(min(self.end, months) - max(self.start, 0.0), 0.0)
        tail = min(max(months - self.end, 0.0), self.recover)
        head = min(max(-self.end, 0.0), tail)
        sloped = (_slope(tail, self.recover) - _slope(head, self.recover)) if self.recover else 0.0
        return float(min(self.part * (full + sloped) / months, self.part))


def _slope(months: float, recover: float) -> float:
    return months - months * months / (2 * recover)


@dataclass(frozen=True)
class Ramp:
    """New capacity of an item in a state: ``add`` (of today's world output) built evenly from ``start`` to ``end``."""

    item: str
    state: str
    organisation: str
    add: float
    start: float
    end: float

    def mean(self, months: float) -> float:
        """Return the mean capacity that stands over the first ``months`` (at month 0: what stands then)."""
        if months <= 0:
            return self.at(0.0)
        length = self.end - self.start
        rising = max(min(months, self.end) - max(self.start, 0.0), 0.0)
        mid = max(self.start, 0.0) + rising / 2
        area = rising * (self.at(mid) if length > 0 else 0.0)
        area += self.add * max(months - max(self.end, 0.0), 0.0)
        return area / months

    def at(self, month: float) -> float:
        """Return the capacity that stands at a moment."""
        if month >= self.end:
            return self.add
        return 0.0 if month <= self.start else self.add * (month - self.start) / (self.end - self.start)


def month_of(day: date | None, on: date) -> float:
    """Return the months from the case's day to ``day``, negative before it; 0 without a day."""
    return 0.0 if day is None else (day - on).days / DAYS_PER_MONTH


def net(actions: Sequence[do.Action]) -> list[do.Action]:
    """Return the actions with all capacity factors of one choice and day multiplied into one, so that an action and its
    undoing cancel."""
    others = [action for action in actions if not isinstance(action, do.Capacity)]
    merged: dict[str, do.Capacity] = {}
    for action in actions:
        if isinstance(action, do.Capacity):
            key = action.model_copy(update={"factor": 1.0, "note": ""}).words
            factor = action.factor * (merged[key].factor if key in merged else 1.0)
            merged[key] = action.model_copy(update={"factor": factor})
    return [*others, *(action for _, action in sorted(merged.items()))]


def outages(actions: Sequence[do.Action], on: date, window: float) -> tuple[Outage, ...]:
    """Return what outages, and capacity that is lost for good, take; without an end they last beyond the ``window``."""
    found = []
    for action in actions:
        start = month_of(action.start, on)
        if isinstance(action, do.Outage):
            end = 10 * window + start if action.months is None else start + action.months
            found.append(Outage(action, action.part, start, end, action.recover_months))
        elif isinstance(action, do.Capacity) and action.factor < 1:
            found.append(Outage(action, 1.0 - action.factor, start, 10 * window + start, 0.0))
    return tuple(found)


def ramps(actions: Sequence[do.Action], on: date) -> tuple[Ramp, ...]:
    """Return the ramps of new capacity."""
    found = []
    for action in actions:
        if isinstance(action, do.Grow):
            start, end = month_of(action.start, on), month_of(action.until, on)
            ramp = Ramp(action.item, action.state, action.organisation, action.add, start, max(start, end))
            found.append(ramp)
    return tuple(found)


def chosen_nodes(compiled: Compiled, action: do.Action, bound: Bound) -> Flags:
    """Return which nodes (S,) a choice of supplies hits. At the pessimistic end what is unknown belongs to it: makers
    at unknown places to a choice of sites, nobody's remainder to a choice of makers or sites."""
    assert isinstance(action, (do.Outage, do.Capacity, do.Cost))
    real = compiled.supply_item >= 0
    remainder = compiled.supply_kind == REMAINDER
    keep = real.copy()
    if action.items:
        codes = [compiled.items.index(item) for item in action.items if item in compiled.items]
        keep &= np.isin(compiled.supply_item, codes)
    unsure = np.zeros(len(real), bool)
    if action.supplies:
        keep &= np.isin(compiled.supply_ids.astype(str), list(action.supplies))
    for names, known, of in (
        (action.organisations, compiled.organisations, compiled.supply_org),
        (action.sites, compiled.places, compiled.supply_place),
    ):
        if names:
            wanted = np.isin(of, [known.index(name) for name in names if name in known])
            blank = remainder | (of < 0) | (np.array([*known, ""], object)[of] == UNKNOWN_PLACE)
            unsure |= keep & blank & ~wanted
            keep &= wanted | (blank & (bound == "pessimistic"))
    if not (action.items or action.supplies):
        # Nobody's remainder of an item is touched only where a known maker of that item is.
        touched = np.zeros(len(compiled.items), bool)
        touched[compiled.supply_item[keep & ~unsure]] = True
        keep &= ~unsure | touched[compiled.supply_item]
    return keep


def own_lost(compiled: Compiled, lost: Sequence[Outage], bound: Bound, month: float, mean: bool) -> Floats:
    """Return the part of each node's output (S,) that outages take, at a moment or in the mean of the first months."""
    left = np.ones(compiled.n_supplies)
    for outage in lost:
        part = outage.mean(month) if mean else outage.at(month)
        if part > 0:
            left[chosen_nodes(compiled, outage.action, bound)] *= 1.0 - part
    return np.asarray(1.0 - left)


def surge(compiled: Compiled, actions: Sequence[do.Action], spare: Floats, on: date, month: float) -> Floats:
    """Return the part of each node's output (S,) that a surge of the world's demand leaves unserved: what a factor
    above 1 + spare capacity takes from everyone alike."""
    left = np.ones(len(compiled.items))
    for item, factor in sorted(_world_demand(actions, on, month).items()):
        if item in compiled.items and factor > 0:
            code = compiled.items.index(item)
            left[code] = min(1.0, (1.0 + spare[code]) / factor)
    lost = np.where(compiled.supply_item >= 0, 1.0 - left[compiled.supply_item], 0.0)
    return np.asarray(lost)


def _world_demand(actions: Sequence[do.Action], on: date, month: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for action in actions:
        if isinstance(action, do.Demand) and action.world and month_of(action.start, on) <= month:
            for item in action.items:
                found[item] = found.get(item, 1.0) * action.factor
    return found


def edit_network(
    network: SupplyNetwork, actions: Sequence[do.Action], buyer: str, codes: dict[str, str]
) -> SupplyNetwork:
    """Return the network after all actions but outages and ramps, and with the items' further ``codes``."""
    changes: dict[str, Any] = {}
    supplies = _with_capacity(network.supplies, actions)
    supplies = _with_costs(supplies, actions)
    if supplies is not network.supplies:
        changes["supplies"] = supplies
    items = _with_qualification(network.items, actions)
    if codes:
        items = items.copy()
        rows = items["item"].isin(list(codes))
        more = items.loc[rows, "item"].map(codes)
        items.loc[rows, "control_codes"] = items.loc[rows, "control_codes"] + ";" + more
    if items is not network.items:
        changes["items"] = items
    plants = _with_plants(network.plants, actions, buyer)
    if plants is not network.plants:
        changes["plants"] = plants
    return replace(network, **changes) if changes else network


def grown(network: SupplyNetwork, found: Sequence[Ramp], months: float) -> SupplyNetwork:
    """Return the network with the mean new capacity of the first ``months`` standing."""
    # A maker that is still to come stands with next to nothing, so that all months have the same nodes.
    made = [(ramp, max(ramp.mean(months), _NEXT_TO_NOTHING)) for ramp in found if ramp.add > 0]
    if not made:
        return network
    supplies, organisations = network.supplies, network.organisations
    rows: list[dict[str, object]] = []
    makers: list[dict[str, object]] = []
    for ramp, add in made:
        maker = ramp.organisation or f"new-{ramp.state.lower()}"
        if maker not in set(organisations["organisation"]) and maker not in {row["organisation"] for row in makers}:
            makers.append({"organisation": maker, "name": maker, "jurisdiction": ramp.state, "source": "none"})
        rows.append(
            {"supply": f"{ramp.item}.{maker}.{ramp.state.lower()}.scenario", "organisation": maker, "item": ramp.item,
             "site": ramp.state, "share": add, "quality": "assumption", "source": "none", "weight": True}
        )  # fmt: skip
    supplies = _appended(supplies, rows, "supply")
    if makers:
        organisations = _appended(organisations, makers, "organisation")
    return replace(network, supplies=_rescaled(network.supplies, supplies), organisations=organisations)


def _appended(frame: pd.DataFrame, rows: Sequence[dict[str, object]], key: str) -> pd.DataFrame:
    made = pd.DataFrame(list(rows))
    for name in frame.columns:
        if name not in made:
            kind = frame[name].dtype
            blank = np.nan if kind == np.float64 else pd.NA if kind == "boolean" else ""
            made[name] = pd.Series([blank] * len(made), dtype=kind)
        made[name] = made[name].astype(frame[name].dtype)
    both = pd.concat([frame, made[list(frame.columns)]], ignore_index=True)
    return both.sort_values(key, kind="stable").reset_index(drop=True)


def _rescaled(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return ``after`` with shares of the world output that it makes, where that has grown."""
    old = before.groupby("item")["share"].sum()
    new = after.groupby("item")["share"].sum()
    grew = 1.0 + new - old.reindex(new.index).fillna(0.0)
    # An item without any recorded share had its whole output unattributed.
    factor = after["item"].map(grew).to_numpy(float)
    changed = np.abs(factor - 1.0) > _WHOLE
    share = after["share"].to_numpy(float)
    return after.assign(share=np.where(changed, share / factor, share))


def matching(supplies: pd.DataFrame, action: do.Action) -> Flags:
    """Return which rows of a supplies table a choice of supplies names."""
    assert isinstance(action, (do.Outage, do.Capacity, do.Cost))
    keep = np.ones(len(supplies), bool)
    pairs = (
        ("supply", action.supplies),
        ("organisation", action.organisations),
        ("item", action.items),
        ("site", action.sites),
    )
    for column, names in pairs:
        if names:
            keep &= supplies[column].isin(list(names)).to_numpy(bool)
    return keep


def _with_capacity(supplies: pd.DataFrame, actions: Sequence[do.Action]) -> pd.DataFrame:
    factor = np.ones(len(supplies))
    for action in actions:
        if isinstance(action, do.Capacity) and action.factor > 1:
            factor[matching(supplies, action)] *= action.factor
    if (factor == 1).all():
        return supplies
    return _rescaled(supplies, supplies.assign(share=supplies["share"].to_numpy(float) * factor))


def _with_costs(supplies: pd.DataFrame, actions: Sequence[do.Action]) -> pd.DataFrame:
    factor = np.ones(len(supplies))
    for action in actions:
        if isinstance(action, do.Cost):
            factor[matching(supplies, action)] *= action.factor
    if (factor == 1).all() or "unit_cost" not in supplies:
        return supplies
    return supplies.assign(unit_cost=supplies["unit_cost"].to_numpy(float) * factor)


def _with_qualification(items: pd.DataFrame, actions: Sequence[do.Action]) -> pd.DataFrame:
    for action in actions:
        if isinstance(action, do.Qualify):
            rows = items["item"].isin(list(action.items)).to_numpy(bool)
            months = np.where(rows, action.months, items["qualification_months"].to_numpy(float))
            items = items.assign(qualification_months=months)
    return items


def _with_plants(plants: pd.DataFrame, actions: Sequence[do.Action], buyer: str) -> pd.DataFrame:
    own = (plants["buyer"] == buyer).to_numpy(bool)
    stock, demand = plants["stock_days"].to_numpy(float).copy(), plants["demand"].to_numpy(float).copy()
    # What is said of one plant or item goes over what is said of all.
    for action in sorted(
        actions, key=lambda a: (bool(getattr(a, "plants", ())) + bool(getattr(a, "items", ())), a.words)
    ):
        if not isinstance(action, (do.Stock, do.Demand)) or getattr(action, "world", False):
            continue
        rows = own.copy()
        if action.items:
            rows &= plants["item"].isin(list(action.items)).to_numpy(bool)
        if action.plants:
            rows &= plants["plant"].isin(list(action.plants)).to_numpy(bool)
        if isinstance(action, do.Demand):
            demand[rows] *= action.factor
        else:
            stock[rows] = action.days if action.days is not None else stock[rows] * float(action.factor or 0.0)
    same = _alike(stock, plants["stock_days"].to_numpy(float)) and _alike(demand, plants["demand"].to_numpy(float))
    return plants if same else plants.assign(stock_days=stock, demand=demand)


def _alike(left: Floats, right: Floats) -> bool:
    return bool(np.array_equal(left, right, equal_nan=True))


def check_names(network: SupplyNetwork, actions: Sequence[do.Action], file: str, problems: Problems) -> list[str]:
    """Add a problem for every name that the network does not have; return warnings of actions that touch nothing."""
    known = {
        "supplies": network.supplies["supply"],
        "organisations": network.organisations["organisation"],
        "items": network.items["item"],
        "plants": network.plants["plant"],
    }
    warnings = []
    for action in actions:
        if action.do in do.LEGAL:
            continue
        unknown = False
        lists = {**{name: getattr(action, name, ()) for name in known}}
        if isinstance(action, do.Grow):
            lists["items"] = (action.item,)
        for name, values in lists.items():
            for value in sorted(set(values) - set(known[name])):
                unknown = True
                close = difflib.get_close_matches(value, list(known[name]), n=1, cutoff=0.4)
                cure = f"did you mean {close[0]}?" if close else "look it up with `supplychain show`"
                problems.add("scenario-unknown", f"the network has no such name among its {name}", cure,
                             file=file, column=f"action.{name}", value=value)  # fmt: skip
        if unknown:
            continue
        empty = isinstance(action, (do.Outage, do.Capacity, do.Cost)) and not matching(network.supplies, action).any()
        idle = getattr(action, "factor", None) == 1.0 and not getattr(action, "add_days", 0.0)
        if empty or idle or getattr(action, "part", 1.0) == 0.0 or getattr(action, "add", 1.0) == 0.0:
            warnings.append(f"{action.words}: touches nothing")
    return warnings
