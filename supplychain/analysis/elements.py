"""Elements whose loss is studied one by one: supplies, organisations, sites, items, jurisdictions, and single sources.

Removal takes an element's output away everywhere. A jurisdiction refuses: its flows to other places stop, its domestic
ones stay. A *source* is one item that one state refuses; a *firm* what one organisation makes of one item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from supplychain.facts.countries import country, is_country
from supplychain.network import NOBODY, PLANT, REMAINDER, SUPPLY, Compiled, Flags, SupplyNetwork, is_firm
from supplychain.shocks import (
    Bound,
    Shocks,
    flows_lost,
    refuse_all,
    refused_by,
    remove_items,
    remove_organisations,
    remove_sites,
    remove_supplies,
)

KINDS: Final = ("jurisdiction", "organisation", "site", "item", "source", "supply")


@dataclass(frozen=True, eq=False)
class Members:
    """What makes up an element: nodes (S) whose output it is and offers (K) that are its flows."""

    nodes: npt.NDArray[np.intp]
    offers: npt.NDArray[np.intp]


def elements(compiled: Compiled, kind: str) -> Shocks:
    """Return the loss of every element of a kind in turn, unknown makers and places being somebody else.

    Organisations are single firms and agencies: not "other", nor "all producers of a country".
    """
    builders: dict[str, Callable[[Compiled], Shocks]] = {
        "jurisdiction": refuse_all,
        "organisation": remove_organisations,
        "site": remove_sites,
        "item": remove_items,
        "source": refuse_items,
        "supply": remove_supplies,
    }
    shocks = builders[kind](compiled)
    if kind != "organisation":
        return shocks
    return shocks.take([b for b, name in enumerate(shocks.names) if is_firm(name)])


def refuse_items(compiled: Compiled, pairs: Sequence[tuple[str, str]] | None = None) -> Shocks:
    """Return the refusal of one item by one state in turn, for each (item, state) given or each there is."""
    if pairs is None:
        placed = (compiled.supply_kind == SUPPLY) & (compiled.supply_place < len(compiled.places) - 1)
        known = np.unique(np.stack([compiled.supply_item[placed], compiled.supply_place[placed]], axis=1), axis=0)
        pairs = [(compiled.items[i], compiled.places[p]) for i, p in known.tolist()]
    lost = [_withheld(compiled, item, state, "optimistic") for item, state in pairs]
    return flows_lost(compiled, [f"{item}@{state}" for item, state in pairs], lost)


def lose_firms(compiled: Compiled, pairs: Sequence[tuple[str, str]]) -> Shocks:
    """Return the loss of what one organisation makes of one item in turn, for each (item, organisation) given."""
    own = np.zeros((compiled.n_supplies, len(pairs)))
    for b, (item, firm) in enumerate(pairs):
        makes = (compiled.supply_item == compiled.items.index(item)) & (compiled.supply_kind == SUPPLY)
        own[makes & (compiled.supply_org == compiled.organisations.index(firm)), b] = 1.0
    names = tuple(f"{item} by {firm}" for item, firm in pairs)
    return Shocks(names, sparse.csc_array(own), Shocks.none(compiled, names).flow_lost)


def with_unknown(compiled: Compiled, chosen: Shocks, kind: str) -> Shocks:
    """Return the shocks with all that is unknown added to each element: what nobody is known to make of its items (a
    supply, an organisation, a firm), or what is made at an unknown place (a site, a refusing state, a source)."""
    if kind == "item" or not len(chosen):
        return chosen
    if kind == "jurisdiction":
        return refuse_all(compiled, chosen.names, bound="pessimistic")
    if kind == "source":
        pairs = [name.rsplit("@", 1) for name in chosen.names]
        return flows_lost(compiled, chosen.names, [_withheld(compiled, item, at, "pessimistic") for item, at in pairs])
    unplaced = (compiled.supply_place == len(compiled.places) - 1) & (compiled.supply_kind != PLANT)
    makers = np.array([*compiled.organisations, NOBODY], object)[compiled.supply_org]
    nameless = (compiled.supply_kind == REMAINDER) | ((compiled.supply_kind == SUPPLY) & (makers == NOBODY))
    own = chosen.own_lost.toarray()
    for b in range(len(chosen)):
        made = np.unique(compiled.supply_item[own[:, b] > 0])
        own[unplaced if kind == "site" else nameless & np.isin(compiled.supply_item, made), b] = 1.0
    return Shocks(chosen.names, sparse.csc_array(own), chosen.flow_lost)


def members(compiled: Compiled, shocks: Shocks) -> list[Members]:
    """Return what each shock hits; the nodes of a refusal are the sellers of the withheld offers."""
    found = []
    for column in range(len(shocks)):
        nodes = shocks.own_lost.indices[shocks.own_lost.indptr[column] : shocks.own_lost.indptr[column + 1]]
        offers: npt.NDArray[Any] = shocks.flow_lost.indices[
            shocks.flow_lost.indptr[column] : shocks.flow_lost.indptr[column + 1]
        ]
        if len(nodes):
            offers = np.flatnonzero(np.isin(compiled.offer_supply, nodes))
        else:
            nodes = np.unique(compiled.offer_supply[offers])
        found.append(Members(np.asarray(nodes, np.intp), np.asarray(offers, np.intp)))
    return found


def name_of(network: SupplyNetwork, kind: str, element: str) -> tuple[str, str]:
    """Return (name for people, home): head office of an organisation or firm, place of the others, "" of an item."""
    titles, firms = network.items.set_index("item")["name"], network.organisations.set_index("organisation")
    if kind in ("jurisdiction", "site"):
        return (country(element).name if is_country(element) else element), element
    if kind == "item":
        return str(titles[element] or element), ""
    if kind == "source":
        item, place = element.rsplit("@", 1)
        return f"{titles[item] or item} from {name_of(network, 'site', place)[0]}", place
    if kind == "firm":
        item, firm = element.split(" by ", 1)
        name, home = name_of(network, "organisation", firm)
        return f"{titles[item] or item} by {name}", home
    if kind == "organisation":
        if element not in firms.index:
            return element, ""
        return str(firms.at[element, "name"] or element), str(firms.at[element, "jurisdiction"])
    row = network.supplies[network.supplies["supply"] == element].iloc[0]
    maker = name_of(network, "organisation", str(row["organisation"]))[0]
    return f"{titles[row['item']] or row['item']} by {maker}", str(row["site"])


def _withheld(compiled: Compiled, item: str, state: str, bound: Bound) -> Flags:
    """Return the offers (K,) of an item that a state withholds."""
    of_item = compiled.market_item[compiled.offer_market] == compiled.items.index(item)
    return np.asarray(of_item & refused_by(compiled, state, bound))
