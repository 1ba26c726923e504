"""Figures of a network drawn anew within the uncertainty of their quality: shares, use shares, lives, stocks, spare
capacity.

Factors are lognormal with median 1. Nothing that is unknown becomes known, nothing that is 0 becomes something, and
what the recorded shares of an item leave unattributed stays as it is: the arrays keep their structure, only numbers
move.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from supplychain.case import Case
from supplychain.errors import UsageError
from supplychain.network import PLANT, ROLES, SUPPLY, Compiled, Floats, SupplyNetwork
from supplychain.whatif.design import SPREAD


def redrawn(network: SupplyNetwork, seed: int) -> SupplyNetwork:
    """Return the network with its figures drawn anew. The same seed gives the same network, whatever the row order."""
    rng = np.random.default_rng(seed)
    supplies, requirements, items = network.supplies, network.requirements, network.items
    share = supplies["share"].to_numpy(float)
    drawn = share * _factors(rng, supplies["quality"])
    drawn = _same_total(drawn, share, supplies["item"])
    spare = _bounded(supplies["spare_capacity"].to_numpy(float) * _factors(rng, supplies["quality"]))
    use = requirements["use_share"].to_numpy(float)
    # A use share is an assumption unless the row says that it was derived.
    quality = requirements["quality"].where(requirements["quality"] == "derived", "assumption")
    use_drawn = _at_most_one(use * _factors(rng, quality), use, requirements["requires"])
    life = requirements["lifetime_years"].to_numpy(float) * _factors(rng, quality)
    operating = items["ops_quality"] if "ops_quality" in items else pd.Series("assumption", items.index)
    changed = {
        name: items[name].to_numpy(float) * _factors(rng, operating)
        for name in ("stock_days", "qualification_months", "new_capacity_months")
    }
    idle = _bounded(items["spare_capacity"].to_numpy(float) * _factors(rng, operating))
    return replace(
        network,
        supplies=supplies.assign(share=drawn, spare_capacity=spare),
        requirements=requirements.assign(use_share=use_drawn, lifetime_years=life),
        items=items.assign(**changed, spare_capacity=idle),
    )


def _factors(rng: np.random.Generator, quality: pd.Series[Any]) -> Floats:
    normal = rng.standard_normal(len(quality))
    spread = quality.map(SPREAD).fillna(SPREAD["assumption"]).to_numpy(float)
    return np.exp(normal * spread)


def _bounded(values: Floats) -> Floats:
    return np.where(np.isnan(values), values, np.clip(values, 0.0, 1.0))


def _same_total(drawn: Floats, before: Floats, group: pd.Series[Any]) -> Floats:
    """Scale each group so that its sum is what it was: shares move between makers, the unattributed rest stays."""
    keys = group.to_numpy()
    old = pd.Series(before).groupby(keys).transform("sum").to_numpy(float)
    new = pd.Series(drawn).groupby(keys).transform("sum").to_numpy(float)
    return np.asarray(np.where(new > 0, drawn * old / np.where(new > 0, new, 1.0), drawn))


def _at_most_one(drawn: Floats, before: Floats, group: pd.Series[Any]) -> Floats:
    """Use shares of one item may not sum to more than 1, or than they did."""
    keys = group.to_numpy()
    old = pd.Series(before).groupby(keys).transform("sum").to_numpy(float)
    new = pd.Series(drawn).groupby(keys).transform("sum").to_numpy(float)
    most = np.maximum(old, 1.0)
    return np.asarray(np.where(new > most, drawn * most / np.where(new > 0, new, 1.0), drawn))


def refigured(case: Case, network: SupplyNetwork) -> Case:
    """Return the case on a network that differs from its own in figures only."""
    other = case.with_(network=network, buyer=case.buyer, products=case.products)
    if not (case.plain.market_buyer >= 0).any():
        other.__dict__["plain"] = renumbered(case.plain, network)
    return other


def renumbered(compiled: Compiled, network: SupplyNetwork) -> Compiled:
    """Return the arrays of a network that differs from the one compiled in figures only, much faster than compiling it.

    ``compiled`` must be plain (blank stocks and lives not yet filled) and without markets of one buyer, whose weights
    are no figures of supplies; raises UsageError if it has any. The result equals ``network.compile(...)`` to rounding.
    """
    if (compiled.market_buyer >= 0).any():
        raise UsageError("figures of networks with lanes are compiled anew")
    row, kind = compiled.supply_row, compiled.supply_kind
    share = np.nan_to_num(network.supplies["share"].to_numpy(float))
    supply_share = np.where(kind == SUPPLY, share[np.maximum(row, 0)], compiled.supply_share)
    weight = supply_share[compiled.offer_supply]
    total = np.bincount(compiled.offer_market, weight, compiled.n_markets)
    weight = weight / total[compiled.offer_market]
    unknown = compiled.supply_place[compiled.offer_supply] == len(compiled.places) - 1
    table = network.requirements
    plant = kind[compiled.need_supply] == PLANT
    at = np.where(plant, 0, compiled.need_row)
    item = compiled.market_item[compiled.need_market]
    life = table["lifetime_years"].to_numpy(float)[at] * 12
    stock = network.items["stock_days"].to_numpy(float)[item]
    usual = _usual_life(network)
    return replace(
        compiled,
        supply_share=supply_share,
        market_unknown=np.bincount(compiled.offer_market, weight * unknown, compiled.n_markets).astype(float),
        offer_weight=weight,
        need_life_months=np.where(plant, usual[item, compiled.need_role], life),
        need_stock_days=np.where(plant, compiled.need_stock_days, stock),
        need_use=np.where(plant, np.nan, table["use_share"].to_numpy(float)[at]),
    )


def _usual_life(network: SupplyNetwork) -> Floats:
    """Return the median life in months by item and role, over the requirements that are not minor."""
    table = network.requirements[network.requirements["essentiality"] != "minor"]
    items = pd.Index(network.items["item"])
    of = items.get_indexer(pd.Index(table["requires"]))
    role = pd.Index(ROLES).get_indexer(pd.Index(table["role"]))
    median = pd.Series(table["lifetime_years"].to_numpy(float) * 12).groupby([of, role]).median()
    found = np.full((len(items), len(ROLES)), np.nan)
    places = median.index.to_frame().to_numpy(np.intp)
    found[places[:, 0], places[:, 1]] = median.to_numpy(float)
    return found
