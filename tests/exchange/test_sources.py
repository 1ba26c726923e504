"""USGS production and input-output tables become networks; nothing is guessed, nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from supplychain.errors import InputError, UsageError
from supplychain.exchange.intake import save
from supplychain.exchange.iotables import read_io
from supplychain.exchange.mapping import bundled, mapping
from supplychain.exchange.usgs import read_usgs
from supplychain.network import SupplyNetwork

USGS = """\
mcs_chapter,section,commodity,country,statistic,statistic_detail,unit,year,value,notes
GALLIUM,Salient,Gallium,United States,Price,Price,dollars,2025,400,
GALLIUM,World Production,Gallium,China,Production,Primary production,kilograms,2025,"600,000",
GALLIUM,World Production,Gallium,"Korea, Republic of",Production,Primary production,kilograms,2025,"16,000",Estimated.
GALLIUM,World Production,Gallium,United States,Production,Primary production,kilograms,2025,W,
GALLIUM,World Production,Gallium,Burma,Production,Primary production,kilograms,2025,—,
GALLIUM,World Production,Gallium,Other countries,Production,Primary production,kilograms,2025,"4,000",
GALLIUM,World Production,Gallium,World total,Production,Primary production: rounded,kilograms,2025,"640,000",
GALLIUM,World Production,Gallium,China,Production,Primary production,kilograms,2024,"500,000",
GALLIUM,World Production,Gallium,China,Capacity,Production capacity,kilograms,2025,"1,000,000",
GALLIUM,World Production,Gallium,China,Reserves,Reserves,kilograms,2025,s,
"""


def test_usgs(tmp_path: Path) -> None:
    path = tmp_path / "mcs.csv"
    path.write_text(USGS, encoding="utf-8")
    intake = read_usgs(path)
    assert intake.lost == 0
    package = save(intake, tmp_path / "out")
    supplies = package.tables["supplies"].set_index("supply")
    weighs = supplies[supplies["weight"].astype(bool)]
    assert weighs.at["gallium.producers-of-chn.2025", "share"] == pytest.approx(600 / 640)
    assert weighs.at["gallium.producers-of-kor.2025", "quality"] == "estimate"
    assert np.isnan(weighs.at["gallium.producers-of-usa.2025", "share"])  # withheld is not zero
    assert weighs.at["gallium.producers-of-mmr.2025", "share"] == 0.0  # a dash is
    assert weighs.at["gallium.other.2025", "site"] == ""
    assert "gallium.producers-of-chn.2024" not in weighs.index
    assert supplies.at["gallium.producers-of-chn.2025.capacity", "capacity"] == 1e6
    item = package.tables["items"].iloc[0]
    assert (item["world_volume"], item["unit"], item["control_codes"]) == (640_000, "kg", "CN:3C001.ga-metal")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("Burma", "Birmania", "country"),
        ('"600,000"', "many", "number"),
        ("section,", "part,", "column-missing"),
        ("World Production", "Domestic production", "no-rows"),
    ],
)
def test_usgs_faults(tmp_path: Path, old: str, new: str, code: str) -> None:
    path = tmp_path / "mcs.csv"
    path.write_text(USGS.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_usgs(path)
    assert code in {problem.code for problem in caught.value.problems}


def test_usgs_real_extract_agrees_with_the_bundled_network(shared: Path) -> None:
    intake = read_usgs(shared / "facts" / "supply" / "materials_usgs_mcs2026_extract.csv")
    assert intake.lost == 0
    theirs, ours = intake.package.tables, bundled().tables["supplies"]
    rows = theirs["supplies"][theirs["supplies"]["weight"].astype(bool)]
    named = dict(zip(theirs["items"]["note"].str.removeprefix("bundled: "), theirs["items"]["item"], strict=True))
    known = {row["item"] for row in mapping("usgs").values() if row["item"]}
    assert known <= named.keys()
    for item, site in (
        ("gallium-primary", "CHN"),
        ("tungsten-concentrate", "CHN"),
        ("platinum", "ZAF"),
        ("tin", "CHN"),
    ):
        mine = ours[(ours["item"] == item) & (ours["site"] == site) & ours["weight"].astype(bool)]["share"].sum()
        read = rows[(rows["item"] == named[item]) & (rows["site"] == site)]["share"].sum()
        assert read == pytest.approx(mine, abs=0.03), item


@pytest.fixture
def table() -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    pairs = [(region, sector) for region in ("JPN", "USA", "CN1", "ROW") for sector in ("A01_02", "C26", "D")]
    deliveries = rng.random((12, 12)) * 10
    return pairs, deliveries, deliveries.sum(axis=1) + rng.random(12) * 200


def test_icio_and_pymrio_say_the_same(
    tmp_path: Path, table: tuple[list[tuple[str, str]], np.ndarray, np.ndarray]
) -> None:
    pairs, deliveries, output = table
    labels = ["_".join(pair) for pair in pairs]
    final = (output - deliveries.sum(axis=1))[:, None]
    icio = pd.DataFrame(np.c_[deliveries, final, output], labels, [*labels, "JPN_HFCE", "OUT"])
    icio.loc["VA"] = [1.0] * 14
    icio.to_csv(tmp_path / "2020.csv", index_label="V1")
    folder = tmp_path / "mrio"
    folder.mkdir()
    index = pd.MultiIndex.from_tuples(pairs, names=["region", "sector"])
    pd.DataFrame(deliveries, index, index).to_csv(folder / "Z.txt", sep="\t")
    pd.DataFrame({"indout": output}, index).to_csv(folder / "x.txt", sep="\t")
    parameters = {
        "files": {
            "Z": {"name": "Z.txt", "nr_header": "2", "nr_index_col": "2"},
            "x": {"name": "x.txt", "nr_header": "1", "nr_index_col": "2"},
        }
    }
    (folder / "file_parameters.json").write_text(json.dumps(parameters), encoding="utf-8")
    one, two = read_io(tmp_path / "2020.csv"), read_io(folder)
    assert one.lost == two.lost == 0
    assert one.rows_in == {"2020.csv": 13}
    for name in ("items", "supplies", "requirements", "lanes"):
        pd.testing.assert_frame_equal(one.package.tables[name], two.package.tables[name])
    package = save(one, tmp_path / "out")
    supplies = package.tables["supplies"].set_index("supply")
    chips = [output[at] for at, pair in enumerate(pairs) if pair[1] == "C26"]
    assert supplies.at["c26.jpn", "share"] == pytest.approx(output[1] / sum(chips))
    assert supplies.at["c26.cn1", "site"] == "CHN"
    assert supplies.at["c26.row", "site"] == ""
    lanes = package.tables["lanes"].set_index("lane")
    bought = deliveries[[1, 4, 7, 10], 2].sum()  # chips for Japan's energy
    assert lanes.at["c26.jpn-to-d.jpn", "share"] == pytest.approx(deliveries[1, 2] / bought)
    needs = package.tables["requirements"].set_index("requirement")
    used = sum(deliveries[giver, taker] for giver in (1, 4, 7, 10) for taker in (2, 5, 8, 11))
    assert needs.at["d.needs.c26", "coefficient"] == pytest.approx(used / output[[2, 5, 8, 11]].sum())
    assert SupplyNetwork.from_package(package).compile().n_supplies > 12


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="COUNTRY_SECTOR"):
        read_io(tmp_path / "a.csv")
    with pytest.raises(UsageError, match="file_parameters"):
        read_io(tmp_path)
    (tmp_path / "b.csv").write_text("V1,JPN_A,USA_A\nJPN_A,1,two\nUSA_A,3,4\n", encoding="utf-8")
    with pytest.raises(InputError, match="number"):
        read_io(tmp_path / "b.csv")
    parameters = {"files": {"Z": {"name": "../Z.txt", "nr_header": "2", "nr_index_col": "2"}}}
    (tmp_path / "file_parameters.json").write_text(json.dumps(parameters), encoding="utf-8")
    with pytest.raises(InputError, match="lie in the folder"):
        read_io(tmp_path)
