"""Mutations of valid files that know their structure: cells, lines, keys, parts of archives; and plain bytes."""

from __future__ import annotations

import csv
import io
import random
import zipfile
from collections.abc import Callable

CELLS = [
    "",
    " ",
    "NaN",
    "inf",
    "-1",
    "0",
    "1",
    "1.5",
    "1e999",
    "1e-320",
    "-0",
    "99999999999999999999",
    "0x1F",
    "1_0",
    "٣",
    "45%",
    "12,5",
    "=1+1",
    "'=1",
    "#REF!",
    "true",
    "TRUE",
    "null",
    "NA",
    "none",
    "other",
    "2026-02-30",
    "0000-01-01",
    "9999-12-31",
    "2026-11-23",
    "c. 2025",
    "c. 99999",
    "XYZ",
    "IND",
    "ind",
    "US:",
    ":",
    ";",
    "a;;b",
    ";a",
    "US:3B001",
    "worldwide",
    "worldwide except",
    "D:5;MAC",
    "entity:",
    "end-use:x in",
    "de-minimis-25",
    "fdp@2026-99-99",
    "../../x",
    "/tmp/x",
    "<script>",
    "\x1b[31m",
    "\u200b",
    "e\u0301",
    "\ud800",
    "\U0001f600",
    "x" * 300,
    "4e492493924924",
    "\t",
    "''",
    "http://",
    "https://a b",
    "javascript:x",
    "%s{}",
    "$x",
    "\\",
    '"',
    "\r",
    "\ufeff",
    "1;2",
    "0.3;0.3",
]
BYTES = [
    b"",
    b"\0",
    b"\xff",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r",
    b"\r\n",
    b'"',
    b",",
    b";",
    b"\t",
    b"'",
    b"[",
    b"{",
    b"]",
    b"}",
    b"<",
    b"&",
    b"=",
    b"#",
    b"\\",
    b"1e400",
    b"-",
    b".",
    b"nan",
    b"\xc3\x28",
    b"<!DOCTYPE x>",
    b"[[" * 500,
]
VALUES = [
    "0",
    "-1",
    "1e400",
    "nan",
    "inf",
    "''",
    "'x'",
    "true",
    "[]",
    "{}",
    "[1, 2]",
    "['IND']",
    "{a = 1}",
    "2026-11-23",
    "2026-02-30",
    "99999999999999999999",
    "'$x'",
    "'../x'",
    "[[[[]]]]",
    "07:32:00",
    "1979-05-27T07:32:00Z",
    "0x1F",
]


def of_bytes(data: bytes, draw: random.Random) -> bytes:
    """Flip, insert, drop, double or cut."""
    at = draw.randrange(len(data) + 1)
    kind = draw.randrange(6)
    if kind == 0 and data:
        at = min(at, len(data) - 1)
        return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + draw.choice(BYTES) + data[at:]
    if kind == 2:
        return data[:at] + data[at + draw.choice([1, 2, 5, 40]) :]
    if kind == 3:
        return data[:at]
    if kind == 4:
        end = min(len(data), at + draw.choice([1, 8, 60, 400]))
        return data[:end] + data[at:end] * draw.choice([1, 2, 9]) + data[end:]
    other = draw.randrange(len(data) + 1)
    low, high = sorted((at, other))
    return data[:low] + data[high:] + data[low:high]


def of_lines(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    kind = draw.randrange(4)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[other])
    elif kind == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = of_bytes(lines[at], draw)
    return b"\n".join(lines)


def of_cells(data: bytes, draw: random.Random, delimiter: str = ",") -> bytes:
    """Change cells, columns and records of a CSV; what is no CSV gets other bytes."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error):
        return of_bytes(data, draw)
    rows = [row for row in rows if row]
    if not rows:
        return of_bytes(data, draw)
    for _ in range(draw.choice([1, 1, 2, 4])):
        at = draw.randrange(len(rows))
        if not rows[at]:
            continue
        column = draw.randrange(len(rows[at]))
        kind = draw.randrange(9)
        if kind < 5:
            rows[at][column] = draw.choice(CELLS)
        elif kind == 5:
            other = rows[draw.randrange(len(rows))]
            rows[at][column] = other[draw.randrange(len(other))] if other else ""
        elif kind == 6:
            for row in rows:
                del row[column : column + 1]
        elif kind == 7:
            rows[at].insert(column, draw.choice(CELLS))
        else:
            rows.append(list(rows[at]))
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=draw.choice(["\n", "\n", "\r\n"])).writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def of_toml(data: bytes, draw: random.Random) -> bytes:
    """Change the value or the key of a line."""
    lines = data.split(b"\n")
    keyed = [i for i, line in enumerate(lines) if b"=" in line]
    if not keyed or draw.random() < 0.2:
        return of_lines(data, draw)
    at = draw.choice(keyed)
    key, _, value = lines[at].partition(b"=")
    if draw.random() < 0.8:
        lines[at] = key + b"= " + draw.choice(VALUES).encode()
    else:
        lines[at] = of_bytes(key, draw) + b"=" + value
    return b"\n".join(lines)


def of_json(data: bytes, draw: random.Random) -> bytes:
    """Put another value after a colon or inside a list."""
    text = data.decode("utf-8", "replace")
    places = [i for i, c in enumerate(text) if c in ":[,"]
    if not places or draw.random() < 0.3:
        return of_bytes(data, draw)
    at = draw.choice(places)
    end = min((text.find(c, at + 1) for c in ",]}" if text.find(c, at + 1) > 0), default=len(text))
    new = draw.choice(
        ["null", "0", "-1", "1e999", '"x"', '""', "[]", "{}", "true", "[[1]]", '{"a": null}', "NaN", "[" * 5000]
    )
    return (text[: at + 1] + " " + new + text[end:]).encode()


def of_xml(data: bytes, draw: random.Random) -> bytes:
    """Drop, double or rename an element or an attribute."""
    parts = data.split(b"<")
    if len(parts) < 3 or draw.random() < 0.3:
        return of_bytes(data, draw)
    at, other = draw.randrange(1, len(parts)), draw.randrange(1, len(parts))
    kind = draw.randrange(4)
    if kind == 0:
        del parts[at]
    elif kind == 1:
        parts.insert(at, parts[other])
    elif kind == 2:
        parts[at], parts[other] = parts[other], parts[at]
    else:
        words = parts[at].split(b'"')
        words[draw.randrange(len(words))] = draw.choice(CELLS).encode("utf-8", "replace")
        parts[at] = b'"'.join(words)
    return b"<".join(parts)


def of_archive(data: bytes, draw: random.Random) -> bytes:
    """Change one part of a workbook and pack it again, or the bytes of the archive."""
    if draw.random() < 0.3:
        return of_bytes(data, draw)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            parts = {name: old.read(name) for name in old.namelist()}
    except Exception:  # broken by an earlier mutation, in one of many ways
        return of_bytes(data, draw)
    chosen = draw.choice(sorted(parts)) if parts else ""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for name, content in parts.items():
            if name == chosen and draw.random() < 0.1:
                continue
            changed = of_xml(content, draw) if name == chosen else content
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), changed)
    return out.getvalue()


Mutation = Callable[[bytes, random.Random], bytes]


def mutated(data: bytes, kinds: tuple[Mutation, ...], draw: random.Random) -> bytes:
    """Apply one to four mutations."""
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        data = draw.choice(kinds)(data, draw)
    return data
