"""Structure of a network as a plain directed graph: dominators, strong groups, minimum vertex cuts, betweenness.

These answers hold for *paths*: where a step needs all of its inputs they say too little, and the cut sets of the AND/OR
network (`analysis.cutsets`) are the ones to use. Graphs are arrays of links (from, to) between nodes 0 .. n-1; beyond
1e5 links nothing is handed to networkx, which the tests hold these functions to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from supplychain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Longs = npt.NDArray[np.int64]
SMALL = 100_000  # links up to which networkx is fast enough


@dataclass(frozen=True, eq=False)
class Graph:
    """A directed graph of `n` nodes; link l goes from tail[l] to head[l]."""

    n: int
    tail: Longs
    head: Longs

    @classmethod
    def of(cls, n: int, tail: npt.ArrayLike, head: npt.ArrayLike) -> Graph:
        """Return the graph of some links. Raises UsageError for nodes outside 0 .. n-1."""
        t, h = np.asarray(tail, dtype=np.int64), np.asarray(head, dtype=np.int64)
        if t.shape != h.shape or t.ndim != 1:
            raise UsageError("a graph needs as many tails as heads")
        if len(t) and (min(t.min(), h.min()) < 0 or max(t.max(), h.max()) >= n):
            raise UsageError(f"links must join nodes 0 to {n - 1}")
        return cls(n, t, h)

    def matrix(self, weight: npt.ArrayLike | None = None) -> sparse.csr_array:
        """Return the n x n matrix of links, parallel links once (weights: the largest)."""
        value = np.ones(len(self.tail)) if weight is None else np.asarray(weight, dtype=np.float64)
        key = self.tail * self.n + self.head
        order = np.lexsort((-value, key))
        first = order[np.concatenate([[True], np.diff(key[order]) > 0])] if len(order) else order
        return sparse.csr_array((value[first], (self.tail[first], self.head[first])), shape=(self.n, self.n))

    def followers(self) -> tuple[Longs, Longs]:
        """Return (start, head): the links of node i go to head[start[i]:start[i + 1]]."""
        order = np.argsort(self.tail, kind="stable")
        return np.searchsorted(self.tail[order], np.arange(self.n + 1)), self.head[order]


def strong_groups(graph: Graph) -> Longs:
    """Return the number of the strongly connected group of each node, numbered by their smallest member."""
    _, label = csgraph.connected_components(graph.matrix(), directed=True, connection="strong")
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[inverse])


def immediate_dominators(graph: Graph, root: int) -> Longs:
    """Return each node's immediate dominator: the last node that every path from `root` to it passes.

    The root's is itself; -1 for nodes that the root does not reach. Semi-dominators as Lengauer and Tarjan (TOPLAS 1,
    1979), then nearest common ancestors (semi-NCA: Georgiadis, Tarjan, Werneck, JGAA 10, 2006); compiled where numba
    is there.
    """
    if not 0 <= root < graph.n:
        raise UsageError(f"the root must be one of the nodes 0 to {graph.n - 1}")
    start, head = graph.followers()
    back_start, back = Graph(graph.n, graph.head, graph.tail).followers()
    return np.asarray(_semi_nca()(start, head, back_start, back, root))


def _semi_nca() -> Any:
    try:
        from supplychain.analysis.dominators import compiled
    except ImportError:
        from supplychain.analysis.dominators_plain import semi_nca

        return semi_nca
    return compiled


def minimum_vertex_cut(
    graph: Graph, source: int, sink: int, cost: npt.ArrayLike | None = None
) -> tuple[float, tuple[int, ...]]:
    """Return the least total cost of nodes whose removal parts `sink` from `source`, and such nodes (Menger 1927).

    `cost`: whole numbers per node (default 1; 0 or less is refused). The cut returned is the one nearest to the source.
    Raises UsageError when source and sink are the same or directly linked: no nodes part them.
    """
    if source == sink or bool(((graph.tail == source) & (graph.head == sink)).any()):
        raise UsageError("source and sink are the same or directly linked: no nodes part them")
    price = np.ones(graph.n, dtype=np.int64) if cost is None else np.asarray(cost, dtype=np.int64)
    if (price <= 0).any():
        raise UsageError("costs of nodes must be whole numbers above 0")
    unlimited = int(price.sum()) + 1
    if unlimited >= 2**31:
        raise UsageError("costs of nodes add up to too much: scale them down")
    inner = np.where(np.isin(np.arange(graph.n), (source, sink)), unlimited, price)
    pairs = np.unique(graph.tail * graph.n + graph.head)
    tail, head = pairs // graph.n, pairs % graph.n
    rows = np.concatenate([np.arange(graph.n), tail + graph.n])  # node i is split: i takes in, i + n gives out
    columns = np.concatenate([np.arange(graph.n) + graph.n, head])
    capacity = np.concatenate([inner, np.full(len(tail), unlimited)]).astype(np.int32)
    network = sparse.csr_array((capacity, (rows, columns)), shape=(2 * graph.n, 2 * graph.n))
    found = csgraph.maximum_flow(network, source + graph.n, sink)
    residual = sparse.csr_array(network - found.flow)
    residual.eliminate_zeros()
    reached = np.zeros(2 * graph.n, dtype=bool)
    reached[csgraph.breadth_first_order(residual, source + graph.n, return_predecessors=False)] = True
    cut = np.flatnonzero(reached[: graph.n] & ~reached[graph.n :])
    return float(found.flow_value), tuple(int(node) for node in cut if node not in (source, sink))


def betweenness(graph: Graph, sources: int | None = None, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return betweenness: over pairs of other nodes, the mean share of shortest paths through each node (Brandes 2001).

    `sources` samples that many start nodes (an unbiased estimate); None takes all. Normalised by (n - 1)(n - 2).
    """
    if graph.n < 3:
        return np.zeros(graph.n)
    if sources is None and len(graph.tail) <= SMALL // 10:
        import networkx as nx

        plain: nx.DiGraph[int] = nx.DiGraph()
        plain.add_nodes_from(range(graph.n))
        plain.add_edges_from(zip(graph.tail.tolist(), graph.head.tolist(), strict=True))
        found = nx.betweenness_centrality(plain)
        return np.array([found[i] for i in range(graph.n)])
    count = graph.n if sources is None else min(sources, graph.n)
    chosen = np.sort(np.random.default_rng(seed).choice(graph.n, count, replace=False))
    total = _brandes(graph.matrix(), chosen.tolist())
    return total * (graph.n / count) / ((graph.n - 1) * (graph.n - 2))


def _brandes(matrix: sparse.csr_array, sources: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return the sum of dependencies over sources: breadth-first layers and back, as products with the sparse
    matrix.
    """
    n = matrix.shape[0]
    forward = sparse.csr_array(matrix.T)
    total = np.zeros(n)
    for source in sources:
        paths = np.zeros(n)
        paths[source] = 1.0
        depth = np.full(n, -1)
        depth[source] = 0
        layers = [np.array([source])]
        frontier = np.zeros(n)
        frontier[source] = 1.0
        while True:
            found = forward @ frontier
            new = np.flatnonzero((found > 0) & (depth < 0))
            if not len(new):
                break
            depth[new] = len(layers)
            paths[new] = found[new]
            layers.append(new)
            frontier = np.zeros(n)
            frontier[new] = found[new]
        due = np.zeros(n)
        for level in range(len(layers) - 1, 0, -1):
            share = np.zeros(n)
            share[layers[level]] = (1.0 + due[layers[level]]) / paths[layers[level]]
            back = matrix @ share
            above = layers[level - 1]
            due[above] += paths[above] * back[above]
        due[source] = 0.0
        total += due
    return total
