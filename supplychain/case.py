"""A case: network + regime book + buyer + products + date + assumptions; what every analysis takes. Frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.assumptions import Assumptions
from supplychain.errors import UsageError
from supplychain.facts.countries import is_country, likely_code
from supplychain.facts.package import read_package
from supplychain.locate import datasets
from supplychain.network import PLANT, Compiled, Flags, SupplyNetwork
from supplychain.regimes import Determinations, RegimeBook
from supplychain.regimes.coverage import PREFIX
from supplychain.regimes.law import LEAVE, REFUSED
from supplychain.shocks import Bound, Shocks, flows_lost

if TYPE_CHECKING:
    from supplychain.analysis.chokepoints import ChokePoints
    from supplychain.analysis.exposure import Exposure
    from supplychain.analysis.resourcing import Resourcing
    from supplychain.sourcing.plan import Plan

ILLUSTRATIVE: Final = "illustrative"  # the buyer that is taken where none is named
DEFAULT_DAY: Final = "2026-11-01"  # the day that is taken where none is named


@dataclass(frozen=True, eq=False)
class Case:
    """One question. ``buyer`` is a name in the plants table, or an ISO3 code for the view of a whole country."""

    network: SupplyNetwork
    book: RegimeBook
    buyer: str
    products: tuple[str, ...]
    on: date
    assumptions: Assumptions

    @classmethod
    def make(
        cls,
        network: SupplyNetwork,
        book: RegimeBook,
        buyer: str = ILLUSTRATIVE,
        products: Sequence[str] | None = None,
        on: date | str = DEFAULT_DAY,
        assumptions: Assumptions | None = None,
    ) -> Case:
        """Return a case. ``products`` defaults to all that a buyer's plants need, for a country to all end products.

        Raises UsageError for an unknown buyer, product or a text that is not a day.
        """
        day = _day(on)
        named = set(network.plants["buyer"])
        if buyer not in named and not is_country(buyer):
            close = [likely_code(buyer)] if likely_code(buyer) else get_close_matches(buyer, sorted(named), n=1)
            hint = f"did you mean {close[0]!r}?" if close else "name a buyer of its plants, or ISO3 such as IND"
            raise UsageError(f"{buyer!r} is neither a buyer of this network nor a country code; {hint}")
        if products is None:
            own = network.plants.loc[network.plants["buyer"] == buyer, "item"]
            products = sorted(set(own)) if buyer in named else list(network.end_products)
        known = set(network.items["item"])
        for product in products:
            if product not in known:
                close = get_close_matches(product, sorted(known), n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise UsageError(f"product {product!r} is not an item of this network{hint}")
        if not products:
            raise UsageError("a case needs at least one product")
        return cls(network, book, buyer, tuple(sorted(set(products))), day, assumptions or Assumptions.load())

    @classmethod
    def load(
        cls,
        *,
        network: Path | None = None,
        regimes: Path | None = None,
        overlays: Sequence[Path] = (),
        assumptions: Path | None = None,
        buyer: str = ILLUSTRATIVE,
        products: Sequence[str] | None = None,
        on: date | str = DEFAULT_DAY,
    ) -> Case:
        """Return a case from data packages at the paths given; what is None is the bundled one."""
        return cls.make(
            _bundled_network() if network is None else SupplyNetwork.from_package(read_package(network, "network")),
            RegimeBook.load(regimes, overlays),
            buyer,
            products,
            on,
            Assumptions.load(assumptions),
        )

    @classmethod
    def bundled(
        cls, buyer: str = ILLUSTRATIVE, products: Sequence[str] | None = None, on: date | str = DEFAULT_DAY
    ) -> Case:
        """Return a case on the bundled network and regime book."""
        return cls.load(buyer=buyer, products=products, on=on)

    def with_(self, **changes: Any) -> Case:
        """Return another case: network, book, buyer, products, on, assumptions (or a {name: value} of them)."""
        unknown = changes.keys() - {"network", "book", "buyer", "products", "on", "assumptions"}
        if unknown:
            raise UsageError(f"a case has no part {sorted(unknown)[0]!r}")
        if isinstance(changes.get("assumptions"), Mapping):
            changes["assumptions"] = self.assumptions.with_(changes["assumptions"])
        default = None if changes.keys() & {"buyer", "network"} else self.products
        parts = {"network": self.network, "book": self.book, "buyer": self.buyer, "on": self.on}
        given = {"products": default, "assumptions": self.assumptions, **parts, **changes}
        other = Case.make(**given)
        if not changes.keys() & {"network", "buyer", "products"} and other.tagged == self.tagged:
            # Only the law or the assumptions differ: the arrays are the same, or differ in the blanks filled alone.
            kept = ("plain",) if "assumptions" in changes else ("plain", "compiled")
            other.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        return other

    @property
    def is_country(self) -> bool:
        """Is the buyer a whole country?"""
        return not (self.network.plants["buyer"] == self.buyer).any()

    @property
    def illustrative(self) -> bool:
        """Are the buyer's plants invented for illustration?"""
        plants = self.network.plants
        own = plants["buyer"] == self.buyer
        return "illustrative" in plants and bool(plants.loc[own, "illustrative"].fillna(False).astype(bool).any())

    @cached_property
    def destinations(self) -> tuple[str, ...]:
        """The buyer's country, or the sites of its plants."""
        if self.is_country:
            return (self.buyer,)
        plants = self.network.plants
        return tuple(sorted(set(plants.loc[plants["buyer"] == self.buyer, "site"])))

    @cached_property
    def tagged(self) -> frozenset[str]:
        """Organisations that the regime book tags as parties on a list, on whatever day."""
        return frozenset(self.book.tables["organisation_tags"]["organisation"])

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tags that hold on the case's day, by organisation, joined by ";"."""
        table, day = self.book.tables["organisation_tags"], pd.Timestamp(self.on)
        holds = ~(table["from"] > day) & ~(table["to"] <= day)
        rows = table[holds.to_numpy(bool)].sort_values(["organisation", "tag"])
        return {str(name): ";".join(part["tag"]) for name, part in rows.groupby("organisation", sort=True)}

    @cached_property
    def plain(self) -> Compiled:
        """The arrays of all that the case needs, blank stocks, lives and terms left blank."""
        buyer = None if self.is_country else self.buyer
        return self.network.compile(self.destinations, self.products, buyer, sorted(self.tagged))

    @cached_property
    def compiled(self) -> Compiled:
        """The arrays of all that the case needs, blanks filled from the assumptions."""
        number = self.assumptions.number
        return self.plain.completed(
            stock_days=number("short_run.stock_days"),
            capital_months=number("short_run.capital_months"),
            knowledge_months=number("short_run.knowledge_months"),
        )

    @cached_property
    def resourcing(self) -> Resourcing:
        """What is assumed and recorded of spare capacity, qualification and new capacity, by item."""
        from supplychain.analysis.resourcing import Resourcing

        return Resourcing.from_network(self.network, self.assumptions.settings.get("resourcing"))

    @cached_property
    def needs(self) -> pd.DataFrame:
        """What the buyer needs, sorted by item, then place: plant ("" for a country), destination, item, market (its
        position in ``compiled``), need (position of the plant's need there, -1 for none), stock_days, margin_usd
        (per year: of a unit, times the year's demand; NaN unknown)."""
        compiled = self.compiled
        items = pd.Index(compiled.items)
        plants = self.network.plants
        own = np.flatnonzero(compiled.supply_kind[compiled.need_supply] == PLANT)
        of = compiled.market_item[compiled.need_market[own]]
        own = own[np.isin(of, np.asarray(items.get_indexer(pd.Index(self.products))))]
        rows = plants.iloc[compiled.need_row[own]]
        found = pd.DataFrame(
            {
                "plant": rows["plant"].to_numpy(object),
                "destination": rows["site"].to_numpy(object),
                "item": rows["item"].to_numpy(object),
                "market": compiled.need_market[own],
                "need": own,
                "stock_days": compiled.need_stock_days[own],
                "margin_usd": (rows["margin_usd"] * rows["demand"]).to_numpy(float),
            }
        )
        others = sorted(set(self.products) - set(found["item"]))
        further = [
            ("", place, item, compiled.market(item, place), -1, 0.0, np.nan)
            for item in others
            for place in self.destinations
        ]
        table = pd.concat([found, pd.DataFrame(further, columns=found.columns)]) if further else found
        return table.sort_values(["item", "destination", "plant"], kind="stable").reset_index(drop=True)

    @cached_property
    def demand_shares(self) -> npt.NDArray[np.float64]:
        """Part of the item's world demand at each need's destination, by row of ``needs``; 1 where none is recorded."""
        share = self.network.demand.drop_duplicates(["item", "destination"]).set_index(["item", "destination"])["share"]
        keys = pd.MultiIndex.from_frame(self.needs[["item", "destination"]])
        return share.reindex(keys).fillna(1.0).to_numpy(float)

    def flows(self) -> pd.DataFrame:
        """One row per offer: supply, item and its codes, category and customs headings, origin (site), head_office,
        parent, content, direct_product, destination, entity (list tags of the buying party where it is known). Text
        columns are categorical; blank is unknown."""
        return self._flows.copy(deep=False)

    @cached_property
    def _flows(self) -> pd.DataFrame:
        compiled, network = self.compiled, self.network
        seller, market = compiled.offer_supply, compiled.offer_market
        items = network.items
        places = np.array([*compiled.places[:-1], ""], object)

        def by_item(column: str) -> pd.Categorical:
            return _categories(items[column].to_numpy(object), compiled.market_item[market])

        organisations = network.organisations.set_index("organisation").reindex(pd.Index(compiled.organisations))
        head = np.append(organisations["jurisdiction"].fillna("").to_numpy(object), "")
        parent = organisations["parent_jurisdiction"].fillna("").to_numpy(object)
        parent = np.append(np.where(parent == "", head[:-1], parent), "")
        content, direct = _content(network)
        # A market of one buying supply is that party's: its tags are stated; a pooled market states none.
        buyer = compiled.market_buyer[market]
        party = np.where(buyer >= 0, compiled.supply_org[buyer], -1)
        tags = np.array([*(self.tags.get(name, "") for name in compiled.organisations), ""], object)
        row = np.where(compiled.supply_row >= 0, compiled.supply_row, len(network.supplies))
        return pd.DataFrame(
            {
                "supply": _categories(compiled.supply_ids, seller),
                "item": by_item("item"),
                "item_codes": by_item("control_codes"),
                "item_category": by_item("category"),
                "hs6": by_item("hs6"),
                "origin": _categories(places, compiled.supply_place[seller]),
                "head_office": _categories(head, compiled.supply_org[seller]),
                "parent": _categories(parent, compiled.supply_org[seller]),
                "content": _categories(content, row[seller]),
                "direct_product": _categories(direct, row[seller]),
                "destination": _categories(places, compiled.market_place[market]),
                "entity": _categories(tags, party),
            }
        )

    @cached_property
    def determinations(self) -> Determinations:
        """What the law says of every flow on the case's date; row k is offer k of ``compiled``."""
        like: Determinations | None = self.__dict__.get("_like")
        return self.book.determine(self.flows(), on=self.on, assumptions=self.assumptions.settings, like=like)

    def _column(self, name: str) -> npt.NDArray[np.object_]:
        """One text column of the determinations, without the cost of the whole table."""
        return np.asarray(self.determinations.column(name), dtype=object)

    @cached_property
    def _refused(self) -> dict[Bound, tuple[Flags, Flags]]:
        """By bound, which offers are refused already, and which need leave or are refused already."""
        return refusals(self.determinations, self.nowhere)

    @cached_property
    def nowhere(self) -> Flags:
        """Which offers (K,) go to a place that nobody recorded."""
        return np.asarray(self.compiled.market_place[self.compiled.offer_market] == len(self.compiled.places) - 1)

    @cached_property
    def _deciding(self) -> tuple[pd.Categorical, pd.Categorical]:
        """The state and the regime whose control decides, by offer."""
        return self.determinations.column("imposing"), self.determinations.column("regime")

    @cached_property
    def _leave(self) -> pd.DataFrame:
        """Controls under which a flow needs leave, by flow and control; those on an unstated end use left out."""
        applied = self.determinations.applied
        keep = applied["status"].isin(LEAVE) & ~applied["conditional"] & (applied["imposing"] != "")
        found = applied.loc[keep, ["flow", "imposing", "regime", "control", "policy", "status", "certain"]]
        # An exception that may apply makes the need for leave doubtful.
        return found.assign(certain=found["certain"] & (applied.loc[keep, "exception"] == ""))

    @cached_property
    def _asked(self) -> tuple[npt.NDArray[np.intp], Flags, dict[str, tuple[npt.NDArray[np.intp], npt.NDArray[Any]]]]:
        """``_leave`` as arrays: flow, certain, and codes and words of imposing state and regime."""
        rows = self._leave
        by = {name: pd.factorize(rows[name].to_numpy(object)) for name in ("imposing", "regime")}
        return rows["flow"].to_numpy(), rows["certain"].to_numpy(bool), by

    def denied_flows(self, bound: Bound = "optimistic") -> Flags:
        """Return which offers (K,) are refused already: prohibited, presumption of denial, embargo. The optimistic
        bound takes what is refused whatever the unknown facts are, the pessimistic one all that may be."""
        return self._refused[bound][0].copy()

    def leave_flows(
        self, bound: Bound = "optimistic", imposing: Sequence[str] | None = None, regime: str | None = None
    ) -> Flags:
        """Return which offers (K,) need leave or are refused already: of anyone, of some states, or under a regime."""
        if imposing is None and regime is None:
            return self._refused[bound][1].copy()
        flow, certain, by = self._asked
        keep = np.ones(len(flow), bool) if bound == "pessimistic" else certain
        for name, wanted in (("imposing", imposing), ("regime", None if regime is None else (regime,))):
            if wanted is not None:
                codes, words = by[name]
                keep = keep & np.isin(words, list(wanted))[codes]
        mask = np.zeros(self.compiled.n_offers, bool)
        mask[flow[keep]] = True
        # A flow may need leave whichever of several controls applies: it counts for the one that decides.
        decided = self.leave_flows(bound)
        by_state, by_regime = self._deciding
        if imposing is not None:
            decided &= np.isin(by_state.categories, list(imposing))[by_state.codes]
        if regime is not None:
            decided &= np.isin(by_regime.categories, [regime])[by_regime.codes]
        return (mask | decided) & self._refused[bound][1]

    @cached_property
    def imposing_states(self) -> tuple[str, ...]:
        """States whose leave some flow of the case needs or may need."""
        return tuple(sorted(set(self._leave["imposing"].tolist())))

    @cached_property
    def regimes(self) -> tuple[str, ...]:
        """Regimes under which some flow of the case needs or may need leave."""
        return tuple(sorted(set(self._leave["regime"].tolist()) - {""}))

    def in_force(self, bound: Bound = "optimistic") -> Shocks:
        """Return one shock: all flows that are refused already."""
        return flows_lost(self.compiled, ["in force"], [self.denied_flows(bound)])

    def at_leave(self, bound: Bound = "optimistic") -> Shocks:
        """Return one shock: all flows that need leave of any state, as if the leave were refused."""
        return flows_lost(self.compiled, ["at leave"], [self.leave_flows(bound)])

    def at_leave_by_state(self, states: Sequence[str] | None = None, bound: Bound = "optimistic") -> Shocks:
        """Return one shock per state: what it controls on the date, refused."""
        states = self.imposing_states if states is None else states
        return flows_lost(self.compiled, states, [self.leave_flows(bound, imposing=[state]) for state in states])

    def at_leave_by_regime(self, regimes: Sequence[str] | None = None, bound: Bound = "optimistic") -> Shocks:
        """Return one shock per regime: the leave that its controls ask for, refused."""
        regimes = self.regimes if regimes is None else regimes
        return flows_lost(self.compiled, regimes, [self.leave_flows(bound, regime=regime) for regime in regimes])

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What every view of the case must say: illustrative plants, law not known on the day, warnings of the data."""
        found = [*self.book.warnings_for(self.on)]
        if self.illustrative:
            found.insert(0, f"the plants of {self.buyer!r} are invented for illustration")
        if self.network.package is not None:
            found += [str(problem) for problem in self.network.package.warnings]
        return tuple(found)

    def exposure(self, horizons: Sequence[float] = (3, 12, 36)) -> Exposure:
        """Return the exposure of the case; see ``supplychain.analysis.exposure``."""
        from supplychain.analysis.exposure import exposure

        return exposure(self, horizons)

    def chokepoints(
        self, kinds: Sequence[str] | None = None, top: int | None = 20, horizons: Sequence[float] = (3, 12, 36)
    ) -> ChokePoints:
        """Return the choke points of the case; see ``supplychain.analysis.chokepoints``."""
        from supplychain.analysis.chokepoints import DEFAULT_KINDS, choke_points

        return choke_points(self, DEFAULT_KINDS if kinds is None else kinds, top, horizons)

    def source(self, policy: str = "balanced") -> Plan:
        """Return the sourcing plan of the case's buyer; see ``supplychain.sourcing``."""
        from supplychain.sourcing.compare import source

        return source(self, policy)


@cache
def _bundled_network() -> SupplyNetwork:
    return SupplyNetwork.from_package(read_package(datasets() / "semiconductors", "network"))


def refusals(found: Determinations, nowhere: Flags) -> dict[Bound, tuple[Flags, Flags]]:
    """Return by bound which flows are refused already, and which need leave or are refused already.

    Law that the book does not hold towards a place that nobody recorded (`nowhere`) is no finding of any kind: such a
    supply already counts as withheld for what it sells.
    """
    unread = np.char.startswith(np.asarray(found.column("control"), dtype=str), PREFIX) & nowhere
    told: dict[Bound, tuple[Flags, Flags]] = {}
    for bound, level in (("optimistic", "floor"), ("pessimistic", "ceiling")):
        status = np.asarray(found.column(level), dtype=object)
        policy = np.asarray(found.column(f"{level}_policy"), dtype=object)
        denied = np.asarray((status == "prohibited") | np.isin(policy, REFUSED), dtype=bool)
        leave = denied | np.isin(status, LEAVE)
        if bound == "pessimistic":
            denied, leave = denied & ~unread, leave & ~unread
        told[bound] = denied, leave  # type: ignore[index]
    return told


def _day(on: date | str) -> date:
    if isinstance(on, date):
        return on
    try:
        return date.fromisoformat(on)
    except ValueError:
        raise UsageError(f"{on!r} is not a day; write it as YYYY-MM-DD, such as 2024-09-10") from None


def _categories(words: npt.NDArray[np.object_], codes: npt.NDArray[np.integer]) -> pd.Categorical:
    """Return words[codes] as a categorical; the code -1 takes the last word."""
    distinct, position = np.unique(words.astype(str), return_inverse=True)
    return pd.Categorical.from_codes(position[codes], categories=pd.Index(distinct, dtype=object))


def _content(network: SupplyNetwork) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Return content ("USA=0.3;JPN=0.1") and direct product ("USA") of each supply; "" (and the last) is unknown."""
    table = network.content.sort_values(["supply", "origin"], kind="stable")
    position = pd.Index(network.supplies["supply"]).get_indexer(pd.Index(table["supply"]))
    texts = np.full((2, len(network.supplies) + 1), "", object)
    if len(table):
        share = table["share"].to_numpy(float)
        direct = (
            table["direct_product"].fillna(False).astype(bool).to_numpy() if "direct_product" in table else share < 0
        )
        for row, origin, part, product in zip(position, table["origin"], share, direct, strict=True):
            if row >= 0 and np.isfinite(part):
                texts[0, row] += f"{';' if texts[0, row] else ''}{origin}={part:g}"
            if row >= 0 and product:
                texts[1, row] += f"{';' if texts[1, row] else ''}{origin}"
    return texts[0], texts[1]
