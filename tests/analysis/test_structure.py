"""Structure: the same answers as networkx, on random graphs and by hand."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from supplychain.analysis import structure
from supplychain.analysis.dominators_plain import semi_nca
from supplychain.analysis.structure import (
    Graph,
    betweenness,
    immediate_dominators,
    minimum_vertex_cut,
    strong_groups,
)
from supplychain.errors import UsageError


def random_graph(seed: int, most: int = 40) -> tuple[Graph, nx.DiGraph[int]]:
    random = np.random.default_rng(seed)
    n = int(random.integers(3, most))
    links = random.integers(0, n, (int(random.integers(1, 4 * n)), 2))
    other: nx.DiGraph[int] = nx.DiGraph()
    other.add_nodes_from(range(n))
    other.add_edges_from(links.tolist())
    return Graph.of(n, links[:, 0], links[:, 1]), other


@pytest.mark.parametrize("compiled", [True, False])
def test_dominators_are_those_of_networkx(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if compiled:
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr(structure, "_semi_nca", lambda: semi_nca)
    for seed in range(80):
        graph, other = random_graph(seed)
        expected = nx.immediate_dominators(other, 0)
        found = immediate_dominators(graph, 0)
        reached = {v for v in range(graph.n) if found[v] >= 0}
        assert reached == {0} | nx.descendants(other, 0)
        assert all(found[v] == expected[v] for v in reached - {0})
        assert found[0] == 0


def test_a_long_chain_is_walked_without_recursion() -> None:
    n = 20_000
    found = immediate_dominators(Graph.of(n, np.arange(n - 1), np.arange(1, n)), 0)
    assert (found[1:] == np.arange(n - 1)).all()


def test_strong_groups_are_those_of_networkx() -> None:
    for seed in range(60):
        graph, other = random_graph(seed)
        label = strong_groups(graph)
        groups: dict[int, set[int]] = {}
        for node, number in enumerate(label.tolist()):
            groups.setdefault(number, set()).add(node)
        assert {frozenset(g) for g in groups.values()} == {
            frozenset(g) for g in nx.strongly_connected_components(other)
        }
        assert [min(groups[number]) for number in sorted(groups)] == sorted(min(g) for g in groups.values())


def test_minimum_vertex_cuts_are_those_of_networkx() -> None:
    parted = 0
    for seed in range(80):
        graph, other = random_graph(seed, 20)
        source, sink = 0, graph.n - 1
        if other.has_edge(source, sink):
            with pytest.raises(UsageError, match="no nodes part them"):
                minimum_vertex_cut(graph, source, sink)
            continue
        other.remove_edges_from(list(nx.selfloop_edges(other)))
        value, nodes = minimum_vertex_cut(graph, source, sink)
        if not other.has_edge(sink, source):  # networkx calls such a pair adjacent and answers with nothing
            assert value == len(nx.minimum_node_cut(other, source, sink))
        assert value == len(nodes)
        assert not nx.has_path(other.subgraph(set(other) - set(nodes)), source, sink)
        parted += value > 1
        price = np.random.default_rng(seed).integers(1, 9, graph.n)
        total, chosen = minimum_vertex_cut(graph, source, sink, price)
        assert total == price[list(chosen)].sum()
        assert not nx.has_path(other.subgraph(set(other) - set(chosen)), source, sink)
        assert total <= price[list(nodes)].sum()
    assert parted > 5


def test_betweenness_is_that_of_networkx() -> None:
    for seed in range(20):
        graph, other = random_graph(seed)
        expected = nx.betweenness_centrality(other)
        exact = np.array([expected[v] for v in range(graph.n)])
        assert np.allclose(betweenness(graph), exact, atol=1e-12)
        assert np.allclose(betweenness(graph, sources=graph.n), exact, atol=1e-12)
    graph, other = random_graph(3, 200)
    draws = [betweenness(graph, sources=10, seed=s) for s in range(40)]
    assert np.abs(np.mean(draws, axis=0) - list(nx.betweenness_centrality(other).values())).max() < 0.05


@pytest.mark.parametrize(
    "call",
    [
        lambda: Graph.of(2, [0], [2]),
        lambda: Graph.of(2, [0, 1], [1]),
        lambda: immediate_dominators(Graph.of(2, [0], [1]), 5),
        lambda: minimum_vertex_cut(Graph.of(3, [0, 1], [1, 2]), 0, 0),
        lambda: minimum_vertex_cut(Graph.of(3, [0, 1], [1, 2]), 0, 2, [1, 0, 1]),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any) -> None:
    with pytest.raises(UsageError):
        call()


def test_two_nodes_have_nothing_between_them() -> None:
    assert structure.betweenness(Graph.of(2, [0], [1])).tolist() == [0.0, 0.0]


def test_costs_beyond_the_integers_of_the_flow_are_refused() -> None:
    with pytest.raises(UsageError, match="scale them down"):
        minimum_vertex_cut(Graph.of(3, [0, 1], [1, 2]), 0, 2, [1, 2**31, 1])
