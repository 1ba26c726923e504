"""Networks out: graph files read back with all their parts, GeoJSON points in their countries; round trips keep all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest

from supplychain.cli import run
from supplychain.exchange.comparison import compare_eto, concentration
from supplychain.exchange.eto import read_eto
from supplychain.exchange.geojson import middles, site_features
from supplychain.exchange.graph import nodes_and_edges, to_graph, write_graph
from supplychain.exchange.mapping import bundled
from supplychain.exchange.template import start
from supplychain.facts.package import Package, read_package, write_package
from supplychain.network import SupplyNetwork
from tests.facts.content import content_hash


@pytest.fixture(scope="module")
def package() -> Package:
    return bundled()


def test_graph_files_hold_every_node_and_edge(package: Package, tmp_path: Path) -> None:
    network = SupplyNetwork.from_package(package)
    nodes, edges = nodes_and_edges(network)
    assert nodes["node"].is_unique
    assert edges["edge"].is_unique
    assert set(edges["source"]) | set(edges["target"]) <= set(nodes["node"])
    assert len(edges) == len(network.supplies) + len(network.requirements) + len(network.plants)
    for form, read in (("graphml", nx.read_graphml), ("gexf", nx.read_gexf)):
        write_graph(network, tmp_path / f"n.{form}", form)
        data = (tmp_path / f"n.{form}").read_bytes()
        write_graph(network, tmp_path / f"n.{form}", form, overwrite=True)
        assert (tmp_path / f"n.{form}").read_bytes() == data  # no moment of writing in it
        graph = read(tmp_path / f"n.{form}")
        assert (graph.number_of_nodes(), graph.number_of_edges()) == (len(nodes), len(edges))
        assert graph.nodes["item:euv-scanner"]["name"] == "EUV scanner (0.33 NA)"
        assert graph.nodes["supply:euv-scanner.asml.nld"]["site"] == "NLD"


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    mine = start(tmp_path / "mine")
    items = mine.tables["items"].assign(name='</node><x y="&\x0b\x1b[1m')
    network = SupplyNetwork.from_package(replace(mine, tables={**mine.tables, "items": items}))
    write_graph(network, tmp_path / "n.graphml", "graphml")
    graph = nx.read_graphml(tmp_path / "n.graphml")
    assert graph.nodes["item:my-chip"]["name"].startswith('</node><x y="&')
    assert to_graph(network).number_of_nodes() == graph.number_of_nodes()


def test_geojson_points_lie_in_their_country(package: Package) -> None:
    longitude, latitude = middles()["IND"]
    assert 70 < longitude < 90
    assert 8 < latitude < 35
    found = site_features(package)
    kinds = pd.Series([feature["properties"]["kind"] for feature in found["features"]]).value_counts()
    assert kinds["site"] == len(package.tables["sites"])
    for feature in found["features"]:
        assert feature["properties"]["precision"] == "country"
        if feature["geometry"]:
            assert tuple(feature["geometry"]["coordinates"]) == middles()[feature["properties"]["country"]]


def test_round_trip_through_every_format_keeps_the_content(package: Package, tmp_path: Path) -> None:
    before = content_hash(package)
    write_package(package, tmp_path / "p.xlsx")
    write_package(package, tmp_path / "p", format="parquet")
    back = read_package(tmp_path / "p.xlsx")
    assert content_hash(back) == before
    write_package(back, tmp_path / "c")
    assert content_hash(read_package(tmp_path / "c")) == before
    assert content_hash(read_package(tmp_path / "p")) == before
    turned = {name: table.iloc[::-1].reset_index(drop=True) for name, table in package.tables.items()}
    assert content_hash(replace(package, tables=turned)) == before
    supplies = package.tables["supplies"].copy()
    supplies.loc[0, "note"] = "changed"
    assert content_hash(replace(package, tables={**package.tables, "supplies": supplies})) != before


def test_export_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = str(start(tmp_path / "mine").path)
    for shape, dest in (("nodes-edges", "ne"), ("geojson", "n.geojson"), ("gexf", "n.gexf"), ("package", "n.xlsx")):
        words = ["export", shape, str(tmp_path / dest), "--network", network]
        assert run(words) == 0
        assert run(words) == 2
    assert run(["export", "nodes-edges", str(tmp_path / "p"), "--parquet", "--network", network]) == 0
    assert (
        len(pd.read_parquet(tmp_path / "p" / "nodes.parquet")) == len(pd.read_csv(tmp_path / "ne" / "nodes.csv")) == 15
    )
    assert json.loads((tmp_path / "n.geojson").read_text(encoding="utf-8"))["type"] == "FeatureCollection"
    assert content_hash(read_package(tmp_path / "n.xlsx")) == content_hash(read_package(network))
    capsys.readouterr()


def test_concentration_beside_eto(package: Package, shared: Path) -> None:
    ours = concentration(package)
    assert ours.loc["euv-scanner", ["hhi_site", "hhi_head", "hhi_firm"]].tolist() == [1.0, 1.0, 1.0]
    assert (ours["hhi_site"] <= 1 + 1e-9).all()
    table = compare_eto(read_eto(shared / "eto").package, package).set_index("item")
    assert len(table) >= 20
    assert table.at["euv-scanner", "hhi_head_eto"] == 1.0
    assert (table["hhi_head"] - table["hhi_head_eto"]).abs().median() < 0.12
