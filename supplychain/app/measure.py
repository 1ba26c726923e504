"""What a draft does to a buyer, beside the case as it is: losses, choke points, who can withhold what, and the network.

Every number is one that the commands print for the same scenario: `whatif` (headline, needs, choke points), `refusals`
(states), `exposure`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from supplychain.analysis.elements import members, name_of
from supplychain.analysis.evidence import IEC, deciding
from supplychain.analysis.flow import FlowModel, loss_models
from supplychain.analysis.memory import Memory
from supplychain.case import Case
from supplychain.facts.countries import country, is_country
from supplychain.network import ROLES, Floats
from supplychain.report.matrix import by_item
from supplychain.shocks import Shocks
from supplychain.whatif.apply import Applied
from supplychain.whatif.choke import KINDS, Chokes, choke_losses
from supplychain.whatif.outlook import LOSSES, NEED, Outlook, need_weights, outlook

if TYPE_CHECKING:
    from supplychain.app.draft import Draft
    from supplychain.app.workspace import Setup, Workspace

HORIZON: Final = 12.0  # months of choke points and of what states can withhold
_ASKED: Final = {"all supply of": "all", "leave of": "leave"}  # what states can withhold, and its columns
_KIND: Final = {"leave of": "jurisdiction", "all supply of": "jurisdiction", "organisation": "organisation"}


@dataclass(frozen=True, eq=False)
class Reading:
    """A draft, measured. Losses are fractions of the need; ``base_*`` are those of the case as it is.

    headline: measure, horizon, after, short, after_high, short_high, margin_* (USD a year at risk), and base_* of each.
    needs: plant, destination, item, measure, horizon, the four ends, base_* of each.
    plants: plant, measure, horizon, the four ends, margin_*, base_* of the four ends.
    choke_points: kind (leave of, all supply of, organisation), element, name, after, short (what its loss adds to the
      draft's at 12 months), base_after, base_short (NaN: no choke point then), w1 (does Wassenaar minus one decide some
      of its flows), change (became, stopped, stays).
    states: state, name, all_after, all_short (it refuses all its supply abroad), leave_after, leave_short (what it
      controls on the date), base_* of each; NaN after: not more than the threshold of a choke point, never above short.
    items: item, name, tier, category, free, excepted, leave, denied, unknown (shares of its supply by status), base_*,
      choke. links: item, requires, role.
    warnings: what a reader must know. seconds: how long this took.
    """

    draft: Draft
    headline: pd.DataFrame
    needs: pd.DataFrame
    plants: pd.DataFrame
    choke_points: pd.DataFrame
    states: pd.DataFrame
    items: pd.DataFrame
    links: pd.DataFrame
    warnings: tuple[str, ...]
    seconds: float

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by its name."""
        names = ("headline", "needs", "plants", "choke_points", "states", "items", "links")
        return {name: getattr(self, name) for name in names}

    def head(self, measure: str, horizon: float, end: str = "after") -> float:
        """Return one figure of the headline."""
        rows = self.headline
        return float(rows.loc[(rows["measure"] == measure) & (rows["horizon"] == horizon), end].iloc[0])


@dataclass(frozen=True, eq=False)
class Measured:
    """One applied scenario, measured, before it is set beside another."""

    applied: Applied
    outlook: Outlook
    chokes: Chokes
    items: pd.DataFrame


def measure(workspace: Workspace, setup: Setup, draft: Draft) -> Reading:
    """Return the reading of a draft on the case of a setup.

    Raises InputError for a draft that does not fit the data, NoAnswer when a solver proves nothing.
    """
    began = time.perf_counter()
    with workspace.lock:
        base = measured(workspace, setup, None)
        now = measured(workspace, setup, draft)
        return _reading(workspace, draft, base, now, began)


def measured(workspace: Workspace, setup: Setup, draft: Draft | None) -> Measured:
    """Return the measures of a draft, or of the case as it is; remembered by content."""
    applied = workspace.baseline(setup) if draft is None else workspace.applied(setup, draft)
    key = (setup.buyer, setup.products, setup.on, "" if draft is None else draft.key)
    return workspace.kept("measured", key, lambda: _measured(applied, workspace.memory))


def _measured(applied: Applied, memory: Memory) -> Measured:
    case = applied.at(HORIZON)
    return Measured(
        applied=applied,
        outlook=outlook(applied, memory=memory),
        chokes=choke_losses(applied, HORIZON, memory=memory),
        items=by_item(case.compiled, _judged(case)),
    )


def _judged(case: Case) -> pd.DataFrame:
    """Return status and policy of every flow; the other columns of the determinations cost most of their time."""
    found = case.determinations
    return pd.DataFrame({name: np.asarray(found.column(name), object) for name in ("status", "policy")})


def _reading(workspace: Workspace, draft: Draft, base: Measured, now: Measured, began: float) -> Reading:
    case = now.applied.case
    assumed = [f"the draft assumes: {text}" for text in draft.assumes]
    return Reading(
        draft=draft,
        headline=_beside(now.outlook.headline, base.outlook.headline, ["measure", "horizon"]),
        needs=_beside(now.outlook.losses, base.outlook.losses, [*NEED, "measure", "horizon"]),
        plants=_beside(now.outlook.plants, base.outlook.plants, ["plant", "measure", "horizon"], LOSSES),
        choke_points=choke_table(workspace, base, now),
        states=states_table(base, now),
        items=items_table(base, now),
        links=workspace.kept("links", id(case.compiled), lambda: (case.compiled, links_table(case)))[1],
        warnings=tuple(dict.fromkeys([*case.warnings, *now.applied.warnings, *assumed])),
        seconds=time.perf_counter() - began,
    )


def _beside(
    now: pd.DataFrame, base: pd.DataFrame, keys: Sequence[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the table with the baseline's values beside it, matched by key; NaN where the baseline has none."""
    names = [name for name in base.columns if name not in keys] if columns is None else list(columns)
    if len(now) == len(base) and all(np.array_equal(now[key].to_numpy(), base[key].to_numpy()) for key in keys):
        return now.assign(**{f"base_{name}": base[name].to_numpy() for name in names})
    old = base.set_index(list(keys))[names].add_prefix("base_")
    return now.join(old, on=list(keys))


def choke_table(workspace: Workspace, base: Measured, now: Measured) -> pd.DataFrame:
    """Return the choke points of either, and which became or stopped being one."""
    keys = ["kind", "element"]
    table = now.chokes.table.merge(
        base.chokes.table.rename(columns={"after": "base_after", "short": "base_short"}), on=keys, how="outer"
    )
    was, is_ = table["base_after"].notna(), table["after"].notna()
    table["change"] = np.select([is_ & ~was, was & ~is_], ["became", "stopped"], "stays")
    network = now.applied.case.network
    table.insert(
        2,
        "name",
        [
            name_of(network, _KIND[kind], element)[0]
            for kind, element in zip(table["kind"], table["element"], strict=True)
        ],
    )
    table["w1"] = _w1(workspace, now, table)
    order = table.assign(largest=table[["after", "base_after"]].max(axis=1))
    order = order.sort_values(["largest", *keys], ascending=[False, True, True], ignore_index=True)
    return order.drop(columns="largest")


def _w1(workspace: Workspace, now: Measured, table: pd.DataFrame) -> list[str]:
    """Does Wassenaar minus one decide the determination of some of each element's flows in the chain?"""
    case = now.applied.at(HORIZON)
    usage = chain_usage(workspace, case)
    status, regimes = (np.asarray(case.determinations.column(name), object) for name in ("status", "regime"))
    found: dict[tuple[str, str], str] = {}
    for kind in KINDS:
        wanted = set(table.loc[table["kind"] == kind, "element"])
        shocks = now.chokes.shocks[kind]
        columns = [b for b, name in enumerate(shocks.names) if name in wanted]
        if columns:
            own_free = Shocks(shocks.names, now.chokes.own[kind], shocks.flow_lost).take(columns)
            for b, member in zip(columns, members(case.compiled, own_free), strict=True):
                at = member.offers
                found[kind, shocks.names[b]] = deciding(status[at], regimes[at], usage[at], IEC)[0]
    return [found.get((kind, name), "no") for kind, name in zip(table["kind"], table["element"], strict=True)]


def chain_usage(workspace: Workspace, case: Case) -> Floats:
    """Return what the buyer's chains buy today through each offer (K,), in the mean of the needs; law plays no part."""

    def make() -> tuple[object, Floats]:
        compiled, weight = case.compiled, need_weights(case)["weight"].to_numpy(float)
        usage = np.zeros(compiled.n_offers)
        models: list[FlowModel] = loss_models(case, (HORIZON,))[0]
        for model, part in zip(models, weight, strict=True):
            usage += part * model.chain.output[compiled.offer_supply] * model.chain.demand[compiled.offer_market]
        return compiled, usage  # the arrays are kept alive with it, so that their identity stays theirs

    return workspace.kept("usage", id(case.compiled), make)[1]


def states_table(base: Measured, now: Measured) -> pd.DataFrame:
    """Return what each state can withhold, under the draft and as it is."""
    sides = {
        (prefix, kind): side.chokes.of_kind(kind) for prefix, side in (("", now), ("base_", base)) for kind in _ASKED
    }
    states = sorted({state for losses in sides.values() for state in losses})
    names = [country(state).name if is_country(state) else state for state in states]
    table = {"state": np.array(states, object), "name": np.array(names, object)}
    # A state that does not appear makes nothing for the chain, or asks no leave of it.
    for (prefix, kind), losses in sides.items():
        ends = np.array([losses.get(state, (np.nan, 0.0)) for state in states]).reshape(-1, 2)
        table[f"{prefix}{_ASKED[kind]}_after"], table[f"{prefix}{_ASKED[kind]}_short"] = ends.T
    return pd.DataFrame(table)


def items_table(base: Measured, now: Measured) -> pd.DataFrame:
    """Return the items of the chains with shares of their supply by status, for the picture of the network."""
    case = now.applied.case
    facts = case.network.items[["item", "name", "tier", "category"]]
    table = now.items.merge(facts, on="item", how="left")
    shares = ["free", "excepted", "leave", "denied", "unknown"]
    old = base.items.set_index("item")[shares].add_prefix("base_")
    table = table.join(old, on="item")[[*facts.columns, *shares, *old.columns]]
    table["product"] = table["item"].isin(case.products)
    return table.sort_values(["tier", "category", "item"], ignore_index=True)


def links_table(case: Case) -> pd.DataFrame:
    """Return which item needs which in the case's chains, and as what (consumable, capital, knowledge)."""
    compiled = case.compiled
    user = compiled.supply_item[compiled.need_supply]
    used = compiled.market_item[compiled.need_market]
    real = user >= 0
    rows = np.unique(np.stack([user[real], used[real], compiled.need_role[real]], axis=1), axis=0)
    items, roles = np.array(compiled.items, object), np.array(ROLES, object)
    return pd.DataFrame({"item": items[rows[:, 0]], "requires": items[rows[:, 1]], "role": roles[rows[:, 2]]})
