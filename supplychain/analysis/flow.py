"""Loss after re-sourcing: a linear programme over all that the chain of one product can still buy, make and substitute.

For a product wanted at one place, T months after a shock (docs/model.md, "After re-sourcing"): the largest part of the
need that can be served when every producer left gives the chain up to its headroom, flows that are not withheld may go
anywhere, inputs are shared out anew between producers, and alternatives replace one another. All quantities are
fractions of what the chain uses today, so the plan without a shock serves exactly 1. The cascade's outcome is always
one of the plans, hence loss after re-sourcing <= short-run loss.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from supplychain.analysis.chain import Chain, chain_of, shortest_way, sums, support
from supplychain.analysis.memory import Memory, digest
from supplychain.analysis.pooling import Pools, pool
from supplychain.analysis.rationing import equal_shares
from supplychain.analysis.resourcing import Resourcing
from supplychain.errors import NoAnswer, UsageError
from supplychain.linear import LinearModel
from supplychain.network import ESSENTIAL, Compiled, Floats
from supplychain.shocks import Shocks
from supplychain.solve import LiveModel, Solution

if TYPE_CHECKING:
    from supplychain.case import Case

Labels = npt.NDArray[np.int64]

_ROUNDING: Final = 1e-15  # of a plant's loss from its market's
NO_LOSS: Final = 1e-9  # a short-run loss below this needs no LP: the loss after re-sourcing is not larger


@dataclass(frozen=True)
class Binding:
    """An item that the shock takes and the chain would pay for.

    `price`: product gained (fraction of the need) per unit of the chain's use of the item; `withheld`: part of the
    chain's use of it that the shock takes directly.
    """

    item: str
    price: float
    withheld: float


@dataclass(frozen=True)
class LossAfter:
    """Loss after re-sourcing of one need under one shock: `bound` <= true loss <= `loss`, both proved.

    `binding` goes by what the chain would pay for what was taken; `chain` leads from the product along inputs that are
    short to the first binding item that they lead to.
    """

    loss: float
    bound: float
    status: str
    binding: tuple[Binding, ...]
    chain: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Structure:
    """Everything of the LP that does not change with the output left to nodes, for one pattern of withheld flows."""

    live: LiveModel
    group: Labels  # (len(chain.nodes),)
    pair: Labels  # (len(chain.offers),)
    pair_flow: Floats
    pair_open: Floats  # part of each pair's usual flow that is left
    pair_group: Labels
    limited: Labels  # pairs with a flow column
    need_group: Labels
    need_limit: Floats  # upper bound of each need's column per unit of its group's output
    head: Floats  # (G,)
    clause_group: Labels
    clause_slack: Floats
    class_item: Labels
    clause_item: Labels
    n_classes: int
    n_outs: int
    need_clause: Labels
    need_item: Labels


class FlowModel:
    """The LP of one need (a market and its stock) at one horizon: built once per pattern of withheld flows, then warm.

    `market` is the position of the need's market in `compiled`; `need` that of the plant's need where the buyer is a
    plant (its role, stock and life count then; -1: none); `demand` the part of the product's world output that the
    buyer takes (it matters only for `outbid_rivals`). `chain` may be handed over from another horizon, and `pools`
    shared by all models of a network, which then pool each pattern of flows once. Raises UsageError for a network with
    unknown stocks or lives and for a horizon that is not a finite number above 0.
    """

    def __init__(
        self,
        compiled: Compiled,
        market: int,
        horizon: float,
        resourcing: Resourcing,
        need: int = -1,
        demand: float = 1.0,
        chain: Chain | None = None,
        pools: dict[bytes, Pools] | None = None,
    ) -> None:
        if not 0 < horizon < math.inf:
            raise UsageError(f"the horizon of re-sourcing is a finite number of months above 0, not {horizon}")
        if np.isnan(compiled.need_stock_days).any() or np.isnan(compiled.need_life_months).any():
            raise UsageError("the network has unknown stocks or lives: fill them by Compiled.completed(...)")
        self.compiled, self.market, self.horizon, self.resourcing = compiled, market, horizon, resourcing
        self.final_rate, self.final_base = 1.0, 0.0
        if need >= 0:
            rate, base = support(compiled, np.array([need]), np.ones(1), horizon)
            self.final_rate, self.final_base = float(rate[0]), float(base[0])
        self.chain = chain or chain_of(compiled, market, resourcing, demand)
        self.head = resourcing.headroom(horizon, self.chain.claim)
        self._pools = {} if pools is None else pools
        self._structures: dict[bytes, _Structure] = {}
        self.name = b""

    @property
    def signature(self) -> tuple[int, int, float, float, float]:
        """What the need is but for its place: under removals, needs of one signature have one loss."""
        compiled, market = self.compiled, self.market
        buyer, item = int(compiled.market_buyer[market]), int(compiled.market_item[market])
        return (item, market if buyer >= 0 else -1, self.final_rate, self.final_base, float(self.chain.claim[item]))

    def loss(self, shocks: Shocks, column: int = 0, reason: bool = True) -> LossAfter:
        """Return the loss under one shock; `reason=False` leaves binding items and chain out.

        Raises NoAnswer if the solver proves nothing (never seen: serving nothing is a plan).
        """
        compiled = self.compiled
        start, stop = shocks.flow_lost.indptr[column], shocks.flow_lost.indptr[column + 1]
        lost = np.zeros(compiled.n_offers)
        lost[shocks.flow_lost.indices[start:stop]] = shocks.flow_lost.data[start:stop]
        own = np.ones(compiled.n_supplies)
        start, stop = shocks.own_lost.indptr[column], shocks.own_lost.indptr[column + 1]
        own[shocks.own_lost.indices[start:stop]] -= shocks.own_lost.data[start:stop]
        return self._solved(self._structure(lost), own, lost, shocks.names[column], reason)

    def _solved(self, structure: _Structure, own: Floats, lost: Floats, name: str, reason: bool) -> LossAfter:
        self._set_outputs(structure, own)
        solution = structure.live.solve()
        if not solution.has_values:
            raise NoAnswer(f"the flow LP of {name!r} at {self.horizon} months is {solution.status}")
        binding, way = self._because(structure, solution, own, lost) if reason else ((), ())
        return LossAfter(
            loss=float(np.clip(solution.objective, 0.0, 1.0)),
            bound=float(np.clip(solution.bound, 0.0, 1.0)),
            status=solution.status,
            binding=binding,
            chain=way,
        )

    @classmethod
    def kept(
        cls, compiled: Compiled, market: int, horizon: float, resourcing: Resourcing, demand: float, memory: Memory
    ) -> FlowModel:
        """Return the LP of a market, with its chain from memory."""
        key = digest("chain", memory.of(compiled), memory.of(resourcing), market, demand)
        chain = memory.get(key, lambda: chain_of(compiled, market, resourcing, demand))
        model = cls(compiled, market, horizon, resourcing, -1, demand, chain=chain)
        model.name = digest(key, horizon)
        return model

    def alone(self, lost: Floats, own: Floats, name: str, reason: bool, memory: Memory) -> LossAfter:
        """Return the loss when ``lost`` (K,) of the flows is withheld and ``own`` (S,) of outputs is left: a pure
        function of what its chain is left with, solved from scratch, so that it can be kept."""
        chain = self.chain
        flows, outputs = lost[chain.offers], own[chain.nodes]
        hit = np.flatnonzero(flows), np.flatnonzero(outputs != 1.0)
        key = digest("loss", self.name, reason, hit[0], flows[hit[0]], hit[1], outputs[hit[1]])

        def solved() -> LossAfter:
            here, left = np.zeros_like(lost), np.ones_like(own)
            here[chain.offers], left[chain.nodes] = flows, outputs
            structure = self._structure(here)
            structure.live.forget()
            return self._solved(structure, left, here, name, reason)

        return memory.get(key, solved)

    def losses(self, shocks: Shocks, short_run: Floats | None = None) -> list[LossAfter]:
        """Return the loss under every shock; `short_run` (B,) are the cascade's losses, which save the LPs of zeros."""
        return [
            _NOTHING if short_run is not None and short_run[column] <= NO_LOSS else self.loss(shocks, column)
            for column in range(len(shocks))
        ]

    def _structure(self, lost: Floats) -> _Structure:
        key = hashlib.blake2b(lost.tobytes(), digest_size=16).digest() if lost.any() else b""
        if key not in self._structures:
            if key not in self._pools:
                self._pools[key] = pool(self.compiled, lost)
            # The pattern without refusals serves every removal and stays; of the others only the last is kept.
            self._structures = {k: v for k, v in self._structures.items() if k == b""}
            self._structures[key] = self._build(self._pools[key], lost)
        return self._structures[key]

    def _build(self, pools: Pools, lost: Floats) -> _Structure:
        compiled, chain = self.compiled, self.chain
        _, first, group = np.unique(pools.node_group[chain.nodes], return_index=True, return_inverse=True)
        heads = self.head[compiled.supply_item[chain.nodes[first]]]
        classes, class_first = np.unique(pools.market_class[chain.markets], return_index=True)
        class_of = np.full(compiled.n_markets, -1)
        class_of[chain.markets] = np.searchsorted(classes, pools.market_class[chain.markets])
        node_at = np.full(compiled.n_supplies, -1)
        node_at[chain.nodes] = group
        n_groups, n_classes = len(first), len(classes)

        # Outlets: (group, class) pairs. A group with one free outlet needs no column of its own for the flow.
        seller, buyer = compiled.offer_supply[chain.offers], compiled.offer_market[chain.offers]
        pairs, pair_first, pair = np.unique(
            node_at[seller] * n_classes + class_of[buyer], return_index=True, return_inverse=True
        )
        left = 1.0 - lost[chain.offers][pair_first]
        pair_group, pair_class = pairs // n_classes, pairs % n_classes
        outlets = np.bincount(pair_group[left > 0], minlength=n_groups)
        merged = (left == 1.0) & (outlets[pair_group] == 1)
        limited = np.flatnonzero((left > 0) & ~merged)
        senders = np.unique(pair_group[limited])

        # Needs of one member stand for those of its group.
        rep = np.full(compiled.n_supplies, -1)
        rep[chain.nodes[first]] = np.arange(n_groups)
        need = np.flatnonzero(rep[compiled.need_supply] >= 0)
        need_group = rep[compiled.need_supply[need]]
        rate, base = support(compiled, need, heads[need_group], self.horizon)
        essential = compiled.need_essential[need] == ESSENTIAL
        weight = compiled.need_weight[need]
        clause_key = np.where(
            essential,
            np.where(compiled.need_group[need] >= 0, compiled.need_group[need], compiled.n_needs + need),
            2 * compiled.n_needs + need_group,
        )
        clauses, clause_first, clause = np.unique(clause_key, return_index=True, return_inverse=True)
        clause_group = need_group[clause_first]
        slack = sums(clause, weight * base, len(clauses))
        linear = ~essential[clause_first]
        spare_part = 1.0 - sums(clause, weight, len(clauses))
        slack += np.where(linear, np.maximum(spare_part, 0.0) * heads[clause_group], 0.0)
        limit = (heads[need_group] * self._mix_limit(need) - base) / rate

        # Columns: loss, final draw, output per group, flow per limited pair, input per need.
        at_flow = 2 + n_groups
        at_need = at_flow + len(limited)
        width = at_need + len(need)
        row_out = 1 + n_classes + np.arange(len(senders))
        row_clause = 1 + n_classes + len(senders) + np.arange(len(clauses))
        market_row = 1 + class_of[compiled.need_market[need]]
        plain = np.flatnonzero(merged)
        out_of = np.searchsorted(senders, pair_group[limited])
        entries = [
            ([0, 0], [0, 1], [-1.0, -self.final_rate]),
            ([1 + class_of[self.market]], [1], [chain.final_part]),
            (market_row, at_need + np.arange(len(need)), chain.part[need]),
            (1 + pair_class[plain], 2 + pair_group[plain], np.full(len(plain), -1.0)),
            (1 + pair_class[limited], at_flow + np.arange(len(limited)), np.full(len(limited), -1.0)),
            (row_out[out_of], at_flow + np.arange(len(limited)), np.ones(len(limited))),
            (row_out, 2 + senders, np.full(len(senders), -1.0)),
            (row_clause, 2 + clause_group, np.ones(len(clauses))),
            (row_clause[clause], at_need + np.arange(len(need)), -weight * rate),
        ]
        rows, columns, values = (np.concatenate([np.asarray(e[k]) for e in entries]) for k in range(3))
        height = 1 + n_classes + len(senders) + len(clauses)
        upper = np.zeros(height)
        upper[0] = -1.0 + self.final_base
        cost = np.zeros(width)
        cost[0] = 1.0
        model = LinearModel(
            cost=cost,
            matrix=sparse.csr_array((values, (rows, columns)), shape=(height, width)),
            row_lower=np.full(height, -math.inf),
            row_upper=upper,
            col_lower=np.zeros(width),
            col_upper=np.ones(width),
        )
        return _Structure(
            live=LiveModel(model, near=True),
            group=group,
            pair=pair,
            pair_flow=chain.output[seller] * chain.demand[buyer],
            pair_open=left,
            pair_group=pair_group,
            limited=limited,
            need_group=need_group,
            need_limit=limit,
            head=heads,
            clause_group=clause_group,
            clause_slack=slack,
            class_item=compiled.market_item[chain.markets[class_first]].astype(np.int64),
            clause_item=compiled.supply_item[chain.nodes[first]][clause_group].astype(np.int64),
            n_classes=n_classes,
            n_outs=len(senders),
            need_clause=clause,
            need_item=compiled.market_item[compiled.need_market[need]].astype(np.int64),
        )

    def _mix_limit(self, need: npt.NDArray[np.intp]) -> Floats:
        """Return how much of all output each need may support: 1 alone; a member of an essential mix its own part and
        what may move to it from the others (`substitution`, as far as it is qualified)."""
        compiled = self.compiled
        mixed = (compiled.need_group[need] >= 0) & (compiled.need_essential[need] == ESSENTIAL)
        qualified = self.resourcing.qualified(self.horizon)[compiled.market_item[compiled.need_market[need]]]
        part = np.where(mixed, np.maximum(compiled.need_weight[need], 1e-9), 1.0)
        return np.asarray(1.0 + self.resourcing.substitution * qualified * (1.0 / part - 1.0))

    def _set_outputs(self, s: _Structure, own: Floats) -> None:
        """Write what is left of each node's own output into bounds and right-hand sides."""
        chain = self.chain
        left = own[chain.nodes] * chain.output[chain.nodes]
        output = sums(s.group, left, len(s.head))
        flow = sums(s.pair, s.pair_flow * own[self.compiled.offer_supply[chain.offers]], len(s.pair_open))
        most = s.head * output
        free = s.pair_open == 1.0
        sent = np.where(free, most[s.pair_group], s.pair_open * s.head[s.pair_group] * flow)[s.limited]
        upper = np.concatenate([[1.0, 1.0], most, sent, s.need_limit * output[s.need_group]])
        s.live.set_columns(np.arange(len(upper)), np.zeros(len(upper)), upper)
        rows = 1 + s.n_classes + s.n_outs + np.arange(len(s.clause_group))
        s.live.set_rows(rows, np.full(len(rows), -math.inf), s.clause_slack * output[s.clause_group])

    def _because(
        self, s: _Structure, solution: Solution, own: Floats, lost: Floats
    ) -> tuple[tuple[Binding, ...], tuple[str, ...]]:
        """Read the binding items and the chain to the first of them off the duals."""
        compiled, chain = self.compiled, self.chain
        if solution.objective <= NO_LOSS:
            return (), ()
        price = np.zeros(len(compiled.items))
        np.maximum.at(price, s.class_item, -solution.duals[1 : 1 + s.n_classes])
        seller, buyer = compiled.offer_supply[chain.offers], compiled.offer_market[chain.offers]
        usual = chain.output[seller] * chain.demand[buyer]
        taken = usual * (1.0 - own[seller] * (1.0 - lost[chain.offers]))
        withheld = sums(compiled.market_item[buyer], taken, len(compiled.items))
        weight = price * withheld
        order = np.lexsort((np.arange(len(weight)), -weight))
        binding = tuple(
            Binding(compiled.items[i], float(price[i]), float(withheld[i])) for i in order if weight[i] > NO_LOSS
        )
        paid = -solution.duals[1 + s.n_classes + s.n_outs :] > NO_LOSS
        used = paid[s.need_clause]
        edges = np.unique(np.stack([s.clause_item[s.need_clause[used]], s.need_item[used]], axis=1), axis=0)
        way = shortest_way(
            edges, int(compiled.market_item[self.market]), [compiled.items.index(b.item) for b in binding]
        )
        return binding, tuple(compiled.items[i] for i in way)


_NOTHING: Final = LossAfter(0.0, 0.0, "optimal", (), ())


@dataclass(frozen=True, eq=False)
class FlowResult:
    """Losses after re-sourcing for V needs, B shocks and T horizons: `bound` <= true loss <= `loss`."""

    names: tuple[str, ...]
    horizons: tuple[float, ...]
    markets: npt.NDArray[np.intp]
    loss: Floats  # (V, B, T)
    bound: Floats  # (V, B, T)
    status: npt.NDArray[np.object_]  # (V, B, T)
    detail: dict[tuple[int, int, int], LossAfter]
    solved: int

    def after(self, need: int, shock: int, horizon: int) -> LossAfter:
        """Return loss, proof, binding items and chain by position; no loss where no LP was needed."""
        return self.detail.get((need, shock, horizon), _NOTHING)


def after_resourcing(
    compiled: Compiled,
    shocks: Shocks,
    markets: Sequence[int] | npt.NDArray[np.integer[Any]],
    resourcing: Resourcing,
    horizons: Sequence[float] = (3, 12, 36),
    short_run: Floats | None = None,
    needs: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    demand: Sequence[float] | None = None,
    *,
    reason: bool = True,
    memory: Memory | None = None,
) -> FlowResult:
    """Return the losses after re-sourcing of the needs at `markets` under every shock at every horizon.

    `short_run` (V, B, T) are the cascade's losses in the same order: where they are 0 no LP is solved, nor where
    sharing every shortage equally already loses nothing. `needs` are the positions of plants' needs beside the markets
    (-1: none), `demand` the buyers' parts of world output. `reason=False` leaves binding items and chains out. Every
    loss is a pure function of what its chain is left with; `memory` keeps them for later calls.
    """
    shape = (len(markets), len(shocks), len(horizons))
    loss, bound = np.zeros(shape), np.zeros(shape)
    status = np.full(shape, "optimal", dtype=object)
    detail: dict[tuple[int, int, int], LossAfter] = {}
    solved = 0
    memory = Memory() if memory is None else memory
    own, lost = 1.0 - shocks.own_lost.toarray(), shocks.flow_lost.toarray()
    shared = equal_shares(compiled, shocks, horizons, resourcing)[compiled.market_item[np.asarray(markets)]]
    wanted = shared > NO_LOSS if short_run is None else (shared > NO_LOSS) & (short_run > NO_LOSS)
    for t, horizon in enumerate(horizons):
        models: dict[tuple[int, float], FlowModel] = {}
        for b in np.flatnonzero(wanted[:, :, t].any(axis=0)).tolist():
            known: dict[tuple[Any, ...], LossAfter] = {}
            for v in np.flatnonzero(wanted[:, b, t]).tolist():
                market, share = int(markets[v]), 1.0 if demand is None else float(demand[v])
                # Wherever it is wanted, an item whose own offers are hit alike is lost alike.
                offers = slice(int(compiled.offer_start[market]), int(compiled.offer_start[market + 1]))
                place = market if compiled.market_buyer[market] >= 0 else -1
                key = (int(compiled.market_item[market]), place, share, lost[offers, b].tobytes())
                if key not in known:
                    if (market, share) not in models:
                        models[market, share] = FlowModel.kept(
                            compiled, market, float(horizon), resourcing, share, memory
                        )
                    known[key] = models[market, share].alone(lost[:, b], own[:, b], shocks.names[b], reason, memory)
                    solved += 1
                found = _at_plant(known[key], compiled, -1 if needs is None else int(needs[v]), float(horizon))
                if found.loss > NO_LOSS:
                    loss[v, b, t], bound[v, b, t], status[v, b, t] = found.loss, found.bound, found.status
                    detail[v, b, t] = found
    return FlowResult(
        shocks.names,
        tuple(map(float, horizons)),
        np.asarray(markets, np.intp),
        loss,
        bound,
        status,
        detail,
        solved,
    )


def _at_plant(found: LossAfter, compiled: Compiled, need: int, horizon: float) -> LossAfter:
    """Return what a plant's need loses of its market's loss: its stock lasts, its equipment wears (no plant: -1).

    The most that the market can serve does not depend on who asks, so one programme answers for all plants.
    """
    if need < 0:
        return found
    rates, bases = support(compiled, np.array([need]), np.ones(1), horizon)
    rate, base = float(rates[0]), float(bases[0])
    loss, bound = (float(np.clip(1.0 - base - rate * (1.0 - end), 0.0, 1.0)) for end in (found.loss, found.bound))
    binding = tuple(replace(item, price=item.price * rate) for item in found.binding)
    return replace(found, loss=loss, bound=min(max(bound - _ROUNDING, 0.0), loss), binding=binding)


def loss_after(
    case: Case, shocks: Shocks, horizons: Sequence[float] = (3, 12, 36), short_run: Floats | None = None
) -> FlowResult:
    """Return the losses after re-sourcing of every need of a case (rows of `case.needs`), by its assumptions."""
    markets, plants = case.needs["market"].to_numpy(), case.needs["need"].to_numpy()
    demand = case.demand_shares.tolist()
    return after_resourcing(case.compiled, shocks, markets, case.resourcing, horizons, short_run, plants, demand)


def loss_models(case: Case, horizons: Sequence[float]) -> list[list[FlowModel]]:
    """Return the LPs of a case, by horizon and need, for callers that choose themselves what to solve."""
    needs, resourcing = case.needs, case.resourcing
    rows = list(zip(needs["market"].tolist(), needs["need"].tolist(), case.demand_shares.tolist(), strict=True))
    known: dict[tuple[int, float], Chain] = {}
    for market, _, part in rows:
        if (market, part) not in known:
            known[market, part] = chain_of(case.compiled, market, resourcing, part)
    pools: dict[bytes, Pools] = {}
    return [
        [FlowModel(case.compiled, m, float(t), resourcing, n, d, known[m, d], pools) for m, n, d in rows]
        for t in horizons
    ]
