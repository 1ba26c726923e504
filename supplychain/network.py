"""The supply network: validated tables, and the AND/OR arrays that every analysis computes on.

A *supply* (one organisation making one item at one site) is an AND-gate: it needs all that its item requires.
A *market* (an item wanted at a place, or by one buying supply where lanes are known) is an OR-gate: it draws on
supplies by weight.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from supplychain.errors import Problems, UsageError

if TYPE_CHECKING:
    import networkx as nx

    from supplychain.facts.package import Package

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]
Names = npt.NDArray[np.object_]

UNKNOWN_PLACE: Final = "???"
NOBODY: Final = "other"  # the organisation of producers of whom nothing is known
COUNTRY_GROUP: Final = "producers-"  # organisations of this prefix stand for all producers of a country
UNATTRIBUTED: Final = "unattributed:"  # before the item, the node of what its recorded shares leave
ROLES: Final = ("consumable", "capital", "knowledge")
CONSUMABLE, CAPITAL, KNOWLEDGE = range(3)
IMPORTANT, ESSENTIAL = 1, 2
# Kinds of node that `Compiled.supply_kind` tells apart.
SUPPLY, REMAINDER, PLANT = range(3)
DAYS_PER_MONTH: Final = 30.4375
_SHARE_NOISE = 1e-9  # shares that miss 1 by less than this are taken to reach it

# Columns each table must have to be compiled; a table given without one gets it blank (text "", number NaN).
_TEXT = {
    "items": ("item", "name", "category", "unit", "hs6", "control_codes", "aggregate_of"),
    "organisations": ("organisation", "name", "jurisdiction", "parent", "parent_jurisdiction"),
    "supplies": ("supply", "organisation", "item", "site", "quality", "source"),
    "requirements": ("requirement", "item", "requires", "role", "essentiality", "alternatives", "quality", "source"),
    "plants": ("plant", "buyer", "site", "item"),
    "demand": ("item", "destination"),
    "lanes": ("lane", "from_supply", "to_supply", "to_plant"),
    "content": ("supply", "origin"),
    "sources": ("source",),
}
_NUMBERS = {
    "items": (
        "tier",
        "stock_days",
        "lead_time_months",
        "qualification_months",
        "new_capacity_months",
        "spare_capacity",
    ),
    "supplies": ("share", "capacity", "spare_capacity"),
    "requirements": ("coefficient", "lifetime_years", "use_share"),
    "plants": ("demand", "stock_days", "margin_usd"),
    "demand": ("share",),
    "lanes": ("share", "volume"),
    "content": ("share",),
}
_KEYS = {
    "items": ["item"],
    "organisations": ["organisation"],
    "supplies": ["supply"],
    "requirements": ["requirement"],
    "plants": ["plant", "item"],
    "lanes": ["lane"],
    "sources": ["source"],
}


@dataclass(frozen=True, eq=False)
class Compiled:
    """The AND/OR network restricted to what some items at some destinations (and a buyer's plants) need.

    S nodes make things, M markets are where needs are met, K offers join them, R needs hang below the nodes. All
    arrays are in canonical order (nodes: recorded supplies by id, then remainders by item, then plants by id; markets
    by item, then place or buyer; offers by market, needs by node): results never depend on the order of input rows.

    A node is a recorded supply, the *unattributed remainder* of an item (what the recorded shares leave; place and
    organisation unknown), or a plant of the buyer (it needs, and offers nothing): see ``supply_kind``. Remainders are
    ordinary offers, so the offers of a market sum to 1; ``market_unknown`` is the part of them at the place ``???``.
    """

    places: tuple[str, ...]  # ISO3 ascending, then "???" for unknown
    items: tuple[str, ...]
    organisations: tuple[str, ...]
    supply_ids: Names  # (S,)
    supply_kind: Bytes  # (S,) SUPPLY | REMAINDER | PLANT
    supply_item: Ints  # (S,) position in items, -1 for plants
    supply_place: Ints  # (S,) position in places
    supply_org: Ints  # (S,) position in organisations, -1 unknown
    supply_share: Floats  # (S,) share of the item's world supply, 0 for plants and for shares not known
    supply_row: Ints  # (S,) row of network.supplies, -1 for the other kinds
    market_item: Ints  # (M,)
    market_place: Ints  # (M,) place of the buyer
    market_buyer: Ints  # (M,) node that buys, -1 for the pooled market of a place
    market_unknown: Floats  # (M,) weight of the offers whose place is unknown
    offer_market: Ints  # (K,)
    offer_supply: Ints  # (K,)
    offer_weight: Floats  # (K,)
    need_supply: Ints  # (R,)
    need_market: Ints  # (R,)
    need_role: Bytes  # (R,) CONSUMABLE | CAPITAL | KNOWLEDGE
    need_essential: Bytes  # (R,) ESSENTIAL | IMPORTANT
    need_weight: Floats  # (R,) share within its group of alternatives, times 1/(number of needs) where only important
    need_life_months: Floats  # (R,) life of capital, term of knowledge; NaN unknown
    need_stock_days: Floats  # (R,) the user's stock of the required item; NaN unknown
    need_use: Floats  # (R,) part of the required item's world output that this use takes; NaN unknown
    need_group: Ints  # (R,) number of the group of alternatives within the whole, -1 alone
    need_row: Ints  # (R,) row of network.requirements (of network.plants for plants)

    @property
    def n_supplies(self) -> int:
        return len(self.supply_ids)

    @property
    def n_markets(self) -> int:
        return len(self.market_item)

    @property
    def n_offers(self) -> int:
        return len(self.offer_market)

    @property
    def n_needs(self) -> int:
        return len(self.need_market)

    @cached_property
    def offer_start(self) -> npt.NDArray[np.int64]:
        """Shape (M + 1,): the offers of market m are ``offer_start[m]:offer_start[m + 1]``."""
        return np.searchsorted(self.offer_market, np.arange(self.n_markets + 1))

    @cached_property
    def need_start(self) -> npt.NDArray[np.int64]:
        """Shape (S + 1,): the needs of node s are ``need_start[s]:need_start[s + 1]``."""
        return np.searchsorted(self.need_supply, np.arange(self.n_supplies + 1))

    @cached_property
    def weights(self) -> sparse.csr_array:
        """Sparse M x S matrix W of the offers' weights; each row sums to 1."""
        shape = (self.n_markets, self.n_supplies)
        start = self.offer_start.astype(np.int32)
        return sparse.csr_array((self.offer_weight, self.offer_supply, start), shape=shape)

    @cached_property
    def _markets(self) -> dict[tuple[int, int, int], int]:
        keys = zip(self.market_item.tolist(), self.market_place.tolist(), self.market_buyer.tolist(), strict=True)
        return {key: position for position, key in enumerate(keys)}

    def market(self, item: str, place: str) -> int:
        """Return the position of the pooled market of ``item`` at ``place``; UsageError if it is not there."""
        try:
            return self._markets[self.items.index(item), self.places.index(place), -1]
        except (ValueError, KeyError):
            raise UsageError(f"{item!r} at {place!r} is not part of this network of {self.n_markets} markets") from None

    def node(self, supply: str) -> int:
        """Return the position of the node named ``supply``; UsageError if it is not part of the network."""
        found = np.flatnonzero(self.supply_ids == supply)
        if len(found) != 1:
            raise UsageError(f"supply {supply!r} is not part of this network of {self.n_supplies} supplies")
        return int(found[0])

    def completed(
        self, stock_days: float = 0.0, capital_months: float = 120.0, knowledge_months: float = 36.0
    ) -> Compiled:
        """Return the network with blank stocks, lives and terms filled by the (assumed) values given."""
        life = np.where(self.need_role == KNOWLEDGE, knowledge_months, capital_months)
        return replace(
            self,
            need_stock_days=np.where(np.isnan(self.need_stock_days), stock_days, self.need_stock_days),
            need_life_months=np.where(np.isnan(self.need_life_months), life, self.need_life_months),
        )

    def to_networkx(self) -> nx.DiGraph[Any]:
        """Return the AND/OR digraph: ("supply", id) -> ("market", item, place, buyer) -> ("supply", id).

        Edges into markets carry ``weight``; edges into supplies carry ``role`` and ``essential``.
        """
        import networkx as nx

        names = [("supply", name) for name in self.supply_ids]
        markets = [
            ("market", self.items[i], self.places[p], self.supply_ids[b] if b >= 0 else "")
            for i, p, b in zip(self.market_item, self.market_place, self.market_buyer, strict=True)
        ]
        graph: nx.DiGraph[Any] = nx.DiGraph()
        graph.add_nodes_from(names, gate="and")
        graph.add_nodes_from(markets, gate="or")
        offers = zip(self.offer_supply, self.offer_market, self.offer_weight.tolist(), strict=True)
        graph.add_edges_from((names[s], markets[m], {"weight": w}) for s, m, w in offers)
        needs = zip(self.need_market, self.need_supply, self.need_role, self.need_essential, strict=True)
        graph.add_edges_from(
            (markets[m], names[s], {"role": ROLES[role], "essential": bool(essential == ESSENTIAL)})
            for m, s, role, essential in needs
        )
        return graph


@dataclass(frozen=True, eq=False)
class SupplyNetwork:
    """The tables of a network package in canonical order; only supplies that carry weight; shares sum to at most 1."""

    items: pd.DataFrame
    organisations: pd.DataFrame
    supplies: pd.DataFrame
    requirements: pd.DataFrame
    plants: pd.DataFrame
    demand: pd.DataFrame
    lanes: pd.DataFrame
    content: pd.DataFrame
    sources: pd.DataFrame
    name: str = ""
    package: Package | None = None  # what it was read from: every table as given, hashes, warnings

    @classmethod
    def from_package(cls, package: Package) -> SupplyNetwork:
        """Return the network of a package that has been read and checked."""
        return replace(cls.from_tables(package.tables, name=package.name), package=package)

    @classmethod
    def from_tables(cls, tables: Mapping[str, pd.DataFrame], name: str = "") -> SupplyNetwork:
        """Return the network of tables given by name; only ``supplies`` is required, absent columns are blank.

        Raises InputError naming every reference that does not resolve and every share below 0.
        """
        ready = {table: _canonical(table, tables.get(table)) for table in _TEXT}
        given = tables.get("items")
        if given is None or given.empty:
            wanted = [ready["supplies"]["item"], ready["requirements"]["item"], ready["requirements"]["requires"]]
            found = pd.unique(pd.concat([*wanted, ready["plants"]["item"]]))
            ready["items"] = _canonical("items", pd.DataFrame({"item": found}))
        _check(ready)
        ready["supplies"] = _weighted(ready["supplies"])
        parts: dict[str, Any] = {**ready, "name": name}
        return cls(**parts)

    def compile(
        self,
        destinations: Sequence[str] | None = None,
        items: Sequence[str] | None = None,
        buyer: str | None = None,
        apart: Collection[str] = (),
    ) -> Compiled:
        """Return the arrays of all that ``items`` at ``destinations``, and the plants of ``buyer``, need at any tier.

        ``destinations`` are ISO3 codes; ``items`` defaults to the end products (tier 0). Without destinations and
        buyer the whole network is compiled. Only markets that the request reaches are kept, each with all its offers.
        The needs of the organisations `apart` are met in markets of their own, so that law on parties can tell them
        from others at the same place.
        """
        from supplychain._compile import compile_network

        return compile_network(self, destinations, items, buyer, apart)

    @cached_property
    def end_products(self) -> tuple[str, ...]:
        """Items of tier 0, or, where no tier is recorded, items that no other item requires."""
        tier = self.items["tier"].to_numpy(float)
        if np.isfinite(tier).any():
            return tuple(self.items["item"][tier == 0])
        return tuple(self.items["item"][~self.items["item"].isin(self.requirements["requires"])])

    def to_networkx(self) -> nx.DiGraph[str]:
        """Return the digraph of items: required item -> item, with role, essentiality and use share."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(
            (row["item"], {"name": row["name"], "tier": row["tier"], "category": row["category"]})
            for row in self.items[["item", "name", "tier", "category"]].to_dict("records")
        )
        columns = ["requirement", "role", "essentiality", "use_share"]
        rows = self.requirements[["requires", "item", *columns]].to_dict("records")
        graph.add_edges_from((row["requires"], row["item"], {key: row[key] for key in columns}) for row in rows)
        return graph


def is_firm(organisation: str) -> bool:
    """Is this organisation one firm or agency, as far as is known?"""
    return organisation != NOBODY and not organisation.startswith(COUNTRY_GROUP)


def _canonical(table: str, frame: pd.DataFrame | None) -> pd.DataFrame:
    """Return the table with the columns the model needs, sorted by key."""
    frame = pd.DataFrame() if frame is None else frame.copy()
    for column in _TEXT[table]:
        frame[column] = (
            frame[column].fillna("").astype(str) if column in frame else pd.Series("", frame.index, dtype=str)
        )
    for column in _NUMBERS.get(table, ()):
        frame[column] = frame[column].astype(float) if column in frame else np.nan
    if table == "requirements" and len(frame):
        generated = frame["item"] + ":" + frame["requires"]
        frame["requirement"] = frame["requirement"].where(frame["requirement"] != "", generated)
        frame["role"] = frame["role"].where(frame["role"] != "", "consumable")
        frame["essentiality"] = frame["essentiality"].where(frame["essentiality"] != "", "essential")
    if table == "lanes" and len(frame):
        target = frame["to_supply"].where(frame["to_supply"] != "", frame["to_plant"])
        frame["lane"] = frame["lane"].where(frame["lane"] != "", frame["from_supply"] + ":" + target)
    keys = _KEYS.get(table, list(_TEXT[table][:2]))
    return frame.sort_values(keys, kind="stable").reset_index(drop=True)


def _check(tables: Mapping[str, pd.DataFrame]) -> None:
    """Raise InputError with every unresolved reference, double key, unknown word and negative number."""
    problems = Problems()
    known = {table: pd.Index(tables[table][_KEYS[table][0]]) for table in ("items", "supplies", "plants")}
    references = [
        ("supplies", "item", "items"),
        ("requirements", "item", "items"),
        ("requirements", "requires", "items"),
        ("plants", "item", "items"),
        ("lanes", "from_supply", "supplies"),
        ("lanes", "to_supply", "supplies"),
        ("lanes", "to_plant", "plants"),
    ]
    for table, column, target in references:
        values = tables[table][column]
        for value in sorted(set(values[~values.isin(known[target]) & ((values != "") | (table != "lanes"))])):
            rule = f"must be one of {target}"
            problems.add("reference", rule, "add it, or correct the name", table=table, column=column, value=value)
    for table, keys in _KEYS.items():
        twice = tables[table].loc[tables[table].duplicated(keys), keys[0]]
        for value in sorted(set(twice)):
            problems.add(
                "duplicate", "a key may occur once", "give it another id", table=table, column=keys[0], value=value
            )
    words = {"role": ROLES, "essentiality": ("essential", "important", "minor")}
    for column, allowed in words.items():
        values = tables["requirements"][column]
        for value in sorted(set(values[~values.isin(allowed)])):
            problems.add(
                "word", f"must be one of {', '.join(allowed)}", table="requirements", column=column, value=value
            )
    for table in ("supplies", "requirements", "lanes", "plants"):
        for column in _NUMBERS[table]:
            for value in tables[table].loc[tables[table][column] < 0, column].head(3):
                problems.add("negative", "must not be below 0", table=table, column=column, value=value)
    problems.raise_if_any()


def _weighted(supplies: pd.DataFrame) -> pd.DataFrame:
    """Return the supplies that carry weight; shares from capacities where an item has no share; sums at most 1."""
    if "weight" in supplies:
        supplies = supplies[supplies["weight"].astype("boolean").fillna(True).to_numpy(bool)].reset_index(drop=True)
    item = supplies["item"]
    share = supplies["share"].to_numpy(float)
    capacity = supplies["capacity"].to_numpy(float)
    recorded = pd.Series(np.isfinite(share)).groupby(item.to_numpy()).transform("any").to_numpy(bool)
    total = pd.Series(capacity).groupby(item.to_numpy()).transform("sum").to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(recorded, share, np.where(total > 0, capacity / total, np.nan))
    total = pd.Series(share).groupby(item.to_numpy()).transform("sum").to_numpy(float)
    return supplies.assign(share=np.where(total > 1, share / np.where(total > 0, total, 1), share))
