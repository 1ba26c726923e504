"""The map: areas keep their ratio, arcs join as TopoJSON says, and what the table says is what is filled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from supplychain.facts.countries import countries
from supplychain.locate import datasets
from supplychain.report import maps


@pytest.fixture(scope="module")
def shapes() -> dict[str, maps.Outline]:
    return maps.outlines(datasets() / "reference" / "world-110m.json")


def test_equal_earth_against_the_published_values() -> None:
    # Ends of the axes for the unit sphere, as the paper gives them.
    plane = maps.equal_earth(np.array([[0.0, 0.0], [180.0, 0.0], [0.0, 90.0], [-180.0, 90.0]]))
    assert plane[0] == pytest.approx([0, 0])
    assert plane[1] == pytest.approx([2.70663, 0], abs=1e-4)
    assert plane[2] == pytest.approx([0, 1.31737], abs=1e-4)
    assert plane[3, 0] / plane[1, 0] == pytest.approx(-0.59247, abs=1e-4)  # the pole is a line, 0.592 of the equator


def test_areas_on_the_page_keep_the_ratio_of_areas_on_earth(shapes: dict[str, maps.Outline]) -> None:
    square_kilometres = {"BRA": 8.51e6, "IND": 3.15e6, "ZAF": 1.22e6, "FRA": 0.55e6, "AUS": 7.69e6}
    scale = {code: shapes[code].area / area for code, area in square_kilometres.items()}
    assert max(scale.values()) / min(scale.values()) < 1.15


def test_every_outline_has_a_known_code_and_lies_on_the_page(shapes: dict[str, maps.Outline]) -> None:
    assert set(shapes) - {maps.NAMELESS} <= set(countries())
    assert {"SGP", "HKG", "TWN", "NLD", "USA"} <= set(shapes)
    assert shapes["RUS"].x > shapes["DEU"].x > shapes["USA"].x > 0
    assert all(0 <= shape.x <= maps.WIDTH for shape in shapes.values())


def test_arcs_join_both_ways(tmp_path: Path) -> None:
    square = {  # one square in two arcs, the second stored backwards
        "transform": {"scale": [10, 10], "translate": [0, 0]},
        "arcs": [[[0, 0], [1, 0], [0, 1]], [[0, 0], [0, 1], [1, 0]]],
        "objects": {"countries": {"geometries": [{"type": "Polygon", "id": "AAA", "arcs": [[0, -2]]}]}},
    }
    file = tmp_path / "square.json"
    file.write_text(json.dumps(square))
    arcs = maps.decode_arcs(square)
    assert arcs[0].tolist() == [[0, 0], [10, 0], [10, 10]]
    outline = maps.outlines(file)["AAA"]
    assert outline.path.startswith("M")
    assert outline.path.endswith("z")
    corners = maps._to_page(np.array([[0.0, 0.0], [10, 0], [10, 10], [0, 10]]))
    expected = abs(np.diff(corners[[0, 1]], axis=0)[0, 0] * np.diff(corners[[1, 2]], axis=0)[0, 1])
    assert outline.area == pytest.approx(expected, rel=0.1)


def test_fills_and_tips_come_from_the_table(shapes: dict[str, maps.Outline]) -> None:
    states = pd.DataFrame(
        {"state": ["CHN", "SGP"], "name": ["<China>", "Singapore"], "value": [0.62, 0.1], "wording": ["<b>62", "ten"]}
    )
    picture = maps.world(shapes, states, {"DEU": "plant & co"}, "a map")
    assert f'fill="{maps.fill_of(0.62)}"' in picture
    assert "<title>&lt;b&gt;62</title>" in picture
    assert "plant &amp; co" in picture
    assert "CHN 62\u00a0%" in picture
    assert "<b>" not in picture
    assert maps.fill_of(0.0) != maps.fill_of(0.01) != maps.fill_of(0.06)
