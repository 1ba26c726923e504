"""Reads a CSV file strictly: says what a file is when it is not CSV and where it is cut or ragged; converts nothing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv

from supplychain.errors import Problems
from supplychain.facts.raw import MAX_CELL, MAX_ROWS, SHOWN, RawTable, check_header, unguard

_CHUNK = 10_000
_MAGIC = (
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"PK\x03\x04", "a ZIP archive or Excel workbook", "save the sheet as CSV, or give the workbook its .xlsx name"),
    (b"PAR1", "a Parquet file", "give it its .parquet name"),
    (b"\xd0\xcf\x11\xe0", "an old or password-protected Excel workbook", "save the sheet as CSV (UTF-8)"),
    (b"%PDF", "a PDF", "export the table as CSV"),
    (b"version https://git-lfs", "a Git LFS pointer, not the data", "run `git lfs pull`"),
)
# A cell that is quoted as CSV asks; a quote outside of one that opens no cell is stray.
_QUOTED = re.compile(r'(?:(?<=[,\r\n])|\A)"[^"]*(?:""[^"]*)*"(?=[,\r\n]|\Z)')
_MERGE_MARKER = re.compile(r"^(<{7} |>{7} )", re.MULTILINE)


def read_csv(data: bytes, name: str, file: str, problems: Problems) -> RawTable | None:
    """Return the table `name` held by the bytes of `file`, or None after adding what is wrong to `problems`."""
    text = _decode(data, name, file, problems)
    if text is None:
        return None
    quick = _plain(data, text, name, file, problems)
    if quick is not None:
        return quick
    limit = csv.field_size_limit(MAX_CELL)
    try:
        return _records(text, name, file, problems)
    finally:
        csv.field_size_limit(limit)


def csv_grid(data: bytes, file: str, problems: Problems) -> list[tuple[int, list[str]]]:
    """Return the records of a CSV with their row numbers, whatever its header; [] after a problem."""
    text = _decode(data, "", file, problems)
    if text is None:
        return []
    limit = csv.field_size_limit(MAX_CELL)
    try:
        rows = list(enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), start=1))
    except csv.Error as error:
        _broken(str(error), text, "", file, problems)
        return []
    finally:
        csv.field_size_limit(limit)
    found = [(number, unguard(pa.array(record, pa.string())).to_pylist()) for number, record in rows if any(record)]
    if found and len(found[0][1]) == 1 and ";" in found[0][1][0]:
        check_header(found[0][1], "", file, problems)
    return found


def _decode(data: bytes, name: str, file: str, problems: Problems) -> str | None:
    def refuse(code: str, rule: str, cure: str, value: object = "", row: int | None = None) -> None:
        problems.add(code, rule, cure, file=file, table=name, row=row, value=value)

    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        refuse("file-empty", "a table has a header and rows", "the file is empty: write it again or delete it")
        return None
    for magic, kind, cure in _MAGIC:
        if data.startswith(magic):
            refuse("file-kind", f"a .csv file holds comma-separated text; this is {kind}", cure)
            return None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:200].count(b"\0") > len(data[:200]) // 4:
        cure = 'save as "CSV UTF-8", or read it with --encoding utf-16 where the command has that'
        refuse("encoding", "text is UTF-8; this is UTF-16 or binary", cure, row=1)
        return None
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        refuse("nul", "text holds no NUL byte", "the file is damaged or binary: export it again", row=line)
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        refuse(
            "encoding",
            "text is UTF-8",
            f"byte 0x{data[error.start]:02x} at line {line} (byte {error.start + 1:,} of the file) is not: save as "
            f'"CSV UTF-8", or read it with --encoding {_likely(data)} where the command has that',
            row=line,
        )
        return None
    start = text[:2000].lstrip().lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<head")):
        refuse("file-kind", "a .csv file holds comma-separated text; this is a web page", "was it a login page?")
        return None
    if ("<" * 7 in text or ">" * 7 in text) and (marker := _MERGE_MARKER.search(text)):
        line = text.count("\n", 0, marker.start()) + 1
        refuse("merge-marker", "no unresolved merge is left in a table", "resolve the merge", marker.group(), line)
        return None
    if '"' in text:
        stray, row = _stray_quote(text)
        if stray >= 0 and _comma_separated(text, name, file, problems):
            value = text[max(stray - 20, 0) : stray].rpartition("\n")[2] + text[stray : stray + 20].partition("\n")[0]
            refuse("quote", 'a " inside a cell is doubled and the cell quoted', "quote the cell", value, row)
        if stray >= 0:
            return None
    _check_end(text, name, file, problems)
    return text


def _stray_quote(text: str) -> tuple[int, int]:
    """Return where the first quote stands that neither opens a cell nor belongs to a quoted one, and its row; or -1."""
    start, row = 0, 1
    for quoted in _QUOTED.finditer(text):
        if (found := _unopened(text, start, quoted.start())) >= 0:
            return found, row + text.count("\n", start, found)
        row += text.count("\n", start, quoted.start())
        start = quoted.end()
    found = _unopened(text, start, len(text))
    return found, row + text.count("\n", start, max(found, start))


def _unopened(text: str, start: int, end: int) -> int:
    at = text.find('"', start, end)
    while at >= 0 and (at == 0 or text[at - 1] in ",\r\n"):  # opens a cell that the reader will find never closed
        at = text.find('"', at + 1, end)
    return at


def _comma_separated(text: str, name: str, file: str, problems: Problems) -> bool:
    """Is the first line, taken by itself, a header of several columns? Quotes mean little in a file of another kind."""
    header = text[: text.find("\n") + 1 or len(text)].strip("\r\n")
    return "," in header or check_header([header], name, file, problems)


def _check_end(text: str, name: str, file: str, problems: Problems) -> None:
    """A last line without its end may be all that is left of a longer one: refused, unless its last cell is blank or
    closed by a quote, when it can hardly have been cut there."""
    if text.endswith(("\n", "\r")):
        return
    row = text.count("\n") + 1
    rule, cure = "the last record ends its line", "the file may have been cut: compare its end with the original"
    if text.endswith((",", '"')):
        problems.warn("unended", rule, cure, file=file, table=name, row=row)
    else:
        value = text[-40:].splitlines()[-1]
        cure += "; if it is whole, end its last line"
        problems.add("unended", rule, cure, file=file, table=name, row=row, value=value)


def _likely(data: bytes) -> str:
    """Return the encoding that text which is not UTF-8 probably has: GBK when all of it is well-formed and Chinese."""
    sample = data[:1_000_000]
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    try:
        text = sample.decode("gb18030")
    except UnicodeDecodeError:
        return "cp1252"
    other = [character for character in text if not character.isascii()]
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in other)
    return "gbk" if other and chinese > len(other) / 2 and _pairs(sample) else "cp1252"


def _pairs(data: bytes) -> bool:
    """Do most bytes above 127 stand beside another one, as those of Chinese characters do and accented letters not?"""
    runs = re.findall(rb"[\x80-\xff]+", data)
    return 4 * sum(len(run) for run in runs if len(run) > 1) > 3 * sum(map(len, runs))


def _plain(data: bytes, text: str, name: str, file: str, problems: Problems) -> RawTable | None:
    """Return the table of a file without quotes, blank lines or ragged records; None for all others.

    Without quotes there is only one way to read a CSV, and Arrow reads it five times as fast.
    """
    if '"' in text or "\r" in text or "\n\n" in text or text.startswith("\n") or "\n" not in text:
        return None
    header = text[: text.index("\n")].split(",")
    if not check_header(header, name, file, Problems()):
        return None
    try:
        table = pcsv.read_csv(
            pa.BufferReader(data.removeprefix(b"\xef\xbb\xbf")),
            pcsv.ReadOptions(column_names=header, skip_rows=1, block_size=MAX_CELL),
            pcsv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            pcsv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.large_string()), strings_can_be_null=False, check_utf8=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    if not 0 < len(table) <= MAX_ROWS:
        return None
    cells = {column: table[column] for column in header}
    if "'" in text:
        cells = {column: unguard(texts) for column, texts in cells.items()}
    return RawTable(name, file, cells, np.arange(2, len(table) + 2, dtype=np.int64))


def _records(text: str, name: str, file: str, problems: Problems) -> RawTable | None:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader)
        while not header:
            header = next(reader)
    except StopIteration:
        problems.add("file-empty", "a table has a header and rows", "write a header", file=file, table=name)
        return None
    except csv.Error as error:
        _broken(str(error), text, name, file, problems)
        return None
    if not check_header(header, name, file, problems):
        return None
    width = len(header)
    chunks: list[list[pa.Array]] = []
    numbers: list[np.ndarray] = []
    row = 1
    ragged = 0
    guarded = "'" in text
    try:
        for records in _chunks(reader):
            lengths = np.fromiter(map(len, records), dtype=np.int64, count=len(records))
            at = np.arange(row + 1, row + 1 + len(records))
            row += len(records)
            if row > MAX_ROWS:
                problems.add("too-long", f"a table has at most {MAX_ROWS:,} rows", file=file, table=name)
                return None
            wrong = np.flatnonzero((lengths != width) & (lengths != 0))
            for index in wrong[: max(0, SHOWN - ragged)]:
                problems.add(
                    "ragged",
                    f"every record has {width} cells, as the header",
                    f"this one has {lengths[index]}: quote cells that hold commas, or fill the record",
                    file=file,
                    table=name,
                    row=int(at[index]),
                    value=",".join(records[index]),
                )
            ragged += len(wrong)
            if (lengths != width).any():
                keep = lengths == width
                records = [record for record, good in zip(records, keep, strict=True) if good]
                at = at[keep]
            if records:
                columns = [pa.array(column, pa.large_string()) for column in zip(*records, strict=True)]
                chunks.append([unguard(column) for column in columns] if guarded else columns)
                numbers.append(at)
    except csv.Error as error:
        _broken(str(error), text, name, file, problems)
        return None
    if ragged > SHOWN:
        problems.add("ragged", f"{ragged - SHOWN:,} more records have the wrong number of cells", file=file, table=name)
    cells = {
        column: pa.chunked_array([chunk[i] for chunk in chunks], type=pa.large_string())
        for i, column in enumerate(header)
    }
    return RawTable(name, file, cells, np.concatenate(numbers) if numbers else np.empty(0, dtype=np.int64))


def _chunks(reader: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    while records := list(islice(reader, _CHUNK)):
        yield records


def _broken(message: str, text: str, name: str, file: str, problems: Problems) -> None:
    """Report the record at which the reader stopped."""
    row = 1
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), strict=True):
            row += 1
    except csv.Error:
        pass
    if "end of data" in message:
        code, rule, cure = "cut", "quotes are closed", "the file ends inside this quoted cell: was it cut?"
    elif "field limit" in message:
        code, rule, cure = "cell-size", f"a cell has at most {MAX_CELL:,} characters", "is a quote open?"
    else:
        code, rule, cure = "quote", "cells are quoted as CSV asks", f"double the quotes inside a cell ({message})"
    problems.add(code, rule, cure, file=file, table=name, row=row)
