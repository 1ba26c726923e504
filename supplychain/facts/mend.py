"""Mends a data package where that loses nothing: each mend is told, and what could be read two ways is left alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from supplychain.errors import Problems, UsageError
from supplychain.facts.countries import is_country, likely_code
from supplychain.facts.folder import DESCRIPTOR, UTF8, read_contents
from supplychain.facts.raw import RawTable, guard
from supplychain.facts.schema import LISTS, NUMERIC, Column, Table, schema
from supplychain.facts.write import csv_bytes
from supplychain.files import make_folder, replacing, write_new

_TRUE, _FALSE = ("true", "yes", "y", "1"), ("false", "no", "n", "0")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d+")  # a decimal point too: no other reading
_PERCENT = re.compile(r"[+-]?(\d+(\.\d+)?|\.\d+)\s*%")
_DAY = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})")
MENDS = ["table", "row", "column", "before", "after", "why"]


@dataclass(frozen=True)
class Mended:
    """The tables of a package as text after mending, and every mend (MENDS: one row each; row 1 is the header)."""

    descriptor: dict[str, Any]
    tables: dict[str, dict[str, pa.Array]]
    mends: pd.DataFrame
    unread: tuple[str, ...]


def mend(path: Path, encoding: str = UTF8) -> Mended:
    """Return the package at `path` with the mends that lose nothing: headers as in the schema, stray spaces, yes/no,
    percents of fractions, thousands separators beside a decimal point, days written Y/M/D, exact names of countries,
    upper-case identifiers (where no two become one), rows that repeat another whole, text in another `encoding`.

    Files that cannot be read at all are named in `unread`. Raises UsageError when there is nothing at `path`.
    """
    problems = Problems()
    contents = read_contents(path, problems, encoding)
    name = contents.descriptor.get("supplychain", {}).get("schema")
    kind = schema(name if name in ("network", "regimes") else "regimes" if "controls" in contents.tables else "network")
    found: list[tuple[Any, ...]] = []
    tables: dict[str, dict[str, pa.Array]] = {}
    for raw in contents.tables.values():
        table = kind[raw.name] if raw.name in kind.names else None
        tables[raw.name] = _table(raw, table, found)
    descriptor = dict(contents.descriptor)
    if not descriptor:
        descriptor = {"name": path.resolve().stem}
        found.append(("", 0, "", "", DESCRIPTOR, "a package has a descriptor"))
    descriptor["supplychain"] = {**descriptor.get("supplychain", {}), "schema": kind.name}
    mends = pd.DataFrame(found, columns=MENDS).sort_values(["table", "row", "column"], kind="stable", ignore_index=True)
    return Mended(descriptor, tables, mends, tuple(sorted(contents.failed)))


def write_mended(mended: Mended, path: Path) -> None:
    """Write the mended tables as a new folder of CSV; UsageError when there is something at `path`."""
    if path.exists():
        raise UsageError(f"{str(path)!r} is there already: a mended copy goes to a new folder")
    described = {key: value for key, value in mended.descriptor.items() if key != "resources"}
    described["resources"] = [{"name": name, "path": f"{name}.csv"} for name in mended.tables]
    data = {
        f"{name}.csv": csv_bytes({head: guard(cells) for head, cells in columns.items()})
        for name, columns in mended.tables.items()
    }
    text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
    make_folder(path.parent)
    with replacing(path) as work:
        for name, content in {**data, DESCRIPTOR: text.encode()}.items():
            write_new(work / name, content)


def _table(raw: RawTable, table: Table | None, found: list[tuple[Any, ...]]) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    names = table.names if table else ()
    for header, cells in raw.cells.items():
        plain = header.strip().lower().replace(" ", "_").replace("-", "_")
        name = plain if plain in names and (plain == header or plain not in raw.cells) else header
        if name != header:
            found.append((raw.name, 1, name, header, name, "headers are written as in the schema"))
        column = table[name] if table and name in names else None
        columns[name] = _column(cells, column, raw, name, found)
    return _without_repeats(columns, table, raw, found)


def _column(
    cells: pa.ChunkedArray, column: Column | None, raw: RawTable, name: str, found: list[tuple[Any, ...]]
) -> pa.Array:
    text = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    if column is None or not len(text):
        return text.cast(pa.string())
    encoded = pc.dictionary_encode(text)
    words = [str(word) for word in encoded.dictionary.to_pylist()]
    mender = _mender(column, words)
    after, why = zip(*(mender(word) for word in words), strict=True)
    changed = np.array([a != b for a, b in zip(words, after, strict=True)])
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    for position in np.flatnonzero(changed[codes]):
        word = codes[position]
        found.append((raw.name, int(raw.rows[position]), name, words[word], after[word], why[word]))
    return pa.array(after, pa.string()).take(pa.array(codes))


def _mender(column: Column, words: list[str]) -> Callable[[str], tuple[str, str]]:
    """Return the function that gives a cell's mended text and the reason."""
    lowered = [word.strip().lower() for word in words]
    distinct = len(set(lowered)) == len({word.strip() for word in words})

    def one(word: str) -> tuple[str, str]:
        text = word.strip()
        if text != word and column.type != "text":
            return (one(text)[0], "no spaces around a cell")
        if column.type in NUMERIC:
            return _number(text, column)
        if column.type == "boolean":
            low = text.lower()
            made = "true" if low in _TRUE else "false" if low in _FALSE else text
            return made, "truth is written true or false"
        if column.type in ("date", "when") and (match := _DAY.fullmatch(text)):
            return f"{match[1]}-{int(match[2]):02d}-{int(match[3]):02d}", "days are written YYYY-MM-DD"
        if column.type == "country" and text and not is_country(text):
            return likely_code(text) or text, "countries are ISO 3166-1 alpha-3; this name is exactly one"
        if column.type == "id" and distinct:
            return text.lower(), "identifiers are lower case"
        if column.type in LISTS:
            parts = [part.strip() for part in text.split(";")]
            return ";".join(part for part in parts if part), "members of a list are not blank"
        if column.values and not column.references and text.lower() in column.values:
            return text.lower(), "words are written as in the schema"
        return text if column.type != "text" else word, ""

    return one


def _number(text: str, column: Column) -> tuple[str, str]:
    if _PERCENT.fullmatch(text) and column.maximum == 1:
        return f"{(Decimal(text.rstrip('% ')) / 100).normalize():f}", "fractions run from 0 to 1: 45% is 0.45"
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", ""), "no thousands separators"
    return text, ""


def _without_repeats(
    columns: dict[str, pa.Array], table: Table | None, raw: RawTable, found: list[tuple[Any, ...]]
) -> dict[str, pa.Array]:
    """Drop rows that say the same as an earlier one in every column, where the table has a key."""
    if table is None or not table.key or not all(name in columns for name in table.key) or not len(raw):
        return columns
    frame = pd.DataFrame({name: cells.to_pandas() for name, cells in columns.items()})
    again = frame.duplicated().to_numpy(bool) & (frame != "").any(axis=1).to_numpy(bool)
    for position in np.flatnonzero(again):
        key = ", ".join(frame[name].iloc[position] for name in table.key)
        found.append(
            (raw.name, int(raw.rows[position]), ", ".join(table.key), key, "", "the row repeats another: dropped")
        )
    keep = pa.array(np.flatnonzero(~again))
    return {name: cells.take(keep) for name, cells in columns.items()}
