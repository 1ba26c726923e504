"""The cascade for firm-level networks: one shock at a time, touching only what moves, compiled by numba (extra `fast`).

Nodes that make one item form a block, and blocks are settled in the order of requirements, upstream first: one pass
carries a loss through all tiers; further passes are needed only for requirements that point back. While few nodes of a
block move, their changes are pushed along their offers and only the nodes behind those are computed again; when many
do, the blocks they sell to are computed whole. Losses only grow, so every order leads to the fixed point of `cascade`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.sparse import linalg

from supplychain.analysis.cascade import MAX_ITERATIONS, Gates, jump
from supplychain.analysis.wave_kernels import removals_kernel, settle_kernel, sweep_kernel
from supplychain.errors import NoAnswer
from supplychain.network import ESSENTIAL, Compiled, Floats

if TYPE_CHECKING:
    from supplychain.shocks import Shocks

DROP: Final = 1e-9  # a change smaller than this waits until it has grown

_PATIENCE: Final = 200  # passes after which a loop is taken to drain slowly
_SIFTED: Final = 2_000  # items up to which their order is improved one by one
_ROUNDS: Final = 20

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Removals:
    """What each removal takes. ``total``: value of all output lost, the node's own included. ``market_loss``: (B, V).

    ``touched`` counts nodes that lost anything, ``passes`` the rounds through the tiers. Since changes below ``drop``
    wait, losses are too small by at most about ``drop`` times the number of tiers and passes.
    """

    nodes: Longs
    total: Floats
    market_loss: Floats
    passes: Longs
    touched: Longs
    drop: float


@dataclass(frozen=True, eq=False)
class Wave:
    """A network made ready for single shocks at one horizon (months, or infinity for growth)."""

    compiled: Compiled
    horizon: float

    @cached_property
    def prepared(self) -> _Ready:
        """The network in the kernels' order; computed once."""
        return _ready(self.compiled, self._gates)

    def one(self, shocks: Shocks, column: int = 0, drop: float = DROP) -> tuple[Floats, Floats, int]:
        """Return (market losses, node losses, passes) of one shock. Raises NoAnswer when it does not settle."""
        compiled, ready = self.compiled, self.prepared
        own, withheld = np.zeros(compiled.n_supplies), np.zeros(compiled.n_offers)
        for values, table in ((own, shocks.own_lost), (withheld, shocks.flow_lost)):
            rows = slice(table.indptr[column], table.indptr[column + 1])
            values[table.indices[rows]] = table.data[rows]
        base, arrays, left = np.zeros(compiled.n_markets), list(ready.arrays), compiled.offer_weight
        if withheld.any():
            lost = compiled.offer_weight * withheld
            np.add.at(base, compiled.offer_market, lost)
            left = compiled.offer_weight - lost
            arrays[2], arrays[5] = left[ready.by_market], left[ready.by_node]
        return self._settled(own, base, left, arrays, drop)

    def _settled(
        self, own: Floats, base: Floats, left: Floats, arrays: Sequence[Any], drop: float
    ) -> tuple[Floats, Floats, int]:
        """Pass by pass; where a closed loop drains slowly, on to where the needs that bind lead (as `cascade` does)."""
        compiled, ready = self.compiled, self.prepared
        market_loss, node_loss, passes = np.empty(compiled.n_markets), np.zeros(compiled.n_supplies), 0
        while passes < MAX_ITERATIONS:
            before = node_loss.copy()
            market, node, took = settle_kernel(
                own[ready.node], base[ready.market], before[ready.node], drop, _PATIENCE, *arrays
            )
            market_loss[ready.market], node_loss[ready.node] = np.minimum(market, 1.0), node
            if took >= 0:
                return market_loss, node_loss, passes + int(took)
            passes += _PATIENCE
            pattern = compiled.weights
            weights = sparse.csr_array((left, pattern.indices, pattern.indptr), shape=pattern.shape)
            rising = np.flatnonzero(node_loss > before)
            node_loss = jump(self._gates, weights, base, own, node_loss, rising, 0)
        raise NoAnswer(f"the cascade has not settled after {MAX_ITERATIONS} passes: a closed loop drains slowly")

    @cached_property
    def _gates(self) -> Gates:
        return Gates(self.compiled, (self.horizon,))

    def removals(
        self,
        nodes: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
        value: Floats | None = None,
        markets: Sequence[int] = (),
        drop: float = DROP,
        threads: int | None = None,
    ) -> Removals:
        """Return what the removal of each node in turn takes: value of all output lost, and the loss of some markets.

        ``value`` weighs nodes (1 each by default). Results do not depend on the number of threads.
        """
        compiled, ready = self.compiled, self.prepared
        chosen = np.arange(compiled.n_supplies) if nodes is None else np.asarray(nodes, dtype=np.int64)
        worth = np.ones(compiled.n_supplies) if value is None else np.asarray(value, float)
        place = np.empty(compiled.n_supplies, np.int64)
        place[ready.node] = np.arange(compiled.n_supplies)
        wanted = np.empty(compiled.n_markets, np.int64)
        wanted[ready.market] = np.arange(compiled.n_markets)
        wanted = wanted[np.asarray(markets, dtype=np.int64)]
        total, at = np.zeros(len(chosen)), np.zeros((len(chosen), len(wanted)))
        passes, touched = np.zeros(len(chosen), np.int64), np.zeros(len(chosen), np.int64)
        inside, worth = _places(place[chosen]), worth[ready.node]
        workers = max(1, min(threads or os.cpu_count() or 1, len(chosen) or 1))

        def run(worker: int) -> None:
            rows = _places(np.arange(worker, len(chosen), workers))
            removals_kernel(inside, rows, worth, wanted, total, at, passes, touched, drop, _PATIENCE, *ready.arrays)

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, range(workers)))
        for row in np.flatnonzero(passes < 0):
            own = np.zeros(compiled.n_supplies)
            own[chosen[row]] = 1.0
            base, left = np.zeros(compiled.n_markets), compiled.offer_weight
            market_loss, node_loss, passes[row] = self._settled(own, base, left, ready.arrays, drop)
            at[row], touched[row] = market_loss[list(markets)], np.count_nonzero(node_loss)
            total[row] = worth[place] @ node_loss
        return Removals(chosen, total, np.minimum(at, 1.0), passes, touched, drop)

    def full_pass(self, own: Floats, base: Floats, market: Floats, node: Floats) -> None:
        """Compute every node and market once, in place and in the kernel's own order: what `make bench` measures."""
        sweep_kernel(own, base, market, node, *self.prepared.arrays)


@dataclass(frozen=True, eq=False)
class _Ready:
    """The network re-numbered by blocks, and its arrays in the order the kernels take them."""

    node: Longs  # node of the network at each place of the kernels
    market: Longs
    by_market: Longs  # offer of the network at each place of the offers by market
    by_node: Longs
    arrays: tuple[Any, ...]


def _ready(compiled: Compiled, gates: Gates) -> _Ready:
    n_items, n_nodes, n_markets = len(compiled.items), compiled.n_supplies, compiled.n_markets
    item = np.where(compiled.supply_item < 0, n_items, compiled.supply_item)  # plants come last
    pairs = compiled.market_item[compiled.need_market].astype(np.int64) * (n_items + 1) + item[compiled.need_supply]
    pair, pairs = pd.factorize(pairs)
    source, target = pairs // (n_items + 1), pairs % (n_items + 1)
    passed = gates.worn[:, 0] * compiled.need_weight * (1.0 - np.minimum(gates.covered[:, 0], 1.0))
    strength = np.bincount(pair, passed, len(pairs)).astype(float) + 1e-6
    rank = _ranks(source, target, strength, n_items + 1)
    node, _ = _sorted(rank[item], n_items + 1)
    node_at = np.empty_like(node)
    node_at[node] = np.arange(n_nodes)
    # Needs by owner, and markets in the order of their first user: what a node reads lies together.
    needs, need_start = _sorted(node_at[compiled.need_supply], n_nodes)
    first = np.full(n_markets, compiled.n_needs)
    first[compiled.need_market[needs][::-1]] = np.arange(compiled.n_needs)[::-1]
    market, _ = _sorted(first, compiled.n_needs + 1)
    market_at = np.empty_like(market)
    market_at[market] = np.arange(n_markets)
    owner, drawn = node_at[compiled.need_supply[needs]], market_at[compiled.need_market[needs]]

    by_market, start = _sorted(market_at[compiled.offer_market], n_markets)
    by_node, out_start = _sorted(node_at[compiled.offer_supply], n_nodes)
    by_use, use_start = _sorted(drawn, n_markets)
    group, worn = compiled.need_group[needs], gates.worn[needs, 0]
    essential, weight = compiled.need_essential[needs] == ESSENTIAL, compiled.need_weight[needs]
    grouped = np.zeros(n_nodes, bool)
    grouped[owner[essential & (group >= 0)]] = True
    # What a need passes on of its market's loss: alone, as one that adds up, as member of a group; and the loss that
    # its stock covers. Few combinations occur, so needs hold their number and the kernels read a small table.
    kind, table = _kinds(
        np.where(essential & (group < 0), worn, 0.0),
        np.where(essential, 0.0, worn * weight),
        np.where(essential & (group >= 0), worn * weight, 0.0),
        gates.covered[needs, 0],
    )
    follow, after_start = _sorted(rank[source], n_items + 1)
    arrays = (
        _places(start),
        _places(node_at[compiled.offer_supply[by_market]]),
        compiled.offer_weight[by_market],
        _places(out_start),
        _places(market_at[compiled.offer_market[by_node]]),
        compiled.offer_weight[by_node],
        _places(use_start),
        _places(owner[by_use]),
        _places(need_start),
        _places(drawn),
        kind,
        table,
        group,
        grouped,
        _places(rank[item[node]]),
        _places(np.searchsorted(rank[item[node]], np.arange(n_items + 2))),
        _places(after_start),
        _places(rank[target][follow]),
    )
    return _Ready(node, market, by_market, by_node, arrays)


def _sorted(labels: npt.NDArray[Any], count: int) -> tuple[Longs, Longs]:
    """Return the stable order by label (0 to count - 1) and where each label starts: a counting sort."""
    size = len(labels)
    table = sparse.csr_array((np.arange(size), labels, np.arange(size + 1)), shape=(size, count)).tocsc()
    return np.asarray(table.data, np.int64), np.asarray(table.indptr, np.int64)


def _places(values: Longs) -> npt.NDArray[np.uint32]:
    """Return places without a sign: numba asks of every signed one whether it counts from the end (twice the time)."""
    return values.astype(np.uint32)


def _kinds(*columns: Floats) -> tuple[npt.NDArray[Any], Floats]:
    """Return the number of each distinct row, and the table of distinct rows."""
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        part, words = pd.factorize(column)
        code = code * max(len(words), 1) + part
        code, _ = pd.factorize(code)
    first = np.zeros(int(code.max(initial=-1)) + 1, np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    table = np.stack([column[first] for column in columns], axis=1)
    return code.astype(np.uint16 if len(table) <= 65_536 else np.uint32), np.ascontiguousarray(table)


def _ranks(source: Longs, target: Longs, strength: Floats, count: int) -> Longs:
    """Return the place of each item in an order in which requirements come first as far as cycles allow.

    Items are ordered by their trophic level h, which makes the strength-weighted squares of (h[target] - h[source] - 1)
    least (MacKay, Johnson and Sansom, R. Soc. Open Sci. 7:201138, 2020): a sparse Laplacian system, cycles or not.
    """
    into, out = (np.bincount(side, strength, count) for side in (target, source))
    flow = sparse.csr_array((strength, (source, target)), shape=(count, count))
    laplacian = sparse.diags_array(into + out + 1e-9) - flow - flow.T
    level, _ = linalg.cg(sparse.csr_array(laplacian), into - out, rtol=1e-6, maxiter=2000)
    order = np.lexsort((np.arange(count), level.round(3)))
    rank = np.empty(count, np.int64)
    rank[order if count > _SIFTED else _sifted(order, flow)] = np.arange(count)
    return rank


def _sifted(order: Longs, flow: sparse.csr_array) -> Longs:
    """Return the order after moving each item in turn to where the least strength points back, until none moves."""
    back, line = flow.tocsc(), order.tolist()
    for _ in range(_ROUNDS):
        before = list(line)
        for item in before:
            line.remove(item)
            place = np.full(len(order), -1)
            place[line] = np.arange(len(line))
            # Cost of each place, up to a constant: items before it that need this one, less those it needs.
            change = np.zeros(len(order))
            for table, sign in ((flow, 1.0), (back, -1.0)):
                part = slice(table.indptr[item], table.indptr[item + 1])
                others, strength = place[table.indices[part]], table.data[part]
                np.add.at(change, others[others >= 0] + 1, sign * strength[others >= 0])
            line.insert(int(np.argmin(np.cumsum(change).round(9))), item)
        if line == before:
            break
    return np.array(line, np.int64)
