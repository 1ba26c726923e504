"""Assumptions on what buyers can do once supply is withheld: spare capacity, qualification, outbidding, new plants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.network import PLANT, Compiled, Floats, SupplyNetwork

LEAST_CLAIM: Final = 1e-3  # a claim is never taken to be smaller: headroom stays within what the data can carry
_ROUNDS: Final = 500
_SETTLED: Final = 1e-13


@dataclass(frozen=True, eq=False)
class Resourcing:
    """Assumptions on re-sourcing, per item of a network (I) and per requirement (N).

    A producer outside the refusal that serves a chain today can serve it with at most `headroom` times that after T
    months: spare capacity, and output that other industries give up, both as far as the chain has *qualified* them, and
    plants that can be built by then. Chip makers everywhere are short at the same time and bid alike, so by default no
    chip use takes from another (`outbid_rivals` = 0): only spare capacity and uses outside the industry give way.
    """

    spare: Floats  # (I,) unused capacity as a fraction of output
    qualification_months: Floats  # (I,) until a buyer may use what it has not used before
    new_capacity_months: Floats  # (I,) until new plants produce; NaN: none is assumed
    claim: Floats  # (I,) part of the item's world output that the whole industry uses, through all tiers
    use: Floats  # (N,) part of the required item's world output that each requirement takes; blanks filled
    outbid: float = 0.5  # part of what other industries use that the industry can bid away
    outbid_rivals: float = 0.0  # part of what the industry's other uses take that this chain can bid away
    expansion: float = 0.25  # growth per year of existing producers once new plants can be ready
    substitution: float = 0.2  # part of a mix of alternatives that can move from its other members to one of them

    @classmethod
    def from_network(cls, network: SupplyNetwork, settings: Mapping[str, Any] | None = None) -> Resourcing:
        """Return the assumptions `settings` (table [resourcing]) for a network; what the facts record goes first.

        Keys: outbid, outbid_rivals, expansion, substitution, and spare, qualification_months, new_capacity_months, each
        with `default` and item categories; `own_industry` lists categories whose whole output the industry uses.
        """
        settings = settings or {}
        items, supplies = network.items, network.supplies
        category = items["category"].to_numpy(object)

        def assumed(name: str, otherwise: float) -> Floats:
            table = settings.get(name, {})
            usual = table.get("default", otherwise)
            return np.array([table.get(label, usual) for label in category], dtype=float)

        def recorded(name: str, otherwise: float) -> Floats:
            known = items[name].to_numpy(float)
            return np.where(np.isnan(known), assumed(name, otherwise), known)

        item = pd.Index(items["item"]).get_indexer(pd.Index(supplies["item"]))
        share, own = np.nan_to_num(supplies["share"].to_numpy(float)), supplies["spare_capacity"].to_numpy(float)
        told = np.isfinite(own) & (share > 0)
        weight = np.bincount(item[told], share[told], minlength=len(items))
        mean = np.bincount(item[told], (share * np.nan_to_num(own))[told], minlength=len(items))
        usual = items["spare_capacity"].to_numpy(float)
        usual = np.where(np.isnan(usual), assumed("spare", 0.1), usual)
        spare = np.where(weight > 0, mean / np.where(weight > 0, weight, 1.0), usual)
        use, claim = industry_claims(network, settings.get("own_industry", ()))
        return cls(
            spare=spare,
            qualification_months=recorded("qualification_months", 12.0),
            new_capacity_months=recorded("new_capacity_months", np.nan),
            claim=claim,
            use=use,
            outbid=float(settings.get("outbid", cls.outbid)),
            outbid_rivals=float(settings.get("outbid_rivals", cls.outbid_rivals)),
            expansion=float(settings.get("expansion", cls.expansion)),
            substitution=float(settings.get("substitution", cls.substitution)),
        )

    @classmethod
    def none(cls, compiled: Compiled, spare: float = 0.0) -> Resourcing:
        """Return no re-sourcing but substitution, re-routing and `spare`: every use is the industry's own."""
        n = len(compiled.items)
        size = int(compiled.need_row[compiled.supply_kind[compiled.need_supply] != PLANT].max(initial=-1)) + 1
        use, item = np.full(size, np.nan), np.zeros(size, dtype=np.intp)
        making = compiled.supply_kind[compiled.need_supply] != PLANT
        rows = compiled.need_row[making]
        use[rows] = compiled.need_use[making]
        item[rows] = compiled.market_item[compiled.need_market[making]]
        return cls(
            spare=np.full(n, spare),
            qualification_months=np.zeros(n),
            new_capacity_months=np.full(n, np.nan),
            claim=np.ones(n),
            use=_filled(use, item, n),
            expansion=0.0,
            substitution=1.0,
        )

    def headroom(self, horizon: float, chain_claim: Floats | None = None) -> Floats:
        """Return, per item, how much more than today a producer left can give this chain after `horizon` months (>= 1).

        `chain_claim` is the part of the item's world output that the chain itself uses; it matters for `outbid_rivals`.
        """
        claim = np.clip(self.claim, LEAST_CLAIM, 1.0)
        outside = 1.0 + self.outbid * (1.0 / claim - 1.0)
        rivals = np.ones_like(claim)
        if self.outbid_rivals > 0 and chain_claim is not None:
            rivals += self.outbid_rivals * np.maximum(claim / np.clip(chain_claim, LEAST_CLAIM, None) - 1.0, 0.0)
        built = np.maximum(horizon - self.new_capacity_months, 0.0) / 12.0 * self.expansion
        more = (1.0 + self.spare) * outside * rivals * (1.0 + np.nan_to_num(built)) - 1.0
        return np.asarray(1.0 + more * self.qualified(horizon))

    def qualified(self, horizon: float) -> Floats:
        """Return, per item, the part of new sources that buyers have qualified after `horizon` months."""
        return np.asarray(np.minimum(horizon / np.maximum(self.qualification_months, 1e-9), 1.0))

    def with_(self, **changes: Any) -> Resourcing:
        """Return the assumptions with some changed, for sweeps."""
        return replace(self, **changes)


def industry_claims(network: SupplyNetwork, own_industry: Any = ()) -> tuple[Floats, Floats]:
    """Return (use, claim): use share of every requirement with blanks filled, and the industry's claim on every item.

    End products (tier 0) and items of the categories `own_industry` are wholly the industry's. The claim on another
    item follows the use shares down the tiers: powder that chips use a hundredth of makes them users of a hundredth of
    the ore. A blank use share takes an equal part of what recorded uses leave, so that unknown use is never headroom.
    """
    items, table = network.items, network.requirements
    index = pd.Index(items["item"])
    of, on = index.get_indexer(pd.Index(table["item"])), index.get_indexer(pd.Index(table["requires"]))
    use = _filled(table["use_share"].to_numpy(float), on, len(items))
    whole = items["category"].isin(list(own_industry)) | items["item"].isin(network.end_products)
    least = np.where(whole.to_numpy(bool), 1.0, 0.0)
    return use, propagate(least, of, on, use)


def propagate(start: Floats, of: npt.NDArray[Any], on: npt.NDArray[Any], use: Floats) -> Floats:
    """Return the least claims n = min(1, start + sum over uses of n[of] * use), down the tiers and around cycles."""
    claim = np.minimum(start, 1.0)
    for _ in range(_ROUNDS):
        drawn = np.bincount(on, claim[of] * use, minlength=len(start))
        following = np.minimum(1.0, start + drawn)
        if np.abs(following - claim).max(initial=0.0) <= _SETTLED:
            return np.asarray(following)
        claim = following
    return claim


def _filled(use: Floats, item: npt.NDArray[Any], n_items: int) -> Floats:
    known = np.isfinite(use)
    total = np.bincount(item[known], use[known], minlength=n_items)
    unknown = np.bincount(item[~known], minlength=n_items)
    left = np.maximum(1.0 - total, 0.0) / np.maximum(unknown, 1)
    filled = np.where(known, use, left[item])
    total = np.bincount(item, filled, minlength=n_items)
    return np.asarray(filled / np.maximum(total, 1.0)[item])
