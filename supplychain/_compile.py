"""From the tables of a supply network to the arrays of `network.Compiled`: array work only, no loop over rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain import network as nw
from supplychain.errors import UsageError

if TYPE_CHECKING:
    from supplychain.network import Compiled, SupplyNetwork

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Whole:
    """The whole network as arrays: nodes, what each item's market offers, lanes, and every node's needs."""

    items: pd.Index
    places: pd.Index
    organisations: pd.Index
    node_id: nw.Names
    node_kind: nw.Bytes
    node_item: Longs
    node_place: Longs
    node_org: Longs
    node_share: nw.Floats
    node_row: Longs
    pool_node: Longs  # nodes that offer an item, by item
    pool_start: Longs
    lane_key: Longs  # buyer * items + item, ascending and distinct
    lane_start: Longs
    lane_node: Longs
    lane_weight: nw.Floats
    need_start: Longs
    need: pd.DataFrame  # node, item, role, essential, weight, life, stock, use, group, row; sorted by node


def compile_network(
    network: SupplyNetwork,
    destinations: Sequence[str] | None,
    items: Sequence[str] | None,
    buyer: str | None,
    apart: Collection[str] = (),
) -> Compiled:
    """See SupplyNetwork.compile."""
    wanted_places = sorted(set(destinations or ()))
    for place in wanted_places:
        if not (len(place) == 3 and place.isascii() and place.isalpha() and place.isupper()):
            raise UsageError(f"destination {place!r} is not an ISO 3166-1 alpha-3 code, such as IND")
    whole = _set_apart(_whole(network, wanted_places), apart)
    wanted_items = sorted(set(network.end_products if items is None else items))
    item_code = _codes(whole.items, wanted_items)
    if (item_code < 0).any():
        raise UsageError(_unknown("item", wanted_items[int(np.argmin(item_code))], list(whole.items)))
    everything = destinations is None and buyer is None
    if everything and items is not None:
        raise UsageError("items without destinations and buyer: say where they are wanted")

    n_nodes, width = len(whole.node_id), len(whole.places) + len(whole.node_id)
    place_code = _codes(whole.places, wanted_places)
    keys = np.unique((item_code[:, None] * width + place_code[None, :]).ravel()) if wanted_places else _longs()
    nodes = np.arange(n_nodes) if everything else _plants_of(network, whole, buyer)
    reached = np.zeros(n_nodes, bool)
    reached[nodes] = True
    fresh = keys
    need_key = _need_keys(whole, width)
    # Breadth first: the needs of new nodes open markets, the offers of new markets bring nodes.
    while len(nodes) or len(fresh):
        opened = np.unique(need_key[_ranges(whole.need_start, nodes)[0]])
        fresh = np.union1d(fresh, np.setdiff1d(opened, keys, assume_unique=True))
        keys = np.union1d(keys, opened)
        offered = np.unique(_offers(whole, fresh, width)[1])
        nodes = offered[~reached[offered]]
        reached[nodes] = True
        fresh = _longs()
    return _gather(whole, np.flatnonzero(reached), keys, need_key, width)


def _whole(network: SupplyNetwork, extra_places: Sequence[str]) -> _Whole:
    supplies, plants = network.supplies, network.plants
    items = pd.Index(network.items["item"])
    named = set(supplies["site"]) | set(plants["site"]) | set(extra_places)
    places = pd.Index([*sorted(named - {"", nw.UNKNOWN_PLACE}), nw.UNKNOWN_PLACE])
    organisations = pd.Index(sorted(set(network.organisations["organisation"]) | set(supplies["organisation"]) - {""}))
    unknown = len(places) - 1

    supply_item = _codes(items, supplies["item"])
    share = np.nan_to_num(supplies["share"].to_numpy(float))
    left = 1.0 - np.bincount(supply_item, weights=share, minlength=len(items))
    left = np.where(left > nw._SHARE_NOISE, left, 0.0)
    lanes, lane_left = _lanes(network, items, supply_item)
    rest = np.flatnonzero((left > 0) | lane_left)
    plant_id, plant_row = np.unique(plants["plant"].to_numpy(object), return_index=True)
    sizes = (len(supplies), len(rest), len(plant_id))

    node_item = np.concatenate([supply_item, rest, np.full(sizes[2], -1)])
    place_of = _codes(places, supplies["site"])
    plant_place = _codes(places, plants["site"].iloc[plant_row])
    node_place = np.concatenate([place_of, np.full(sizes[1], -1), plant_place])
    offering = np.argsort(node_item[: sizes[0] + sizes[1]], kind="stable")
    pool_start = np.searchsorted(node_item[offering], np.arange(len(items) + 1))
    lane_key, lane_start, lane_node, lane_weight = _with_remainder(lanes, rest, sizes[0], len(items), node_item)
    need, need_start = _needs(network, items, node_item, plant_id, sizes[0] + sizes[1])
    return _Whole(
        items=items,
        places=places,
        organisations=organisations,
        node_id=np.concatenate(
            [supplies["supply"].to_numpy(object), nw.UNATTRIBUTED + items[rest].to_numpy(object), "plant:" + plant_id]
        ),
        node_kind=np.repeat(np.array([nw.SUPPLY, nw.REMAINDER, nw.PLANT], np.int8), sizes),
        node_item=node_item,
        node_place=np.where(node_place < 0, unknown, node_place),
        node_org=np.concatenate([_codes(organisations, supplies["organisation"]), np.full(sizes[1] + sizes[2], -1)]),
        node_share=np.concatenate([share, left[rest], np.zeros(sizes[2])]),
        node_row=np.concatenate([np.arange(sizes[0]), np.full(sizes[1] + sizes[2], -1)]),
        pool_node=offering,
        pool_start=pool_start,
        lane_key=lane_key,
        lane_start=lane_start,
        lane_node=lane_node,
        lane_weight=lane_weight,
        need_start=need_start,
        need=need,
    )


def _set_apart(whole: _Whole, organisations: Collection[str]) -> _Whole:
    """Return the whole with markets of their own for what some organisations need: the pool's offers, as lanes."""
    own = np.isin(whole.node_org, _codes(whole.organisations, sorted(organisations))) & (whole.node_org >= 0)
    nodes = np.flatnonzero(own & (whole.node_kind == nw.SUPPLY))
    if not len(nodes):
        return whole
    rows, owner = _ranges(whole.need_start, nodes)
    wanted = nodes[owner] * len(whole.items) + whole.need["item"].to_numpy(np.int64)[rows]
    fresh = np.setdiff1d(wanted, whole.lane_key)
    at, _ = _ranges(whole.pool_start, fresh % len(whole.items))
    size = np.diff(whole.pool_start)[fresh % len(whole.items)]
    key = np.concatenate([whole.lane_key, fresh])
    start = np.concatenate([whole.lane_start, whole.lane_start[-1] + np.cumsum(size)])
    node = np.concatenate([whole.lane_node, whole.pool_node[at]])
    weight = np.concatenate([whole.lane_weight, whole.node_share[whole.pool_node[at]]])
    order = np.argsort(key)
    moved, _ = _ranges(start, order)
    return replace(
        whole,
        lane_key=key[order],
        lane_start=np.append(0, np.cumsum(np.diff(start)[order])),
        lane_node=node[moved],
        lane_weight=weight[moved],
    )


def _lanes(network: SupplyNetwork, items: pd.Index, supply_item: Longs) -> tuple[pd.DataFrame, nw.Flags]:
    """Return lanes (plant, buyer, item, node, weight) sorted by buyer, and the items some buyer draws from unknown."""
    lanes = network.lanes
    supply = pd.Index(network.supplies["supply"])
    plant = pd.Index(np.unique(network.plants["plant"].to_numpy(object)))
    lanes = lanes[lanes["from_supply"].isin(supply) & (lanes["to_supply"].isin(supply) | lanes["to_plant"].isin(plant))]
    seller = _codes(supply, lanes["from_supply"])
    to_supply = _codes(supply, lanes["to_supply"])
    frame = pd.DataFrame(
        {
            "plant": to_supply < 0,
            "buyer": np.where(to_supply < 0, _codes(plant, lanes["to_plant"]), to_supply),
            "item": supply_item[seller],
            "node": seller,
            "share": lanes["share"].to_numpy(float),
            "volume": lanes["volume"].to_numpy(float),
        }
    ).sort_values(["plant", "buyer", "item", "node"], kind="stable", ignore_index=True)
    groups = frame.groupby(["plant", "buyer", "item"])
    volume = groups["volume"].transform("sum").to_numpy(float)
    shared = groups["share"].transform("count").to_numpy(float) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(shared, frame["share"], np.where(volume > 0, frame["volume"] / volume, 1.0))
    frame["weight"] = np.nan_to_num(weight)
    total = groups["weight"].transform("sum").to_numpy(float) if len(frame) else np.zeros(0)
    frame["weight"] /= np.maximum(total, 1.0)
    open_item = np.zeros(len(items), bool)
    open_item[frame["item"].to_numpy()[total < 1 - nw._SHARE_NOISE]] = True
    return frame.drop(columns=["share", "volume"]), open_item


def _with_remainder(
    lanes: pd.DataFrame, rest: Longs, n_supplies: int, n_items: int, node_item: Longs
) -> tuple[Longs, Longs, Longs, nw.Floats]:
    """Return the lanes as buyer-item groups, each filled up to weight 1 by the remainder of the item."""
    buyer = lanes["buyer"].to_numpy(np.int64) + np.where(lanes["plant"], n_supplies + len(rest), 0)
    key = buyer * n_items + lanes["item"].to_numpy(np.int64)
    distinct, group = np.unique(key, return_inverse=True)
    left = 1.0 - np.bincount(group, weights=lanes["weight"], minlength=len(distinct))
    short = np.flatnonzero(left > nw._SHARE_NOISE)
    filler = n_supplies + np.searchsorted(rest, distinct[short] % n_items)
    key = np.concatenate([key, distinct[short]])
    node = np.concatenate([lanes["node"].to_numpy(np.int64), filler])
    weight = np.concatenate([lanes["weight"].to_numpy(float), left[short]])
    order = np.lexsort((node, key))
    start = np.searchsorted(key[order], distinct)
    return distinct, np.append(start, len(key)), node[order], weight[order]


def _needs(
    network: SupplyNetwork, items: pd.Index, node_item: Longs, plant_id: nw.Names, n_making: int
) -> tuple[pd.DataFrame, Longs]:
    """Return every node's needs (minor ones left out), sorted by node, and where each node's needs start."""
    table = network.requirements
    row = np.flatnonzero(table["essentiality"].to_numpy(object) != "minor")
    table = table.iloc[row]
    role = _codes(pd.Index(nw.ROLES), table["role"])
    rules = pd.DataFrame(
        {
            "of": _codes(items, table["item"]),
            "item": _codes(items, table["requires"]),
            "role": role,
            "essential": np.where(table["essentiality"] == "essential", nw.ESSENTIAL, nw.IMPORTANT),
            "life": table["lifetime_years"].to_numpy(float) * 12,
            "stock": network.items["stock_days"].to_numpy(float)[_codes(items, table["requires"])],
            "use": table["use_share"].to_numpy(float),
            "amount": table["coefficient"].to_numpy(float),
            "group": table["alternatives"].to_numpy(object),
            "row": row,
        }
    ).sort_values(["of", "row"], ignore_index=True)
    rules = _clauses(rules)
    start = np.searchsorted(rules["of"].to_numpy(), np.arange(len(items) + 1))
    taken, node = _ranges(start, node_item[:n_making])
    needs = rules.iloc[taken].assign(node=node)
    plants = network.plants
    if len(plants):
        own = _plant_needs(network, items, rules)
        own["node"] = n_making + np.searchsorted(plant_id.astype(str), plants["plant"].to_numpy(object).astype(str))
        needs = pd.concat([needs, own.sort_values("node", kind="stable")])
    needs = needs.reset_index(drop=True)
    n_clauses = int(rules["clause"].max()) + 1 if len(rules) else 1
    grouped = needs["group"].to_numpy() >= 0
    label = np.where(grouped, needs["node"].to_numpy(np.int64) * n_clauses + needs["clause"].to_numpy(np.int64), -1)
    needs["group"] = label
    return needs, np.searchsorted(needs["node"].to_numpy(), np.arange(len(node_item) + 1))


def _clauses(rules: pd.DataFrame) -> pd.DataFrame:
    """Number the clauses of each item (a need, or a group of alternatives) and give each need its weight in them."""
    alone = rules["group"].to_numpy(object) == ""
    label = np.where(alone, "\0" + rules["row"].astype(str).to_numpy(object), rules["group"].to_numpy(object))
    keys = [rules["of"], pd.Series(label)]
    by_clause = rules.groupby(keys, sort=False)
    clause = by_clause.ngroup().to_numpy()
    size = by_clause["row"].transform("size").to_numpy(float)
    known = by_clause["amount"].transform("count").to_numpy(float) == size
    total = by_clause["amount"].transform("sum").to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(known & (total > 0), rules["amount"] / total, 1.0 / np.maximum(size, 1))
    essential = by_clause["essential"].transform("max").to_numpy(np.int64)
    first = ~pd.Series(clause).duplicated().to_numpy()
    per_item = pd.Series(first.astype(float)).groupby(rules["of"]).transform("sum").to_numpy(float)
    weight = np.where(size > 1, share, 1.0) / np.where(essential == nw.IMPORTANT, per_item, 1.0)
    return rules.assign(clause=clause, essential=essential, weight=weight, group=np.where(size > 1, clause, -1))


def _plant_needs(network: SupplyNetwork, items: pd.Index, rules: pd.DataFrame) -> pd.DataFrame:
    """Return the plants' needs: role and life of an item are those that most requirements give it (or consumable)."""
    plants = network.plants
    item = _codes(items, plants["item"])
    counts = np.zeros((len(items), len(nw.ROLES)))
    np.add.at(counts, (rules["item"].to_numpy(), rules["role"].to_numpy()), 1)
    role = counts.argmax(axis=1)
    life = rules.groupby(["item", "role"])["life"].median()
    usual = life.reindex(pd.MultiIndex.from_arrays([np.arange(len(items)), role])).to_numpy(float)
    return pd.DataFrame(
        {
            "of": -1,
            "item": item,
            "role": role[item],
            "essential": nw.ESSENTIAL,
            "life": usual[item],
            "stock": plants["stock_days"].to_numpy(float),
            "use": np.nan,
            "amount": plants["demand"].to_numpy(float),
            "group": -1,
            "row": np.arange(len(plants)),
            "clause": 0,
            "weight": 1.0,
        }
    )


def _plants_of(network: SupplyNetwork, whole: _Whole, buyer: str | None) -> Longs:
    if buyer is None:
        return _longs()
    named = sorted(set(network.plants.loc[network.plants["buyer"] == buyer, "plant"]))
    if not named:
        raise UsageError(_unknown("buyer", buyer, sorted(set(network.plants["buyer"]))))
    return np.flatnonzero(np.isin(whole.node_id, [f"plant:{plant}" for plant in named]))


def _need_keys(whole: _Whole, width: int) -> Longs:
    """Return the market of each need: item * width + place, or + places + buyer where the buyer's lanes are known."""
    node, item = whole.need["node"].to_numpy(np.int64), whole.need["item"].to_numpy(np.int64)
    pooled = item * width + whole.node_place[node]
    if not len(whole.lane_key):
        return np.asarray(pooled)
    key = node * len(whole.items) + item
    at = np.minimum(np.searchsorted(whole.lane_key, key), len(whole.lane_key) - 1)
    return np.asarray(np.where(whole.lane_key[at] == key, item * width + len(whole.places) + node, pooled))


def _offers(whole: _Whole, keys: Longs, width: int) -> tuple[Longs, Longs, nw.Floats]:
    """Return the offers to the markets ``keys`` as (position in keys, node, weight), sorted by market, then node."""
    item, rest = keys // width, keys % width
    pooled = np.flatnonzero(rest < len(whole.places))
    laned = np.flatnonzero(rest >= len(whole.places))
    at, market = _ranges(whole.pool_start, item[pooled])
    node = whole.pool_node[at]
    lane_group = np.searchsorted(whole.lane_key, (rest[laned] - len(whole.places)) * len(whole.items) + item[laned])
    at, lane_market = _ranges(whole.lane_start, lane_group)
    market = np.concatenate([pooled[market], laned[lane_market]])
    weight = np.concatenate([whole.node_share[node], whole.lane_weight[at]])
    node = np.concatenate([node, whole.lane_node[at]])
    order = np.lexsort((node, market))
    return market[order], node[order], weight[order]


def _gather(whole: _Whole, nodes: Longs, keys: Longs, need_key: Longs, width: int) -> Compiled:
    """Return the arrays of the nodes and markets kept."""
    item, rest = keys // width, keys % width
    laned = rest >= len(whole.places)
    buyer = np.where(laned, rest - len(whole.places), 0)
    market_place = np.where(laned, whole.node_place[buyer], rest)
    offer_market, offer_node, offer_weight = _offers(whole, keys, width)
    offer_weight = offer_weight / np.bincount(offer_market, weights=offer_weight, minlength=len(keys))[offer_market]
    unknown = whole.node_place[offer_node] == len(whole.places) - 1
    taken, owner = _ranges(whole.need_start, nodes)
    need = whole.need.iloc[taken]
    _, group = np.unique(need["group"].to_numpy(np.int64), return_inverse=True)
    alone = need["group"].to_numpy(np.int64) < 0
    return nw.Compiled(
        places=tuple(whole.places),
        items=tuple(whole.items),
        organisations=tuple(whole.organisations),
        supply_ids=whole.node_id[nodes],
        supply_kind=whole.node_kind[nodes],
        supply_item=_ints(whole.node_item[nodes]),
        supply_place=_ints(whole.node_place[nodes]),
        supply_org=_ints(whole.node_org[nodes]),
        supply_share=whole.node_share[nodes],
        supply_row=_ints(whole.node_row[nodes]),
        market_item=_ints(item),
        market_place=_ints(market_place),
        market_buyer=_ints(np.where(laned, np.searchsorted(nodes, buyer), -1)),
        market_unknown=np.bincount(offer_market, weights=offer_weight * unknown, minlength=len(keys)).astype(float),
        offer_market=_ints(offer_market),
        offer_supply=_ints(np.searchsorted(nodes, offer_node)),
        offer_weight=offer_weight,
        need_supply=_ints(owner),
        need_market=_ints(np.searchsorted(keys, need_key[taken])),
        need_role=need["role"].to_numpy(np.int8),
        need_essential=need["essential"].to_numpy(np.int8),
        need_weight=need["weight"].to_numpy(float),
        need_life_months=need["life"].to_numpy(float),
        need_stock_days=need["stock"].to_numpy(float),
        need_use=need["use"].to_numpy(float),
        need_group=_ints(np.where(alone, -1, group - alone.any())),
        need_row=_ints(need["row"].to_numpy(np.int64)),
    )


def _ranges(start: Longs, of: Longs) -> tuple[Longs, Longs]:
    """Return the positions of all ranges start[i]:start[i + 1], i in ``of``, joined, and which of ``of`` each is in."""
    first = start[of]
    count = start[of + 1] - first
    owner = np.repeat(np.arange(len(of)), count)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(first, count) + offset, owner


def _codes(index: pd.Index, values: Any) -> Longs:
    """Return the position of each value in the index, -1 where it is not there."""
    return np.asarray(index.get_indexer(pd.Index(values)), dtype=np.int64)


def _longs() -> Longs:
    return np.zeros(0, np.int64)


def _ints(values: npt.NDArray[np.int64]) -> nw.Ints:
    return values.astype(np.int32)


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    return f"{what} {name!r} is not in the network" + (f"; did you mean {close[0]!r}?" if close else "")
