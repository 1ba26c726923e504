"""Rules of a supply network: one sound package, one broken cell, one named fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_package import TABLES, places, refused, write

from supplychain.facts.package import read_package

Edit = Callable[..., Path]


@pytest.mark.parametrize(
    ("table", "old", "new", "place"),
    [
        # shares of 0.6 + 0.43 = 1.03: over the tolerance
        ("supplies", "chip,,0.4,", "chip,,0.43,", ("share-sum", "supplies.csv", 2, "share")),
        ("supplies", "chip,,0.4,,,revenue", "chip,,0.4,,,units", ("weight-basis", "supplies.csv", 2, "basis")),
        ("supplies", "0.6,900,EUR", "0.6,900,", ("currency", "supplies.csv", 2, "currency")),
        ("items", "unit,,,tool,,", "unit,,,tools,,", ("cycle", "items.csv", 5, "aggregate_of")),
        ("items", "280429", "2804.29", ("hs6", "items.csv", 3, "hs6")),
        ("items", "US:3A090.a", "US:3A090.a;none", ("none-mixed", "items.csv", 2, "control_codes")),
        ("items", "2025,estimate,none", "2025,reported,none", ("quality-honest", "items.csv", 5, "quality")),
        ("items", "2025,estimate,none", "2025,derived,unverified", ("quality-honest", "items.csv", 5, "quality")),
        (
            "requirements",
            "chip.gas,chip,gas",
            "chip.gas,gas,gas",
            ("self-requirement", "requirements.csv", 2, "requires"),
        ),
        (
            "requirements",
            "chip.tool,chip,tool,capital",
            "chip.tool,chip,gas,consumable",
            ("relation-twice", "requirements.csv", 3, "requires"),
        ),
        ("plants", "p1,me,IND,tool", "p1,me,DEU,tool", ("plant-place", "plants.csv", 3, "site")),
        ("plants", "1000,m3", "1000,kg", ("unit", "plants.csv", 2, "unit")),
        ("organisations", "NLD,,,s1", "NLD,bolt,,s1", ("cycle", "organisations.csv", 2, "parent")),
    ],
)
def test_a_broken_fact_is_refused_where_it_stands(
    edited: Edit, table: str, old: str, new: str, place: tuple[str, str, int | None, str]
) -> None:
    assert places(refused(edited(table, (old, new)))) == {place}


@pytest.mark.parametrize(
    ("table", "old", "new", "code"),
    [
        ("supplies", "chip,,0.4,", "chip,,0.42,", "share-sum"),
        ("supplies", "gas,DEU,0.7", "gas,DEU,", "share-blank"),
        ("supplies", "volume,true", "volume,false", "weight-missing"),
        ("requirements", "important,15", "important,", "lifetime-missing"),
        ("items", "unit,,,tool,,", "unit,,,,,", "orphan"),
    ],
)
def test_an_odd_fact_is_a_warning(edited: Edit, table: str, old: str, new: str, code: str) -> None:
    package = read_package(edited(table, (old, new)))
    assert [problem.code for problem in package.warnings] == [code]
    assert package.warnings[0].file == f"{table}.csv"


def test_the_sum_and_the_group_are_named(edited: Edit) -> None:
    problems = refused(edited("supplies", ("chip,,0.4,", "chip,,0.5,")))
    assert problems[0].value == "chip: 1.1"


def test_unverified_sources_may_carry_estimates_and_assumptions(edited: Edit) -> None:
    assert read_package(edited("items", ("2025,estimate,none", "2025,assumption,unverified")), strict=True)


def test_a_longer_circle_is_named_whole(edited: Edit, small: Path) -> None:
    extra = "tools-a,A,1,x,unit,,,tools-b,,,estimate,none,\ntools-b,B,1,x,unit,,,tools-a;tool,,,estimate,none,\n"
    (small / "items.csv").write_text(TABLES["items"] + extra, encoding="utf-8")
    problems = refused(small)
    assert [problem.code for problem in problems] == ["cycle"]
    assert set(problems[0].value.split(" -> ")) == {"tools-a", "tools-b"}
    assert "rows 6, 7" in problems[0].cure


def test_a_lane_has_one_end_and_parts_sum_to_one(small: Path) -> None:
    lanes = (
        "lane,from_supply,to_supply,to_plant,share,source\n"
        "l1,gas.bolt,chip.acme,,0.7,s1\n"
        "l2,gas.bolt,chip.acme,,0.6,s1\n"
        "l3,gas.bolt,,,0.1,s1\n"
        "l4,gas.bolt,chip.acme,p1,0.1,s1\n"
    )
    descriptor = (
        (small / "datapackage.json")
        .read_text()
        .replace('"resources": [', '"resources": [{"name": "lanes", "path": "lanes.csv"}, ')
    )
    (small / "datapackage.json").write_text(descriptor)
    (small / "lanes.csv").write_text(lanes)
    assert places(refused(small)) == {
        ("relation-twice", "lanes.csv", 3, "from_supply"),
        ("share-sum", "lanes.csv", 2, "share"),
        ("lane-end", "lanes.csv", 4, "to_supply"),
        ("lane-end", "lanes.csv", 5, "to_supply"),
    }


def test_capacities_per_month_and_per_year_are_told_apart(tmp_path: Path) -> None:
    rows = [("f1", "wafer", 10, "m3/month"), ("f2", "wafer", 20, "m3/month"), ("f3", "wafer", 90, "m3/year"),
            ("f4", "gas", 1, "t/year")]  # fmt: skip
    lines = [f"{site},acme,{site},NLD,{product},{n},{unit},2025,estimate,s1," for site, product, n, unit in rows]
    header = "site,organisation,name,country,product,capacity,unit,year,quality,source,note"
    folder = write(tmp_path / "sites", TABLES | {"sites": "\n".join([header, *lines, ""])})
    warned = [p for p in read_package(folder).warnings if p.code == "mixed-periods"]
    assert [(p.table, p.row, p.column, p.value) for p in warned] == [("sites", 4, "unit", "m3/year")]


def test_a_share_that_does_not_say_whether_it_weighs_is_told(edited: Callable[..., Path]) -> None:
    package = read_package(edited("supplies", ("0.4,,,revenue,true", "0.4,,,revenue,")))
    assert [(p.code, p.row, p.column) for p in package.warnings] == [("weight-blank", 3, "weight")]
