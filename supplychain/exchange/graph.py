"""Networks for graph tools: nodes and edges as tables, GraphML and GEXF; attributes flat, unknown ones left out."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from supplychain.files import check_free, make_folder, replace_file
from supplychain.network import SupplyNetwork

if TYPE_CHECKING:
    import networkx as nx

# Characters that XML 1.0 cannot hold, not even escaped.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_STAMP = re.compile(rb' lastmodifieddate="[^"]*"')


def nodes_and_edges(network: SupplyNetwork) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the nodes (items, supplies, plants) and the edges between them, goods flowing from source to target.

    nodes: node ("item:x", "supply:x", "plant:x"), kind, name, tier, category, control_codes, organisation,
    jurisdiction, site, share. edges: edge, source, target, kind (offers, needs, lane), role, essentiality, weight (the
    share of a supply; the use share of a requirement; the share of a lane), quality, sources (of the fact). NaN and ""
    are unknown.
    """
    items, supplies, plants = network.items, network.supplies, network.plants
    makers = network.organisations.set_index("organisation")
    jurisdiction = makers["jurisdiction"].reindex(pd.Index(supplies["organisation"])).fillna("").to_numpy(object)
    maker = makers["name"].reindex(pd.Index(supplies["organisation"])).fillna("").to_numpy(object)
    own = plants.drop_duplicates("plant")
    nodes = pd.concat(
        [
            items[["name", "tier", "category", "control_codes"]].assign(node="item:" + items["item"], kind="item"),
            supplies[["organisation", "site", "share"]].assign(
                node="supply:" + supplies["supply"], kind="supply", name=maker, jurisdiction=jurisdiction
            ),
            own[["site"]].assign(node="plant:" + own["plant"], kind="plant", name=own["plant"]),
        ],
        ignore_index=True,
    )
    columns = [
        "node",
        "kind",
        "name",
        "tier",
        "category",
        "control_codes",
        "organisation",
        "jurisdiction",
        "site",
        "share",
    ]
    needs, lanes = network.requirements, network.lanes
    to = np.where(lanes["to_supply"] != "", "supply:" + lanes["to_supply"], "plant:" + lanes["to_plant"])
    edges = pd.concat(
        [
            pd.DataFrame(
                {
                    "edge": "offers:" + supplies["supply"],
                    "source": "supply:" + supplies["supply"],
                    "target": "item:" + supplies["item"],
                    "kind": "offers",
                    "weight": supplies["share"],
                    "quality": supplies["quality"],
                    "sources": supplies["source"],
                }
            ),
            pd.DataFrame(
                {
                    "edge": "needs:" + needs["requirement"],
                    "source": "item:" + needs["requires"],
                    "target": "item:" + needs["item"],
                    "kind": "needs",
                    "role": needs["role"],
                    "essentiality": needs["essentiality"],
                    "weight": needs["use_share"],
                    "quality": needs["quality"],
                    "sources": needs["source"],
                }
            ),
            pd.DataFrame(
                {
                    "edge": "needs:" + plants["plant"] + ":" + plants["item"],
                    "source": "item:" + plants["item"],
                    "target": "plant:" + plants["plant"],
                    "kind": "needs",
                }
            ),
            pd.DataFrame(
                {
                    "edge": "lane:" + lanes["lane"],
                    "source": "supply:" + lanes["from_supply"],
                    "target": to,
                    "kind": "lane",
                    "weight": lanes["share"],
                }
            ),
        ],
        ignore_index=True,
    )
    order = ["edge", "source", "target", "kind", "role", "essentiality", "weight", "quality", "sources"]
    return _known(nodes.reindex(columns=columns), "node"), _known(edges.reindex(columns=order), "edge")


def _known(table: pd.DataFrame, key: str) -> pd.DataFrame:
    numeric = ("tier", "share", "weight")
    filled = {name: table[name].astype(float if name in numeric else object) for name in table}
    texts = {name: column if name in numeric else column.fillna("").astype(str) for name, column in filled.items()}
    return pd.DataFrame(texts).sort_values(key, kind="stable", ignore_index=True)


def to_graph(network: SupplyNetwork) -> nx.MultiDiGraph[str]:
    """Return the network as a graph of networkx with flat attributes; unknown ones are absent."""
    import networkx as nx

    nodes, edges = nodes_and_edges(network)
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(name=network.name)
    graph.add_nodes_from((row.pop("node"), _flat(row)) for row in nodes.to_dict("records"))
    for row in edges.to_dict("records"):
        source, target, key = row.pop("source"), row.pop("target"), row.pop("edge")
        graph.add_edge(source, target, key=key, **_flat(row))
    return graph


def _flat(row: dict[Any, Any]) -> dict[str, Any]:
    known = {str(key): value for key, value in row.items() if value == value and value != ""}
    return {key: _NO_XML.sub("\ufffd", value) if isinstance(value, str) else value for key, value in known.items()}


def write_graph(network: SupplyNetwork, path: Path, form: str, *, overwrite: bool = False) -> None:
    """Write the network as `form` "graphml" or "gexf" (1.2) to `path`; the same network gives the same bytes."""
    import networkx as nx

    check_free(path, overwrite)
    buffer = io.BytesIO()
    if form == "graphml":
        nx.write_graphml_xml(to_graph(network), buffer, encoding="utf-8", prettyprint=True)
    else:
        graph = to_graph(network)
        for node, name in graph.nodes(data="name"):
            graph.nodes[node]["label"] = name or node
        nx.write_gexf(graph, buffer, encoding="utf-8", prettyprint=True)
    make_folder(path.parent)
    replace_file(path, _STAMP.sub(b"", buffer.getvalue()))
