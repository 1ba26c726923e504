"""Typed tables: a raw table and its schema in, a DataFrame out; then the rules that look across rows and tables.

Structure only (headers, keys, references, periods); what the facts mean is checked in `rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from supplychain.errors import Problems
from supplychain.facts import cells
from supplychain.facts.cells import Place, blank_column, convert, nearest, report
from supplychain.facts.raw import SHOWN, RawTable, plain_header
from supplychain.facts.schema import LISTS, Column, Schema, Table

_TOTAL = r"(?i)^\s*((grand |sub)?totals?|sums?|gesamt|summe):?\s*$"


@dataclass(frozen=True)
class Loaded:
    """A typed table with the place of each row. `frame` has a plain index; `rows[i]` is the row number in `file`."""

    name: str
    file: str
    frame: pd.DataFrame
    rows: np.ndarray

    @property
    def place(self) -> Place:
        return Place(self.file, self.name, self.rows)

    def row(self, position: int) -> int:
        return int(self.rows[position])


def empty(table: Table) -> Loaded:
    """Return the table without rows: what stands for an optional table that is absent."""
    frame = pd.DataFrame({column.name: blank_column(column, 0) for column in table.columns})
    return Loaded(table.name, "", frame, np.empty(0, dtype=np.int64))


def load(raw: RawTable, table: Table, problems: Problems) -> Loaded:
    """Return the typed table; unknown columns are kept as text behind the known ones."""
    found = _match_header(raw, table, problems)
    keep = record_rows(raw, found, problems)
    rows = raw.rows[keep]
    # A workbook to fill in has a sheet for every table; a file that holds nothing is a loss or a leftover.
    expected = table.required or not (table.may_be_empty or "!" in raw.file)
    if expected and not len(rows) and not problems_in(problems, raw.file):
        cure = "add rows" if table.required else "add rows, or delete the file: a table without a file is empty"
        problems.add("table-empty", "a table has rows", cure, file=raw.file, table=table.name, row=1)
    place = Place(raw.file, table.name, rows)
    selection = None if keep.all() else pa.array(np.flatnonzero(keep))
    typed: dict[str, pd.Series] = {}
    for column in table.columns:
        if column.name not in found:
            typed[column.name] = blank_column(column, len(rows))
            continue
        texts = raw.cells[found[column.name]]
        typed[column.name] = convert(texts if selection is None else texts.take(selection), column, place, problems)
    for header in raw.cells:
        if header not in found.values():
            texts = raw.cells[header] if selection is None else raw.cells[header].take(selection)
            typed[header.strip()] = convert(texts, _free_column(header.strip()), place, problems)
    frame = pd.DataFrame(typed)
    return _distinct(Loaded(table.name, raw.file, frame, rows), table, problems)


def problems_in(problems: Problems, file: str) -> bool:
    return any(problem.file == file for problem in problems.errors)


def _free_column(name: str) -> Column:
    return Column(name, "text", False, False, False, "", 0.0, 0.0, (), "", "", "")


def match_headers(raw: RawTable, names: Sequence[str], unknown: str, problems: Problems) -> dict[str, str]:
    """Return for each of `names` the header under which it stands in the file; `unknown` tells of a header that is no
    variant of any."""
    found = {name: name for name in names if name in raw.cells}
    for header in raw.cells:
        if header in found:
            continue
        plain = plain_header(header)
        place: dict[str, Any] = {"file": raw.file, "table": raw.name, "row": 1, "column": header}
        if plain in names and plain not in found:
            found[plain] = header
            cure = f"read as {plain!r}; rename it"
            problems.warn("header-variant", "headers are written as in the schema", cure, **place)
        else:
            cure = nearest(plain, list(names)) or "delete it, or keep it for your own use"
            problems.warn("unknown-column", unknown, cure, **place)
    return found


def _match_header(raw: RawTable, table: Table, problems: Problems) -> dict[str, str]:
    """Return for each column of the schema the header under which it stands in the file."""
    unknown = f"the schema of {table.name} has no such column; it changes no result"
    found = match_headers(raw, table.names, unknown, problems)
    for column in table.columns:
        if column.present and column.name not in found:
            problems.add(
                "column-missing",
                f"table {table.name} has a column {column.name}: {column.description or column.type}",
                "add the column" + ("" if column.filled else "; its cells may be blank"),
                file=raw.file,
                table=table.name,
                row=1,
                column=column.name,
            )
    return found


def record_rows(raw: RawTable, found: Mapping[str, str], problems: Problems) -> np.ndarray:
    """Return which rows are records: blank ones are passed over, repeated headers and totals are faults."""
    if not len(raw):
        return np.zeros(0, dtype=bool)
    filled: np.ndarray = np.zeros(len(raw), dtype=bool)
    for texts in raw.cells.values():
        filled |= pc.not_equal(pc.utf8_trim_whitespace(texts), "").to_numpy()
        if filled.all():
            break
    first = raw.cells[next(iter(found.values()), next(iter(raw.cells)))]
    total = pc.match_substring_regex(first, _TOTAL).to_numpy() & filled
    repeated = filled.copy()
    for header, texts in raw.cells.items():
        repeated &= pc.equal(texts, header).to_numpy()
        if not repeated.any():
            break
    place = Place(raw.file, raw.name, raw.rows)
    for mask, code, rule, cure in (
        (total, "total-row", "a table holds records only", "delete the total; it would be counted as a record"),
        (repeated, "header-repeated", "the header stands once, in row 1", "delete the repeated header"),
    ):
        where = np.flatnonzero(mask)
        texts = first.take(pa.array(where[:SHOWN])).to_pylist()
        report(problems, where, [str(text) for text in texts], code, rule, cure, place, "")
    keep: np.ndarray = filled & ~total & ~repeated
    return keep


def _distinct(loaded: Loaded, table: Table, problems: Problems) -> Loaded:
    """Drop rows that repeat another one whole (with a warning) and report keys used by different rows."""
    frame = loaded.frame
    key = [name for name in table.key if name in frame.columns]
    if not key or frame.empty:
        return loaded
    clash = frame.duplicated(key, keep=False).to_numpy(dtype=bool, copy=True)
    for name in key:
        if table[name].filled:  # a blank there was reported as blank
            clash &= (frame[name] != "").to_numpy(dtype=bool)
    if not clash.any():
        return loaded
    candidates = frame[clash]
    group = candidates.groupby(key, sort=False, dropna=False).ngroup()
    first = group.index.to_series().groupby(group.to_numpy()).transform("min").to_numpy(dtype=np.int64)
    later = candidates.index.to_numpy() != first
    repeats = candidates.duplicated(keep="first").to_numpy(dtype=bool) & later
    label = ", ".join(key)
    place: dict[str, Any] = {"file": loaded.file, "table": loaded.name, "column": label}
    for position, other, repeat in list(zip(candidates.index[later], first[later], repeats[later], strict=True))[
        :SHOWN
    ]:
        value = ", ".join(str(frame[part].iloc[position]) for part in key)
        row, earlier = loaded.row(position), loaded.row(other)
        if repeat:
            cure = f"delete this row: it repeats row {earlier}"
            problems.warn("duplicate-row", f"{label} is unique", cure, row=row, value=value, **place)
        else:
            cure = f"row {earlier} says something else under the same key: keep one, or give this one its own"
            problems.add("duplicate-key", f"{label} is unique", cure, row=row, value=value, **place)
    conflicts = int((later & ~repeats).sum())
    if later.sum() > SHOWN and conflicts:
        problems.add("duplicate-key", f"{label} is unique", f"{conflicts:,} rows use the key of another", **place)
    keep = np.ones(len(frame), dtype=bool)
    keep[candidates.index[repeats]] = False
    return Loaded(loaded.name, loaded.file, frame[keep].reset_index(drop=True), loaded.rows[keep])


def check_references(
    tables: Mapping[str, Loaded],
    schema: Schema,
    problems: Problems,
    unread: Set[str] = frozenset(),
    below: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Report every cell that names a row which does not exist in the table it refers to.

    References into tables that could not be read (`unread`), or are missing though required, are left out: the table
    itself was reported. `below` are tables of another package whose rows count too.
    """
    below = below or {}
    absent = {table.name for table in schema.tables if table.required and not tables[table.name].file}
    unread = unread | (absent - below.keys())
    for table in schema.tables:
        for column in table.columns:
            if column.references and column.references.split(".")[0] not in unread:
                _check_reference(tables, tables[table.name], column, problems, below)


def _check_reference(
    tables: Mapping[str, Loaded],
    loaded: Loaded,
    column: Column,
    problems: Problems,
    below: Mapping[str, pd.DataFrame],
) -> None:
    target_table, target_column = column.references.split(".")
    target = tables[target_table]
    texts = pa.array(loaded.frame[column.name], pa.large_string())
    if column.type in LISTS:
        members, owner = cells.split_list(texts)
    else:
        members, owner = texts, np.arange(len(texts))
    known = pa.array(target.frame[target_column], pa.large_string()).unique()
    if target_table in below:
        known = pa.concat_arrays([known, pa.array(below[target_table][target_column], pa.large_string())]).unique()
    allowed = pa.concat_arrays([known, pa.array([*column.values, ""], pa.large_string())])
    missing = np.flatnonzero(~pc.is_in(members, value_set=allowed).to_numpy(zero_copy_only=False))
    if not len(missing):
        return
    names = sorted(str(word) for word in known.to_pylist())
    where = f"{column.references}" + ("" if target.file else f", and the table {target_table} is absent")
    report(
        problems,
        owner[missing],
        [str(text) for text in members.take(pa.array(missing[:SHOWN])).to_pylist()],
        "reference",
        f"{column.name} names a row of {where}",
        lambda text: nearest(text, names) or f"add it to {target_table}, or correct the name",
        loaded.place,
        column.name,
    )


_PERIODS = (("from", "to"), ("suspended_from", "suspended_to"))


def check_periods(tables: Mapping[str, Loaded], problems: Problems) -> None:
    """Report periods (`from`, `to`) that end before they start."""
    for loaded in tables.values():
        for start, end in _PERIODS:
            if start not in loaded.frame or end not in loaded.frame:
                continue
            wrong = (loaded.frame[end] <= loaded.frame[start]).to_numpy(dtype=bool)
            where = np.flatnonzero(wrong)
            days = loaded.frame[end].iloc[where[:SHOWN]].astype(str).tolist()
            rule, cure = f"{end} (the first day after) lies after {start}", "correct one of the two days"
            report(problems, where, days, "period", rule, cure, loaded.place, end)
