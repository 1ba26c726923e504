"""Excel workbooks (.xlsx), one sheet per table, as text cells; what a spreadsheet hides is a problem with its cell."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from html import unescape
from typing import Any

import numpy as np
import pyarrow as pa

from supplychain.errors import Problems, UsageError
from supplychain.facts.raw import MAX_INFLATED, SHOWN, RawTable, check_header, guard, unguard
from supplychain.facts.schema import table_names

DESCRIPTOR_SHEET = "datapackage"  # two columns: key, value (as JSON)
_MAX_INFLATION = 100
_EXCEL_CELL = 32_767  # characters; openpyxl cuts longer text without a word
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*ref="([A-Z]+[0-9]+):[A-Z]+[0-9]+"')
_COLUMN = re.compile(rb'<(?:\w+:)?col\s(?=[^>]*\bhidden="(?:1|true)")[^>]*?\bmin="([0-9]+)"')
_SHEET = re.compile(rb'<(?:\w+:)?sheet\s[^>]*?\bname="([^"]*)"')
_HIDDEN = re.compile(rb'<(?:\w+:)?row\s(?=[^>]*\bhidden="(?:1|true)")[^>]*?\br="([0-9]+)"')
# Office Open XML writes what XML cannot hold as _xHHHH_, and an underscore that would look like it likewise.
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def read_workbook(
    data: bytes, file: str, problems: Problems
) -> tuple[dict[str, Any], dict[str, RawTable], frozenset[str]]:
    """Return the descriptor, the tables by sheet name, and the names of the sheets that were refused."""
    import openpyxl

    if not _opens(data, file, problems):
        return {}, {}, frozenset()
    try:
        # Twice: once for the values, once to see which cells are formulas (a formula may have no stored value).
        values = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        formulas = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=False)
        descriptor: dict[str, Any] = {}
        tables: dict[str, RawTable] = {}
        failed: set[str] = set()
        seen: set[str] = set()
        _all_there(data, values.sheetnames, file, problems)
        for title in values.sheetnames:
            sheet = values[title]
            if not hasattr(sheet, "iter_rows"):
                continue  # a chart
            name = title.strip().lower()
            if name in seen:
                rule, cure = "a table stands in one sheet", "delete or rename one of the two"
                problems.add("table-twice", rule, cure, file=f"{file}!{title}", table=name)
                continue
            seen.add(name)
            if name == DESCRIPTOR_SHEET:
                descriptor = _descriptor(sheet, file, problems)
                continue
            raw = _sheet(sheet, formulas[title], name, title, file, problems)
            hidden = _hidden_structure(data, sheet, name, title, file, problems)
            if raw is None or hidden:
                failed.add(name)
            else:
                tables[name] = raw
        return descriptor, tables, frozenset(failed)
    except Exception as error:  # openpyxl raises KeyError, ValueError, TypeError, ParseError... on damaged parts
        detail = f"{type(error).__name__}: {error}"
        problems.add(
            "damaged", "an .xlsx workbook is whole", "save it again from the spreadsheet", file=file, value=detail
        )
        return {}, {}, frozenset()


def _all_there(data: bytes, titles: list[str], file: str, problems: Problems) -> None:
    """Report sheets that the workbook names and whose part is gone: they would be passed over without a word."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        named = [unescape(match.decode()) for match in _SHEET.findall(archive.read("xl/workbook.xml"))]
    for title in sorted(set(named) - set(titles)):
        rule, cure = "every sheet of a workbook is there", "save it again from the spreadsheet"
        problems.add("damaged", rule, cure, file=f"{file}!{title}", table=title.strip().lower())


def workbook_grid(data: bytes, file: str, problems: Problems) -> list[tuple[int, list[str]]]:
    """Return the rows of the first sheet as text with their numbers, whatever the header; [] after a problem."""
    import openpyxl

    if not _opens(data, file, problems):
        return []
    try:
        sheet = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets[0]
        sheet.reset_dimensions()
        rows = [
            (at, [_text(value) for value in row]) for at, row in enumerate(sheet.iter_rows(values_only=True), start=1)
        ]
    except Exception as error:  # as in read_workbook
        detail = f"{type(error).__name__}: {error}"
        problems.add("damaged", "an .xlsx workbook is whole", "save it again", file=file, value=detail)
        return []
    return [(at, unguard(pa.array(row, pa.string())).to_pylist()) for at, row in rows if any(row)]


def _opens(data: bytes, file: str, problems: Problems) -> bool:
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        rule = "a workbook is .xlsx without a password"
        problems.add("file-kind", rule, "remove the password, or save it as .xlsx", file=file)
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inflated = sum(entry.file_size for entry in archive.infolist())
            if inflated > min(MAX_INFLATED, _MAX_INFLATION * max(len(data), 10_000)):
                rule = f"a workbook unpacks to at most {_MAX_INFLATION} times its size"
                problems.add("bomb", rule, "save it again from the spreadsheet", file=file, value=f"{inflated:,} bytes")
                return False
            for entry in archive.infolist():
                if entry.filename.endswith((".xml", ".rels")) and b"<!DOCTYPE" in archive.read(entry)[:2000]:
                    rule, cure = "the parts of a workbook declare no document type", "save it again in a spreadsheet"
                    problems.add("entity", rule, cure, file=file, value=entry.filename)
                    return False
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        problems.add(
            "damaged", "an .xlsx workbook is whole", "save it again from the spreadsheet", file=file, value=error
        )
        return False
    return True


def _sheet(sheet: Any, formulas: Any, name: str, title: str, file: str, problems: Problems) -> RawTable | None:
    """Return the cells of one sheet as text."""
    for each in (sheet, formulas):
        each.reset_dimensions()
    place = f"{file}!{title}"
    records: list[list[str]] = []
    numbers: list[int] = []
    header: list[str] = []
    faults = 0
    for number, (row, written) in enumerate(zip(sheet.iter_rows(), formulas.iter_rows(), strict=True), start=1):
        texts: list[str] = []
        for at, (cell, formula) in enumerate(zip(row, written, strict=True)):
            under = header[at] if at < len(header) else ""
            if formula.data_type == "f" and cell.value is None:
                rule, cure = "a formula has a stored value", "open and save it in a spreadsheet, or paste the value"
                faults += _fault("formula", rule, cure, cell, formula.value, place, name, under, faults, problems)
            elif cell.data_type == "e":
                rule, cure = "no cell holds an error", "repair the formula"
                faults += _fault("error-cell", rule, cure, cell, cell.value, place, name, under, faults, problems)
            texts.append(_text(cell.value))
        while texts and not texts[-1]:
            texts.pop()
        if not texts:
            continue
        if not header:
            header = texts
            if not check_header(header, name, place, problems):
                return None
            continue
        if len(texts) > len(header):
            problems.add(
                "ragged",
                "cells stand under a header",
                f"row {number} reaches further right than the header: name the column or clear the cells",
                file=place,
                table=name,
                row=number,
                value=texts[-1],
            )
            faults += 1
        texts += [""] * (len(header) - len(texts))
        records.append(texts[: len(header)])
        numbers.append(number)
    if not header:
        problems.add("file-empty", "a table has a header and rows", "fill or delete the sheet", file=place, table=name)
        return None
    if faults:
        return None
    columns = zip(*records, strict=True) if records else [()] * len(header)
    cells = {
        column: pa.chunked_array([unguard(pa.array(texts, pa.large_string()))])
        for column, texts in zip(header, columns, strict=True)
    }
    return RawTable(name, place, cells, np.array(numbers, dtype=np.int64))


def _fault(
    code: str,
    rule: str,
    cure: str,
    cell: Any,
    value: object,
    place: str,
    name: str,
    column: str,
    faults: int,
    problems: Problems,
) -> int:
    if faults < SHOWN:
        at = f"{place}!{cell.coordinate}"
        problems.add(code, rule, cure, file=at, table=name, row=cell.row, column=column, value=value)
    return 1


def _text(value: object) -> str:
    """Return the text that a CSV would hold for a cell's value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), str(value))


def _hidden_structure(data: bytes, sheet: Any, name: str, title: str, file: str, problems: Problems) -> bool:
    """Report merged cells and what is hidden, which openpyxl does not show when it streams a sheet."""
    from openpyxl.utils import get_column_letter

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        xml = archive.read(sheet._worksheet_path)
    found = False
    for match in list(_MERGED.finditer(xml))[:SHOWN]:
        cell = match[1].decode()
        at = f"{file}!{title}!{cell}"
        problems.add("merged", "no cells are merged", "unmerge them and fill each cell", file=at, table=name)
        found = True
    for match in list(_HIDDEN.finditer(xml))[:SHOWN]:
        row = int(match[1])
        at = f"{file}!{title}!A{row}"
        problems.add("hidden-row", "no rows are hidden", "show or delete it", file=at, table=name, row=row)
        found = True
    for match in list(_COLUMN.finditer(xml))[:SHOWN]:
        at = f"{file}!{title}!{get_column_letter(int(match[1]))}1"
        problems.add("hidden-column", "no columns are hidden", "show or delete it", file=at, table=name, row=1)
        found = True
    if sheet.sheet_state != "visible" and name in table_names():
        rule, cure = "no table is hidden", "show the sheet, or delete it"
        problems.add("hidden-sheet", rule, cure, file=f"{file}!{title}", table=name)
        found = True
    return found


def _descriptor(sheet: Any, file: str, problems: Problems) -> dict[str, Any]:
    from supplychain.facts.folder import parse_descriptor

    rows = sheet.iter_rows(min_row=2, max_row=100, max_col=2, values_only=True)
    parts = [f"{json.dumps(str(row[0]))}: {_text(row[1]) or 'null'}" for row in rows if len(row) == 2 and row[0]]
    return parse_descriptor(("{" + ", ".join(parts) + "}").encode(), f"{file}!{sheet.title}", problems)


def write_workbook(descriptor: Mapping[str, Any], tables: Mapping[str, Mapping[str, pa.Array]]) -> bytes:
    """Return the bytes of a workbook with one sheet per table; the same content gives the same bytes."""
    import openpyxl

    # All cells are made ready first: a book left half-written by an error complains when it is collected.
    sheets = {name: [list(columns), *_records(name, columns)] for name, columns in tables.items()}
    about = [["key", "value"], *([key, json.dumps(value, ensure_ascii=False)] for key, value in descriptor.items())]
    book = openpyxl.Workbook(write_only=True)
    for name, records in {DESCRIPTOR_SHEET: about, **sheets}.items():
        sheet = book.create_sheet(name)
        for record in records:
            sheet.append(record)
    buffer = io.BytesIO()
    book.save(buffer)
    return sealed(buffer.getvalue())


def _records(table: str, columns: Mapping[str, pa.Array]) -> Iterator[list[Any]]:
    cells = [_excel(column, table, header) for header, column in columns.items()]
    return (list(record) for record in zip(*cells, strict=True))


def _excel(column: pa.Array, table: str, header: str) -> list[Any]:
    if not pa.types.is_string(column.type):
        return [value.isoformat() if isinstance(value, date) else value for value in column.to_pylist()]
    texts = [_escape(text) for text in guard(column).to_pylist()]
    longest = max(map(len, texts), default=0)
    if longest > _EXCEL_CELL:
        raise UsageError(f"{table}.{header} has a cell of {longest:,} characters; Excel holds {_EXCEL_CELL:,}")
    return [text or None for text in texts]


def _escape(text: str) -> str:
    return _UNWRITABLE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


def sealed(data: bytes) -> bytes:
    """Return the workbook without the moment of its writing."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2000-01-01T00:00:00Z", content)
            new.writestr(zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()
