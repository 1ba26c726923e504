"""The chain of one need: all that it draws on through all tiers, as fractions of what it uses today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from supplychain.analysis.resourcing import Resourcing, propagate
from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, PLANT, Compiled, Floats

_LEAST_PART: Final = 1e-4  # no use is taken to be a smaller part of what the chain draws of an item
_ROUNDS: Final = 300


@dataclass(frozen=True, eq=False)
class Chain:
    """What one need draws on: masks over the network, today's output and use in fractions of the chain's use."""

    nodes: npt.NDArray[np.intp]
    markets: npt.NDArray[np.intp]
    offers: npt.NDArray[np.intp]
    part: Floats  # (R,) part of the chain's use of the required item that this need's item takes
    final_part: float
    output: Floats  # (S,) today's output for the chain, fraction of the chain's use of the item
    demand: Floats  # (M,) today's use by market, fraction of the chain's use of the item
    items: npt.NDArray[np.intp]  # positions of the items of the chain
    claim: Floats  # (I,) part of the item's world output that the chain uses


def chain_of(compiled: Compiled, market: int, resourcing: Resourcing, demand: float) -> Chain:
    """Return what the need at `market` draws on, through all tiers."""
    n_items = len(compiled.items)
    making = compiled.supply_kind[compiled.need_supply] != PLANT
    of = compiled.supply_item[compiled.need_supply].astype(np.int64)
    on = compiled.market_item[compiled.need_market].astype(np.int64)
    use = np.zeros(compiled.n_needs)
    use[making] = resourcing.use[compiled.need_row[making]]
    product = int(compiled.market_item[market])

    # One entry per requirement that some producer has.
    _, first = np.unique(np.where(making, compiled.need_row, -1), return_index=True)
    edges = first[making[first]]
    inside = np.zeros(n_items, dtype=bool)
    inside[product] = True
    while True:
        reached = inside.copy()
        reached[on[edges][inside[of[edges]]]] = True
        if (reached == inside).all():
            break
        inside = reached
    edges = edges[inside[of[edges]]]
    start = np.zeros(n_items)
    start[product] = demand
    claim = propagate(start, of[edges], on[edges], use[edges])
    drawn = claim[of[edges]] * use[edges]
    total = sums(on[edges], drawn, n_items) + start
    relative = np.maximum(drawn / np.where(total > 0, total, 1.0)[on[edges]], _LEAST_PART)
    final = max(demand / total[product], _LEAST_PART)
    total = sums(on[edges], relative, n_items)
    total[product] += final
    part_of_row = np.zeros(int(compiled.need_row.max(initial=-1)) + 1)
    part_of_row[compiled.need_row[edges]] = relative / total[on[edges]]
    final /= total[product]

    node_in = (compiled.supply_item >= 0) & inside[compiled.supply_item]
    need_in = making & node_in[compiled.need_supply]
    part = np.where(need_in, part_of_row[compiled.need_row], 0.0)
    output, use_at = _today(compiled, market, final, part, node_in, need_in)
    market_in = np.zeros(compiled.n_markets, dtype=bool)
    market_in[compiled.need_market[need_in]] = True
    market_in[market] = True
    return Chain(
        nodes=np.flatnonzero(node_in),
        markets=np.flatnonzero(market_in),
        offers=np.flatnonzero(market_in[compiled.offer_market]),
        part=part,
        final_part=final,
        output=output,
        demand=use_at,
        items=np.flatnonzero(inside),
        claim=claim,
    )


def _today(
    compiled: Compiled, market: int, final: float, part: Floats, node_in: Any, need_in: Any
) -> tuple[Floats, Floats]:
    """Return today's output per node and use per market for the chain; one round where markets are pooled by place."""
    output = np.where(node_in, compiled.supply_share, 0.0)
    per_item = sums(compiled.supply_item[node_in], output[node_in], len(compiled.items))
    output[node_in] /= np.where(per_item > 0, per_item, 1.0)[compiled.supply_item[node_in]]
    needs = np.flatnonzero(need_in)
    for _ in range(_ROUNDS):
        drawn = output[compiled.need_supply[needs]] * part[needs]
        demand = sums(compiled.need_market[needs], drawn, compiled.n_markets)
        demand[market] += final
        following = compiled.weights.T @ demand
        settled = np.abs(following - output).max(initial=0.0) <= 1e-13
        output = np.where(node_in, following, 0.0)
        if settled:
            break
    return output, demand


def sums(labels: npt.NDArray[Any], values: Floats, n: int) -> Floats:
    """Return the sums of `values` by label, as floats even when there are none."""
    return np.bincount(labels, values, minlength=n).astype(np.float64)


def shortest_way(edges: npt.NDArray[np.int64], product: int, goals: Sequence[int]) -> list[int]:
    """Return a shortest way from the product along `edges` (item, short input) to the first goal there is."""
    inputs: dict[int, list[int]] = {}
    for item, required in edges.tolist():
        inputs.setdefault(item, []).append(required)
    before: dict[int, int] = {product: product}
    queue = [product]
    for item in queue:
        for required in inputs.get(item, ()):
            if required not in before:
                before[required] = item
                queue.append(required)
    for goal in goals:
        if goal in before:
            way = [goal]
            while way[-1] != product:
                way.append(before[way[-1]])
            return way[::-1]
    return [product]


def support(compiled: Compiled, need: npt.NDArray[np.intp], head: Floats, horizon: float) -> tuple[Floats, Floats]:
    """Return (rate, base) per need: output supported = rate * input + base * today's output.

    Consumables: the input itself, and the stock spread over the horizon. Capital and knowledge: what is not worn out by
    then of all that is installed, spare included, and for the rest what is replaced.
    """
    consumable = compiled.need_role[need] == CONSUMABLE
    cover = compiled.need_stock_days[need] / DAYS_PER_MONTH / horizon
    with np.errstate(divide="ignore"):
        worn = np.minimum(horizon / compiled.need_life_months[need], 1.0)
    rate = np.where(consumable, 1.0, worn * head)
    base = np.where(consumable, np.minimum(cover, head), (1.0 - worn) * head)
    return rate, base
