"""A user's own law laid over a book: a folder that holds only the rows that are new or different.

An overlay folder has any of the tables of the book (`controls.csv`, `groups.csv`, `exceptions.csv`, ...). A row whose
key is in the book corrects that row: what it fills takes the place of the book's value, what it leaves blank stays.
Any other row is added. A table `removals.csv` (columns table, key, source, note) takes rows out. Later overlays lie
over earlier ones.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from supplychain.errors import Problems, UsageError
from supplychain.facts.cells import Place, blank_column, convert
from supplychain.facts.folder import read_contents
from supplychain.facts.raw import RawTable
from supplychain.facts.schema import Column, Table, schema
from supplychain.facts.tables import Loaded, check_periods, check_references
from supplychain.regimes.book import RegimeBook
from supplychain.regimes.check import Rows, find_faults

REMOVALS = "removals"
_KEY = "; "  # joins the parts of a key in `removals` and in `changes`


def overlay(book: RegimeBook, folder: Path | str) -> RegimeBook:
    """Return the book with the overlay at `folder` laid over it.

    Raises UsageError when there is no such folder, InputError with every fault: unknown tables, columns, states,
    codes or references, a control without source, a control without a date that is not marked as proposed,
    overlapping periods.
    """
    path = Path(folder)
    if not path.is_dir():
        raise UsageError(f"no overlay folder at {path}; it holds tables such as controls.csv")
    problems = Problems()
    contents = read_contents(path, problems)
    kind = schema("regimes")
    tables = {name: frame.copy() for name, frame in book.tables.items()}
    rows = {name: frame.index.to_numpy(np.int64) + 2 for name, frame in tables.items()}
    for name, raw in sorted(contents.tables.items()):
        if name == REMOVALS:
            _remove(tables, rows, raw, problems)
    for name, raw in sorted(contents.tables.items()):
        if name in kind.names:
            tables[name], rows[name] = _lay(tables[name], rows[name], raw, kind[name], problems)
        elif name != REMOVALS:
            rule = f"an overlay holds tables of a regime book ({', '.join(kind.names)}) or {REMOVALS}"
            problems.add("overlay-table", rule, "rename it or take it out", file=raw.file, table=name)
    if not contents.tables and not problems.errors:
        problems.add("overlay-empty", "an overlay holds at least one table", "add controls.csv", file=str(path))
    loaded = {name: Loaded(name, f"{name}.csv", frame, rows[name]) for name, frame in tables.items()}
    check_references(loaded, kind, problems)
    check_periods(loaded, problems)
    find_faults(tables, problems, rows)
    problems.raise_if_any()
    return book.with_tables(f"overlay {path.name}", **tables)


def changes(before: RegimeBook, after: RegimeBook) -> pd.DataFrame:
    """Return what differs between two books: table, key, change (added | removed | changed), column, was, is."""
    rows: list[tuple[str, ...]] = []
    kind = schema("regimes")
    for name in kind.names:
        key = list(kind[name].key)
        old, new = _texts(before.tables[name], key), _texts(after.tables[name], key)
        rows += [(name, label, "added", "", "", _brief(new[label])) for label in sorted(new.keys() - old.keys())]
        rows += [(name, label, "removed", "", _brief(old[label]), "") for label in sorted(old.keys() - new.keys())]
        for label in sorted(old.keys() & new.keys()):
            for column, value in new[label].items():
                if old[label].get(column, "") != value:
                    rows.append((name, label, "changed", column, old[label].get(column, ""), value))
    return pd.DataFrame(rows, columns=["table", "key", "change", "column", "was", "is"])


def _lay(
    base: pd.DataFrame, base_rows: Rows, raw: RawTable, table: Table, problems: Problems
) -> tuple[pd.DataFrame, Rows]:
    """Return the table with the overlay's rows over, or behind, its own, and the row of each record in its file."""
    place = Place(raw.file, table.name, raw.rows)
    unknown = [name for name in raw.cells if name not in table.names]
    for name in unknown:
        rule = f"the schema of {table.name} has no such column"
        problems.add("unknown-column", rule, "correct the name", file=raw.file, table=table.name, row=1, column=name)
    missing = [name for name in table.key if name not in raw.cells and table[name].filled]
    for name in missing:
        rule = f"an overlay names the key of each row: {', '.join(table.key)}"
        problems.add("column-missing", rule, "add the column", file=raw.file, table=table.name, row=1, column=name)
    if unknown or missing:
        return base, base_rows
    given = {
        name: convert(raw.cells[name], _loose(table, name), place, problems)
        for name in table.names
        if name in raw.cells
    }
    typed = {name: given.get(name, blank_column(table[name], len(raw))) for name in table.names}
    rows = pd.DataFrame(typed)
    keys = list(table.key)
    own, theirs = pd.MultiIndex.from_frame(base[keys]), pd.MultiIndex.from_frame(rows[keys])
    for position in theirs.duplicated().nonzero()[0]:
        problems.add(
            "duplicate-key",
            f"{', '.join(keys)} is unique",
            "keep one of the rows",
            file=raw.file,
            table=table.name,
            row=int(raw.rows[position]),
        )
    at = own.get_indexer(theirs) if own.is_unique and theirs.is_unique else [-1] * len(rows)
    target = np.asarray(at, np.int64)
    laid, where = base.copy(), base_rows.copy()
    where[target[target >= 0]] = raw.rows[target >= 0]
    for name in given:
        say = (target >= 0) & ~_blank(rows[name])
        laid.loc[laid.index[target[say]], name] = rows.loc[say, name].to_numpy()
    added = rows[target < 0]
    for name in table.names:
        if table[name].filled and len(added):
            for position in added.index[_blank(added[name])]:
                rule, cure = f"a new row of {table.name} fills {name}", table[name].description
                row = int(raw.rows[position])
                problems.add("blank", rule, cure, file=raw.file, table=table.name, row=row, column=name)
    if not len(added):
        return laid, where
    return pd.concat([laid, added], ignore_index=True), np.concatenate([where, raw.rows[target < 0]])


def _blank(column: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(column.isna() | (column.astype("str") == ""), bool)


def _loose(table: Table, name: str) -> Column:
    """The column with blanks allowed: what an overlay leaves blank is judged after it is laid over the book."""
    return replace(table[name], filled=False)


def _remove(tables: dict[str, pd.DataFrame], places: dict[str, Rows], raw: RawTable, problems: Problems) -> None:
    kind = schema("regimes")
    columns = {name: [str(cell).strip() for cell in cells.to_pylist()] for name, cells in raw.cells.items()}
    if not {"table", "key", "source"} <= columns.keys():
        rule = f"{REMOVALS} has the columns table, key and source"
        problems.add("column-missing", rule, "add the column", file=raw.file, table=REMOVALS, row=1)
        return
    rows = zip(columns["table"], columns["key"], columns["source"], raw.rows, strict=True)
    for name, key, source, row in rows:
        where: dict[str, Any] = {"file": raw.file, "table": REMOVALS, "row": int(row)}
        if name not in kind.names:
            problems.add(
                "removal",
                "a removal names a table of the book",
                "correct the name",
                column="table",
                value=name,
                **where,
            )
            continue
        if not source:
            problems.add(
                "removal", "a removal has a source", "say where it comes from, or none", column="source", **where
            )
        labels = _labels(tables[name], list(kind[name].key))
        keep = labels != key
        if keep.all():
            problems.add(
                "removal", f"{name} has a row with this key", "look it up in the book", column="key", value=key, **where
            )
        places[name] = places[name][keep.to_numpy(bool)]
        tables[name] = tables[name][keep.to_numpy(bool)].reset_index(drop=True)


def _labels(frame: pd.DataFrame, key: list[str]) -> pd.Series[str]:
    parts = [_plain(frame[name]) for name in key]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + _KEY + part
    return pd.Series(joined.str.rstrip("; "), dtype="str")


def _plain(column: pd.Series[Any]) -> pd.Series[str]:
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.Series(column.dt.strftime("%Y-%m-%d").fillna(""), dtype="str")
    return column.astype("str").fillna("")


def _texts(frame: pd.DataFrame, key: list[str]) -> dict[str, dict[str, str]]:
    plain = pd.DataFrame({name: _plain(frame[name]) for name in frame.columns})
    rows = [{str(k): str(v) for k, v in row.items()} for row in plain.to_dict("records")]
    return dict(zip(_labels(frame, key), rows, strict=True))


def _brief(row: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items() if value and name not in ("note", "source"))
