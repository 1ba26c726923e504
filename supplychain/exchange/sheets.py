"""Writes result tables for others as XLSX, CSV, JSON or Parquet: nothing in them can run; same content, same bytes."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from supplychain.errors import UsageError, json_shown
from supplychain.facts.raw import guard
from supplychain.facts.workbook import write_workbook
from supplychain.facts.write import csv_bytes
from supplychain.files import MANIFEST, check_free, make_folder, replace_file, replacing, write_new

SUFFIXES = (".xlsx", ".csv", ".json", ".parquet")


@cache
def fields(kind: str) -> dict[str, dict[str, str]]:
    """Return what each field of each table of a format means: {table: {field: description}} (`fields.csv`)."""
    text = files("supplychain.exchange").joinpath("fields.csv").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(text.splitlines(), strict=True):
        if kind in row["formats"].split(";"):
            found.setdefault(row["table"], {})[row["field"]] = row["description"]
    return found


def write_tables(
    kind: str, tables: Mapping[str, pd.DataFrame], about: Mapping[str, Any], path: Path, *, overwrite: bool = False
) -> None:
    """Write the tables of one format to `path`, by its ending: a sheet each, one JSON object, or (CSV, Parquet) the
    last table, which repeats what the others say.

    `about` (date, buyer, solver status...) and the meaning of each field go along in XLSX, JSON and Parquet.
    Raises UsageError for another ending or an existing file, EnvironmentFault when the file cannot be written.
    """
    suffix = writable(path, overwrite)
    make_folder(path.parent)
    replace_file(path, _bytes(kind, tables, about, suffix))


def _bytes(kind: str, tables: Mapping[str, pd.DataFrame], about: Mapping[str, Any], suffix: str) -> bytes:
    arrays = {name: _arrays(table) for name, table in tables.items()}
    described = {"format": kind, **about, "fields": fields(kind)}
    last = arrays[list(arrays)[-1]]
    if suffix == ".xlsx":
        return write_workbook(described, arrays)
    if suffix == ".json":
        rows = {name: pa.table(columns).to_pylist() for name, columns in arrays.items()}
        return (json_shown(json.dumps({**described, **rows}, ensure_ascii=False, indent=2)) + "\n").encode()
    if suffix == ".csv":
        return csv_bytes({name: _text(column) for name, column in last.items()})
    sink = pa.BufferOutputStream()
    table = pa.table(last).replace_schema_metadata({"supplychain": json.dumps(described, ensure_ascii=False)})
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def writable(path: Path, overwrite: bool) -> str:
    """Return the ending of `path`; UsageError when nothing of that kind can be written there."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path.name!r}: name a file that ends in {', '.join(SUFFIXES)}")
    check_free(path, overwrite)
    return suffix


def write_folder(
    kind: str,
    tables: Mapping[str, pd.DataFrame],
    about: Mapping[str, Any],
    folder: Path,
    form: str,
    *,
    overwrite: bool = False,
) -> None:
    """Write one file per table (`form` csv or parquet) into `folder`, or one file when it ends in .xlsx or .json."""
    if folder.suffix.lower() in (".xlsx", ".json"):
        write_tables(kind, tables, about, folder, overwrite=overwrite)
        return
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is a file: name a folder, or a file that ends in .xlsx or .json")
    written = {f"{name}.{form}": {name: table} for name, table in tables.items()}
    for name in written:
        check_free(folder / name, overwrite)
    others = {entry.name for entry in folder.iterdir()} - {*written, MANIFEST} if folder.exists() else set()
    if others:
        raise UsageError(f"{str(folder)!r} holds other files, such as {min(others)}: name another folder")
    make_folder(folder.parent)
    with replacing(folder) as work:
        for name, parts in written.items():
            write_new(work / name, _bytes(kind, parts, about, f".{form}"))


def _arrays(table: pd.DataFrame) -> dict[str, pa.Array]:
    """Return the columns as string, whole number, number or truth value; a blank number is null."""
    columns: dict[str, pa.Array] = {}
    for name in table.columns:
        values = table[name]
        if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
            array = pa.array(values, from_pandas=True)
        else:
            array = pa.array(["" if value is None or value != value else str(value) for value in values], pa.string())
        columns[str(name)] = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return columns


def _text(column: pa.Array) -> pa.Array:
    return guard(column) if pa.types.is_string(column.type) else column.cast(pa.string()).fill_null("")
