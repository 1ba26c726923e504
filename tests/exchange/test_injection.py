"""Hostile text in a package stays text in whatever leaves: CSV, XLSX, GraphML, GEXF, GeoJSON, JSON, the terminal."""

from __future__ import annotations

import csv
import json
import unicodedata
from pathlib import Path
from xml.etree.ElementTree import fromstring

import openpyxl
import pytest

from supplychain.cli import run
from supplychain.facts.package import read_package, write_package
from tests.facts.faultmodel import Sheet
from tests.facts.faultseeds import own_seed

HOSTILE = (
    "=HYPERLINK(\"http://x\",\"y\")", "+1+1", "-2+3", "@SUM(A1)", "＝1+1", "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>", "{{7*7}}", "%s%n", "../../x", "/tmp/x", "CON:", "javascript:alert(1)",
    "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;", "a\x1b[31mred\x1b[0m", "bell\x07\x9b31m",
    "[bold]x[/bold]",
    "\u202eevil", "x" * 40_000,
)  # fmt: skip
STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that fills every column, with hostile text in every free one."""
    folder = tmp_path_factory.mktemp("hostile") / "own"
    seed = own_seed(folder)
    turn = 0
    for table in seed.tables:
        sheet = seed.sheet(table)
        changed = Sheet(sheet.header, [list(row) for row in sheet.rows])
        for at, name in enumerate(sheet.header):
            column = seed.columns[table][name]
            free = column.type == "text" and not column.values and not column.references and name != "unit"
            for row in changed.rows if free or column.type == "url" else ():
                row[at] = (
                    HOSTILE[turn % len(HOSTILE)] if len(HOSTILE) - 1 != turn % len(HOSTILE) or name == "note" else "+"
                )
                turn += 1
        (folder / f"{table}.csv").write_bytes(changed.csv())
    return folder


def unprintable(text: str) -> set[str]:
    return {c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf")}


def test_every_text_comes_back_as_it_was(hostile: Path, tmp_path: Path) -> None:
    package = read_package(hostile)
    write_package(package, tmp_path / "again")
    again = read_package(tmp_path / "again")
    for table, frame in package.tables.items():
        for name in frame.columns:
            assert frame[name].astype(str).tolist() == again.tables[table][name].astype(str).tolist(), (table, name)


def test_no_cell_of_a_written_csv_can_run(hostile: Path, tmp_path: Path) -> None:
    write_package(read_package(hostile), tmp_path / "again")
    texts = list((tmp_path / "again").glob("*.csv"))
    assert len(texts) > 10
    for path in texts:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                assert not [cell for cell in row if cell.startswith(STARTS) and not _number(cell)], path.name


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_no_cell_of_a_written_workbook_is_a_formula(hostile: Path, tmp_path: Path) -> None:
    package = read_package(hostile)
    for frame in package.tables.values():  # Excel holds 32,767 characters
        for name in frame.select_dtypes("str").columns:
            frame[name] = frame[name].str.slice(0, 1_000)
    write_package(package, tmp_path / "book.xlsx")
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    assert not any(cell.hyperlink for sheet in book for row in sheet.iter_rows() for cell in row)


@pytest.mark.parametrize("shape", ["graphml", "gexf"])
def test_graphs_stay_well_formed(hostile: Path, tmp_path: Path, shape: str) -> None:
    dest = tmp_path / f"net.{shape}"
    assert run(["export", shape, str(dest), "--network", str(hostile)]) == 0
    root = fromstring(dest.read_bytes())
    assert len(list(root.iter())) > 20
    assert "script" not in {element.tag.rpartition("}")[2] for element in root.iter()}


def test_geojson_is_json_and_its_texts_are_the_package_s(hostile: Path, tmp_path: Path) -> None:
    dest = tmp_path / "sites.geojson"
    assert run(["export", "geojson", str(dest), "--network", str(hostile)]) == 0
    found = json.loads(dest.read_text(encoding="utf-8"))
    assert len(found["features"]) > 3
    assert not unprintable(dest.read_text(encoding="utf-8"))


def test_nothing_steers_the_terminal(hostile: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(hostile)]) == 0
    for name in ("chip", "acme", "chip.acme"):
        assert run(["show", name, "--network", str(hostile)]) in (0, 2)
    assert run(["show", "chip", "--table", "items", "--network", str(hostile)]) == 0
    said = capsys.readouterr()
    assert not unprintable(said.out + said.err)
    assert "\\x1b[31m" in said.out


def test_a_refusal_shows_hostile_text_escaped(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in hostile.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    text = (copy / "organisations.csv").read_text(encoding="utf-8")
    (copy / "organisations.csv").write_text(
        text.replace("\nacme,", "\n<b>\x1b[31m</b>,", 1), encoding="utf-8", newline=""
    )
    assert run(["check", str(copy), "--html", str(tmp_path / "faults.html")]) == 3
    assert not unprintable(capsys.readouterr().err)
    page = (tmp_path / "faults.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert not unprintable(page)
