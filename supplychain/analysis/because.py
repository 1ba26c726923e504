"""Why a need loses: the chain of binding requirements from product to cause, and the next once that one is mended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from scipy import sparse

from supplychain.analysis.cascade import Gates, cascade
from supplychain.network import ROLES, Compiled, Floats, Ints
from supplychain.shocks import Shocks

Kind = Literal["refused", "lost", "loop"]
NOTHING: Final = 1e-9  # losses below this have no chain


@dataclass(frozen=True)
class Step:
    """One item of a chain: where it is wanted, the loss there, and its role for the step before ("" at the product)."""

    item: str
    place: str
    loss: float
    role: str


@dataclass(frozen=True)
class Chain:
    """From the product (first step) to the cause (last step). ``kind`` is what happens there: its flows are refused,
    its makers are lost, or the chain closes on itself. ``origins`` are the places whose supply is missing, largest
    first, each with the part of that market. ``part`` is what the cause takes from the last market; ``left`` the loss
    of the product that stays if the item of the cause were supplied as usual."""

    steps: tuple[Step, ...]
    kind: Kind
    origins: tuple[tuple[str, float], ...]
    part: float
    left: float

    @property
    def items(self) -> tuple[str, ...]:
        return tuple(step.item for step in self.steps)

    @property
    def text(self) -> str:
        """The chain in one line: ``ai-accelerator <- hbm <- fab-dram``."""
        return " <- ".join(self.items)


@dataclass(eq=False)
class Tracer:
    """Traces chains for one batch of shocks; losses after a mended cause are computed once and kept."""

    compiled: Compiled
    shocks: Shocks
    horizons: tuple[float, ...]
    market_loss: Floats  # (M, B, T) for all markets
    supply_loss: Floats  # (S, B, T)
    _gates: dict[float, Gates] = field(default_factory=dict)
    _mended: dict[tuple[int, str], tuple[Shocks, Floats, Floats]] = field(default_factory=dict)

    def chains(self, market: int, column: int, horizon: float, count: int = 2) -> list[Chain]:
        """Return the binding chain of a market under a shock, and the next ones as each cause is mended in turn."""
        at = self.horizons.index(horizon)
        shock, node, loss = self.shocks.take([column]), self.supply_loss[:, column, at], self.market_loss[:, column, at]
        found: list[Chain] = []
        mended: tuple[str, ...] = ()
        while len(found) < count and loss[market] > NOTHING:
            steps, kind, origins, part = self._trace(shock, loss, node, market, horizon)
            mended = (*mended, steps[-1].item)
            if kind == "loop":
                found.append(Chain(steps, kind, origins, part, float(loss[market])))
                break
            shock, losses, nodes = self._mend(column, mended)
            loss, node = losses[:, at], nodes[:, at]
            found.append(Chain(steps, kind, origins, part, float(loss[market])))
        return found

    def _mend(self, column: int, items: tuple[str, ...]) -> tuple[Shocks, Floats, Floats]:
        """Return the shock with all supply of ``items`` as usual, and its losses."""
        key = (column, ";".join(sorted(items)))
        if key not in self._mended:
            compiled = self.compiled
            codes = [compiled.items.index(item) for item in items]
            nodes = ~np.isin(compiled.supply_item, codes)
            offers = ~np.isin(compiled.market_item[compiled.offer_market], codes)
            whole = self.shocks.take([column])
            shock = Shocks(
                whole.names,
                sparse.csc_array(sparse.diags_array(nodes.astype(float)) @ whole.own_lost),
                sparse.csc_array(sparse.diags_array(offers.astype(float)) @ whole.flow_lost),
            )
            result = cascade(compiled, shock, self.horizons)
            self._mended[key] = (shock, result.market_loss[:, 0], result.supply_loss[:, 0])
        return self._mended[key]

    def _trace(
        self, shock: Shocks, loss: Floats, node: Floats, market: int, horizon: float
    ) -> tuple[tuple[Step, ...], Kind, tuple[tuple[str, float], ...], float]:
        compiled = self.compiled
        gates = self._gates.setdefault(horizon, Gates(compiled, (horizon,)))
        felt = gates.felt(loss[:, None])[:, 0]
        withheld = shock.flow_lost.toarray()[:, 0]
        own = shock.own_lost.toarray()[:, 0]
        steps = [self._step(loss, market, "")]
        seen = {market}
        while True:
            offers = np.arange(compiled.offer_start[market], compiled.offer_start[market + 1])
            seller, weight = compiled.offer_supply[offers], compiled.offer_weight[offers]
            refused = weight * withheld[offers]
            lost = weight * (1 - withheld[offers]) * own[seller]
            passed = np.maximum(weight * (1 - withheld[offers]) * node[seller] - lost, 0.0)
            by_need: dict[int, float] = {}
            need_of: dict[int, int] = {}
            for position in np.flatnonzero(passed > NOTHING):
                need = self._binding(int(seller[position]), felt)
                item = int(compiled.market_item[compiled.need_market[need]])
                if passed[position] > by_need.get(item, 0.0) / max(len(by_need), 1) and item not in need_of:
                    need_of[item] = need
                by_need[item] = by_need.get(item, 0.0) + float(passed[position])
            upstream = max(by_need.values(), default=0.0)
            if max(refused.sum(), lost.sum()) >= upstream:
                kind: Kind = "refused" if refused.sum() >= lost.sum() else "lost"
                taken = refused if kind == "refused" else lost
                return tuple(steps), kind, self._origins(seller, taken), float(taken.sum())
            item = min(by_need, key=lambda i: (-by_need[i], i))
            need = need_of[item]
            market = int(compiled.need_market[need])
            steps.append(self._step(loss, market, ROLES[compiled.need_role[need]]))
            if market in seen:
                return tuple(steps), "loop", (), upstream
            seen.add(market)

    def _step(self, loss: Floats, market: int, role: str) -> Step:
        compiled = self.compiled
        item, place = compiled.market_item[market], compiled.market_place[market]
        return Step(compiled.items[item], compiled.places[place], float(loss[market]), role)

    def _binding(self, node: int, felt: Floats) -> int:
        """Return the need that decides what a node loses: in the worst of its clauses, the one that weighs most."""
        compiled = self.compiled
        needs = np.arange(compiled.need_start[node], compiled.need_start[node + 1])
        part = felt[needs] * compiled.need_weight[needs]
        group = compiled.need_group[needs]
        clause = np.where(group >= 0, group, compiled.n_needs + needs)
        clause = np.where(compiled.need_essential[needs] == 1, -1, clause)
        names, which = np.unique(clause, return_inverse=True)
        total = np.bincount(which, weights=part, minlength=len(names))
        inside = np.flatnonzero(which == int(total.argmax()))
        return int(needs[inside[int(part[inside].argmax())]])

    def _origins(self, seller: Ints, taken: Floats) -> tuple[tuple[str, float], ...]:
        compiled = self.compiled
        by_place = np.bincount(compiled.supply_place[seller], weights=taken, minlength=len(compiled.places))
        order = np.lexsort((np.arange(len(by_place)), -by_place))
        return tuple((compiled.places[p], float(by_place[p])) for p in order if by_place[p] > NOTHING)
