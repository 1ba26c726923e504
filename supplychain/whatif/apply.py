"""A scenario applied to a case: another case, and what its outages, ramps and delays do over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import sparse

from supplychain.analysis.exposure import MEASURES as MEASURES
from supplychain.case import Case
from supplychain.errors import Problems, UsageError
from supplychain.facts.countries import is_country
from supplychain.network import Floats
from supplychain.regimes import RegimeBook
from supplychain.shocks import Bound, Shocks
from supplychain.whatif import actions as do
from supplychain.whatif import supply
from supplychain.whatif.legal import Steps, edit_law
from supplychain.whatif.scenario import Scenario

WINDOW: Final = 36.0  # months that a scenario is followed
_OF_NETWORK: Final = {"compiled", "needs", "demand_shares", "nowhere", "resourcing"}  # that no law enters


@dataclass(frozen=True, eq=False)
class Applied:
    """A scenario on a case. ``case`` holds what does not change over time; outages and ramps are laid over it by month.

    At horizon T a thing that changes over time counts with its mean over the first T months.
    """

    scenario: Scenario
    base: Case
    case: Case
    outages: tuple[supply.Outage, ...]
    ramps: tuple[supply.Ramp, ...]
    actions: tuple[do.Action, ...]
    warnings: tuple[str, ...]

    @property
    def constant(self) -> bool:
        """Is the scenario the same at every horizon?"""
        fixed = all(o.start <= 0 and o.end >= WINDOW for o in self.outages)
        surges = [a for a in self.actions if isinstance(a, do.Demand) and a.world]
        return fixed and not self.ramps and all(supply.month_of(a.start, self.case.on) <= 0 for a in surges)

    def at(self, months: float) -> Case:
        """Return the case with the new capacity that stands, in the mean, over the first ``months``."""
        if not self.ramps:
            return self.case
        if months not in self._grown:
            self._grown[months] = self._with_ramps(self.ramps, months)
        return self._grown[months]

    def standing(self, months: float) -> Case:
        """Return the case with the new capacity that stands at a moment."""
        if not self.ramps:
            return self.case
        still = tuple(replace(ramp, add=max(ramp.at(months), 1e-9), start=-1.0, end=-1.0) for ramp in self.ramps)
        return self._with_ramps(still, 1.0)

    def _with_ramps(self, ramps: tuple[supply.Ramp, ...], months: float) -> Case:
        network = supply.grown(self.case.network, ramps, months)
        case = self.case.with_(network=network, buyer=self.case.buyer, products=self.case.products)
        # Only weights differ from month to month: the law is judged once.
        known = self.__dict__.setdefault("_judged", case)
        if known is not case and same_flows(known, case):
            case.__dict__["determinations"] = known.determinations
        return case

    @cached_property
    def _grown(self) -> dict[float, Case]:
        return {}

    def own_lost(self, months: float, bound: Bound = "optimistic", *, mean: bool = True) -> Floats:
        """Return the part of each node's output (S,) of ``at(months)`` that is lost to outages and surges of demand."""
        case = self.at(months)
        lost = supply.own_lost(case.compiled, self.outages, bound, months, mean)
        if any(isinstance(action, do.Demand) and action.world for action in self.actions):
            more = supply.surge(case.compiled, self.actions, case.resourcing.spare, case.on, months)
            lost = 1.0 - (1.0 - lost) * (1.0 - more)
        return lost

    def shocks(self, months: float, bound: Bound = "optimistic") -> Shocks:
        """Return two shocks, in the order of MEASURES: flows refused already, and all that need leave refused; with the
        outages of the scenario in both."""
        case = self.at(months)
        law = case.in_force(bound).beside(case.at_leave(bound))
        own = sparse.csc_array(np.repeat(self.own_lost(months, bound)[:, None], len(law), axis=1))
        return Shocks(MEASURES, own, law.flow_lost)

    def licence_days(self, case: Case | None = None) -> Floats:
        """Return the days that leave takes for every offer (K,) of a case of this scenario, by the assumptions on
        policies; an open determination counts as case by case."""
        case = case or self.case
        found = case.determinations
        licence = case.assumptions.settings.get("licence", {})
        usual = float(licence.get("case-by-case", {}).get("delay_days", 0.0))
        words = np.array([str(word) for word in found.column("policy")], object)
        status = np.array([str(word) for word in found.column("status")], object)
        words = np.where(words == "", status, words)
        known = {word: float(licence.get(word, {}).get("delay_days", usual)) for word in set(words)}
        days = np.array([known[word] for word in words])
        flows = None
        for action in self.actions:
            if not isinstance(action, do.Delay) or supply.month_of(action.start, case.on) > 0:
                continue
            flows = case.flows() if flows is None else flows
            rows = np.ones(len(flows), bool)
            for column, names in (("origin", action.origins), ("destination", action.destinations)):
                if names:
                    rows &= flows[column].isin(_places(case, names)).to_numpy(bool)
            if action.items:
                rows &= flows["item"].isin(list(action.items)).to_numpy(bool)
            days = np.where(rows & (days > 0), days * action.factor + action.add_days, days)
        return np.asarray(days)


def same_flows(one: Case, other: Case) -> bool:
    """Are the flows of two cases the same in everything but weight?"""
    a, b = one.compiled, other.compiled
    same = a.n_offers == b.n_offers and a.n_supplies == b.n_supplies and a.n_markets == b.n_markets
    return same and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("supply_ids", "supply_place", "market_item", "market_place", "offer_supply", "offer_market")
    )


Books = dict[tuple[Any, ...], tuple[RegimeBook, dict[str, str], list[str]]]


def apply(
    scenario: Scenario, case: Case, books: Books | None = None, *, steps: Steps | None = None, told: bool = True
) -> Applied:
    """Return the scenario applied to the case. ``books`` remembers changed regime books for callers that apply many,
    ``steps`` the way to them for callers that add action to action; ``told=False`` saves them the search for outages
    that hit nothing.

    Raises InputError naming every control, regime, item, maker or plant that the book or the network does not have.
    An action dated after the scenario's day holds in the play over time only; such actions are told as warnings.
    """
    on = scenario.on or case.on
    problems = Problems()
    actions = tuple(supply.net(scenario.actions))
    warnings = supply.check_names(case.network, actions, f"{scenario.name}.toml", problems)
    _check_dates(scenario, actions, on, problems)
    _check_assumptions(scenario, case, problems)
    key = (on, *(action.words for action in actions if action.do in do.LEGAL))
    if books is not None and key in books and not problems.errors:
        book, codes, found = books[key]
    else:
        book, codes, found = edit_law(case.book, case.network, actions, on, scenario.name, problems, steps)
    if books is not None and not problems.errors:
        books[key] = book, codes, found
    problems.raise_if_any()
    warnings += found
    network = supply.edit_network(case.network, actions, case.buyer, codes)
    changes: dict[str, object] = {}
    if network is not case.network:
        changes.update(network=network, buyer=case.buyer, products=case.products)
    if book is not case.book:
        changes["book"] = book
    if on != case.on:
        changes["on"] = on
    if scenario.assumptions:
        changes["assumptions"] = dict(scenario.assumptions)
    applied = Applied(
        scenario=scenario,
        base=case,
        case=_with(case, changes) if changes else case,
        outages=supply.outages(actions, on, WINDOW),
        ramps=supply.ramps(actions, on),
        actions=actions,
        warnings=(),
    )
    return replace(applied, warnings=(*warnings, *(_idle(applied) if told else ()), *_late(actions, on)))


def _with(case: Case, changes: dict[str, object]) -> Case:
    """Change a case, keeping arrays and determinations that the change cannot touch: they cost most of the time."""
    given = {"products": case.products, "buyer": case.buyer, **changes}
    other = case.with_(**given)
    same = not changes.keys() & {"network", "assumptions"} and other.tagged == case.tagged
    if same and "compiled" in case.__dict__:
        for name in _OF_NETWORK & case.__dict__.keys():
            other.__dict__[name] = case.__dict__[name]
        if "_flows" in case.__dict__ and other.tags == case.tags:
            other.__dict__["_flows"] = case.__dict__["_flows"]
    if "determinations" in case.__dict__:
        other.__dict__["_like"] = case.determinations
    return other


def _places(case: Case, names: Sequence[str]) -> list[str]:
    """Return the states behind names of states and groups on the case's day."""
    groups, day = case.book.tables["groups"], pd.Timestamp(case.on)
    found: set[str] = set()
    for name in names:
        if is_country(name):
            found.add(name)
            continue
        rows = groups[(groups["group"] == name) & ~(groups["from"] > day) & ~(groups["to"] <= day)]
        found |= set(rows["jurisdiction"])
    return sorted(found)


def _check_dates(scenario: Scenario, actions: Sequence[do.Action], on: date, problems: Problems) -> None:
    for action in actions:
        later = action.start is not None and action.start > on
        kind = ""
        if isinstance(action, (do.Cost, do.Qualify, do.Stock)):
            kind = str(action.do)
        elif isinstance(action, do.Capacity) and action.factor > 1:
            kind = "capacity above 1 (use grow)"
        elif isinstance(action, do.Demand) and not action.world:
            kind = "demand of plants"
        if not (later and kind):
            continue
        problems.add("scenario-day", f"{kind} holds from the scenario's day on, it cannot begin later",
                     "take `from` out or set `on`", file=f"{scenario.name}.toml", column="action.from",
                     value=str(action.start))  # fmt: skip


def _check_assumptions(scenario: Scenario, case: Case, problems: Problems) -> None:
    for name, value in sorted((scenario.assumptions or {}).items()):
        try:
            case.assumptions.with_({name: value})
        except UsageError as error:
            problems.add("scenario-assumption", "an assumption of a scenario is one of the case, within its bounds",
                         str(error), file=f"{scenario.name}.toml", column=f"assumptions.{name}",
                         value=value)  # fmt: skip


def _idle(applied: Applied) -> list[str]:
    """Outages that hit nothing the buyer's products need."""
    compiled = applied.case.compiled
    return [
        f"{outage.action.words}: touches nothing that the products of this case need"
        for outage in applied.outages
        if outage.part > 0 and not supply.chosen_nodes(compiled, outage.action, "optimistic").any()
    ]


def _late(actions: Sequence[do.Action], on: date) -> list[str]:
    return [
        f"{action.words}: begins after the day of the case ({on}); it shows in the course over time, not in the losses "
        "under the law of that day"
        for action in actions
        if action.do in do.LEGAL and action.start is not None and action.start > on
    ]
