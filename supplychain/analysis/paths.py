"""Where an item stands among the ways to a product: dominators, minimum cut, betweenness, on the graph of items.

These are measures of *paths* (any one way is enough), with networkx. A step that needs all its inputs is not a path:
what stops the product by itself is told by the cascade (`single_point`), not here.
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
import numpy as np
import pandas as pd

from supplychain.network import Compiled

_GROUND = -1  # the node from which all items that require nothing are reached


def item_paths(compiled: Compiled, products: Sequence[str]) -> pd.DataFrame:
    """Return one row per item of the network (index: position), for paths from raw items to the products.

    Columns: dominates (every path to some product passes the item), in_minimum_cut (the item is in a smallest set of
    items that all paths to some product pass), betweenness (part of shortest paths through the item, 0..1).
    """
    graph = item_graph(compiled)
    table = pd.DataFrame(
        {"dominates": False, "in_minimum_cut": False, "betweenness": 0.0}, index=np.arange(len(compiled.items))
    )
    for name in products:
        product = compiled.items.index(name)
        if product not in graph:
            continue
        chain = graph.subgraph(nx.ancestors(graph, product) | {product}).copy()
        grounded = chain.copy()
        grounded.add_edges_from((_GROUND, item) for item in sorted(chain) if chain.in_degree(item) == 0)
        for item, part in nx.betweenness_centrality(chain).items():
            table.loc[item, "betweenness"] = max(float(table["betweenness"][item]), part)
        if _GROUND not in grounded or not nx.has_path(grounded, _GROUND, product):
            continue
        above = nx.immediate_dominators(grounded, _GROUND)
        item = above.get(product, _GROUND)
        while item is not None and item != _GROUND:
            table.loc[item, "dominates"] = True
            item = above.get(item, _GROUND)
        if not grounded.has_edge(_GROUND, product):
            cut = nx.minimum_node_cut(grounded, _GROUND, product)
            table.loc[sorted(cut), "in_minimum_cut"] = True
    return table


def item_graph(compiled: Compiled) -> nx.DiGraph[int]:
    """Return the digraph of items (positions): required item -> item that requires it; minor needs are left out."""
    needs = np.flatnonzero(compiled.supply_item[compiled.need_supply] >= 0)
    of = compiled.supply_item[compiled.need_supply[needs]].astype(np.int64)
    on = compiled.market_item[compiled.need_market[needs]].astype(np.int64)
    pairs = np.unique(on * len(compiled.items) + of)
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(np.unique(compiled.market_item).tolist())
    graph.add_edges_from(
        zip((pairs // len(compiled.items)).tolist(), (pairs % len(compiled.items)).tolist(), strict=True)
    )
    return graph
