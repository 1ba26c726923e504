"""What a coalition of states takes from a buyer: the short-run loss of a case as a game, for many coalitions at once.

A coalition refuses: flows from sites in its states to places outside it stop; inside, and at unknown places, trade
goes on. `OfferGame` works on any flows (what controls ask leave for, lanes). `ItemGame` is the same loss where whole
states refuse all they make: places then differ only by being inside or outside, so one pass over the items does for a
coalition, and a million coalitions take seconds. Both are the map of `analysis.cascade`, which the tests hold them to.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from supplychain.analysis.cascade import Gates
from supplychain.analysis.needs import need_loss
from supplychain.errors import NoAnswer, UsageError
from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, ESSENTIAL, PLANT, Compiled, Floats

if TYPE_CHECKING:
    from supplychain.case import Case

TOLERANCE = 1e-12
MEMORY = 1 << 27  # bytes of working arrays
ROWS = 8192  # coalitions per pass of an ItemGame: vectors that stay in the cache


@dataclass(frozen=True, eq=False)
class Target:
    """Whose loss counts: markets (with the plants' needs on them, -1 for none) and the weight of each."""

    market: npt.NDArray[np.intp]
    need: npt.NDArray[np.intp]
    weight: Floats


def target(case: Case) -> Target:
    """Return the needs of the case, each weighing by the sales it carries where known, else all the same."""
    needs = case.needs
    weight = needs["margin_usd"].to_numpy(float)
    weight = weight if np.isfinite(weight).all() and weight.sum() > 0 else np.ones(len(needs))
    return Target(needs["market"].to_numpy(np.intp), needs["need"].to_numpy(np.intp), weight / weight.sum())


def _felt(compiled: Compiled, need: int, loss: Floats, horizon: float) -> Floats:
    """Return what one need feels of its market's losses (C,), one per coalition."""
    return np.asarray(need_loss(compiled, np.array([need]), loss[None, :, None], [horizon])[0, :, 0])


class OfferGame:
    """v(S) = loss when every flow withheld by some member of S stops. `withheld` is K x players, True or False."""

    def __init__(
        self, compiled: Compiled, players: Sequence[str], withheld: npt.NDArray[np.bool_], aim: Target, horizon: float
    ) -> None:
        self.compiled, self.players, self.aim, self.horizon = compiled, tuple(players), aim, horizon
        self.withheld = withheld
        self.gates = Gates(compiled, [horizon])

    @property
    def acting(self) -> tuple[str, ...]:
        """The players that withhold some flow; the others make no difference to any coalition."""
        return tuple(self.players[place] for place in np.flatnonzero(self.withheld.any(axis=0)))

    def __call__(self, coalitions: npt.NDArray[np.bool_]) -> Floats:
        """Return the loss of each coalition (rows of coalitions x players)."""
        active = self.withheld.any(axis=0)  # players who withhold nothing make no difference
        distinct, which = np.unique(coalitions[:, active], axis=0, return_inverse=True)
        rows = np.zeros((len(distinct), len(self.players)), dtype=bool)
        rows[:, active] = distinct
        columns = max(1, MEMORY // (8 * (2 * self.compiled.n_offers + 4 * self.compiled.n_needs)))
        parts = [self._losses(rows[i : i + columns]) for i in range(0, len(rows), columns)]
        return np.concatenate(parts)[which.ravel()] if parts else np.zeros(0)

    def _losses(self, coalitions: npt.NDArray[np.bool_]) -> Floats:
        k = self.compiled
        lost = (self.withheld.astype(np.float32) @ coalitions.T.astype(np.float32)) > 0  # K x columns
        node = np.zeros((k.n_supplies, len(coalitions)))
        weight = k.offer_weight[:, None]
        start = k.offer_start[:-1]
        for _ in range(5000):
            part = np.where(lost, 1.0, node[k.offer_supply]) * weight
            market = np.minimum(np.add.reduceat(part, start, axis=0), 1.0)
            risen = np.maximum(node, self.gates.needs_loss(market))
            change = float((risen - node).max(initial=0.0))
            node = risen
            if change <= TOLERANCE:
                break
        else:
            raise NoAnswer("the losses of a coalition have not settled: a closed loop of items drains slowly")
        total = np.zeros(len(coalitions))
        for at, need, share in zip(self.aim.market, self.aim.need, self.aim.weight, strict=True):
            total += share * _felt(k, int(need), market[at], self.horizon)
        return total


_Bite = tuple[int, float, float]  # required item; loss up to which stock covers; how far the rest bites
_Need = tuple[_Bite, int, bool]  # number of the essential clause (-1: counts linearly), and whether it is alone in it


class ItemGame:
    """v(S) = loss when the states in S refuse all they make to places outside S.

    Only for pooled markets, where all supplies of an item have the same needs. A player named "???" stands for whoever
    holds the supply of unknown place. `needed` are the items upstream of the case.
    """

    def __init__(self, compiled: Compiled, players: Sequence[str], aim: Target, horizon: float) -> None:
        if not pooled(compiled):
            raise UsageError("this network has lanes or needs that differ within an item: use OfferGame")
        missing = [player for player in players if player not in compiled.places]
        if missing:
            raise UsageError(f"{missing[0]!r} is not a place of this network")
        self.compiled, self.players, self.aim, self.horizon = compiled, tuple(players), aim, horizon
        count = len(compiled.items)
        place = compiled.supply_place[compiled.offer_supply]
        market_of = np.full(count, -1)
        market_of[compiled.market_item[::-1]] = np.arange(compiled.n_markets)[::-1]
        self.share = np.zeros((count, len(compiled.places)))
        for item in np.flatnonzero(market_of >= 0):
            at = slice(compiled.offer_start[market_of[item]], compiled.offer_start[market_of[item] + 1])
            np.add.at(self.share[item], place[at], compiled.offer_weight[at])
        self.needs = {item: self._needs(item) for item in range(count)}
        self.order, self.loops = self._order()

    def _needs(self, item: int) -> tuple[_Need, ...]:
        k = self.compiled
        nodes = np.flatnonzero(k.supply_item == item)
        rows = slice(k.need_start[nodes[0]], k.need_start[nodes[0] + 1]) if len(nodes) else slice(0, 0)
        consumable = k.need_role[rows] == CONSUMABLE
        cover = np.where(consumable, k.need_stock_days[rows] / DAYS_PER_MONTH / self.horizon, 0.0)
        cover = np.where(cover > 0, cover + TOLERANCE, 0.0)
        worn = 1.0 if math.isinf(self.horizon) else np.minimum(self.horizon / k.need_life_months[rows], 1.0)
        scale = np.where(consumable, 1.0, worn) * k.need_weight[rows]
        group = k.need_group[rows]
        _, clause, size = np.unique(
            np.where(group >= 0, group, -2 - np.arange(len(group))), return_inverse=True, return_counts=True
        )
        essential = k.need_essential[rows] == ESSENTIAL
        items = k.market_item[k.need_market[rows]]
        bites = zip(items.tolist(), cover.tolist(), scale.tolist(), strict=True)
        alone = (size[clause] == 1).tolist()
        return tuple(zip(bites, np.where(essential, clause, -1).tolist(), alone, strict=True))

    def _order(self) -> tuple[list[int], bool]:
        """Return the items upstream of the targets, inputs first, and whether some need one another in a loop."""
        k = self.compiled
        pairs = [(item, j) for item, needs in self.needs.items() for (j, _, _), _, _ in needs]
        count = len(k.items)
        ends = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        graph = sparse.csr_array((np.ones(len(pairs)), (ends[0], ends[1])), shape=(count, count))
        wanted = set(k.market_item[self.aim.market].tolist())
        order: list[int] = []
        entered: set[int] = set()
        stack: list[tuple[int, bool]] = [(item, False) for item in sorted(wanted)]
        while stack:
            item, done = stack.pop()
            if done:
                order.append(item)
            elif item not in entered:
                entered.add(item)
                stack.append((item, True))
                stack.extend((j, False) for (j, _, _), _, _ in self.needs[item] if j not in entered)
        loops = connected_components(graph, connection="strong")[0] < count or any(item == j for item, j in pairs)
        return order, loops

    @cached_property
    def relevant(self) -> tuple[str, ...]:
        """The players that make something upstream of the targets, outside the targets' own places."""
        at = [self.compiled.places.index(player) for player in self.players]
        makes = self.share[self.order][:, at].sum(axis=0) > 0
        return tuple(player for player, some in zip(self.players, makes, strict=True) if some)

    def among(self, players: Sequence[str]) -> ItemGame:
        """Return the game of some of the players; the others never refuse."""
        other = object.__new__(ItemGame)
        other.__dict__.update({name: value for name, value in self.__dict__.items() if name != "relevant"})
        other.players = tuple(players)
        return other

    def __call__(self, coalitions: npt.NDArray[np.bool_]) -> Floats:
        """Return the loss of each coalition (rows of coalitions x players)."""
        chunks = [coalitions[i : i + ROWS] for i in range(0, len(coalitions), ROWS)]
        if len(chunks) < 4:
            parts = [self._losses(chunk) for chunk in chunks]
        else:  # numpy lets go of the interpreter while it works on vectors
            with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
                parts = list(pool.map(self._losses, chunks))
        return np.concatenate(parts) if parts else np.zeros(0)

    def _losses(self, coalitions: npt.NDArray[np.bool_]) -> Floats:
        k, rows = self.compiled, len(coalitions)
        at = [k.places.index(player) for player in self.players]
        held = self.share[:, at]
        joins = np.ascontiguousarray(coalitions.T, dtype=np.float64)
        withheld = dict(
            zip(self.order, held[self.order] @ joins, strict=True)
        )  # part of each item's supply, by coalition
        # Supply of unknown place goes on trading with everyone unless it refuses too.
        unknown = len(k.places) - 1
        stays: Floats | float = 1.0 - joins[at.index(unknown)] if unknown in at else 1.0
        some = (held > 0).sum(axis=1) > 0
        zero = np.zeros(rows)
        market_out, market_in = dict.fromkeys(self.order, zero), dict.fromkeys(self.order, zero)
        for _ in range(5000 if self.loops else 1):
            change = 0.0
            felt_out: dict[_Bite, Floats] = {}
            felt_in: dict[_Bite, Floats] = {}
            for item in self.order:
                if self.loops:
                    felt_out, felt_in = {}, {}
                node_out = self._needs_loss(self.needs[item], market_out, felt_out, zero)
                node_in = self._needs_loss(self.needs[item], market_in, felt_in, zero)
                inside = withheld[item] if some[item] else zero
                nowhere = self.share[item, unknown] * stays
                new_out, new_in = inside, zero
                if node_out is not zero:
                    others = (1.0 - nowhere) - inside if inside is not zero else 1.0 - nowhere
                    new_out = node_out * others
                    if node_in is not zero and self.share[item, unknown] > 0:
                        new_out += node_in * nowhere
                    new_in = new_out
                    if inside is not zero:
                        new_in = new_out if node_in is zero else new_out + inside * node_in
                        new_out = new_out + inside
                if self.loops:
                    change = max(change, float((new_out - market_out[item]).max(initial=0.0)))
                    change = max(change, float((new_in - market_in[item]).max(initial=0.0)))
                market_out[item], market_in[item] = new_out, new_in
            if change <= TOLERANCE:
                break
        else:
            raise NoAnswer("the losses of a coalition have not settled: a closed loop of items drains slowly")
        total = np.zeros(rows)
        for market, need, part in zip(self.aim.market, self.aim.need, self.aim.weight, strict=True):
            item, place = int(k.market_item[market]), int(k.market_place[market])
            loss = market_out[item]
            if place in at:
                loss = np.where(coalitions[:, at.index(place)], market_in[item], loss)
            total += part * _felt(k, int(need), np.clip(loss, 0.0, 1.0), self.horizon)
        return total

    @staticmethod
    def _needs_loss(
        needs: tuple[_Need, ...], market: dict[int, Floats], known: dict[_Bite, Floats], zero: Floats
    ) -> Floats:
        """Return what a supply of the item loses by its needs; `zero` itself when it loses nothing."""
        worst = linear = zero
        own = False  # may `worst` be overwritten?
        clauses: dict[int, Floats] = {}
        for bite, clause, alone in needs:
            felt = known.get(bite)
            if felt is None:
                j, cover, scale = bite
                felt = market.get(j, zero)
                if felt is not zero:
                    felt = felt if cover == 0 else felt * (felt > cover)
                    felt = felt if scale == 1.0 else felt * scale
                known[bite] = felt
            if felt is zero:
                continue
            if clause < 0:
                linear = linear + felt
            elif not alone:
                clauses[clause] = clauses[clause] + felt if clause in clauses else felt
            elif worst is zero:
                worst = felt
            else:
                worst = np.maximum(worst, felt, out=worst if own else None)
                own = True
        for felt in (linear, *clauses.values()):
            if felt is not zero:
                worst = np.minimum(felt, 1.0) if worst is zero else np.maximum(worst, np.minimum(felt, 1.0))
        return worst


def pooled(compiled: Compiled) -> bool:
    """Do all buyers of an item draw on one market, and all its supplies have the same needs?"""
    if (compiled.market_buyer >= 0).any():
        return False
    # Groups are numbered anew in every node, but equal rows of one requirement share theirs.
    columns = ("need_role", "need_essential", "need_weight", "need_life_months", "need_stock_days", "need_row")
    item = compiled.supply_item[compiled.need_supply]
    made = compiled.supply_item >= 0
    per_node = np.diff(compiled.need_start)
    first = np.full(len(compiled.items), -1)
    nodes = np.flatnonzero(made)
    first[compiled.supply_item[nodes[::-1]]] = nodes[::-1]
    if (per_node[nodes] != per_node[first[compiled.supply_item[nodes]]]).any():
        return False
    own = np.flatnonzero(compiled.supply_kind[compiled.need_supply] != PLANT)
    offset = own - compiled.need_start[compiled.need_supply[own]]
    like = compiled.need_start[first[item[own]]] + offset
    same = compiled.market_item[compiled.need_market[own]] == compiled.market_item[compiled.need_market[like]]
    for name in columns:
        values = getattr(compiled, name)
        same &= values[own] == values[like]
    return bool(same.all())


def state_game(case: Case, horizon: float, players: Sequence[str] | None = None) -> ItemGame:
    """Return the game of the states that make what the case needs; the buyer's own places do not play."""
    compiled = case.compiled
    if players is None:
        used = np.unique(compiled.supply_place[compiled.offer_supply])
        players = [compiled.places[p] for p in used if p < len(compiled.places) - 1]
        players = [player for player in players if player not in case.destinations]
    return ItemGame(compiled, players, target(case), horizon)


def control_game(case: Case, horizon: float, bound: str = "optimistic") -> OfferGame:
    """Return the game of the states whose leave some flow needs on the case's date: each refuses what it controls."""
    states = [state for state in case.imposing_states if state not in case.destinations]
    masks = [case.leave_flows(bound, imposing=[state]) for state in states]  # type: ignore[arg-type]
    withheld = np.array(masks).T if masks else np.zeros((case.compiled.n_offers, 0), dtype=bool)
    return OfferGame(case.compiled, states, withheld, target(case), horizon)
