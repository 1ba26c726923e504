"""Dominators, strong groups, minimum cut and sampled betweenness on a scale-free graph, against networkx and
rustworkx.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks import Row, timed
from supplychain.analysis.structure import (
    Graph,
    betweenness,
    immediate_dominators,
    minimum_vertex_cut,
    strong_groups,
)


def scale_free(n: int, m: int, seed: int = 1) -> Graph:
    """A directed graph with heavy-tailed degrees both ways and no parallel links."""
    random = np.random.default_rng(seed)
    ends = np.minimum((n * random.random((2, int(1.3 * m))) ** 2.5).astype(np.int64), n - 1)
    tail, head = ends[0], random.permutation(n)[ends[1]]
    key = np.unique(tail[tail != head] * n + head[tail != head])
    key = np.sort(random.permutation(key)[:m])
    return Graph.of(n, key // n, key % n)


def rows(quick: bool) -> list[Row]:
    """Measure, once each, what the structure functions cost beside their peers."""
    import networkx as nx

    n, m = (10_000, 100_000) if quick else (100_000, 1_000_000)
    graph = scale_free(n, m)
    case = f"{n:,} nodes, {len(graph.tail):,} links"
    immediate_dominators(scale_free(100, 500), 0)  # compiles
    plain: nx.DiGraph[int] = nx.DiGraph()
    plain.add_nodes_from(range(n))
    plain.add_edges_from(zip(graph.tail.tolist(), graph.head.tolist(), strict=True))

    def once(work: object) -> float:
        start = time.perf_counter()
        work()  # type: ignore[operator]
        return time.perf_counter() - start

    found = []
    ours = timed(lambda: immediate_dominators(graph, 0))
    peer = once(lambda: nx.immediate_dominators(plain, 0))
    found.append(Row("structure", f"dominators, {case}", ours, "networkx", peer, "<= 0.6 s", quick or ours <= 0.6))
    ours = timed(lambda: strong_groups(graph))
    peer = once(lambda: list(nx.strongly_connected_components(plain)))
    found.append(Row("structure", f"strong groups, {case}", ours, "networkx", peer, "<= 0.1 s", quick or ours <= 0.1))
    try:
        import rustworkx as rx

        other: rx.PyDiGraph[int, None] = rx.PyDiGraph()
        other.add_nodes_from(range(n))
        other.add_edges_from_no_data(list(zip(graph.tail.tolist(), graph.head.tolist(), strict=True)))
        ours = timed(lambda: immediate_dominators(graph, 0))
        found.append(
            Row("structure", "dominators", ours, "rustworkx", timed(lambda: rx.immediate_dominators(other, 0)))
        )
        ours = timed(lambda: strong_groups(graph))
        peer = timed(lambda: rx.strongly_connected_components(other))
        found.append(Row("structure", "strong groups", ours, "rustworkx", peer))
    except ImportError:
        pass
    far = int(graph.head[-1])
    ours = once(lambda: minimum_vertex_cut(graph, 0, far if far != 0 else 1))
    found.append(Row("structure", "minimum vertex cut", ours))
    ours = once(lambda: betweenness(graph, sources=10))
    peer = once(lambda: nx.betweenness_centrality(plain, k=10, seed=0)) if quick else float("nan")
    found.append(Row("structure", "betweenness, 10 sources", ours, "networkx" if quick else "", peer))
    return found
