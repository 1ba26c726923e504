"""Writes data packages, as a folder of CSV or Parquet tables or as one XLSX: whole or not at all, and always alike."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from supplychain.errors import UsageError
from supplychain.facts.folder import DESCRIPTOR
from supplychain.facts.raw import guard
from supplychain.facts.schema import NUMERIC, Table, schema
from supplychain.facts.workbook import write_workbook
from supplychain.files import MANIFEST, check_free, make_folder, replace_file, replacing, write_new

if TYPE_CHECKING:
    from supplychain.facts.package import Package

FORMATS = ("csv", "parquet")
Check = Callable[[Path], object]


def write_package(
    package: Package,
    path: Path | str,
    *,
    format: str = "csv",
    overwrite: bool = False,
    companions: Mapping[str, bytes] | None = None,
    check: Check | None = None,
) -> None:
    """Write `package` to `path`: a workbook when it ends in .xlsx, else a folder with one file per table.

    Empty optional tables are left out. Everything is written beside `path` and then renamed, so that an interrupted run
    leaves the old state. `overwrite` is needed to replace what is there; the other files of a replaced folder are kept.
    `companions` are files that stand beside the tables. `check` is handed the written package before it takes its
    place; when it raises, nothing changes.
    """
    target = Path(path)
    if format not in FORMATS:
        raise UsageError(f"format is one of {', '.join(FORMATS)}, not {format!r}")
    if not (target.is_dir() and not any(target.iterdir())):
        check_free(target, overwrite)
    kind = schema(package.schema)
    tables = {
        table.name: package.tables[table.name]
        for table in kind.tables
        if table.required or len(package.tables[table.name])
    }
    make_folder(target.parent)
    if target.suffix.lower() == ".xlsx":
        texts = {name: _columns(frame, kind[name], native=True) for name, frame in tables.items()}
        _place_workbook(target, write_workbook(_descriptor(package, {}), texts), check)
    else:
        _write_folder(package, tables, target, format, companions or {}, check)


def _descriptor(package: Package, files: Mapping[str, str]) -> dict[str, Any]:
    described = {key: value for key, value in package.descriptor.items() if key != "resources"}
    described.setdefault("name", package.name)
    described["supplychain"] = {**described.get("supplychain", {}), "schema": package.schema}
    kinds = {".csv": "csv", ".parquet": "parquet"}
    before = {entry["name"]: entry for entry in package.descriptor.get("resources", [])}
    if files:
        described["resources"] = [
            {**before.get(name, {}), "name": name, "path": file, "format": kinds[Path(file).suffix]}
            for name, file in files.items()
        ]
    return described


def _place_workbook(target: Path, data: bytes, check: Check | None) -> None:
    if check is None:
        replace_file(target, data)
        return
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        trial = Path(folder, target.name)
        write_new(trial, data)
        check(trial)
    replace_file(target, data)


def _write_folder(
    package: Package,
    tables: Mapping[str, pd.DataFrame],
    target: Path,
    format: str,
    companions: Mapping[str, bytes],
    check: Check | None,
) -> None:
    kind = schema(package.schema)
    files = {name: f"{name}.{format}" for name in tables}
    with replacing(target) as work:
        for name, frame in tables.items():
            if format == "csv":
                data = csv_bytes(_columns(frame, kind[name], native=False))
            else:
                data = _parquet(_columns(frame, kind[name], native=True))
            write_new(work / files[name], data)
        text = json.dumps(_descriptor(package, files), indent=2, ensure_ascii=False) + "\n"
        write_new(work / DESCRIPTOR, text.encode())
        for name, data in companions.items():
            write_new(work / name, data)
        if check is not None:
            check(work)
        if target.exists():
            _keep_others(target, work)


def _keep_others(target: Path, work: Path) -> None:
    """Copy what is not a table or descriptor from the folder that will be replaced."""
    if not (target / DESCRIPTOR).is_file() and any(target.iterdir()):
        raise UsageError(f"{str(target)!r} is not a data package and will not be replaced")
    tables = {f"{path.stem}{suffix}" for path in work.iterdir() for suffix in (".csv", ".parquet")}
    for entry in sorted(target.iterdir()):
        if entry.name in (DESCRIPTOR, MANIFEST) or entry.name in tables or (work / entry.name).exists():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, work / entry.name, symlinks=True)
        else:
            shutil.copy2(entry, work / entry.name, follow_symlinks=False)


def _columns(frame: pd.DataFrame, table: Table, *, native: bool) -> dict[str, pa.Array]:
    """Return the columns in canonical order: as text for CSV, or (`native`) numbers, days and truth values as such."""
    known = {column.name: column for column in table.columns}
    columns: dict[str, pa.Array] = {}
    for name in [*known, *(other for other in frame.columns if other not in known)]:
        kind = known[name].type if name in known else "text"
        values = pa.array(frame[name], from_pandas=True)
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if kind in NUMERIC:
            values = values.cast(pa.float64())
        elif kind == "date":
            values = values.cast(pa.date32(), safe=False)
        elif kind != "boolean":
            values = pc.fill_null(values.cast(pa.string()), "")
        columns[name] = values if native else _text(values)
    return columns


def table_text(frame: pd.DataFrame, table: Table) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the header and the records of a table as the texts that its CSV would hold."""
    columns = _columns(frame, table, native=False)
    return list(columns), list(zip(*(column.to_pylist() for column in columns.values()), strict=True))


def _text(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return guard(values)
    return pc.fill_null(values.cast(pa.string()), "")


def csv_bytes(columns: Mapping[str, pa.Array]) -> bytes:
    """Return columns of text as the bytes of a CSV."""
    # Not csv.writer: before Python 3.13 it leaves a lone carriage return unquoted, and the file cannot be read back.
    header = pa.array(list(columns), pa.string())
    quoted = [_quoted(column).cast(pa.large_string()) for column in columns.values()]
    records = pc.binary_join_element_wise(*quoted, pa.scalar(",", pa.large_string()))
    return "".join(f"{line}\n" for line in [",".join(_quoted(header).to_pylist()), *records.to_pylist()]).encode()


def _quoted(texts: pa.Array) -> pa.Array:
    needed = pc.match_substring_regex(texts, '[",\r\n]')
    inside = pc.replace_substring(texts, '"', '""')
    return pc.if_else(needed, pc.binary_join_element_wise('"', inside, '"', ""), texts)


def _parquet(columns: Mapping[str, pa.Array]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(columns)), sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())
