"""Trade data: codes that are not ISO, text that looks like numbers, faults by row; indicators against a plain count."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from supplychain.cli import run
from supplychain.errors import InputError, UsageError
from supplychain.exchange.baci import import_baci
from supplychain.exchange.comtrade import import_comtrade
from supplychain.exchange.mapping import mapping
from supplychain.exchange.trade import EU, TradeFlows, indicators, places_by_code
from supplychain.facts.countries import countries

BACI = """\
t,i,j,k,v,q
2022,490,276,010121,100.5,3
2022,156,276,010121,50,         NA
2022,251,276,010121,25,1
2022,276,757,854231,2000,5
2022,842,899,854231,7,1
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_baci_codes_and_text(tmp_path: Path) -> None:
    found = import_baci(write(tmp_path / "BACI_HS17_Y2022.csv", BACI), tmp_path / "out")
    assert found.lost == 0
    assert found.rows_in == {"BACI_HS17_Y2022.csv": 5}
    flows = pq.read_table(tmp_path / "out" / "flows.parquet").to_pylist()
    assert [row["exporter"] for row in flows] == ["TWN", "CHN", "FRA", "DEU", "USA"]
    assert [row["importer"] for row in flows] == ["DEU", "DEU", "DEU", "CHE", ""]
    assert flows[0]["product"] == "010121"  # text, zeros kept
    assert flows[0]["value_usd"] == 100_500.0
    assert flows[1]["tonnes"] is None
    assert [row["row"] for row in flows] == [2, 3, 4, 5, 6]
    table = found.indicators.set_index(["product", "importer"])
    germany, union = table.loc["010121", "DEU"], table.loc["010121", EU]
    assert germany["origins"] == 3
    assert germany["hhi"] == pytest.approx((100.5**2 + 50**2 + 25**2) / 175.5**2)
    assert germany["outside_share"] == pytest.approx(150.5 / 175.5)
    assert union["origins"] == 2
    assert union["top_origin"] == "TWN"
    assert union["outside_share"] == pytest.approx(150.5 / 175.5)
    assert union["import_ratio"] == pytest.approx(150.5 / 25)  # exports between members count
    assert bool(union["dependent"]) is True


@pytest.mark.parametrize(
    ("old", "new", "code", "row", "column"),
    [
        ("490,276,010121", "999,276,010121", "country", 2, "i"),
        ("156,276,010121", "156,999,010121", "country", 3, "j"),
        ("251,276,010121", "251,276,10121", "hs6", 4, "k"),
        ("854231,2000", "854231,-3", "number", 5, "v"),
        ("854231,2000", "854231,abc", "number", 5, "v"),
        ("854231,2000", "854231,", "number", 5, "v"),
        ("2022,156,276", "2022,490,276", "duplicate-key", 3, "k"),
        ("2022,842", "22,842", "year", 6, "t"),
        ("i,j,k,v,q", "i,j,hs,v,q", "column-missing", 1, "k"),
    ],
)
def test_baci_faults(tmp_path: Path, old: str, new: str, code: str, row: int, column: str) -> None:
    assert BACI.count(old) == 1
    path = write(tmp_path / "BACI.csv", BACI.replace(old, new))
    with pytest.raises(InputError) as caught:
        import_baci(path, tmp_path / "out")
    assert (code, row, column) in {(p.code, p.row, p.column) for p in caught.value.problems}
    assert not (tmp_path / "out").exists()


def test_ragged_or_empty_files_are_refused(tmp_path: Path) -> None:
    for text in (BACI + "2022,490\n", "t,i,j,k,v,q\n"):
        with pytest.raises(InputError):
            import_baci(write(tmp_path / "BACI.csv", text), tmp_path / "out")
    with pytest.raises(UsageError):
        import_baci(tmp_path / "nothing", tmp_path / "out")


def test_every_code_stands_for_one_state_or_none() -> None:
    known = places_by_code()
    assert known[490] == "TWN"
    assert known[757] == "CHE"
    assert known[842] == "USA"
    assert {place for place in known.values() if place} <= countries().keys()
    assert all(row["iso3"] or row["note"] for row in mapping("trade-places").values())


def test_indicators_agree_with_a_plain_count() -> None:
    rng = np.random.default_rng(7)
    places = ("", "CHN", "DEU", "FRA", "JPN", "POL", "TWN", "USA")
    size = 900
    draws = [rng.integers(0, top, size) for top in (2, 8, 8, 5)]
    value = rng.lognormal(3, 2, size)
    year = (2003 + 2 * draws[0]).astype(np.int16)  # Poland joined the Union in 2004
    flows = TradeFlows(
        places,
        tuple(f"00000{n}" for n in range(5)),
        year,
        draws[1].astype(np.int16),
        draws[2].astype(np.int16),
        draws[3].astype(np.int32),
        value,
        value * 0,
    )
    table = indicators(flows).set_index(["year", "product", "importer"])
    expected = _plain(flows)
    assert set(table.index) == set(expected)
    for key, (imports, hhi, outside, exports) in expected.items():
        row = table.loc[key]
        assert row["imports_usd"] == pytest.approx(imports)
        assert row["hhi"] == pytest.approx(hhi)
        assert row["outside_share"] == pytest.approx(outside)
        assert row["exports_usd"] == pytest.approx(exports)
        ratio = outside * imports / exports if exports else np.inf
        assert bool(row["dependent"]) == (hhi > 0.4 and outside > 0.5 and ratio > 1), key


def _plain(flows: TradeFlows) -> dict[tuple[int, str, str], tuple[float, float, float, float]]:
    """The same, row by row with dictionaries."""
    bought: dict[tuple[int, str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    within: dict[tuple[int, str, str], float] = defaultdict(float)
    sold: dict[tuple[int, str, str], float] = defaultdict(float)
    for n in range(len(flows)):
        year, product = int(flows.year[n]), flows.products[flows.product[n]]
        giver, taker, value = flows.places[flows.exporter[n]], flows.places[flows.importer[n]], float(flows.value[n])

        def member(place: str, at: int = year) -> bool:
            return bool(place) and countries()[place].in_eu(date(at, 12, 31))

        inner = member(giver) and member(taker)
        sold[year, product, giver] += value
        if member(giver):
            sold[year, product, EU] += value
        if taker:
            bought[year, product, taker][giver] += value
            within[year, product, taker] += value if inner else 0.0
        if member(taker):
            if inner:
                within[year, product, EU] += value
            else:
                bought[year, product, EU][giver] += value
    found = {}
    for key, origins in bought.items():
        total = sum(origins.values())
        whole = total + within[key] if key[2] == EU else total
        outside = total / whole if key[2] == EU else 1 - within[key] / total
        hhi = sum((value / total) ** 2 for value in origins.values())
        found[key] = (whole, hhi, outside, sold[key])
    return found


def test_comtrade_takes_each_trade_once(tmp_path: Path) -> None:
    text = """\
period,reporterCode,partnerCode,partner2Code,classificationCode,cmdCode,flowCode,motCode,netWgt,primaryValue
2023,757,0,0,H6,811292,M,0,100,1000
2023,757,156,0,H6,811292,M,0,90,900
2023,757,156,0,H6,811292,M,2100,40,400
2023,156,757,0,H6,811292,X,0,80,800
2023,156,842,0,H6,811292,X,0,70,700
2023,490,842,0,H6,854231,X,0,,99
2023,490,842,0,H6,8542,X,0,,99
2023,490,842,0,H6,854231,RX,0,,99
2023,490,392,0,H6,010121,X,0,,
"""
    found = import_comtrade(write(tmp_path / "c.csv", text), tmp_path / "out")
    assert found.lost == 0
    flows = pq.read_table(tmp_path / "out" / "flows.parquet").to_pylist()
    assert [(row["exporter"], row["importer"], row["product"], row["value_usd"]) for row in flows] == [
        ("CHN", "CHE", "811292", 900.0),
        ("CHN", "USA", "811292", 700.0),
        ("TWN", "USA", "854231", 99.0),
    ]
    assert flows[0]["tonnes"] == pytest.approx(0.09)
    assert any("(H6)" in to for to in found.counts["went_to"])
    bad = text.replace("2023,757,156,0,H6,811292,M,0,90", "2023,999,156,0,H6,811292,M,0,90")
    with pytest.raises(InputError, match="reporterCode"):
        import_comtrade(write(tmp_path / "d.csv", bad), tmp_path / "out2")


def test_command_prints_the_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "BACI.csv", BACI)
    assert run(["import", "baci", str(path), str(tmp_path / "out")]) == 0
    assert "5 rows in, 0 lost" in capsys.readouterr().out
    assert run(["import", "baci", str(path), str(tmp_path / "out")]) == 2
    assert run(["import", "baci", str(path), str(tmp_path / "out"), "--overwrite"]) == 0
