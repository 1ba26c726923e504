"""Mending: what loses nothing is mended and told; what could be read two ways is left to be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_package import refused

from supplychain.cli import run
from supplychain.errors import Problem, UsageError
from supplychain.facts.faultpage import fault_page
from supplychain.facts.mend import mend, write_mended
from supplychain.facts.package import read_package
from tests.facts.content import content_hash

MENDABLE = [
    ("items", ("item,name,tier", "Item, Name ,TIER")),
    ("supplies", ("chip.acme,acme,chip,NLD,0.6", " Chip.Acme ,acme,chip,Netherlands,60%")),
    ("supplies", ("gas.bolt,bolt,gas,DEU,0.7,,,volume,true", "gas.bolt,bolt,gas,deu,0.7,,,Volume,YES")),
    ("plants", ("p1,me,IND,gas,1000", 'p1,me,IND,gas,"1,000.0"')),
    ("sources", ("s1,Report of the maker,Acme,2025-03-01", "s1,Report of the maker,Acme,2025/3/1")),
    ("supplies", ("reported,s1;s2,\n", "reported, s1 ;s2;,\n")),
]


def test_mends_restore_the_package(small: Path, edited: Callable[..., Path], tmp_path: Path) -> None:
    before = content_hash(read_package(small))
    for table, swap in MENDABLE:
        edited(table, swap)
    assert refused(small)
    mended = mend(small)
    write_mended(mended, tmp_path / "out")
    assert content_hash(read_package(tmp_path / "out", strict=True)) == before
    told = {(row.table, row.row, row.column): (row.before, row.after) for row in mended.mends.itertuples()}
    assert told["supplies", 2, "share"] == ("60%", "0.6")
    assert told["supplies", 2, "supply"] == (" Chip.Acme ", "chip.acme")
    assert told["items", 1, "name"] == (" Name ", "name")
    assert len(told) >= 10


@pytest.mark.parametrize(
    ("table", "swap"),
    [
        ("supplies", ("NLD,0.6", "NLD,60")),  # a percent without its sign
        ("supplies", ("NLD,0.6", 'NLD,"0,6"')),  # a decimal comma, or a thousands separator?
        ("supplies", ("NLD,0.6", "Holland-ish,0.6")),
        ("sources", ("2025-03-01", "03/01/2025")),
        ("supplies", ("chip.acme,acme,chip", "chip.acme,acmee,chip")),
    ],
)
def test_what_is_open_stays_refused(
    edited: Callable[..., Path], tmp_path: Path, table: str, swap: tuple[str, str]
) -> None:
    write_mended(mend(edited(table, swap)), tmp_path / "out")
    assert refused(tmp_path / "out")


def test_ids_that_differ_by_case_are_left_alone(edited: Callable[..., Path]) -> None:
    folder = edited("organisations", ("bolt,Bolt", "ACME,Bolt"))
    assert not (mend(folder).mends["column"] == "organisation").any()


def test_repeated_rows_go_and_unreadable_tables_are_named(small: Path, tmp_path: Path) -> None:
    path = small / "sources.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")
    (small / "events.csv").write_bytes(b"\xff\xfe")
    mended = mend(small)
    assert mended.unread == ("events",)
    assert "the row repeats another: dropped" in set(mended.mends["why"])
    write_mended(mended, tmp_path / "out")
    with pytest.raises(UsageError, match="there already"):
        write_mended(mended, tmp_path / "out")


def test_page_shows_hostile_values_as_text() -> None:
    evil = Problem("x", "<script>a.csv", "t", 3, "c", "<img src=x onerror=1>", "a & b", "javascript:alert(1)")
    page = fault_page("<b>mine</b>", [evil], [])
    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;img src=x onerror=1&gt;" in page
    assert "default-src 'none'" in page
    assert "Refused: 1 errors" in page


def test_command(edited: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = edited("supplies", ("NLD,0.6", "NLD,60%"))
    assert run(["check", str(folder), "--html", str(tmp_path / "page.html")]) == 3
    assert "60%" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert run(["check", str(folder), "--fix", str(tmp_path / "out")]) == 0
    assert "0.6" in capsys.readouterr().out


def test_a_folder_without_a_descriptor_gets_one(small: Path, tmp_path: Path) -> None:
    (small / "datapackage.json").unlink()
    mended = mend(small)
    assert "a package has a descriptor" in set(
        mended.mends["rule"] if "rule" in mended.mends else mended.mends.iloc[:, -1]
    )
    write_mended(mended, tmp_path / "out")
    assert read_package(tmp_path / "out", strict=True).descriptor["supplychain"]["schema"] == "network"
