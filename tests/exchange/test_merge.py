"""Merging: ids meet, names are only suggested; own suppliers push the market aside; everything is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from supplychain.errors import InputError
from supplychain.exchange.mapping import bundled
from supplychain.exchange.merge import alike, merge
from supplychain.exchange.template import start
from supplychain.facts.package import Package, read_package, write_package


def write(folder: Path, **tables: str) -> Path:
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def base() -> Package:
    return bundled()


SUPPLIES = """\
supply,organisation,item,site,share,basis,weight,quality,source
gallium-6n.own,own-refiner,gallium-6n,JPN,0.6,volume,true,reported,own
"""
ORGANISATIONS = "organisation,name,jurisdiction,source\nown-refiner,DOWA Electronics,JPN,own\nasml,,NLD,own\n"
ITEMS = "item,name,control_codes,source,price_usd\ngallium-6n,Our gallium,,own,999\n"
SOURCES = "source,title\nown,Own contracts\n"


def test_own_suppliers_come_first_and_the_market_stays_behind(base: Package, tmp_path: Path) -> None:
    path = write(tmp_path / "own", supplies=SUPPLIES, organisations=ORGANISATIONS.replace("asml,,", "asml,ASML,"),
                 items=ITEMS, sources=SOURCES)  # fmt: skip
    merged = merge(path, base)
    write_package(merged.package, tmp_path / "out")
    package = read_package(tmp_path / "out")
    supplies = package.tables["supplies"]
    gallium = supplies[supplies["item"] == "gallium-6n"]
    assert gallium.loc[gallium["weight"].astype(bool), "supply"].tolist() == ["gallium-6n.own"]
    assert len(gallium) == 1 + (base.tables["supplies"]["item"] == "gallium-6n").sum()  # kept beside
    item = package.tables["items"].set_index("item").loc["gallium-6n"]
    assert item["price_usd"] == 999
    assert item["name"] == "Our gallium"
    assert item["control_codes"] == "CN:3C001.ga-metal"  # blank in mine: filled from the base
    assert len(package.tables["requirements"]) == len(base.tables["requirements"])
    told = merged.report.set_index(["table", "id"])["outcome"]
    assert told["items", "gallium-6n"] == "matched by id"
    assert told["supplies", "gallium-6n.own"] == "added"
    assert (merged.report["outcome"] == "kept beside").sum() == base.tables["supplies"].query(
        "item == 'gallium-6n' and weight"
    ).shape[0]  # fmt: skip


def test_what_resembles_is_suggested_and_never_joined(base: Package, tmp_path: Path) -> None:
    start(tmp_path / "mine")
    merged = merge(tmp_path / "mine", base)
    close = merged.report[merged.report["outcome"] == "resembles"].set_index("id")["detail"]
    assert "gaas-substrate" in close["my-substrate"]
    items = merged.package.tables["items"].set_index("item")
    assert items.at["my-substrate", "control_codes"] == ""
    assert len(items) == len(base.tables["items"]) + 5
    plants = merged.package.tables["plants"]
    assert plants["plant"].tolist() == ["my-plant"]  # the invented ones gave way


def test_a_reference_to_neither_package_and_a_clash_of_sources_are_refused(base: Package, tmp_path: Path) -> None:
    bad = SUPPLIES.replace("gallium-6n,JPN", "gallium-9n,JPN")
    with pytest.raises(InputError, match="gallium-9n"):
        merge(write(tmp_path / "a", supplies=bad, organisations=ORGANISATIONS.replace("asml,,NLD,own\n", ""),
                    sources=SOURCES), base)  # fmt: skip
    known = base.tables["sources"]["source"].iloc[0]
    clash = f"source,title\nown,Own\n{known},Something else\n"
    with pytest.raises(InputError, match="another id"):
        merge(write(tmp_path / "b", supplies=SUPPLIES, organisations=ORGANISATIONS.replace("asml,,NLD,own\n", ""),
                    sources=clash), base)  # fmt: skip


def test_alike_ranks_and_ignores_word_order() -> None:
    known = [("a", "Dry etch tool"), ("b", "Tool, dry etch"), ("c", "Helium")]
    assert next(name for name, _ in alike("dry-etch tool", known)) == "a"
    assert alike("zzz", known) == []
