"""The files of a data package: which file holds which table, what may not be read, and the hash of what was read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from supplychain.errors import EnvironmentFault, Problems, UsageError
from supplychain.facts.child import Job, read_apart
from supplychain.facts.csvfile import csv_grid, read_csv
from supplychain.facts.raw import MAX_FILE, RawTable
from supplychain.facts.schema import table_names

DESCRIPTOR = "datapackage.json"
UTF8 = "utf-8"
# Files that belong in a data package beside its tables.
_COMPANIONS = frozenset({"readme.md", "card.md", "licence", "license", "licence.md", "license.md", "manifest.json"})
_TABLES = (".csv", ".parquet")
_MAX_DESCRIPTOR = 4_000_000
_MAX_DIGITS = 300


@dataclass(frozen=True)
class Contents:
    """What the files of a package hold: raw tables by name, and the names of tables whose file was refused."""

    descriptor: dict[str, Any]
    tables: dict[str, RawTable]
    failed: frozenset[str]
    hashes: dict[str, str]


def read_contents(path: Path, problems: Problems, encoding: str = UTF8) -> Contents:
    """Read a folder or one workbook; faults go to `problems`. CSV tables that are not UTF-8 are in `encoding`.

    Raises UsageError when `path` is not there and EnvironmentFault when the system refuses to read it.
    """
    if not path.exists() and not path.is_symlink():
        raise UsageError(f"there is no data package at {str(path)!r}")
    if path.is_dir():
        return _read_folder(path, problems, encoding)
    if path.suffix.lower() != ".xlsx":
        raise UsageError(f"{str(path)!r} is not a data package: give its folder, or one .xlsx workbook")
    data = _bytes(path, path.name, "", problems)
    if data is None:
        return Contents({}, {}, frozenset(), {})
    found = read_apart([Job("workbook", "", path.name, data)], problems)[0]
    hashes = {path.name: _sha256(data)}
    _unchanged(path.parent, hashes, problems)
    return Contents(found.descriptor, found.tables, found.failed, hashes)


def read_table_file(path: Path, problems: Problems, encoding: str = UTF8) -> RawTable | None:
    """Read one CSV or Parquet file, or the first sheet of a workbook, under the rules of packages.

    Raises UsageError when there is nothing at `path` or its name says another kind.
    """
    kind = path.suffix.lower()
    if not path.exists():
        raise UsageError(f"there is no file at {str(path)!r}")
    if kind not in (*_TABLES, ".xlsx"):
        raise UsageError(f"{path.name!r} is not a .csv, .parquet or .xlsx file")
    data = _bytes(path, path.name, "", problems)
    if data is None:
        return None
    if kind == ".csv":
        return _csv(data, path.stem, path.name, problems, encoding)
    if kind == ".parquet":
        return read_apart([Job("parquet", path.stem, path.name, data)], problems)[0].tables.get(path.stem)
    tables = read_apart([Job("workbook", "", path.name, data)], problems)[0].tables
    if not tables and not problems.errors:
        problems.add("file-empty", "the workbook has a sheet with a header and rows", file=path.name)
    return next(iter(tables.values()), None)


def _csv(data: bytes, name: str, file: str, problems: Problems, encoding: str) -> RawTable | None:
    text = _utf8(data, name, file, problems, encoding)
    return None if text is None else read_csv(text, name, file, problems)


def _utf8(data: bytes, name: str, file: str, problems: Problems, encoding: str) -> bytes | None:
    """Return the text as UTF-8, or None after a problem: it is neither that nor in the encoding that the user named."""
    if encoding == UTF8:
        return data
    try:
        if b"\0" not in data and data.decode():
            return data
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(encoding).encode()
    except (UnicodeError, LookupError) as error:
        line = data.count(b"\n", 0, getattr(error, "start", 0)) + 1
        cure = f"give another --encoding ({error.reason if isinstance(error, UnicodeDecodeError) else error})"
        problems.add("encoding", f"text is {encoding}", cure, file=file, table=name, row=line)
        return None


def read_grid(path: Path, problems: Problems, encoding: str = UTF8) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read the cells of a CSV file or of the first sheet of a workbook whose header may repeat names: the header, and
    each record with its row number, padded to the header. Raises UsageError when there is no such file."""
    kind = path.suffix.lower()
    if not path.exists():
        raise UsageError(f"there is no file at {str(path)!r}")
    if kind not in (".csv", ".xlsx"):
        raise UsageError(f"{path.name!r} is not a .csv or .xlsx file")
    data = _bytes(path, path.name, "", problems)
    if data is None:
        return [], []
    if kind == ".csv":
        text = _utf8(data, "", path.name, problems, encoding)
        rows = csv_grid(text, path.name, problems) if text is not None else []
    else:
        rows = read_apart([Job("grid", "", path.name, data)], problems)[0].rows
    if not rows and not problems.errors:
        problems.add("file-empty", "the file has a header and records", file=path.name)
    if not rows or problems.errors:
        return [], []
    header = rows[0][1]
    for number, record in rows[1:]:
        if any(record[len(header) :]):
            cure = "the record has more cells than the header: quote commas inside cells"
            problems.add("ragged", "records are as wide as the header", cure, file=path.name, row=number)
    return header, [
        (number, [*record[: len(header)], *[""] * (len(header) - len(record))]) for number, record in rows[1:]
    ]


def _read_folder(folder: Path, problems: Problems, encoding: str) -> Contents:
    hashes: dict[str, str] = {}
    descriptor = _read_descriptor(folder, hashes, problems)
    tables: dict[str, RawTable] = {}
    apart: list[Job] = []
    files = _table_files(folder, descriptor, problems)
    for name, file in files.items():
        data = _bytes(folder / file, file, name, problems, folder)
        if data is None:
            continue
        hashes[file] = _sha256(data)
        if file.lower().endswith(".parquet"):
            apart.append(Job("parquet", name, file, data))
            continue
        raw = _csv(data, name, file, problems, encoding)
        if raw is not None:
            tables[name] = raw
    for found in read_apart(apart, problems):
        tables.update(found.tables)
    _unchanged(folder, hashes, problems)
    failed = frozenset(files.keys() - tables.keys())
    return Contents(descriptor, tables, failed, dict(sorted(hashes.items())))


def _unchanged(folder: Path, hashes: dict[str, str], problems: Problems) -> None:
    """Hash every file again: what changed while it was read may have been read half old, half new."""
    for file, digest in hashes.items():
        try:
            with (folder / file).open("rb") as stream:
                now = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            now = ""
        if now != digest:
            rule, cure = "a file stays as it is while it is read", "something wrote to it: try again when that is done"
            problems.add("changed", rule, cure, file=file)


def _read_descriptor(folder: Path, hashes: dict[str, str], problems: Problems) -> dict[str, Any]:
    if not (folder / DESCRIPTOR).exists():
        problems.warn(
            "descriptor",
            "a data package has a datapackage.json (name, title, version, licences, resources)",
            "write one; tables are taken by the names of their files",
            file=DESCRIPTOR,
        )
        return {}
    data = _bytes(folder / DESCRIPTOR, DESCRIPTOR, "", problems)
    if data is None:
        return {}
    hashes[DESCRIPTOR] = _sha256(data)
    return parse_descriptor(data, DESCRIPTOR, problems)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; of a key that stands twice one value would be dropped without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = sorted({key for key, _ in pairs if sum(other == key for other, _ in pairs) > 1})
        raise ValueError(f"{', '.join(map(repr, twice))} stands twice in one object")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _whole(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)


def _is_day(value: object) -> bool:
    """Is it "" (unknown) or a day that text of the schema may name?"""
    if not isinstance(value, str) or not (value == "" or re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII)):
        return False
    try:
        return value == "" or 1800 <= date.fromisoformat(value).year <= 2200
    except ValueError:
        return False


def parse_descriptor(data: bytes, file: str, problems: Problems) -> dict[str, Any]:
    """Return the descriptor that `data` holds as JSON, {} after a problem when it is none."""
    try:
        if len(data) > _MAX_DESCRIPTOR:
            raise ValueError(f"larger than {_MAX_DESCRIPTOR:,} bytes")
        descriptor = json.loads(
            data.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_number, parse_int=_whole
        )
        if not isinstance(descriptor, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        problems.add("descriptor", "datapackage.json is a JSON object", "correct it", file=file, value=error)
        return {}
    own = descriptor.get("supplychain", {})
    resources = descriptor.get("resources", [])
    if isinstance(own, dict) and not _is_day(own.get("known_as_of", "")):
        rule, cure = "supplychain.known_as_of is the last day that the facts know of", "write it as YYYY-MM-DD"
        problems.add("known-as-of", rule, cure, file=file, value=own["known_as_of"])
    if not isinstance(own, dict):
        problems.add("descriptor", "'supplychain' is an object", 'e.g. {"schema": "network"}', file=file, value=own)
        descriptor["supplychain"] = {}
    good = isinstance(resources, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get("path"), str)
        for entry in resources
    )
    if not good:
        problems.add("descriptor", "'resources' lists objects with a name and a path", "correct it", file=file)
        descriptor["resources"] = []
    return descriptor


def _table_files(folder: Path, descriptor: dict[str, Any], problems: Problems) -> dict[str, str]:
    """Return the file (relative to the folder) of each table: the resources, then what lies beside them."""
    listed: dict[str, list[str]] = {}
    for entry in descriptor.get("resources", []):
        path = entry["path"]
        if not _inside(path, problems):
            continue
        if Path(path).suffix.lower() in _TABLES:
            listed.setdefault(entry["name"], []).append(Path(path).as_posix())
        elif entry["name"] in table_names():
            rule, cure = "a table is a .csv or .parquet file", "write it as one, and give that path"
            place = {"file": DESCRIPTOR, "table": entry["name"], "column": "resources"}
            problems.add("resource-kind", rule, cure, value=path, **place)
    known = {file for files in listed.values() for file in files}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = entry.name
        if name == DESCRIPTOR or name in known or name.startswith(".") or name.lower() in _COMPANIONS:
            continue
        if entry.suffix.lower() in (*_TABLES, ".xlsx") and not name.startswith("~$"):
            if descriptor.get("resources") and entry.stem.lower() not in listed:
                _stray(name, problems)
            else:
                listed.setdefault(entry.stem.lower(), []).append(name)
        elif not entry.is_dir():
            _stray(name, problems)
    files: dict[str, str] = {}
    for name, candidates in sorted(listed.items()):
        if len(candidates) > 1:
            problems.add(
                "table-twice",
                "a table stands in one file",
                f"delete all but one of {', '.join(candidates)}",
                file=candidates[1],
                table=name,
            )
        elif candidates[0].lower().endswith(".xlsx"):
            _stray(candidates[0], problems)
            continue
        files[name] = candidates[0]
    return files


def _stray(name: str, problems: Problems) -> None:
    problems.warn(
        "stray-file",
        "a package holds its descriptor and its tables",
        "not read: list it under resources in datapackage.json, or take it out",
        file=name,
    )


def _inside(path: str, problems: Problems) -> bool:
    parts = Path(path).parts
    if not path or Path(path).is_absolute() or ".." in parts or "\\" in path or ":" in path or "\0" in path:
        problems.add(
            "path-outside",
            "files of a package lie in its folder",
            "give a path relative to the folder, without '..'",
            file=DESCRIPTOR,
            column="resources",
            value=path,
        )
        return False
    return True


def _bytes(path: Path, shown: str, table: str, problems: Problems, folder: Path | None = None) -> bytes | None:
    """Return the content of a regular file of the package in `folder` (by default where the file lies), or None after
    a problem was added."""

    def refuse(code: str, rule: str, cure: str) -> None:
        problems.add(code, rule, cure, file=shown, table=table)

    try:
        if not _target_inside(path, folder or path.parent):
            refuse("link-outside", "links of a package stay in its folder", "put the file itself there")
            return None
        status = path.stat()
        if stat.S_ISDIR(status.st_mode) or not stat.S_ISREG(status.st_mode):
            refuse("not-a-file", "a table is a regular file", "this is a folder, pipe or device: put a file there")
            return None
        if status.st_size > MAX_FILE:
            refuse("file-size", f"a file has at most {MAX_FILE:,} bytes", "split it or write it as Parquet")
            return None
        return path.read_bytes()
    except FileNotFoundError:
        refuse("file-missing", "every file that the package lists is there", "add the file, or drop it from resources")
        return None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links on Python 3.11 and 3.12
        if isinstance(error, PermissionError):
            raise EnvironmentFault(f"cannot read {str(path)!r}: permission denied") from error
        if path.is_symlink():
            refuse(
                "link-outside", "links of a package stay in its folder and end at a file", "put the file itself there"
            )
            return None
        raise EnvironmentFault(f"cannot read {str(path)!r}: {error}") from error


def _target_inside(path: Path, folder: Path) -> bool:
    """Does what the path leads to, over whatever links, lie in the folder? A link must lead somewhere."""
    target = Path(os.path.realpath(path))
    return target.is_relative_to(os.path.realpath(folder)) and (target.exists() or not path.is_symlink())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
