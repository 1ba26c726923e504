"""The fault kit's faults: for every file, table, column and rule of a package, the variants of the catalogue."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from supplychain.facts.schema import NUMERIC, Column
from supplychain.facts.workbook import write_workbook
from tests.facts.faultmodel import DESCRIPTOR, Seed, Sheet, Variant, cells, raw
from tests.facts.faultmodel import put as put_file

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
    cut = whole.csv()[:-4]
    yield raw(2, "cut inside the last cell", "R", table, cut, row=cut.count(b"\n") + 1)
    if len(data) > 2000:
        yield raw(2, "cut in the middle", "R", table, data[: data.index(b",", len(data) * 2 // 3)])

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
            put_file(folder / name, content)

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
        put_file(folder / "notes.txt", b"remember")

    def another(folder: Path) -> None:
        put_file(folder / "my-own-table.csv", b"a,b\n1,2\n")

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
        yield Variant(8, f"descriptor: {what}", "R", lambda folder, data=data: put_file(folder / DESCRIPTOR, data),
                      DESCRIPTOR)  # fmt: skip
    described = json.loads(seed.files[DESCRIPTOR])
    for what, path in (("absolute", "/etc/passwd"), ("outside", "../items.csv"), ("NUL", "a\0b.csv")):
        outside = {**described, "resources": [{"name": "items", "path": path}]}
        data = json.dumps(outside).encode()
        yield Variant(109, f"descriptor: {what} path", "R", _descriptor(data), DESCRIPTOR)


def _descriptor(data: bytes) -> Callable[[Path], None]:
    return lambda folder: put_file(folder / DESCRIPTOR, data)


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
        yield from _numbers(put, column, bool(filled))
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
        if seed.name == "eto-files" and (name.endswith("_id") or name in ("type", "provider_type", "country")):
            return  # words and ids of theirs
        if table == "coverage":
            return  # the words of the law
        for fault, text in (hostile[(turn + step * 7) % len(hostile)] for step in range(4)):
            if not (table == "sites" and name == "unit"):
                yield put(fault, text, "A", keeps="" if seed.name == "eto-files" else text.strip())


GRAMMAR = frozenset({"destination_scope", "end_party", "reach", "destination", "exporter", "exporter_head_office",
                     "condition", "code", "corresponds", "exception", "imposing", "rule"})  # fmt: skip
LIMITS = ("share", "spare_capacity", "use_share", "share_provided")


def _numbers(put: Callable[..., Variant], column: Column, filled: bool) -> Iterator[Variant]:
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
    elif filled and column.minimum <= 0 < column.maximum and column.name not in ("share_provided", "unit_cost"):
        # Elsewhere more would be amiss: a number wants its unit or its currency beside it.
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
                yield edit(43, "long cycle", "R", long, 0, "aggregate_of", hint=min(ids))
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
            yield edit(43, "long cycle", "R", long, 0, "parent", hint=min(ids))
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
        old = {(i, "year"): "1990" for i in group if items[i] == items[group[0]]}
        if "year" in sheet.header:
            yield edit(51, "old figures", "W", old, group[0], "year")
        if "year" in sheet.header and whole is not None:
            yield edit(51, "years mixed", "W", {(whole, "year"): "2019"}, whole, "year")
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
