"""Tables: headers, totals, keys, references and periods; order of rows and columns never matters."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from small_package import TABLES, places, refused, write

from supplychain.facts.package import read_package

Edit = Callable[..., Path]


def test_types_are_those_of_the_schema(small: Path) -> None:
    tables = read_package(small).tables
    assert set(tables) >= {"content", "lanes", "demand", "sites"}
    supplies = tables["supplies"]
    assert (supplies["supply"].dtype, supplies["share"].dtype, supplies["weight"].dtype) == (
        "str",
        "float64",
        "boolean",
    )
    assert tables["events"]["date"].dtype == "datetime64[s]"
    assert list(tables["lanes"].columns)[:4] == ["lane", "from_supply", "to_supply", "to_plant"]
    assert supplies["site"].tolist() == ["NLD", "", "DEU", "NLD"]
    assert supplies["capacity"].isna().all()


def test_a_missing_column_is_refused_and_an_optional_one_is_unknown(edited: Edit) -> None:
    folder = edited("supplies", (",site,", ",place,"))
    assert places(refused(folder)) == {("column-missing", "supplies.csv", 1, "site")}


def test_unknown_columns_change_nothing_and_are_kept(edited: Edit) -> None:
    package = read_package(edited("plants", ("stock_days", "stok_days")))
    assert [(p.code, p.column) for p in package.warnings] == [("unknown-column", "stok_days")]
    assert "'stock_days'" in package.warnings[0].cure
    assert package.tables["plants"]["stok_days"].tolist() == ["30", ""]
    assert package.tables["plants"]["stock_days"].isna().all()


def test_header_variants_are_read_with_a_warning(edited: Edit) -> None:
    package = read_package(edited("plants", ("stock_days", " Stock Days")))
    assert [p.code for p in package.warnings] == ["header-variant"]
    assert package.tables["plants"]["stock_days"].tolist()[0] == 30


def test_totals_and_repeated_headers_are_refused(edited: Edit, small: Path) -> None:
    path = small / "organisations.csv"
    header = TABLES["organisations"].splitlines()[0]
    path.write_text(TABLES["organisations"] + header + "\nTOTAL,Sum,,,,s1,\n", encoding="utf-8")
    assert places(refused(small)) == {
        ("header-repeated", "organisations.csv", 5, ""),
        ("total-row", "organisations.csv", 6, ""),
    }


def test_a_title_line_above_the_header_is_refused(small: Path) -> None:
    (small / "organisations.csv").write_text("Our suppliers,,,,,,\n" + TABLES["organisations"], encoding="utf-8")
    assert {p.code for p in refused(small)} == {"header-blank"}


def test_blank_records_are_passed_over(small: Path) -> None:
    (small / "organisations.csv").write_text(TABLES["organisations"] + ",,,,,,\n\n,,,,,,\n", encoding="utf-8")
    assert len(read_package(small).tables["organisations"]) == 3


def test_a_required_table_has_rows(small: Path) -> None:
    (small / "supplies.csv").write_text(TABLES["supplies"].splitlines()[0] + "\n", encoding="utf-8")
    assert [p.code for p in refused(small)] == ["table-empty"]


def test_a_key_used_twice(edited: Edit) -> None:
    problems = refused(edited("supplies", ("chip.other,other,chip,,0.4", "chip.acme,other,chip,,0.4")))
    assert places(problems) == {("duplicate-key", "supplies.csv", 3, "supply")}
    assert "row 2" in problems[0].cure


def test_a_row_repeated_whole_is_dropped_with_a_warning(small: Path) -> None:
    rows = TABLES["supplies"]
    (small / "supplies.csv").write_text(rows + rows.splitlines()[1] + "\n", encoding="utf-8")
    package = read_package(small)
    assert [(p.code, p.row) for p in package.warnings] == [("duplicate-row", 6)]
    assert len(package.tables["supplies"]) == 4
    assert [p.code for p in refused(small, strict=True)] == ["duplicate-row"]


def test_keys_of_several_columns(edited: Edit) -> None:
    problems = refused(edited("plants", ("p1,me,IND,tool,2,unit", "p1,me,IND,gas,2,m3")))
    assert places(problems) == {("duplicate-key", "plants.csv", 3, "plant, item")}
    assert problems[0].value == "p1, gas"


@pytest.mark.parametrize(
    ("table", "old", "new", "column", "row", "cure"),
    [
        ("supplies", "gas.bolt,bolt", "gas.bolt,bold", "organisation", 4, "'bolt'"),
        ("requirements", "chip.gas,chip,gas", "chip.gas,chip,gass", "requires", 2, "'gas'"),
        ("events", "gas;chip", "gas;chipp", "items", 2, "'chip'"),
        ("items", "s1;s2", "s1;s3", "source", 4, "add it to sources"),
        ("organisations", "DEU,acme", "DEU,zzzzzz", "parent", 3, "add it to organisations"),
    ],
)
def test_unknown_references_are_refused_with_the_nearest(
    edited: Edit, table: str, old: str, new: str, column: str, row: int, cure: str
) -> None:
    problems = refused(edited(table, (old, new)))
    assert places(problems) == {("reference", f"{table}.csv", row, column)}
    assert cure in problems[0].cure


def test_blank_keys_are_refused(edited: Edit) -> None:
    assert places(refused(edited("items", ("chip,Chip,", ",Chip,")))) >= {("blank", "items.csv", 2, "item")}


def test_the_order_of_rows_and_columns_never_matters(small: Path, tmp_path: Path) -> None:
    mixed = {}
    generator = random.Random(3)
    for name, text in TABLES.items():
        rows = [line.split(",") for line in text.replace('"99.999 %, bottled"', "bottled").splitlines()]
        order = list(range(len(rows[0])))
        generator.shuffle(order)
        body = rows[1:]
        generator.shuffle(body)
        mixed[name] = "".join(",".join(row[i] for i in order) + "\n" for row in [rows[0], *body])
    one = read_package(small).tables
    two = read_package(write(tmp_path / "mixed", mixed)).tables
    for name in TABLES:
        key = list(one[name].columns[:1])
        left = one[name].drop(columns="note", errors="ignore").sort_values([*key, one[name].columns[3]])
        right = two[name].drop(columns="note", errors="ignore").sort_values([*key, one[name].columns[3]])
        pd.testing.assert_frame_equal(left.reset_index(drop=True), right.reset_index(drop=True))


def test_a_period_ends_after_it_starts(tmp_path: Path) -> None:
    regimes = {
        "jurisdictions": "jurisdiction,name,source\nUSA,United States,s1\n",
        "memberships": "regime,jurisdiction,from,to,source\nr1,USA,2024-09-06,2024-09-06,s1\n",
    }
    folder = write(tmp_path / "book", regimes)
    (folder / "datapackage.json").write_text('{"supplychain": {"schema": "regimes"}}')
    assert ("period", "memberships.csv", 2, "to") in places(refused(folder))


def test_when_very_many_rows_share_a_key_the_rest_is_counted(small: Path) -> None:
    rows = "".join(f"acme,Acme {k},NLD,,,s1,\n" for k in range(60))
    path = small / "organisations.csv"
    path.write_text(TABLES["organisations"] + rows, encoding="utf-8")
    problems = [p for p in refused(small) if p.code == "duplicate-key"]
    (counted,) = [p for p in problems if p.row is None]
    assert "60 rows use the key" in counted.cure
    assert len(problems) < 60


def test_a_header_with_an_unseen_character_is_a_variant_and_no_column_of_its_own(edited: Callable[..., Path]) -> None:
    path = edited("supplies", (",share,", ",share\u200b,"))
    package = read_package(path)
    assert package.tables["supplies"]["share"].notna().all()
    assert {(p.code, p.column) for p in package.warnings} == {("header-variant", "share\\u200b")}
    path = edited("organisations", (",note\n", ",name\ufeff\n"))
    assert ("header-duplicate", "organisations.csv", 1, "name\\ufeff") in places(refused(path))
