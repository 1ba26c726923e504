"""The AND/OR network of a case as gates: what must be lost before the buyer is cut off, by states, makers, sites or
controls.

A market is lost when suppliers with all but `below` of its supply are lost (a threshold gate on exact shares); a
supply is lost when an essential input that bites within the horizon is lost (an OR gate); alternatives are lost by
capacity. With `below` 0 this is the cascade's total loss exactly (loops that drain by halves aside); above 0 every
tier is judged by the same threshold. Important and minor needs stop nothing by themselves. Items that need one another
are unrolled to the losses that can start from outside the loop (the greatest fixed point of what survives).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from supplychain.analysis.elements import name_of
from supplychain.analysis.gates import Gate, exact
from supplychain.analysis.openpsa import FaultTree
from supplychain.analysis.refusal import pooled
from supplychain.errors import UsageError
from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, ESSENTIAL, SUPPLY, Compiled, is_firm

if TYPE_CHECKING:
    from supplychain.case import Case

By = Literal["state", "organisation", "site", "supply", "control"]
KINDS: dict[str, str] = {
    "state": "jurisdiction",
    "control": "jurisdiction",
    "organisation": "organisation",
    "site": "site",
}
TOP = "cut off"
UNKNOWN = "(unknown)"
SHARE_DIGITS = 9  # shares are rounded to this many digits, and add up exactly


@dataclass(frozen=True)
class CaseTree:
    """The gates of a case; `labels` names events and gates for people; `events` are those that can be chosen."""

    tree: FaultTree
    events: tuple[str, ...]
    labels: dict[str, str]
    by: str
    below: float
    horizon: float


def fault_tree(
    case: Case,
    by: By = "state",
    *,
    below: float = 0.0,
    horizon: float = 36.0,
    unknown: Literal["kept", "lost"] = "kept",
    need: Literal["all", "any"] = "all",
) -> CaseTree:
    """Return the fault tree whose top is: the buyer has at most `below` of its supply of every product of the case.

    `by` chooses the events: states that refuse all they make to others, organisations, sites (countries struck,
    domestic use included), single supplies, or states that refuse what they control on the case's date. `unknown`
    supply is kept (the optimistic bound) or lost as soon as anything is. `need` "any" asks instead when the first need
    is lost. `horizon` in months (inf: growth, where equipment counts in full).
    """
    if not 0 <= below < 1:
        raise UsageError("--below is a share of supply from 0 up to, but not including, 1")
    if not horizon > 0:
        raise UsageError("the horizon is a number of months above 0")
    if not pooled(case.compiled):
        raise UsageError("cut sets of a case need pooled markets: this network has lanes")
    builder = _Builder(case, by, exact(round(1 - below, SHARE_DIGITS)), horizon, unknown)
    gates = builder.build("and" if need == "all" else "or")
    labels = {event: _label(case, by, event) for event in builder.events}
    labels |= {name: title for name, title in builder.titles.items() if name in gates}
    products = case.products[0] if len(case.products) == 1 else f"{len(case.products)} products"
    tree = FaultTree(f"{products} for {case.buyer}", gates, (TOP,), {})
    return CaseTree(tree, tuple(sorted(builder.events)), labels, by, below, horizon)


def _label(case: Case, by: By, event: str) -> str:
    if event == UNKNOWN:
        return "unknown supply"
    return name_of(case.network, KINDS.get(by, "supply"), event)[0]


class _Builder:
    """Makes the gates from the top down, markets by item (and place, where controls tell places apart)."""

    def __init__(self, case: Case, by: By, least: Fraction, horizon: float, unknown: str) -> None:
        self.case, self.by, self.least, self.horizon = case, by, least, horizon
        self.compiled: Compiled = case.compiled
        self.nowhere = len(self.compiled.places) - 1
        self.lose_unknown = unknown == "lost"
        self.events: set[str] = set()
        self.gates: dict[str, Gate] = {}
        self.titles: dict[str, str] = {}
        self.todo: list[tuple[str, int, int]] = []  # markets still to be made: gate, market, layer
        self.first = np.full(len(self.compiled.items), -1)
        self.first[self.compiled.market_item[::-1]] = np.arange(self.compiled.n_markets)[::-1]
        self.loop, self.size = self._loops()
        self.controls = self._controls() if by == "control" else {}

    def _controls(self) -> dict[int, tuple[str, ...]]:
        """Return the states whose leave each offer needs."""
        found: dict[int, list[str]] = defaultdict(list)
        bound: Literal["optimistic", "pessimistic"] = "pessimistic" if self.lose_unknown else "optimistic"
        for state in self.case.imposing_states:
            if state not in self.case.destinations:
                for offer in np.flatnonzero(self.case.leave_flows(bound, imposing=[state])):
                    found[int(offer)].append(state)
        return {offer: tuple(states) for offer, states in found.items()}

    def _loops(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the group of items that need one another that each item is in, and how deep its loops can go."""
        k = self.compiled
        made = k.supply_item[k.need_supply] >= 0
        ends = (k.supply_item[k.need_supply[made]], k.market_item[k.need_market[made]])
        graph = sparse.csr_array((np.ones(int(made.sum())), ends), shape=(len(k.items), len(k.items)))
        label = connected_components(graph, connection="strong")[1]
        # With controls an item may come round once for every place.
        return label, np.bincount(label) * (len(k.places) if self.by == "control" else 1)

    def build(self, joined: str) -> dict[str, Gate]:
        k = self.compiled
        tops = []
        for market, need in zip(self.case.needs["market"], self.case.needs["need"], strict=True):
            bites = need < 0 or self._bites(int(need))
            tops.append(self._market(int(market)) if bites else self._never())
        while self.todo:
            name, market, layer = self.todo.pop()
            self.gates[name] = self._lost_market(market, layer)
            self.titles[name] = f"{k.items[k.market_item[market]]} is lost"
        if self.lose_unknown and UNKNOWN in {name for gate in self.gates.values() for name in gate.inputs}:
            self.gates[UNKNOWN] = Gate("or", tuple(sorted(self.events))) if self.events else Gate("false")
        self.gates[TOP] = Gate(joined, tuple(dict.fromkeys(tops)))
        self.titles[TOP] = f"at most {1 - float(self.least):g} of supply is left"
        return self.gates

    def _never(self) -> str:
        self.gates["never"] = Gate("false")
        return "never"

    def _market(self, market: int, layer: int | None = None) -> str:
        """Return the gate of a market, `layer` deep in a loop of items (as deep as the loop is long when None)."""
        k = self.compiled
        item = int(k.market_item[market])
        if self.by != "control":  # all places draw on the same supply
            market = int(self.first[item])
        whole = int(self.size[self.loop[item]])
        layer = whole if layer is None else layer
        place = f"@{k.places[k.market_place[market]]}" if self.by == "control" else ""
        name = f"{k.items[item]}{place}" + (f" round {layer}" if layer < whole else "")
        if name not in self.gates:
            self.gates[name] = Gate("false")
            self.todo.append((name, market, layer))
        return name

    def _lost_market(self, market: int, layer: int) -> Gate:
        """Return: suppliers with all but the tolerated share are lost."""
        k = self.compiled
        if layer == 0:
            return Gate("false")  # a loss that only causes itself
        parts: dict[str, Fraction] = defaultdict(Fraction)
        for offer in range(k.offer_start[market], k.offer_start[market + 1]):
            lost = self._lost_offer(offer, int(k.market_item[market]), layer)
            parts[lost] += exact(round(float(k.offer_weight[offer]), SHARE_DIGITS))
        names = tuple(sorted(parts))
        weights = tuple(parts[name] for name in names)
        return Gate("threshold", names, self.least * sum(weights, Fraction(0)), weights)

    def _lost_offer(self, offer: int, item: int, layer: int) -> str:
        """Return the gate of one flow: an event withholds it, or its maker lacks an input."""
        k = self.compiled
        node = int(k.offer_supply[offer])
        known = self._known(node)
        if not known and self.lose_unknown:
            return UNKNOWN
        if not known and self.by == "state":
            return self._never()  # supply of unknown place goes on: no state is known to hold it
        events = self._events(offer, node) if known else ()
        self.events.update(events)
        needs = self._lost_needs(node, item, layer)
        inputs = (*events, *((needs,) if needs else ()))
        if len(inputs) < 2:
            return inputs[0] if inputs else self._never()
        name = " or ".join(inputs)
        self.gates[name] = Gate("or", inputs)
        return name

    def _known(self, node: int) -> bool:
        """Is it known who (or where) makes this, as far as the events ask?"""
        k = self.compiled
        if self.by == "control":
            return True
        if k.supply_kind[node] != SUPPLY:
            return False
        if self.by in ("state", "site"):
            return bool(k.supply_place[node] != self.nowhere)
        maker = int(k.supply_org[node])
        return maker >= 0 and is_firm(k.organisations[maker])

    def _events(self, offer: int, node: int) -> tuple[str, ...]:
        k = self.compiled
        match self.by:
            case "supply":
                return (str(k.supply_ids[node]),)
            case "organisation":
                return (k.organisations[k.supply_org[node]],)
            case "control":
                return self.controls.get(offer, ())
        place = k.places[k.supply_place[node]]
        return () if self.by == "state" and place in self.case.destinations else (place,)

    def _lost_needs(self, node: int, item: int, layer: int) -> str:
        """Return the gate "the supply lacks an essential input", or "" when nothing it needs bites."""
        k = self.compiled
        clauses: dict[int, list[tuple[str, Fraction]]] = defaultdict(list)
        whole: dict[int, Fraction] = defaultdict(Fraction)
        for need in range(k.need_start[node], k.need_start[node + 1]):
            if k.need_essential[need] != ESSENTIAL:
                continue
            group = int(k.need_group[need])
            clause = group if group >= 0 else -2 - need
            weight = exact(round(float(k.need_weight[need]), SHARE_DIGITS)) if group >= 0 else Fraction(1)
            whole[clause] += weight
            if self._bites(need):
                same_loop = self.loop[k.market_item[k.need_market[need]]] == self.loop[item]
                gate = self._market(int(k.need_market[need]), layer - 1 if same_loop else None)
                clauses[clause].append((gate, weight))
        lost = set()
        for clause, members in clauses.items():
            if len(members) == 1 and members[0][1] == whole[clause]:
                lost.add(members[0][0])
                continue
            name = " and ".join(f"{float(weight):g} of {gate}" for gate, weight in members)
            parts, weights = tuple(gate for gate, _ in members), tuple(weight for _, weight in members)
            self.gates[name] = Gate("threshold", parts, self.least * whole[clause], weights)
            lost.add(name)
        if len(lost) < 2:
            return lost.pop() if lost else ""
        name = " or ".join(sorted(lost))
        self.gates[name] = Gate("or", tuple(sorted(lost)))
        return name

    def _bites(self, need: int) -> bool:
        k = self.compiled
        if k.need_role[need] == CONSUMABLE:
            return bool(k.need_stock_days[need] / DAYS_PER_MONTH < self.horizon)
        worn = 1.0 if math.isinf(self.horizon) else min(self.horizon / k.need_life_months[need], 1.0)
        return bool(worn >= float(self.least) - 1e-12)
