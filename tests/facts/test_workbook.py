"""Workbooks: what a spreadsheet hides (formulas, errors, merges, hidden rows, bombs) is refused by its cell."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from small_package import refused

from supplychain.errors import Problems
from supplychain.facts import child, folder
from supplychain.facts.child import Job
from supplychain.facts.package import read_package, write_package

Change = Callable[[Any], None]


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read workbooks in this process, by what the child does: test_child.py holds the child itself."""

    def read(jobs: Sequence[Job], problems: Problems) -> list[child.Found]:
        answers = [child._answer(vars(job), job.data) for job in jobs]
        return [child._found(part, problems) for answer in answers for part in child._parts(answer)]

    monkeypatch.setattr(folder, "read_apart", read)


@pytest.fixture
def book(small: Path, tmp_path: Path) -> Path:
    path = tmp_path / "book.xlsx"
    write_package(read_package(small), path)
    return path


def changed(book: Path, change: Change) -> Path:
    """Apply `change` to the workbook as a spreadsheet would."""
    opened = openpyxl.load_workbook(book)
    change(opened)
    opened.save(book)
    return book


def test_a_workbook_edited_in_a_spreadsheet_is_read(book: Path) -> None:
    def change(opened: Any) -> None:
        opened["supplies"]["E2"] = 0.55
        opened["sources"].append(["s9", "Another"])

    tables = read_package(changed(book, change), strict=True).tables
    supplies = tables["supplies"].set_index("supply")
    assert supplies.columns[3] == "share"
    assert supplies["share"]["chip.acme"] == 0.55
    assert tables["sources"]["source"].tolist() == ["s1", "s2", "s9"]


def test_a_formula_without_a_stored_value_is_refused_by_its_cell(book: Path) -> None:
    problems = refused(changed(book, lambda opened: opened["supplies"].__setitem__("E3", "=1-E2")))
    assert [(p.code, p.file, p.row) for p in problems] == [("formula", "book.xlsx!supplies!E3", 3)]


def test_an_error_cell_is_refused_by_its_cell(book: Path) -> None:
    problems = refused(changed(book, lambda opened: opened["supplies"].__setitem__("E3", "#DIV/0!")))
    assert [(p.code, p.file, p.column) for p in problems] == [("error-cell", "book.xlsx!supplies!E3", "share")]


def test_merged_cells_and_hidden_rows_are_refused(book: Path) -> None:
    def change(opened: Any) -> None:
        opened["supplies"].merge_cells("B1:C1")
        opened["items"].row_dimensions[3].hidden = True

    found = {(p.code, p.file) for p in refused(changed(book, change))}
    assert ("merged", "book.xlsx!supplies!B1") in found
    assert ("hidden-row", "book.xlsx!items!A3") in found


def test_cells_beside_the_header_are_refused(book: Path) -> None:
    problems = refused(changed(book, lambda opened: opened["organisations"].__setitem__("Z2", "remark")))
    assert [(p.code, p.row) for p in problems] == [("ragged", 2)]


@pytest.mark.parametrize("mac", [False, True])
def test_days_of_both_calendars_are_read_as_days(book: Path, mac: bool) -> None:
    def change(opened: Any) -> None:
        if mac:
            opened.epoch = CALENDAR_MAC_1904
        opened["events"]["B2"] = datetime(2022, 2, 24)

    events = read_package(changed(book, change)).tables["events"]
    assert events["date"].dt.strftime("%Y-%m-%d").tolist() == ["2022-02-24"]


def test_unknown_sheets_are_warned_of(book: Path) -> None:
    package = read_package(changed(book, lambda opened: opened.create_sheet("prices").append(["a", "b"])))
    assert [(p.code, p.table) for p in package.warnings] == [("stray-file", "prices")]


def test_a_password_is_named(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1000)
    problems = refused(path)
    assert [p.code for p in problems] == ["file-kind"]
    assert "password" in problems[0].cure


def test_noise_and_cut_files_are_refused(book: Path) -> None:
    data = book.read_bytes()
    for bad in (b"noise", b"PK\x03\x04", data[: len(data) // 2], data[:-30]):
        book.write_bytes(bad)
        assert [p.code for p in refused(book)] == ["damaged"]


def rewritten(book: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    out = io.BytesIO()
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry.filename, change(content) if entry.filename == part else content)
    book.write_bytes(out.getvalue())
    return book


def test_bombs_are_refused_unopened(book: Path) -> None:
    part = "xl/worksheets/sheet2.xml"
    problems = refused(rewritten(book, part, lambda content: content + b" " * 30_000_000))
    assert [p.code for p in problems] == ["bomb"]


def test_outside_entities_are_refused(book: Path) -> None:
    declared = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'

    def change(content: bytes) -> bytes:
        return re.sub(rb"<worksheet", declared + b"<worksheet", content, count=1)

    assert [p.code for p in refused(rewritten(book, "xl/worksheets/sheet2.xml", change))] == ["entity"]


def test_two_sheets_of_one_table_are_refused(book: Path) -> None:
    def change(opened: Any) -> None:
        opened.create_sheet("items ").append(["item", "name"])

    (problem,) = refused(changed(book, change))
    assert (problem.code, problem.file) == ("table-twice", "book.xlsx!items ")


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_table_and_a_hidden_column_are_refused(book: Path, state: str) -> None:
    def change(opened: Any) -> None:
        opened["supplies"].sheet_state = state
        opened["items"].column_dimensions["C"].hidden = True
        opened.create_sheet("lists").sheet_state = state
        opened["lists"].append(["a", "b"])

    found = {(problem.code, problem.file) for problem in refused(changed(book, change))}
    assert found == {("hidden-sheet", "book.xlsx!supplies"), ("hidden-column", "book.xlsx!items!C1")}


def test_a_sheet_whose_part_is_gone_is_not_passed_over(book: Path) -> None:
    opened = openpyxl.load_workbook(book)
    gone = f"xl/worksheets/sheet{opened.sheetnames.index('plants') + 1}.xml"
    with zipfile.ZipFile(book) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist() if entry.filename != gone}
    with zipfile.ZipFile(book, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert [(problem.code, problem.file) for problem in refused(book)] == [("damaged", "book.xlsx!plants")]
