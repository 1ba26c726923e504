"""A workbook to fill in: one sheet per table, a comment on every column, a list to choose from wherever one exists."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from supplychain.facts.countries import countries
from supplychain.facts.package import Package
from supplychain.facts.schema import NUMERIC, Column, Table, schema
from supplychain.facts.workbook import DESCRIPTOR_SHEET, sealed
from supplychain.facts.write import table_text
from supplychain.files import check_free, make_folder, replace_file

ROWS = 2_000  # rows of each sheet that have lists and formats
_LISTS_AT = 26  # column of the descriptor sheet (Z) from which the lists to choose from stand; nothing reads them
_MUST = PatternFill("solid", fgColor="FFE2C8")
_MAY = PatternFill("solid", fgColor="E7EDF3")


def write_form(package: Package, path: Path, *, overwrite: bool = False) -> None:
    """Write every table of the package's schema, empty ones too, as a workbook at `path`; the same content gives the
    same bytes. Orange headers must be filled, the others may be. Raises UsageError when the file is there already."""
    check_free(path, overwrite)
    book = openpyxl.Workbook()
    about = book.worksheets[0]
    about.title = DESCRIPTOR_SHEET
    own = {**package.descriptor.get("supplychain", {}), "schema": package.schema}
    described = {key: value for key, value in package.descriptor.items() if key != "resources"}
    about.append(["key", "value"])
    for key, value in {**described, "supplychain": own}.items():
        about.append([key, json.dumps(value, ensure_ascii=False)])
    about.column_dimensions["A"].width, about.column_dimensions["B"].width = 18, 90
    lists = _Lists(about)
    for table in schema(package.schema).tables:
        _sheet(book.create_sheet(table.name), package, table, lists)
    book.active = 1
    buffer = io.BytesIO()
    book.save(buffer)
    make_folder(path.parent)
    replace_file(path, sealed(buffer.getvalue()))


class _Lists:
    """Lists to choose from, each in a column of the descriptor sheet (a list in a cell may have 255 characters)."""

    def __init__(self, sheet: Worksheet) -> None:
        self._sheet = sheet
        self._known: dict[tuple[str, ...], str] = {}

    def formula(self, values: tuple[str, ...]) -> str:
        if values not in self._known:
            column = _LISTS_AT + len(self._known)
            for row, value in enumerate(values, start=1):
                self._sheet.cell(row, column, value)
            letter = get_column_letter(column)
            self._known[values] = f"{DESCRIPTOR_SHEET}!${letter}$1:${letter}${len(values)}"
        return self._known[values]


def _sheet(sheet: Worksheet, package: Package, table: Table, lists: _Lists) -> None:
    header, records = table_text(package.tables[table.name], table)
    known = {column.name: column for column in table.columns}
    sheet.append(header)
    for record in records:
        sheet.append([_value(text, known.get(name)) for name, text in zip(header, record, strict=True)])
    sheet.freeze_panes = "B2"
    for number, name in enumerate(header, start=1):
        column = known[name]
        head, letter = sheet.cell(1, number), get_column_letter(number)
        head.font = Font(bold=True)
        head.fill = _MUST if column.present else _MAY
        head.alignment = Alignment(vertical="top")
        head.comment = Comment(_comment(column), "supplychain", width=320, height=140)
        sheet.column_dimensions[letter].width = min(40, max(12, len(name) + 4))
        cells = f"{letter}2:{letter}{ROWS}"
        if column.type not in NUMERIC:  # text, so that 1E5, 007 or 2024-09 stay what was typed
            for row in range(2, len(records) + 30):
                sheet.cell(row, number).number_format = "@"
        rule = _choice(column, lists)
        if rule is not None:
            sheet.add_data_validation(rule)
            rule.add(cells)


def _value(text: str, column: Column | None) -> Any:
    return (float(text) if column is not None and column.type in NUMERIC else text) if text else None


def _comment(column: Column) -> str:
    from supplychain.exchange.template import values_of

    lines = [column.description or column.name, f"Holds: {values_of(column)}"]
    if column.type in NUMERIC:
        lines.append(f"From {column.minimum:g} to {column.maximum:g}" if column.maximum < 1e15 else "A plain number")
    lines.append("Must be filled" if column.filled else "Blank = unknown")
    if column.example:
        lines.append(f"Example: {column.example}")
    return "\n".join(lines)


def _choice(column: Column, lists: _Lists) -> DataValidation | None:
    """Return the list of allowed cells, or the bounds of a number; several ids in one cell cannot be chosen from."""
    if column.type == "boolean":
        source = '"true,false"'
    elif column.type == "country":
        source = lists.formula(tuple(countries()))
    elif column.type == "text" and column.values and not column.references:
        source = lists.formula(column.values)
    elif column.type == "id" and column.references:
        table, name = column.references.split(".")
        letter = get_column_letter(schema("network")[table].names.index(name) + 1)
        source = f"{table}!${letter}$2:${letter}${ROWS}"
    elif column.type in NUMERIC and column.maximum < 1e15:
        bounds = DataValidation("decimal", f"{column.minimum:g}", f"{column.maximum:g}", allow_blank=True)
        bounds.operator = "between"
        bounds.error = f"{column.name} runs from {column.minimum:g} to {column.maximum:g}"
        return bounds
    else:
        return None
    rule = DataValidation("list", source, allow_blank=True)
    # A warning, not a stop: values are checked by `supplychain check`, and pasting would get round a stop anyway.
    rule.errorStyle, rule.showErrorMessage, rule.showInputMessage = "warning", True, True
    rule.error = f"{column.name} is chosen from the list; {column.description}"[:250]
    return rule
