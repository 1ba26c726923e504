"""A plan that shares every shortage equally: a quick upper bound on losses after re-sourcing, for many shocks at once.

Producers that lose any flow make nothing; every item's output is limited by the headroom of those that are left and by
the scarcest of its inputs, and all its users get the same part of their claim. That is one plan of the flow LP
(`analysis.flow`), so the LP's loss is never larger; where the plan loses nothing no LP need be solved. The plan is the
greatest fixed point over items, found by iterating down from no loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import sparse

from supplychain.analysis.resourcing import Resourcing
from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, ESSENTIAL, PLANT, Compiled, Floats
from supplychain.shocks import Shocks

_ROUNDS: Final = 200
_SETTLED: Final = 1e-12


def equal_shares(compiled: Compiled, shocks: Shocks, horizons: Sequence[float], resourcing: Resourcing) -> Floats:
    """Return the part of each item's loss under the plan, (I, B, T) in [0, 1]: an upper bound for every market of it.

    All ones where the plan has not settled, and for networks with lanes (the plan needs markets pooled by place).
    """
    n, size = len(compiled.items), len(shocks)
    if (compiled.market_buyer >= 0).any() or not size:
        return np.ones((n, size, len(horizons)))
    left = _left(compiled, shocks)
    return np.stack([_plan(compiled, left, float(horizon), resourcing) for horizon in horizons], axis=2)


def _left(compiled: Compiled, shocks: Shocks) -> Floats:
    """Return the part of each item's output that producers make who lose no flow, (I, B)."""
    making = compiled.supply_kind != PLANT
    own = shocks.own_lost.toarray()
    lost = shocks.flow_lost.tocoo()
    own[compiled.offer_supply[lost.row], lost.col] = 1.0
    total = np.bincount(compiled.supply_item[making], compiled.supply_share[making], minlength=len(compiled.items))
    share = compiled.supply_share[making] / np.where(total > 0, total, 1.0)[compiled.supply_item[making]]
    by_item = sparse.csr_array(
        (share, (compiled.supply_item[making], np.arange(len(share)))), shape=(len(compiled.items), len(share))
    )
    return np.asarray(by_item @ (1.0 - own[making]))


def _plan(compiled: Compiled, left: Floats, horizon: float, resourcing: Resourcing) -> Floats:
    head = resourcing.headroom(horizon)
    # One producer stands for all of its item: their needs are alike.
    making = np.flatnonzero(compiled.supply_kind != PLANT)
    _, first = np.unique(compiled.supply_item[making], return_index=True)
    stands = np.zeros(compiled.n_supplies, dtype=bool)
    stands[making[first]] = True
    need = np.flatnonzero(stands[compiled.need_supply])
    of, on = compiled.supply_item[compiled.need_supply[need]], compiled.market_item[compiled.need_market[need]]
    consumable = (compiled.need_role[need] == CONSUMABLE)[:, None]
    worn = np.minimum(horizon / np.maximum(compiled.need_life_months[need], 1e-9), 1.0)[:, None]
    cover = (compiled.need_stock_days[need] / DAYS_PER_MONTH / horizon)[:, None]
    most = head[of][:, None] * left[of]
    base = np.where(consumable, cover * left[of], (1.0 - worn) * most)
    rate = np.where(consumable, 1.0, worn * head[of][:, None])
    weight = compiled.need_weight[need]
    essential = compiled.need_essential[need] == ESSENTIAL
    label = np.where(compiled.need_group[need] >= 0, compiled.need_group[need], compiled.n_needs + need)
    label = np.where(essential, label, 2 * compiled.n_needs + of)
    clauses, clause_first, clause = np.unique(label, return_index=True, return_inverse=True)
    add = sparse.csr_array((weight, (clause, np.arange(len(need)))), shape=(len(clauses), len(need)))
    linear = ~essential[clause_first]
    idle = np.maximum(1.0 - np.bincount(clause, weight, minlength=len(clauses)), 0.0)
    clause_item = of[clause_first]
    usual = np.where(linear[:, None], idle[:, None] * (head[:, None] * left)[clause_item], 0.0)
    order = np.argsort(clause_item, kind="stable")
    owners, starts = np.unique(clause_item[order], return_index=True)
    ceiling = np.minimum(head[:, None] * left, 1.0)
    served = ceiling.copy()
    for _ in range(_ROUNDS):
        supported = np.minimum(rate * served[on] + base, most)
        by_clause = (add @ supported + usual)[order]
        following = ceiling.copy()
        if len(owners):
            following[owners] = np.minimum(following[owners], np.minimum.reduceat(by_clause, starts, axis=0))
        following = np.clip(np.minimum(following, served), 0.0, 1.0)
        settled = float((served - following).max(initial=0.0)) <= _SETTLED
        served = following
        if settled:
            return np.asarray(1.0 - served)
    return np.ones_like(served)
