"""Short-run loss: the cascade on a time axis, for many shocks and horizons at once.

Greatest fixed point of a monotone map (docs/model.md), computed on losses (1 - availability), which are exactly 0 where
nothing is touched:

    loss(market)  = sum over offers of weight * (1 - tau * (1 - loss(supply)))
    felt(need)    = loss(market) if horizon * loss(market) > stock else 0        consumable
                  = min(horizon / life, 1) * loss(market)                        capital, knowledge
    loss(supply)  = 1 - own * (1 - max(felt of each essential clause, sum over important needs of weight * felt))

A clause is a need, or a group of alternatives combined by capacity. Generalised Leontief after Diem et al., Sci. Rep.
12:7719 (2022). Loss of growth and of new nodes is the same map at an infinite horizon: no stock lasts, no life is left.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import linalg

from supplychain.errors import NoAnswer, UsageError
from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, ESSENTIAL, Compiled, Floats
from supplychain.shocks import Shocks

__all__ = ["GROWTH", "CascadeResult", "Gates", "Shocks", "cascade", "jump"]

GROWTH: Final = math.inf  # the horizon at which loss of growth and of new nodes is read
TOLERANCE: Final = 1e-10
MAX_ITERATIONS: Final = 5_000
MEMORY: Final = 2 * 2**20  # bytes of working arrays per chunk of columns: more falls out of the processor's cache
_JUMP_EVERY, _JUMP_MOST = 40, 5_000  # rounds between jumps of columns that drain slowly, and the most nodes in a jump
STOCK_NOISE: Final = 1e-12  # keeps a stock that lasts exactly to the horizon from being decided by rounding


@dataclass(frozen=True, eq=False)
class CascadeResult:
    """Losses in [0, 1] per market and node, for each of B shocks at each of T horizons (months; inf is growth)."""

    names: tuple[str, ...]
    horizons: tuple[float, ...]
    markets: npt.NDArray[np.intp]  # positions in the compiled network of the rows of market_loss
    market_loss: Floats  # (len(markets), B, T)
    supply_loss: Floats  # (S, B, T), or (0, B, T) when not kept
    iterations: int
    residual: float  # estimated distance to the fixed point, from the last change and its rate of decay

    @property
    def availability(self) -> Floats:
        return np.asarray(1.0 - self.market_loss)

    @property
    def output(self) -> Floats:
        return np.asarray(1.0 - self.supply_loss)

    def loss(self, market: int, shock: str, horizon: float) -> float:
        """Return the loss of one market (position in the compiled network) under one shock at one horizon."""
        row = int(np.flatnonzero(self.markets == market)[0])
        return float(self.market_loss[row, self.names.index(shock), self.horizons.index(horizon)])


class Gates:
    """The AND side of a network for some horizons: from market losses to what every node loses by its needs."""

    def __init__(self, compiled: Compiled, horizons: Sequence[float]) -> None:
        if not horizons or any(not horizon > 0 for horizon in horizons):
            raise UsageError("horizons are months above 0 (infinity is loss of growth)")
        if np.isnan(compiled.need_stock_days).any() or np.isnan(compiled.need_life_months).any():
            raise UsageError("the network has unknown stocks or lives: fill them by Compiled.completed(...)")
        span = np.asarray(horizons, float)[None, :]
        consumable = (compiled.need_role == CONSUMABLE)[:, None]
        cover = compiled.need_stock_days[:, None] / DAYS_PER_MONTH / span
        with np.errstate(divide="ignore", invalid="ignore"):
            worn = np.minimum(span / compiled.need_life_months[:, None], 1.0)
        worn = np.where(np.isinf(span), 1.0, worn)
        self.market, self.supply = compiled.need_market, compiled.need_supply
        # A consumable bites once its gap exceeds stock / horizon; capital and knowledge bite as far as worn out.
        self.covered = np.where(consumable & (cover > 0), cover + STOCK_NOISE, 0.0)
        self.worn = np.where(consumable, 1.0, worn)
        self.plain = not (self.covered.any() or (self.worn != 1).any())
        rows = np.arange(compiled.n_needs)
        essential = compiled.need_essential == ESSENTIAL
        first = _first_of_clause(compiled)
        clause = np.cumsum(first & essential) - 1
        of = np.where(compiled.need_group >= 0, clause[_first_member(compiled)], clause)
        self.owners, self.starts = np.unique(compiled.need_supply[first & essential], return_index=True)
        size = (int((first & essential).sum()), compiled.n_needs)
        self.clauses = sparse.csr_array((compiled.need_weight[essential], (of[essential], rows[essential])), shape=size)
        self.alone = bool((compiled.need_group[essential] < 0).all())
        self.essential = rows[essential]
        size = (compiled.n_supplies, compiled.n_needs)
        self.linear = sparse.csr_array(
            (compiled.need_weight[~essential], (compiled.need_supply[~essential], rows[~essential])), shape=size
        )
        self.n_supplies = compiled.n_supplies

    def felt(self, market_loss: Floats) -> Floats:
        """Return what each need feels, (R, C), of market losses (M, C); C runs over shocks, then horizons."""
        gap = market_loss[self.market]
        if self.plain:
            return gap
        shape = gap.shape
        gap = gap.reshape(len(gap), -1, self.covered.shape[1])
        return np.asarray((gap * (gap > self.covered[:, None, :]) * self.worn[:, None, :]).reshape(shape))

    def needs_loss(self, market_loss: Floats) -> Floats:
        """Return what each node loses by its needs, (S, C), of market losses (M, C)."""
        return self.lost_by(self.felt(market_loss))

    def lost_by(self, felt: Floats) -> Floats:
        """Return what each node loses, (S, C) or (S,), by what its needs feel, (R, C) or (R,)."""
        lost = np.asarray(self.linear @ felt) if self.linear.nnz else np.zeros((self.n_supplies, *felt.shape[1:]))
        if len(self.owners):
            by_clause = felt[self.essential] if self.alone else np.minimum(self.clauses @ felt, 1.0)
            worst = np.maximum.reduceat(by_clause, self.starts, axis=0)
            lost[self.owners] = np.maximum(lost[self.owners], worst)
        return lost

    def binding(self, market_loss: Floats, horizon: int) -> sparse.csr_array:
        """Return B, sparse (S, M), of the needs that bind at ``market_loss`` (M,): needs_loss = B @ market_loss."""
        gap = market_loss[self.market]
        part = np.where(gap > self.covered[:, horizon], self.worn[:, horizon], 0.0)
        linear = np.asarray(self.linear @ (part * gap))
        weight = np.zeros(len(gap))
        if len(self.owners):
            by_clause = np.asarray(self.clauses @ (part * gap))
            worst = np.maximum.reduceat(by_clause, self.starts)
            owner = np.repeat(self.owners, np.diff(np.append(self.starts, len(by_clause))))
            binds = (by_clause == worst[np.searchsorted(self.owners, owner)]) & (by_clause >= linear[owner])
            _, first = np.unique(owner[binds], return_index=True)
            chosen = np.flatnonzero(binds)[first]
            linear[self.owners[worst >= linear[self.owners]]] = -1.0
            weight += sparse.csr_array(self.clauses[chosen]).sum(axis=0)
        by_linear = sparse.csr_array(self.linear[linear >= 0])
        weight += by_linear.sum(axis=0)
        shape = (self.n_supplies, len(market_loss))
        return sparse.csr_array((weight * part, (self.supply, self.market)), shape=shape)


def cascade(
    compiled: Compiled,
    shocks: Shocks,
    horizons: Sequence[float] = (3, 12, 36),
    *,
    growth: bool = False,
    markets: Sequence[int] | npt.NDArray[np.integer] | None = None,
    keep_supplies: bool = True,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    memory: int = MEMORY,
) -> CascadeResult:
    """Return the short-run losses under every shock at every horizon.

    ``growth`` adds the horizon infinity. ``markets`` limits the rows kept (all), ``keep_supplies=False`` drops the
    losses of nodes: with thousands of shocks, keep what is needed. Columns are computed in chunks of at most ``memory``
    bytes.

    The iteration starts from no loss and only rises, so it converges to the least loss that is consistent: the greatest
    fixed point. It stops when the estimated distance left is below ``tolerance``; raises NoAnswer if that takes more
    than ``max_iterations`` (a closed loop that drains slowly may need more).
    """
    months = tuple(float(horizon) for horizon in horizons) + ((GROWTH,) if growth else ())
    gates = Gates(compiled, months)
    kept = np.arange(compiled.n_markets) if markets is None else np.asarray(markets, dtype=np.intp)
    market_loss = np.zeros((len(kept), len(shocks), len(months)))
    supply_loss = np.zeros((compiled.n_supplies if keep_supplies else 0, len(shocks), len(months)))
    iterations, residual = 0, 0.0
    for columns in _batches(compiled, shocks, len(months), memory):
        weights, withheld = _transmission(compiled, shocks, int(columns[0]))
        own = np.repeat(shocks.own_lost[:, columns].toarray(), len(months), axis=1)
        node, market, steps, left = _iterate(gates, weights, withheld, own, tolerance, max_iterations)
        iterations, residual = max(iterations, steps), max(residual, left)
        market_loss[:, columns] = market[kept].reshape(len(kept), len(columns), len(months))
        if keep_supplies:
            supply_loss[:, columns] = node.reshape(compiled.n_supplies, len(columns), len(months))
    return CascadeResult(shocks.names, months, kept, market_loss, supply_loss, iterations, residual)


def _iterate(
    gates: Gates, weights: sparse.csr_array, withheld: Floats, own: Floats, tolerance: float, limit: int
) -> tuple[Floats, Floats, int, float]:
    """Return node losses, market losses, steps and estimated distance left of one chunk of columns."""
    width = gates.covered.shape[1]
    node, market = own.copy(), np.repeat(withheld, own.shape[1], axis=1)
    before, seen = np.full(own.shape[1], math.inf), own
    live, residual = np.arange(own.shape[1]), 0.0
    for step in range(1, limit + 1):
        market[:, live] = reached = np.minimum(withheld + weights @ node[:, live], 1.0)
        risen = own[:, live] + (1.0 - own[:, live]) * gates.needs_loss(reached)
        change = np.max(risen - node[:, live], axis=0, initial=0.0)
        node[:, live] = np.maximum(node[:, live], risen)
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.minimum(change / before, 1.0)
            left = np.where(change > 0, change * np.maximum(rate / (1.0 - rate), 1.0), 0.0)
        settled = left <= tolerance
        if settled.all():
            return node, market, step, max(residual, float(left.max(initial=0.0)))
        before = change
        if step % _JUMP_EVERY == 0:
            for at in np.flatnonzero(left > tolerance):
                column = live[at]
                rising = np.flatnonzero(node[:, column] > seen[:, column])
                node[:, column] = jump(
                    gates, weights, withheld[:, 0], own[:, column], node[:, column], rising, at % width
                )
            before, seen = np.full(len(live), math.inf), node.copy()
        # A shock leaves the iteration when all its horizons have settled.
        done = settled.reshape(-1, width).all(axis=1)
        if done.any():
            residual = max(residual, float(left.reshape(-1, width)[done].max()))
            keep = np.repeat(~done, width)
            live, before = live[keep], before[keep]
    raise NoAnswer(
        f"the cascade has not settled after {limit} rounds (last change {change.max():.1e}): a closed loop drains "
        "slowly; allow more rounds (max_iterations) or look for a loop of items that need only one another"
    )


def jump(
    gates: Gates,
    weights: sparse.csr_array,
    withheld: Floats,
    own: Floats,
    node: Floats,
    rising: npt.NDArray[np.intp],
    horizon: int,
) -> Floats:
    """Return node losses moved towards the fixed point in one step, for a column that a loop drains slowly.

    With the needs that bind now kept as the binding ones, the map is linear and lies below the true map (which takes
    the worst), so the solution of the linear system, started from below, never overshoots: policy iteration. Only nodes
    that have been ``rising`` move. Returns ``node`` itself when the system is too large, singular or brings no gain.
    """
    market = np.minimum(withheld + weights @ node, 1.0)
    by_need = gates.binding(market, horizon)
    if not 0 < len(rising) <= _JUMP_MOST:
        return node
    passed = sparse.csr_array((by_need @ weights)[rising] * (1.0 - own[rising])[:, None])
    system = sparse.csc_array(sparse.eye_array(len(rising)) - passed[:, rising])
    fixed = node.copy()
    fixed[rising] = 0.0
    constant = own[rising] + (1.0 - own[rising]) * np.asarray(by_need @ withheld)[rising] + passed @ fixed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", linalg.MatrixRankWarning)
        solved = np.atleast_1d(linalg.spsolve(system, constant))
    if not (np.isfinite(solved).all() and solved.max() <= 1.0 + 1e-6 and (solved >= node[rising] - 1e-9).all()):
        return node
    fixed[rising] = np.clip(solved, node[rising], 1.0)
    return fixed


def _transmission(compiled: Compiled, shocks: Shocks, column: int) -> tuple[sparse.csr_array, Floats]:
    """Return the weights that still flow, (M, S), and the part of each market that is withheld outright, (M, 1)."""
    start, stop = shocks.flow_lost.indptr[column], shocks.flow_lost.indptr[column + 1]
    offers = shocks.flow_lost.indices[start:stop]
    lost: Floats = shocks.flow_lost.data[start:stop] * compiled.offer_weight[offers]
    withheld = np.zeros((compiled.n_markets, 1))
    np.add.at(withheld[:, 0], compiled.offer_market[offers], lost)
    if not len(offers):
        return compiled.weights, withheld
    weight = compiled.offer_weight.copy()
    weight[offers] -= lost
    pattern = compiled.weights
    return sparse.csr_array((weight, pattern.indices, pattern.indptr), shape=pattern.shape), withheld


def _batches(compiled: Compiled, shocks: Shocks, width: int, memory: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yield columns that share their transmission (shocks without withheld flows go together), within the memory."""
    rows = 4 * compiled.n_needs + 2 * compiled.n_markets + 5 * compiled.n_supplies
    most = max(1, memory // max(1, 8 * width * rows))
    withholding = np.diff(shocks.flow_lost.indptr) > 0
    free = np.flatnonzero(~withholding)
    for begin in range(0, len(free), most):
        yield free[begin : begin + most]
    for column in np.flatnonzero(withholding):
        yield np.array([column], dtype=np.intp)


def _first_of_clause(compiled: Compiled) -> npt.NDArray[np.bool_]:
    """Return, for each need, whether it opens a clause: it stands alone or is the first of its group."""
    opens = compiled.need_group < 0
    _, first = np.unique(compiled.need_group, return_index=True)
    opens[first] = True
    return opens


def _first_member(compiled: Compiled) -> npt.NDArray[np.intp]:
    """Return, for each need, the first need of its group (itself when alone)."""
    _, first, inverse = np.unique(compiled.need_group, return_index=True, return_inverse=True)
    return np.asarray(np.where(compiled.need_group < 0, np.arange(compiled.n_needs), first[inverse]))
