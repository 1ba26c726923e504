"""The schema of a data package, read from a table that a domain expert can edit (`schemas/*.csv`).

Columns of the schema table:

- ``table``, ``column``: what the row describes; column ``*`` describes the table itself.
- ``type``: ``id`` (lower-case slug), ``ids`` (several, joined by ``;``), ``text``, ``codes`` (likewise several),
  ``number``, ``integer``, ``year``, ``boolean``, ``date`` (YYYY-MM-DD; YYYY-MM and YYYY are read as their first day),
  ``when`` (a date kept as written, with an optional ``c.``), ``country`` (ISO 3166-1 alpha-3), ``url``.
- ``required``: ``yes`` = no cell may be blank; ``column`` = the column must be there, its cells may be blank; for a
  table, ``yes`` = the table must be there and have rows; ``empty`` = its file may hold a header alone.
- ``key``: ``yes`` on each column of the table's key. ``references``: ``table.column`` in which every value must occur.
- ``values``: the only values allowed (one that ends in ``:`` allows every code with that prefix); beside
  ``references``, literals allowed in addition.
- ``minimum``, ``maximum``: inclusive bounds of a number.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from supplychain.errors import UsageError

NUMERIC = frozenset({"number", "integer", "year"})
LISTS = frozenset({"ids", "codes"})
TYPES = NUMERIC | LISTS | {"id", "text", "boolean", "date", "when", "country", "url"}
NAMES = ("network", "regimes")
LARGEST = 1e15  # no honest fact is larger in the units of the schema; catches 1e30 and 1e308


@dataclass(frozen=True)
class Column:
    """One column of a table: its type and the rules its cells must keep."""

    name: str
    type: str
    present: bool  # the column must be in the file
    filled: bool  # no cell may be blank
    key: bool
    references: str  # "table.column", or ""
    minimum: float
    maximum: float
    values: tuple[str, ...]
    unit: str
    description: str
    example: str


@dataclass(frozen=True)
class Table:
    """One table: whether it must be there, whether a header alone says something, its columns in canonical order."""

    name: str
    required: bool
    may_be_empty: bool
    description: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.key)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True)
class Schema:
    """All tables of one kind of data package, in canonical order."""

    name: str
    tables: tuple[Table, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(table.name for table in self.tables)

    def __getitem__(self, name: str) -> Table:
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)


@cache
def schema(name: str) -> Schema:
    """Return the schema ``network`` or ``regimes``; any other name is a UsageError."""
    if name not in NAMES:
        raise UsageError(f"unknown schema {name!r}; there are {', '.join(NAMES)}")
    text = files("supplychain.facts").joinpath("schemas", f"{name}.csv").read_text(encoding="utf-8")
    return parse(name, text)


def table_names() -> frozenset[str]:
    """Return the names of all tables of all schemas."""
    return frozenset(table for kind in NAMES for table in schema(kind).names)


def parse(name: str, text: str) -> Schema:
    """Return the schema that ``text``, the content of a schema table, describes."""
    heads: dict[str, dict[str, str]] = {}
    columns: dict[str, list[Column]] = {}
    for row in csv.DictReader(text.splitlines(), strict=True):
        if row["column"] == "*":
            heads[row["table"]] = row
            columns[row["table"]] = []
        else:
            columns[row["table"]].append(_column(row))
    return Schema(
        name,
        tuple(
            Table(
                table,
                head["required"] == "yes",
                head["required"] == "empty",
                head["description"],
                tuple(columns[table]),
            )
            for table, head in heads.items()
        ),
    )


def _column(row: dict[str, str]) -> Column:
    if None in row or None in row.values() or row["type"] not in TYPES:
        raise ValueError(
            f"schema: the row of {row['table']}.{row['column']} has an unknown type or a cell too many or few"
        )
    return Column(
        name=row["column"],
        type=row["type"],
        present=row["required"] in ("yes", "column"),
        filled=row["required"] == "yes",
        key=row["key"] == "yes",
        references=row["references"],
        minimum=float(row["minimum"] or -LARGEST),
        maximum=float(row["maximum"] or LARGEST),
        values=tuple(value for value in row["values"].split(";") if value),
        unit=row["unit"],
        description=row["description"],
        example=row["example"],
    )
