"""`init`: the template passes the strict check, says the same as workbook and folder, and every analysis runs on it."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from supplychain.case import Case
from supplychain.cli import run
from supplychain.errors import UsageError
from supplychain.exchange.template import start
from supplychain.facts.package import read_package
from supplychain.facts.schema import schema
from tests.facts.content import content_hash


def test_folder_and_workbook_say_the_same_and_pass_strictly(tmp_path: Path) -> None:
    folder, book = start(tmp_path / "mine"), start(tmp_path / "mine.xlsx")
    assert content_hash(folder) == content_hash(book)
    for path in (folder.path, book.path):
        assert read_package(path, strict=True).warnings == ()
    page = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    for table in schema("network").tables:
        for column in table.columns:
            assert f"| {column.name}" in page, (table.name, column.name)


def test_workbook_explains_and_offers_lists(tmp_path: Path) -> None:
    start(tmp_path / "mine.xlsx")
    first = (tmp_path / "mine.xlsx").read_bytes()
    start(tmp_path / "mine.xlsx", overwrite=True)
    assert (tmp_path / "mine.xlsx").read_bytes() == first
    book = openpyxl.load_workbook(tmp_path / "mine.xlsx")
    assert book.sheetnames[1:] == list(schema("network").names)
    for table in schema("network").tables:
        sheet = book[table.name]
        for number, column in enumerate(table.columns, start=1):
            cell = sheet.cell(1, number)
            assert cell.value == column.name
            assert column.description in (cell.comment.text if cell.comment else "")
        chosen = {
            str(rule.sqref).split(":")[0].rstrip("0123456789"): rule for rule in sheet.data_validations.dataValidation
        }
        for number, column in enumerate(table.columns, start=1):
            letter = openpyxl.utils.get_column_letter(number)
            if column.type in ("boolean", "country") or (column.type == "text" and column.values):
                assert chosen[letter].type == "list", (table.name, column.name)
            if column.maximum == 1:
                assert (chosen[letter].formula1, chosen[letter].formula2) == ("0", "1")


def test_every_list_of_the_workbook_holds_what_the_schema_allows(tmp_path: Path) -> None:
    start(tmp_path / "mine.xlsx")
    book = openpyxl.load_workbook(tmp_path / "mine.xlsx")
    roles = next(
        rule
        for rule in book["requirements"].data_validations.dataValidation
        if str(rule.sqref).startswith("D")  # role
    )
    sheet, cells = str(roles.formula1).replace("$", "").split("!")
    assert [cell.value for (cell,) in book[sheet][cells]] == ["consumable", "capital", "knowledge"]


def test_it_refuses_to_overwrite_and_the_analyses_run(tmp_path: Path) -> None:
    start(tmp_path / "mine")
    with pytest.raises(UsageError, match="there already"):
        start(tmp_path / "mine")
    case = Case.load(network=tmp_path / "mine")
    assert case.illustrative
    table = case.exposure((12,)).table
    leave = table[table["measure"] == "at leave"].iloc[0]
    # Refiners in China hold 0.9 of the gallium, and 0.9 of the substrates are known: 0.81 waits on their leave.
    assert leave["short_run"] == pytest.approx(0.81)
    assert "my-gallium" in str(leave["because"])


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / "a"), "--xlsx"]) == 0
    assert (tmp_path / "a.xlsx").is_file()
    assert run(["check", str(tmp_path / "a.xlsx"), "--strict"]) == 0
    assert run(["init", str(tmp_path / "a.xlsx")]) == 2
    assert "there already" in capsys.readouterr().err
