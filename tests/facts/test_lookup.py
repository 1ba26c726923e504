"""Looking things up: ids before names, states by exact names only, and everything that refers to the thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from supplychain.errors import UsageError
from supplychain.facts.lookup import Hit, describe, find
from supplychain.facts.package import Package, read_package


@pytest.fixture
def packages(small: Path) -> list[Package]:
    return [read_package(small)]


@pytest.mark.parametrize(
    ("word", "hit"),
    [
        ("gas", Hit("items", "gas", "Neon gas")),
        ("neon  GAS", Hit("items", "gas", "Neon gas")),
        ("acme", Hit("organisations", "acme", "Acme")),
        ("chip.acme", Hit("supplies", "chip.acme", "chip.acme")),
        ("s2", Hit("sources", "s2", "Older report")),
        ("IND", Hit("states", "IND", "India")),
        ("Republic of Korea", Hit("states", "KOR", "South Korea")),
        ("nld", Hit("states", "NLD", "Netherlands")),
    ],
)
def test_ids_and_exact_names(packages: list[Package], word: str, hit: Hit) -> None:
    assert find(packages, word) == (hit,)


def test_what_several_things_are_called_gives_all_of_them(small: Path) -> None:
    path = small / "organisations.csv"
    path.write_text(path.read_text(encoding="utf-8") + "gas,Gas Ltd,DEU,,,s1,\n", encoding="utf-8")
    packages = [read_package(small)]
    assert [hit.table for hit in find(packages, "gas")] == ["items", "organisations"]
    assert [hit.name for hit in find(packages, "gas", "organisations")] == ["Gas Ltd"]


@pytest.mark.parametrize(
    ("word", "hint"), [("acmee", "acme"), ("Neon", "part of gas"), ("zzzzzzzz", "nothing is called")]
)
def test_an_unknown_name_is_a_usage_error_with_the_nearest(packages: list[Package], word: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        find(packages, word)


def test_an_item_with_all_that_refers_to_it(packages: list[Package]) -> None:
    entry = describe(packages, Hit("items", "tool", "Tool"))
    assert entry.record["tier"] == 1
    assert str(entry.record["year"]) == "2025"
    found = {(part.table, part.by): len(part.rows) for part in entry.related}
    assert found == {
        ("items", "aggregate_of"): 1,
        ("supplies", "item"): 1,
        ("requirements", "requires"): 1,
        ("plants", "item"): 1,
    }
    assert entry.sources["source"].tolist() == ["s1", "s2"]
    assert entry.sources["title"].tolist() == ["Report of the maker", "Older report"]


def test_lists_are_searched_by_whole_members(packages: list[Package]) -> None:
    assert [part.table for part in describe(packages, Hit("items", "gas", "")).related if part.by == "items"] == [
        "events"
    ]
    assert describe(packages, Hit("items", "ga", "")).related == ()


def test_a_state_with_what_it_hosts(packages: list[Package]) -> None:
    entry = describe(packages, Hit("states", "NLD", ""))
    assert entry.record["name"] == "Netherlands"
    assert {(part.table, part.by, len(part.rows)) for part in entry.related} == {
        ("organisations", "jurisdiction", 1),
        ("organisations", "parent_jurisdiction", 1),
        ("supplies", "site", 2),
    }


def test_a_source_with_every_row_that_cites_it(packages: list[Package]) -> None:
    tables = {part.table for part in describe(packages, Hit("sources", "s2", "")).related}
    assert tables == {"items", "supplies"}


def test_a_table_that_is_none_is_told_with_the_nearest(packages: list[Package]) -> None:
    with pytest.raises(UsageError, match="'items'"):
        find(packages, "gas", "item")
    with pytest.raises(UsageError, match="items, organisations"):
        find(packages, "gas", "zzzzzz")
