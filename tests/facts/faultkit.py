"""The fault kit: corrupted variants of every table and column of a data package, each with what must become of it.

Classes are those of docs/reliability.md: R refused with its place, W warned with its place, A accepted as text, results
unchanged. `python -m tests.facts.faultkit` runs all of them over the bundled packages, the template, a package of our
own that fills every column, an ETO import and the ETO files themselves (when ../shared is there), and prints a table.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from supplychain.errors import InputError, Problem, SupplychainError
from supplychain.facts.content import content_hash
from supplychain.facts.package import Package, read_package
from supplychain.facts.schema import NUMERIC, Column, schema
from supplychain.facts.workbook import write_workbook

DESCRIPTOR = "datapackage.json"
FORMS = ("csv", "parquet", "xlsx")


@dataclass
class Sheet:
    """A table as lists of texts, to be changed cell by cell."""

    header: list[str]
    rows: list[list[str]]

    @classmethod
    def of(cls, data: bytes) -> Sheet:
        header, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        return cls(header, rows)

    def at(self, column: str) -> int:
        return self.header.index(column)

    def copy(self) -> Sheet:
        return Sheet(list(self.header), [list(row) for row in self.rows])

    def csv(self) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return out.getvalue().encode()

    def arrays(self) -> dict[str, pa.Array]:
        return {name: pa.array([row[i] for row in self.rows], pa.string()) for i, name in enumerate(self.header)}


@dataclass(frozen=True)
class Seed:
    """A sound package: its files, how it is read, and the columns of each table by the schema."""

    name: str
    files: dict[str, bytes]
    read: Callable[[Path], tuple[str, Iterable[Problem]]]  # content hash and warnings
    columns: dict[str, dict[str, Column]]
    keys: dict[str, tuple[str, ...]]
    required: frozenset[str]

    def sheet(self, table: str) -> Sheet:
        return Sheet.of(self.files[f"{table}.csv"])

    @property
    def tables(self) -> list[str]:
        return sorted(name[:-4] for name in self.files if name.endswith(".csv"))


@dataclass(frozen=True)
class Variant:
    """One fault put into a package. `make` writes it into a folder that holds the sound package."""

    fault: int
    what: str
    expected: str
    make: Callable[[Path], None]
    file: str = ""
    row: int | None = None
    column: str = ""
    sheet: tuple[str, Sheet] | None = None  # the changed table, where the fault is one of cells
    hint: str = ""  # what the message must hold
    keeps: str = ""  # text that the accepted package must hold
    same: bool = False  # the content hash must not change


@dataclass
class Outcome:
    variant: Variant
    got: str
    right: bool
    located: bool
    told: str = ""


def cells(fault: int, what: str, expected: str, table: str, sheet: Sheet, row: int | None, column: str = "", **more: Any
          ) -> Variant:  # fmt: skip
    """A variant that is a changed table; `row` counts records from 0."""
    data = sheet.csv()
    number = None if row is None else row + 2
    return Variant(fault, f"{table}.{column}: {what}" if column else f"{table}: {what}", expected,
                   lambda folder: _put(folder / f"{table}.csv", data), f"{table}.csv", number, column,
                   (table, sheet), **more)  # fmt: skip


def raw(fault: int, what: str, expected: str, table: str, data: bytes, **more: Any) -> Variant:
    return Variant(fault, f"{table}: {what}", expected, lambda folder: _put(folder / f"{table}.csv", data),
                   f"{table}.csv", **more)  # fmt: skip


def _put(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


WORDS = ("NA", "null", "1E5", "007", "TRUE", "MAR1", "N/A", "None")
HOSTILE = {
    105: ("=HYPERLINK(\"http://x\")", "+1+1", "-2", "@SUM(A1)", "＝1+1", "=1|cmd"),
    106: ("<script>alert(1)</script>", "\" onload=\"x", "</script><b>", "<img src=x onerror=alert(1)>"),
    107: ("<iframe src=file:///etc/passwd>",),
    108: ("{{7*7}}", "%s%n", "\\input{/etc/passwd}", "${7*7}", "[bold]x[/bold]"),
    109: ("../../x", "/tmp/x", "CON:"),
    110: ("javascript:alert(1)",),
    111: ("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;",),
    18: ("a\x1b[31mred\x1b[0m", "bell\x07"),
}  # fmt: skip


def variants(seed: Seed) -> Iterator[Variant]:
    """Every fault that applies to the package."""
    for table in seed.tables:
        sheet = seed.sheet(table)
        if not sheet.rows:
            continue
        yield from of_files(seed, table, sheet)
        yield from of_shape(seed, table, sheet)
        for name, column in seed.columns[table].items():
            if name in sheet.header:
                yield from of_column(seed, table, sheet, name, column)
        yield from of_rows(seed, table, sheet)
    yield from of_folder(seed)


# --- files, encodings


def of_files(seed: Seed, table: str, sheet: Sheet) -> Iterator[Variant]:
    data = seed.files[f"{table}.csv"]
    lines = data.split(b"\n")
    yield raw(1, "empty", "R", table, b"")
    yield raw(1, "blank lines", "R", table, b"\n \n\n")
    yield raw(1, "header only", "R", table, lines[0] + b"\n")
    yield raw(2, "cut inside quotes", "R", table, data + b'"a,b')
    short = Sheet(sheet.header, [*sheet.rows[:-1], sheet.rows[-1][: max(1, len(sheet.header) // 2)]])
    yield raw(2, "last record short", "R", table, short.csv()[:-1], row=len(sheet.rows) + 1)
    whole = sheet.copy()
    whole.rows[-1][-1] = "some last words"
    yield raw(2, "cut inside the last cell", "R", table, whole.csv()[:-4], row=len(sheet.rows) + 1)
    if len(data) > 2000:
        yield raw(2, "cut in the middle", "R", table, data[: len(data) * 2 // 3].rstrip(b"\n"))

    def gone(folder: Path) -> None:
        (folder / f"{table}.csv").unlink()

    yield Variant(3, f"{table}: missing", "R", gone, f"{table}.csv")

    def directory(folder: Path) -> None:
        gone(folder)
        (folder / f"{table}.csv").mkdir()

    def fifo(folder: Path) -> None:
        gone(folder)
        os.mkfifo(folder / f"{table}.csv")

    def link(target: str) -> Callable[[Path], None]:
        def make(folder: Path) -> None:
            gone(folder)
            (folder / f"{table}.csv").symlink_to(target)

        return make

    yield Variant(4, f"{table}: a folder", "R", directory, f"{table}.csv")
    yield Variant(4, f"{table}: a pipe", "R", fifo, f"{table}.csv")
    yield Variant(5, f"{table}: a link out of the folder", "R", link("/etc/hostname"), f"{table}.csv")
    yield Variant(5, f"{table}: a dangling link", "R", link("nothing.csv"), f"{table}.csv")
    yield Variant(5, f"{table}: a link to itself", "R", link(f"{table}.csv"), f"{table}.csv")
    import gzip

    yield raw(8, "gzip", "R", table, gzip.compress(data, mtime=0), hint="gzip")
    yield raw(8, "a workbook", "R", table, write_workbook({}, {table: sheet.arrays()}), hint="workbook")
    yield raw(8, "login page", "R", table, b"<!DOCTYPE html>\n<html><body>Log in</body></html>\n", hint="web page")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    yield raw(8, "LFS pointer", "R", table, pointer, hint="LFS")
    merge = b"\n".join([*lines[:2], b"<<<<<<< HEAD", lines[1], b"=======", lines[1], b">>>>>>> other", *lines[2:]])
    yield raw(8, "merge markers", "R", table, merge, row=3, hint="merge")
    yield raw(8, "noise", "R", table, bytes(range(128, 256)) * 40)
    yield raw(8, "JSON", "R", table, b'{"rows": [1, 2]}\n')
    yield raw(13, "byte order mark", "A", table, b"\xef\xbb\xbf" + data.removeprefix(b"\xef\xbb\xbf"), same=True)
    if b'"' not in data:
        yield raw(13, "CRLF", "A", table, data.replace(b"\n", b"\r\n"), same=True)
        mixed = lines[0] + b"\r\n" + b"\n".join(lines[1:])
        yield raw(13, "CRLF and LF mixed", "A", table, mixed, same=True)
    yield raw(14, "UTF-16", "R", table, data.decode("utf-8-sig").encode("utf-16"), hint="UTF-16")
    yield raw(14, "UTF-16 without mark", "R", table, data.decode("utf-8-sig").encode("utf-16-le"), hint="UTF-16")
    plain = "".join(c if ord(c) < 128 else "?" for c in data.decode("utf-8-sig")).split("\n")
    for encoding, text in (("latin-1", "Zürich é"), ("gbk", "半导体材料")):
        at = min(3, len(plain) - 2)
        free = [i for i, name in enumerate(sheet.header) if seed.columns[table].get(name, None) is None
                or seed.columns[table][name].type == "text"]  # fmt: skip
        changed = Sheet.of("\n".join(plain).encode())
        changed.rows[at - 1][free[-1] if free else -1] = text
        found = changed.csv().decode().encode(encoding)
        line = found[: found.index(text.encode(encoding))].count(b"\n") + 1
        yield raw(14, encoding, "R", table, found, row=line if b'"' not in found else None, hint="--encoding")
    yield raw(15, "NUL", "R", table, b"\n".join([*lines[:1], lines[1][:1] + b"\0" + lines[1][1:], *lines[2:]]), row=2)
    changed = sheet.copy()
    text = changed.csv().decode().split("\n")
    if '"' not in text[1]:
        text[1] = text[1][:1] + '"' + text[1][1:]
        yield raw(15, "stray quote", "R", table, "\n".join(text).encode(), row=2)
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\n").writerows(
        [sheet.header, *([cell.replace(".", ",") for cell in row] for row in sheet.rows)]
    )
    yield raw(16, "semicolons and decimal commas", "R", table, out.getvalue().encode(), hint="comma")
    yield raw(16, "tabs", "R", table, data.replace(b",", b"\t"))

    def twice(name: str) -> Callable[[Path], None]:
        def make(folder: Path) -> None:
            content = data if not name.endswith("xlsx") else write_workbook({}, {table: sheet.arrays()})
            _put(folder / name, content)

        return make

    for name in (f"{table.upper()}.CSV", f"{table}.xlsx", f"{table}.parquet"):
        yield Variant(7, f"{table}: also as {name.rpartition('.')[2]}", "R", twice(name), "", hint=table)
    huge = sheet.copy()
    free = [c for c in sheet.header if c == "note" or c == "description"]
    if free:
        huge.rows[0][huge.at(free[0])] = "x" * 1_000_000
        yield raw(100, "a cell of a million characters", "A", table, huge.csv())
    wide = b",".join(b"c%d" % i for i in range(100_000))
    yield raw(101, "100,000 columns", "R", table, wide + b"\n" + b"," * 99_999 + b"\n")
    yield raw(101, "one line of 20 MB", "R", table, lines[0] + b"\n" + b"x" * 20_000_000 + b"\n")


def of_folder(seed: Seed) -> Iterator[Variant]:
    def stray(folder: Path) -> None:
        _put(folder / "notes.txt", b"remember")

    def another(folder: Path) -> None:
        _put(folder / "my-own-table.csv", b"a,b\n1,2\n")

    yield Variant(9, "a stray file", "W", stray, "notes.txt", same=True)
    yield Variant(9, "a stray table", "W", another, "my-own-table.csv", same=True)
    if DESCRIPTOR not in seed.files:
        return
    for what, data in (
        ("no JSON", b"{"),
        ("a list", b"[]"),
        ("empty", b""),
        ("NUL", b"\0\0"),
        ("deep", b"[" * 100_000),
    ):
        yield Variant(8, f"descriptor: {what}", "R", lambda folder, data=data: _put(folder / DESCRIPTOR, data),
                      DESCRIPTOR)  # fmt: skip
    described = json.loads(seed.files[DESCRIPTOR])
    for what, path in (("absolute", "/etc/passwd"), ("outside", "../items.csv"), ("NUL", "a\0b.csv")):
        outside = {**described, "resources": [{"name": "items", "path": path}]}
        data = json.dumps(outside).encode()
        yield Variant(109, f"descriptor: {what} path", "R", lambda folder, data=data: _put(folder / DESCRIPTOR, data),
                      DESCRIPTOR)  # fmt: skip


# --- shape


def of_shape(seed: Seed, table: str, sheet: Sheet) -> Iterator[Variant]:
    columns = seed.columns[table]
    first = sheet.header[0]
    twice = Sheet([*sheet.header, first], [[*row, row[0]] for row in sheet.rows])
    yield cells(19, "header twice", "R", table, twice, -1, first)
    blank = Sheet([*sheet.header, ""], [[*row, "x"] for row in sheet.rows])
    yield raw(19, "header blank", "R", table, blank.csv(), row=1)
    for name in sheet.header:
        if name in columns and columns[name].present:
            at = sheet.at(name)
            missing = Sheet([h for h in sheet.header if h != name], [row[:at] + row[at + 1 :] for row in sheet.rows])
            yield cells(19, "column missing", "R", table, missing, -1, name)
    extra = Sheet([*sheet.header, "my_remark"], [[*row, "x"] for row in sheet.rows])
    yield cells(20, "unknown column", "W", table, extra, -1, "my_remark")
    capital = Sheet([sheet.header[0].upper(), *sheet.header[1:]], sheet.rows)
    yield cells(21, "header in capitals", "W", table, capital, -1, sheet.header[0].upper(), same=True)
    spaced = Sheet([f" {sheet.header[0]} ", *sheet.header[1:]], sheet.rows)
    yield cells(21, "header with spaces", "W", table, spaced, -1, f" {sheet.header[0]} ", same=True)
    at = len(sheet.rows) // 2
    longer, shorter = sheet.copy(), sheet.copy()
    longer.rows[at].append("more")
    del shorter.rows[at][-1]
    yield raw(22, "record too long", "R", table, longer.csv(), row=at + 2)
    if len(sheet.header) > 1:
        yield raw(22, "record too short", "R", table, shorter.csv(), row=at + 2)
    yield cells(23, "rows reversed", "A", table, Sheet(sheet.header, sheet.rows[::-1]), None, same=True)
    turned = Sheet(sheet.header[::-1], [row[::-1] for row in sheet.rows])
    yield cells(23, "columns reversed", "A", table, turned, None, same=True)
    yield raw(24, "title line", "R", table, b"Our supply data, 2026\n" + sheet.csv(), row=1)
    again = sheet.copy()
    again.rows.insert(at, list(sheet.header))
    yield cells(24, "header repeated", "R", table, again, at)
    total = sheet.copy()
    total.rows.append(["TOTAL", *[""] * (len(sheet.header) - 1)])
    yield cells(24, "TOTAL row", "R", table, total, len(sheet.rows))


# --- cells of one column


def of_column(seed: Seed, table: str, sheet: Sheet, name: str, column: Column) -> Iterator[Variant]:
    at = sheet.at(name)
    filled = [i for i, row in enumerate(sheet.rows) if row[at]]
    row = (filled or list(range(len(sheet.rows))))[len(filled or sheet.rows) // 2]

    def put(fault: int, text: str, expected: str, what: str = "", **more: Any) -> Variant:
        changed = sheet.copy()
        changed.rows[row][at] = text
        return cells(fault, what or repr(text), expected, table, changed, row, name, **more)

    if column.filled:
        yield put(36, "", "R", "blank")
        yield put(36, "   ", "R", "spaces")
    if column.type in NUMERIC:
        yield from _numbers(put, column)
    elif column.type == "boolean":
        for text in ("maybe", "TRUE", "1", "yes", "0.5"):
            yield put(25, text, "R")
    elif column.type in ("date", "when"):
        for fault, texts in ((48, ("2026-02-30", "0000-01-01", "99999-01-01", "2026-13-01")),
                             (49, ("03/04/2025", "25-03-04", "45000", "1.2.2025"))):  # fmt: skip
            for text in texts:
                yield put(fault, text, "R")
    elif column.type == "country":
        for text in ("XYZ", "UK", "Holland", "ind", "I\u200bND", "Korea"):
            yield put(52, text, "R")
    elif column.type == "url":
        yield put(110, "javascript:alert(1)", "A", keeps="javascript:alert(1)")
    if column.references:
        yield from _references(seed, put, table, sheet, name, column, row, at)
    if column.type in ("id", "ids"):
        for fault, text in ((17, "a\u200bb"), (17, "cafe\u0301"), (17, "caf\u00e9"), (37, " padded"), (37, "Upper"),
                            (18, "a\x1b[31m"), (101, "x" * 5000)):  # fmt: skip
            yield put(fault, text, "R")
    if column.values and not column.references:
        for text in ("furlong", column.values[0].upper() + "x", "XX:1A001"):
            yield put(46 if name in ("unit", "currency") else 52, text, "R")
        if column.type == "text" and column.values[0].upper() != column.values[0]:
            yield put(37, column.values[0].upper(), "R", hint=column.values[0])
    if column.type == "text" and not column.values and not column.references and name not in seed.keys[table]:
        if table in ("groups", "jurisdictions", "memberships", "correspondences", "entries") or name in GRAMMAR:
            return
        hostile = [*((38, word) for word in WORDS), *((f, text) for f, texts in HOSTILE.items() for text in texts)]
        turn = sum(map(ord, table + name))  # a few of them in each column, all of them over the columns
        for fault, text in (hostile[(turn + step * 7) % len(hostile)] for step in range(4)):
            if not (table == "sites" and name == "unit"):
                yield put(fault, text, "A", keeps=text.strip())


GRAMMAR = frozenset({"destination_scope", "end_party", "reach", "destination", "exporter", "exporter_head_office",
                     "condition", "code", "corresponds", "exception", "imposing"})  # fmt: skip
LIMITS = ("share", "spare_capacity", "use_share", "share_provided")


def _numbers(put: Callable[..., Variant], column: Column) -> Iterator[Variant]:
    whole = column.type != "number"
    faults = {
        25: ("many", "#DIV/0!", "#REF!", "true", "n/a"),
        26: ("NaN", "nan", "inf", "-inf", "Infinity"),
        30: ("12,5", "1,234.5", "45%", "$12bn", "1 000", "1'000"),
        31: ("\u0663", "1_0", "0x1F", "\uff11\uff12", "\u0661\u066b\u0665"),
        32: ("1e30", "1e308", "1e400", "-1e308"),
    }
    for fault, texts in faults.items():
        for text in texts:
            yield put(fault, text, "R")
    if column.type == "year":
        for text in ("25", "0", "99999", "2025.5", "-2025"):
            yield put(48, text, "R")
        return
    if column.minimum >= 0:
        yield put(27, "-1", "R")
        yield put(27, "-0.01", "R")
    if column.maximum == 1:
        yield put(27, "1.5", "R")
        yield put(27, "45", "R")
    if whole:
        yield put(25, "2.5", "R")
    elif column.minimum <= 0 < column.maximum:
        yield put(32, "1e-320", "W")


def _references(
    seed: Seed, put: Callable[..., Variant], table: str, sheet: Sheet, name: str, column: Column, row: int, at: int
) -> Iterator[Variant]:
    target = column.references.split(".")[0]
    if target not in seed.tables:
        return
    now = sheet.rows[row][at].split(";")[0]
    yield put(34, "zz-no-such-thing", "R")
    if now and now not in column.values:
        yield put(34, f"{now}x", "R", hint=now)
        yield put(37, now.upper() if now.upper() != now else now.lower(), "R", hint=now)
        yield put(37, f"{now} x", "R")


# --- rows and relations


def of_rows(seed: Seed, table: str, sheet: Sheet) -> Iterator[Variant]:
    keys = seed.keys[table]
    if not keys:
        return
    at = len(sheet.rows) // 2
    same, other = sheet.copy(), sheet.copy()
    same.rows.append(list(sheet.rows[at]))
    yield cells(35, "row repeated", "W", table, same, len(sheet.rows), ", ".join(keys), same=True)
    free = [i for i, h in enumerate(sheet.header) if h not in keys and h in ("note", "name", "title", "description")]
    if free:
        changed = list(sheet.rows[at])
        changed[free[0]] += " changed"
        other.rows.append(changed)
        yield cells(35, "key used twice", "R", table, other, len(sheet.rows), ", ".join(keys), hint=f"row {at + 2}")

    def edit(fault: int, what: str, expected: str, edits: dict[tuple[int, str], str], row: int, column: str, **more: Any
             ) -> Variant:  # fmt: skip
        changed = sheet.copy()
        for (where, name), text in edits.items():
            changed.rows[where][changed.at(name)] = text
        return cells(fault, what, expected, table, changed, row, column, **more)

    def found(name: str) -> list[str]:
        return [row[sheet.at(name)] for row in sheet.rows]

    if seed.name.startswith("eto-files"):
        return
    for start, end in (("from", "to"), ("suspended_from", "suspended_to")):
        if start in sheet.header and end in sheet.header:
            yield edit(50, "ends before it starts", "R", {(at, start): "2025-06-01", (at, end): "2025-05-01"}, at, end)
    if table == "items":
        ids = found("item")
        if "aggregate_of" in sheet.header:
            yield edit(43, "self-loop", "R", {(0, "aggregate_of"): ids[0]}, 0, "aggregate_of", hint=ids[0])
            circle = {(i, "aggregate_of"): ids[(i + 1) % len(ids)] for i in range(min(2, len(ids)))}
            circle[1, "aggregate_of"] = ids[0]
            yield edit(43, "2-cycle", "R", circle, 0, "aggregate_of", hint=ids[1])
            if len(ids) > 4:
                long = {(i, "aggregate_of"): ids[(i + 1) % len(ids)] for i in range(len(ids))}
                yield edit(43, "long cycle", "R", long, 0, "aggregate_of", hint=ids[2])
        if "world_volume" in sheet.header and "unit" in sheet.header:
            yield edit(46, "volume without unit", "R", {(0, "world_volume"): "5", (0, "unit"): ""}, 0, "unit")
        lonely = sheet.copy()
        row = [""] * len(sheet.header)
        for name, text in (("item", "lonely"), ("name", "Lonely"), ("source", "none"), ("quality", "estimate")):
            row[sheet.at(name)] = text
        lonely.rows.append(row)
        yield cells(41, "orphan", "W", table, lonely, len(sheet.rows), "item")
    elif table == "organisations" and "parent" in sheet.header:
        ids = found("organisation")
        yield edit(43, "self-loop", "R", {(0, "parent"): ids[0]}, 0, "parent", hint=ids[0])
        yield edit(43, "2-cycle", "R", {(0, "parent"): ids[1], (1, "parent"): ids[0]}, 0, "parent", hint=ids[1])
        if len(ids) > 4:
            long = {(i, "parent"): ids[(i + 1) % len(ids)] for i in range(len(ids))}
            yield edit(43, "long cycle", "R", long, 0, "parent", hint=ids[2])
    elif table == "supplies":
        weights, items, shares = found("weight"), found("item"), found("share")
        group = [i for i, w in enumerate(weights) if w == "true" and shares[i]]
        sums = Counter[str]()
        for i in group:
            sums[items[i]] += float(shares[i])
        whole = next((i for i in group if abs(sums[items[i]] - 1) < 1e-9 and float(shares[i]) < 0.9), None)
        if whole is not None:
            first = min(i for i in group if items[i] == items[whole])
            more = f"{float(shares[whole]) + 0.02:.4f}"
            yield edit(28, "group sum 1.02", "W", {(whole, "share"): more}, first, "share", hint=items[whole])
            more = f"{float(shares[whole]) + 0.06:.4f}"
            yield edit(28, "group sum 1.06", "R", {(whole, "share"): more}, first, "share", hint=items[whole])
        edits = {(group[0], "share"): ""}
        if "capacity" in sheet.header:
            edits[group[0], "capacity"] = ""
        yield edit(29, "share blank", "W", edits, group[0], "share")
        if "unit_cost" in sheet.header:
            yield edit(46, "cost without currency", "R", {(0, "unit_cost"): "5", (0, "currency"): ""}, 0, "currency")
    elif table == "requirements":
        ids, items = found("requirement"), found("item")
        yield edit(43, "self-loop", "R", {(0, "requires"): items[0]}, 0, "requires", hint=items[0])
        again = sheet.copy()
        again.rows.append(list(sheet.rows[0]))
        again.rows[-1][again.at("requirement")] = "again"
        yield cells(40, "relation twice", "R", table, again, len(sheet.rows), "requires")
    elif table in ("demand", "content"):
        key = sheet.header[0]
        group = [i for i, text in enumerate(found(key)) if text == found(key)[0]]
        if len(group) > 1:
            sums_to = {(i, "share"): "0.9" for i in group[:2]}
            sums_to |= {(i, "share"): "0" for i in group[2:]}
            yield edit(28, "group sum 1.8", "R", sums_to, group[0], "share", hint=found(key)[0])
    elif table == "lanes":
        again = sheet.copy()
        again.rows.append(list(sheet.rows[0]))
        again.rows[-1][0] = "again"
        again.rows[-1][again.at("share")] = "0.01"
        yield cells(40, "relation twice", "R", table, again, len(sheet.rows), "from_supply")
    elif table == "plants":
        if "unit" in sheet.header:
            yield edit(46, "another unit", "R", {(0, "unit"): "licence"}, 0, "unit")
    elif table == "sites":
        yield edit(46, "capacity without unit", "R", {(0, "capacity"): "5", (0, "unit"): ""}, 0, "unit")
        yield edit(46, "unknown unit", "R", {(0, "capacity"): "5", (0, "unit"): "furlongs/fortnight"}, 0, "unit")
        units, products = found("unit"), found("product")
        pair = [i for i, text in enumerate(units) if text.endswith("/year")]
        if pair:
            month = units[pair[0]].replace("/year", "/month")
            kin = [i for i, text in enumerate(units) if text == units[pair[0]] and i != pair[0]]
            if kin:
                edits = {(pair[0], "unit"): month, (kin[0], "product"): products[pair[0]]}
                yield edit(47, "per month among per year", "W", edits, pair[0], "unit")
    elif table == "controls":
        yield edit(57, "no source", "R", {(at, "source"): ""}, at, "source")
        yield edit(52, "unknown place", "R", {(at, "destination_scope"): "XYZ"}, at, "destination_scope")
        yield edit(52, "unknown code", "R", {(at, "item_code"): "XX:1"}, at, "item_code")
        yield edit(52, "unknown imposing state", "R", {(at, "imposing"): "XYZ"}, at, "imposing")
        yield edit(52, "bad reach", "R", {(at, "reach"): "everywhere"}, at, "reach")
    elif table in ("groups", "memberships"):
        again = sheet.copy()
        again.rows.append(list(sheet.rows[at]))
        again.rows[-1][again.at("note")] += " again"
        again.rows[-1][again.at("from")] = "2030-01-01" if not sheet.rows[at][sheet.at("to")] else "1990-01-01"
        if "from" not in keys:
            yield cells(53, "key twice", "R", table, again, len(sheet.rows), ", ".join(keys))


# --- running


def run(seed: Seed, variant: Variant, folder: Path, baseline: str) -> Outcome:
    """Put the fault into `folder` (which holds the sound package), read it, and mend the folder again."""
    before = {path.name for path in folder.iterdir()}
    variant.make(folder)
    got, told, place, problems, content = "accepted", "", True, (), ""
    started = time.perf_counter()
    try:
        content, warnings = seed.read(folder)
        problems = tuple(warnings)
        got = "warned" if problems else "accepted"
    except InputError as error:
        got, problems, told = "refused", error.problems, str(error)
    except SupplychainError as error:
        got, told = f"exit {error.exit_code}", str(error)
    except Exception:
        got, told = "traceback", traceback.format_exc()
    took = time.perf_counter() - started
    told = told or "\n".join(map(str, problems))
    for path in folder.iterdir():
        if path.name not in before or path.name == variant.file or path.is_symlink() or not path.is_file():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, data in seed.files.items():
        if name == variant.file or not (folder / name).is_file():
            _put(folder / name, data)
    place = any(_is_at(problem, variant) for problem in problems) if variant.expected != "A" else True
    right = got == {"R": "refused", "W": "warned", "A": "accepted"}[variant.expected]
    if variant.expected == "A" and got == "warned":
        right = True  # accepted with a word about it
    if right and variant.hint:
        right = variant.hint in told
    if right and variant.keeps:
        right = variant.keeps in content
    if right and variant.same:
        right = content.split("\n", 1)[0] == baseline.split("\n", 1)[0]
    if took > 10:
        right, told = False, f"took {took:.0f} s\n{told}"
    return Outcome(variant, got, right, place, told)


def _is_at(problem: Problem, variant: Variant) -> bool:
    file = problem.file.split("!")[0]
    return (
        (not variant.file or file == variant.file or Path(file).stem == Path(variant.file).stem or "!" in problem.file)
        and (variant.row is None or problem.row == variant.row or f"row {variant.row}" in str(problem))
        and (not variant.column or problem.column == variant.column)
    )


def run_all(seed: Seed, chosen: Iterable[Variant], form: str = "csv") -> list[Outcome]:
    """Run variants in one folder; in another `form`, those that change cells only."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "package")
        folder.mkdir()
        for name, data in seed.files.items():
            (folder / name).write_bytes(data)
        baseline, _ = seed.read(folder)
        if form == "csv":
            return [run(seed, variant, folder, baseline) for variant in chosen]
        return [_in_form(seed, variant, form, Path(work), baseline) for variant in chosen if variant.sheet]


def _in_form(seed: Seed, variant: Variant, form: str, work: Path, baseline: str) -> Outcome:
    """Run a variant of cells with the whole package as one workbook, or its changed table as Parquet."""
    assert variant.sheet is not None
    table, sheet = variant.sheet
    target = work / ("book.xlsx" if form == "xlsx" else "parquet")
    if form == "xlsx":
        sheets = {name: (sheet if name == table else seed.sheet(name)).arrays() for name in seed.tables}
        about = {k: v for k, v in json.loads(seed.files[DESCRIPTOR]).items() if k != "resources"}
        data = write_workbook(about, sheets)
        shown = replace(variant, make=lambda _: target.write_bytes(data), file="book.xlsx")
        empty = replace(seed, files={"book.xlsx": b""}, read=lambda folder: seed.read(folder / "book.xlsx"))
        holder = work / "holder"
        holder.mkdir(exist_ok=True)
        target = holder / "book.xlsx"
        return run(empty, shown, holder, baseline)
    if not target.is_dir():
        target.mkdir()
        for name, data in seed.files.items():
            (target / name).write_bytes(data)
    described = json.loads(seed.files[DESCRIPTOR])
    described.pop("resources", None)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(sheet.arrays()), sink)
    blob = bytes(sink.getvalue())

    def make(folder: Path) -> None:
        (folder / f"{table}.csv").unlink()
        _put(folder / DESCRIPTOR, json.dumps(described).encode())
        _put(folder / f"{table}.parquet", blob)

    outcome = run(seed, replace(variant, make=make, file=f"{table}.parquet"), target, baseline)
    _put(target / DESCRIPTOR, seed.files[DESCRIPTOR])
    return outcome


# --- seeds


def package_seed(name: str, folder: Path, tables: Iterable[str] | None = None) -> Seed:
    """A data package on disk, without its companions."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())
             if path.suffix == ".csv" or path.name == DESCRIPTOR}  # fmt: skip
    described = json.loads(files[DESCRIPTOR])
    kind = schema(described["supplychain"]["schema"])
    resources = [entry for entry in described.get("resources", []) if entry["path"] in files]
    described["resources"] = resources or [{"name": f[:-4], "path": f} for f in files if f.endswith(".csv")]
    files[DESCRIPTOR] = json.dumps(described).encode()
    return Seed(
        name,
        files,
        lambda path: _read(path),
        {t.name: {c.name: c for c in t.columns} for t in kind.tables},
        {t.name: t.key for t in kind.tables},
        frozenset(t.name for t in kind.tables if t.required),
    )


def _read(path: Path) -> tuple[str, Iterable[Problem]]:
    package = read_package(path)
    if package.schema == "regimes":
        from supplychain.regimes.check import check_book

        check_book(package.tables, package.descriptor)
    return _content(package), package.warnings


def _content(package: Package) -> str:
    named = replace(package, name="kit", descriptor={})
    texts = {text for frame in package.tables.values() for column in frame.columns
             if frame[column].dtype == "str" for text in frame[column].unique()}  # fmt: skip
    return content_hash(named) + "\n" + "\n".join(sorted(texts))


def eto_seed(folder: Path) -> Seed:
    """The five files of ETO, read by their importer."""
    from supplychain.exchange.eto import FILES, read_eto

    files = {f"{name}.csv": (folder / f"{name}.csv").read_bytes() for name in FILES}
    kinds = {("provision", "share_provided"): ("number", 0.0, 100.0), ("provision", "year"): ("year", 0, 0),
             ("inputs", "year"): ("year", 0, 0)}  # fmt: skip
    keyed = {("inputs", "input_id"), ("stages", "stage_id"), ("providers", "provider_id"),
             ("provision", "provider_id"), ("provision", "provided_id"), ("sequence", "input_id")}  # fmt: skip
    refers = {("provision", "provider_id"): "providers.provider_id", ("provision", "provided_id"): "inputs.input_id",
              ("sequence", "input_id"): "inputs.input_id", ("sequence", "goes_into_id"): "inputs.input_id"}  # fmt: skip
    columns: dict[str, dict[str, Column]] = {}
    for name, must in FILES.items():
        columns[name] = {}
        for header in Sheet.of(files[f"{name}.csv"]).header:
            kind, low, high = kinds.get((name, header), ("text", -1e15, 1e15))
            columns[name][header] = Column(header, kind, header in must, (name, header) in keyed, False,
                                           refers.get((name, header), ""), low, high, (), "", "", "")  # fmt: skip

    def read(path: Path) -> tuple[str, Iterable[Problem]]:
        intake = read_eto(path)
        assert intake.lost == 0
        return _content(intake.package), intake.warnings

    keys = {"inputs": ("input_id",), "stages": ("stage_id",), "providers": (), "provision": (), "sequence": ()}
    return Seed("eto-files", files, read, columns, keys, frozenset(FILES))


def own_seed(folder: Path) -> Seed:
    """A small package of our own in which every table and every column of the schema has a value."""
    kind = schema("network")
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in OWN.items():
        table = kind[name]
        header = list(table.names)
        (folder / f"{name}.csv").write_bytes(Sheet(header, [[row.get(h, "") for h in header] for row in rows]).csv())
    described = {"name": "own", "supplychain": {"schema": "network"},
                 "resources": [{"name": name, "path": f"{name}.csv"} for name in OWN]}  # fmt: skip
    (folder / DESCRIPTOR).write_text(json.dumps(described))
    return package_seed("own", folder)


_BASE = {"quality": "reported", "source": "s1", "year": "2025"}
OWN: dict[str, list[dict[str, str]]] = {
    "items": [
        {**_BASE, "item": item, "name": item.title(), "tier": tier, "category": "thing", "unit": "unit",
         "hs6": "854231", "control_codes": "US:3A090.a", "aggregate_of": parts, "world_volume": "100",
         "price_usd": "2", "elasticity": "-0.4", "market_usd": "200", "lead_time_months": "3",
         "qualification_months": "9", "new_capacity_months": "24", "stock_days": "30", "spare_capacity": "0.1",
         "control_source": "s1", "control_quality": "derived", "ops_source": "s1", "ops_quality": "estimate",
         "note": "a note"}
        for item, tier, parts in (("chip", "0", ""), ("gas", "2", ""), ("tool", "1", ""), ("tools", "1", "tool;gas"),
                                  ("wafer", "1", ""))
    ],
    "organisations": [
        {"organisation": o, "name": o.title(), "jurisdiction": "NLD", "parent": parent, "parent_jurisdiction": "NLD",
         "source": "s1", "note": "a note"}
        for o, parent in (("acme", ""), ("bolt", "acme"), ("cord", "acme"), ("dyne", ""), ("other", ""))
    ],
    "supplies": [
        {**_BASE, "supply": f"{item}.{o}", "organisation": o, "item": item, "site": "NLD", "share": share,
         "capacity": "60", "unit_cost": "9", "currency": "USD", "lead_time_days": "30", "qualification_days": "200",
         "qualification_cost": "1000", "minimum_order": "1", "time_to_recover_days": "90", "stock_days": "10",
         "spare_capacity": "0.1", "basis": "units", "weight": "true", "site_name": "Here", "note": "a note"}
        for item, o, share in (("chip", "acme", "0.6"), ("chip", "bolt", "0.4"), ("gas", "cord", "0.7"),
                               ("tool", "dyne", "0.5"), ("wafer", "acme", "0.5"), ("wafer", "other", "0.5"))
    ],
    "content": [
        {**_BASE, "supply": "chip.acme", "origin": o, "share": s, "direct_product": "true", "note": "a note"}
        for o, s in (("USA", "0.2"), ("JPN", "0.1"))
    ],
    "requirements": [
        {**_BASE, "requirement": f"{a}.{b}", "item": a, "requires": b, "role": role, "coefficient": "1",
         "essentiality": "essential", "lifetime_years": "15", "use_share": "0.2", "alternatives": f"{a}.group",
         "note": "a note"}
        for a, b, role in (("chip", "gas", "consumable"), ("chip", "tool", "capital"), ("chip", "wafer", "consumable"))
    ],
    "processes": [
        {"process": "etch", "requires": "gas", "essentiality": "essential", "applies_to": "chip",
         "quality": "assumption", "source": "s1", "note": "a note"},
        {"process": "clean", "requires": "gas", "essentiality": "minor", "applies_to": "chip;wafer",
         "quality": "assumption", "source": "s1", "note": "a note"},
    ],
    "plants": [
        {"plant": "p1", "buyer": "me", "site": "IND", "item": item, "demand": "10", "unit": "unit",
         "stock_days": "30", "margin_usd": "5", "illustrative": "true", "quality": "assumption", "source": "s1",
         "note": "a note"}
        for item in ("chip", "gas")
    ],
    "demand": [{**_BASE, "item": "chip", "destination": d, "share": s, "note": "a note"}
               for d, s in (("IND", "0.4"), ("DEU", "0.6"))],
    "lanes": [
        {**_BASE, "lane": f"l{n}", "from_supply": a, "to_supply": b, "to_plant": p, "share": "0.4", "volume": "5",
         "unit_cost": "2", "capacity": "9", "transit_days": "14", "note": "a note"}
        for n, a, b, p in ((1, "gas.cord", "chip.acme", ""), (2, "tool.dyne", "chip.acme", ""),
                           (3, "chip.acme", "", "p1"))
    ],
    "events": [{"event": f"e{n}", "date": "2022-02-24", "items": "gas;chip", "description": "A stop",
                "effect": "None", "status": "reported", "source": "s1", "note": "a note"} for n in (1, 2)],
    "sites": [
        {**_BASE, "site": f"site{n}", "organisation": "acme", "name": f"Site {n}", "country": "NLD",
         "product": "chips", "capacity": "120", "unit": "units/year", "note": "a note"} for n in (1, 2, 3)
    ],
    "sources": [{"source": s, "title": f"Report {s}", "publisher": "Acme", "date": "2025-03-01",
                 "url": "https://example.org/a", "licence": "public", "note": "a note"} for s in ("s1", "s2")],
}  # fmt: skip


def seeds(work: Path, names: Iterable[str] | None = None) -> Iterator[Seed]:
    """The packages that are there to be corrupted."""
    from supplychain.locate import datasets

    shared = Path(__file__).resolve().parents[3] / "shared" / "eto"
    wanted = set(names or ())

    def want(name: str) -> bool:
        return not wanted or name in wanted

    if want("own"):
        yield own_seed(work / "own")
    if want("template"):
        yield package_seed("template", datasets() / "template")
    if want("semiconductors"):
        yield package_seed("semiconductors", datasets() / "semiconductors")
    if want("regimes"):
        yield package_seed("regimes", datasets() / "regimes")
    if shared.is_dir():
        if want("eto-files"):
            yield eto_seed(shared)
        if want("eto-import"):
            from supplychain.exchange.eto import read_eto
            from supplychain.exchange.intake import save

            save(read_eto(shared), work / "eto-import")
            yield package_seed("eto-import", work / "eto-import")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", help="packages to corrupt; all by default")
    parser.add_argument("--every", type=int, default=1, help="run each n-th variant only")
    parser.add_argument("--form", choices=FORMS, action="append", help="forms of the package; default csv")
    parser.add_argument("--wrong", type=int, default=40, help="how many wrong outcomes to print")
    given = parser.parse_args(arguments)
    lines, wrong = [], []
    with tempfile.TemporaryDirectory() as work:
        for seed in seeds(Path(work), given.seeds):
            for form in given.form or ["csv"]:
                if form != "csv" and seed.name == "eto-files":
                    continue
                started = time.process_time()
                outcomes = run_all(seed, list(variants(seed))[:: given.every], form)
                wrong += [(f"{seed.name} {form}", o) for o in outcomes if not o.right or not o.located]
                lines.append(tally(f"{seed.name} {form}", outcomes, time.process_time() - started))
    for where, o in wrong[: given.wrong]:
        first = "\n    ".join(o.told.splitlines()[:4] if o.got != "traceback" else o.told.splitlines()[-6:])
        print(f"{where} [{o.variant.fault}] {o.variant.what[:90]}: {o.variant.expected} expected at row {o.variant.row}, got "
              f"{o.got}{'' if o.located else ', not located'}\n    {first[:600]}")  # fmt: skip
    print(
        f"\n{'package':<24}{'variants':>9}{'right':>7}{'accepted':>9}{'refused':>8}{'traceback':>10}{'located':>9}{'CPU s':>7}"
    )
    print("\n".join(lines))
    return int(bool(wrong))


def tally(name: str, outcomes: list[Outcome], seconds: float) -> str:
    """One line of the table: silently accepted means R or W expected and nothing said."""
    count = len(outcomes)
    silent = sum(o.variant.expected in "RW" and o.got == "accepted" for o in outcomes)
    refused = sum(o.variant.expected != "R" and o.got == "refused" for o in outcomes)
    refusals = [o for o in outcomes if o.variant.expected == "R" and o.got == "refused"]
    located = sum(o.located for o in refusals) / max(1, len(refusals))
    return (f"{name:<24}{count:>9,}{sum(o.right for o in outcomes):>7,}{silent:>9}{refused:>8}"
            f"{sum(o.got == 'traceback' for o in outcomes):>10}{located:>9.1%}{seconds:>7.0f}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
